"""Whole evaluations: what predictors get, what becomes of what they do, and what is written."""

import json
import os
import random
import re
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import harness
import suites
from harness.jail.probe import available_levels
from harness.predictor import RunPrediction, RunPredictor
from harness.results import KEY, TABLES, Results
from harness.rules import score, uniform
from harness.server import ENVIRONMENT
from leaderboard.terminal import ranking_lines
from suites.errors import UsageError

DATA = Path(__file__).parents[2] / "data" / "misbehaving"
FILE = DATA / "predictors.py"
FILES = ("predictions", "scores", "status", "targets", "split", "loo", "problems")
"""Whatever is the same each time."""

GOOD = ["scenario-mean", "beta-binomial", "random"]


def bad(name: str, **settings) -> str:
    text = ", ".join(f"{key}={value!r}" for key, value in settings.items())
    return f"{FILE}:{name}({text})"


def write_items(path: Path, models: int = 12, scenarios: int = 8, items: int = 30) -> Path:
    """Write a table of responses, 0 or 1, of models that differ in ability."""
    rng = np.random.default_rng(5)
    ability, difficulty = rng.normal(0, 1, models), rng.normal(0, 1, scenarios)
    p = 1 / (1 + np.exp(difficulty - ability[:, None]))
    grid = np.array(list(np.ndindex(models, scenarios, items)))
    frame = pd.DataFrame(
        {
            "model": [f"maker{i % 4}/m{i:02d}" for i in grid[:, 0]],
            "scenario": [f"s{j}" for j in grid[:, 1]],
            "item": [f"q{q:02d}" for q in grid[:, 2]],
            "correct": (rng.random(len(grid)) < p[grid[:, 0], grid[:, 1]]).astype(int),
        }
    )
    frame.to_parquet(path, index=False)
    return path


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    return write_items(tmp_path_factory.mktemp("table") / "arena.parquet")


@pytest.fixture(scope="module")
def suite(table):
    return suites.read(table)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("results")


def evaluate(source, predictors, out=None, **options) -> Results:
    options = {"k": [0, 5], "folds": 2, "timeout": 100.0, **options}
    return harness.evaluate(source, predictors, out=out, **options)


@pytest.fixture(scope="module")
def calm(suite, folder) -> Results:
    """Good predictors alone, one after the other."""
    return evaluate(suite, GOOD, folder / "calm", jobs=1)


def contents(results: Results, names=FILES) -> dict[str, bytes]:
    return {name: (results.path / f"{name}.parquet").read_bytes() for name in names}


def statuses(results: Results, predictor: str) -> dict[int, dict[str, int]]:
    """Give k → status → how many targets."""
    own = results.status[results.status["predictor"] == predictor].astype({"status": str})
    return {k: part["status"].value_counts().to_dict() for k, part in own.groupby("k")}


# -- what predictors do wrong ---------------------------------------------------------------------

# predictor → statuses at k = 0 and at k = 5 of its 96 targets, and a word of its reason
ALL_FAILED, ALL_OK, ALL_INVALID = {"failed": 96}, {"ok": 96}, {"invalid": 96}
MISDEEDS = {
    "RaisesInFit": (ALL_FAILED, ALL_FAILED, "ValueError: it cannot learn"),
    "RaisesInPredict": (ALL_FAILED, ALL_FAILED, "ZeroDivisionError"),
    "RaisesAtFive": (ALL_OK, ALL_FAILED, "LookupError: five is too many"),
    "RaisesInConstructor": (ALL_FAILED, ALL_FAILED, "there is no such file"),
    "Never": (ALL_FAILED, ALL_FAILED, "RuntimeError: not on this machine"),
    "RunsOutOfMemory": (ALL_FAILED, ALL_FAILED, "MemoryError"),
    "Recurses": (ALL_FAILED, ALL_FAILED, "RecursionError"),
    "SaysHalfACharacter": (ALL_FAILED, ALL_FAILED, "half a character"),
    "EndsItsProcess": (ALL_FAILED, ALL_FAILED, "exited with status 3 in predict"),
    "Exits": (ALL_FAILED, ALL_FAILED, "exited with status 1 in predict"),
    "Interrupts": (ALL_FAILED, ALL_FAILED, "exited with status 1 in predict"),
    "KillsItself": (ALL_FAILED, ALL_FAILED, "ended by signal 9 in predict"),
    "ClosesEverything": (ALL_FAILED, ALL_FAILED, "its process"),
    "ReturnsNone": (ALL_FAILED, ALL_FAILED, "must return a list of RunPrediction, not NoneType"),
    "ReturnsStrings": (ALL_FAILED, ALL_FAILED, "RunPrediction objects, not str"),
    "ReturnsNaN": (ALL_INVALID, ALL_INVALID, "finite"),
    "ReturnsProbabilitiesAboveOne": (ALL_INVALID, ALL_INVALID, "sums to"),
    "AnswersTwice": ({"duplicate": 96}, {"duplicate": 96}, "2 predictions"),
    "AnswersWhatWasNotAsked": (ALL_OK | {"unknown": 6}, ALL_OK | {"unknown": 6}, None),
    "AnswersAMillionTimes": (ALL_OK | {"unknown": 2002}, ALL_OK | {"unknown": 2002}, None),
    "ForgetsOne": ({"ok": 94, "missing": 2}, {"ok": 94, "missing": 2}, None),
    "ForgetsFive": ({"ok": 86, "missing": 10}, {"ok": 86, "missing": 10}, "10 of 96"),
    "Generates": (ALL_OK, ALL_OK, None),
    "PrintsALot": (ALL_OK, ALL_OK, None),
    "ChangesItsInputs": (ALL_OK, ALL_OK, None),
}


