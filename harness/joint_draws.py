"""Draws of several targets that belong together: a predictor's own, or independent ones."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from harness.distribution import Distribution

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["DRAWS", "draws_of", "joint_draws"]

DRAWS = 1000
"""Draws from distributions that a predictor gives one by one."""


def draws_of(
    distributions: Mapping[str, Distribution],
    table: pa.Table | None,
    *,
    seed: int = 0,
    size: int = DRAWS,
) -> tuple[dict[str, NDArray[np.float64]], bool]:
    """Give draws of each target's value, those at one place belonging together.

    Parameters
    ----------
    distributions : mapping of str to Distribution
        Target → what was predicted of it.
    table : pyarrow.Table or None
        The predictions as a worker wrote them, from which joint draws are taken.
    seed : int
        Of draws from distributions that were given one by one.
    size : int
        How many of these; where there are joint draws, as many as there are of them.

    Returns
    -------
    draws : dict of str to ndarray, shape (D,)
        Target → draws, metric units, beyond no bound.
    joint : bool
        Whether all of them are draws of the predictor's own that belong together; else those of
        targets that were given one by one are independent.
    """
    joint = joint_draws(table) if table is not None else {}
    joint = {t: draws for t, draws in joint.items() if t in distributions}
    size = max((len(draws) for draws in joint.values()), default=size)
    out: dict[str, NDArray[np.float64]] = {}
    for target, distribution in distributions.items():
        given = joint.get(target)
        if given is not None and len(given) == size:
            low = -np.inf if distribution.lower is None else distribution.lower
            high = np.inf if distribution.upper is None else distribution.upper
            out[target] = np.clip(given, low, high)
        else:
            # evenly spread levels in an order of the target's own: draws without excess noise
            words = np.frombuffer(hashlib.sha256(target.encode()).digest(), np.uint32)[:4]
            rng = np.random.default_rng([seed, *words.tolist()])
            level = (rng.permutation(size) + rng.random(size)) / size
            out[target] = distribution.quantile(level)
    return out, len(joint) == len(out) and bool(out)


def joint_draws(table: pa.Table) -> dict[str, NDArray[np.float64]]:
    """Give the draws of a table of predictions that are joint over targets, in their order."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kept = table.filter(pc.equal(table.column("output_type").cast(pa.string()), "joint_sample"))
    names = kept.column("target").cast(pa.string()).to_numpy(zero_copy_only=False)
    place = kept.column("output_type_id").cast(pa.string()).cast(pa.int64()).to_numpy()
    value = kept.column("value").to_numpy()
    order = np.lexsort((place, names))
    edges = np.flatnonzero(names[order][1:] != names[order][:-1]) + 1
    groups = np.split(order, edges) if len(order) else []
    return {str(names[group[0]]): value[group] for group in groups}
