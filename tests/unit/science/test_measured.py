"""What docs/results.md is made of: draws of models, figures, verdicts."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from suites import read

SCIENCE = Path(__file__).resolve().parents[2] / "science"


@pytest.fixture
def part(monkeypatch):
    """Give a function that imports a module of tests/science/measured."""
    monkeypatch.syspath_prepend(str(SCIENCE))
    return lambda name: importlib.import_module(f"measured.{name}")


def measured(part, job="heldout", k=0, closest=0.9, cover=0.9, models=6, scenarios=6):
    """Losses of 1 and 2 points, for 36 cells in two folds."""
    cells = [(f"o{m}/m", f"s{s}") for m in range(models) for s in range(scenarios)]
    targets = pd.DataFrame(cells, columns=["model", "scenario"])
    targets["target"] = targets["model"] + targets["scenario"]
    targets["run"] = targets["target"]
    place = np.arange(len(targets))
    targets = targets.assign(
        organisation=targets["model"].str.partition("/")[0],
        scenario_group=targets["scenario"],
        metric="accuracy",
        value=0.1 + 0.1 * (place % scenarios),
        lower=0.0,
        upper=1.0,
        binary=True,
    )
    key = {"task": "t", "seed": 0, "k": k}
    rows = []
    for name, loss in (("mine", 1.0), ("kernel-ridge", 2.0)):
        for rule, value in (
            ("crps", loss + 0.1 * (place % 2)),
            ("absolute_error", loss * (1 + place)),
            ("coverage_50", (place % 2).astype(float)),
            ("coverage_90", (place < cover * len(place)).astype(float)),
        ):
            rows.append(
                targets[["target"]].assign(
                    predictor=name, rule=rule, value=value, fold=place % 2, **key
                )
            )
    scores = pd.concat(rows, ignore_index=True)
    status = scores[scores["rule"] == "crps"].drop(columns=["rule", "value"]).assign(status="ok")
    split = targets[["target"]].assign(seed=0, fold=place % 2, closest=closest)
    manifest = {"reference": "kernel-ridge", "task": "t", "sources": [{"source": "a/b.csv"}]}
    timings = scores[["predictor"]].assign(cpu_s=1.0)
    jobs = part("jobs")
    job = next(j for j in jobs.JOBS if j.name == job)
    loo = pd.DataFrame(columns=["predictor", "run", "elpd_loo", "elpd_waic", "pareto_k", "method"])
    return jobs.Measured(job, manifest, targets, split, scores, status, loo, timings)


def test_no_two_models_of_a_thinned_grid_agree_on_the_bound(part, tmp_path, monkeypatch):
    rng = np.random.default_rng(1)
    base = rng.integers(0, 2, (4, 60))
    rows = []
    for m in range(8):  # four pairs of relatives that differ in five of sixty responses
        x = base[m // 2].copy()
        if m % 2:
            x[:5] = 1 - x[:5]
        rows += [(f"m{m}", f"s{i % 3}", i, int(v)) for i, v in enumerate(x)]
    table = pd.DataFrame(rows, columns=["model", "scenario", "item", "value"])
    table.to_parquet(tmp_path / "psn12.parquet")
    sources = part("sources")
    monkeypatch.setattr(sources, "SHARED", tmp_path)
    names, agreement = sources.agreements("psn12.parquet")
    found = {seed: set(sources.thinned("psn12.parquet", seed).runs["model"]) for seed in range(4)}
    for kept in found.values():
        assert {int(name[1]) // 2 for name in kept} == {0, 1, 2, 3}
        at = [names.index(name) for name in kept]
        among = agreement[np.ix_(at, at)] - np.eye(len(at))
        assert among.max() < sources.STRANGERS
    assert len({frozenset(kept) for kept in found.values()}) > 1  # the seed draws the order


def test_values_alone_are_read_as_counts_without_items(part, tmp_path, monkeypatch):
    rng = np.random.default_rng(2)
    rows = [
        (f"m{m}", f"s{s}", i, int(rng.random() < 0.6))
        for m in range(5)
        for s in range(4)
        for i in range(30)
    ]
    table = pd.DataFrame(rows, columns=["model", "scenario", "item", "value"])
    table.to_parquet(tmp_path / "psn12.parquet")
    sources = part("sources")
    monkeypatch.setattr(sources, "SHARED", tmp_path)
    sources.whole.cache_clear()
    suite = sources.values_alone("psn12.parquet", tmp_path)
    sources.whole.cache_clear()
    of = table.groupby(["model", "scenario"])["value"].mean()
    runs = suite.runs.set_index(["model", "scenario"]).sort_index()
    assert runs["value"].to_numpy() == pytest.approx(of.to_numpy())
    assert runs["binary"].all()
    assert set(runs["n"]) == {30}
    assert len(suite.responses()) == 0 or suite.responses()["instance"].isna().all()


def test_ratio_and_difference_are_paired_over_cells(part):
    figures = part("figures").Figures(measured(part))
    ratio = figures.ratio("mine", "kernel-ridge", 0)
    assert ratio.mean == pytest.approx(1.05 / 2.05)
    assert ratio.low < ratio.mean < ratio.high
    assert figures.difference("mine", "kernel-ridge", 0).text(1, "+") == "-1.0 [-1.0, -1.0]"
    assert figures.best(0) == "mine"


def test_medians_are_of_folds_in_the_metrics_own_unit(part):
    figures = part("figures").Figures(measured(part))
    found = figures.of_folds("mine", 0, "MedAE")
    # errors of 1 to 36 points of 0..1, every second in a fold: medians 18 and 19
    assert found.mean == pytest.approx(0.185)
    assert found.low < found.mean < found.high
    again = part("figures").Figures(measured(part)).of_folds("mine", 0, "MedAE")
    assert (again.low, again.high) == (found.low, found.high)


@pytest.mark.parametrize(("cover", "held"), [(0.9, True), (0.75, False)])
def test_coverage_is_held_against_its_limits(part, cover, held):
    aims, figures = part("aims"), part("figures")
    found = figures.Figures(measured(part, models=18, scenarios=12, cover=cover))
    parts = {c.part: c for c in aims.coverage("heldout", found, 0, "mine")}
    assert set(parts) == {"all", *figures.THIRDS, "≥ .85"}
    assert parts["all"].n == 216
    assert parts["all"].held is held
    assert (parts["all"].low, parts["≥ .85"].low) == (0.87, 0.84)


def test_small_grids_and_new_models_may_cover_less_evenly(part):
    aims = part("aims")
    small = part("figures").Figures(measured(part))
    assert aims.coverage("heldout", small, 0, "mine")[0].low == 0.80
    large = part("figures").Figures(measured(part, models=18, scenarios=12))
    assert aims.coverage("new-model", large, 0, "mine")[0].low == 0.80


def test_verdicts_name_the_best_predictor_and_whether_the_limit_is_kept(part):
    found = {"heldout": part("figures").Figures(measured(part))}
    verdicts = {v.what: v for v in part("aims").verdicts(found) if v.k == 0}
    assert verdicts["CRPS"].predictor == "mine"
    assert verdicts["CRPS"].met
    assert not verdicts["MAE"].met  # a mean of 18.5 points


def test_a_grid_of_few_clusters_is_judged_by_five_percent(part):
    transfer = part("transfer")
    figures = part("figures").Figures(measured(part))
    few = transfer.Transfer(SimpleNamespace(name="x", title="x"), figures)
    _, word, ok = few.verdict("mine", "kernel-ridge")
    assert (word, ok) == ("-49 %", True)
    assert few.verdict("kernel-ridge", "mine")[2] is False
    many = part("figures").Figures(measured(part, models=14, scenarios=12))
    large = transfer.Transfer(SimpleNamespace(name="x", title="x"), many)
    assert large.verdict("mine", "kernel-ridge")[1:] == ("beats", True)
    assert large.verdict("kernel-ridge", "mine")[1:] == ("worse", False)


def test_the_page_says_what_is_not_met(part):
    found = {"heldout": part("figures").Figures(measured(part))}
    met, text = part("page").page(found, [], [100], ["a remark"])
    assert not met
    assert "| heldout | 0 | CRPS | `mine` | 1.05 [" in text
    assert "- a remark" in text
    assert "**no**" in text


def test_a_job_counts_every_predictor_once_and_is_not_made_twice(part, tmp_path):
    rng = np.random.default_rng(3)
    cells = [(f"m{m}", f"s{s}", rng.random()) for m in range(5) for s in range(4)]
    table = pd.DataFrame(cells, columns=["model", "scenario", "value"])
    table.to_csv(tmp_path / "t.csv", index=False)
    jobs = part("jobs")

    def some(work, seed):
        return read(str(tmp_path / "t.csv"), table={"scale": "proportion"})

    options = {"k": 0, "folds": 2, "isolation": "none"}
    job = jobs.Job("j", "J", some, ("kernel-ridge", "profile"), options, "draws")
    found = jobs.measure(job, tmp_path / "out", [100, 101], 1, None)
    counted = found.scores[found.scores["rule"] == "crps"]
    key = ["predictor", "seed", "target"]
    assert not counted.duplicated(key).any()
    assert counted.groupby("predictor", observed=True).size().to_dict() == {
        "scenario-mean": 40,
        "kernel-ridge": 40,
        "profile": 40,
    }
    assert set(found.targets["target"]) == set(counted["target"])
    files = sorted((tmp_path / "out").rglob("scores.parquet"))
    made = [file.stat().st_mtime_ns for file in files]
    assert len(files) == 4  # two draws of two groups
    jobs.measure(job, tmp_path / "out", [100, 101], 1, None)
    assert [file.stat().st_mtime_ns for file in files] == made


def test_single_responses_are_to_be_at_most_and_at_least(part):
    aims = part("aims")
    pool = aims.POOLS[0]
    row = {"predictor": "tilted-items", "k": 20, "pooled": pool.brier - 0.001}
    table = pd.DataFrame([row | {"auroc": pool.auroc - 0.001}])
    found = list(aims.instance_verdicts({pool.name: table}, "tilted-items", 20))
    assert [v.met for v in found] == [True, False]
    text = part("page").page({}, found, [100], [])[1]
    assert f"| ≥ {pool.auroc:g} | **no** |" in text
