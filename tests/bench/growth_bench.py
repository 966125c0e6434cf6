"""How time and memory of predictors grow with the number of models.

    python tests/bench/growth_bench.py [--models 57,400,4000] [--predictor SPEC] [--out DIR]
        [--write FILE]

57 models are those of openllm2.parquet ($BENCHCAST_SHARED/data/arena). More are made of them: a
made model answers each item as the first of two real ones, or with chance 1/5 as the second, or
with chance 1/10 by the share of right answers to the item; so relatives, levels and items stay as
they are. A tenth of the cells is held out, and each predictor is fitted and asked for all of them
at k = 0 and k = 10, alone in a process of one thread. Tables without items have the same values.
Times are CPU seconds. Figures in DIR are kept and used again.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from harness.data_splits import SequesteredTestSplit, TrainSplit
from harness.loading import load_class
from harness.spec import parse_spec

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("BENCHCAST_SHARED") or ROOT.parent / "shared") / "data"
ARENA = SHARED / "arena" / "openllm2.parquet"
PREDICTORS = (
    *("kernel-ridge", "signature", "profile", "profile/values"),
    *("factorisation", "factorisation/values"),
)
MODELS = (57, 400, 4000)
K = 10
MARK = ("<!-- growth -->", "<!-- end of growth -->")


@dataclass(frozen=True)
class Figures:
    """What one predictor took on one grid."""

    predictor: str
    models: int
    fit: float
    predict: tuple[float, float]  # k = 0, k = 10
    memory: float  # the most, in GiB, with the tables
    tables: float  # what the tables alone take
    crps: tuple[float, float]

    @property
    def total(self) -> float:
        return self.fit + sum(self.predict)


def answers(models: int, seed: int = 0) -> tuple[list[str], list[str], list[np.ndarray]]:
    """Give names of models and scenarios, and a matrix of models by items for each scenario."""
    table = pd.read_parquet(ARENA)
    scenarios = sorted(table["scenario"].unique())
    names = sorted(table["model"].unique())
    real = [
        part.pivot(index="model", columns="item", values="value").loc[names].to_numpy(np.uint8)
        for _, part in table.groupby("scenario", observed=True, sort=True)
    ]
    rng = np.random.default_rng([seed, models])
    made = max(models - len(names), 0)
    first, second = rng.integers(len(names), size=(2, made))
    out = []
    for y in real:
        drawn = rng.random((made, y.shape[1]))
        luck = (rng.random(drawn.shape) < y.mean(axis=0)).astype(np.uint8)
        new = np.where(drawn < 0.7, y[first], np.where(drawn < 0.9, y[second], luck))
        out.append(np.concatenate([y[:models], new]))
    made_names = [f"{names[f].split('__')[0]}__made-{i:05d}" for i, f in enumerate(first)]
    return [*names[:models], *made_names], scenarios, out


def splits(models: int, items: bool) -> tuple[TrainSplit, list[SequesteredTestSplit], pd.Series]:
    """Hold a tenth of the cells out; give the tables, and the values that are held out."""
    names, scenarios, ys = answers(models)
    rng = np.random.default_rng(1)
    held = rng.random((len(names), len(scenarios))) < 0.1
    i, j = np.divmod(np.arange(held.size), len(scenarios))
    runs = pd.DataFrame(
        {
            "run": np.arange(held.size).astype(str),
            "model": np.array(names)[i],
            "organisation": np.array([name.split("__")[0] for name in names])[i],
            "scenario": np.array(scenarios)[j],
            "scenario_group": np.array([s.split("/")[0] for s in scenarios])[j],
            "metric": "exact_match",
            "value": np.stack([y.mean(axis=1) for y in ys], axis=1).ravel(),
            "n": np.array([y.shape[1] for y in ys])[j],
            "lower": 0.0,
            "upper": 1.0,
            "binary": True,
        }
    )
    asked = runs[held.ravel()].drop(columns="value").rename(columns={"run": "target"})
    train = runs[~held.ravel()].reset_index(drop=True)
    truth = runs.loc[held.ravel()].set_index("run")["value"]
    of_items = [
        np.array([f"{s}#{t}" for t in range(y.shape[1])])
        for s, y in zip(scenarios, ys, strict=True)
    ]
    shown, chosen = [], np.random.default_rng(2)
    for target, a, b in zip(asked["target"], i[held.ravel()], j[held.ravel()], strict=True):
        own = chosen.choice(ys[b].shape[1], K, replace=False)
        shown.append((np.repeat(target, K), of_items[b][own], ys[b][a, own].astype(float)))
    seen = pd.DataFrame(
        {
            "target": np.concatenate([s[0] for s in shown]),
            "instance": np.concatenate([s[1] for s in shown]),
            "metric": "exact_match",
            "value": np.concatenate([s[2] for s in shown]),
        }
    )
    if not items:
        asked, responses = asked.reset_index(drop=True), None
    else:
        asked = asked.assign(instances=[of_items[b] for b in j[held.ravel()]])
        responses = _responses(ys, of_items, held)
    tests = [
        SequesteredTestSplit(targets=asked, responses=seen[:0], k=0),
        SequesteredTestSplit(targets=asked, responses=seen, k=K),
    ]
    return TrainSplit(runs=train, responses=responses), tests, truth


def _responses(ys: list[np.ndarray], of_items: list[np.ndarray], held: np.ndarray) -> pd.DataFrame:
    """Arrange the responses of the train runs, as a source of categories would."""
    run, item, value, start = [], [], [], 0
    for s, y in enumerate(ys):
        known = np.flatnonzero(~held[:, s])
        run.append(np.repeat(known * len(ys) + s, y.shape[1]).astype(np.int32))
        item.append(np.tile(np.arange(start, start + y.shape[1], dtype=np.int32), len(known)))
        value.append(y[known].ravel().astype(np.float32))
        start += y.shape[1]
    code, found = pd.factorize(np.concatenate(run), sort=True)
    size = len(code)
    return pd.DataFrame(
        {
            "run": _category(code, found.astype(str)),
            "instance": _category(np.concatenate(item), np.concatenate(of_items)),
            "metric": _category(np.zeros(size, np.int8), ["exact_match"]),
            "value": np.concatenate(value),
        }
    )


def _category(codes: Any, categories: Any) -> pd.Categorical:
    return pd.Categorical.from_codes(codes, categories=categories)


def measure(spec: str, models: int) -> dict[str, Any]:
    """Fit and ask a predictor; in a process of its own."""
    name, _, values = spec.partition("/")
    train, tests, truth = splits(models, items=not values)
    tables = _peak()
    parsed = parse_spec(name)
    predictor = load_class(parsed.load_message()["spec"])(**parsed.settings)
    started = time.process_time()
    predictor.fit(train)
    times = [time.process_time() - started]
    crps = []
    for test in tests:
        started = time.process_time()
        said = predictor.predict(train, test)
        times.append(time.process_time() - started)
        crps.append(100 * float(np.mean([_crps(p, truth[p.target]) for p in said])))
    return {
        "predictor": spec,
        "models": models,
        "fit": times[0],
        "predict": times[1:],
        "memory": _peak(),
        "tables": tables,
        "crps": crps,
    }


def _crps(prediction: Any, y: float) -> float:
    """Give the CRPS of a prediction, here where all are of shares."""
    pmf = prediction.pmf
    if pmf is not None:
        n = len(pmf) - 1
        return float(((np.cumsum(pmf)[:-1] - (np.arange(n) >= round(y * n))) ** 2).sum() / n)
    levels = np.array(sorted(prediction.quantiles))
    values = np.array([prediction.quantiles[q] for q in levels])
    loss = 2 * np.maximum(levels * (y - values), (levels - 1) * (y - values))
    return float(np.trapezoid(loss, levels))


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def page(found: list[Figures]) -> list[str]:
    """Write a table, and the exponents between sizes."""
    lines = [
        "| predictor | models | fit, CPU s | 2 predictions, CPU s | GiB (tables alone) | "
        "time grows as models to the | CRPS, k = 0 and 10 |",
        "|---|---|---|---|---|---|---|",
    ]
    before: Figures | None = None
    for one in found:
        grows = "–"
        if before is not None and before.predictor == one.predictor:
            power = math.log(one.total / before.total) / math.log(one.models / before.models)
            grows = f"{power:.2f}"
        words = one.predictor.replace("/values", ", values alone")
        lines.append(
            f"| {words} | {one.models:,} | {one.fit:.1f} | {sum(one.predict):.1f} | "
            f"{one.memory:.1f} ({one.tables:.1f}) | {grows} | "
            f"{one.crps[0]:.2f}, {one.crps[1]:.2f} |"
        )
        before = one
    return lines


def main() -> int:
    """Measure each predictor at each size, and print; write into a page when asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", default=",".join(map(str, MODELS)))
    parser.add_argument("--predictor", action="append", help="NAME, or NAME/values")
    parser.add_argument("--out", type=Path, help="a folder for the figures")
    parser.add_argument("--write", type=Path, help="a page with marks to write between")
    parser.add_argument("--alone", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if not ARENA.is_file():
        print(f"NOT RUN: there is no {ARENA}; set BENCHCAST_SHARED.")
        return 0
    if args.alone:
        print(json.dumps(measure(args.alone[0], int(args.alone[1]))))
        return 0
    found: list[Figures] = []
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    for spec in args.predictor or PREDICTORS:
        for models in map(int, args.models.split(",")):
            name = f"{spec.replace('/', '-')}-{models}.json"
            kept = args.out / name if args.out else None
            if kept and kept.is_file():
                text = kept.read_text()
            else:
                command = [sys.executable, __file__, "--alone", spec, str(models)]
                text = subprocess.run(
                    command, env=os.environ | threads, stdout=subprocess.PIPE, text=True, check=True
                ).stdout.splitlines()[-1]
            if kept:
                kept.parent.mkdir(parents=True, exist_ok=True)
                kept.write_text(text)
            found.append(Figures(**json.loads(text)))
            print(page(found)[-1], flush=True)
    if args.write:
        text = args.write.read_text()
        head, tail = text.split(MARK[0])[0], text.split(MARK[1])[1]
        lines = "\n".join([MARK[0], "", *page(found), "", MARK[1]])
        args.write.write_text(head + lines + tail)
    return 0


if __name__ == "__main__":
    sys.exit(main())
