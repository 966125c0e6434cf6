"""Inspect's reducers and metrics: the same numbers as inspect_ai 0.3.285."""

import json
import math
import os
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suites.inspect.reducers import aggregate, reduce, reducer_known
from suites.inspect.values import leaves, number_of

NAN = math.nan
ROOT = Path(__file__).resolve().parents[4]

# run on inspect_ai 0.3.285
VECTORS = {
    "mean": (2 / 3, 1, NAN, 0.5, 0.55),
    "median": (1, 1, NAN, 0.5, 0.55),
    "mode": (1, 1, NAN, 1, 0.2),
    "max": (1, 1, NAN, 1, 0.9),
    "at_least_2": (1, 0, NAN, 0, 0),
    "pass_at_2": (1, NAN, NAN, 2 / 3, 0),
    "pass_k_2": (1 / 3, NAN, NAN, 0, 0),
    "majority": (1, NAN, NAN, NAN, NAN),
}
EPOCHS = (["C", "I", "C"], ["C", NAN, NAN], [NAN] * 3, ["C", "I", "P"], [0.2, 0.9, NAN])


@pytest.mark.parametrize("reducer", VECTORS)
def test_reducers_on_the_vectors(reducer):
    found = [reduce(values, reducer) for values in EPOCHS]
    assert found == pytest.approx(list(VECTORS[reducer]), nan_ok=True)


def test_texts_without_a_number_are_missing_and_own_numbers_mend_that():
    assert all(math.isnan(reduce(["x", "y", "y"], reducer)) for reducer in VECTORS)
    own = {"x": 0, "y": 1}
    found = {reducer: reduce(["x", "y", "y"], reducer, own) for reducer in VECTORS}
    assert found["mean"] == pytest.approx(2 / 3)
    assert found["mode"] == found["majority"] == found["max"] == found["at_least_2"] == 1
    # the commonest text is found among raw values, then it has a number or none
    assert reduce(["C", "y", "y"], "mode", {"y": 0.25}) == 0.25
    assert reduce(["C", "x"], "mean") == 1


@pytest.mark.parametrize(
    ("values", "reducer", "number"),
    [
        (["C", True, 1.0], "mode", 1.0),
        (["N", "P"], "mode", 0.0),  # the first of two
        (["P", "N", "N"], "mode", 0.0),
        (["0.5", "0.7"], "max", 0.7),
        ([True, False], "pass_at_2", 1.0),
        ([math.inf, 1.0], "at_least_2", 1.0),
        ([math.inf, 1.0], "mean", math.inf),
        (["C"], "at_least_2", 0.0),
        (["C", None, "C"], "majority", 1.0),
        (["C", None], "majority", NAN),
        (["C", None], "mean", 1.0),
        ([["C"], {"a": 1}], "mode", NAN),
        ([], "mean", NAN),
        ([], "majority", NAN),
        ([], "pass_at_0", NAN),
        ([0.99, 1.0, 7], "at_least_2", 1.0),
    ],
)
def test_odd_values(values, reducer, number):
    assert reduce(values, reducer) == pytest.approx(number, nan_ok=True)


def test_which_reducers_are_known():
    assert all(reducer_known(name) for name in [*VECTORS, "inspect_ai/mean", "pass_at_10", None])
    unknown = [
        "collect",
        "my_mean",
        "",
        "at_least",
        "pass_at_",
        "pass_at_-1",
        "mean_2",
        "pass_at_²",
    ]
    assert not any(reducer_known(name) for name in unknown)
    with pytest.raises(ValueError, match="collect"):
        reduce(["C"], "collect")


@given(
    st.lists(st.sampled_from(["C", "I", "P", NAN, None, 0.3, 2, "x"]), max_size=7),
    st.sampled_from([*VECTORS, "pass_at_5", "pass_k_1", None]),
)
def test_reductions_stay_in_range_and_order_matters_only_to_ties(values, reducer):
    number = reduce(values, reducer)
    numbers = [n for n in map(number_of, values) if not math.isnan(n)]
    assert math.isnan(number) or min([0, *numbers]) <= number <= max([1, *numbers])
    if reducer not in ("mode", "majority"):
        assert reduce(values[::-1], reducer) == pytest.approx(number, nan_ok=True)


@pytest.mark.parametrize(
    ("metric", "values", "number"),
    [
        ("accuracy", [1.0, 0.0], 0.5),
        ("inspect_ai/mean", [1.0, NAN, 0.5], 0.75),
        ("stderr", [1.0, 0.0], 0.5),
        ("stderr", [1.0], 0.0),
        ("std", [1.0, 0.0], 0.5**0.5),
        ("std", [1.0], 0.0),
        ("var", [1.0, 0.0], 0.5),
        ("mean", [math.inf, 1.0], math.inf),
        ("stderr", [math.inf, 1.0], NAN),
        ("accuracy", [], NAN),  # 0 in Inspect
        ("stderr", [NAN, NAN], NAN),
        ("bootstrap_stderr", [1.0, 0.0], None),
        ("my/mean", [1.0], None),
        ("win_rate", [1.0], None),
    ],
)
def test_metrics(metric, values, number):
    assert aggregate(metric, values) == pytest.approx(number, nan_ok=True)
    assert aggregate(metric, np.array(values), {}) == pytest.approx(number, nan_ok=True)


