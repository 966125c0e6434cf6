"""The same source with other values where a predictor cannot see them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from suites.problem import Problem
from suites.reader import Figure, Reader, ReadOptions, RunDescription
from suites.suite import Suite, behind

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["Number", "altered"]

Number = tuple[str, str, str | None, str | None]
"""What names a number of a run: run, metric, part, perturbation."""


def altered(suite: Suite, seen: Mapping[Number, Collection[str]]) -> Suite:
    """Give a suite that differs from another only in what is not seen of some numbers.

    Parameters
    ----------
    suite : Suite
        What was read.
    seen : mapping of (run, metric, part, perturbation) to collection of str
        The held-out numbers and, of each, the instances that are shown. All their other responses
        get the end of the metric's range that is further from their mean, or are raised where
        there is no range, so that the number changes too.

    Returns
    -------
    Suite
        The same runs in the same order.
    """
    readers: dict[int, _Altered] = {}

    def change(reader: Reader, run: RunDescription) -> tuple[Reader, RunDescription]:
        other = readers.setdefault(id(reader), _Altered(reader, seen))
        figures = [other.figure(run, figure) for figure in run.figures]
        return other, replace(run, figures=figures)

    return suite.through(change)


class _Altered(Reader):
    """Reads what another reader reads, with other values where nothing is seen."""

    kind = "altered"

    def __init__(self, inner: Reader, seen: Mapping[Number, Collection[str]]) -> None:
        self._inner = inner
        self._seen = seen

    def figure(self, run: RunDescription, figure: Figure) -> Figure:
        """Give a number of a run with the value that its altered responses have."""
        import numpy as np

        seen = self._seen.get((run.run, figure.metric, figure.part, figure.perturbation))
        if seen is None:
            return figure
        table = self.responses(run, {figure.metric})
        value = None
        if table is not None:
            own = behind(table, figure.metric, figure.part, figure.perturbation)
            value = self._inner.recompute(run, figure, own) if own.num_rows else None
        if value is None:
            value = float(_other(np.array([figure.value]), figure.lower, figure.upper)[0])
        return replace(figure, value=value)

    def responses(
        self, run: RunDescription, metrics: Collection[str] | None = None
    ) -> pa.Table | None:
        import numpy as np
        import pyarrow as pa

        table = self._inner.responses(run, metrics)
        if table is None:
            return None
        value = table.column("value").to_numpy(zero_copy_only=False).copy()
        names = ("metric", "part", "perturbation", "instance", "lower", "upper")
        hidden: dict[tuple[Any, ...], list[int]] = {}
        for row, cells in enumerate(
            zip(*(table.column(n).to_pylist() for n in names), strict=True)
        ):
            metric, part, perturbation, instance, lower, upper = cells
            seen = self._seen.get((run.run, metric, part, perturbation))
            if seen is not None and instance not in seen and np.isfinite(value[row]):
                key = (metric, part, perturbation, lower, upper)
                hidden.setdefault(key, []).append(row)
        for (*_, lower, upper), rows in hidden.items():
            value[rows] = _other(value[rows], lower, upper)
        at = table.schema.get_field_index("value")
        return table.set_column(at, table.schema.field(at), pa.array(value, from_pandas=True))

    def recompute(self, run: RunDescription, figure: Figure, responses: pa.Table) -> float | None:
        return self._inner.recompute(run, figure, responses)

    def frame(self, run: RunDescription, table: str) -> pd.DataFrame | None:
        return self._inner.frame(run, table)

    def instance_hashes(self, run: RunDescription) -> Mapping[str, str]:
        return self._inner.instance_hashes(run)

    def models(self) -> pd.DataFrame | None:
        return self._inner.models()

    def scenarios(self) -> pd.DataFrame | None:
        return self._inner.scenarios()

    @classmethod
    def accepts(cls, source: str) -> bool:
        return False

    @classmethod
    def open(cls, source: str, options: ReadOptions, report: Callable[[Problem], None]) -> Reader:
        raise NotImplementedError

    def runs(self) -> Iterator[RunDescription]:
        yield from self._inner.runs()


def _other(
    values: NDArray[np.float64], lower: float | None, upper: float | None
) -> NDArray[np.float64]:
    """Give other values in the same range, with another mean."""
    import numpy as np

    if lower is None or upper is None:
        return np.asarray(values + 1 + np.abs(values).max())
    return np.full(len(values), lower if values.mean() > (lower + upper) / 2 else upper)
