"""The item kernels among the features of `crossed_factor_items`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hibayes.model.definition import Axis, Coords, Features
from hibayes.process.item_kernels import KERNEL_MODELS, KERNELS
from suites.errors import UsageError

if TYPE_CHECKING:
    from hibayes.hierarchical.kernels import Kernels

__all__ = ["check_order", "read_kernels", "root_of"]


def read_kernels(features: Features, models: int) -> Kernels:
    """Read the item kernels.

    Raises
    ------
    UsageError
        If they are not there, or of another number of models.
    """
    from hibayes.hierarchical.kernels import Kernels

    missing = [name for name in KERNELS if name not in features]
    if missing:
        raise UsageError(
            f"crossed_factor_items needs the features {', '.join(missing)}. Put the processor "
            "item_kernels before groupby; or fit crossed_factor, which needs none."
        )
    found = [np.asarray(features[name], float) for name in KERNELS]
    for name, kernel in zip(KERNELS, found, strict=True):
        if kernel.shape != (models, models):
            raise UsageError(
                f"features[{name!r}] is of shape {kernel.shape}, and there are {models} models: "
                "rows were dropped after item_kernels, or it was given another column of models."
            )
    unknown = np.full((models, models), np.nan)  # the correlations are not read by the sampler
    return Kernels(unknown, unknown, *found)


def check_order(coords: Coords, models: Axis) -> None:
    """Refuse kernels of other models, or of these in another order.

    Raises
    ------
    UsageError
        If they are.
    """
    known = coords.get(KERNEL_MODELS)
    if known is None or list(known) == models.labels:
        return
    if set(known) == set(models.labels):
        raise UsageError(
            f"item_kernels has the {models.dim}s in the order of their names, and the effects have "
            f"another: leave {models.dim} out of reference_categories and category_order."
        )
    only = sorted(set(map(str, known)) ^ set(map(str, models.labels)))
    raise UsageError(
        f"item_kernels has seen {len(known)} levels of {models.dim}, and there are "
        f"{len(models.labels)}: {', '.join(only[:5])} are not in both. Drop rows before "
        "item_kernels, and give it the column that groupby groups by."
    )


def root_of(kernel: Any, jitter: float) -> Any:
    """Factorise a kernel, in double precision."""
    import jax.numpy as jnp

    return jnp.asarray(np.linalg.cholesky(kernel + jitter * np.eye(len(kernel))))