@pytest.fixture(scope="module")
def chaos(suite, folder) -> Results:
    """All that misbehave, among those that do not."""
    specs = [bad(name) for name in MISDEEDS if name != "Never"]
    specs.insert(3, f"{DATA / 'at_import.py'}:Never")
    return evaluate(suite, [*specs[:9], *GOOD, *specs[9:], bad("Honest")], folder / "c", jobs=2)


@pytest.mark.parametrize("name", MISDEEDS)
def test_a_misdeed_has_its_status_and_its_reason(chaos, name):
    at_0, at_5, reason = MISDEEDS[name]
    found = statuses(chaos, name)
    assert found == {0: at_0, 5: at_5}
    described = next(p for p in chaos.manifest["predictors"] if p["name"] == name)
    row = chaos.ranking(k=5).set_index("predictor").loc[name]
    assert described["status"] == ("evaluated" if "ok" in found[0] else "failed")
    assert row["ranked"] == (reason is None)
    if reason is None:
        assert described["reason"] is None
        return
    own = chaos.status[chaos.status["predictor"] == name]
    said = [*own["message"].dropna().astype(str), described["reason"] or "", row["reason"]]
    assert any(reason in text for text in said)
    assert row["reason"]


def test_misdeeds_cost_the_other_predictors_nothing(chaos, calm):
    for name in ("scores", "status", "predictions", "loo"):
        with_, without = getattr(chaos, name), getattr(calm, name)
        for predictor in GOOD:
            a = with_[with_["predictor"] == predictor].reset_index(drop=True)
            b = without[without["predictor"] == predictor].reset_index(drop=True)
            assert len(a) or name == "loo"
            assert a.astype(str).equals(b.astype(str)), (name, predictor)
            if "value" in a.columns:
                assert a["value"].to_numpy().tobytes() == b["value"].to_numpy().tobytes()


def test_those_that_end_well_have_the_scores_of_an_honest_one(chaos):
    scores = chaos.scores.astype({"target": str, "rule": str})
    keys = ["k", "target", "rule"]
    honest = scores[scores["predictor"] == "Honest"].set_index(keys)["value"].sort_index()
    for name in ("AnswersWhatWasNotAsked", "Generates", "PrintsALot", "ChangesItsInputs"):
        own = scores[scores["predictor"] == name].set_index(keys)["value"].sort_index()
        pd.testing.assert_series_equal(own, honest, check_exact=True)
    at_0 = scores[(scores["predictor"] == "RaisesAtFive") & (scores["k"] == 0)]
    own = at_0.set_index(keys)["value"].sort_index()
    pd.testing.assert_series_equal(own, honest.loc[[0]], check_exact=True)


def test_every_target_of_every_predictor_has_one_status(chaos):
    known = set(chaos.targets["target"])
    status = chaos.status.astype({"target": str, "status": str})
    status = status[status["target"].isin(known)]
    counts = status.groupby(["predictor", "seed", "k"], observed=True)["target"]
    assert (counts.nunique() == len(known)).all()
    assert (counts.size() == len(known)).all()
    assert not (status["status"] == "unknown").any()


def losses(results: Results, predictor: str, k: int, rule: str) -> pd.Series:
    scores = results.scores.astype({"target": str, "rule": str})
    own = scores[(scores["predictor"] == predictor) & (scores["k"] == k) & (scores["rule"] == rule)]
    return own.set_index("target")["value"]


@pytest.mark.parametrize("rule", ["crps", "log_score", "interval_score_90"])
@pytest.mark.parametrize("name", ["RaisesInPredict", "ForgetsOne", "ForgetsFive", "RaisesAtFive"])
def test_a_target_without_an_answer_costs_the_worst_of_reference_uniform_and_own_mean(
    chaos, name, rule
):
    facts = chaos.targets.set_index("target")
    for k in (0, 5):
        status = chaos.status[(chaos.status["predictor"] == name) & (chaos.status["k"] == k)]
        imputed = set(status.loc[status["imputed"], "target"].astype(str))
        failed = status["status"].astype(str).isin(["failed", "missing"])
        assert imputed == set(status.loc[failed, "target"].astype(str))
        own, reference = losses(chaos, name, k, rule), losses(chaos, "scenario-mean", k, rule)
        mean = own.drop(sorted(imputed)).mean() if len(own) > len(imputed) else -np.inf
        for target in imputed:
            fact = facts.loc[target]
            grid = {"n": int(fact["n"]), "binary": True, "lower": 0.0, "upper": 1.0}
            even = score(uniform(**grid), fact["value"], target=target, **grid)[rule]
            worst = max(reference[target], even, mean)
            assert own[target] == pytest.approx(worst, abs=1e-12), (target, k)


