"""`fitting_dims`: dimensions of variables, as far as they fit what a model has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def fitting_dims(
    dims: Mapping[str, Sequence[str]] | None,
    coords: Mapping[str, Sequence[Any]] | None,
    shapes: Mapping[str, Sequence[int]],
) -> dict[str, list[str]]:
    """Keep the dimensions that fit their variables; a wrong label is worse than none.

    Processors label effects by the names of columns, and a model may use a name for something else:
    ``subgroup_effects`` has one axis in a linear model and two in a model of three levels.

    Parameters
    ----------
    dims : mapping
        Variable → dimensions, as processors registered them.
    coords : mapping
        Dimension → labels.
    shapes : mapping
        Variable → its shape in the model, without chains and draws.

    Returns
    -------
    dict
        Those with as many dimensions as the variable has axes, of its sizes.

    Examples
    --------
    >>> coords = {"group": ["a", "b"], "subgroup": ["x", "y"]}
    >>> dims = {"group_effects": ["group"], "subgroup_effects": ["subgroup"]}
    >>> fitting_dims(dims, coords, {"group_effects": (2,), "subgroup_effects": (2, 2)})
    {'group_effects': ['group']}
    """
    labels = coords or {}
    found = {}
    for name, named in (dims or {}).items():
        shape = shapes.get(name)
        if shape is None or len(named) != len(shape):
            continue
        sizes = [
            len(labels[dim]) if dim in labels else size
            for dim, size in zip(named, shape, strict=True)
        ]
        if sizes == list(shape):
            found[name] = list(named)
    return found
