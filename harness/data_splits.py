"""The two halves of a split: what a predictor may learn from, and what it must predict.

Tables are read when they are first touched, so a predictor pays only for what it uses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    pass

Table = Any
"""A DataFrame, None, or a callable without arguments that reads one."""


class _Lazy:
    """An attribute that may be set to a table, or to a callable that reads it at first touch."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, split: Any, owner: type | None = None) -> Any:
        if split is None:
            return self
        value = split.__dict__.get(self.name)
        if callable(value):
            value = split.__dict__[self.name] = value()
        return value

    def __set__(self, split: Any, value: Table) -> None:
        split.__dict__[self.name] = value


class DataSplit:
    """Tables of some runs: the four HELM frames and, for every source, runs and responses.

    Parameters
    ----------
    run_specs, scenario_state, stats, per_instance_stats : DataFrame, callable or None
        The HELM frames, one row per run, request, statistic, and instance × statistic; None where
        the source has none. A callable is called once, when the frame is first touched.
    runs : DataFrame, callable or None
        One row per run: columns of `suites.schema.RUNS`.
    responses : DataFrame, callable or None
        One row per response: columns of `suites.schema.RESPONSES`.
    models, scenarios : DataFrame, callable or None
        Metadata, a column ``model`` or ``scenario`` and what the source adds.

    Examples
    --------
    >>> import pandas as pd
    >>> split = DataSplit(runs=lambda: pd.DataFrame({"run": ["a"], "value": [0.5]}))
    >>> split.runs["value"].tolist(), split.stats is None
    ([0.5], True)
    """

    run_specs: Any = _Lazy()
    scenario_state: Any = _Lazy()
    stats: Any = _Lazy()
    per_instance_stats: Any = _Lazy()
    runs: Any = _Lazy()
    responses: Any = _Lazy()
    models: Any = _Lazy()
    scenarios: Any = _Lazy()

    def __init__(
        self,
        run_specs: Table = None,
        scenario_state: Table = None,
        stats: Table = None,
        per_instance_stats: Table = None,
        *,
        runs: Table = None,
        responses: Table = None,
        models: Table = None,
        scenarios: Table = None,
    ) -> None:
        self.run_specs = run_specs
        self.scenario_state = scenario_state
        self.stats = stats
        self.per_instance_stats = per_instance_stats
        self.runs = runs
        self.responses = responses
        self.models = models
        self.scenarios = scenarios

    def __repr__(self) -> str:
        there = [name for name, value in self.__dict__.items() if value is not None]
        return f"<{type(self).__name__}: {', '.join(there) or 'empty'}>"


class TrainSplit(DataSplit):
    """What is known: runs with their values, responses and frames."""


class TestSplit(DataSplit):
    """The held-out runs with their values; it never reaches a predictor."""

    __test__ = False  # not a test class, whatever pytest thinks of the name

    def sequester(self) -> SequesteredTestSplit:
        """Give what a predictor may see of it: run_specs and scenario_state."""
        return SequesteredTestSplit(run_specs=self.run_specs, scenario_state=self.scenario_state)


class SequesteredTestSplit(DataSplit):
    """What is to be predicted: descriptions and the shown responses, never a value.

    Parameters
    ----------
    targets : DataFrame, callable or None
        One row per target: a unique ``target`` id, the identity columns of
        `suites.schema.RUNS`, ``n``, ``binary``, bounds, and ``instances``, a list of ids.
    k : int or None
        How many responses of each target are shown in `responses`.
    **tables
        As `DataSplit`; ``stats`` and ``per_instance_stats`` must not be given.

    Attributes
    ----------
    responses : DataFrame
        The shown responses only, with a further column ``target``.

    Raises
    ------
    ValueError
        If ``stats`` or ``per_instance_stats`` are given: they hold what is to be predicted.
    """

    targets: Any = _Lazy()

    def __init__(
        self,
        run_specs: Table = None,
        scenario_state: Table = None,
        stats: Table = None,
        per_instance_stats: Table = None,
        *,
        targets: Table = None,
        k: int | None = None,
        **tables: Table,
    ) -> None:
        if stats is not None or per_instance_stats is not None:
            raise ValueError("a sequestered split cannot hold stats or per_instance_stats")
        super().__init__(run_specs, scenario_state, **tables)
        self.targets = targets
        self.k = k
