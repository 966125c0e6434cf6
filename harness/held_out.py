"""What an evaluation holds: the shards of all runs, the truth, and what each fold may see.

Only the parent has a `HeldOut`; predictors get folders and tables that it makes.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.agreement import Agreement, agreement_of
from harness.distribution import Distribution
from harness.fold_folder import FoldFolder
from harness.information import TARGET_COLUMNS, visible_state
from harness.leaks import Print, Relations, find_relations, fingerprint
from harness.prediction_table import to_bytes
from harness.releases import mark_releases
from harness.rules import score
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
from suites.schema import CELL, RUNS, arrow_schema, frame_of
from suites.suite import Suite, behind

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

_MOST_COMPARED = 600
"""Models of which all pairs are compared response by response; more would take minutes."""


@dataclass(frozen=True, slots=True)
class TargetFacts:
    """What scoring needs to know of a target; None where unknown."""

    value: float
    n: int | None
    binary: bool
    lower: float | None
    upper: float | None
    instances: int

    def scores(self, distribution: Distribution, target: str) -> dict[str, float]:
        """Score a prediction of this target by all rules that apply (`harness.rules.score`)."""
        return score(
            distribution,
            self.value,
            target=target,
            n=self.n,
            binary=self.binary,
            lower=self.lower,
            upper=self.upper,
        )


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

    def write_fold(self, fold: Fold, task: Task) -> FoldView:
        """Write the input folder of a fold."""
        test = self.runs[fold.test].reset_index(drop=True)
        train = self.runs[fold.train].reset_index(drop=True)
        train_runs = train.drop(columns="target")
        # the source's name, not its place: where it lies is where the truth lies
        train_runs["source"] = train_runs["source"].map(os.path.basename).astype("string")
        targets = test[["target", *TARGET_COLUMNS]].copy()
        targets["instances"] = [self.instances[t] for t in test["target"]]
        tables = (["responses"] if self.has_responses else []) + (
            list(FRAMES) if self.has_frames else []
        )
        folder = FoldFolder.write(
            self.folder / "folds" / f"{fold.seed}-{fold.fold}",
            shards=self.shards,
            train_runs=train_runs,
            targets=targets,
            models=self.suite.models,
            scenarios=self.suite.scenarios,
            tables=tables,
            run_specs=self.frame(list(dict.fromkeys(test["run"])), "run_specs"),
            partial=self._partial(train, test),
        )
        return FoldView(self, fold, task, folder, test)

    def _partial(self, train: pd.DataFrame, test: pd.DataFrame) -> dict[str, pa.Table]:
        """Give the train responses of the runs of which other responses are held out."""
        import pyarrow as pa

        both = set(test["run"])
        found: dict[str, list[pa.Table]] = {}
        for row in train[train["run"].isin(both)].to_dict("records"):
            path = self.shards / f"{shard_name(row['run'])}.responses.arrow"
            keys = (str(row["metric"]), _none(row["part"]), _none(row["perturbation"]))
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


class FoldView:
    """What the parent sends with each call of one fold: shown responses, visible state.

    Attributes
    ----------
    fold : Fold
        Which fold.
    path : Path
        Its input folder.
    targets : list of str
        All its targets.
    """

    def __init__(
        self, held: HeldOut, fold: Fold, task: Task, folder: FoldFolder, test: pd.DataFrame
    ) -> None:
        self._held = held
        self._task = task
        self._rows: list[dict[str, Any]] = [
            {str(key): _none(value) for key, value in row.items()}
            for row in test.to_dict("records")
        ]
        self.fold = fold
        self.path = folder.path
        self.targets: list[str] = [row["target"] for row in self._rows]
        self._made: dict[tuple[str, int], bytes | None] = {}
        self._lock = threading.Lock()

    def asked(self, k: int) -> list[str]:
        """Give the targets that have more than k instances (all of them for k = 0)."""
        if k == 0:
            return self.targets
        return [t for t in self.targets if self._held.facts[t].instances > k]

    def shown(self, k: int) -> bytes | None:
        """Give the shown responses of all targets, an Arrow stream; None without responses."""
        return self._once("shown", k, self._shown) if self._held.has_responses else None

    def state(self, k: int) -> bytes | None:
        """Give what may be seen of the targets' scenario_state; None without frames."""
        return self._once("state", k, self._state) if self._held.has_frames else None

    def _once(self, what: str, k: int, make: Callable[[int], bytes | None]) -> bytes | None:
        with self._lock:
            if (what, k) not in self._made:
                self._made[(what, k)] = make(k)
            return self._made[(what, k)]

    @cached_property
    def _rank(self) -> dict[str, dict[str, int]]:
        """Target → instance → its place in the order of showing."""
        ranks = {}
        for row in self._rows:
            instances = self._held.instances[row["target"]]
            cell = [row[column] for column in CELL]
            order = shown_order(instances, seed=self.fold.seed, cell=cell)
            ranks[row["target"]] = {instance: i for i, instance in enumerate(order)}
        return ranks

    @cached_property
    def _responses(self) -> tuple[pa.Table, NDArray[np.int64], NDArray[np.int64]]:
        """All responses of the fold's targets, each one's rank, and its target's instances."""
        import pyarrow as pa

        text = pa.dictionary(pa.int32(), pa.string())
        schema = arrow_schema().append(pa.field("target", text))
        tables, ranks, counts = [], [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        for row in self._rows:
            rank = self._rank[row["target"]]
            if not rank:
                continue
            path = self._held.shards / f"{shard_name(row['run'])}.responses.arrow"
            part = behind(read_table(path), row["metric"], row["part"], row["perturbation"])
            codes = pa.array(np.zeros(part.num_rows, np.int32))
            name = pa.DictionaryArray.from_arrays(codes, pa.array([row["target"]]))
            tables.append(part.append_column(schema.field("target"), name))
            instances = part.column("instance").to_pylist()
            ranks.append(np.array([rank.get(i, len(rank)) for i in instances], np.int64))
            counts.append(np.full(part.num_rows, len(rank)))
        whole = pa.concat_tables(tables) if tables else schema.empty_table()
        return whole.unify_dictionaries(), np.concatenate(ranks), np.concatenate(counts)

    def _shown(self, k: int) -> bytes:
        import pyarrow as pa

        table, rank, count = self._responses
        return to_bytes(table.filter(pa.array((rank < k) & (count > k))))

    def _state(self, k: int) -> bytes | None:
        import pandas as pd

        asked = set(self.asked(k))
        shown: dict[str, set[str]] = {}
        for row in self._rows:
            if row["target"] in asked:
                seen = {i for i, rank in self._rank[row["target"]].items() if rank < k}
                shown.setdefault(row["run"], set()).update(seen)
        parts = []
        for run, instances in shown.items():
            state = self._held.frame([run], "scenario_state")
            if state is not None:
                parts.append(visible_state(state, self._task.information, instances))
        return to_bytes(frame_to_table(pd.concat(parts))) if parts else None


def target_id(row: dict[str, Any]) -> str:
    """Name a target: its run, metric, part and perturbation.

    Examples
    --------
    >>> target_id({"run": "v1/r", "metric": "exact_match", "part": "test", "perturbation": None})
    'v1/r#exact_match@test'
    """
    part, perturbation = _none(row["part"]), _none(row["perturbation"])
    text = f"{row['run']}#{row['metric']}"
    text += f"@{part}" if part is not None else ""
    return text + (f"~{perturbation}" if perturbation is not None else "")


def _facts(row: Any, instances: dict[str, list[str]]) -> TargetFacts:
    n, lower, upper = _none(row.n), _none(row.lower), _none(row.upper)
    binary = _none(row.binary)
    return TargetFacts(
        value=float(row.value),
        n=None if n is None else int(n),
        binary=bool(binary) and n is not None and lower is not None and upper is not None,
        lower=None if lower is None else float(lower),
        upper=None if upper is None else float(upper),
        instances=len(instances[row.target]),
    )


def _none(value: Any) -> Any:
    """Give None for every kind of missing value."""
    if value is None or type(value).__name__ in ("NAType", "NaTType") or value != value:
        return None
    return value


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
