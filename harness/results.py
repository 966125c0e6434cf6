"""`Results`: the record of an evaluation, a folder of Parquet files and a manifest."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suites.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

TABLES: tuple[str, ...] = (
    "targets",
    "split",
    "predictions",
    "scores",
    "status",
    "groups",
    "calibration",
    "checks",
    "loo",
    "problems",
    "timings",
)

LATER: tuple[str, ...] = ("groups", "calibration")
"""Tables that results of older versions do not have; they are read as empty."""

KEY: tuple[str, ...] = ("predictor", "settings_hash", "task", "seed", "fold", "k")
"""The columns that begin predictions, scores and status."""


class Results:
    """What an evaluation found; tables are read when they are touched.

    Parameters
    ----------
    path : Path
        The results folder.
    keep : object, optional
        Kept alive as long as the results: a temporary folder.

    Attributes
    ----------
    manifest : dict
        Versions, command, seeds, hashes, what became of each predictor.
    targets : DataFrame
        One row per target with its truth: ``target``, its description, ``value``.
    split : DataFrame
        ``task, seed, fold, target, role``, and ``closest``, the greatest share of equal responses
        of the target's model and a train model.
    predictions : DataFrame
        ``predictor, settings_hash, task, seed, fold, k, target, output_type, output_type_id,
        value``.
    scores : DataFrame
        The same key, ``target, rule, value``; losses of bounded metrics in percentage points.
    status : DataFrame
        The same key, ``target, status, imputed, outside, message``.
    groups : DataFrame
        Scores of several targets together (`harness.joint_rules`): the same key, ``by`` (model or
        scenario), ``group`` (its name), ``rule, value, targets, joint``.
    calibration : DataFrame
        Of single responses of binary metrics, how often what was predicted came true: ``predictor,
        settings_hash, task, seed, k, lower, upper`` (a bin of predicted probabilities),
        ``responses`` (their number), ``predicted``, ``observed`` (the means).
    checks, loo : DataFrame
        What predictors say of themselves (`harness.diagnostics`).
    problems, timings : DataFrame
        Problems of the sources, times.
    """

    def __init__(self, path: Path, keep: Any = None) -> None:
        self.path = path
        self._keep = keep

    @classmethod
    def load(cls, path: str | Path) -> Results:
        """Open a results folder.

        Raises
        ------
        UsageError
            If there is no such folder, or it holds no results.
        """
        folder = Path(path)
        if not folder.is_dir():
            raise UsageError(
                f"there is no folder {folder}: `harness evaluate … --out {folder}` makes one."
            )
        missing = [n for n in ("manifest.json", "scores.parquet") if not (folder / n).is_file()]
        if missing:
            raise UsageError(
                f"{folder} holds no results ({', '.join(missing)} missing): name the folder that "
                "was given to `harness evaluate --out`."
            )
        return cls(folder)

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The content of manifest.json."""
        try:
            return dict(json.loads((self.path / "manifest.json").read_text(encoding="utf-8")))
        except ValueError as err:
            raise UsageError(f"{self.path / 'manifest.json'} is damaged: {err}") from err

    @cached_property
    def targets(self) -> pd.DataFrame:
        """One row per target, with its truth."""
        return self._read("targets")

    @cached_property
    def split(self) -> pd.DataFrame:
        """Which targets each fold holds out."""
        return self._read("split")

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """All predictions, one row per number."""
        return self._read("predictions")

    @cached_property
    def scores(self) -> pd.DataFrame:
        """All scores, one row per predictor, seed, fold, k, target and rule."""
        return self._read("scores")

    @cached_property
    def status(self) -> pd.DataFrame:
        """What became of every target of every predictor."""
        return self._read("status")

    @cached_property
    def groups(self) -> pd.DataFrame:
        """Scores of several targets together."""
        return self._read("groups")

    @cached_property
    def calibration(self) -> pd.DataFrame:
        """How often what was predicted of single responses came true."""
        return self._read("calibration")

    @cached_property
    def checks(self) -> pd.DataFrame:
        """The predictors' own checks of their fits."""
        return self._read("checks")

    @cached_property
    def loo(self) -> pd.DataFrame:
        """The predictors' own leave-one-run-out tables."""
        return self._read("loo")

    @cached_property
    def problems(self) -> pd.DataFrame:
        """Problems of the sources."""
        return self._read("problems")

    @cached_property
    def timings(self) -> pd.DataFrame:
        """Wall and CPU seconds of every call."""
        return self._read("timings")

    def ranking(self, *, k: int | None = None, metric: str | None = None) -> pd.DataFrame:
        """Rank the predictors by the headline rule; see `harness.ranking.rank`.

        Parameters
        ----------
        k : int, optional
            One number of shown responses; all by default.
        metric : str, optional
            Only targets of this metric.
        """
        from harness.ranking import headline_rule, rank

        return rank(self, k=k, metric=metric, rule=headline_rule(self.scores))

    def table(self, name: str) -> pa.Table:
        """Read one of the tables as Arrow; empty where older results have none.

        Parameters
        ----------
        name : str
            One of `TABLES`.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self.path / f"{name}.parquet"
        if not path.exists():
            return pa.table({"predictor": pa.array([], pa.string())})
        try:
            return pq.read_table(path)
        except (OSError, ValueError) as err:
            raise UsageError(f"cannot read {path}: {err}") from err

    def batches(self, name: str, columns: Sequence[str], rows: int = 1 << 18) -> Iterator[Any]:
        """Read some columns of a table piece by piece, where the whole would fill the memory.

        Parameters
        ----------
        name : str
            One of `TABLES`.
        columns : sequence of str
            Their names.
        rows : int
            At most so many at once.

        Yields
        ------
        pyarrow.RecordBatch
            In the order of the rows; nothing where the table has none, or lacks a column.
        """
        import pyarrow.parquet as pq

        path = self.path / f"{name}.parquet"
        try:
            with pq.ParquetFile(path) as file:
                if set(columns) <= set(file.schema_arrow.names):
                    yield from file.iter_batches(batch_size=rows, columns=list(columns))
        except (OSError, ValueError) as err:
            raise UsageError(f"cannot read {path}: {err}") from err

    def __repr__(self) -> str:
        names = [p["name"] for p in self.manifest["predictors"]]
        return f"<Results of {self.manifest['task']}: {', '.join(names)}>"

    def _read(self, name: str) -> pd.DataFrame:
        import pandas as pd

        path = self.path / f"{name}.parquet"
        if name in LATER and not path.exists():
            return pd.DataFrame()
        try:
            return pd.read_parquet(path)
        except (OSError, ValueError) as err:
            raise UsageError(f"cannot read {path}: {err}") from err