def test_a_metric_with_settings_is_another_metric():
    assert aggregate("stderr", [1.0, 0.0], {"cluster": None}) == 0.5
    assert aggregate("stderr", [1.0, 0.0], {"cluster": "topic"}) is None
    assert aggregate("accuracy", [1.0, 0.0], {"to_float": "own"}) is None


# ---------- what inspect_ai read in the real logs


def _oracle():
    home = Path(os.environ.get("BENCHCAST_SHARED") or ROOT.parent / "shared")
    path = home / "data" / "inspect-logs" / "oracle.jsonl.zst"
    if not path.is_file():
        pytest.skip(f"real Inspect logs are not here: no {path} (set BENCHCAST_SHARED)")
    import zstandard

    with path.open("rb") as file:
        text = zstandard.ZstdDecompressor().stream_reader(file).read()
    return [json.loads(line) for line in text.splitlines()]


_CONSTANTS = {"nan": NAN, "inf": math.inf, "-inf": -math.inf}


def _number(value):
    return _CONSTANTS.get(value, value) if isinstance(value, str) else value


def _raw(value):
    """Undo how the oracle writes numbers that are not finite."""
    if isinstance(value, dict):
        return {k: _raw(v) for k, v in value.items()}
    return [_raw(v) for v in value] if isinstance(value, list) else _number(value)


# Where the rows and the numbers differ: rows were cut out of the log by hand; a sample was appended
# again.
_DIFFERENT = {
    "every_eval_ever-tests/inspect/data_cyse2_vuln_exploit_challenges.json",
    "every_eval_ever-tests/inspect/data_intercode_ctf_local_path.json",
    "made-edge-cases/hostile/duplicate_member.eval",
}


def _by_sample(log):
    """Give metric → sample → raw values in the order of epochs."""
    metrics = defaultdict(lambda: defaultdict(list))
    for row in sorted(log["rows"], key=lambda row: row["epoch"]):
        for scorer, score in (row["scores"] or {}).items():
            for metric, leaf in leaves(scorer, _raw(score)):
                metrics[metric][str(row["id"])].append(leaf)
    return metrics


def _without_number(samples):
    texts = [v for values in samples.values() for v in values if isinstance(v, str)]
    nulls = any(v is None for values in samples.values() for v in values)
    return nulls or any(math.isnan(number_of(text)) for text in texts)


def test_numbers_of_all_real_rows():
    compared = 0
    for log in _oracle():
        for row in log.get("rows") or ():
            for scorer, number in (row.get("floats") or {}).items():
                value = _raw(row["scores"][scorer])
                if isinstance(value, str) and math.isnan(number_of(value)):
                    assert number == 0  # the deviation: texts without a number are missing
                else:
                    assert number_of(value) == pytest.approx(_number(number), nan_ok=True)
                    compared += 1
    assert compared > 900


def test_reductions_of_all_real_logs():
    compared = set()
    for log in _oracle():
        if log["file"] in _DIFFERENT or not log.get("rows"):
            continue
        metrics = _by_sample(log)
        for entry in log.get("reductions") or ():
            if not reducer_known(entry["reducer"]):
                continue
            for sample, value in entry["values"].items():
                for metric, number in leaves(entry["scorer"], value):
                    if _without_number(metrics[metric]):
                        continue
                    found = reduce(metrics[metric][sample], entry["reducer"])
                    number = number_of(_number(number))
                    assert found == pytest.approx(number, nan_ok=True), (log["file"], entry, sample)
                    compared.add((log["file"], entry["reducer"], metric, sample))
    assert len(compared) > 600
    assert {reducer for _, reducer, _, _ in compared} >= {None, "mode", "median", "pass_at_2"}


def test_metrics_of_all_real_logs():
    compared = set()
    for log in _oracle():
        if log["file"] in _DIFFERENT or not log.get("rows") or not log.get("results"):
            continue
        metrics = _by_sample(log)
        for result in log["results"]:
            scorer, name = result["scorer"], result["name"]
            candidates = (scorer, f"{scorer}/{name}", f"{scorer}[{name}]", name)
            metric = next((m for m in candidates if m in metrics), None)
            if metric is None or _without_number(metrics[metric]):
                continue
            if not reducer_known(result["reducer"]) or result["scored"] == 0:
                continue  # of nothing Inspect's metrics are 0
            values = [reduce(v, result["reducer"]) for v in metrics[metric].values()]
            for key, number in result["metrics"].items():
                found = aggregate(key, values)
                if found is not None:
                    number = _number(number)
                    assert found == pytest.approx(number, nan_ok=True), (log["file"], result, key)
                    compared.add((log["file"], metric, result["reducer"], key))
    assert len(compared) > 200
    assert {key for *_, key in compared} >= {"accuracy", "mean", "stderr", "std"}
