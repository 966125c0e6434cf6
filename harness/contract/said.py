"""What a predictor said of targets, and how two such answers differ."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.prediction_table import Answer

__all__ = ["Said", "difference"]


class Said:
    """An answer, target by target.

    Parameters
    ----------
    answer : Answer
        What `harness.prediction_table.encode` made of it.

    Attributes
    ----------
    kind : dict of str to str
        Target → output type.
    status : dict of str to (str, str)
        What is not in order: target → status and message.
    table : pyarrow.Table
        All of it.
    """

    def __init__(self, answer: Answer) -> None:
        self.table, self.status = answer.table, answer.status
        kinds = self.table.select(["target", "output_type"]).group_by(["target", "output_type"])
        rows = kinds.aggregate([]).to_pylist()
        self.kind: dict[str, str] = {row["target"]: row["output_type"] for row in rows}

    @cached_property
    def numbers(self) -> dict[str, dict[str, float]]:
        """Target → output type id → value."""
        found: dict[str, dict[str, float]] = {}
        names = ("target", "output_type_id", "value")
        columns = [self.table.column(name).to_pylist() for name in names]
        for target, name, value in zip(*columns, strict=True):
            found.setdefault(target, {})[name] = value
        return found

    def draws(self, target: str) -> NDArray[np.float64]:
        """Give the draws of a target whose prediction is draws."""
        return np.array(list(self.numbers[target].values()))


def difference(one: Said, other: Said, tolerance: float = 0.0) -> str:
    """Say how two answers to the same targets differ; empty where they do not.

    Parameters
    ----------
    one, other : Said
    tolerance : float
        How much numbers may differ, relative to their size and at least 1.
    """
    if one.table.equals(other.table) and one.status == other.status:
        return ""
    found = list(_differing(one, other, tolerance))
    if not found:
        return ""
    of = len(one.kind | other.kind | one.status | other.status)
    return f"{len(found)} of {of} targets, such as {found[0]}"


def _differing(one: Said, other: Said, tolerance: float) -> Iterator[str]:
    for target in sorted({*one.kind, *other.kind}):
        kinds = one.kind.get(target), other.kind.get(target)
        if kinds[0] != kinds[1]:
            said = [kind or "no valid prediction" for kind in kinds]
            yield f"{target}: {said[0]}, then {said[1]}"
            continue
        a, b = one.numbers[target], other.numbers[target]
        least = 0.0 if kinds[0] == "pmf" else np.nan  # small probabilities are not stored
        names = list(a | b)
        x, y = (np.array([numbers.get(name, least) for name in names]) for numbers in (a, b))
        if a.keys() != b.keys() and kinds[0] != "pmf":
            yield f"{target}: {len(a)} numbers, then {len(b)} others ({kinds[0]})"
        elif not np.allclose(x, y, rtol=tolerance, atol=tolerance, equal_nan=True):
            worst = int(np.argmax(np.nan_to_num(np.abs(x - y), nan=np.inf)))
            yield f"{target}: {kinds[0]} {names[worst]} is {x[worst]:.6g}, then {y[worst]:.6g}"
