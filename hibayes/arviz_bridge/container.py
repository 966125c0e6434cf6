"""Posterior draws and what belongs to them: groups of labelled arrays, and their netCDF file.

ArviZ 0.2x holds the groups in an ``InferenceData``, ArviZ 1.x in an ``xarray.DataTree``. The groups
themselves are the same ``xarray.Dataset`` objects, and so is the file.
"""

from __future__ import annotations

import importlib
import logging
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hibayes.arviz_bridge.package import arviz, is_old, needed
from suites.errors import UsageError, unknown_name

if TYPE_CHECKING:
    import xarray

logger = logging.getLogger(__name__)

Coords = Mapping[str, Sequence[Any]]
Dims = Mapping[str, Sequence[str]]

SAMPLED = (
    "posterior",
    "posterior_predictive",
    "prior",
    "prior_predictive",
    "sample_stats",
    "log_likelihood",
)
"""Groups whose arrays begin with the axes chain and draw."""

_COMPRESSION = {"zlib": True, "complevel": 1, "shuffle": True}


def new_data(
    groups: Mapping[str, Mapping[str, Any]] | None = None,
    coords: Coords | None = None,
    dims: Dims | None = None,
) -> Any:
    """Make the container of the installed ArviZ.

    Parameters
    ----------
    groups : mapping of mappings, optional
        Group to variable to array. Arrays of the groups in `SAMPLED` have the shape
        (chains, draws, ...), those of others (``observed_data``) the variable's own.
    coords : mapping, optional
        Dimension to its labels.
    dims : mapping, optional
        Variable to its dimensions, without chain and draw. See `to_dataset` for variables that
        are not named, and for labels that do not fit.

    Returns
    -------
    InferenceData or DataTree
        Without groups if none are given.

    Raises
    ------
    NotInstalled
        If ArviZ is not installed.

    Examples
    --------
    ::

        data = new_data(
            {"posterior": {"model_effects": draws}},        # (chains, draws, 2)
            coords={"model": ["a", "b"]}, dims={"model_effects": ["model"]},
        )
        dataset(data, "posterior")["model_effects"].sel(model="a")
    """
    made = {
        name: to_dataset(name, variables, coords, dims)
        for name, variables in (groups or {}).items()
    }
    return _contain(made)


def add_group(
    data: Any,
    name: str,
    variables: Mapping[str, Any],
    coords: Coords | None = None,
    dims: Dims | None = None,
) -> Any:
    """Put a group into a container, in the place of one of that name.

    Parameters
    ----------
    data : InferenceData or DataTree
        Changed in place.
    name : str
        The group.
    variables : mapping
        Variable to array, or an ``xarray.Dataset``, which is taken as it is.
    coords, dims : mapping, optional
        As for `new_data`.

    Returns
    -------
    InferenceData or DataTree
        `data` itself.
    """
    made = to_dataset(name, variables, coords, dims)
    if _is_tree(data):
        data[name] = needed("xarray").DataTree(made)
        return data
    if name in groups(data):
        del data[name]
    data.add_groups({name: made})
    return data


def groups(data: Any) -> list[str]:
    """Name the groups of a container, in their order; none of None."""
    if data is None:
        return []
    if _is_tree(data):
        return [str(name) for name in data.children]
    return [str(name) for name in data.groups()]


def dataset(data: Any, group: str) -> xarray.Dataset:
    """Give a group as a Dataset.

    Raises
    ------
    UsageError
        If there is no such group; the message names those that there are.
    """
    there = groups(data)
    if group not in there:
        raise unknown_name("group of inference data", group, there)
    found = data[group]
    return found.to_dataset(inherit=False) if _is_tree(data) else found


def save(data: Any, path: str | Path) -> None:
    """Write a container to a netCDF file, whole or not at all.

    Parameters
    ----------
    data : InferenceData or DataTree
        Written group by group, as both generations of ArviZ read it.
    path : str or Path
        Replaced only once all is written. Its folder must exist.

    Raises
    ------
    NotInstalled
        If h5netcdf is not installed.
    """
    h5netcdf = needed("h5netcdf")
    place = Path(path)
    handle, name = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.", suffix=".tmp")
    os.close(handle)
    try:
        with h5netcdf.File(name, "w"):  # also what a container without groups is
            pass
        for group in groups(data):
            values = dataset(data, group)
            encoding = {str(v): _COMPRESSION for v in values.data_vars if values[v].ndim}
            values.to_netcdf(name, mode="a", group=group, engine="h5netcdf", encoding=encoding)
        os.chmod(name, 0o666 & ~_umask())  # mkstemp's file is its owner's alone
        os.replace(name, place)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def load(path: str | Path) -> Any:
    """Read a container from a netCDF file, of `save` or of either generation of ArviZ.

    Returns
    -------
    InferenceData or DataTree
        In memory; the file is closed.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    UsageError
        If it is not a netCDF file.
    NotInstalled
        If h5netcdf is not installed.
    """
    h5netcdf = needed("h5netcdf")
    xr = needed("xarray")
    place = Path(path)
    if not place.is_file():
        raise FileNotFoundError(f"there is no inference data at {place}")
    try:
        with h5netcdf.File(place, "r") as file:
            names = list(file.groups)
        made = {name: xr.load_dataset(place, group=name, engine="h5netcdf") for name in names}
    except (OSError, ValueError) as err:
        raise UsageError(f"{place} cannot be read as netCDF: {err}") from err
    return _contain(made)