def test_a_few_forgotten_targets_are_ranked_and_more_than_five_percent_are_not(chaos):
    ranking = chaos.ranking(k=0).set_index("predictor")
    assert ranking.loc["ForgetsOne", ["ranked", "n_failed"]].tolist() == [True, 2]
    assert ranking.loc["ForgetsFive", ["ranked", "n_failed"]].tolist() == [False, 10]
    assert "at most 5% is ranked" in ranking.loc["ForgetsFive", "reason"].replace(" %", "%")
    assert ranking.loc["ForgetsOne", "crps"] > ranking.loc["Honest", "crps"]


def test_a_hanging_predictor_is_ended_and_what_others_print_is_not_seen(suite, folder, capfd):
    started = time.monotonic()
    predictors = [bad("PrintsALot"), bad("Hangs"), bad("Honest")]
    results = evaluate(suite, predictors, folder / "hung", k=0, jobs=2, timeout=2.0)
    assert time.monotonic() - started < 30
    assert statuses(results, "Hangs") == {0: {"timeout": 96}}
    assert statuses(results, "Honest") == statuses(results, "PrintsALot") == {0: ALL_OK}
    hung = next(p for p in results.manifest["predictors"] if p["name"] == "Hangs")
    assert hung["reason"] == "predict took over 2 s"
    assert "timeout 96" in results.ranking().set_index("predictor").loc["Hangs", "reason"]
    assert capfd.readouterr() == ("", "")
    files = ["manifest.json", *(f"{name}.parquet" for name in TABLES)]
    assert sorted(p.name for p in results.path.iterdir()) == sorted(files)


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_processes_that_a_worker_leaves_are_ended_with_it(suite, tmp_path):
    pids = str(tmp_path / "pids")
    started = time.monotonic()
    predictors = [bad("LeavesAChild", pids=pids, ends=ends) for ends in (True, False)]
    results = evaluate(suite, predictors, k=0, jobs=2, isolation="process")
    assert time.monotonic() - started < 30
    _, first, second = [p["name"] for p in results.manifest["predictors"]]
    assert statuses(results, first) == {0: ALL_FAILED}
    assert statuses(results, second) == {0: ALL_OK}
    left = [int(line) for line in Path(pids).read_text().split()]
    assert len(left) == 2 * (2 + 1)
    deadline = time.monotonic() + 5
    while any(map(is_running, left)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(map(is_running, left))


FORGED = [
    ("nonsense", "", "failed"),
    ('{"blobs": []}', "", "invalid"),
    ('{"blobs": [], "error": "not_applicable", "message": 3}', "", "not_applicable"),
    ('{"blobs": [], "error": ["x"], "message": {"a": 1}}', "", "failed"),
    ('{"blobs": [2, 2], "wall_s": "much", "cpu_s": null}', "ab{}", "invalid"),
    ('{"blobs": [1073741825]}', "", "failed"),
    ('{"blobs": [Infinity]}', "", "failed"),
]


def test_forged_answers_cost_only_their_own_rows(suite):
    forgers = [bad("Forges", text=text, blob=blob) for text, blob, _ in FORGED]
    predictors = [*forgers, bad("ForgesItsDescription"), bad("Honest")]
    results = evaluate(suite, predictors, k=0, jobs=2)
    _, *names, describes, honest = [p["name"] for p in results.manifest["predictors"]]
    for name, (*_, status) in zip(names, FORGED, strict=True):
        assert statuses(results, name) == {0: {status: 96}}
    assert statuses(results, describes) == {0: ALL_INVALID}
    assert statuses(results, honest) == statuses(results, "scenario-mean") == {0: ALL_OK}
    assert set(results.ranking()["predictor"]) == {"scenario-mean", *names, describes, honest}


def test_a_class_that_cannot_be_found_or_made_is_refused_before_anything_runs(suite, tmp_path):
    for spec, message in [
        (f"{FILE}:Honset", "did you mean Honest"),
        ("predictors.nothing:Mine", "No module named"),
        ("kernel-ridge(rigde=5)", "rigde"),
        (f"{FILE}:Honest(a=1)", "unexpected keyword argument 'a'"),
        (f"{FILE}:np", "is not a predictor class"),
        (f"{FILE}:reachable", "is not a predictor class"),
    ]:
        with pytest.raises(UsageError, match=re.escape(message)):
            evaluate(suite, spec, tmp_path / "out", isolation="none")
    with pytest.raises(UsageError, match="did you mean Honest"):
        evaluate(suite, f"{FILE}:Honset", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


# -- what does not change the results --------------------------------------------------------------


def test_two_jobs_give_the_bytes_of_one(suite, calm, folder):
    assert contents(evaluate(suite, GOOD, folder / "two", jobs=2)) == contents(calm)


def test_the_order_of_rows_changes_nothing(table, calm, folder, tmp_path):
    frame = pd.read_parquet(table).sample(frac=1, random_state=3)
    frame.to_parquet(tmp_path / "arena.parquet", index=False)
    path = tmp_path / "arena.parquet"
    results = evaluate(path, GOOD, folder / "shuffled", isolation="none")
    assert contents(results) == contents(calm)
    assert results.manifest["sha256"] == calm.manifest["sha256"]


def test_which_other_k_are_asked_changes_nothing(suite, calm):
    predictors = [*GOOD, bad("Unpredictable")]
    alone = evaluate(suite, predictors, k=5, isolation="none")
    for name in GOOD:
        a = alone.predictions[alone.predictions["predictor"] == name]
        b = calm.predictions[(calm.predictions["predictor"] == name) & (calm.predictions["k"] == 5)]
        assert a.reset_index(drop=True).astype(str).equals(b.reset_index(drop=True).astype(str))
    both = evaluate(suite, bad("Unpredictable"), k=[0, 5], isolation="none")
    a, b = (r.predictions[r.predictions["predictor"] == "Unpredictable"] for r in (alone, both))
    assert a["value"].tolist() == b.loc[b["k"] == 5, "value"].tolist()
    assert len(set(a["value"].round(9))) > 2  # it is random, by the seed of each call


def test_isolation_none_gives_the_bytes_of_processes_and_is_recorded(suite, calm, folder):
    before = random.getstate(), np.random.get_state()[1].tobytes()  # noqa: NPY002
    results = evaluate(suite, GOOD, folder / "none", isolation="none")
    assert (random.getstate(), np.random.get_state()[1].tobytes()) == before  # noqa: NPY002
    assert contents(results) == contents(calm)
    assert (results.manifest["isolation"], calm.manifest["isolation"]) == (
        "none",
        available_levels()[0],
    )


def test_a_class_of_a_notebook_runs_in_this_process_only(suite):
    class Mine(RunPredictor):
        """What a user writes in a cell."""

        needs = ()

        def __init__(self, sd=0.2):
            self.sd = sd

        def predict(self, train_split, sequestered_test_split):
            names = sequestered_test_split.targets["target"]
            return [RunPrediction(target=name, normal=(0.5, self.sd)) for name in names]

    results = evaluate(suite, [Mine, Mine(sd=0.3)], k=0, isolation="none")
    assert statuses(results, "Mine") == statuses(results, "Mine(sd=0.3)") == {0: ALL_OK}
    for predictor in (Mine, Mine(sd=0.3), [GOOD[0], Mine]):
        with pytest.raises(UsageError, match=r"put it into a file .*isolation=\"none\""):
            evaluate(suite, predictor, k=0)


def test_a_class_that_raises_or_exits_in_this_process_costs_only_its_rows(suite):
    class Raises(RunPredictor):
        def predict(self, train_split, sequestered_test_split):
            raise ValueError("no")

    class Exits(RunPredictor):
        def predict(self, train_split, sequestered_test_split):
            raise SystemExit(3)

    results = evaluate(suite, [Raises, Exits], k=0, isolation="none")
    assert statuses(results, "Raises") == statuses(results, "Exits") == {0: ALL_FAILED}
    assert statuses(results, "scenario-mean") == {0: ALL_OK}


def test_inputs_that_one_changes_in_this_process_are_whole_for_the_next(suite, calm):
    results = evaluate(suite, [bad("ChangesItsInputs"), *GOOD], isolation="none")
    assert statuses(results, "ChangesItsInputs") == {0: ALL_OK, 5: ALL_OK}
    for name in GOOD:
        a, b = (r.scores[r.scores["predictor"] == name] for r in (results, calm))
        assert a["value"].tolist() == b["value"].tolist()


def test_an_unknown_isolation_is_refused(suite):
    with pytest.raises(UsageError, match="unknown isolation 'proces'; did you mean 'process'"):
        evaluate(suite, GOOD, isolation="proces")
    with pytest.raises(UsageError, match="jobs must be at least 1"):
        evaluate(suite, GOOD, jobs=0)


# -- no truth --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def planted(tmp_path_factory) -> Path:
    """Write responses each of which is a number of its own."""
    rng = np.random.default_rng(11)
    grid = list(np.ndindex(5, 4, 8))
    frame = pd.DataFrame(
        {
            "model": [f"m{i}" for i, _, _ in grid],
            "scenario": [f"s{j}" for _, j, _ in grid],
            "item": [f"q{q}" for _, _, q in grid],
            "score": np.round(0.1 + 0.8 * rng.random(len(grid)), 9),
        }
    )
    path = tmp_path_factory.mktemp("planted") / "planted.parquet"
    frame.to_parquet(path, index=False)
    return path


def read_planted(path: Path):
    return suites.read(path, table={"scale": "proportion"})


def secrets(suite, notes: dict, k: int) -> tuple[set[float], set[float]]:
    """Give the truths of the noted targets and their responses; those of all other runs."""
    responses = suite.responses()
    runs = suite.runs
    held = runs["run"].isin([t.partition("#")[0] for t in notes["targets"]])
    hidden = responses["run"].astype(str).isin(runs.loc[held, "run"])
    return (
        {*runs.loc[held, "value"], *responses.loc[hidden, "value"]},
        {*runs.loc[~held, "value"], *responses.loc[~hidden, "value"]},
    )


@pytest.mark.parametrize("isolation", ["process", "none"])
def test_no_truth_can_be_reached_from_what_a_predictor_is_given(
    planted, tmp_path, isolation, monkeypatch
):
    monkeypatch.setenv("SECRET_OF_THE_PARENT", "0.123456789")
    suite = read_planted(planted)
    spec = bad("Reads", out=str(tmp_path), everything=isolation == "process")
    k = 2
    with (tmp_path / "open").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        results = evaluate(suite, spec, k=k, isolation=isolation)
    walks = sorted(tmp_path.glob("*.json"))
    assert len(walks) == 2
    for walk in walks:
        notes = json.loads(walk.read_text())
        numbers = np.load(walk.with_suffix(".npy"))
        truths, known = secrets(suite, notes, k)
        assert len(notes["targets"]) == 10
        assert len(truths) == 10 * 9
        found = truths & set(numbers.tolist())
        shown = shown_values(suite, results, notes["targets"], k)
        assert found == shown, "the shown responses, and nothing else of the held-out runs"
        assert known <= set(numbers.tolist())  # the walk does find what is there
        if isolation == "process":
            check_surroundings(notes)


def check_surroundings(notes):
    """Check that a worker has nothing of its parent's environment and open files."""
    environment = notes["environment"]
    assert not {"SECRET_OF_THE_PARENT", "HOME"} & set(environment)
    kept = {"PATH", "LD_LIBRARY_PATH", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"}
    own = {name for name in environment if not name.startswith("KMP_")}  # set by scikit-learn
    assert own <= {*ENVIRONMENT, *kept, "LC_CTYPE"}
    kinds = {number: kind for number, kind, _ in notes["descriptors"] if kind != "closed"}
    assert {"0", "1", "2"} <= set(kinds)
    assert sorted(kind for n, kind in kinds.items() if n not in ("0", "1", "2")) == ["s"]


def shown_values(suite, results, targets, k) -> set[float]:
    """Work out which responses are shown, from the rule and the tables alone."""
    from harness.split import shown_order
    from suites.schema import CELL

    responses = suite.responses().astype({"run": str, "instance": str})
    rows = results.targets.set_index("target")
    values = set()
    for target in targets:
        row = rows.loc[target]
        own = responses[responses["run"] == row["run"]]
        cell = [None if pd.isna(row[c]) else row[c] for c in CELL]
        seen = shown_order(own["instance"], seed=0, cell=cell)[:k]
        values |= set(own.loc[own["instance"].isin(seen), "value"])
    return values


def test_the_folder_of_a_fold_holds_no_truth(planted, tmp_path):
    from harness.held_out import HeldOut
    from harness.task import load_task

    suite = read_planted(planted)
    held = HeldOut(suite, tmp_path, frames=True)
    task = load_task("heldout-run")
    for fold in held.folds(task, 4, [0]):
        view = held.write_fold(fold, task)
        notes = {"targets": view.targets}
        truths, known = secrets(suite, notes, 0)
        found = numbers_in(view.path)
        assert not truths & found
        runs = suite.runs[~suite.runs["run"].isin(t.partition("#")[0] for t in view.targets)]
        assert set(runs["value"]) <= found
        content = json.loads((view.path / "fold.json").read_text())
        assert not {"/planted" in text for text in map(str, content.values())} & {True}
        assert known <= found


def numbers_in(folder: Path) -> set[float]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return set().union(*map(numbers_of, files))


def numbers_of(path: Path) -> set[float]:
    """Read every eight bytes of a file as a number, and every number in its text."""
    data = path.read_bytes()
    out: set[float] = set()
    for start in range(min(8, max(len(data) - 7, 0))):
        size = (len(data) - start) // 8 * 8
        out |= set(np.frombuffer(data[start : start + size], "<f8").tolist())
    return out | {float(word) for word in re.findall(rb"\d+\.\d+", data)}


# -- which targets ---------------------------------------------------------------------------------


def test_targets_with_no_more_than_k_instances_are_left_out_for_all_alike(tmp_path):
    rows = [
        (f"m{i}", f"s{j}", f"q{q}", (i + j + q) % 2)
        for i in range(4)
        for j, size in enumerate((3, 5, 6))
        for q in range(size)
    ]
    frame = pd.DataFrame(rows, columns=["model", "scenario", "item", "correct"])
    frame.to_csv(tmp_path / "t.csv", index=False)
    predictors = [*GOOD, bad("RaisesInPredict")]
    results = evaluate(tmp_path / "t.csv", predictors, k=[0, 3, 5, 6], isolation="none")
    for name in [*GOOD, "RaisesInPredict"]:
        counts = {k: sum(found.values()) for k, found in statuses(results, name).items()}
        assert counts == {0: 12, 3: 8, 5: 4}
    ranking = results.ranking()
    assert set(ranking["k"]) == {0, 3, 5}
    assert ranking.loc[ranking["ranked"]].groupby("k")["n_targets"].first().tolist() == [12, 8, 4]


def test_a_table_of_values_has_targets_at_no_k_but_zero(tmp_path):
    frame = pd.DataFrame(
        [(f"m{i}", f"s{j}", 0.1 * i + 0.05 * j) for i in range(6) for j in range(4)],
        columns=["model", "scenario", "score"],
    )
    frame.to_csv(tmp_path / "t.csv", index=False)
    suite = suites.read(tmp_path / "t.csv", table={"scale": "proportion"})
    results = evaluate(suite, GOOD, k=[0, 5], isolation="none")
    for name in GOOD:
        found = statuses(results, name)
        assert list(found) == [0]
        assert sum(found[0].values()) == 24
    ranking = results.ranking().set_index("predictor")
    assert set(ranking["k"]) == {0}
    assert (
        ranking["ranked"].to_dict()
        == {
            "scenario-mean": True,
            "random": True,
            "beta-binomial": False,
        }
        or ranking["ranked"].all()
    )


def test_three_runs_of_three_models_in_three_scenarios_have_a_ranking(tmp_path):
    rows = [(f"m{i}", f"s{i}", f"q{q}", (i * q) % 2) for i in range(3) for q in range(9)]
    frame = pd.DataFrame(rows, columns=["model", "scenario", "item", "correct"])
    frame.to_csv(tmp_path / "t.csv", index=False)
    predictors = ["global-mean", "beta-binomial"]
    results = evaluate(tmp_path / "t.csv", predictors, folds=10, isolation="none")
    assert len(results.split) == 3
    ranking = results.ranking()
    assert ranking["ranked"].all()
    assert np.isfinite(ranking["crps"]).all()
    assert sorted(set(ranking["predictor"])) == ["beta-binomial", "global-mean", "scenario-mean"]


def test_one_run_alone_is_predicted_from_nothing(tmp_path):
    rows = [("m", "s", f"q{q}", q % 2) for q in range(9)]
    frame = pd.DataFrame(rows, columns=["model", "scenario", "item", "correct"])
    frame.to_csv(tmp_path / "t.csv", index=False)
    results = evaluate(tmp_path / "t.csv", "scenario-mean", isolation="none")
    assert statuses(results, "scenario-mean") == {0: {"ok": 1}, 5: {"ok": 1}}


def test_seeds_hold_out_every_run_once_each(suite):
    results = evaluate(suite, "scenario-mean", k=0, seeds=[0, 3], isolation="none")
    counts = results.split.groupby(["seed", "target"]).size()
    assert (counts == 1).all()
    assert len(counts) == 2 * 96
    assert results.manifest["seeds"] == [0, 3]


@pytest.mark.parametrize("k", [[], [-1], [0, -5]])
def test_a_bad_k_is_refused(suite, k):
    with pytest.raises(UsageError, match="k must be whole numbers"):
        evaluate(suite, GOOD, k=k)


# -- the results folder ----------------------------------------------------------------------------


def test_results_are_read_back(calm):
    again = Results.load(calm.path)
    assert again.manifest == calm.manifest
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(again, name), getattr(calm, name))
    pd.testing.assert_frame_equal(again.ranking(), calm.ranking())
    assert repr(again) == "<Results of heldout-run: scenario-mean, beta-binomial, random>"


def test_tables_have_the_columns_that_are_documented(calm):
    assert calm.scores.columns.tolist() == [*KEY, "target", "rule", "value"]
    assert calm.status.columns.tolist() == [
        *KEY,
        "target",
        "status",
        "imputed",
        "outside",
        "message",
    ]
    assert calm.predictions.columns.tolist() == [
        *KEY,
        "target",
        "output_type",
        "output_type_id",
        "value",
    ]
    assert calm.split.columns.tolist() == ["task", "seed", "fold", "target", "role", "closest"]
    assert set(calm.predictions["output_type_id"].map(type)) == {str}
    assert len(calm.targets) == calm.targets["target"].nunique() == 96
    assert calm.targets["binary"].all()
    assert (calm.targets["n"] == 30).all()


def test_the_manifest_says_what_was_done(calm):
    manifest = calm.manifest
    assert manifest["task"] == "heldout-run"
    assert (manifest["k"], manifest["folds"], manifest["seeds"]) == ([0, 5], 2, [0])
    assert set(manifest["sha256"]) == {"data", "truth", "split"}
    assert all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in manifest["sha256"].values())
    for predictor in manifest["predictors"]:
        assert re.fullmatch(r"[0-9a-f]{64}", predictor["code_hash"])
        assert predictor["status"] == "evaluated"


def test_predictors_that_can_are_asked_for_their_own_loo(calm):
    loo = calm.loo
    assert set(loo["predictor"].astype(str)) == {"scenario-mean", "beta-binomial"}
    of_one = loo[(loo["predictor"] == "scenario-mean") & (loo["fold"] == 0)]
    split = calm.split
    held = set(split.loc[split["fold"] == 0, "target"].str.partition("#")[0])
    assert set(of_one["run"]) | held == set(calm.targets["run"])
    assert not set(of_one["run"]) & held
    assert np.isfinite(of_one["elpd_loo"]).all()
    assert set(loo["method"]) == {"exact"}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise ArithmeticError('no variance')", "ArithmeticError: no variance"),
        ("return {'run': ['a']}", "loo must give the columns"),
        ("return None", "loo must give the columns"),
        ("import os; os._exit(5)", "exited with status 5 in loo"),
        ("import time; time.sleep(100)", "loo took over 3 s"),
    ],
)
def test_a_loo_that_fails_is_told_and_costs_nothing_else(suite, tmp_path, body, said):
    (tmp_path / "lame.py").write_text(
        "from predictors.global_mean import GlobalMean\n"
        "class Lame(GlobalMean):\n"
        f"    def loo(self, train_split):\n        {body}\n"
    )
    spec = f"{tmp_path}/lame.py:Lame"
    results = evaluate(suite, [spec, "global-mean"], tmp_path / "out", k=0, timeout=3.0)
    (lame,) = [p for p in results.manifest["predictors"] if p["name"] == "Lame"]
    assert lame["status"] == "evaluated"
    assert said in lame["loo_error"]
    scores = results.scores.astype({"predictor": str}).groupby("predictor")["value"].sum()
    assert scores["Lame"] == scores["global-mean"]
    assert "Lame" not in set(results.loo["predictor"].astype(str))
    text = " ".join(ranking_lines(results.ranking(), results.manifest))
    assert "Lame: leave-one-run-out could not be made: " in text


