"""What predictors return becomes a table, and what is wrong with it a status."""

import json
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.distribution import from_parts
from harness.instance_predictor import InstancePrediction
from harness.prediction import RunPrediction
from harness.prediction_table import (
    COLUMNS,
    LEAST_PROBABILITY,
    MOST_UNKNOWN,
    decode,
    encode,
    from_bytes,
    to_bytes,
)


class Fact(NamedTuple):
    """What decoding needs of a target."""

    n: int | None = 10
    binary: bool = True
    lower: float | None = 0.0
    upper: float | None = 1.0


def targets(*rows: dict[str, Any]) -> pd.DataFrame:
    base = {"metric": "exact_match", "part": "test", "perturbation": None}
    return pd.DataFrame([{**base, "run": r["target"], "name": r["target"], **r} for r in rows])


def noise(**fields) -> str:
    return json.dumps(fields, sort_keys=True, separators=(",", ":"))


ONE = targets({"target": "t"})


def outcome(prediction: Any, fact: Fact | None = None) -> tuple[str, Any]:
    """Encode, send, decode one prediction: its status and message, or ok and the distribution."""
    fact = fact or Fact()
    answer = encode([prediction], ONE)
    if "t" in answer.status:
        return answer.status["t"]
    table = from_bytes(to_bytes(answer.table), COLUMNS)
    ((name, distribution, why),) = decode(table, {"t": fact})
    assert name == "t"
    return ("invalid", why) if distribution is None else ("ok", distribution)


DRAWS = np.random.default_rng(0).beta(3, 2, 150)
LEVELS = {0.05: 0.1, 0.25: 0.3, 0.5: 0.45, 0.75: 0.6, 0.95: 0.8}
PMF = np.random.default_rng(1).dirichlet(np.ones(11))

COUNTS = Fact()
SCORES = Fact(n=None, binary=False, lower=1.0, upper=5.0)