def to_dataset(
    group: str,
    variables: Mapping[str, Any] | xarray.Dataset,
    coords: Coords | None = None,
    dims: Dims | None = None,
) -> xarray.Dataset:
    """Label arrays by their dimensions.

    Parameters
    ----------
    group : str
        Says whether the arrays begin with chain and draw.
    variables : mapping or Dataset
        Variable to array; a Dataset is taken as it is.
    coords, dims : mapping, optional
        As for `new_data`.

    Returns
    -------
    Dataset
        The axes of a variable without dims are called ``<variable>_dim_0``, … and labelled
        0, 1, …. So are those of a variable whose dims are not as many as its axes, or whose
        labels are not as many as its levels: labels that do not fit are never put on, and a
        warning is logged.

    Raises
    ------
    UsageError
        If an array of a sampled group has fewer than two axes.
    """
    xr = needed("xarray")
    if isinstance(variables, xr.Dataset):
        return variables
    lead = ("chain", "draw") if group in SAMPLED else ()
    labels: dict[str, np.ndarray[Any, Any]] = {}
    made = {}
    for name, given in variables.items():
        values = np.asarray(given)
        if values.ndim < len(lead):
            raise UsageError(
                f"{group}: {name} has the shape {values.shape}; it must begin with chains, draws."
            )
        own = _labels(str(name), values.shape[len(lead) :], coords or {}, dims or {}, labels)
        labels.update(own)
        made[str(name)] = ((*lead, *own), values)
    for axis, dim in enumerate(lead):
        if made:
            labels[dim] = np.arange(next(iter(made.values()))[1].shape[axis])
    return xr.Dataset(made, coords=labels)


def _labels(
    name: str, shape: tuple[int, ...], coords: Coords, dims: Dims, taken: Mapping[str, Any]
) -> dict[str, np.ndarray[Any, Any]]:
    """Give the labels of a variable's axes, by dimension."""
    plain = {f"{name}_dim_{axis}": np.arange(size) for axis, size in enumerate(shape)}
    named = list(dims.get(name) or ())
    if not named:
        return plain
    found: dict[str, np.ndarray[Any, Any]] = {}
    if len(named) == len(shape) == len(set(named)):
        for dim, size in zip(named, shape, strict=True):
            given = coords.get(dim)
            found[dim] = _as_labels(given if given is not None else range(size))
        fit = [
            len(found[dim]) == size and (dim not in taken or len(taken[dim]) == size)
            for dim, size in zip(named, shape, strict=True)
        ]
        if all(fit):
            return found
    logger.warning(
        "%s has the shape %s, which its dimensions %s (sizes %s) do not fit: its levels are "
        "numbered instead of named.",
        name,
        shape,
        named,
        [len(coords[dim]) if dim in coords else None for dim in named],
    )
    return plain


def _as_labels(given: Any) -> np.ndarray[Any, Any]:
    """Give labels as an array that netCDF can hold: numbers or text."""
    listed = list(given)
    kinds = {type(value) for value in listed}
    if len(kinds) > 1 or not kinds <= {int, float, str}:
        plain = [value.item() if isinstance(value, np.generic) else value for value in listed]
        if len({type(value) for value in plain}) > 1 or not isinstance(plain[0], int | float):
            plain = [str(value) for value in plain]
        listed = plain
    return np.asarray(listed)


def _contain(made: Mapping[str, xarray.Dataset]) -> Any:
    """Put Datasets into the container of the installed ArviZ."""
    az = arviz()
    if is_old(az):
        return az.InferenceData(**made)
    tree = needed("xarray").DataTree
    return tree(children={name: tree(values) for name, values in made.items()})


def _is_tree(data: Any) -> bool:
    """Say whether a container is a DataTree."""
    return isinstance(data, importlib.import_module("xarray").DataTree)


def _umask() -> int:
    """Read the process's mask of file modes, which cannot be read without setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