CHECKED = """
import pandas as pd
from predictors.global_mean import GlobalMean

class Checked(GlobalMean):
    def __init__(self, body="late", **notebook):
        super().__init__(**notebook)
        self.body = body

    def fit(self, train_split):
        self.first = "m00" in set(train_split.runs["model"].str[-3:])
        self.seen = len(train_split.runs)

    def checks(self, train_split):
        assert self.seen == len(train_split.runs)
        if self.body == "raises":
            raise ArithmeticError("nothing to judge")
        if self.body == "dies":
            import os
            os._exit(4)
        if self.body == "many":
            return pd.DataFrame({"check": range(100), "value": 1.0, "limit": 1.0, "passed": True,
                                 "offenders": ""})
        value = [1.01, 80.0 + self.seen % 2 if self.body == "late" else 400.0]
        return pd.DataFrame({"check": ["r_hat", "ess"], "value": value, "limit": [1.05, 100.0],
                             "passed": [True, value[1] > 100], "offenders": ["", "m3 on s1"]})
"""


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    path = tmp_path_factory.mktemp("checked") / "checked.py"
    path.write_text(CHECKED)
    return f"{path}:Checked"


def described(results, name):
    (found,) = [p for p in results.manifest["predictors"] if p["name"].startswith(name)]
    return found