KINDS: dict[str, dict[str, Any]] = {
    "mean": {"mean": 0.6},
    "mean and stddev": {"mean": 0.6, "stddev": 0.1},
    "normal": {"normal": (0.6, 0.1)},
    "beta": {"beta": (3, 2)},
    "samples": {"samples": DRAWS},
    "samples in a list": {"samples": DRAWS.tolist()},
    "quantiles": {"quantiles": LEVELS},
    "pmf": {"pmf": PMF},
    "pmf in a list": {"pmf": PMF.tolist()},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fact", [COUNTS, SCORES])
def test_every_kind_of_distribution_arrives_as_it_was_given(kind, fact):
    given = KINDS[kind]
    if "pmf" in given and not fact.binary:
        state, why = outcome(RunPrediction(target="t", **given), fact)
        assert (state, why) == (
            "invalid",
            "a pmf over counts, but the number of instances is unknown",
        )
        return
    _, distribution = outcome(RunPrediction(target="t", **given), fact)
    wanted = from_parts(**given, **fact._asdict())
    x = np.linspace(-0.5, 5.5, 301)
    np.testing.assert_allclose(distribution.cdf(x), wanted.cdf(x), rtol=0, atol=1e-12)
    assert type(distribution) is type(wanted)


def test_joint_draws_are_told_from_others():
    for joint, kind in ((True, "joint_sample"), (False, "sample")):
        answer = encode([RunPrediction(target="t", samples=DRAWS, joint=joint)], ONE)
        assert answer.table.column("output_type").to_pylist() == [kind] * len(DRAWS)
        assert answer.table.column("value").to_pylist() == DRAWS.tolist()


def test_the_table_is_in_the_long_format_with_text_as_ids():
    predictions = [
        RunPrediction(target="a", quantiles={**LEVELS, 0.999: 0.9}),
        RunPrediction(target="b", mean=0.5),
        RunPrediction(target="c", pmf=[0.5, 0, 0.5]),
    ]
    table = encode(predictions, targets(*({"target": t} for t in "abc"))).table
    assert tuple(table.column_names) == COLUMNS
    rows = list(zip(*(table.column(c).to_pylist() for c in COLUMNS), strict=True))
    assert rows[5:] == [
        ("a", "quantile", "0.999", 0.9),
        ("b", "mean", "", 0.5),
        ("c", "pmf", "0", 0.5),
        ("c", "pmf", "2", 0.5),
    ]


def test_counts_without_probability_are_not_stored_but_the_length_is():
    pmf = np.zeros(1001)
    pmf[300] = 1.0
    answer = encode([RunPrediction(target="t", pmf=pmf)], ONE)
    assert answer.table.column("output_type_id").to_pylist() == ["300", "1000"]
    ((_, distribution, _),) = decode(answer.table, {"t": Fact(n=1000)})
    assert distribution.pmf.tolist() == pmf.tolist()


@given(st.integers(1, 300), st.integers(0, 2**32), st.floats(0.01, 50))
@settings(max_examples=50)
def test_any_pmf_arrives_to_within_what_is_not_stored(n, seed, concentration):
    pmf = np.random.default_rng(seed).dirichlet(np.full(n + 1, concentration))
    _, distribution = outcome(RunPrediction(target="t", pmf=pmf), Fact(n=n))
    np.testing.assert_allclose(distribution.pmf, pmf, rtol=0, atol=(n + 1) * LEAST_PROBABILITY)


reals = st.floats(-10, 10)
anything = st.one_of(
    st.builds(lambda m: {"mean": m}, reals),
    st.builds(lambda m, s: {"normal": (m, s)}, reals, st.floats(0.001, 10)),
    st.builds(lambda a, b: {"beta": (a, b)}, st.floats(0.05, 50), st.floats(0.05, 50)),
    st.builds(lambda x: {"samples": x}, st.lists(reals, min_size=100, max_size=120)),
    st.builds(
        lambda levels, values: {
            "quantiles": dict(zip(sorted(levels), sorted(values), strict=False))
        },
        st.lists(st.floats(0.001, 0.999), min_size=5, max_size=9, unique=True),
        st.lists(reals, min_size=9, max_size=9),
    ),
)


@given(st.lists(anything, min_size=1, max_size=5))
@settings(max_examples=60)
def test_any_predictions_go_into_the_table_and_come_back(parts):
    names = [f"t{i}" for i in range(len(parts))]
    asked = targets(*({"target": name} for name in names))
    predictions = [RunPrediction(target=n, **p) for n, p in zip(names, parts, strict=True)]
    answer = encode(reversed(predictions), asked)
    assert answer.status == {}
    fact = Fact(n=None, binary=False, lower=-1.0, upper=1.0)
    table = from_bytes(to_bytes(answer.table), COLUMNS)
    back = list(decode(table, dict.fromkeys(names, fact)))
    assert [name for name, _, _ in back] == names  # in the order of the targets
    x = np.linspace(-1, 1, 41)
    for (_, distribution, why), given_parts in zip(back, parts, strict=True):
        wanted = from_parts(**given_parts, lower=-1.0, upper=1.0)
        assert distribution is not None, why
        np.testing.assert_array_equal(distribution.cdf(x), wanted.cdf(x))


# -- what was meant ------------------------------------------------------------------------------


def test_a_target_without_a_prediction_is_missing():
    answer = encode([RunPrediction(target="a", mean=1)], targets({"target": "a"}, {"target": "b"}))
    assert answer.status == {"b": ("missing", "no prediction was returned for it")}
    assert answer.table.column("target").to_pylist() == ["a"]


def test_a_target_predicted_twice_is_a_duplicate_and_keeps_neither():
    predictions = [RunPrediction(target="t", mean=m) for m in (0.1, 0.2, 0.3)]
    answer = encode(predictions, ONE)
    assert answer.status == {"t": ("duplicate", "3 predictions were returned for it")}
    assert answer.table.num_rows == 0


def test_a_prediction_of_what_was_not_asked_is_unknown_and_costs_nothing_else():
    answer = encode([RunPrediction(target="t", mean=1), RunPrediction(target="x", mean=1)], ONE)
    assert answer.status == {"unknown: 'x'": ("unknown", "no target is 'x'")}
    assert answer.table.column("target").to_pylist() == ["t"]


def test_predictions_of_a_great_many_unknown_things_are_counted_not_listed():
    many = [RunPrediction(target=f"x{i}", mean=1) for i in range(5000)]
    answer = encode([*many, RunPrediction(target="t", mean=1)], ONE)
    assert len(answer.status) == MOST_UNKNOWN + 1
    assert answer.status["unknown: more"][1].startswith("4000 more")
    assert answer.table.num_rows == 1


WORST = {"name": "robustness", "fairness": False, "robustness": True, "computed_on": "worst"}
TYPOS = {"name": "misspellings", "robustness": True, "computed_on": "perturbed", "prob": 0.2}
PERTURBED = targets(
    {"target": "plain"},
    {"target": "valid", "part": "valid"},
    {"target": "f1", "metric": "f1_score"},
    {"target": "robust", "perturbation": noise(**WORST)},
    {"target": "typo", "perturbation": noise(**TYPOS, fairness=False, seed=3)},
)
PERTURBED["run"], PERTURBED["name"] = "v1/qa:model=a", "qa:model=a"


@pytest.mark.parametrize(
    ("target", "given"),
    [
        ("plain", ("qa:model=a", "test", "exact_match")),
        ("plain", ("v1/qa:model=a", "test", "exact_match")),
        ("valid", ("qa:model=a", "valid", "exact_match")),
        ("f1", ("qa:model=a", "test", "f1_score")),
        (
            "robust",
            (
                "qa:model=a",
                "test",
                "exact_match",
                "worst",
                {"name": "robustness", "robustness": True, "fairness": False},
            ),
        ),
        ("typo", ("qa:model=a", "test", "exact_match", None, {**TYPOS, "fairness": False})),
    ],
)
def test_predictions_in_the_manner_of_magnet_find_their_target(target, given):
    run, part, metric, *rest = given
    perturbation = dict(zip(("computed_on", "perturbation_parameters"), rest, strict=False))
    answer = encode([RunPrediction(run, part, metric, 0.5, **perturbation)], PERTURBED)
    assert answer.table.column("target").to_pylist() == [target]
    assert target not in answer.status
    assert not [s for s, _ in answer.status.values() if s == "unknown"]


@pytest.mark.parametrize(
    "given",
    [
        ("qa:model=b", "test", "exact_match"),
        ("qa:model=a", "train", "exact_match"),
        ("qa:model=a", None, "exact_match"),
        ("qa:model=a", "test", "quasi_exact_match"),
        ("qa:model=a", "test", "exact_match", 0.5, "worst"),
        ("qa:model=a", "test", "exact_match", 0.5, None, {"name": "misspellings"}),
        (None, None, None),
        (float("nan"), "test", "exact_match"),
        (["qa"], "test", "exact_match"),
    ],
)
def test_a_name_that_is_no_targets_is_unknown(given):
    answer = encode([RunPrediction(*given)], PERTURBED)
    states = [state for state, _ in answer.status.values()]
    assert states.count("unknown") == 1
    assert states.count("missing") == len(PERTURBED)


def test_a_name_of_two_targets_is_refused_with_how_to_tell_them_apart():
    two = targets({"target": "v1/r", "name": "r"}, {"target": "v2/r", "name": "r"})
    answer = encode([RunPrediction("r", "test", "exact_match", 0.5)], two)
    ((_, message),) = [v for v in answer.status.values() if v[0] == "unknown"]
    assert "2 targets have that name; use target=" in message
    answer = encode([RunPrediction("v2/r", "test", "exact_match", 0.5)], two)
    assert answer.table.column("target").to_pylist() == ["v2/r"]


def test_a_source_without_parts_is_predicted_without_one():
    table = targets({"target": "t", "part": None})
    assert encode([RunPrediction("t", None, "exact_match", 0.5)], table).status == {}


# -- what was given ------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [None, "text", b"bytes", {"a": 1}, 3, 0.5, object()])
def test_what_is_no_list_is_refused(answer):
    with pytest.raises(TypeError):
        encode(answer, ONE)


@pytest.mark.parametrize("item", [None, 0.5, "text", ("t", 0.5), {"target": "t"}, object()])
def test_what_is_no_prediction_is_refused(item):
    with pytest.raises(TypeError, match="RunPrediction"):
        encode([item], ONE)


def test_predictions_of_responses_are_none_of_runs():
    with pytest.raises(TypeError, match="RunPrediction"):
        encode([InstancePrediction("t", 0, "exact_match", 0.5)], ONE)


def test_a_generator_is_as_good_as_a_list():
    assert encode((RunPrediction(target=t, mean=0.5) for t in ["t"]), ONE).status == {}


def test_no_predictions_at_all_are_all_missing():
    answer = encode([], ONE)
    assert answer.status["t"][0] == "missing"
    assert list(decode(from_bytes(to_bytes(answer.table), COLUMNS), {"t": Fact()})) == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "neither a mean nor a distribution"),
        ({"mean": float("nan")}, "finite"),
        ({"mean": float("inf")}, "finite"),
        ({"mean": "much"}, "much"),
        ({"mean": [0.5, 0.6]}, ""),
        ({"mean": 10**400}, ""),
        ({"mean": 0.5, "stddev": -1}, "sd"),
        ({"mean": 0.5, "stddev": float("nan")}, "finite"),
        ({"mean": 0.5, "stddev": "x"}, ""),
        ({"mean": 0.5, "normal": (0.5, 0.1), "beta": (1, 1)}, "at most one distribution"),
        ({"normal": (0.5, 0.0)}, "positive"),
        ({"normal": (0.5,)}, "two numbers"),
        ({"normal": 0.5}, ""),
        ({"normal": (0.5, 0.1, 0.2)}, "two numbers"),
        ({"normal": (None, 1)}, ""),
        ({"normal": {"mean": 0.5, "sd": 0.1}}, ""),
        ({"beta": (0, 1)}, "positive"),
        ({"beta": (float("inf"), 1)}, "finite"),
        ({"samples": [0.5] * 99}, "at least 100"),
        ({"samples": []}, "empty"),
        ({"quantiles": {}}, "empty"),
        ({"samples": 0.5}, ""),
        ({"samples": [0.5] * 100 + [float("nan")]}, "finite"),
        ({"samples": ["x"] * 100}, ""),
        ({"samples": [None] * 100}, ""),
        ({"samples": [[0.5], [0.5, 0.6]] * 60}, ""),
        ({"quantiles": {0.5: 0.5}}, "at least 5"),
        ({"quantiles": {**LEVELS, 1.0: 1.0}}, "between 0 and 1"),
        ({"quantiles": {**LEVELS, 0.96: 0.1}}, "falls"),
        ({"quantiles": {**LEVELS, "x": 1.0}}, ""),
        ({"quantiles": {**LEVELS, 0.96: None}}, ""),
        ({"quantiles": {**LEVELS, float("nan"): 1.0}}, ""),
        ({"quantiles": [0.1, 0.2, 0.3, 0.4, 0.5]}, ""),
        ({"pmf": np.full(10, 0.1)}, "n = 10"),
        ({"pmf": np.full(12, 1 / 12)}, "other than 0..10"),
        ({"pmf": np.full(11, 0.1)}, "sums to"),
        ({"pmf": [2.0, -1.0, *[0.0] * 9]}, "negative"),
        ({"pmf": [float("nan"), *[0.1] * 10]}, "finite"),
        ({"pmf": np.full((11, 1), 1 / 11)}, "shape"),
        ({"pmf": []}, "empty"),
        ({"pmf": "0.5"}, ""),
        ({"pmf": 1.0}, "shape"),
        ({"pmf": np.zeros(11)}, "sums to"),
        ({"pmf": {0: 1.0}}, ""),
    ],
)
def test_a_prediction_that_cannot_be_is_invalid_with_the_reason(given, message):
    state, why = outcome(RunPrediction(target="t", **given))
    assert state == "invalid"
    assert why
    assert message in why


