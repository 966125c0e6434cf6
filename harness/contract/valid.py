"""Whether an answer is complete and valid, by the rules that the harness scores with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.prediction_table import decode

if TYPE_CHECKING:
    from harness.contract.cases import Case
    from harness.contract.said import Said

__all__ = ["faults"]

_MOST_OUTSIDE = 0.5
"""How much of a prediction may lie beyond the metric's bounds, where it is collected at them."""


@dataclass(frozen=True)
class _Facts:
    n: int | None
    binary: bool
    lower: float | None
    upper: float | None
    metric: str


def faults(case: Case, k: int, said: Said) -> str:
    """Say what is wrong with an answer to all targets of a case; empty where nothing is."""
    found = list(_faults(case, k, said))
    if not found:
        return ""
    return found[0] + (f" (and {len(found) - 1} more)" if len(found) > 1 else "")


def _faults(case: Case, k: int, said: Said) -> Iterator[str]:
    targets = {row["target"]: _facts(row) for row in case.targets(k).to_dict("records")}
    open_ended = _nothing_known(case, targets)
    for target, (status, message) in said.status.items():
        if status == "missing" and target in open_ended:
            continue
        yield f"{target}: {message}" if target in targets else message
    for target, distribution, why in decode(said.table, targets):
        if distribution is None:
            yield f"{target}: {why}"
        elif not np.isfinite([distribution.mean, distribution.sd]).all():
            yield f"{target}: mean {distribution.mean}, sd {distribution.sd}"
        elif distribution.outside > _MOST_OUTSIDE:
            facts = targets[target]
            yield (
                f"{target}: {distribution.outside:.0%} of it lies beyond the bounds of its metric, "
                f"{facts.lower:g} to {facts.upper:g}"
            )


def _nothing_known(case: Case, targets: dict[str, _Facts]) -> set[str]:
    """Give the targets of metrics without a range that no train run has: no one can answer."""
    known = set(case.train().runs["metric"])
    return {
        target
        for target, facts in targets.items()
        if facts.metric not in known and (facts.lower is None or facts.upper is None)
    }


def _facts(row: dict[Any, Any]) -> _Facts:
    def there(value: Any) -> Any:
        missing = value is None or type(value).__name__ == "NAType" or value != value
        return None if missing else value

    n, lower, upper = (there(row[name]) for name in ("n", "lower", "upper"))
    if "cell" in row:  # one response
        n = None
    counted = bool(there(row["binary"])) and None not in (n, lower, upper)
    return _Facts(None if n is None else int(n), counted, lower, upper, row["metric"])
