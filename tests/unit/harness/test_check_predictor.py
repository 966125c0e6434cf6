"""The checks of the contract: each finds the predictor that breaks it, and only that one."""

import contextlib
import importlib.util
import json
import unittest
from pathlib import Path

import pytest

from harness.cli import main
from harness.contract import findings
from harness.contract import prepare as preparing
from harness.contract.cases import Cases
from harness.contract.checks import CHECKS, carry_out
from harness.contract.context import Context
from harness.contract.prepare import prepare
from harness.contract.said import Said, difference
from harness.pool import Pool
from harness.prediction import RunPrediction
from harness.prediction_table import encode
from harness.testing import PredictorContract
from suites import read
from suites.errors import UsageError

DATA = Path(__file__).parents[2] / "data"
FILE = DATA / "misbehaving" / "contract.py"


def loaded(path):
    found = importlib.util.spec_from_file_location(f"predictors_of_{path.stem}", path)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


broken = loaded(FILE)

FAULTS = {
    "declarations": ["WantsEverything", "NeedsAWord", "UsesWhatSomeLack", "NeedsFewerThanNone"],
    "answers": [
        "Raises",
        "IsNotFinite",
        "IsOutOfBounds",
        "HasNoDoubtBelowZero",
        "KnowsNoNewModels",
        "AnswersMore",
    ],
    "min_k": ["NeedsOneWithoutSaying", "IsVagueWithoutAny"],
    "seed": ["IsUnseeded", "CountsItsCalls"],
    "inputs": ["AddsAColumn", "SortsTargets", "EmptiesLists"],
    "rows": ["ReadsTheFirstRow", "ReadsTheFirstShown"],
    "columns": ["ReadsByPlace"],
    "targets": ["LooksAtThePlaceOfTargets", "DrawsTargetByTarget"],
    "other k": ["RemembersWhatWasShown"],
    "other folds": ["LearnsOnce"],
    "joint": ["DrawsUnequally", "DrawsByTheOthers"],
    "needs": ["ReadsMoreThanItSays", "HidesThatItReadsMore"],
    "unseen": ["LooksForTheTruth"],
    "checks": ["ChecksWithoutALimit", "ChecksOfOneName", "ChangesByChecking"],
    "loo": ["LeavesOutStrangers", "LeavesOutToNothing", "LeavesOutSomehow"],
}

DESCRIPTION = {"kind": "run", "needs": ["runs"], "min_k": 0, "tasks": None}


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cases")
    prepare(DESCRIPTION, folder)
    return Cases(folder)


def outcomes(cls, cases):
    """Give what each check finds; what a predictor raises is a failure of that check."""
    context, found = Context(cls, cases), {}
    for name in CHECKS:
        try:
            found[name] = carry_out(name, context)
        except Exception as err:
            found[name] = err
    return found


def failed(found):
    return [n for n, f in found.items() if isinstance(f, Exception) or f.outcome == "fail"]


@pytest.mark.parametrize("name", ["Decent", "Joint", "JudgesItself"])
def test_a_predictor_that_keeps_the_contract_passes_all_checks(name, cases):
    found = outcomes(getattr(broken, name), cases)
    assert failed(found) == []
    own = {"Joint": ["joint"], "JudgesItself": ["checks", "loo"]}.get(name, [])
    idle = [n for n in ("joint", "checks", "loo") if n not in own]
    assert [n for n, f in found.items() if f.outcome == "not applicable"] == idle


@pytest.mark.parametrize(
    ("check", "name"), [(check, name) for check, names in FAULTS.items() for name in names]
)
def test_one_that_breaks_it_fails_that_check_and_no_other(check, name, cases):
    found = outcomes(getattr(broken, name), cases)
    assert failed(found) == [check]
    if not isinstance(found[check], Exception):
        assert found[check].message
        assert found[check].mend


def test_every_check_but_that_of_the_cost_has_a_predictor_that_fails_it():
    assert [*FAULTS, "cost"] == list(CHECKS)


def test_a_failure_says_which_target_and_by_how_much(cases):
    found = outcomes(broken.ReadsByPlace, cases)["columns"]
    assert found.message.startswith("with columns in another order, k = 2: 27 of 27 targets")
    assert "normal sd is 5.2, then 6" in found.message