def test_one_invalid_prediction_costs_the_others_nothing():
    asked = targets(*({"target": t} for t in "abc"))
    predictions = [
        RunPrediction(target="a", mean=0.5),
        RunPrediction(target="b", mean="x"),
        RunPrediction(target="c", normal=(0.5, 0.1)),
    ]
    answer = encode(predictions, asked)
    assert answer.status["b"][0] == "invalid"
    assert sorted(set(answer.table.column("target").to_pylist())) == ["a", "c"]


@pytest.mark.parametrize(
    "odd",
    [
        {"run_spec_name": object(), "perturbation": {}},
        {"perturbation": None},
        {"perturbation": {"prob": [1]}},
        {"target": ["t"]},
        {"target": float("nan")},
        {"distribution": "magic", "target": "t"},
    ],
)
def test_things_that_only_look_like_predictions_are_refused_or_unknown(odd):
    base = {
        "run_spec_name": "t",
        "split": "test",
        "stat_name": "exact_match",
        "mean": 0.5,
        "stddev": 0.0,
        "perturbation": {},
        "distribution": None,
    }
    try:
        answer = encode([SimpleNamespace(**{**base, **odd})], ONE)
    except (TypeError, AttributeError, ValueError):
        return  # the call fails, as it would by raising
    assert answer.status["t"][0] in ("missing", "invalid")