def test_a_predictors_checks_are_kept_and_told_and_cost_it_nothing(suite, checked, tmp_path):
    results = evaluate(suite, [checked], tmp_path / "out", k=[0, 5])
    table = results.checks
    assert list(table.columns) == [*KEY[:5], "check", "value", "limit", "passed", "offenders"]
    assert table["check"].tolist() == ["r_hat", "ess"] * 2  # of two folds
    assert set(statuses(results, "Checked")[0]) == {"ok"}
    (failed,) = described(results, "Checked")["failed_checks"]
    assert (failed["check"], failed["failed"], failed["of"]) == ("ess", 2, 2)
    text = " ".join(ranking_lines(results.ranking(), results.manifest))
    assert "Checked: its check ess failed in 2 of 2 folds, at worst 8" in text
    assert "(limit 100): m3 on s1." in text


@pytest.mark.parametrize("fail_on", ["any", ["ess"], ["r_hat", "ess"]])
def test_a_check_that_must_be_passed_fails_the_folds_targets(suite, checked, fail_on):
    results = evaluate(suite, [checked], k=[0, 5], fail_on=fail_on)
    assert statuses(results, "Checked") == {0: {"failed": 96}, 5: {"failed": 96}}
    message = results.status.loc[results.status["predictor"] == "Checked", "message"].iloc[0]
    assert re.fullmatch(r"its check ess failed: 8[01], limit 100; m3 on s1", message)
    assert statuses(results, "scenario-mean")[0] == {"ok": 96}  # it has no checks
    row = results.ranking(k=0).set_index("predictor").loc["Checked"]
    assert not row["ranked"]


