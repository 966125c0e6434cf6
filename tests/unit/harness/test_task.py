"""Tasks, and files of one's own."""

import pytest

from harness.task import COLUMNS, Task, load_task, task_names
from suites.errors import UsageError


def test_every_task_that_comes_with_the_package_is_complete():
    assert "heldout-run" in task_names()
    for name in task_names():
        task = load_task(name)
        assert task.name == name
        assert task.summary
        assert task.hold_out
        assert task.folds >= 1
        assert task.recipe == name


def test_settings_take_the_place_of_what_a_recipe_says():
    task = load_task("new-model(by='organisation', folds='each')")
    assert task.hold_out == ("organisation",)
    assert (task.folds, task.recipe) == ("each", "new-model")
    assert task.name == "new-model(by='organisation', folds='each')"
    pool = load_task("instance(pool='organisation')")
    assert (pool.within, pool.drop, pool.folds) == (("model",), ("organisation",), 5)
    assert load_task("instance(pool='organisation', folds=2)").folds == 2
    assert load_task("next-release(cut='2025-11-01')").cut == "2025-11-01"
    for wrong, message in (
        ("new-model(by='organization')", "unknown value of by 'organization'; did you"),
        ("heldout-run(by='model')", "unknown key 'by'"),
        ("instance(pool='all')", "unknown value of pool 'all'"),
        ("new-model(fold=3)", "unknown key 'fold'; did you mean 'folds'"),
        ("new-model(folds=0)", "folds must be"),
        ("new-model(3)", "settings are given by name"),
        ("new-modle", "did you mean 'new-model'"),
    ):
        with pytest.raises(UsageError, match=message):
            load_task(wrong)


def test_the_default_task_holds_out_a_model_on_a_scenario():
    task = load_task("heldout-run")
    assert task.hold_out == ("model", "scenario")
    assert (task.information, task.reference, task.predicts) == ("spec", "scenario-mean", "run")
    assert (task.k, task.folds, task.seeds) == ((0, 5, 20), 10, (0,))


@pytest.fixture
def load(tmp_path):
    def write(text, name="mine.yaml"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return load_task(tmp_path / name)

    return write


def test_a_task_of_ones_own_takes_defaults_for_what_it_leaves_out(load):
    task = load("name: mine\nhold_out: model\nk: 3\nseeds: [1, 2]\n")
    assert task == Task("mine", hold_out=("model",), k=(3,), seeds=(1, 2))


@pytest.mark.parametrize("ending", ["mine.yml", "mine.yaml"])
def test_both_endings_of_yaml_are_read(load, ending):
    assert load("name: mine", ending).name == "mine"


@pytest.mark.parametrize("column", COLUMNS)
def test_a_task_may_hold_out_by_any_column_of_identity(load, column):
    assert load(f"name: mine\nhold_out: [{column}]").hold_out == (column,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: mine\nhold-out: [model]", "unknown key 'hold-out'; did you mean 'hold_out'"),
        ("name: mine\nhold_out: [modell]", "unknown column 'modell'; did you mean 'model'"),
        ("name: mine\nhold_out: [value]", "unknown column 'value'"),
        ("name: mine\ninformation: prompt", "unknown information set 'prompt'; did you mean"),
        ("name: mine\npredicts: runs", "unknown kind of prediction 'runs'; did you mean"),
        ("name: [unclosed", "is not YAML"),
        ("name: !!python/object/apply:os.system [exit]", "is not YAML"),
        ("- a\n- b", "must be a mapping"),
        ("", "must be a mapping"),
        ("summary: no name", "at least the key name"),
        ("name: 3", "at least the key name"),
        ("name: mine\nk: many", "k must be"),
        ("name: mine\nk: [0, x]", "k must be"),
        ("name: mine\nk: [true]", "k must be"),
        ("name: mine\nk: [-1]", "k must be"),
        ("name: mine\nk: []", "k must be"),
        ("name: mine\nseeds: [0.5]", "seeds must be"),
        ("name: mine\nfolds: [3]", "folds must be"),
        ("name: mine\nshare: 2", "share must be"),
        ("name: mine\nleast: 0", "least must be"),
        ("name: mine\nchoose: strongst", "unknown choice 'strongst'; did you mean"),
        ("name: mine\ntargets: some", "unknown kind of targets 'some'"),
        ("name: mine\nselect: {model: a}", "unknown selection 'model'"),
        ("name: mine\nselect: all", "select must be a mapping"),
        ("name: mine\ndrop: organization", "unknown column 'organization'; did you"),
        ("name: mine\nwithin: [org]", "unknown column 'org'"),
        ("name: mine\nsettings: {by: {org: {hold_out: [modell]}}}", "unknown column 'modell'"),
        ("name: mine\nsettings: {by: {org: {hold: [model]}}}", "unknown key 'hold'"),
        ("name: mine\nsettings: {by: {org: [model]}}", "settings: by must name its values"),
        ("name: mine\nsettings: [by]", "settings must be a mapping"),
        ("name: mine\nfolds: 0", "folds must be"),
        ("name: mine\nreference: 3", "reference must be"),
        ("name: mine\nsummary: [3]", "summary must be"),
        ("name: mine\nhold_out: []", "hold_out must"),
        ("name: mine\nhold_out: [[model]]", "unknown column"),
        ("name: mine\ninformation: 5", "information"),
    ],
)
def test_a_wrong_task_is_refused_with_the_place_and_the_reason(load, text, message):
    with pytest.raises(UsageError, match=message) as caught:
        load(text)
    assert "mine.yaml" in str(caught.value)


def test_an_unknown_name_is_refused_with_the_nearest_one():
    with pytest.raises(UsageError, match="unknown task 'held-out-run'; did you mean 'heldout-run'"):
        load_task("held-out-run")


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(UsageError, match="cannot read the task"):
        load_task(tmp_path / "nowhere.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="cannot read the task"):
        load_task(tmp_path / "binary.yaml")
