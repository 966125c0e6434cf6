"""Makes results folders of any size, with predictions of every kind, for tests and benchmarks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import special

KINDS = ("pmf", "quantile", "normal", "beta", "sample", "mean")
"""Output types, one predictor after the other."""

LEVELS = np.linspace(0.02, 0.98, 25)
TEXT = pa.dictionary(pa.int32(), pa.string())
INTS = ("seed", "fold", "k")


def write_board(
    folder: Path,
    *,
    predictors: int = 30,
    models: int = 50,
    scenarios: int = 40,
    ks: Sequence[int] = (0, 1, 2, 5, 10, 20, 50, 100),
    seeds: Sequence[int] = (0,),
    folds: int = 5,
    n: int = 120,
    kinds: Sequence[str] = KINDS,
    seed: int = 1,
) -> Path:
    """Write a results folder as `harness evaluate` does; its scores are those of normals.

    The first predictor is the reference. Losses fall with k, and differ between predictors, models
    and scenarios. Predictors whose kind is ``mean`` are points.
    """
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    names = ["scenario-mean", *(f"{kinds[p % len(kinds)]}-{p}" for p in range(1, predictors))]
    targets = _targets(rng, models, scenarios, n)
    fold = {s: rng.integers(0, folds, len(targets)).astype(np.int32) for s in seeds}
    scores, status = [], []
    schema = pa.schema(
        [(c, TEXT) for c in ("predictor", "settings_hash", "task")]
        + [(c, pa.int32()) for c in INTS]
        + [(c, TEXT) for c in ("target", "output_type", "output_type_id")]
        + [("value", pa.float64())]
    )
    with pq.ParquetWriter(folder / "predictions.parquet", schema, compression="zstd") as writer:
        for p, name in enumerate(names):
            for s in seeds:
                for k in ks:
                    mean, sd = _stated(rng, targets["value"].to_numpy(), p, k, len(names))
                    kind = kinds[p % len(kinds)]
                    key = {
                        "predictor": name,
                        "settings_hash": f"{p:012x}",
                        "task": "heldout-run",
                        "seed": s,
                        "fold": fold[s],
                        "k": k,
                    }
                    writer.write_table(_predictions(key, targets, kind, mean, sd, n, schema))
                    found = _scores(targets["value"].to_numpy(), mean, sd)
                    scores += [
                        _block(key, targets, rule=rule, value=value) for rule, value in found
                    ]
                    ok = {"status": "ok", "imputed": False, "outside": 0.0, "message": None}
                    status.append(_block(key, targets, **ok))
    targets.to_parquet(folder / "targets.parquet", index=False)
    _write(folder, "scores", pa.concat_tables(scores).unify_dictionaries())
    _write(folder, "status", pa.concat_tables(status).unify_dictionaries())
    split = [
        pd.DataFrame(
            {
                "task": "heldout-run",
                "seed": np.int32(s),
                "fold": fold[s],
                "target": targets["target"],
                "role": "test",
                "closest": np.nan,
            }
        )
        for s in seeds
    ]
    pd.concat(split, ignore_index=True).to_parquet(folder / "split.parquet", index=False)
    _rest(folder, names, seeds, folds, ks)
    return folder


def _targets(rng: np.random.Generator, models: int, scenarios: int, n: int) -> pd.DataFrame:
    m, s = np.repeat(np.arange(models), scenarios), np.tile(np.arange(scenarios), models)
    logit = rng.normal(0.3, 0.8, models)[m] + rng.normal(0, 0.9, scenarios)[s]
    count = rng.binomial(n, special.expit(logit + rng.normal(0, 0.3, len(m))))
    runs = [f"subject{b},model=maker{a % 9}_m{a}" for a, b in zip(m, s, strict=True)]
    return pd.DataFrame(
        {
            "target": [f"suite/{run}#exact_match@test" for run in runs],
            "run": [f"suite/{run}" for run in runs],
            "name": runs,
            "model": [f"maker{a % 9}/m{a}" for a in m],
            "organisation": [f"maker{a % 9}" for a in m],
            "family": [f"m{a // 3}" for a in m],
            "scenario": [f"group{b % 12}:subject=subject{b}" for b in s],
            "scenario_group": [f"group{b % 12}" for b in s],
            "condition": "c0",
            "metric": "exact_match",
            "part": "test",
            "perturbation": pd.Series([None] * len(m), dtype=object),
            "n": n,
            "binary": True,
            "lower": 0.0,
            "upper": 1.0,
            "higher_is_better": True,
            "date": pd.NaT,
            "value": count / n,
        }
    )


def _stated(
    rng: np.random.Generator, truth: np.ndarray, p: int, k: int, of: int
) -> tuple[np.ndarray, np.ndarray]:
    """Give means and sds; predictors differ in how far off they are and in how sure."""
    off = (0.10 + 0.06 * ((7 * p) % of) / of) / np.sqrt(1.0 + (0.03 + 0.01 * (p % 3)) * k)
    mean = np.clip(truth + off * rng.standard_normal(len(truth)), 0.01, 0.99)
    return mean, np.full(len(truth), off * (0.7 + 0.15 * (p % 5)))


def _scores(truth: np.ndarray, mean: np.ndarray, sd: np.ndarray) -> list[tuple[str, np.ndarray]]:
    z = (truth - mean) / sd
    pdf = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
    pit = special.ndtr(z)
    crps = 100 * sd * (z * (2 * pit - 1) + 2 * pdf - 1 / np.sqrt(np.pi))
    rules = {
        "crps": crps,
        "log_score": np.minimum(0.5 * z * z + np.log(sd) + 5.5, 20.0),
        "absolute_error": 100 * np.abs(truth - mean),
        "squared_error": 1e4 * (truth - mean) ** 2,
        "pit": pit,
        "pit_mid": pit,
    }
    for level, half in ((50, 0.6745), (80, 1.2816), (90, 1.6449)):
        rules[f"coverage_{level}"] = (np.abs(z) <= half) * 1.0
        rules[f"width_{level}"] = 200 * half * sd
        miss = np.maximum(np.abs(z) - half, 0.0) * sd
        rules[f"interval_score_{level}"] = 100 * (2 * half * sd + 2 / (1 - level / 100) * miss)
    return list(rules.items())


def _block(key: dict[str, Any], targets: pd.DataFrame, **columns: Any) -> pa.Table:
    """Give one predictor's rows of a table at one seed and k."""
    length = len(targets)
    words = np.arange(length, dtype=np.int32)
    out: dict[str, Any] = {}
    for name, value in {**key, "target": None, **columns}.items():
        if name == "target":
            out[name] = pa.DictionaryArray.from_arrays(words, pa.array(targets["target"]))
        elif isinstance(value, np.ndarray):
            out[name] = pa.array(value)
        elif name in INTS:
            out[name] = pa.repeat(pa.scalar(value, pa.int32()), length)
        elif isinstance(value, (bool, float)):
            out[name] = pa.repeat(pa.scalar(value), length)
        else:
            codes = pa.array(np.zeros(length, np.int32), mask=np.full(length, value is None))
            out[name] = pa.DictionaryArray.from_arrays(codes, pa.array([value or ""], pa.string()))
    return pa.table(out)


