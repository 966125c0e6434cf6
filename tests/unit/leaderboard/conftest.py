"""Results folders: synthetic ones of known shape, and small evaluations."""

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_board import write_board
from together import Together

import harness
import suites
from harness.instance_predictor import InstancePrediction, InstancePredictor
from leaderboard.cli import main

HOSTILE = "<script>alert(1)</script>"
"""A predictor's name is untrusted text."""

PREDICTORS = ("scenario-mean", "kernel-ridge(ridge=5)", "hierarchical", HOSTILE)


@pytest.fixture(scope="module")
def browser():
    """A headless browser; without one its tests are skipped."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is in the extra 'dev'")
    places = ("/usr/bin/chromium", "/usr/bin/chromium-browser")
    chromium = shutil.which("chromium") or next(filter(os.path.exists, places), None)
    if chromium is None:
        pytest.skip("no chromium on this machine")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(browser):
    """Open an address: the page notes what it `heard` (messages, errors, dialogs) and `asked`."""
    contexts = []

    def open_page(address, width=1280, **options):
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.heard, page.asked = [], []
        page.on("console", lambda message: page.heard.append(message.text))
        page.on("pageerror", lambda error: page.heard.append(str(error)))
        page.on("dialog", lambda dialog: page.heard.append(dialog.message))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def run(capsys):
    """Run the command: give its status, what it printed, and its errors."""

    def call(*argv):
        status = main([str(arg) for arg in argv])
        out = capsys.readouterr()
        return status, out.out, out.err

    return call


def write_results(
    folder: Path,
    *,
    ks: Sequence[int] = (0, 5),
    predictors: Sequence[str] = PREDICTORS,
    models: int = 12,
    scenarios: int = 8,
    seeds: Sequence[int] = (0, 1),
    loo: bool = True,
    failing: str | None = None,
    note: str | None = "The models are stand-ins.",
    task: str = "heldout-run",
    hardness: float = 1.0,
    closest: Sequence[float | None] = (),
) -> Path:
    """Write a results folder as an evaluation would; losses fall with k.

    `closest` is the agreement of each model's closest relative, model by model and round again;
    without it the split is as older versions wrote it.
    """
    rng = np.random.default_rng(7)
    folder.mkdir(parents=True)
    m, s = np.repeat(np.arange(models), scenarios), np.tile(np.arange(scenarios), models)
    truth = 1.0 / (
        1.0 + np.exp(-(rng.normal(0.3, 0.8, models)[m] + rng.normal(0, 0.9, scenarios)[s]))
    )
    targets = pd.DataFrame(
        {
            "target": [f"{i:016x}" for i in range(len(m))],
            "run": [f"run-{i}" for i in range(len(m))],
            "name": [f"scenario-{b},model=maker{a % 4}_m{a}" for a, b in zip(m, s, strict=True)],
            "model": [f"maker{a % 4}/m{a}" for a in m],
            "organisation": [None if a == 11 else f"maker{a % 4}" for a in m],
            "family": [f"m{a // 2}" for a in m],
            "scenario": [f"group{b % 5}:subject=subject-{b}" for b in s],
            "scenario_group": [f"group{b % 5}" for b in s],
            "condition": "c0",
            "metric": np.where(s == scenarios - 1, "seconds", "exact_match"),
            "part": "test",
            "perturbation": None,
            "n": 200,
            "binary": s != scenarios - 1,
            "lower": 0.0,
            "upper": np.where(s == scenarios - 1, np.nan, 1.0),
            "higher_is_better": s != scenarios - 1,
            "value": truth,
        }
    )
    scores, status, split = [], [], []
    near = np.array([closest[a % len(closest)] for a in m] if closest else [], dtype=float)
    hard = hardness * (rng.gamma(6.0, 0.5, models)[m] + rng.gamma(6.0, 0.5, scenarios)[s])
    for seed in seeds:
        fold = rng.permutation(len(m)) % 4
        split.append(
            pd.DataFrame(
                {
                    "task": task,
                    "seed": seed,
                    "fold": fold,
                    "target": targets["target"],
                    "role": "test",
                    **({"closest": near} if closest else {}),
                }
            )
        )
        for p, name in enumerate(predictors):
            for k in ks:
                gain = 1.0 / (1.0 + (0.02 + 0.04 * p) * k)
                crps = (hard * (1.1 - 0.12 * (p % 5)) + rng.normal(0, 0.5, len(m))).clip(0.1) * gain
                pit = rng.beta(1.0 + 0.15 * p, 1.0 + 0.15 * p, len(m))
                base = pd.DataFrame(
                    {
                        "predictor": name,
                        "settings_hash": f"{p:08x}",
                        "task": task,
                        "seed": seed,
                        "fold": fold,
                        "k": k,
                        "target": targets["target"],
                    }
                )
                rules = {
                    "crps": crps,
                    "log_score": np.where(targets["binary"], 2.5 + 0.2 * crps, np.nan),
                    "absolute_error": 1.35 * crps,
                    "squared_error": crps**2,
                    "pit": pit,
                    "pit_mid": pit,
                }
                for level in (50, 80, 90):
                    rules[f"coverage_{level}"] = (np.abs(pit - 0.5) <= level / 200.0) * 1.0
                    rules[f"width_{level}"] = 6.0 * crps
                    rules[f"interval_score_{level}"] = 8.0 * crps
                scores += [base.assign(rule=rule, value=value) for rule, value in rules.items()]
                bad = (name == failing) & (np.arange(len(m)) % 7 == 0)
                status.append(
                    base.assign(
                        status=np.where(bad, "missing", "ok"),
                        imputed=bad,
                        outside=0.0,
                        message=np.where(bad, "no prediction", None),
                    )
                )
    diagnostics = pd.DataFrame(
        {
            "predictor": "hierarchical",
            "settings_hash": "00000002",
            "task": task,
            "seed": 0,
            "fold": 0,
            "run": targets["run"],
            "elpd_loo": -3.2 + rng.normal(0, 0.2, len(m)),
            "elpd_waic": -3.1,
            "pareto_k": rng.uniform(0, 0.75, len(m)),
            "method": "psis",
        }
    )
    tables = {
        "targets": targets,
        "split": pd.concat(split, ignore_index=True),
        "scores": pd.concat(scores, ignore_index=True)
        .dropna(subset=["value"])
        .astype({"predictor": "category", "rule": "category"}),
        "status": pd.concat(status, ignore_index=True).astype({"status": "category"}),
        "loo": diagnostics if loo and "hierarchical" in predictors else diagnostics.iloc[:0],
        "problems": pd.DataFrame(
            columns=["source", "run", "file", "offset", "code", "message", "hint"], dtype="object"
        ),
        "predictions": pd.DataFrame(
            columns=["predictor", "target", "output_type", "output_type_id", "value"],
            dtype="object",
        ),
        "timings": pd.DataFrame(
            {
                "predictor": list(predictors),
                "seed": 0,
                "fold": 0,
                "k": 0,
                "phase": "predict",
                "wall_s": 1.0,
                "cpu_s": 1.0,
            }
        ),
    }
    for name, table in tables.items():
        table.to_parquet(folder / f"{name}.parquet", index=False)
    described = [
        {
            "name": name,
            "spec": name,
            "class": "predictors.made_up:MadeUp",
            "settings": {"ridge": 5} if "ridge" in name else {},
            "settings_hash": f"{p:08x}",
            "code_hash": f"{p:064x}",
            "needs": ["runs"],
            "kind": "run",
            "status": "evaluated",
            "reason": None,
            "summary": f"Predict by rule number {p}.",
        }
        for p, name in enumerate(predictors)
    ]
    described.append(
        described[0]
        | {
            "name": "perturbation",
            "settings": {},
            "status": "not_applicable",
            "reason": "the task has no perturbed runs",
            "summary": "A line through the strengths of a perturbation.",
        }
    )
    manifest = {
        "benchcast": "0.1.0",
        "created_by": "benchcast 0.1.0",
        "command": f"harness evaluate demo --task {task}",
        "task": task,
        "reference": "scenario-mean",
        "seeds": list(seeds),
        "folds": 4,
        "k": list(ks),
        "sources": [{"source": "demo", "kind": "helm"}],
        "predictors": described,
        "isolation": "process",
        "note": note,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def write_vector(folder: Path, **options) -> Path:
    """Write results of three tasks, as they are side by side; the fourth does not apply."""
    options = {"seeds": (0,), **options}
    write_results(folder / "heldout-run", ks=(0, 5, 20), **options)
    others = {"new-model-by-family": "new-model(by='family')", "new-scenario": "new-scenario"}
    for i, (name, task) in enumerate(others.items()):
        backwards = [PREDICTORS[0], *reversed(PREDICTORS[1:])]
        made = {"predictors": backwards, "task": task, "hardness": 2.0 + i, "scenarios": 7 - i}
        write_results(folder / name, ks=(0, 1, 5), **{**made, **options})
    tasks = [
        {"task": "heldout-run", "heading": "Held-out run", "folder": "heldout-run"},
        {
            "task": "new-model(by='family')",
            "heading": "Family removed",
            "folder": "new-model-by-family",
            "note": "Every family is of one model only.",
        },
        {"task": "new-scenario", "heading": "New scenario", "folder": "new-scenario"},
        {
            "task": "next-release",
            "heading": "Next release",
            "folder": "next-release",
            "status": "not_applicable",
            "reason": "nothing has a date.",
        },
    ]
    text = json.dumps({"benchcast": "0.1.0", "command": ["harness", "<i>"], "tasks": tasks})
    (folder / "tasks.json").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def vector_folder(tmp_path_factory):
    return write_vector(tmp_path_factory.mktemp("vector") / "all")


@pytest.fixture(scope="session")
def vector(vector_folder):
    from harness.vector_results import VectorResults

    return VectorResults.load(vector_folder)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return write_results(tmp_path_factory.mktemp("results") / "out")


@pytest.fixture(scope="session")
def results(folder):
    from harness.results import Results

    return Results.load(folder)


@pytest.fixture
def make_folder(tmp_path):
    """Write results folders of other shapes."""
    made = []

    def make(**options):
        path = tmp_path / f"results-{len(made)}"
        made.append(path)
        return write_results(path, **options)

    yield make
    for path in made:
        shutil.rmtree(path)


@pytest.fixture
def make_vector(tmp_path):
    """Write results of several tasks, of other shapes."""
    return lambda **options: write_vector(tmp_path / "vector", **options)


@pytest.fixture(scope="session")
def near(tmp_path_factory):
    """Results that know how close the relatives of their models are."""
    folder = tmp_path_factory.mktemp("near") / "out"
    return write_results(folder, closest=(0.7, 0.76, 0.95, None), loo=False)


@pytest.fixture(scope="session")
def hostile():
    return HOSTILE


class Guess(InstancePredictor):
    """Says something of each response, more or less surely."""

    needs = ("runs", "responses")

    def __init__(self, sure=0.5):
        self.sure = sure

    def predict(self, train_split, sequestered_test_split):
        rng = np.random.default_rng(1)
        for name in sequestered_test_split.targets["target"]:
            mean = 0.5 + self.sure * (rng.random() - 0.3)
            yield InstancePrediction(target=name, mean=min(mean, 1.0))


def evaluated(folder, predictors, task, ks, *, models=6, scenarios=4, size=12):
    """Evaluate on responses of models that differ in ability to items that differ in difficulty."""
    rng = np.random.default_rng(0)
    ease = rng.normal(0.3, 1.5, (scenarios, size))
    rows = []
    for m in range(models):
        for s in range(scenarios):
            right = rng.random(size) < 1 / (1 + np.exp(-ease[s] - 0.4 * (m - models / 2)))
            rows += [(f"maker{m % 3}/m{m}", f"s{s}", f"q{q}", float(right[q])) for q in range(size)]
    frame = pd.DataFrame(rows, columns=["model", "scenario", "item", "score"])
    frame.to_parquet(folder / "arena.parquet", index=False)
    metrics = {"metrics": {"*": {"lower": 0, "upper": 1, "higher_is_better": True}}}
    return harness.evaluate(
        suites.read(folder / "arena.parquet", metrics=metrics),
        predictors,
        task=task,
        k=ks,
        folds=2,
        isolation="none",
        out=folder / "out",
    )


@pytest.fixture(scope="session")
def responses(tmp_path_factory):
    """Results of predictions of single responses."""
    folder = tmp_path_factory.mktemp("responses")
    return evaluated(folder, [Guess(), Guess(1.0)], "instance", [0, 4])


@pytest.fixture(scope="session")
def together(tmp_path_factory):
    """Results of predictions of which some belong together."""
    folder = tmp_path_factory.mktemp("together")
    predictors = ["model-mean", Together(), Together(False)]
    return evaluated(folder, predictors, "heldout-run", [0, 3], models=9, scenarios=8)


@pytest.fixture(scope="session")
def board_folder(tmp_path_factory):
    """Results with predictions of every kind, of two seeds."""
    folder = tmp_path_factory.mktemp("board") / "out"
    return write_board(folder, predictors=7, models=6, scenarios=5, ks=(0, 5), seeds=(0, 1))


@pytest.fixture(scope="session")
def board(board_folder):
    from harness.results import Results

    return Results.load(board_folder)


@pytest.fixture
def changed_board(board_folder, tmp_path):
    """Copy these results, and change one of the tables, or the manifest."""

    def change(**changes):
        folder = tmp_path / "changed"
        if not folder.exists():
            shutil.copytree(board_folder, folder)
        for name, edit in changes.items():
            path = folder / f"{name}.parquet"
            if name == "manifest":
                path = folder / "manifest.json"
                manifest = json.loads(path.read_text(encoding="utf-8"))
                path.write_text(json.dumps(edit(manifest)), encoding="utf-8")
            else:
                edit(pd.read_parquet(path)).to_parquet(path, index=False)
        from harness.results import Results

        return Results.load(folder)

    return change