# -- what a worker may write ----------------------------------------------------------------------


def rows(*entries: tuple) -> pa.Table:
    columns = zip(*entries, strict=True) if entries else [[]] * 4
    types = [pa.string(), pa.string(), pa.string(), pa.float64()]
    arrays = [pa.array(list(c), t) for c, t in zip(columns, types, strict=True)]
    return pa.table(dict(zip(COLUMNS, arrays, strict=True)))


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([("t", "mean", "", 0.5), ("t", "mean", "", 0.6)], "mean"),
        ([("t", "mean", "", 0.5), ("t", "normal", "sd", 0.6)], "mixes"),
        ([("t", "magic", "", 0.5)], "magic"),
        ([("t", "normal", "mean", 0.5)], "normal"),
        ([("t", "normal", "mean", 0.5), ("t", "normal", "scale", 0.5)], "normal"),
        ([("t", "pmf", "0", 0.5), ("t", "pmf", "0", 0.25), ("t", "pmf", "10", 0.25)], "two prob"),
        ([("t", "pmf", "-1", 0.5), ("t", "pmf", "10", 0.5)], "other than"),
        ([("t", "pmf", "0.5", 0.5), ("t", "pmf", "10", 0.5)], "other than"),
        ([("t", "pmf", "x", 1.0)], "other than"),
        ([("t", "pmf", "1e99", 1.0)], "other than"),
        ([("t", "pmf", "inf", 1.0)], "other than"),
        ([("t", "mean", "", None)], "finite"),
    ],
)
def test_rows_that_make_no_distribution_are_invalid(entries, message):
    ((name, distribution, why),) = decode(rows(*entries), {"t": Fact()})
    assert (name, distribution) == ("t", None)
    assert message in why


