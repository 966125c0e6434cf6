"""What an evaluation holds: the shards of all runs, the truth, and the folds.

Only the parent has a `HeldOut`; predictors get folders and tables that it makes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.agreement import Agreement, agreement_of
from harness.fold_folder import FoldFolder
from harness.fold_view import FoldView, view_of
from harness.information import TARGET_COLUMNS
from harness.judging import TargetFacts
from harness.leaks import Print, Relations, find_relations, fingerprint
from harness.plain import plain
from harness.releases import mark_releases
from harness.shards import (
    frame_to_table,
    read_table,
    shard_name,
    table_to_frame,
    write_table,
)
from harness.split import Fold, make_folds, prescribed_folds, shown_order
from harness.task import Task
from suites.errors import UsageError
from suites.reader import FRAMES
from suites.schema import RUNS, arrow_schema, frame_of
from suites.suite import Suite, behind

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

_MOST_COMPARED = 600
"""Models of which all pairs are compared response by response; more would take minutes."""


class HeldOut:
    """The runs of a suite, written down as shards, with their truth.

    Parameters
    ----------
    suite : Suite
        What was read; every run's responses are read once, here.
    folder : Path
        Where shards and fold folders go.
    frames : bool
        Whether the HELM frames are needed too.
    progress : callable, optional
        Called with (runs done, runs in all).

    Attributes
    ----------
    runs : DataFrame
        All runs (`suites.schema.RUNS`) with what their responses tell, and the column ``target``.
    instances : dict of str to list of str
        Target → ids of its instances (empty where the source has no responses).
    facts : dict of str to TargetFacts
        Target → truth and grid.
    has_responses, has_frames : bool
        What the source has.
    """

    def __init__(
        self,
        suite: Suite,
        folder: Path,
        *,
        frames: bool,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.suite = suite
        self.folder = folder
        self.shards = folder / "shards"
        self.shards.mkdir(parents=True)
        self.instances: dict[str, list[str]] = {}
        self._digest = hashlib.sha256()
        self._prints: dict[str, Print] = {}
        self.runs = self._write_responses(progress)
        self.has_responses = any(self.instances.values())
        self.has_frames = frames and self._write_frames()
        self.facts: dict[str, TargetFacts] = {
            str(row.target): _facts(row, self.instances) for row in self.runs.itertuples()
        }

    # -- shards ----------------------------------------------------------------------------------

    def _write_responses(self, progress: Callable[[int, int], None] | None) -> pd.DataFrame:
        import pyarrow as pa
        import pyarrow.compute as pc

        rows: list[dict[str, Any]] = self.suite.runs.to_dict("records")  # type: ignore[assignment]
        described = {(str(row["run"]), target_id(row)): row for row in rows}
        for done, run in enumerate(self.suite.by_run, start=1):
            tables = []
            for entry, table in self.suite.responses_of(run):
                figure = entry.figure
                named = {"run": run, "metric": figure.metric, "part": figure.part}
                target = target_id({**named, "perturbation": figure.perturbation})
                described[(run, target)].update(self.suite.observed(entry, table))
                self.instances[target] = []
                if table is not None and table.num_rows:
                    ids = pc.unique(table.column("instance").drop_null()).to_pylist()
                    self.instances[target] = ids
                    tables.append(table)
                    self._hash(target, table)
                    self._prints[target] = fingerprint(table)
            if tables:
                whole = pa.concat_tables(tables).unify_dictionaries()
                write_table(self.shards / f"{shard_name(run)}.responses.arrow", whole)
            if progress is not None:
                progress(done, len(self.suite.by_run))
        runs = frame_of(RUNS, described.values())
        runs["target"] = [target for _, target in described]
        return runs

    def _hash(self, target: str, table: Any) -> None:
        self._digest.update(target.encode())
        self._digest.update("\x1f".join(map(str, table.column("instance").to_pylist())).encode())
        self._digest.update(table.column("value").to_numpy(zero_copy_only=False).tobytes())

    def _write_frames(self) -> bool:
        found = False
        for run, entries in self.suite.by_run.items():
            for name in FRAMES:
                frame = entries[0].reader.frame(entries[0].run, name)
                if frame is not None:
                    found = True
                    path = self.shards / f"{shard_name(run)}.{name}.arrow"
                    write_table(path, frame_to_table(frame))
        return found

    # -- truth -----------------------------------------------------------------------------------

    def targets(self) -> pd.DataFrame:
        """Give all targets with their truth: ``target``, their description, ``value``."""
        return self.runs[["target", *TARGET_COLUMNS, "value"]].reset_index(drop=True)

    def hashes(self, folds: Sequence[Fold]) -> dict[str, str]:
        """Give the sha256 of the data, the truth and the split."""
        truth = hashlib.sha256()
        for row in self.runs.itertuples():
            truth.update(f"{row.target}\x1f{row.value!r}\x1f{row.n}\n".encode())
        split = hashlib.sha256()
        for fold in folds:
            held = self.runs["target"].to_numpy()[fold.test]
            split.update(f"{fold.seed}\x1f{fold.fold}\x1f".encode() + "\x1f".join(held).encode())
        return {
            "data": self._digest.hexdigest(),
            "truth": truth.hexdigest(),
            "split": split.hexdigest(),
        }

    @cached_property
    def relations(self) -> Relations:
        """Models and scenarios that are the same under two names."""
        return find_relations(self.runs, self._prints, self.suite.scenario_texts)

    @cached_property
    def strict_relations(self) -> Relations:
        """The same, and models that are near-duplicates."""
        near = self.agreement.near_duplicates() if self.agreement is not None else []
        return find_relations(self.runs, self._prints, self.suite.scenario_texts, near)

    @cached_property
    def agreement(self) -> Agreement | None:
        """How alike the models answer; None without responses, or of too many models."""
        if not self.has_responses or self.runs["model"].nunique() > _MOST_COMPARED:
            return None
        return agreement_of(self.runs, self.shards)

    def closest(self, fold: Fold) -> NDArray[np.float64]:
        """Give the greatest agreement of each run's model with a train model; NaN where unknown.

        Returns
        -------
        ndarray of float, shape (rows of the runs,)
        """
        agreement = self.agreement
        if agreement is None:
            return np.full(len(self.runs), np.nan)
        known = set(self.runs.loc[fold.train, "model"])
        train = np.array([name in known for name in agreement.models])
        of_model = dict(zip(agreement.models, agreement.closest(train), strict=True))
        return np.array([of_model[str(name)] for name in self.runs["model"]], float)

    # -- folds -----------------------------------------------------------------------------------

    def folds(
        self, task: Task, folds: int | str, seeds: Sequence[int], *, leaks: str = "block"
    ) -> list[Fold]:
        """Make the folds of all seeds, or take those that the source prescribes.

        Parameters
        ----------
        task : Task
            What is held out together.
        folds : int or str
            How many, ``each`` for one per unit, or the name (a glob for several) of folds that the
            source prescribes; then each name stands for a seed, 0, 1 …
        seeds : sequence of int
            Of the shufflings.
        leaks : str
            ``block``: what is the same under two names is held out together (`relations`);
            ``strict``: and models that are near-duplicates; ``report``: nothing is done.
        """
        if isinstance(folds, int) or folds == "each":
            runs = self.runs
            if task.choose == "latest":
                runs, cut = mark_releases(self.suite, runs, task)
                self.suite.notes.append(f"{task.name} holds out: {cut}.")
            relations = None
            if leaks != "report":
                relations = self.strict_relations if leaks == "strict" else self.relations
            return [
                fold
                for seed in seeds
                for fold in make_folds(runs, task, folds=folds, seed=seed, relations=relations)
            ]
        import fnmatch

        from suites.errors import unknown_name

        known = sorted({name for entry in self.suite.entries for name in entry.run.folds})
        names = [name for name in known if fnmatch.fnmatchcase(name, folds)]
        if not names:
            raise unknown_name("fold column", folds, known)
        of_entry = [entry.run.folds for entry in self.suite.entries]
        return [
            fold
            for seed, name in enumerate(names)
            for fold in prescribed_folds([f.get(name) for f in of_entry], seed=seed)
        ]

    def most_shown(self, fold: Fold) -> NDArray[np.int64]:
        """Give the greatest k with which each held-out run is asked for; all are with 0.

        One less than its instances; where the source has values alone, the place of its scenario
        among those of its model that are held out, in an order of their own (`shown_order`).

        Returns
        -------
        ndarray of int, shape (held-out runs,)
        """
        test = self.runs[fold.test]
        if self.has_responses:
            return np.array([len(self.instances[t]) - 1 for t in test["target"]], np.int64)
        # a scenario under two names is revealed as one
        names = self.relations.canonical(self.runs)[fold.test]
        place: dict[tuple[str, str], int] = {}
        for model, rows in names.groupby("model", sort=True):
            order = shown_order(rows["scenario"].astype(str), seed=fold.seed, cell=(str(model),))
            place |= {(str(model), scenario): i for i, scenario in enumerate(order)}
        cells = zip(names["model"].astype(str), names["scenario"].astype(str), strict=True)
        return np.array([place[cell] for cell in cells], np.int64)

    def asked(self, fold: Fold, k: int, task: Task) -> list[str]:
        """Give the held-out runs that are asked for when k responses are shown, sorted.

        With 0 these are all, or all that have responses where the task asks for these.
        """
        least = k if k or task.predicts == "instance" else -1
        names = self.runs["target"].to_numpy()[fold.test]
        return sorted(names[self.most_shown(fold) >= least])

    def public(self, runs: pd.DataFrame) -> pd.DataFrame:
        """Give runs as predictors get them, with their values."""
        rows = runs.drop(columns="target").reset_index(drop=True)
        # the source's name, not its place: where it lies is where the truth lies
        rows["source"] = rows["source"].map(os.path.basename).astype("string")
        return rows

    def write_fold(self, fold: Fold, task: Task) -> FoldView:
        """Write the input folder of a fold."""
        view = view_of(self, fold, task)
        test = self.runs[fold.test]
        train = self.runs[fold.train]
        tables = (["responses"] if self.has_responses else []) + (
            list(FRAMES) if self.has_frames else []
        )
        view.path = FoldFolder.write(
            self.folder / "folds" / f"{fold.seed}-{fold.fold}",
            shards=self.shards,
            train_runs=self.public(train),
            targets=view.described(),
            models=self.suite.models,
            scenarios=self.suite.scenarios,
            tables=tables,
            run_specs=self.frame(list(dict.fromkeys(test["run"])), "run_specs"),
            partial=self._partial(train, test),
        ).path
        return view

    def _partial(self, train: pd.DataFrame, test: pd.DataFrame) -> dict[str, pa.Table]:
        """Give the train responses of the runs of which other responses are held out."""
        import pyarrow as pa

        both = set(test["run"])
        found: dict[str, list[pa.Table]] = {}
        for row in train[train["run"].isin(both)].to_dict("records"):
            path = self.shards / f"{shard_name(row['run'])}.responses.arrow"
            keys = (str(row["metric"]), plain(row["part"]), plain(row["perturbation"]))
            tables = found.setdefault(str(row["run"]), [])
            if path.exists():
                tables.append(behind(read_table(path), *keys))
        empty = arrow_schema().empty_table()
        return {
            run: pa.concat_tables([empty, *tables]).unify_dictionaries()
            for run, tables in found.items()
        }

    def frame(self, runs: Sequence[str], name: str) -> pd.DataFrame | None:
        """Read one of the HELM frames of some runs, held out or not; None where there is none."""
        import pandas as pd

        if not self.has_frames:
            return None
        paths = [self.shards / f"{shard_name(run)}.{name}.arrow" for run in runs]
        frames = [table_to_frame(read_table(path)) for path in paths if path.exists()]
        return pd.concat(frames) if frames else None


def target_id(row: dict[str, Any]) -> str:
    """Name a target: its run, metric, part and perturbation.

    Examples
    --------
    >>> target_id({"run": "v1/r", "metric": "exact_match", "part": "test", "perturbation": None})
    'v1/r#exact_match@test'
    """
    part, perturbation = plain(row["part"]), plain(row["perturbation"])
    text = f"{row['run']}#{row['metric']}"
    text += f"@{part}" if part is not None else ""
    return text + (f"~{perturbation}" if perturbation is not None else "")


def _facts(row: Any, instances: dict[str, list[str]]) -> TargetFacts:
    n, lower, upper = plain(row.n), plain(row.lower), plain(row.upper)
    binary = plain(row.binary)
    return TargetFacts(
        value=float(row.value),
        n=None if n is None else int(n),
        binary=bool(binary) and n is not None and lower is not None and upper is not None,
        lower=None if lower is None else float(lower),
        upper=None if upper is None else float(upper),
        instances=len(instances[row.target]),
    )


def check_k(ks: Sequence[int]) -> list[int]:
    """Sort the numbers of shown responses, each once.

    Raises
    ------
    UsageError
        If one is negative, or there is none.
    """
    if not ks or any(k < 0 for k in ks):
        raise UsageError(f"k must be whole numbers of at least 0, got {list(ks)}.")
    return sorted(set(ks))
