"""`Record`: gathers what units found, and writes the results folder.

Rows are written in the order of predictors, seeds, folds, k and targets, whatever the order in
which units ended: so results do not depend on the number of jobs.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.again import made_of
from harness.beyond_targets import calibration_table, groups_table
from harness.design import Design
from harness.diagnostics import KINDS, failed_checks, schema
from harness.held_out import HeldOut
from harness.journal import Journal, fingerprint
from harness.leaks import facts
from harness.penalties import penalties
from harness.results import KEY
from harness.shards import read_table
from harness.spec import Spec
from harness.split import Fold
from harness.unit import UnitResult
from suites.suite import Suite

if TYPE_CHECKING:
    import pyarrow as pa

LIBRARIES: tuple[str, ...] = ("benchcast", "numpy", "pandas", "scipy", "scikit-learn", "pyarrow")

SCORER_VERSION = 1
"""Raised whenever a change of the rules changes a number."""

FAILED = ("missing", "duplicate", "invalid", "failed", "timeout")


class Record:
    """Gathers the results of an evaluation.

    Parameters
    ----------
    design : Design
        What is held out.
    suite : Suite
        What was read.
    held : HeldOut
        The truth.
    specs : sequence of Spec
        The predictors, in the order of the results.
    ks : sequence of int
        Numbers of shown responses.
    folds : sequence of Fold
        All folds of all seeds.
    isolation : str
        The level that was reached (`harness.jail.policy.LEVELS`).
    command : sequence of str or None
        The command line.
    """

    def __init__(
        self,
        design: Design,
        suite: Suite,
        held: HeldOut,
        specs: Sequence[Spec],
        ks: Sequence[int],
        folds: Sequence[Fold],
        isolation: str,
        command: Sequence[str] | None,
    ) -> None:
        self.design = design
        self.leaks = design.leaks
        self.task = design.task
        self.suite = suite
        self.held = held
        self.specs = list(specs)
        self.ks = list(ks)
        self.folds = list(folds)
        self.isolation = isolation
        self.command = command
        self._described: dict[str, tuple[dict[str, Any], str | None]] = {}
        self._results: dict[tuple[str, int, int], UnitResult] = {}

    def describe(self, spec: Spec, description: dict[str, Any], why_not: str | None) -> None:
        """Note what a class declares, and why it does not apply (None when it does)."""
        self._described[spec.name] = (description, why_not)

    def applying(self) -> list[Spec]:
        """Give the predictors that apply to the task and the source."""
        return [spec for spec in self.specs if self._described[spec.name][1] is None]

    @property
    def count(self) -> int:
        """How many units there are."""
        return len(self.applying()) * len(self.folds)

    @property
    def done(self) -> int:
        """How many of them are done."""
        return len(self._results)

    def fingerprint(self, fail_on: Sequence[str]) -> str:
        """Hash what decides what a unit finds, but for the code of its predictor."""
        parts: dict[str, Any] = {
            "task": asdict(self.task),
            "k": self.ks,
            "sha256": self.held.hashes(self.folds),
            "isolation": self.isolation,
            "fail_on": sorted(fail_on),
            "scorer": SCORER_VERSION,
            "libraries": {name: _version(name) for name in LIBRARIES},
            "python": platform.python_version(),
        }
        if any(spec.instance is not None for spec in self.specs):
            parts["objects"] = os.urandom(16).hex()  # what they are made of cannot be told
        return fingerprint(parts)

    def identity(self, fail_on: Sequence[str]) -> str:
        """Hash what decides all results: the `fingerprint`, the predictors and their code."""
        predictors = [(s.name, s.text, self._code(s)) for s in self.specs]
        return fingerprint({"units": self.fingerprint(fail_on), "predictors": predictors})

    def made(self, folder: Path, fail_on: Sequence[str]) -> bool:
        """Say whether a folder holds the results that would be found."""
        try:
            text = (folder / "manifest.json").read_text(encoding="utf-8")
            return bool(json.loads(text)["identity"] == self.identity(fail_on))
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def resume(self, journal: Journal) -> list[tuple[Fold, list[Spec]]]:
        """Take over what is done already; give the rest, by fold."""
        todo = []
        for fold in self.folds:
            left = []
            for spec in self.applying():
                result = journal.get(spec, fold, self._code(spec))
                if result is None:
                    left.append(spec)
                else:
                    self._results[(spec.name, fold.seed, fold.fold)] = result
            if left:
                todo.append((fold, left))
        return todo

    def add(self, spec: Spec, fold: Fold, result: UnitResult, journal: Journal) -> None:
        """Note a unit's result, on disk at once."""
        journal.put(spec, fold, self._code(spec), result)
        self._results[(spec.name, fold.seed, fold.fold)] = result

    def _code(self, spec: Spec) -> str | None:
        code = self._described[spec.name][0].get("code_hash")
        return None if code is None else str(code)

    def checks_made(self) -> set[str]:
        """Give the names of the checks that some predictor made of its fit."""
        tables = (r.diagnostics.get("checks") for r in self._results.values())
        return {name for t in tables if t is not None for name in t.column("check").to_pylist()}

    # -- writing ---------------------------------------------------------------------------------

    def write(self, folder: Path, journal: Journal, fail_on: Sequence[str]) -> None:
        """Write all files of the results folder; predictions are taken from the journal."""
        import pyarrow as pa

        self._parquet(folder, "targets", pa.Table.from_pandas(self.held.targets()))
        self._parquet(folder, "split", self._split())
        self._write_predictions(folder / "predictions.parquet", journal)
        status, scores = self._status_and_scores()
        self._parquet(folder, "scores", scores)
        self._parquet(folder, "status", status)
        self._parquet(folder, "groups", groups_table(self._units(), self.task.name))
        self._parquet(folder, "calibration", calibration_table(self._units(), self.task.name))
        for kind in KINDS:
            self._parquet(folder, kind, self._diagnostic(kind))
        self._parquet(folder, "problems", pa.Table.from_pandas(self.suite.problems))
        self._parquet(folder, "timings", self._timings())
        text = json.dumps(self._manifest(fail_on), indent=2, ensure_ascii=False, default=str)
        # settings may hold halves of characters: these stay escapes of JSON
        (folder / "manifest.json").write_text(
            text + "\n", encoding="utf-8", errors="backslashreplace"
        )

    def _parquet(self, folder: Path, name: str, table: pa.Table) -> None:
        import pyarrow.parquet as pq

        table = table.replace_schema_metadata(None)
        pq.write_table(table, folder / f"{name}.parquet", compression="zstd")

    def _units(self) -> Iterator[tuple[Spec, Fold, UnitResult | None]]:
        for spec in self.specs:
            for fold in self.folds:
                yield spec, fold, self._results.get((spec.name, fold.seed, fold.fold))

    def _split(self) -> pa.Table:
        import pyarrow as pa

        names = self.held.runs["target"].to_numpy()
        rows = [
            (f.seed, f.fold, target, None if np.isnan(near) else float(near))
            for f in self.folds
            for target, near in zip(names[f.test], self.held.closest(f)[f.test], strict=True)
        ]
        seeds, folds, targets, closest = zip(*rows, strict=True) if rows else ((), (), (), ())
        return pa.table(
            {
                "task": _word(self.task.name, len(rows)),
                "seed": pa.array(seeds, pa.int32()),
                "fold": pa.array(folds, pa.int32()),
                "target": pa.array(targets, pa.string()),
                "role": _word("test", len(rows)),
                "closest": pa.array(closest, pa.float64()),
            }
        )

    def _write_predictions(self, path: Path, journal: Journal) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        text = pa.dictionary(pa.int32(), pa.string())
        schema = pa.schema(
            [
                ("predictor", text),
                ("settings_hash", text),
                ("task", text),
                ("seed", pa.int32()),
                ("fold", pa.int32()),
                ("k", pa.int32()),
                ("target", text),
                ("output_type", text),
                ("output_type_id", text),
                ("value", pa.float64()),
            ]
        )
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for spec, fold, _ in self._units():
                for k in self.ks:
                    part = journal.predictions(spec, fold, k)
                    if part is None:
                        continue
                    table = read_table(part)
                    n = table.num_rows
                    key = {
                        "predictor": _word(spec.name, n),
                        "settings_hash": _word(spec.settings_hash, n),
                        "task": _word(self.task.name, n),
                        "seed": pa.repeat(pa.scalar(fold.seed, pa.int32()), n),
                        "fold": pa.repeat(pa.scalar(fold.fold, pa.int32()), n),
                        "k": pa.repeat(pa.scalar(k, pa.int32()), n),
                    }
                    columns = {name: table.column(name) for name in schema.names[len(KEY) :]}
                    writer.write_table(pa.table({**key, **columns}).cast(schema))

    def _status_and_scores(self) -> tuple[pa.Table, pa.Table]:
        reference = self._reference()
        name = self.task.name
        status = _Rows(name, ("target", "status", "imputed", "outside", "message"))
        scores = _Rows(name, ("target", "rule", "value"))
        for spec in self.specs:
            why = self._described[spec.name][1]
            for seed in dict.fromkeys(fold.seed for fold in self.folds):
                folds = [fold for fold in self.folds if fold.seed == seed]
                if why is not None:
                    for fold in folds:
                        self._not_applicable(status, spec, fold, why)
                    continue
                self._seed_of(spec, seed, folds, reference, status, scores)
        return status.table(), scores.table()

    def _seed_of(
        self,
        spec: Spec,
        seed: int,
        folds: Sequence[Fold],
        reference: dict[int, dict[tuple[int, str], dict[str, float]]],
        status: _Rows,
        scores: _Rows,
    ) -> None:
        """Write one predictor's statuses and scores of one seed, penalties included."""
        results = [self._results[(spec.name, seed, fold.fold)] for fold in folds]
        own = [row for result in results for row in result.scores]
        for fold, result in zip(folds, results, strict=True):
            failed = [(k, t) for k, t, state, _, _ in result.status if state in FAILED]
            imputed = penalties(failed, own, reference.get(seed, {}), result.uniform)
            punished = {(k, target) for k, target, _ in imputed}
            for k, target, state, outside, message in sorted(
                result.status, key=lambda row: (row[0], row[1])
            ):
                flag = (k, target) in punished
                status.add(spec, fold, k, target, state, flag, outside, message or None)
            for k, target, losses in sorted(
                [*result.scores, *imputed], key=lambda row: (row[0], row[1])
            ):
                for rule, value in losses.items():
                    scores.add(spec, fold, k, target, rule, value)

    def _not_applicable(self, status: _Rows, spec: Spec, fold: Fold, why: str) -> None:
        for k in self.ks:
            for target in self.held.asked(fold, k, self.task):
                status.add(spec, fold, k, target, "not_applicable", False, 0.0, why)

    def _reference(self) -> dict[int, dict[tuple[int, str], dict[str, float]]]:
        """Seed → (k, target) → losses of the task's reference."""
        from harness.spec import spec_of

        wanted = spec_of(self.task.reference)
        spec = next(s for s in self.specs if s == wanted)
        out: dict[int, dict[tuple[int, str], dict[str, float]]] = {}
        for fold in self.folds:
            result = self._results.get((spec.name, fold.seed, fold.fold), UnitResult())
            for k, target, losses in result.scores:
                out.setdefault(fold.seed, {})[(k, target)] = losses
        return out

    def _diagnostic(self, kind: str) -> pa.Table:
        import pyarrow as pa

        wanted = schema(kind)
        parts = []
        for spec, fold, result in self._units():
            if result is None or kind not in result.diagnostics:
                continue
            table = result.diagnostics[kind]
            n = table.num_rows
            key = {
                "predictor": _word(spec.name, n),
                "settings_hash": _word(spec.settings_hash, n),
                "task": _word(self.task.name, n),
                "seed": pa.repeat(pa.scalar(fold.seed, pa.int32()), n),
                "fold": pa.repeat(pa.scalar(fold.fold, pa.int32()), n),
            }
            parts.append(pa.table({**key, **{c: table.column(c) for c in wanted.names}}))
        if parts:
            return pa.concat_tables(parts).unify_dictionaries()
        text = pa.dictionary(pa.int32(), pa.string())
        key_fields = [(c, text) for c in KEY[:3]] + [(c, pa.int32()) for c in KEY[3:5]]
        return pa.schema([*key_fields, *wanted]).empty_table()

    def _timings(self) -> pa.Table:
        import pyarrow as pa

        rows = [
            (spec.name, fold.seed, fold.fold, *timing)
            for spec, fold, result in self._units()
            if result is not None
            for timing in result.timings
        ]
        names = ("predictor", "seed", "fold", "k", "phase", "wall_s", "cpu_s")
        types = (
            pa.string(),
            pa.int32(),
            pa.int32(),
            pa.int32(),
            pa.string(),
            pa.float64(),
            pa.float64(),
        )
        columns = zip(*rows, strict=True) if rows else [()] * len(names)
        return pa.table({n: pa.array(c, t) for n, c, t in zip(names, columns, types, strict=True)})

    def _manifest(self, fail_on: Sequence[str]) -> dict[str, Any]:
        kinds = self.suite.runs[["source", "kind"]].drop_duplicates().to_dict("records")
        return {
            "benchcast": _version("benchcast"),
            "scorer": SCORER_VERSION,
            "command": list(self.command) if self.command is not None else None,
            "task": self.task.name,
            "predicts": self.task.predicts,
            "hold_out": list(self.task.hold_out),
            "information": self.task.information,
            "reference": self.task.reference,
            "seeds": sorted({fold.seed for fold in self.folds}),
            "folds": max((fold.fold for fold in self.folds), default=-1) + 1,
            "k": self.ks,
            "sources": kinds,
            "selection": {
                key: list(value) if isinstance(value, tuple) else value
                for key, value in vars(self.suite.selection).items()
            },
            "notes": list(self.suite.notes),
            "note": demo_note(self.suite),
            "isolation": self.isolation,
            "leaks": {
                "treatment": self.leaks,
                **facts(
                    self.held.strict_relations if self.leaks == "strict" else self.held.relations
                ),
            },
            "made_of": {**made_of(self.suite, self.design), "fail_on": sorted(fail_on)},
            "sha256": self.held.hashes(self.folds),
            "identity": self.identity(fail_on),
            "predictors": [self._predictor(spec) for spec in self.specs],
            "libraries": {name: _version(name) for name in LIBRARIES},
            "host": {
                "python": platform.python_version(),
                "platform": platform.platform(),
                "machine": platform.machine(),
                "cpus": os.cpu_count(),
                "implementation": sys.implementation.name,
            },
        }

    def _predictor(self, spec: Spec) -> dict[str, Any]:
        description, why = self._described[spec.name]
        status, reason = self._outcome(spec, description, why)
        description = {k: _utf8(v) if isinstance(v, str) else v for k, v in description.items()}
        return {
            "name": spec.name,
            "spec": spec.text,
            "class": description.get("class", spec.cls),
            "settings": dict(spec.settings),
            "settings_hash": spec.settings_hash,
            "code_hash": description.get("code_hash"),
            "kind": description.get("kind"),
            "needs": description.get("needs"),
            "min_k": description.get("min_k"),
            "summary": description.get("summary"),
            "status": status,
            "reason": None if reason is None else _utf8(reason),
            "failed_checks": failed_checks(
                [r.diagnostics["checks"] for r in self._of(spec) if "checks" in r.diagnostics]
            ),
            **{f"{kind}_error": self._error(spec, kind) for kind in KINDS},
        }

    def _of(self, spec: Spec) -> list[UnitResult]:
        """Give the results of a predictor's folds."""
        return [r for s, _, r in self._units() if s.name == spec.name and r is not None]

    def _error(self, spec: Spec, kind: str) -> str | None:
        """Give the first reason why a diagnostic that the predictor offers is missing."""
        errors = (result.diagnostic_errors.get(kind) for result in self._of(spec))
        return next((_utf8(error) for error in errors if error), None)

    def _outcome(
        self, spec: Spec, description: dict[str, Any], why: str | None
    ) -> tuple[str, str | None]:
        if why is not None:
            return "not_applicable", why
        rows = [row for result in self._of(spec) for row in result.status]
        states = {row[2] for row in rows}
        if states == {"not_applicable"}:
            return "not_applicable", rows[0][4]
        if rows and "ok" not in states:
            return "failed", str(description.get("message") or rows[0][4])
        return "evaluated", None