def test_rows_of_a_target_in_two_places_are_given_twice():
    table = rows(("t", "mean", "", 0.5), ("u", "mean", "", 0.5), ("t", "mean", "", 0.6))
    assert [n for n, _, _ in decode(table, {"t": Fact(), "u": Fact()})] == ["t", "u", "t"]


def test_rows_of_an_unknown_target_are_told():
    assert list(decode(rows(("x", "mean", "", 0.5)), {"t": Fact()})) == [("x", None, "unknown")]


def test_missing_words_are_refused():
    with pytest.raises(ValueError, match="column output_type has missing values"):
        list(decode(rows(("t", None, "", 0.5)), {"t": Fact()}))


def test_a_table_of_other_columns_is_refused():
    table = pa.table({"target": ["t"], "value": [0.5]})
    with pytest.raises(ValueError, match="expected the columns"):
        from_bytes(to_bytes(table), COLUMNS)


@given(st.binary(max_size=200))
def test_bytes_that_are_no_table_are_refused(data):
    with pytest.raises(ValueError, match="not an Arrow table"):
        from_bytes(data, COLUMNS)


@given(st.data())
@settings(max_examples=100)
def test_a_damaged_table_is_refused_or_read_as_numbers(data):
    answer = encode([RunPrediction(target="t", samples=DRAWS)], ONE)
    raw = bytearray(to_bytes(answer.table))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    cut = data.draw(st.integers(0, len(raw)))
    try:
        table = from_bytes(bytes(raw[: cut or None]), COLUMNS)
        found = list(decode(table, {"t": Fact()}))
    except Exception as err:
        assert not isinstance(err, MemoryError | AssertionError)  # noqa: PT017
    else:
        assert all(name == "t" or why == "unknown" for name, _, why in found)
