"""Splits written for other tools, and the scoring of what these predict."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import harness
from harness import prediction_files
from harness.cli import main
from harness.jail.probe import available_levels
from harness.predictor import RunPrediction, RunPredictor
from harness.results import Results
from leaderboard.cli import main as leaderboard
from suites.errors import UsageError

K = [0, 3]
BUILT_IN = ["scenario-mean", "beta-binomial", "additive-logit", "random", "jeffreys"]
METRICS = {"metrics": {"*": {"lower": 0, "upper": 1, "higher_is_better": True}}}
COLUMNS = ["seed", "fold", "k", "target", "output_type", "output_type_id", "value"]


class Draws(RunPredictor):
    """Draws that are the same for every target."""

    needs = ("runs",)

    def __init__(self, joint=False):
        self.joint = joint

    def predict(self, train_split, sequestered_test_split):
        draws = np.random.default_rng(3).beta(2, 2, 120)
        for name in sequestered_test_split.targets["target"]:
            yield RunPrediction(target=name, samples=draws, joint=self.joint)


class Levels(Draws):
    def predict(self, train_split, sequestered_test_split):
        levels = {level: 0.1 + level / 3 for level in (0.025, 0.1, 0.3, 0.5, 0.7, 0.9, 0.975)}
        for name in sequestered_test_split.targets["target"]:
            yield RunPrediction(target=name, quantiles=levels)


def items(seed=0) -> pd.DataFrame:
    """Make responses: on s0 and s1 no two are equal, on the other scenarios they are 0 or 1."""
    rng = np.random.default_rng(seed)
    rows = []
    for model in range(6):
        for scenario in range(4):
            for item in range(3 if scenario == 3 else 9):
                value = rng.random() if scenario < 2 else float(rng.random() < 0.15 * model)
                rows.append((f"maker{model % 3}/m{model}", f"s{scenario}", f"q{item}", value))
    return pd.DataFrame(rows, columns=["model", "scenario", "item", "score"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("score")


@pytest.fixture(scope="module")
def source(folder) -> Path:
    items().to_parquet(folder / "arena.parquet", index=False)
    return folder / "arena.parquet"


@pytest.fixture(scope="module")
def split(folder, source):
    return harness.write_split(source, folder / "split", k=K, folds=2, metrics=METRICS)


@pytest.fixture(scope="module")
def made(folder, source) -> Results:
    """What the harness makes of predictors by itself."""
    import suites

    predictors = [*BUILT_IN, Draws, Draws(joint=True), Levels]
    suite = suites.read(source, metrics=METRICS)
    out = folder / "made"
    return harness.evaluate(suite, predictors, k=K, folds=2, isolation="none", out=out)


@pytest.fixture(scope="module")
def predictions(made) -> pd.DataFrame:
    frame = made.predictions
    words = [name for name in frame.columns if frame[name].dtype == "category"]
    return frame.astype(dict.fromkeys(words, str))


def score(path, split, **options) -> Results:
    return harness.score_predictions(path, split, isolation="none", **options)


def of(results: Results, table: str, predictor: str) -> pd.DataFrame:
    frame = getattr(results, table)
    own = frame[frame["predictor"].astype(str) == predictor].reset_index(drop=True)
    own = own.drop(columns=["predictor", "settings_hash"])
    return own.astype({c: str for c in own.columns if own[c].dtype == "category"})


def assert_same(one: Results, other: Results, predictor: str, name: str) -> None:
    """Compare what became of a predictor, bit by bit."""
    for table in ("predictions", "scores", "status"):
        a, b = of(one, table, predictor), of(other, table, name)
        assert len(a), table
        pd.testing.assert_frame_equal(a, b, check_exact=True)
        if "value" in a.columns:
            assert a["value"].to_numpy().tobytes() == b["value"].to_numpy().tobytes()


def assert_same_files(one: Results, other: Results) -> None:
    for name in ("predictions", "scores", "status", "targets", "split", "problems"):
        paths = [results.path / f"{name}.parquet" for results in (one, other)]
        assert paths[0].read_bytes() == paths[1].read_bytes(), name


@pytest.fixture(scope="module")
def scored(folder, split, predictions) -> Results:
    """All predictors of `made`, from a file, but for the reference."""
    path = folder / "others.parquet"
    predictions[predictions["predictor"] != "scenario-mean"].to_parquet(path, index=False)
    return score(path, split, out=folder / "scored")


# -- the same numbers ------------------------------------------------------------------------------


def test_predictions_of_all_kinds_are_scored_as_by_evaluate(made, scored):
    names = [p["name"] for p in made.manifest["predictors"]]
    kinds = set(made.predictions["output_type"].astype(str))
    assert kinds == {"mean", "normal", "beta", "quantile", "sample", "joint_sample", "pmf"}
    assert {p["name"] for p in scored.manifest["predictors"]} == set(names)
    for name in names:
        assert_same(made, scored, name, name)
    assert made.manifest["sha256"] == scored.manifest["sha256"]
    for table in ("targets", "split"):
        one, other = getattr(made, table), getattr(scored, table)
        pd.testing.assert_frame_equal(one, other, check_exact=True)
    columns = ["k", "predictor", "crps", "crps_low", "crps_high", "skill"]
    one, other = (r.ranking()[columns].sort_values(["k", "predictor"]) for r in (made, scored))
    pd.testing.assert_frame_equal(
        one.reset_index(drop=True), other.reset_index(drop=True), check_exact=True
    )


def test_the_order_of_rows_and_of_files_changes_nothing(scored, split, predictions, tmp_path):
    others = predictions[predictions["predictor"] != "scenario-mean"]
    shuffled = others.sample(frac=1.0, random_state=1)
    parts = [shuffled.iloc[::2], shuffled.iloc[1::2]]
    for number, part in enumerate(parts):
        part.to_parquet(tmp_path / f"{number}.parquet", index=False)
    results = score([tmp_path / "1.parquet", tmp_path / "0.parquet"], split)
    assert_same_files(scored, results)


def test_csv_gives_the_same_bits(scored, split, predictions, tmp_path):
    others = predictions[predictions["predictor"] != "scenario-mean"]
    others.to_csv(tmp_path / "others.csv.gz", index=False)
    results = score(tmp_path / "others.csv.gz", split)
    assert_same_files(scored, results)


def test_workers_and_small_blocks_change_nothing(scored, split, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(prediction_files, "_BATCH", 1000)
    monkeypatch.setattr(prediction_files, "_BUFFER", 3000)
    path = folder / "others.parquet"
    results = harness.score_predictions(path, split, jobs=2, out=tmp_path / "results")
    assert results.manifest["isolation"] == available_levels()[0]
    assert_same_files(scored, results)


def test_columns_may_be_of_any_type(made, split, predictions, tmp_path):
    own = predictions[predictions["predictor"] == "Levels"][COLUMNS]
    types = {"seed": "float64", "fold": str, "k": "int8", "output_type_id": "float64"}
    own.astype(types).astype({"value": str}).to_parquet(tmp_path / "Levels.parquet")
    results = score(tmp_path / "Levels.parquet", split)
    pd.testing.assert_frame_equal(
        of(made, "scores", "Levels"), of(results, "scores", "Levels"), check_exact=True
    )


def test_settings_and_selection_of_the_split_are_those_of_the_scores(source, tmp_path):
    import suites

    options = {"task": "new-model(by='organisation')", "k": 2, "folds": "each", "seeds": [1, 4]}
    options |= {"leaks": "report"}
    select = suites.Selection(exclude_scenarios=["s1"], exclude_models=["*/m5"])
    suite = suites.read(source, select=select, metrics=METRICS)
    made = harness.evaluate(suite, "jeffreys", isolation="none", **options)
    split = harness.write_split(
        source, tmp_path / "split", select=select, metrics=METRICS, **options
    )
    of(made, "predictions", "jeffreys").to_csv(tmp_path / "jeffreys.csv", index=False)
    results = score(tmp_path / "jeffreys.csv", split.path)
    assert split.units == [(1, 0), (1, 1), (1, 2), (4, 0), (4, 1), (4, 2)]
    assert_same(made, results, "jeffreys", "jeffreys")
    same = ("task", "hold_out", "seeds", "folds", "k", "selection", "leaks", "sha256")
    assert {n: made.manifest[n] for n in same} == {n: results.manifest[n] for n in same}


# -- the split -------------------------------------------------------------------------------------


def contents(path: Path) -> tuple[set[float], str]:
    """Give all numbers of the tables at a folder, and all its text, names of files included."""
    numbers: set[float] = set()
    words: list[str] = []

    def walk(value) -> None:
        if isinstance(value, list | tuple):
            for each in value:
                walk(each)
        elif isinstance(value, dict):
            walk(list(value.items()))
        elif isinstance(value, bool) or value is None:
            return
        elif isinstance(value, int | float):
            numbers.add(float(value))
        else:
            words.append(str(value))

    for file in path.rglob("*"):
        words.append(str(file.relative_to(path)))
        if file.suffix == ".parquet":
            walk(pq.read_table(file).to_pylist())
            words.append(str(pq.read_schema(file)))
        elif file.is_file():
            words.append(file.read_text())
    return numbers, "\n".join(words)


def assert_hidden(values, path: Path) -> None:
    numbers, text = contents(path)
    assert numbers
    found = np.array(sorted(numbers))
    for value in values:
        assert np.abs(found - value).min() > 1e-12
        assert f"{value:.8f}" not in text


def test_a_fold_holds_no_value_of_its_targets_and_only_the_shown_responses(split, source):
    frame = items()
    frame = frame[frame["scenario"].isin(["s0", "s1"])]  # each value occurs once
    assert frame["score"].is_unique
    ever = set()
    for seed, fold in split.units:
        path = split.path / f"{seed}-{fold}"
        cells = pd.read_parquet(path / "targets.parquet")[["model", "scenario"]]
        held = frame.merge(cells, on=["model", "scenario"])
        known = frame.merge(cells, on=["model", "scenario"], how="left", indicator=True)
        known = known[known["_merge"] == "left_only"]
        assert len(held)
        assert len(known)
        ever |= set(zip(held["model"], held["scenario"], strict=True))
        assert_hidden(held.groupby(["model", "scenario"])["score"].mean(), path)
        shown = pd.read_parquet(path / "shown-3.parquet")
        shown = shown[shown["scenario"].isin(["s0", "s1"])]
        assert (shown.groupby("target", observed=True)["instance"].nunique() == 3).all()
        assert set(shown["value"]) < set(held["score"])
        assert_hidden(set(held["score"]) - set(shown["value"]), path)
        assert len(pd.read_parquet(path / "shown-0.parquet")) == 0
        train = pd.read_parquet(path / "train_responses.parquet")
        assert set(known["score"]) <= set(train["value"])
        assert not set(shown["value"]) & set(train["value"])
        assert set(pd.read_parquet(path / "train_runs.parquet")["model"]) <= set(items()["model"])
    assert len(ever) == 12  # every run of these scenarios was held out once


def test_what_is_never_train_is_nowhere_in_the_folder(tmp_path):
    """All files, and their names: the held-out values of the strongest models."""
    frame = items()
    frame = frame[frame["scenario"].isin(["s0", "s1"])].copy()
    frame["score"] = frame["score"] * 0.4 + 0.5 * (frame["model"].str[-1].astype(int) < 2)
    frame.to_csv(tmp_path / "t.csv", index=False)
    split = harness.write_split(
        tmp_path / "t.csv", tmp_path / "split", task="stronger-model", k=2, metrics=METRICS
    )
    held = frame[frame["model"].isin(["maker0/m0", "maker1/m1"])]
    shown = pd.read_parquet(split.path / "0-0" / "shown-2.parquet")
    assert set(pd.read_parquet(split.path / "0-0" / "targets.parquet")["model"]) == set(
        held["model"]
    )
    assert len(shown) == 8
    assert_hidden(held.groupby(["model", "scenario"])["score"].mean(), split.path)
    unseen = [x for x in held["score"] if np.abs(shown["value"] - x).min() > 1e-9]
    assert len(unseen) == len(held) - 8
    assert_hidden(unseen, split.path)


def test_the_tables_have_the_columns_that_workers_see(split, made):
    path = split.path / "0-1"
    targets = pd.read_parquet(path / "targets.parquet")
    assert list(targets.columns) == [
        *("target", "run", "name", "model", "organisation", "family", "scenario"),
        *("scenario_group", "condition", "metric", "part", "perturbation", "n", "binary"),
        *("lower", "upper", "higher_is_better", "date", "most_k", "instances"),
    ]
    by_fold = made.split[made.split["fold"] == 1]
    assert set(targets["target"]) == set(by_fold["target"])
    assert [len(ids) for ids in targets["instances"]] == targets["n"].tolist()
    assert (targets["most_k"] == targets["n"] - 1).all()
    assert list(pd.read_parquet(path / "models.parquet")["model"]) == sorted(set(items()["model"]))
    assert set(pd.read_parquet(path / "scenarios.parquet")["scenario"]) == {"s0", "s1", "s2", "s3"}
    manifest = split.manifest
    assert manifest["sha256"] == made.manifest["sha256"]
    assert manifest["task"]["name"] == "heldout-run"
    assert (manifest["k"], manifest["units"]) == (K, [[0, 0], [0, 1]])


def test_a_source_without_responses_is_split_too(tmp_path):
    frame = items()[items()["scenario"] < "s2"]  # no value is like another
    frame = frame.groupby(["model", "scenario"], as_index=False)["score"].mean()
    frame.to_csv(tmp_path / "scores.csv", index=False)
    split = harness.write_split(
        tmp_path / "scores.csv", tmp_path / "split", task="sparse-matrix", folds=2
    )
    assert len(pd.read_parquet(split.path / "0-0" / "train_responses.parquet")) == 0
    assert len(pd.read_parquet(split.path / "0-0" / "shown-0.parquet")) == 0
    held = pd.read_parquet(split.path / "0-0" / "targets.parquet")[["model", "scenario"]]
    assert_hidden(frame.merge(held)["score"], split.path / "0-0")
    rows = [(0, f, 0, t, "mean", None, 0.5) for f, t in targets_of(split)]
    pd.DataFrame(rows, columns=COLUMNS).to_csv(tmp_path / "half.csv", index=False)
    results = score(tmp_path / "half.csv", split)
    assert (of(results, "status", "half")["status"] == "ok").all()


def targets_of(split) -> list[tuple[int, str]]:
    return [
        (fold, target)
        for seed, fold in split.units
        for target in pd.read_parquet(split.path / f"{seed}-{fold}" / "targets.parquet")["target"]
    ]


def test_the_example_of_the_folder_is_a_tool_that_can_be_scored(split, monkeypatch, tmp_path):
    text = (split.path / "README.md").read_text()
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    assert len(code.strip().splitlines()) <= 15
    assert "harness" not in code
    monkeypatch.chdir(split.path)
    try:
        exec(compile(code, "README.md", "exec"), {})
        results = score("predictions.parquet", split)
    finally:
        (split.path / "predictions.parquet").unlink(missing_ok=True)
    status = of(results, "status", "predictions")
    assert (status["status"] == "ok").all()  # also at k = 3, where s3 is not asked for
    assert len(status) == 24 + 18
    assert results.ranking()["ranked"].all()


# -- what may be wrong with a file -----------------------------------------------------------------


@pytest.fixture(scope="module")
def spoilt(folder, split, made) -> Results:
    """One file of many predictors, each with one fault in what it says of one target."""
    facts = made.targets.set_index("target")
    binary = [t for t in facts.index if facts.loc[t, "scenario"] == "s2"]
    rows: list[tuple] = []

    def add(name, fold, k, target, kind, numbers) -> None:
        rows.extend((name, 0, fold, k, target, kind, i, x) for i, x in numbers)

    def normal(mean=0.5):
        return [("mean", mean), ("sd", 0.2)]

    whole = [(str(c), 0.1) for c in range(10)]
    levels = [(f"{x / 10}", x / 10) for x in range(1, 10)]
    faults = {
        "good": ("normal", normal()),
        "twice": ("normal", normal() * 2),
        "contradicts": ("normal", [*normal(), ("sd", 0.3)]),
        "nan": ("normal", normal(float("nan"))),
        "infinite": ("normal", normal(float("inf"))),
        "empty": ("normal", normal(None)),
        "half": ("pmf", [(i, x / 2) for i, x in whole]),
        "short": ("pmf", whole[:-1]),
        "long": ("pmf", [*whole, ("10", 0.0)]),
        "negative": ("pmf", [("-1", 0.1), *whole[:-1]]),
        "few": ("quantile", levels[:4]),
        "falling": ("quantile", [(i, -x) for i, x in levels]),
        "unlevelled": ("quantile", [("", 0.1), *levels]),
        "relevelled": ("quantile", [("0.10", 0.1), *levels]),
        "draws": ("sample", [(str(i), 0.5) for i in range(50)]),
        "median": ("median", [("", 0.5)]),
        "typeless": ("", [("", 0.5)]),
        "halfway": ("normal", [("mean", 0.5)]),
        "counted": ("pmf", whole),
        "forgets": ("normal", []),
    }
    for name, (kind, numbers) in faults.items():
        for fold, target in targets_of(split):
            for k in K:
                if target == binary[0]:
                    add(name, fold, k, target, kind, numbers)
                else:
                    add(name, fold, k, target, "normal", normal())
    for fold, target in targets_of(split):
        for k in K:
            add("beside", fold, k, target, "normal", normal())
            add("beside", fold, k, target, "mean", [("", 0.7)])
            add("both", fold, k, target, "normal", normal())
            add("both", fold, k, target, "quantile", levels)
            add("odd", fold, k, target, "normal", normal())
            add("odd", 1 - fold, k, target, "normal", normal())  # of the other fold
            add("odd", fold, 7, target, "normal", normal())
            add("bad mean", fold, k, target, "normal", normal())
            add("bad mean", fold, k, target, "mean", [("", None)])
    add("odd", 0, 0, "nobody", "normal", normal())
    add("odd", 0, 0, None, "normal", normal())
    frame = pd.DataFrame(rows, columns=["predictor", *COLUMNS])
    frame["output_type"] = frame["output_type"].replace("", None)
    frame.to_parquet(folder / "spoilt.parquet", index=False)
    return score(folder / "spoilt.parquet", split)


def counts(results: Results, name: str) -> dict[str, int]:
    return of(results, "status", name)["status"].value_counts().to_dict()


@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [
        ("twice", "duplicate", "several rows for its normal mean"),
        ("contradicts", "duplicate", "several rows for its normal sd"),
        ("nan", "invalid", "finite"),
        ("infinite", "invalid", "finite"),
        ("empty", "invalid", "finite"),
        ("half", "invalid", "pmf sums to 0.5"),
        ("short", "invalid", "a pmf over 0..8, but the run has n = 9"),
        ("long", "invalid", "counts other than 0..9"),
        ("negative", "invalid", "counts other than 0..9"),
        ("few", "invalid", "at least 5 are needed"),
        ("falling", "invalid", "quantile"),
        ("unlevelled", "invalid", "level"),
        ("relevelled", "duplicate", "several rows for its quantile 0.1"),
        ("draws", "invalid", "at least 100"),
        ("median", "invalid", "'median'"),
        ("typeless", "invalid", "output type ''"),
        ("halfway", "invalid", "normal"),
        ("forgets", "missing", "no prediction"),
    ],
)
def test_a_fault_costs_its_own_target(spoilt, name, status, reason):
    assert counts(spoilt, name) == {"ok": 40, status: 2}
    own = of(spoilt, "status", name)
    faulty = own[own["status"] == status]
    assert faulty["imputed"].all()
    assert all(reason in text for text in faulty["message"])
    good = of(spoilt, "scores", "good").set_index(["k", "target", "rule"])["value"]
    bad = of(spoilt, "scores", name).set_index(["k", "target", "rule"])["value"]
    same = ~good.index.get_level_values("target").isin(faulty["target"])
    pd.testing.assert_series_equal(good[same], bad[good[same].index], check_exact=True)


def test_a_mean_beside_a_distribution_is_ignored(spoilt):
    pd.testing.assert_frame_equal(
        of(spoilt, "scores", "good"), of(spoilt, "scores", "beside"), check_exact=True
    )
    assert counts(spoilt, "bad mean") == {"invalid": 42}
    assert counts(spoilt, "both") == {"invalid": 42}
    assert counts(spoilt, "counted") == {"ok": 42}


def test_what_was_not_asked_for_is_listed_and_costs_nothing(spoilt):
    status = of(spoilt, "status", "odd")
    unknown = status[status["status"] == "unknown"]
    assert "unknown: nobody" in set(unknown["target"])
    assert "unknown: " in set(unknown["target"])
    # each target is unknown in the other fold, at both k
    assert len(unknown) == 24 * 2 + 2
    pd.testing.assert_frame_equal(
        of(spoilt, "scores", "good"), of(spoilt, "scores", "odd"), check_exact=True
    )
    (note,) = [n for n in spoilt.manifest["notes"] if "left out" in n]
    assert "96 of" in note
    assert "seed 0, fold 0, k 7; the split has seeds 0; folds 0, 1; k 0, 3" in note


def test_text_that_is_no_number_is_invalid_where_it_stands(split, predictions, tmp_path):
    own = predictions[predictions["predictor"] == "random"][COLUMNS].astype({"value": str})
    own.iloc[[0, 1], own.columns.get_loc("value")] = ["about half", "NA"]
    own.to_csv(tmp_path / "random.csv", index=False)
    results = score(tmp_path / "random.csv", split)
    assert counts(results, "random") == {"ok": 40, "invalid": 2}


def test_too_many_numbers_fail_the_fold_and_k_they_are_of(
    split, predictions, tmp_path, monkeypatch
):
    own = predictions[predictions["predictor"] == "random"]
    many = own[(own["fold"] == 0) & (own["k"] == 0)]
    pd.concat([own, many]).to_parquet(tmp_path / "random.parquet", index=False)
    monkeypatch.setattr(prediction_files, "MAX_ROWS", len(many))
    results = score(tmp_path / "random.parquet", split)
    assert counts(results, "random") == {"ok": 42 - len(many), "failed": len(many)}
    status = of(results, "status", "random")
    failed = status[status["status"] == "failed"]
    assert set(zip(failed["fold"], failed["k"], strict=True)) == {(0, 0)}
    assert "more than" in failed["message"].iloc[0]


def good(split, n=1) -> pd.DataFrame:
    fold, target = targets_of(split)[0]
    rows = [(0, fold, 0, target, "mean", "", 0.5)] * n
    return pd.DataFrame(rows, columns=COLUMNS)


WHOLE_FILES = {
    "lacks": (lambda f, p: f.drop(columns=["k"]).to_parquet(p), "lacks the columns k: predictions"),
    "nothing": (lambda f, p: f.iloc[:0].to_parquet(p), "it has no rows"),
    "none": (lambda f, p: p.write_bytes(b""), "cannot read the predictions"),
    "broken": (lambda f, p: p.write_bytes(b"PAR1 and no more"), "cannot read the predictions"),
    "cut": (lambda f, p: cut(f, p), "cannot read the predictions"),
    "ragged": (lambda f, p: p.write_text(f.to_csv(index=False) + "1,2\n"), "cannot read the"),
    "latin": (lambda f, p: p.write_bytes(f.to_csv(index=False).encode() + b"0,0,0,\xe9,,,1\n"),
              "cannot read the"),
    "lists": (lambda f, p: f.assign(target=[["a"]]).to_parquet(p), "target of predictions must be"),
    "double": (lambda f, p: pq.write_table(twice(f), p), "has the column value twice"),
    "later": (lambda f, p: f.assign(seed=4).to_parquet(p), "all 1 rows are of seeds, folds and k"),
    "seedless": (lambda f, p: f.assign(seed=None).to_parquet(p), "seed -1, fold 0, k 0"),
    "absent": (lambda f, p: None, "it is not there"),
    "folder": (lambda f, p: p.mkdir(), "is a folder"),
}  # fmt: skip


def cut(frame, path) -> None:
    frame.to_parquet(path)
    path.write_bytes(path.read_bytes()[:-20])


def twice(frame) -> pa.Table:
    table = pa.Table.from_pandas(frame)
    return table.append_column("value", table.column("value"))


@pytest.mark.parametrize("name", WHOLE_FILES)
def test_a_file_that_cannot_be_read_is_refused_in_words(split, tmp_path, name):
    spoil, said = WHOLE_FILES[name]
    spoil(good(split), tmp_path / "file")
    with pytest.raises(UsageError) as caught:
        score(tmp_path / "file", split)
    assert said in str(caught.value)


def test_a_name_is_for_one_predictor(split, folder, tmp_path):
    with pytest.raises(UsageError, match="hold 7: Draws"):
        score(folder / "others.parquet", split, name="mine")
    good(split).to_parquet(tmp_path / "a.b.parquet")
    names = [p["name"] for p in score(tmp_path / "a.b.parquet", split).manifest["predictors"]]
    assert names == ["scenario-mean", "a"]
    named = score(tmp_path / "a.b.parquet", split, name="a thing", against="global-mean")
    names = [p["name"] for p in named.manifest["predictors"]]
    assert names == ["scenario-mean", "global-mean", "a thing"]
    assert named.manifest["predictors"][2]["code_hash"]


def test_too_many_predictors_are_a_slip(split, tmp_path, monkeypatch):
    monkeypatch.setattr(prediction_files, "MAX_PREDICTORS", 3)
    frame = good(split, 5).assign(predictor=[f"p{i}" for i in range(5)])
    frame.to_parquet(tmp_path / "f.parquet")
    with pytest.raises(UsageError, match="more than 3 predictors"):
        score(tmp_path / "f.parquet", split)


# -- the sources again -----------------------------------------------------------------------------


@pytest.fixture
def own(tmp_path, split):
    """A source that may be changed, its split, and predictions."""
    items().to_csv(tmp_path / "t.csv", index=False)
    made = harness.write_split(tmp_path / "t.csv", tmp_path / "split", k=K, folds=2)
    good(made).to_parquet(tmp_path / "mine.parquet")
    return tmp_path


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda f: f.assign(score=f["score"].where(f.index > 0, 0.5)),
            r"differs: .*\(data\), .*\(truth\)\. Name",
        ),
        (lambda f: f[f["model"] != "maker0/m0"], "have 20 runs, it was made of 24; 4 of its targ"),
        (lambda f: pd.concat([f, f.head(9).assign(model="new")]), "25 runs, it was made of 24"),
        (lambda f: f.assign(item=f["item"] + "!"), r"differs: the responses \(data\)\. Name"),
    ],
)
def test_other_sources_are_refused(own, change, said):
    change(items()).to_csv(own / "t.csv", index=False)
    with pytest.raises(UsageError, match=said):
        score(own / "mine.parquet", own / "split")


def test_moved_sources_are_named(own):
    (own / "t.csv").rename(own / "moved.csv")
    with pytest.raises(UsageError, match=r"elsewhere now, name them: --source"):
        score(own / "mine.parquet", own / "split")
    results = score(own / "mine.parquet", own / "split", sources=own / "moved.csv")
    assert results.manifest["predictors"][1]["name"] == "mine"


def test_what_holds_no_split_is_refused(own, made, split, tmp_path):
    for path, said in ((tmp_path, "harness split SOURCE"), (made.path, "holds no split")):
        with pytest.raises(UsageError, match=said):
            score(own / "mine.parquet", path)
    manifest = json.loads((own / "split" / "manifest.json").read_text())
    for text, said in (
        ("{", "is damaged"),
        (json.dumps({**manifest, "format": 9}), "has format 9, this version reads 2"),
    ):
        (own / "split" / "manifest.json").write_text(text)
        with pytest.raises(UsageError, match=said):
            score(own / "mine.parquet", own / "split")


def test_a_split_never_replaces_results_nor_the_other_way_round(own, made):
    with pytest.raises(UsageError, match="holds no split"):
        harness.write_split(own / "t.csv", made.path, overwrite=True)
    with pytest.raises(UsageError, match="holds no results"):
        harness.evaluate(own / "t.csv", "random", out=own / "split", overwrite=True)
    with pytest.raises(UsageError, match="pass --overwrite"):
        harness.write_split(own / "t.csv", own / "split")
    again = harness.write_split(own / "t.csv", own / "split", k=1, overwrite=True)
    assert again.k == [1]
    assert not (own / "split" / "0-0" / "shown-3.parquet").exists()
    assert sorted(p.name for p in own.iterdir()) == ["mine.parquet", "split", "t.csv"]


# -- the commands ----------------------------------------------------------------------------------


def test_the_commands_split_and_score(source, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(source.parent)
    options = ["--k", "0,3,50", "--folds", "2", "--task", "new-model(by='organisation')"]
    options += ["--exclude-scenario", "s1"]
    out = str(tmp_path / "split")
    assert main(["split", "arena.parquet", *options, "--out", out, "--json"]) == 0
    captured = capsys.readouterr()
    content = json.loads(captured.out)
    assert (content["targets"], content["k"], content["units"]) == (18, [0, 3], [[0, 0], [0, 1]])
    assert "note: k = 50 is left out" in captured.err
    monkeypatch.chdir(tmp_path)  # another folder than the one that the source was named in
    split = harness.split_folder.Split.load(out)
    rows = [(0, f, k, t, "mean", "", 0.5) for f, t in targets_of(split) for k in (0, 3)]
    pd.DataFrame(rows, columns=COLUMNS).to_csv("half.csv", index=False)
    results = str(tmp_path / "results")
    status = main(
        [
            "score",
            "half.csv",
            "--split",
            out,
            "--name",
            "one half",
            "--isolation",
            "none",
            "--out",
            results,
        ]
    )
    printed = capsys.readouterr().out
    assert status == 0
    assert "one half" in printed
    assert f"results: {results}" in printed
    assert main(["score", "half.csv", "--split", out, "--out", results]) == 2
    assert "holds results already" in capsys.readouterr().err
    assert main(["score", "no.csv", "--split", out, "--out", "x", "--json"]) == 2
    assert "it is not there" in capsys.readouterr().err
    assert leaderboard(["show", results]) == 0
    assert leaderboard(["build", results, "--out", str(tmp_path / "site")]) == 0
    assert "one half" in (tmp_path / "site" / "index.html").read_text()


def test_a_split_of_what_has_no_path_is_refused(source, split, tmp_path):
    import suites

    suite = suites.read(source)
    with pytest.raises(UsageError, match="cannot read a Suite"):
        harness.write_split(suite, tmp_path / "split")
    changed = suite.through(lambda reader, run: (reader, run))
    with pytest.raises(UsageError, match="by their paths"):
        harness.write_split(source, tmp_path / "split", suite=changed)