def _predictions(
    key: dict[str, Any],
    targets: pd.DataFrame,
    kind: str,
    mean: np.ndarray,
    sd: np.ndarray,
    n: int,
    schema: pa.Schema,
) -> pa.Table:
    """Express normals as one of the kinds."""
    length = len(mean)
    if kind == "pmf":
        edges = (np.arange(n) + 0.5) / n
        ends = special.ndtr((edges - mean[:, None]) / sd[:, None])
        zero, one = np.zeros((length, 1)), np.ones((length, 1))
        values = np.diff(np.hstack([zero, ends, one]), axis=1)
        kept = values > 1e-9
        kept[:, -1] = True
        row, ids = np.nonzero(kept)
        numbers, words = values[kept], [str(c) for c in range(n + 1)]
    else:
        if kind == "quantile":
            block = mean[:, None] + sd[:, None] * special.ndtri(LEVELS)
            words = [repr(float(level)) for level in LEVELS]
        elif kind == "sample":
            draws = np.random.default_rng(key["k"]).standard_normal(100)
            block = np.clip(mean[:, None] + sd[:, None] * draws, 0, 1)
            words = [str(i) for i in range(100)]
        elif kind == "beta":
            strength = np.maximum(mean * (1 - mean) / sd**2 - 1, 0.5)
            block, words = np.stack([mean * strength, (1 - mean) * strength], 1), ["a", "b"]
        elif kind == "normal":
            block, words = np.stack([mean, sd], 1), ["mean", "sd"]
        else:
            block, words = mean[:, None], [""]
        row = np.repeat(np.arange(length), block.shape[1])
        ids, numbers = np.tile(np.arange(block.shape[1]), length), block.ravel()
    whole = _block(key, targets, output_type=kind)
    more = {
        "output_type_id": pa.DictionaryArray.from_arrays(
            pa.array(ids.astype(np.int32)), pa.array(words, pa.string())
        ),
        "value": pa.array(numbers),
    }
    repeated = whole.take(pa.array(row))
    columns = {name: repeated.column(name) for name in whole.column_names} | more
    return pa.table({name: columns[name] for name in schema.names}).cast(schema)


def _rest(
    folder: Path, names: list[str], seeds: Sequence[int], folds: int, ks: Sequence[int]
) -> None:
    """Write what says nothing of single targets: times, empty tables, the manifest."""
    rows = [
        (name, s, f, k, phase, 0.5 + p, 0.4 + p)
        for p, name in enumerate(names)
        for s in seeds
        for f in range(folds)
        for phase, k in (("load", None), ("fit", None), *(("predict", k) for k in ks))
    ]
    times = ["predictor", "seed", "fold", "k", "phase", "wall_s", "cpu_s"]
    pd.DataFrame(rows, columns=times).to_parquet(folder / "timings.parquet", index=False)
    loo = ["predictor", "run", "elpd_loo", "elpd_waic", "pareto_k", "method"]
    empty = {
        "loo": loo,
        "problems": ["source", "run", "file", "offset", "code", "message", "hint"],
    }
    for name, columns in empty.items():
        frame = pd.DataFrame(columns=columns, dtype=object)
        frame.to_parquet(folder / f"{name}.parquet", index=False)
    described = [
        {
            "name": name,
            "spec": name,
            "class": f"made.up:Predictor{p}",
            "settings": {"strength": p},
            "settings_hash": f"{p:012x}",
            "code_hash": f"{p:064x}",
            "needs": ["runs"],
            "kind": "run",
            "status": "evaluated",
            "reason": None,
            "summary": f"Predict by rule number {p}.",
        }
        for p, name in enumerate(names)
    ]
    manifest = {
        "benchcast": "0.1.0",
        "command": ["harness", "evaluate", "made-up"],
        "task": "heldout-run",
        "predicts": "run",
        "reference": "scenario-mean",
        "seeds": list(seeds),
        "folds": folds,
        "k": list(ks),
        "sources": [{"source": "made-up", "kind": "helm"}],
        "predictors": described,
        "isolation": "process",
    }
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def _write(folder: Path, name: str, table: pa.Table) -> None:
    pq.write_table(table, folder / f"{name}.parquet", compression="zstd")