def test_checks_that_pass_or_are_not_asked_for_fail_nothing(suite, checked):
    good = f"{checked}(body='good')"
    results = evaluate(suite, [checked, good], k=0, fail_on=["r_hat"])
    assert statuses(results, "Checked") == {0: {"ok": 96}}
    assert statuses(results, "Checked(body='good')") == {0: {"ok": 96}}
    assert (
        evaluate(suite, [good], k=0, fail_on="any").manifest["predictors"][1]["failed_checks"] == []
    )


@pytest.mark.parametrize(
    ("body", "said", "state"),
    [
        ("raises", "ArithmeticError: nothing to judge", "ok"),
        ("many", "at most 50 checks are kept, not 100", "ok"),
        ("dies", "exited with status 4 in checks", "failed"),
    ],
)
def test_checks_that_cannot_be_made_are_told(suite, checked, body, said, state):
    spec = f"{checked}(body={body!r})"
    results = evaluate(suite, [spec], k=0)
    assert said in described(results, "Checked")["checks_error"]
    assert len(results.checks) == 0
    name = f"Checked(body={body!r})"
    assert statuses(results, name) == {0: {state: 96}}
    strict = evaluate(suite, [spec], k=0, fail_on="any")
    assert statuses(strict, name) == {0: {"failed": 96}}


