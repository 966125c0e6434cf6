"""``harness compare``: two models, on runs that were made and on runs that were not."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy.stats import t as student

import suites
from harness.averages import clustered_average
from harness.cli import main
from harness.comparison import compare_models, default_predictor
from harness.distribution import Draws, Normal
from harness.joint_draws import draws_of
from harness.observed import read_observed
from suites.errors import UsageError


@pytest.fixture
def run(capsys):
    def go(*arguments) -> tuple[int, str, str]:
        try:
            status = main([str(a) for a in arguments])
        except SystemExit as err:
            status = err.code or 0
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return go


def rows(models=5, scenarios=5, items=20, seed=0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    ease = rng.normal(0, 1, (models, 1, 1)) + rng.normal(0, 1, (1, scenarios, 1))
    right = rng.random((models, scenarios, items)) < 1 / (1 + np.exp(-ease))
    return pd.DataFrame(
        [
            (f"m{i}", f"s{j}", f"q{q}", int(right[i, j, q]))
            for i in range(models)
            for j in range(scenarios)
            for q in range(items)
        ],
        columns=["model", "scenario", "item", "correct"],
    )


def write(frame: pd.DataFrame, path: Path) -> Path:
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    return write(rows(), tmp_path_factory.mktemp("compare") / "full.csv")


@pytest.fixture(scope="module")
def holes(tmp_path_factory) -> Path:
    """The same without m0 on s1, m3 on s1 and m1 on s2, rows shuffled."""
    frame = rows()
    cell = frame["model"] + frame["scenario"]
    kept = frame[~cell.isin(["m0s1", "m3s1", "m1s2"])].sample(frac=1, random_state=2)
    return write(kept, tmp_path_factory.mktemp("compare") / "holes.csv")


@pytest.fixture(scope="module")
def full(table):
    return compare_models(suites.read(str(table)), ["m0", "m1"])


@pytest.fixture(scope="module")
def filled(holes):
    return compare_models(suites.read(str(holes)), ["m0", "m1"], predictor="hibayes-crossed")


# -- runs that were made ---------------------------------------------------------------------------


def test_the_paired_difference_is_that_of_the_shared_questions(full):
    frame = rows()
    for pair in full.pairs:
        wide = frame[frame["scenario"] == pair.scenario].pivot(
            index="item", columns="model", values="correct"
        )
        gap = wide["m0"] - wide["m1"]
        assert pair.paired.instances == 20
        assert pair.paired.mean == pytest.approx(100 * gap.mean())
        assert pair.paired.se == pytest.approx(100 * gap.std(ddof=1) / 20**0.5)
        apart = (wide["m0"].var(ddof=1) + wide["m1"].var(ddof=1)) / 20
        assert pair.paired.se_unpaired == pytest.approx(100 * apart**0.5)
        half = pair.questions.high - pair.questions.mean
        assert half == pytest.approx(1.6448536 * pair.paired.se)


def test_trials_of_a_question_count_once(tmp_path):
    frame = rows(2, 3, 12)
    twice = pd.concat([frame.assign(trial=0), frame.assign(trial=1)])
    once = compare_models(suites.read(str(write(frame, tmp_path / "a.csv"))), ["m0", "m1"])
    both = compare_models(suites.read(str(write(twice, tmp_path / "b.csv"))), ["m0", "m1"])
    assert [p.paired for p in both.pairs] == [p.paired for p in once.pairs]


def test_what_was_observed_has_no_uncertainty_on_its_own_questions(full):
    assert (full.filled, full.predictor) == (0, None)
    for pair in full.pairs:
        assert pair.difference.low == pair.difference.high == pair.difference.mean
        sign = np.sign(round(pair.difference.mean, 9))
        assert pair.better == {1.0: 1.0, -1.0: 0.0, 0.0: 0.5}[float(sign)]
    assert full.better in (0.0, 0.5, 1.0)


def test_over_scenarios_the_intervals_are_those_of_the_formulas(full):
    gaps = np.array([pair.difference.mean for pair in full.pairs])
    errors = np.array([pair.paired.se for pair in full.pairs])
    assert full.difference.mean == pytest.approx(gaps.mean())
    half = 1.6448536 * np.sqrt((errors**2).sum()) / 5
    assert full.questions.high - full.questions.mean == pytest.approx(half)
    labels = [pair.scenario for pair in full.pairs]
    average = clustered_average(gaps, labels, labels, 0.9)
    assert (full.across.low, full.across.high) == pytest.approx((average.low, average.high))
    assert full.clusters == 5
    # one-way clusters of one value each: the usual standard error of a mean
    se = gaps.std(ddof=1) / 5**0.5
    assert full.across.high - gaps.mean() == pytest.approx(student.ppf(0.95, 4) * se)


def test_win_rates_are_those_of_helm(full):
    value = rows().groupby(["scenario", "model"])["correct"].mean().unstack()
    for model, estimate in zip(full.models, full.win_rates, strict=True):
        others = value.drop(columns=model)
        beaten = others.lt(value[model], axis=0) + 0.5 * others.eq(value[model], axis=0)
        assert estimate.mean == pytest.approx(beaten.mean(axis=1).mean())
        assert estimate.low == estimate.high
    assert full.rivals == 4


def test_where_less_is_better_the_lesser_value_wins(table, tmp_path):
    spec = tmp_path / "spec.yaml"
    spec.write_text("higher_is_better: false\nbounds: [0, 1]\n")
    turned = compare_models(suites.read(str(table), table=str(spec)), ["m0", "m1"])
    usual = compare_models(suites.read(str(table)), ["m0", "m1"])
    for one, other in zip(turned.pairs, usual.pairs, strict=True):
        assert one.difference.mean == pytest.approx(-other.difference.mean)
        assert one.paired.mean == pytest.approx(-other.paired.mean)
        assert one.better == 1.0 - other.better
    assert turned.win_rates[0].mean == pytest.approx(1 - usual.win_rates[0].mean)


def test_an_unknown_direction_is_told_and_does_not_count(table, tmp_path):
    frame = rows().rename(columns={"correct": "value"}).assign(metric="oddity")
    path = write(frame, tmp_path / "odd.csv")
    found = compare_models(suites.read(str(path)), ["m0", "m1"])
    assert found.scenarios == 0
    assert found.difference is None
    assert {pair.better for pair in found.pairs} == {None}
    assert any("not known of 5 scenarios" in note for note in found.notes)


# -- runs that were not ----------------------------------------------------------------------------


def test_holes_are_filled_and_what_is_known_stays(filled, full):
    by_name = {pair.scenario: pair for pair in filled.pairs}
    assert (filled.filled, filled.joint) == (3, True)
    assert filled.predictor == "hibayes-crossed"
    assert by_name["s1"].values == (None, {p.scenario: p for p in full.pairs}["s1"].values[1])
    assert 0 < by_name["s1"].predicted[0] < 1
    assert by_name["s1"].difference.low < by_name["s1"].difference.mean
    assert 0 < by_name["s1"].better < 1
    for known in full.pairs:
        if known.scenario not in ("s1", "s2"):
            assert by_name[known.scenario].difference == known.difference
            assert by_name[known.scenario].paired == known.paired
    assert filled.difference.low < filled.difference.mean < filled.difference.high


def test_the_uncertainty_of_a_fill_is_carried_through(filled):
    on_these = filled.difference.high - filled.difference.low
    like_these = filled.questions.high - filled.questions.low
    assert 0 < on_these < like_these
    for estimate in filled.win_rates:
        assert estimate.low < estimate.mean < estimate.high
    # two of five scenarios are open: no mean of differences moves by more than these can
    assert (
        on_these
        <= sum(pair.difference.high - pair.difference.low for pair in filled.pairs)
        / len(filled.pairs)
        + 1e-9
    )


def test_a_predictor_without_joint_draws_is_drawn_independently_and_that_is_said(holes):
    found = compare_models(suites.read(str(holes)), ["m0", "m1"], predictor="scenario-mean")
    assert not found.joint
    assert any("independent" in note for note in found.notes)
    value = rows().groupby(["scenario", "model"])["correct"].mean().unstack()
    open_pair = next(pair for pair in found.pairs if pair.scenario == "s2")
    others = value.loc["s2"].drop("m1")
    assert open_pair.predicted[1] == pytest.approx(others.mean(), abs=0.03)


def test_what_was_begun_is_heeded(holes, tmp_path):
    seen = pd.DataFrame({"model": "m0", "scenario": "s1", "item": [f"q{i}" for i in range(15)]})
    suite = suites.read(str(holes))
    best = []
    for value in (0, 1):
        idle = pd.DataFrame({"model": ["m0"], "scenario": ["s0"], "item": ["q1"], "correct": [1]})
        told = pd.concat([seen.assign(correct=value), idle])
        path = write(told, tmp_path / f"seen{value}.csv")
        found = compare_models(
            suite, ["m0", "m1"], predictor="beta-binomial", observed=read_observed(str(path)),
            scenarios=["s1"],
        )  # fmt: skip
        (pair,) = found.pairs
        assert pair.observed == (15, 0)
        assert any("are not used" in note and "m0 on s0" in note for note in found.notes)
        best.append(pair.difference)
    assert best[0].high < best[1].low


def test_a_new_model_is_compared_by_prediction_alone(table):
    found = compare_models(suites.read(str(table)), ["m0", "new"], predictor="scenario-mean")
    assert found.filled == 5
    assert found.rivals == 5
    assert any("unknown model 'new'" in note for note in found.notes)


# -- draws -----------------------------------------------------------------------------------------


def test_joint_draws_keep_their_order_and_others_are_spread_evenly():
    table = pa.table(
        {
            "target": ["b"] * 4 + ["a"] * 4,
            "output_type": ["joint_sample"] * 8,
            "output_type_id": ["2", "0", "1", "3", "0", "1", "2", "3"],
            "value": [0.3, 0.1, 0.2, 1.4, 0.9, 0.7, 0.5, 0.4],
        }
    )
    of = {"a": Draws([0.9, 0.7, 0.5, 0.4], 0, 1), "b": Draws([0.1, 0.2, 0.3, 1.0], 0, 1)}
    draws, joint = draws_of(of, table)
    assert joint
    assert draws["b"].tolist() == [0.1, 0.2, 0.3, 1.0]  # what lies beyond a bound is moved there
    assert draws["a"].tolist() == [0.9, 0.7, 0.5, 0.4]
    normal = Normal(0.0, 1.0)
    draws, joint = draws_of({"a": normal, "b": normal}, None)
    assert not joint
    assert abs(np.corrcoef(draws["a"], draws["b"])[0, 1]) < 0.1
    assert draws["a"].std() == pytest.approx(1.0, abs=0.02)


def test_the_default_predictor_depends_on_the_size_of_the_grid():
    grid = pd.DataFrame([(f"m{i}", f"s{j}") for i in range(20) for j in range(10)])
    grid.columns = ["model", "scenario"]
    assert default_predictor(grid) == "hibayes"
    assert default_predictor(grid[grid["model"] != "m0"]) == "hibayes-crossed"


# -- the command -----------------------------------------------------------------------------------


def test_the_demo_is_compared(run):
    arguments = ["demo/standin-v1", "--model", "acorn/oak-7b", "--model", "birchlab/birch-small"]
    status, out, err = run("compare", *arguments, "--json")
    assert status == 0
    assert "note:" not in err
    content = json.loads(out)
    assert content["scenarios"] == len(content["pairs"]) == 6
    assert content["filled"] == 0
    mean = np.mean([pair["difference"]["mean"] for pair in content["pairs"]])
    assert content["difference"]["mean"] == pytest.approx(mean)
    status, out, _ = run("compare", *arguments, "--scenario", "standin_mc*")
    assert status == 0
    assert "standin_mc:topic=metals" in out
    assert "simple_mcqa" not in out
    assert "Mean of 2 scenarios" in out
    assert "known" in out
    assert "Mean win rate against 7 models" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "m0"], "--model twice"),
        (["--model", "m0", "--model", "m0"], "two different models"),
        (["--model", "x", "--model", "y"], "unknown model 'x'"),
        (["--model", "m0", "--model", "m1", "--scenario", "zz*"], "unknown scenario 'zz*'"),
        (["--model", "m0", "--model", "m1", "--observed", "7/10"], "needs its model and scenario"),
        (["--model", "m0", "--model", "new", "--predictor", "nope"], "unknown predictor"),
    ],
)
def test_what_a_user_can_mend_is_said(run, table, arguments, message):
    status, _, err = run("compare", table, *arguments)
    assert status == 2
    assert message in err
    assert "Traceback" not in err


def test_of_one_model_there_is_no_comparison(table):
    with pytest.raises(UsageError, match="two different models"):
        compare_models(suites.read(str(table)), ["m0"])
