"""What every reader gives: descriptions of runs first, their tables on request.

A reader is a class registered under the entry-point group ``benchcast.readers``. The descriptions
come from small files (HELM: run_spec.json and stats.json); a table is read when it is asked for.
"""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from suites.identity import Identity
from suites.metric_rules import MetricRules
from suites.problem import Problem

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

FRAMES: tuple[str, ...] = ("run_specs", "scenario_state", "stats", "per_instance_stats")


@dataclass(frozen=True)
class Figure:
    """One published number of a run: a metric at a part under a perturbation.

    Attributes
    ----------
    metric, part, perturbation : str
        Which number; ``perturbation`` is canonical JSON, None when unperturbed.
    value : float
        The published value; NaN when the source has none.
    n : int or None
        Number of instances behind it.
    binary : bool or None
        Whether it is a count of ones over n; None where the published figures cannot tell.
    lower, upper : float or None
        The metric's range, None where unknown.
    higher_is_better : bool or None
        Its direction, None where unknown.
    """

    metric: str
    part: str | None
    perturbation: str | None
    value: float
    n: int | None
    binary: bool | None = None
    lower: float | None = None
    upper: float | None = None
    higher_is_better: bool | None = None


@dataclass(frozen=True)
class RunDescription:
    """What is known of a run before its responses are read.

    Attributes
    ----------
    run : str
        Its id, unique within the source: ``<HELM suite>/<run_spec.name>``. It may be made longer
        when another source has the same id, so a reader finds a run by `location` and `name`.
    name : str
        The source's own label: HELM's ``run_spec.name``.
    source, kind, location : str
        The source as the user named it, the reader's kind, and where the run lies.
    model, organisation, family, scenario, scenario_group : str
        Its identity, after the user's own names were applied.
    condition : str
        Hash of `condition_fields`.
    condition_fields : mapping
        How it was asked.
    figures : sequence of Figure
        Its published numbers.
    main : tuple of (str, str or None, str)
        Its main metric, that metric's part, and why it was chosen.
    date : datetime or None
        When it ran.
    order : tuple
        Sorts the reruns of a cell, latest last (HELM: release, then the suite's natural order).
    folds : mapping of str to int
        Folds that the source itself prescribes, by name; empty as a rule.
    unfinished : str or None
        Why its figures are not those of a complete run; None when it is one. Such a run is left
        out unless the selection asks for it.
    details : mapping
        What the source says of it beside all this, under names of its own (``inspect.…``).
    """

    run: str
    name: str
    source: str
    kind: str
    location: str
    model: str
    organisation: str | None
    family: str | None
    scenario: str
    scenario_group: str
    condition: str
    condition_fields: Mapping[str, Any]
    figures: Sequence[Figure]
    main: tuple[str, str | None, str]
    date: dt.datetime | None = None
    order: tuple[Any, ...] = ()
    folds: Mapping[str, int] = field(default_factory=dict)
    unfinished: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ReadOptions:
    """What the user asked of all readers.

    Attributes
    ----------
    identity : Identity
        The user's own names.
    metrics : MetricRules
        The user's own facts of metrics: ranges, directions, what texts count as.
    error_policy : str
        ``as-logged``, ``exclude`` or ``incorrect``: what a failed response counts as.
    table : mapping or None
        The content of the YAML file that explains a table (``--table-spec``).
    table_path : str or None
        Where that file lies; the files it names are relative to it.
    """

    identity: Identity = field(default_factory=Identity)
    metrics: MetricRules = field(default_factory=MetricRules)
    error_policy: str = "as-logged"
    table: Mapping[str, Any] | None = None
    table_path: str | None = None


class Reader(ABC):
    """Reads one source. Subclasses are registered under ``benchcast.readers``.

    A kind whose sources depend on each other (a retried evaluation lies beside its first try) sets
    `together` and gives `open_together`; then all its sources are opened as one.
    """

    kind: ClassVar[str]
    together: ClassVar[bool] = False

    @classmethod
    @abstractmethod
    def accepts(cls, source: str) -> bool:
        """Say, from its content, whether this reader can read the source. Never raises."""

    @classmethod
    @abstractmethod
    def open(cls, source: str, options: ReadOptions, report: Callable[[Problem], None]) -> Reader:
        """Open a source; problems are reported, not raised.

        Raises
        ------
        UsageError
            Only when nothing of the source can be read and the user can mend that.
        """

    @classmethod
    def open_together(
        cls,
        sources: Sequence[tuple[str, str]],
        options: ReadOptions,
        report: Callable[[Problem], None],
    ) -> Reader:
        """Open several sources as one, where the kind is read `together`.

        Parameters
        ----------
        sources : sequence of (str, str)
            Each source as the user named it, and its path or URL. A run's ``source`` is the name.
        options, report
            As `open`.
        """
        raise NotImplementedError

    @abstractmethod
    def runs(self) -> Iterator[RunDescription]:
        """Describe the runs, in a stable order."""

    @abstractmethod
    def responses(
        self, run: RunDescription, metrics: Collection[str] | None = None
    ) -> pa.Table | None:
        """Read one run's responses (`suites.schema.RESPONSES`); None where the source has none.

        Parameters
        ----------
        run : RunDescription
            One of `runs`.
        metrics : collection of str, optional
            Only these metrics; all of them by default.
        """

    def detailed(
        self, run: RunDescription, metrics: Collection[str] | None = None
    ) -> pa.Table | None:
        """Read one run's responses with further columns of the source's own (``inspect.…``).

        By default the same as `responses`.
        """
        return self.responses(run, metrics)

    def instance_hashes(self, run: RunDescription) -> Mapping[str, str]:
        """Hash the texts of a run's instances: instance → hash; empty where there are no texts.

        Equal hashes are equal questions, under whatever id or scenario. By default from the column
        ``instance_hash`` of `detailed`.
        """
        table = self.detailed(run)
        if table is None:
            return {}
        pairs = zip(
            table.column("instance").to_pylist(),
            table.column("instance_hash").to_pylist(),
            strict=True,
        )
        return {name: digest for name, digest in pairs if name is not None and digest is not None}

    def frame(self, run: RunDescription, table: str) -> pd.DataFrame | None:
        """Read one of the four HELM frames of a run (`FRAMES`); None where there are none."""
        return None

    def models(self) -> pd.DataFrame | None:
        """Give metadata of models, a column ``model`` and others; None where there is none."""
        return None

    def scenarios(self) -> pd.DataFrame | None:
        """Give metadata of scenarios, a column ``scenario`` and others; None where none."""
        return None

    def recompute(self, run: RunDescription, figure: Figure, responses: pa.Table) -> float | None:
        """Recompute a figure from its responses by the source's own rule.

        Returns None where that cannot be done. By default the weighted mean of the values.
        """
        import numpy as np

        value = responses.column("value").to_numpy(zero_copy_only=False)
        weight = responses.column("weight").to_numpy(zero_copy_only=False)
        ok = np.isfinite(value)
        total = weight[ok].sum()
        with np.errstate(over="ignore", invalid="ignore"):  # of values near a float's range
            return float((weight[ok] * value[ok]).sum() / total) if total > 0 else None
