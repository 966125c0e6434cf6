"""What one fold asks for, and what it shows, at each number k of shown responses.

Only the parent has views: a worker gets the fold's folder, which holds no truth, and with each call
the tables that a view makes for that k.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.information import TARGET_COLUMNS, visible_state
from harness.instance_table import response_ids
from harness.joint_rules import Groups
from harness.judging import Judged, Losses, Said, judge_runs
from harness.judging_responses import CellResponses, judge_responses
from harness.plain import plain
from harness.prediction_table import to_bytes
from harness.shards import frame_to_table, read_table, shard_name
from harness.split import Fold, shown_order
from harness.task import Task
from suites.schema import CELL, arrow_schema
from suites.suite import behind

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

    from harness.held_out import HeldOut

__all__ = ["FoldView", "InstanceView", "view_of"]


def view_of(held: HeldOut, fold: Fold, task: Task) -> FoldView:
    """Give the view of a fold that a task asks for; it has no folder yet."""
    kind = InstanceView if task.predicts == "instance" else FoldView
    return kind(held, fold, task)


class FoldView:
    """A fold whose targets are runs.

    Where the source has responses, k of each target are shown. Where it has only the values of
    runs, those of k of each model's held-out runs are revealed, and the others are asked for.

    Parameters
    ----------
    held : HeldOut
        The runs with their truth.
    fold : Fold
        Which of them are held out.
    task : Task
        What may be seen of them.

    Attributes
    ----------
    fold : Fold
    path : Path
        The fold's folder, once it is written.
    targets : list of str
        All runs that are held out.
    """

    key = "target"
    """The column of the shown responses that names their run's target."""

    def __init__(self, held: HeldOut, fold: Fold, task: Task) -> None:
        self._held = held
        self._task = task
        self._test = held.runs[fold.test].reset_index(drop=True)
        self._rows: list[dict[str, Any]] = [
            {str(key): plain(value) for key, value in row.items()}
            for row in self._test.to_dict("records")
        ]
        self._most = held.most_shown(fold)
        self.fold = fold
        self.path = Path()
        self.targets: list[str] = [row["target"] for row in self._rows]
        self._made: dict[tuple[str, int], Any] = {}
        self._lock = threading.RLock()  # what is made may need what is made

    def described(self) -> pd.DataFrame:
        """Give what the fold's folder holds of what is asked for, one row for each.

        Returns
        -------
        DataFrame
            ``target``, the columns that describe a target, ``instances`` (a list of ids), and
            ``most_k``, the greatest k with which it is asked for (it always is with 0).
        """
        targets = self._test[["target", *TARGET_COLUMNS]].copy()
        targets["instances"] = [self._held.instances[t] for t in self.targets]
        targets["most_k"] = self._most
        return targets

    def asked(self, k: int) -> list[str]:
        """Give the held-out runs that are asked for when k responses are shown."""
        if k == 0:
            return self.targets
        return [t for t, most in zip(self.targets, self._most, strict=True) if most >= k]

    def shown(self, k: int) -> bytes | None:
        """Give the shown responses of all targets, an Arrow stream; None without responses."""
        return self._once("shown", k, self._shown) if self._held.has_responses else None

    def state(self, k: int) -> bytes | None:
        """Give what may be seen of the targets' scenario_state; None without frames."""
        return self._once("state", k, self._state) if self._held.has_frames else None

    def revealed(self, k: int) -> bytes | None:
        """Give the held-out runs whose values are revealed, an Arrow stream; None where none is.

        They are rows of the train runs: of each model the first k of its held-out scenarios.
        """
        if k == 0 or self._held.has_responses:
            return None
        return self._once("revealed", k, self._revealed)

    def judge(self, k: int, table: pa.Table, said: Said) -> Judged:
        """Judge the answer to the call with k (`harness.judging.judge_runs`)."""
        return judge_runs(table, self.asked(k), self._held.facts, said, self._groups)

    def uniform(self, k: int, target: str) -> Losses:
        """Score the uniform distribution of a target's value."""
        return self._held.facts[target].uniform(target)

    @cached_property
    def _groups(self) -> Groups:
        return Groups(self._test, self._held.runs[self.fold.train])

    # -- what is shown ---------------------------------------------------------------------------

    def _once(self, what: str, k: int, make: Callable[[int], Any]) -> Any:
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
        schema = arrow_schema().append(pa.field(self.key, text))
        tables, ranks, counts = [], [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        for row in self._rows:
            rank = self._rank[row["target"]]
            if not rank:
                continue
            path = self._held.shards / f"{shard_name(row['run'])}.responses.arrow"
            part = behind(read_table(path), row["metric"], row["part"], row["perturbation"])
            codes = pa.array(np.zeros(part.num_rows, np.int32))
            name = pa.DictionaryArray.from_arrays(codes, pa.array([row["target"]]))
            tables.append(part.append_column(schema.field(self.key), name))
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

    def _revealed(self, k: int) -> bytes:
        import pyarrow as pa

        runs = self._held.public(self._test[self._most < k])
        return to_bytes(pa.Table.from_pandas(runs, preserve_index=False))


class InstanceView(FoldView):
    """A fold whose targets are the single responses that are not shown, of every held-out run.

    Runs are what is judged, and what has a status: their responses together.
    """

    key = "cell"

    @cached_property
    def _asked(self) -> tuple[pa.Table, list[str], NDArray[np.int64]]:
        """The responses that can be asked for, a name and the greatest k of each."""
        import pyarrow as pa
        import pyarrow.compute as pc

        table, rank, _ = self._responses
        value = table.column("value").to_numpy(zero_copy_only=False)
        ok = pc.equal(table.column("status").cast(pa.string()), "ok").to_numpy(zero_copy_only=False)
        keep = np.isfinite(value) & np.asarray(ok, bool)
        names = (self.key, "instance", "trial", "sub_part")
        ids = response_ids(*(table.column(name).to_pylist() for name in names))
        kept = [name for name, wanted in zip(ids, keep, strict=True) if wanted]
        return table.filter(pa.array(keep)), kept, rank[keep]

    def described(self) -> pd.DataFrame:
        """Give what the fold's folder holds of what is asked for, one row for each.

        Returns
        -------
        DataFrame
            ``target``, ``cell`` (the run's target), the columns that describe the run,
            ``instance``, ``trial``, ``sub_part``, and ``most_k``, the greatest k with which the
            response is asked for.
        """
        import pandas as pd

        table, names, most = self._asked
        cells = table.column(self.key).combine_chunks()
        place = {name: i for i, name in enumerate(self.targets)}
        words = [place[word] for word in cells.dictionary.to_pylist()]
        rows = np.array(words, np.int64)[cells.indices.to_numpy()]
        described = self._test.iloc[rows].reset_index(drop=True)
        out = described[["target", *TARGET_COLUMNS]].rename(columns={"target": self.key})
        out.insert(0, "target", pd.array(names, dtype="string"))
        for name in ("instance", "trial", "sub_part"):
            out[name] = table.column(name).to_pandas().to_numpy()
        out["most_k"] = most
        return out

    def cells(self, k: int) -> dict[str, CellResponses]:
        """Give the truth: of each run its responses that are asked for with k."""
        return dict(self._once("cells", k, self._cells))

    def asked(self, k: int) -> list[str]:
        """Give the held-out runs of which responses are asked for when k are shown."""
        return list(self.cells(k))

    def judge(self, k: int, table: pa.Table, said: Said) -> Judged:
        """Judge the answer to the call with k (`judge_responses`)."""
        return judge_responses(table, self.cells(k), said)

    def uniform(self, k: int, target: str) -> Losses:
        """Score the uniform distribution of a run's responses."""
        return self.cells(k)[target].uniform()

    def _cells(self, k: int) -> dict[str, CellResponses]:
        table, names, most = self._asked
        of = table.column(self.key).to_pylist()
        value = table.column("value").to_numpy(zero_copy_only=False)
        found: dict[str, list[int]] = {target: [] for target in self.targets}
        for i in np.flatnonzero((most >= k) | (k == 0)).tolist():
            found[of[i]].append(i)
        facts = self._held.facts
        return {
            t: CellResponses([names[i] for i in rows], value[rows], facts[t].lower, facts[t].upper)
            for t, rows in found.items()
            if rows
        }
