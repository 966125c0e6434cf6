"""The Bayesian workflow against HiBayES: CPU seconds of the same fits and the same command.

Needed: a Python with benchcast[bayes,plot] (this one, or BENCHCAST_BAYES_PYTHON), and the reference
posteriors and the tools beside the project (BENCHCAST_SHARED). For the other side, HIBAYES_SRC
names a checkout of HiBayES and BENCHCAST_HIBAYES_PYTHON a Python with what it needs; without them
the figures are those of an earlier run of it, where there is one.

CPU seconds are of user and system, all threads and children.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas
import zstandard

TIMES = 3

# HiBayES 1.0.0 (commit 16900a32), Python 3.12, jax 0.12.0, numpyro 0.22, 2 cores: CPU seconds of
# the first fit in a process, and its smallest effective number of draws
KNOWN = {"linear": (16.1, 8312.0), "two-level": (12.2, 2437.0)}

# The same program on both sides: imports and data are not counted, compiling is.
FIT = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
import arviz, jax, numpyro
import numpy as np
from hibayes.analysis import (
    DataLoaderConfig, ModelAnalysisState, ModelsToRunConfig, PlatformConfig, ProcessConfig, fit,
    load_data, process_data,
)
from hibayes.ui import ModellingDisplay

config = json.load(open(sys.argv[1]))
display = ModellingDisplay()
made = load_data(DataLoaderConfig.from_dict(config["data_loader"]), display)
process = ProcessConfig.from_dict(config["data_process"])
made = process_data(process, display, analysis_state=made)
((model, settings),) = ModelsToRunConfig.from_dict(config["model"]).enabled_models
seconds, wall = [], []
for _ in range(2):
    state = ModelAnalysisState(
        model, settings, PlatformConfig(),
        features=made.features, coords=made.coords, dims=made.dims,
    )
    before, began = time.process_time(), time.perf_counter()
    fit(state)
    seconds.append(time.process_time() - before)
    wall.append(time.perf_counter() - began)
draws = state.inference_data["posterior"]
np.savez(sys.argv[2], **{str(name): np.asarray(draws[name]) for name in draws.data_vars})
print("\\n" + json.dumps([*seconds, *wall]))
"""

# The smallest bulk effective number of draws of each variable; one estimator for both sides.
EFFECTIVE = """
import json, sys
import numpy as np
from hibayes import arviz_bridge
data = arviz_bridge.new_data({"posterior": dict(np.load(sys.argv[1]))})
found = {}
for label, row in arviz_bridge.summary(data).iterrows():
    if row["sd"] > 1e-6:
        name = str(label).split("[")[0]
        found[name] = min(found.get(name, np.inf), row["ess_bulk"])
print(json.dumps(found))
"""

COMMAND = "import sys; from hibayes.cli.full import main; sys.exit(main())"

LINEAR = {
    "name": "linear_group_binomial",
    "config": {
        "main_effects": ["group", "subgroup", "subsubgroup"],
        "interactions": [["group", "subgroup"]],
    },
}
SAMPLER = {"samples": 2000, "warmup": 1000, "chains": 4, "target_accept": 0.95, "seed": 0}


@dataclass(frozen=True)
class Side:
    """Where one of the two programs runs."""

    python: str
    path: str
    folder: str = "/"  # not the project's, whose packages would be found first

    def run(self, words: list[str]) -> tuple[str, float]:
        """Run a command to its end; give what it prints, and its CPU seconds."""
        env = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": self.path}
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [self.python, "-W", "ignore", *words],
            env=env, cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"{self.python} {words[-3:]} failed:\n{done.stderr[-3000:]}")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
        return done.stdout, seconds


@dataclass(frozen=True)
class Fit:
    """CPU and wall seconds of a process's first and second fit, and the draws' worth."""

    first: float
    second: float
    wall: float
    effective: dict[str, float]


def report(shared: Path, root: Path) -> Iterator[str]:
    """Measure, and give the lines of the page."""
    yield from ("## The Bayesian workflow", "")
    ours = Side(os.environ.get("BENCHCAST_BAYES_PYTHON") or sys.executable, str(root))
    archive = shared / "data" / "hibayes-reference.tar.zst"
    if not archive.is_file():
        yield f"Not measured: no {archive.name} (set BENCHCAST_SHARED)."
        return
    words = [ours.python, "-c", "import jax, numpyro, arviz"]
    if subprocess.run(words, capture_output=True).returncode:
        yield "Not measured: no JAX, NumPyro and ArviZ here (set BENCHCAST_BAYES_PYTHON)."
        return
    with tempfile.TemporaryDirectory() as folder:
        yield from _Bench(ours, _original(), Path(folder), archive, shared).lines()