# ---------- the runs they are made on


def test_the_made_runs_have_what_predictors_meet(cases):
    train, targets = cases.first.train().runs, cases.first.targets(0)
    for frame in (train, targets):
        assert set(frame["metric"]) == {"exact_match", "grade", "percent", "points"}
        assert frame["perturbation"].nunique() == 2
        assert frame["lower"].isna().any()
    assert set(targets["model"]) - set(train["model"])
    assert set(targets["scenario"]) - set(train["scenario"])
    assert train["rerun"].max() == 1
    assert cases.first.train().responses["value"].isna().any()
    assert (cases.least, cases.ks) == (0, [2, 8])


def test_the_other_source_differs_in_hidden_values_only(cases):
    one, other = cases.first, cases.unseen
    assert one.train().runs.equals(other.train().runs)
    assert one.shown(8) == other.shown(8)
    held, altered = (case.folder.path.parents[1] / "shards" for case in (one, other))
    names = sorted(path.name for path in Path(held).iterdir())
    assert names == sorted(path.name for path in Path(altered).iterdir())
    differ = [n for n in names if Path(held, n).read_bytes() != Path(altered, n).read_bytes()]
    assert len(differ) == one.targets(0)["run"].nunique()


def test_enough_responses_are_shown_for_what_needs_many(tmp_path):
    prepare({**DESCRIPTION, "min_k": 40}, tmp_path)
    cases = Cases(tmp_path)
    assert (cases.least, cases.ks) == (40, [42, 48])
    assert len(cases.first.targets(48)) == 27


def test_what_needs_frames_and_answers_is_checked_on_runs_of_helm(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(preparing, "read", lambda name: asked.append(name) or read("demo/my-suite"))
    prepare({**DESCRIPTION, "needs": ["frames", "completions"]}, tmp_path)
    cases = Cases(tmp_path)
    state = cases.first.test(2).scenario_state
    column = "scenario_state.request_states.result.completions"
    assert asked == ["demo/standin-v1"]
    assert 0 < state[column].notna().sum() < len(state)
    assert cases.second is not None
    assert cases.unseen is not None


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"kind": "instance", "tasks": ["heldout-run"]}, "it predicts single responses"),
        ({"min_k": 500}, "at least k = 500"),
        ({"needs": ["responses", "frames"]}, "it needs frames: this source has none"),
    ],
)
def test_a_source_that_it_does_not_apply_to_is_refused(changes, why, tmp_path):
    table = tmp_path / "t.csv"
    rows = [f"m{m},s{s},q{i},{(i + m + s) % 2}" for m in (0, 1, 2) for s in (0, 1) for i in (0, 1)]
    table.write_text("\n".join(["model,scenario,instance,score", *rows]))
    folder = tmp_path / "cases"
    folder.mkdir()
    with pytest.raises(UsageError, match=why):
        prepare({**DESCRIPTION, **changes}, folder, read(table))


# ---------- comparisons


def said(*predictions):
    import pandas as pd

    targets = pd.DataFrame({"target": ["a", "b"], "perturbation": None, "part": None})
    return Said(encode(predictions, targets.assign(run="r", name="r", metric="m")))


def test_what_is_not_stored_of_a_pmf_is_no_difference():
    one = said(RunPrediction(target="a", pmf=[0.5, 0.5, 0.0]))
    assert difference(one, said(RunPrediction(target="a", pmf=[0.5, 0.5, 1e-12])), 1e-6) == ""
    other = said(RunPrediction(target="a", pmf=[0.5, 0.4, 0.1]))
    assert "1 of 2 targets, such as a: pmf" in difference(one, other, 1e-6)


def test_another_kind_of_answer_and_a_missing_one_are_differences():
    one, other = said(RunPrediction(target="a", mean=0.5)), said()
    assert "a: mean, then no valid prediction" in difference(one, other)
    normal = said(RunPrediction(target="a", normal=(0.5, 0.1)))
    assert "a: mean, then normal" in difference(one, normal)
    assert difference(one, said(RunPrediction(target="a", mean=0.5 + 1e-9)), 1e-6) == ""
    assert difference(one, said(RunPrediction(target="a", mean=0.5 + 1e-9))) != ""


