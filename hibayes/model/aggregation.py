"""Rows that a likelihood cannot tell apart, counted together.

Trials of one probability sum to one binomial count; like outcomes of one location weigh as many as
they are. The posterior is the same, and its cost that of the different rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hibayes.model.definition import Structure, check_features
from hibayes.model.labelling import split_features
from suites.errors import UsageError


@dataclass(frozen=True)
class Cells:
    """Rows counted together.

    Attributes
    ----------
    features : dict
        Of the cells, in place of those of the rows; those that the model does not read are left
        out.
    weights : ndarray of float or None
        How many rows an observation stands for; None where each stands for one, as a sum does.
    cell : ndarray of int, shape (R,)
        The cell of each row.
    number : int
        How many cells there are. The features may be longer: what follows weighs nothing.
    """

    features: dict[str, Any]
    weights: NDArray[np.float64] | None
    cell: NDArray[np.intp]
    number: int


def cells(features: Mapping[str, Any], structure: Structure) -> Cells | None:
    """Count like rows together for sampling; None where the model does not allow it.

    Parameters
    ----------
    features : mapping
        Arrays with one value per row, numbers of levels, ``obs``.
    structure : Structure
        The model's.

    Examples
    --------
    >>> features = {"obs": np.array([1, 0, 3]), "n_total": np.array([1, 1, 4]),
    ...             "g_index": np.array([0, 0, 1]), "num_g": 2}
    >>> made = cells(features, Structure(rows=("g_index",), likelihood="binomial"))
    >>> made.features["obs"].tolist(), made.features["n_total"].tolist(), made.cell.tolist()
    ([1, 3], [2, 4], [0, 0, 1])
    """
    if structure.likelihood is None:
        return None
    if structure.likelihood == "binomial":
        made, cell, _ = _distinct(features, structure.rows)
        n = len(next(iter(made.values()), ())) if structure.rows else 1
        for name in ("obs", "n_total"):
            total = np.bincount(cell, weights=np.asarray(features[name], np.float64), minlength=n)
            made[name] = total.astype(np.int32)
        return Cells(_with_fixed(features, made), None, cell, n)
    return distinct(features, structure)


def distinct(features: Mapping[str, Any], structure: Structure) -> Cells | None:
    """Give the different rows, outcomes included, and how many there are of each.

    What the pointwise log-likelihood is computed for: rows that are alike have the same.
    """
    if structure.likelihood is None:
        return None
    outcome = ("obs", "n_total") if structure.likelihood == "binomial" else ("obs",)
    made, cell, times = _distinct(features, (*structure.rows, *outcome))
    n = len(times)
    # how many there are depends on the outcomes; filled up, programs fit other outcomes too
    fill = min(_rounded_up(n), len(cell)) - n
    made = {name: np.concatenate([x, np.repeat(x[:1], fill)]) for name, x in made.items()}
    weights = np.concatenate([times, np.zeros(fill)])
    return Cells(_with_fixed(features, made), weights, cell, n)


def check_outcomes(features: Mapping[str, Any], structure: Structure) -> None:
    """Refuse features that a likelihood cannot be computed for, before anything is sampled.

    Raises
    ------
    UsageError
        If an index is not of one of the levels, lengths differ, or an outcome is missing, not a
        whole number, or out of range.
    """
    check_features(features, ["obs"])
    kind = structure.likelihood
    if kind is None:
        return
    check_features(features, structure.rows)
    rows = {name: np.asarray(features[name]) for name in (*structure.rows, "obs")}
    if kind == "binomial":
        check_features(features, ["n_total"])
        rows["n_total"] = np.asarray(features["n_total"])
    lengths = {name: len(values) if values.ndim else 1 for name, values in rows.items()}
    if len(set(lengths.values())) > 1:
        raise UsageError(f"features of one row each must be equally long, got {lengths}.")
    if lengths["obs"] == 0:
        raise UsageError("features['obs'] is empty: no rows are left after processing.")
    for name, values in rows.items():
        if np.issubdtype(values.dtype, np.floating) and not np.isfinite(values).all():
            n = int((~np.isfinite(values)).sum())
            raise UsageError(
                f"features[{name!r}] has {n} missing or infinite values. Drop these rows with the "
                "processor drop_rows_with_missing_features."
            )
        if name.endswith("_index"):
            _check_index(name, values, features)
    _check_range(rows, structure)


def _check_index(name: str, values: NDArray[Any], features: Mapping[str, Any]) -> None:
    size = int(features[f"num_{name.removesuffix('_index')}"])
    outside = int(((values < 0) | (values >= size)).sum())
    if outside:
        raise UsageError(
            f"features[{name!r}] has {outside} values outside 0 … {size - 1}: rows whose category "
            "is missing. Drop them with the processor drop_rows_with_missing_features."
        )


def _check_range(rows: Mapping[str, NDArray[Any]], structure: Structure) -> None:
    obs = rows["obs"]
    kind = structure.likelihood
    for name in ("obs", "n_total"):
        if name in rows and (rows[name] != np.floor(rows[name])).any():
            value = float(rows[name][rows[name] != np.floor(rows[name])][0])
            raise UsageError(
                f"features[{name!r}] must be whole numbers for this model, and holds {value:g}."
            )
    if kind == "binomial":
        bad = np.flatnonzero((obs < 0) | (obs > rows["n_total"]))
        if bad.size:
            row = int(bad[0])
            raise UsageError(
                f"features['obs'] must lie between 0 and n_total, and is {obs[row]:g} of "
                f"{rows['n_total'][row]:g} in row {row}: a binomial model needs scores of 0 and 1."
            )
        return
    top = (structure.num_classes or 2) - 1
    bad = np.flatnonzero((obs < 0) | (obs > top))
    if bad.size:
        hint = " Set num_classes." if kind == "ordinal" else ""
        raise UsageError(
            f"features['obs'] must lie between 0 and {top} for this model, and is "
            f"{obs[bad[0]]:g} in row {int(bad[0])}.{hint}"
        )


def _distinct(
    features: Mapping[str, Any], names: tuple[str, ...]
) -> tuple[dict[str, Any], NDArray[np.intp], NDArray[np.intp]]:
    """Find the different combinations of features' values; cell of each row, rows of each cell."""
    n = len(np.atleast_1d(np.asarray(features["obs"])))
    code = np.zeros(n, dtype=np.intp)
    for name in names:
        _, level = np.unique(np.asarray(features[name]), return_inverse=True)
        # renumbered after each feature, so that the codes stay small
        _, code = np.unique(code * (int(level.max()) + 1) + level.reshape(-1), return_inverse=True)
    _, first, cell, times = np.unique(
        code, return_index=True, return_inverse=True, return_counts=True
    )
    made = {name: np.asarray(features[name])[first] for name in names}
    return made, cell.reshape(-1), times


def _rounded_up(n: int) -> int:
    """Give the next of few sizes, at most an eighth more beyond 64.

    Examples
    --------
    >>> [_rounded_up(n) for n in (3, 60, 65, 129, 1000)]
    [8, 64, 72, 144, 1024]
    """
    step = max(8, 2 ** max(n - 1, 1).bit_length() // 16)
    return -(-n // step) * step


def _with_fixed(features: Mapping[str, Any], made: Mapping[str, Any]) -> dict[str, Any]:
    fixed, _ = split_features(features)
    return {**fixed, **made}