def _original() -> Side | None:
    source, python = os.environ.get("HIBAYES_SRC"), os.environ.get("BENCHCAST_HIBAYES_PYTHON")
    return Side(python, str(Path(source) / "src")) if source and python else None


class _Bench:
    def __init__(
        self, ours: Side, theirs: Side | None, home: Path, archive: Path, shared: Path
    ) -> None:
        self.ours, self.theirs, self.home = ours, theirs, home
        self.maker = shared / "tools" / "make_inspect_logs.py"
        with (
            archive.open("rb") as file,
            zstandard.ZstdDecompressor().stream_reader(file) as stream,
            tarfile.open(fileobj=stream, mode="r|") as tar,
        ):
            tar.extractall(home / "reference", filter="data")
        self.binary = str(next((home / "reference").rglob("binary.csv")))

    def lines(self) -> Iterator[str]:
        source = "HiBayES 1.0.0" if self.theirs else "figures of an earlier run of HiBayES 1.0.0"
        yield from (
            f"The same program run here and by {source}: CPU seconds, compilation included, each",
            f"side in processes of its own, medians of {TIMES}. Fits have 4 chains of 2000 draws",
            "after 1000 of warm-up, target_accept .95, seed 0. ESS is the smallest bulk effective",
            "number of draws of the parameters that both have.",
            "",
            "| what | here | HiBayES | ratio | bar |",
            "|---|---|---|---|---|",
        )
        fits = {name: self._fits(name) for name in ("linear", "two-level")}
        for name, bar in (("linear", 3), ("two-level", 5)):
            yield self._efficiency(name, fits[name], bar)
        for name in fits:
            yield self._again(name, fits[name])
        yield from self._own(fits)
        yield from self._pipeline()

    def _fits(self, name: str) -> list[tuple[Fit, Fit | None]]:
        config = self.home / f"{name}.json"
        config.write_text(json.dumps(_study(name, self.binary)))
        return [
            (self._fit(self.ours, config), self._fit(self.theirs, config) if self.theirs else None)
            for _ in range(TIMES)
        ]

    def _fit(self, side: Side, config: Path) -> Fit:
        draws = str(self.home / "draws.npz")
        text, _ = side.run(["-c", FIT, str(config), draws])
        first, second, _, wall = json.loads(text.splitlines()[-1])
        effective = json.loads(self.ours.run(["-c", EFFECTIVE, draws])[0].splitlines()[-1])
        return Fit(first, second, wall, effective)

    def _efficiency(self, name: str, fits: list[tuple[Fit, Fit | None]], bar: int) -> str:
        pairs = []
        for here, there in fits:
            seconds, worth = KNOWN[name]
            if there is not None:
                shared = set(here.effective) & set(there.effective)
                seconds, worth = there.first, min(there.effective[k] for k in shared)
                least = min(here.effective[k] for k in shared)
            else:
                least = min(here.effective.values())
            pairs.append((least / here.first, worth / seconds))
        mine, other = (statistics.median(side) for side in zip(*pairs, strict=True))
        ratio = statistics.median(a / b for a, b in pairs)
        title = {"linear": "linear, 3 main effects and an interaction"}.get(name, name)
        return _line(f"ESS per CPU s, first fit: {title}", mine, other, ratio, f"≥ {bar}", 0)

    def _again(self, name: str, fits: list[tuple[Fit, Fit | None]]) -> str:
        what = f"second fit of one shape in a process, CPU s: {name}"
        mine = statistics.median(here.second for here, _ in fits)
        others = [there.second for _, there in fits if there is not None]
        if not others:
            return f"| {what} | {mine:.2f} | not measured | | ≥ 10 |"
        ratio = statistics.median(there.second / here.second for here, there in fits if there)
        return _line(what, mine, statistics.median(others), ratio, "≥ 10", 2)

    def _own(self, fits: dict[str, list[tuple[Fit, Fit | None]]]) -> Iterator[str]:
        """Compare what is measured here alone: a second fit, and a row for each sample."""
        for name, pairs in fits.items():
            first = statistics.median(here.first for here, _ in pairs)
            second = statistics.median(here.second for here, _ in pairs)
            yield (
                f"| first fit, CPU s, against the second, here: {name} | {first:.2f} "
                f"| (here) {second:.2f} | {first / second:.1f} | |"
            )
        config = {n: self.home / f"{n}.json" for n in ("rows", "groups")}
        samples = pandas.read_csv(self._logs() / "samples.csv")
        table = self.home / "samples.csv"
        samples.assign(n_total=1).to_csv(table, index=False)
        for name, path in config.items():
            path.write_text(json.dumps(_study(name, str(table))))
        pairs = [[self._fit(self.ours, path) for path in config.values()] for _ in range(TIMES)]
        rows, groups = (
            statistics.median(f.first for f in side) for side in zip(*pairs, strict=True)
        )
        ratio = statistics.median(a.first / b.first for a, b in pairs)
        yield (
            f"| 19,200 rows of one sample, CPU s, against their 24 counts, here | {rows:.2f} "
            f"| (here) {groups:.2f} | {ratio:.2f} | ≤ 1.5 |"
        )

    def _logs(self) -> Path:
        out = self.home / "logs"
        if not out.is_dir():
            sizes = ["--models", "12", "--tasks", "8", "--samples", "200"]
            words = [sys.executable, str(self.maker), "--kind", "binary", *sizes, "--out", str(out)]
            subprocess.run(words, check=True, capture_output=True)
        return out

    def _pipeline(self) -> Iterator[str]:
        what = "`hibayes-full`, 96 logs of 200 samples, two-level, CPU s of the process"
        study = _study("two-level", "")
        study["data_loader"] = {"paths": {"files_to_process": [str(self._logs() / "logs")]}}
        study["check"] = {"checkers": ["r_hat", "divergences", "ess_bulk", "loo", "waic"]}
        study["communicate"] = {"communicators": ["forest_plot", "summary_table"]}
        config = self.home / "pipeline.json"
        config.write_text(json.dumps(study))
        pairs = [
            [self._full(side, config, f"{i}-{j}") for j, side in enumerate(self._sides())]
            for i in range(TIMES)
        ]
        mine = statistics.median(pair[0] for pair in pairs)
        if self.theirs is None:
            yield f"| {what} | {mine:.1f} | not measured | | ≥ 3 |"
            return
        other = statistics.median(pair[1] for pair in pairs)
        ratio = statistics.median(there / here for here, there in pairs)
        yield _line(what, mine, other, ratio, "≥ 3", 1)

    def _sides(self) -> list[Side]:
        return [self.ours, self.theirs] if self.theirs else [self.ours]

    def _full(self, side: Side, config: Path, out: str) -> float:
        words = ["--config", str(config), "--out", str(self.home / "out" / out), "--no-tui"]
        return side.run(["-c", COMMAND, *words])[1]


