"""Several tasks at once: which apply, what their folders hold, and what stops them all."""

import json
import re

import pandas as pd
import pytest

import harness
import suites
from harness import vector
from harness.cli import main
from harness.ranking import rank
from harness.results import Results
from harness.task import TaskNotApplicable
from harness.vector_results import FILE, VectorResults
from suites.errors import ReadError, UsageError

MODELS = ("a/x-1b", "a/x-7b", "b/y-1b", "b/y-7b", "c/z-1b", "c/z-7b")
OPTIONS = {"k": [0, 2], "folds": 3, "isolation": "none"}


def write_table(path, models=MODELS, dates=True, scenarios=3):
    rows = [
        (m, f"s{j}", f"q{q}", (3 * i + j * q + q) % 2, f"2025-0{i + 1}-01" if dates else None)
        for i, m in enumerate(models)
        for j in range(scenarios)
        for q in range(4)
    ]
    columns = ["model", "scenario", "item", "correct", "date"]
    frame = pd.DataFrame(rows, columns=columns)
    (frame if dates else frame.drop(columns="date")).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_table(tmp_path_factory.mktemp("table") / "scores.csv", dates=False)


@pytest.fixture(scope="module")
def suite(table):
    return suites.read(table)


@pytest.fixture(scope="module")
def whole(suite, tmp_path_factory):
    """All tasks of the vector, on runs without a date."""
    out = tmp_path_factory.mktemp("vector") / "all"
    return harness.evaluate_all(suite, ["jeffreys"], out=out, **OPTIONS)


def state(results):
    return {entry.heading: entry.status for entry in results.entries}


# -- what is written ------------------------------------------------------------------------------


def test_the_tasks_stand_in_their_order_and_the_one_without_dates_does_not_apply(whole):
    assert list(state(whole)) == [
        "Held-out run",
        "Family removed",
        "Organisation removed",
        "Stronger model",
        "New scenario",
        "Next release",
    ]
    assert [entry.heading for entry in whole.entries if not entry.evaluated] == ["Next release"]
    assert whole.entries[-1].reason.startswith("nothing says what was released when")


def test_folders_have_plain_names_and_the_list_names_them(whole):
    content = json.loads((whole.path / FILE).read_text(encoding="utf-8"))
    folders = [row["folder"] for row in content["tasks"] if row["status"] == "evaluated"]
    assert all(re.fullmatch(r"[a-z-]+", folder) for folder in folders)
    assert sorted([*folders, FILE]) == sorted(path.name for path in whole.path.iterdir())
    for entry in whole.entries:
        if entry.evaluated:
            assert Results.load(whole.path / entry.folder).manifest["task"] == entry.task


def test_a_tasks_folder_is_what_evaluate_alone_would_write(whole, suite, tmp_path):
    task = "new-model(by='family')"
    alone = harness.evaluate(suite.select(), ["jeffreys"], task=task, out=tmp_path / "x", **OPTIONS)
    together = whole.results["new-model-by-family"]
    for name in ("scores", "split", "status", "targets", "problems"):
        file = f"{name}.parquet"
        assert (together.path / file).read_bytes() == (alone.path / file).read_bytes()
    assert together.manifest["notes"] == alone.manifest["notes"]


def test_tasks_that_hold_out_the_same_say_so(whole):
    notes = {entry.heading: entry.note for entry in whole.entries}
    assert notes.pop("Organisation removed") == "Holds out the same folds as Family removed."
    assert set(notes.values()) == {""}


def test_families_and_organisations_of_one_model_are_said(tmp_path):
    source = write_table(tmp_path / "t.csv", models=("a/x", "b/y", "c/z"), scenarios=2)
    tasks = ["new-model", "new-model(by='organisation')"]
    done = harness.evaluate_all(source, "jeffreys", tasks=tasks, k=0, isolation="none")
    note = done.entries[1].note
    assert "holds out the same folds as new-model" in note.lower()
    assert "every organisation is of one model only" in note


def test_the_same_units_in_other_folds_are_said(tmp_path):
    # families and organisations sort differently, so two folds of three part them differently
    models = ("a/z-1b", "a/z-7b", "b/x-1b", "b/x-7b", "c/y-1b", "c/y-7b")
    tasks = ["new-model(by='family')", "new-model(by='organisation')"]
    source = write_table(tmp_path / "t.csv", models=models, scenarios=2)
    done = harness.evaluate_all(source, "jeffreys", tasks=tasks, k=0, folds=2, isolation="none")
    note = done.entries[1].note
    assert note == "Holds out together the same runs as Family removed, in other folds."