def test_a_check_that_nobody_makes_is_said(suite, checked):
    results = evaluate(suite, [checked], k=0, fail_on="rhat")
    assert any("no predictor has a check 'rhat'" in note for note in results.manifest["notes"])


def test_without_a_folder_results_live_as_long_as_the_object(suite):
    results = evaluate(suite, "scenario-mean", k=0, isolation="none")
    path = results.path
    assert path.is_dir()
    assert len(results.ranking()) == 1
    del results
    assert not path.exists()


def test_results_in_the_way_are_refused_or_replaced(suite, tmp_path):
    out = tmp_path / "out"
    options = {"k": 0, "isolation": "none"}
    evaluate(suite, "scenario-mean", out, **options)
    with pytest.raises(UsageError, match="holds results already"):
        evaluate(suite, GOOD, out, **options)
    assert len(Results.load(out).manifest["predictors"]) == 1
    evaluate(suite, GOOD, out, overwrite=True, **options)
    assert len(Results.load(out).manifest["predictors"]) == 3
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_what_is_no_results_is_never_replaced(suite, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter").write_text("years of work")
    (tmp_path / "file").write_text("x")
    for name in ("thesis", "file"):
        with pytest.raises(UsageError, match="holds no results"):
            evaluate(suite, GOOD, tmp_path / name, overwrite=True)
    assert (tmp_path / "thesis" / "chapter").read_text() == "years of work"
    (tmp_path / "empty").mkdir()
    evaluate(suite, "scenario-mean", tmp_path / "empty", k=0, isolation="none")
    assert Results.load(tmp_path / "empty").manifest["task"] == "heldout-run"


def test_a_run_that_fails_leaves_old_results_alone(suite, tmp_path):
    out = tmp_path / "deep" / "out"
    evaluate(suite, "scenario-mean", out, k=0, isolation="none")
    before = contents(Results.load(out))

    def stop(what, done, total):
        if what == "predicting":
            raise KeyboardInterrupt

    options = {"overwrite": True, "progress": stop, "k": 0}
    for isolation in ("none", "process"):
        with pytest.raises(KeyboardInterrupt):
            evaluate(suite, GOOD, out, isolation=isolation, **options)
    with pytest.raises(UsageError, match="fold column"):
        evaluate(suite, GOOD, out, folds="nothing", overwrite=True)
    # what was done is kept beside them, for the next time
    assert sorted(p.name for p in (tmp_path / "deep").iterdir()) == [".out.partial", "out"]
    assert contents(Results.load(out)) == before


def test_an_interrupt_does_not_wait_for_what_hangs(suite, tmp_path):
    def stop(what, done, total):
        if what == "predicting":
            raise KeyboardInterrupt

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        evaluate(suite, bad("Hangs"), tmp_path / "out", k=0, jobs=2, progress=stop)
    assert time.monotonic() - started < 20
    assert [path.name for path in tmp_path.iterdir()] == [".out.partial"]


def test_what_is_no_results_folder_is_refused(tmp_path, calm):
    with pytest.raises(UsageError, match="there is no folder"):
        Results.load(tmp_path / "nowhere")
    with pytest.raises(UsageError, match=r"holds no results \(manifest\.json"):
        Results.load(tmp_path)
    (tmp_path / "manifest.json").write_text("{broken")
    (tmp_path / "scores.parquet").write_bytes(b"broken")
    broken = Results.load(tmp_path)
    with pytest.raises(UsageError, match="damaged"):
        _ = broken.manifest
    with pytest.raises(UsageError, match="cannot read"):
        _ = broken.scores


# -- the demo --------------------------------------------------------------------------------------


def test_the_demo_is_evaluated_with_shown_responses_nested_in_k(demo):
    class Looks(RunPredictor):
        needs = None

        def predict(self, train_split, sequestered_test_split):
            test = sequestered_test_split
            assert test.stats is None
            assert test.per_instance_stats is None
            responses = test.responses
            for target, part in responses.groupby("target", observed=True):
                assert part["instance"].nunique() == test.k
                seen.setdefault(target, {})[test.k] = set(part["instance"])
            assert set(responses["target"].astype(str)) <= set(test.targets["target"])
            held = set(test.targets["name"])
            assert not held & set(train_split.run_specs["run_spec.name"])
            assert not held & set(train_split.stats["run_spec.name"])
            assert set(test.run_specs["run_spec.name"]) == held
            assert set(test.scenario_state["run_spec.name"]) == held
            assert not [c for c in test.scenario_state.columns if "result" in c]
            for table in (test.targets, test.runs):
                assert not {"value", "recomputed", "n_scored"} & set(table.columns)
            frames.add(type(test.scenario_state).__name__)
            frames.add(type(train_split.stats).__name__)
            return []

    seen: dict[str, dict[int, set]] = {}
    frames: set[str] = set()
    select = suites.Selection(scenarios=["standin_recall*", "standin_mc*metals"])
    suite = suites.read("demo/standin-v1", select=select)
    results = evaluate(suite, [Looks], k=[0, 2, 6], isolation="none")
    assert statuses(results, "Looks") == {k: {"missing": len(suite)} for k in (0, 2, 6)}
    assert len(seen) == len(suite)
    assert all(shown[2] < shown[6] for shown in seen.values())
    assert frames == {"DotDictDataFrame"}
