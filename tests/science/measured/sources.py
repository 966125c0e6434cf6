"""The runs that predictors are measured on: whole, drawn, thinned, or their values alone."""

from __future__ import annotations

import os
import tarfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from suites import read
from suites.errors import UsageError
from suites.selection import Selection

ROOT = Path(__file__).resolve().parents[3]
SHARED = Path(os.environ.get("BENCHCAST_SHARED") or ROOT.parent / "shared") / "data"

DRAWN = 120  # models that are drawn from a long table
STRANGERS = 0.80  # models of a thinned grid agree on less than this share of their responses

# tables that docs/tables/ does not explain
WIDE: dict[str, dict[str, Any]] = {
    "obsscaling_base_openllm2": {
        "columns": {"model": "Model"},
        "values": ["leaderboard_*"],
        "scale": "proportion",
    },
    "obsscaling_instruct": {
        "columns": {"model": "Model"},
        "values": [
            "Arena-Elo",
            "MTBench",
            "MMLU",
            "ARC-C",
            "HellaSwag",
            "Winogrande",
            "TruthfulQA",
            "GSM8K",
            "HumanEval",
        ],
        "scale": "proportion",
        "models": {"family": "Model Family"},
    },
    "openllm1_aggregate": {
        "columns": {"model": "Model", "condition": "Precision", "date": "date"},
        "values": ["ARC", "HellaSwag", "MMLU", "TruthfulQA", "Winogrande", "GSM8K"],
        "scale": "percent",
    },
}


def shared(path: str) -> Path:
    """Find one of the shared files."""
    file = SHARED / path
    if not file.exists():
        raise UsageError(f"there is no {file}: set BENCHCAST_SHARED to the folder that holds data/")
    return file


def table(path: str, select: Selection | None = None) -> Any:
    """Read a score table as docs/tables/, or `WIDE`, explains it."""
    file = shared(path)
    explained = ROOT / "docs/tables" / f"{file.stem}.yaml"
    if path.startswith("benchpress/"):
        explained = ROOT / "docs/tables/benchpress.yaml"
    return read(
        str(file), table=explained if explained.is_file() else WIDE[file.stem], select=select
    )


@cache
def whole(path: str) -> Any:
    """Read all of a score table, once."""
    return table(path)


@cache
def drawn(path: str, seed: int) -> Any:
    """Read `DRAWN` models of a score table, drawn from their sorted names."""
    names = sorted(map(str, set(whole(path).runs["model"])))
    if len(names) <= DRAWN:
        return whole(path)
    return table(path, _only([names[i] for i in _order(len(names), seed)[:DRAWN]]))


@cache
def thinned(path: str, seed: int) -> Any:
    """Read models of a grid of responses of which no two agree on `STRANGERS` of them.

    They are taken in an order drawn from their sorted names, each kept if it agrees less with all
    that were kept before it.
    """
    names, agreement = agreements(path)
    kept: list[int] = []
    for i in _order(len(names), seed):
        if (agreement[i, kept] < STRANGERS).all():
            kept.append(int(i))
    return table(path, _only([names[i] for i in kept]))


@cache
def agreements(path: str) -> tuple[list[str], np.ndarray]:
    """Give the models of a complete grid, sorted, and their shares of equal responses."""
    responses = whole(path).responses()[["model", "scenario", "instance", "value"]]
    grid = responses.pivot(
        index="model", columns=["scenario", "instance"], values="value"
    ).sort_index()
    if grid.isna().any(axis=None):
        raise UsageError(f"{path} has gaps: agreement is of models that answered the same items.")
    x = grid.to_numpy(dtype=np.float64)
    return list(map(str, grid.index)), (x @ x.T + (1 - x) @ (1 - x).T) / x.shape[1]


def values_alone(path: str, work: Path) -> Any:
    """Read the runs of a grid of responses as a table of their values: no items, but how many."""
    file = work / "sources" / f"{Path(path).stem}_values.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    runs = whole(path).runs
    value, n = runs["value"].to_numpy(float), runs["n"].to_numpy(float)
    rows = pd.DataFrame(
        {
            "model": runs["model"].astype(str),
            "scenario": runs["scenario"].astype(str),
            "value": value,
            "n": n.astype(int),
            # tells that a value is a count of n, and so is judged as where there are items
            "stderr": np.sqrt(value * (1 - value) / (n - 1)),
        }
    ).sort_values(["model", "scenario"])
    rows.to_csv(file, index=False, float_format="%.17g")
    columns = {name: name for name in rows.columns}
    return read(
        str(file),
        table={"columns": columns, "metric": "accuracy", "higher_is_better": True},
    )


def unpacked(path: str, work: Path, inside: str = "") -> str:
    """Unpack an archive of HELM runs or Inspect logs; give the folder, or one inside."""
    import zstandard

    archive = shared(path)
    folder = work / "sources" / archive.name.partition(".")[0]
    if not folder.is_dir():
        reader = zstandard.ZstdDecompressor(max_window_size=2**27)
        with (
            archive.open("rb") as file,
            reader.stream_reader(file) as stream,
            tarfile.open(fileobj=stream, mode="r|") as tar,
        ):
            tar.extractall(making := folder.with_name(f".{folder.name}"), filter="data")
        making.rename(folder)  # whole or not there
    return str(folder / inside)


def _order(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).permutation(n)


def _only(names: list[str]) -> Selection:
    return Selection(models=tuple(sorted(names)))