def test_the_next_release_works_on_its_own_selection(tmp_path):
    source = write_table(tmp_path / "t.csv", scenarios=2)
    tasks = ["heldout-run", "next-release"]
    done = harness.evaluate_all(source, "jeffreys", tasks=tasks, k=0, isolation="none")
    asked = {f: r.manifest["selection"]["reruns"] for f, r in done.results.items()}
    assert asked == {"heldout-run": "latest", "next-release": "all"}
    notes = {f: " ".join(r.manifest["notes"]) for f, r in done.results.items()}
    assert "next-release holds out" in notes["next-release"]
    assert "next-release holds out" not in notes["heldout-run"]


def test_a_single_organisation_is_no_task(tmp_path):
    source = write_table(tmp_path / "t.csv", models=("a/x-1b", "a/x-7b", "a/y-1b"), scenarios=2)
    tasks = ["heldout-run", "new-model(by='family')", "new-model(by='organisation')"]
    done = harness.evaluate_all(source, "jeffreys", tasks=tasks, k=0, isolation="none")
    assert list(state(done).values()) == ["evaluated", "evaluated", "not_applicable"]
    assert "all runs of one organisation" in done.entries[2].reason
    assert "nothing would be left to learn from" in done.entries[2].reason


# -- what stops ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("predictor", "options", "message"),
    [
        ("jefreys", {}, "did you mean 'jeffreys'"),
        ("jeffreys", {"tasks": ["heldout-run", "new-modell"]}, "unknown task 'new-modell'"),
        ("jeffreys", {"folds": "official"}, "evaluate it alone"),
        ("jeffreys", {"leaks": "blok"}, "treatment of leaks"),
        ("jeffreys", {"jobs": 0}, "jobs must be at least 1"),
        ("jeffreys", {"k": [-1]}, "k must be whole numbers"),
        ("jeffreys", {"k": 9, "tasks": ["new-scenario", "new-model"]}, "k = 9 cannot be evaluated"),
    ],
)
def test_what_concerns_all_tasks_stops_at_once(suite, tmp_path, predictor, options, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        harness.evaluate_all(suite, predictor, out=tmp_path / "out", **{**OPTIONS, **options})
    assert list(tmp_path.iterdir()) == []


def test_a_source_without_runs_stops(tmp_path):
    with pytest.raises(UsageError, match="nowhere"):
        harness.evaluate_all(tmp_path / "nowhere", "jeffreys", out=tmp_path / "out")


def test_nothing_but_tasks_that_do_not_apply_is_an_error(suite, tmp_path):
    with pytest.raises(UsageError, match=r"none of the tasks.*Next release: nothing says"):
        harness.evaluate_all(suite, "jeffreys", tasks=["next-release"], out=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


class Stub:
    """In place of `evaluate`: fails at some tasks, in the way it is told."""

    def __init__(self, whole, errors):
        self.whole, self.errors = whole, errors

    def __call__(self, suite, predictors, *, task, out, **options):
        if task.name in self.errors:
            raise self.errors[task.name]
        out.mkdir()
        return self.whole.results["heldout-run"]


def test_what_a_source_cannot_carry_is_that_tasks_own(whole, suite, tmp_path, monkeypatch):
    lacking = {"new-scenario": TaskNotApplicable("too few")}
    monkeypatch.setattr(vector, "evaluate", Stub(whole, lacking))
    out = tmp_path / "out"
    done = harness.evaluate_all(suite, "jeffreys", out=out, **OPTIONS)
    assert state(done)["New scenario"] == "not_applicable"
    assert {entry.heading: entry.reason for entry in done.entries}["New scenario"] == "too few"


@pytest.mark.parametrize(
    ("task", "error"),
    [("heldout-run", UsageError("broken")), ("new-scenario", ReadError("broken"))],
)
def test_any_other_error_stops(whole, suite, tmp_path, monkeypatch, task, error):
    monkeypatch.setattr(vector, "evaluate", Stub(whole, {task: error}))
    with pytest.raises(type(error), match=r"^broken$"):
        harness.evaluate_all(suite, "jeffreys", out=tmp_path / "out", **OPTIONS)
    kept = [] if task == "heldout-run" else [".out.partial"]  # what was done before it
    assert [path.name for path in tmp_path.iterdir()] == kept


def test_results_are_replaced_only_when_asked_and_nothing_else_ever(
    whole, suite, tmp_path, monkeypatch
):
    monkeypatch.setattr(vector, "evaluate", Stub(whole, {}))
    out = tmp_path / "out"
    out.mkdir()
    (out / FILE).write_text("{}")
    (out / "old").mkdir()
    with pytest.raises(UsageError, match="--overwrite"):
        harness.evaluate_all(suite, "jeffreys", out=out, **OPTIONS)
    done = harness.evaluate_all(suite, "jeffreys", out=out, overwrite=True, **OPTIONS)
    assert sorted(path.name for path in out.iterdir()) == sorted(
        [FILE, *(e.folder for e in done.entries if e.evaluated)]
    )
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("")
    with pytest.raises(UsageError, match="holds no results"):
        harness.evaluate_all(suite, "jeffreys", out=tmp_path / "mine", overwrite=True, **OPTIONS)


def test_names_that_look_alike_get_folders_of_their_own(whole, suite, tmp_path, monkeypatch):
    monkeypatch.setattr(vector, "evaluate", Stub(whole, {}))
    files = []
    for name in ("mine: a", "mine/a", "../.."):
        file = tmp_path / f"{len(files)}.yaml"
        file.write_text(json.dumps({"name": name}))
        files.append(file)
    done = harness.evaluate_all(suite, "jeffreys", tasks=files, **OPTIONS)
    assert [entry.folder for entry in done.entries] == ["mine-a", "mine-a-2", "task"]


# -- reading it again ------------------------------------------------------------------------------


def test_a_task_is_found_by_folder_name_and_heading(whole):
    for name in ("new-model-by-family", "new-model(by='family')", "Family removed"):
        assert whole.entry(name).folder == "new-model-by-family"
    with pytest.raises(UsageError, match="was not evaluated: nothing says"):
        whole.entry("next-release")
    with pytest.raises(UsageError, match="did you mean 'new-scenario'"):
        whole.entry("new-scenari")


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"tasks": [{"task": "a"}]}',
        '{"tasks": [{"task": "a", "heading": "A", "folder": "../../a"}]}',
        '{"tasks": [{"task": "a", "heading": "A", "folder": "a", "status": "great"}]}',
        '{"tasks": [{"task": "a", "heading": "A", "folder": "a"},'
        ' {"task": "b", "heading": "B", "folder": "A"}]}',
    ],
)
def test_a_damaged_list_of_tasks_is_said_to_be_damaged(tmp_path, content):
    (tmp_path / FILE).write_text(content)
    with pytest.raises(UsageError, match="damaged"):
        VectorResults.load(tmp_path)


