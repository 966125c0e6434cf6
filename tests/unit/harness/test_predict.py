"""``harness predict``: a question about one run."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import harness
import suites
from harness.asked_runs import asked_run
from harness.cli import main
from harness.held_out import HeldOut
from harness.known_runs import neighbours
from harness.observed import Observed, read_observed
from harness.question import Question, default_predictor, predict_run
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


def rows(models=5, scenarios=4, items=30, seed=0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    ease = rng.normal(0, 1, (models, 1, 1)) + rng.normal(0, 1, (1, scenarios, 1))
    right = rng.random((models, scenarios, items)) < 1 / (1 + np.exp(-ease))
    return pd.DataFrame(
        [
            (f"o{i % 2}/m{i}", f"s{j}", f"q{q}", int(right[i, j, q]))
            for i in range(models)
            for j in range(scenarios)
            for q in range(items)
        ],
        columns=["model", "scenario", "item", "correct"],
    )


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("predict") / "grid.csv"
    rows().to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def forecast(table):
    """What is said of the run that the table has, after 4 of 6 right."""
    return ask(table, observed="4/6")


def without(table: Path, model: str, scenario: str, name: str) -> Path:
    frame = pd.read_csv(table)
    kept = frame[(frame["model"] != model) | (frame["scenario"] != scenario)]
    path = table.with_name(name)
    kept.sample(frac=1, random_state=1).to_csv(path, index=False)
    return path


def ask(source, model="o0/m2", scenario="s1", **options):
    observed = options.pop("observed", None)
    question = Question(
        model,
        scenario,
        observed=None if observed is None else read_observed(str(observed)),
        predictor=options.pop("predictor", "beta-binomial"),
        **options,
    )
    return predict_run(suites.read(str(source)), question)


# -- what is predicted -----------------------------------------------------------------------------


def test_a_run_that_is_there_is_predicted_as_an_evaluation_predicts_it(table, forecast):
    results = harness.evaluate(str(table), ["beta-binomial"], k=0, folds="each", isolation="none")
    truth = results.targets.set_index("target")
    mine = truth[(truth["model"] == "o0/m2") & (truth["scenario"] == "s1")]
    said = results.predictions
    said = said[(said["predictor"] == "beta-binomial") & (said["target"] == mine.index[0])]
    pmf = np.zeros(31)
    pmf[said["output_type_id"].astype(str).astype(int)] = said["value"]
    assert forecast.before.mean == pytest.approx(float(pmf @ np.arange(31)) / 30, abs=1e-6)
    assert forecast.value == pytest.approx(float(mine["value"].iloc[0]))


def test_the_runs_own_value_changes_nothing(table, forecast):
    there = forecast
    absent = ask(without(table, "o0/m2", "s1", "absent.csv"), observed="4/6")
    assert there.value is not None
    assert absent.value is None
    for one, other in ((there.before, absent.before), (there.after, absent.after)):
        np.testing.assert_array_equal(one.pmf, other.pmf)
    assert [r["run"] for r in there.models] == [r["run"] for r in absent.models]


def test_what_is_the_same_under_another_name_is_held_out_too(table, forecast):
    frame = pd.read_csv(table)
    copy = frame[frame["model"] == "o0/m2"].assign(model="zz/copy")
    path = table.with_name("copied.csv")
    pd.concat([frame, copy]).to_csv(path, index=False)
    twice = ask(path)
    np.testing.assert_array_equal(twice.before.pmf, forecast.before.pmf)
    assert len(twice.known) == 2
    assert twice.known[0]["model"] == "o0/m2"
    assert any("another name" in note for note in twice.notes)


def test_a_count_and_a_file_without_ids_say_the_same(table, forecast, tmp_path):
    path = tmp_path / "seen.csv"
    words = ["true", "false", "true", "true", "false", "true"]
    path.write_text("correct\n" + "\n".join(words) + "\n")
    other = ask(table, observed=path)
    np.testing.assert_array_equal(forecast.after.pmf, other.after.pmf)
    assert forecast.asked.k == 6
    assert forecast.after.mean != forecast.before.mean


def test_what_was_observed_is_part_of_the_value(forecast):
    possible = np.flatnonzero(forecast.after.pmf > 1e-9)
    assert (possible.min(), possible.max()) == (4, 28)


def test_known_ids_keep_their_instances_and_unknown_ones_get_others(table):
    suite = suites.read(str(table))
    runs = suite.runs.assign(target=suite.runs["run"])
    items = {t: [f"q{i}" for i in range(30)] for t in runs["target"]}
    rows = {"model": None, "scenario": None, "instance": ["q3", "q9"], "value": [1.0, 0.0]}
    seen = Observed(pd.DataFrame(rows), 0, "here")
    known = asked_run(runs, items, "new", "s1", observed=seen)
    assert sorted(known.instances) == sorted(items[runs["target"].iloc[0]])
    strange = asked_run(
        runs, items, "new", "s1", observed=replace(seen, rows=seen.rows.assign(instance=["x", "y"]))
    )
    assert len(strange.instances) == 30
    assert set(strange.instances) & set(items[runs["target"].iloc[0]]) == set()
    larger = asked_run(runs, items, "new", "s1", n=50, observed=seen)
    assert (larger.row["n"], len(larger.instances)) == (50, 50)


def test_a_count_is_in_the_units_of_the_metric(tmp_path):
    path, spec = tmp_path / "wide.csv", tmp_path / "wide.yaml"
    path.write_text("model,s,t,u\na,55,30,60\nb,60,40,66\nc,45,20,50\nd,70,,72\n")
    spec.write_text("scale: percent\n")
    suite = suites.read(str(path), table=str(spec))
    question = Question(
        "d", "t", n=50, observed=read_observed("30/40"), predictor="scenario-mean", target_width=5.0
    )
    forecast = predict_run(suite, question)
    assert forecast.asked.shown["value"].tolist() == [100.0] * 30 + [0.0] * 10
    assert (forecast.unit, forecast.further.left) == (1.0, 10)


def test_a_new_model_and_a_new_scenario_have_an_answer_and_a_word(table):
    forecast = ask(table, "o0/m9", "s9", predictor="scenario-mean", n=12)
    assert forecast.asked.row["n"] == 12
    assert forecast.asked.row["organisation"] == "o0"
    assert 0 < forecast.before.mean < 1
    said = " ".join(forecast.notes)
    assert "unknown model 'o0/m9'; did you mean" in said
    assert "unknown scenario 's9'" in said
    assert "metric is taken to be" in said


def test_the_nearest_runs_come_first(table):
    held_runs = suites.read(str(table)).runs
    runs = held_runs.assign(target=held_runs["run"])
    asked = asked_run(runs, {}, "o0/m2", "s1")
    rest = runs[(runs["model"] != "o0/m2") | (runs["scenario"] != "s1")]
    models, scenarios = neighbours(rest, asked)
    grid = rest.pivot(index="model", columns="scenario", values="value")
    gaps = (grid - grid.loc["o0/m2"]).drop(columns="s1").drop(index="o0/m2").abs().mean(axis=1)
    assert [r["model"] for r in models] == list(gaps.sort_values().index)
    assert models[0]["distance"] == pytest.approx(100 * gaps.min())
    assert {r["common"] for r in models} == {3}
    assert len(scenarios) == 3
    assert {r["model"] for r in scenarios} == {"o0/m2"}


def test_the_default_predictor_needs_a_wide_grid():
    wide = pd.DataFrame([(f"m{i}", f"s{j}") for i in range(21) for j in range(11)])
    wide.columns = ["model", "scenario"]
    assert default_predictor(wide, "m0", "s0")[0] == "kernel-ridge"
    assert default_predictor(wide, "new", "s0")[0] == "hibayes-crossed"
    assert default_predictor(wide, "m0", "new")[0] == "hibayes-crossed"


def test_a_predictor_gets_no_more_than_its_splits(table, tmp_path):
    """What a worker can reach holds the known runs only."""
    suite = suites.read(str(table))
    held = HeldOut(suite, tmp_path, frames=False)
    hidden = (held.runs["run"] == held.runs["run"].iloc[0]).to_numpy(bool)
    row = held.runs.iloc[0]
    asked = asked_run(held.runs, held.instances, row["model"], row["scenario"])
    from harness.asking import _folder

    folder = _folder(held, ~hidden, [asked], tmp_path / "one")
    assert row["run"] not in set(folder.train_split().runs["run"])
    assert row["run"] not in set(folder.train_split().responses["run"])
    assert "value" not in folder.targets(0).columns


# -- what it leaned on ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def leaned(table):
    found = ask(table, "o0/m2", "s1", predictor="scenario-mean", why=True)
    return {one.without: one for one in found.leaned}, found


def test_it_moves_as_far_as_a_prediction_without_the_run(leaned, table):
    found, forecast = leaned
    for text in ("o1/m1 on s1", "all of o1/m1", "all of the same scenario"):
        one = found[text]
        frame = pd.read_csv(table)
        ids = frame["model"] + " on " + frame["scenario"]
        gone = ids == one.without
        if one.without.startswith("all of o"):
            gone = frame["model"] == one.without.removeprefix("all of ")
        elif one.without == "all of the same scenario":
            gone = frame["scenario"] == "s1"
        path = table.with_name("without.csv")
        frame[~gone].to_csv(path, index=False)
        alone = ask(path, "o0/m2", "s1", predictor="scenario-mean", n=30)
        assert one.mean == pytest.approx(alone.before.mean, abs=1e-9)
        assert one.moved == pytest.approx((one.mean - forecast.before.mean) * 100, abs=1e-6)


def test_what_moves_it_most_comes_first_and_what_it_does_not_know_moves_nothing(leaned):
    found, forecast = leaned
    moves = [abs(one.moved) for one in forecast.leaned if one.moved is not None]
    assert moves == sorted(moves, reverse=True)
    assert len(found) == 4 + 3 + 4 + 2
    assert found["o1/m1 on s1"].moved != 0
    assert all(found[f"o0/m2 on s{j}"].moved == 0 for j in (0, 2, 3))
    assert found["all of the same model"].moved == 0
    assert found["all of o1/m1"].moved == found["o1/m1 on s1"].moved
    assert found["all of the same scenario"].runs == sorted(
        run for text in found if text.endswith(" on s1") for run in found[text].runs
    )


# -- the command -----------------------------------------------------------------------------------


def test_the_demo_is_answered(run):
    arguments = ["demo/standin-v1", "--model", "acorn/oak-7b", "--json"]
    status, out, err = run(
        "predict", *arguments, "--scenario", "standin_mc:topic=metals", "--observed", "7/10",
        "--target-width", 5,
    )  # fmt: skip
    assert status == 0
    assert "note:" not in err
    content = json.loads(out)
    assert content["known_value"] == pytest.approx(0.4875)
    assert content["predictor"] == "hibayes-crossed"
    assert content["n"] == 80
    low, high = content["after"]["interval_90"]
    assert content["before"]["interval_90"][0] < low < content["after"]["mean"] < high
    assert 0 < content["further"]["expected"] <= content["further"]["left"] == 70
    assert len(content["nearest_models"]) == 7
    assert len(content["nearest_scenarios"]) == 5


def test_what_is_printed_has_it_all(run, table):
    status, out, _ = run(
        "predict", table, "--model", "o0/m2", "--scenario", "s1", "--predictor", "beta-binomial",
        "--observed", "4/6", "--target-width", 4,
    )  # fmt: skip
    assert status == 0
    for words in (
        "o0/m2 on s1: accuracy, 30 instances",
        "before any response",
        "after 6 responses",
        "the source has this run",
        "more responses of the 24 left make the 90 % interval ± 4 points",
        "nearest models first",
        "nearest scenarios first",
    ):
        assert words in out, words


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--observed", "40/40"], "nothing is left to predict"),
        (["--observed", "none.csv"], "no such file"),
        (["--n", "0"], "--n must be at least 1"),
        (["--target-width", "0"], "--target-width must be more than 0"),
        (["--plot", "out.gif"], "must end in .png or .svg"),
        (["--plot", "nowhere/out.svg"], "no folder"),
        (["--predictor", "beta-binomal"], "did you mean 'beta-binomial'"),
        (["--predictor", "perturbation"], "gave no prediction: not_applicable"),
        (["--metric", "acuracy"], "unknown metric"),
    ],
)
def test_what_a_user_can_mend_is_said(run, table, arguments, message):
    status, _, err = run("predict", table, "--model", "o0/m2", "--scenario", "s1", *arguments)
    assert status == 2
    assert message in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("values", "message"),
    [("2\n", "outside the range"), ("0.5\n", "right or wrong"), ("1\nx\n", "no number")],
)
def test_responses_that_cannot_be_the_metrics_are_refused(table, tmp_path, values, message):
    path = tmp_path / "seen.csv"
    path.write_text("value\n" + values)
    with pytest.raises(UsageError, match=message):
        ask(table, observed=path)


def test_an_instance_that_is_there_twice_is_refused(table, tmp_path):
    path = tmp_path / "seen.csv"
    path.write_text("item,value\nq1,1\nq1,0\n")
    with pytest.raises(UsageError, match="twice"):
        ask(table, observed=path)


def test_a_plot_is_drawn_the_same_twice(run, table, forecast, tmp_path):
    pytest.importorskip("matplotlib")
    from harness.forecast_plot import plot_forecast

    made = []
    for name in ("a.svg", "b.svg", "c.png"):
        plot_forecast(forecast, str(tmp_path / name))
        made.append((tmp_path / name).read_bytes())
    assert made[0] == made[1]
    assert made[2].startswith(b"\x89PNG")
    path = tmp_path / "d.svg"
    status, out, _ = run(
        "predict", table, "--model", "o0/m2", "--scenario", "s1", "--observed", "4/6",
        "--predictor", "beta-binomial", "--plot", path,
    )  # fmt: skip
    assert status == 0
    assert f"plot: {path}" in out
    assert path.read_bytes() == made[0]


def test_without_matplotlib_a_plot_is_refused_before_anything_is_read(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    status, _, err = run(
        "predict", "no/such/place", "--model", "m", "--scenario", "s", "--plot", "x.svg"
    )
    assert status == 2
    assert "benchcast[plot]" in err