class _Rows:
    """Collects rows of status or scores in typed arrays; words are stored once, as codes."""

    _WORDS = frozenset(
        {"predictor", "settings_hash", "task", "target", "rule", "status", "message"}
    )

    def __init__(self, task: str, names: Sequence[str]) -> None:
        self._task = task
        self._names = (*KEY, *names)
        self._codes: dict[str, dict[str, int]] = {n: {} for n in self._names if n in self._WORDS}
        kinds = {"value": "d", "outside": "d", "imputed": "b"}
        self._columns = [array(kinds.get(name, "i")) for name in self._names]

    def add(self, spec: Spec, fold: Fold, k: int, *values: Any) -> None:
        row = (spec.name, spec.settings_hash, self._task, fold.seed, fold.fold, k, *values)
        for name, column, value in zip(self._names, self._columns, row, strict=True):
            if name not in self._WORDS:
                column.append(value)
            elif value is None:
                column.append(-1)
            else:
                codes = self._codes[name]
                column.append(codes.setdefault(value, len(codes)))

    def table(self) -> pa.Table:
        import pyarrow as pa

        out: dict[str, Any] = {}
        for name, column in zip(self._names, self._columns, strict=True):
            numbers = np.frombuffer(column, dtype=column.typecode) if column else np.empty(0)
            if name in self._WORDS:
                codes = np.asarray(numbers, dtype=np.int32)
                indices = pa.array(codes, mask=codes < 0)
                words = pa.array([_utf8(word) for word in self._codes[name]], pa.string())
                out[name] = pa.DictionaryArray.from_arrays(indices, words)
            elif name == "imputed":
                out[name] = pa.array(np.asarray(numbers, dtype=bool))
            else:
                kind = np.float64 if column.typecode == "d" else np.int32
                out[name] = pa.array(np.asarray(numbers, dtype=kind))
        return pa.table(out)


def demo_note(suite: Suite) -> str | None:
    """Say in words when a source is the demo set that comes with the package."""
    from suites.demo_data import cache_dir

    root = str(cache_dir())
    if any(root in entry.run.location for entry in suite.entries):
        return (
            "The models of this demo are stand-ins: made-up models with made-up answers. "
            "Their ranking says nothing about real ones."
        )
    return None


def _utf8(word: str) -> str:
    """Escape halves of characters, which predictors may write and files cannot hold."""
    return word.encode("utf-8", "backslashreplace").decode("utf-8")


def _word(word: str, n: int) -> pa.DictionaryArray:
    import pyarrow as pa

    return pa.DictionaryArray.from_arrays(
        pa.array(np.zeros(n, np.int32)), pa.array([word], pa.string())
    )


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