# ---------- as tests of one's own


class TestDecent(PredictorContract):
    spec = broken.JudgesItself


class TestByItsFileOnRunsOfHelm(PredictorContract):
    spec = f"{FILE}:FromFrames(num_eval_samples=5)"
    source = "demo/my-suite"


def test_the_suite_tests_every_check_but_the_cost():
    made = []

    class Noted(PredictorContract):
        def check(self, name):
            made.append(name)

    for name in vars(PredictorContract):
        if name.startswith("test_"):
            getattr(Noted(), name)()
    assert [*made, "cost"] == list(CHECKS)


def test_a_test_of_the_suite_fails_with_the_way_out():
    class Own(PredictorContract):
        def make(self):
            return broken.ReadsByPlace()

    Own().test_the_order_of_rows_does_not_matter()
    with pytest.raises(AssertionError, match="To mend it: take columns by name"):
        Own().test_the_order_of_columns_does_not_matter()
    with pytest.raises(unittest.SkipTest, match="no method loo"):
        Own().test_its_loo_is_a_table()


def test_a_suite_without_a_predictor_says_what_to_give():
    class Nothing(PredictorContract):
        pass

    with pytest.raises(UsageError, match="give spec = MyPredictor"):
        Nothing().test_inputs_are_not_changed()


# ---------- the command


@pytest.fixture(scope="module")
def workers(tmp_path_factory):
    with Pool(tmp_path_factory.mktemp("logs")) as pool:
        yield pool


@pytest.fixture(autouse=True)
def _one_server(request, monkeypatch):
    """Let commands use one server of workers: to start it is most of their time."""
    if "capsys" in request.fixturenames:
        pool = request.getfixturevalue("workers")
        monkeypatch.setattr(findings, "Pool", lambda log, **options: contextlib.nullcontext(pool))


def test_the_command_prints_a_line_for_each_check(capsys):
    assert main(["check-predictor", "scenario-mean"]) == 0
    out = capsys.readouterr().out
    for name in CHECKS:
        assert f" {name} " in out
    assert "n/a   joint         no prediction has joint=True" in out
    assert "s per k" in out
    assert out.endswith("all 14 checks that apply pass.\n")


def test_the_command_says_what_fails_and_how_to_mend_it(capsys):
    spec = f"{FILE}:LooksForTheTruth"
    assert main(["check-predictor", spec, "demo/my-suite", "--json"]) == 1
    content = json.loads(capsys.readouterr().out)
    assert content["failed"] == ["unseen"]
    found = {row["check"]: row for row in content["findings"]}
    assert found["unseen"]["outcome"] == "fail"
    assert "no files" in found["unseen"]["mend"]
    assert found["cost"]["outcome"] == "pass"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("EndsItsProcess", "its process exited with status 3"),
        ("Hangs", "check took over 0.5 s"),
        ("RaisesInFit", "it raises ValueError: it cannot learn (predictors.py, line 31)"),
    ],
)
def test_what_does_not_answer_fails_one_check_and_ends_the_others(name, why, capsys):
    spec = f"{FILE.with_name('predictors.py')}:{name}"
    timeout = ["--timeout", "0.5"] if name == "Hangs" else []
    assert main(["check-predictor", spec, *timeout]) == 1
    out = capsys.readouterr().out
    assert f"FAIL  answers       {why}" in out
    assert out.count("it does not answer") == len(CHECKS) - 2


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["scenario-men"], "did you mean 'scenario-mean'"),
        ([f"{FILE}:Decant"], "did you mean Decent"),
        ([f"{FILE}:DoesNotApply"], "there is no run of a whale"),
        (["scenario-mean(x=1)"], "its settings are: none"),
        ([f"{FILE.with_name('predictors.py')}:RaisesInConstructor"], "there is no such file"),
    ],
)
def test_what_cannot_be_checked_is_a_slip_of_the_user(arguments, why, capsys):
    assert main(["check-predictor", *arguments]) == 2
    assert why in capsys.readouterr().err