def test_a_folder_of_one_task_is_no_vector(whole):
    with pytest.raises(UsageError, match="--task all"):
        VectorResults.load(whole.path / "heldout-run")


# -- the headline ----------------------------------------------------------------------------------


def test_the_headline_is_the_rankings_side_by_side(whole):
    table = VectorResults.load(whole.path).headline(k=2)
    for folder, results in whole.results.items():
        own = table[table["task"] == folder].set_index("predictor")
        ranking = rank(results, k=2).set_index("predictor")
        assert own["loss"].to_dict() == ranking["crps"].to_dict()
        for name in ("rank", "rank_low", "rank_high", "skill", "n_targets"):
            assert own[name].to_dict() == ranking[name].to_dict()
    ranks = table.groupby("predictor")["rank"].mean()
    assert table.groupby("predictor")["mean_rank"].first().to_dict() == ranks.to_dict()
    assert table["mean_rank"].is_monotonic_increasing


def test_a_k_that_no_task_has_is_refused(whole):
    with pytest.raises(UsageError, match="nearest is k = 2"):
        whole.headline(k=3)


# -- the command -----------------------------------------------------------------------------------


def test_the_command_takes_a_vector_of_ones_own(table, tmp_path, capsys):
    mine = tmp_path / "mine.yaml"
    mine.write_text("name: mine\nhold_out: [scenario]\nfolds: each\n")
    out = tmp_path / "out"
    shared = ["--predictor", "jeffreys", "--isolation", "none", "--k", "0", "--out", str(out)]
    tasks = ["--task", "heldout-run", "--task", str(mine)]
    assert main(["evaluate", str(table), *tasks, *shared]) == 0
    shown = capsys.readouterr().out
    assert "2 tasks at the smallest k of each task: mean CRPS pp" in shown
    assert f"results: {out}" in shown
    assert {path.name for path in out.iterdir()} == {"heldout-run", "mine", FILE}
    assert main(["evaluate", str(table), *tasks, *shared, "--overwrite", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["out"] == str(out)
    assert [task["folder"] for task in document["tasks"]] == ["heldout-run", "mine"]
    assert {row["task"] for row in document["headline"]} == {"heldout-run", "mine"}


def test_one_task_however_often_named_keeps_its_folder(table, tmp_path, capsys):
    out = tmp_path / "out"
    shared = ["--predictor", "jeffreys", "--isolation", "none", "--k", "0", "--out", str(out)]
    tasks = ["--task", "heldout-run"] * 2
    assert main(["evaluate", str(table), *tasks, *shared]) == 0
    assert "k = 0: 18 targets" in capsys.readouterr().out
    assert Results.load(out).manifest["task"] == "heldout-run"
    assert not (out / FILE).exists()


def test_mistakes_of_the_command_are_one_paragraph(table, tmp_path, capsys):
    out = tmp_path / "out"
    given = ["evaluate", str(table), "--task", "all", "--out", str(out), "--predictor", "jefreys"]
    assert main(given) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert "jefreys" in said[0]
    assert not out.exists()