def _study(name: str, table: str) -> dict[str, Any]:
    """Give the configuration of a study: both sides read it."""
    columns = {"model": "group", "domain": "subgroup", "sub_domain": "subsubgroup"}
    linear = name != "two-level"
    levels = list(columns.values()) if linear else ["group"]
    mapping = {"map_columns": {"column_mapping": dict(list(columns.items())[: len(levels)])}}
    extract: dict[str, Any] = {"categorical_features": levels, "continuous_features": ["n_total"]}
    if linear:
        extract |= {"effect_coding_for_main_effects": True, "interactions": True}
    processors: list[dict[str, Any]] = [mapping]
    if name != "rows":
        processors.append({"groupby": {"groupby_columns": levels}})
    processors += [
        {"extract_features": extract},
        {"extract_observed_feature": {"feature_name": "score" if name == "rows" else "n_correct"}},
    ]
    model = LINEAR if linear else {"name": "two_level_group_binomial", "config": {}}
    settings = {**SAMPLER, "progress_bar": False}
    model = {**model, "config": {**model["config"], "fit": settings}}
    return {
        "data_loader": {"paths": {"extracted_data": [table]}},
        "data_process": {"processors": processors},
        "model": {"models": [model]},
    }


def _line(what: str, mine: float, other: float, ratio: float, bar: str, digits: int) -> str:
    return f"| {what} | {mine:.{digits}f} | {other:.{digits}f} | {ratio:.1f} | {bar} |"
