"""Values as JSON and arrays: what comes back is what was kept, to the bit.

Numbers, texts, lists and mappings stand in the JSON as they are. What JSON lacks stands as a
mapping whose first key begins with ``$``; arrays go to a file beside it (``.npz``, never pickled).
"""

from __future__ import annotations

import dataclasses
import importlib
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["decode", "encode", "read_arrays", "write_arrays"]

_MANY = 100  # texts that stand in the JSON; more go to the arrays

Arrays = dict[str, np.ndarray[Any, Any]]


def encode(value: Any, name: str, arrays: Arrays) -> Any:
    """Give a value as JSON has it.

    Parameters
    ----------
    value : object
        What is kept.
    name : str
        Under what name its arrays are kept.
    arrays : dict
        Filled with the arrays.

    Returns
    -------
    object
        JSON; of what has no such form, ``{"$text": …}``.

    Examples
    --------
    >>> arrays = {}
    >>> encode({"n": 2, "x": np.array([1.5])}, "d", arrays), list(arrays)
    ({'n': 2, 'x': {'$array': 'd.x'}}, ['d.x'])
    """
    if isinstance(value, np.generic):
        return _scalar(value)
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": repr(value)}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return _mapping(value, name, arrays)
    if isinstance(value, list | tuple | set | frozenset):
        items = [encode(item, f"{name}.{i}", arrays) for i, item in enumerate(value)]
        return items if isinstance(value, list) else {f"${type(value).__name__}": items}
    if isinstance(value, np.ndarray):
        return _array(value, name, arrays)
    if _is_jax(value):
        return {"$jax": _array(np.asarray(value), name, arrays)}
    labelled = _labelled(value, name, arrays)
    if labelled is not None:
        return labelled
    if dataclasses.is_dataclass(value) and type(value).__module__.startswith("hibayes."):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if f.init}
        kind = f"{type(value).__module__}:{type(value).__qualname__}"
        return {"$object": kind, "fields": _mapping(fields, name, arrays)}
    return {"$text": str(value)}


def decode(value: Any, arrays: Mapping[str, Any]) -> Any:
    """Give back what `encode` was given."""
    if isinstance(value, list):
        return [decode(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    kind = next(iter(value), "")
    if not str(kind).startswith("$"):
        return {key: decode(item, arrays) for key, item in value.items()}
    content = value[kind]
    if kind == "$array":
        return arrays[content]
    if kind == "$jax":
        return _jax(decode(content, arrays))
    if kind == "$texts":
        return decode(content, arrays).astype(object)
    if kind == "$float":
        return float(content)
    if kind == "$text":
        return content
    if kind == "$scalar":
        return np.array([content]).astype(value["dtype"])[0]
    if kind in ("$tuple", "$set", "$frozenset"):
        made = {"$tuple": tuple, "$set": set, "$frozenset": frozenset}[kind]
        return made(decode(item, arrays) for item in content)
    if kind == "$mapping":
        return {decode(key, arrays): decode(item, arrays) for key, item in content}
    if kind == "$objects":
        flat = np.empty(len(content), dtype=object)
        flat[:] = [decode(item, arrays) for item in content]
        return flat.reshape(value["shape"])
    if kind == "$object":
        module, qualname = content.split(":")
        if not module.startswith("hibayes."):
            raise ValueError(f"{content} is no object of hibayes")
        return getattr(importlib.import_module(module), qualname)(**decode(value["fields"], arrays))
    return _unlabelled(kind, decode(content, arrays))


def write_arrays(path: Path, arrays: Arrays) -> None:
    """Write arrays to an ``.npz`` file."""
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def read_arrays(path: Path) -> Arrays:
    """Read an ``.npz`` file; an empty mapping if there is none."""
    if not path.is_file():
        return {}
    with np.load(path, allow_pickle=False) as found:
        return {name: found[name] for name in found.files}


def _mapping(value: Mapping[Any, Any], name: str, arrays: Arrays) -> Any:
    if all(isinstance(key, str) and not key.startswith("$") for key in value):
        return {key: encode(item, f"{name}.{key}", arrays) for key, item in value.items()}
    pairs = []
    for place, (key, item) in enumerate(value.items()):
        at = f"{name}.{place}"
        pairs.append([encode(key, f"{at}.key", arrays), encode(item, at, arrays)])
    return {"$mapping": pairs}


def _scalar(value: np.generic) -> Any:
    if value.dtype.kind in "biufUmM":
        plain = value.item() if value.dtype.kind in "biuU" else str(value)
        return {"$scalar": plain, "dtype": value.dtype.str}
    return {"$text": str(value)}


def _array(value: np.ndarray[Any, Any], name: str, arrays: Arrays) -> Any:
    if value.dtype.hasobject and value.size > _MANY and _are_texts(value):
        return {"$texts": _array(value.astype(str), name, arrays)}
    if value.dtype.hasobject:
        items = [encode(item, f"{name}.{i}", arrays) for i, item in enumerate(value.ravel())]
        return {"$objects": items, "shape": list(value.shape)}
    if value.dtype.kind not in "biufcUSmM":  # bfloat16 and the like: NumPy would need a pickle
        value = value.astype(np.float32)
    free, suffix = name, 0
    while free in arrays or free == "file":  # an argument of savez
        suffix += 1
        free = f"{name}~{suffix}"
    arrays[free] = value
    return {"$array": free}


def _are_texts(value: np.ndarray[Any, Any]) -> bool:
    """Say whether all are texts that NumPy keeps: it drops null characters at the end."""
    return all(isinstance(item, str) and not item.endswith("\0") for item in value.ravel())


def _labelled(value: Any, name: str, arrays: Arrays) -> Any:
    """Encode what pandas and xarray hold; None if it is neither's."""
    import pandas as pd

    def sub(part: Any, key: str) -> Any:
        return encode(part, f"{name}.{key}", arrays)

    if isinstance(value, pd.Timestamp):
        return {"$timestamp": value.isoformat()}
    if isinstance(value, pd.Index):
        return {"$index": _index(value, sub)}
    if isinstance(value, pd.Series):
        column = [str(value.dtype), sub(_values(value), "values")]
        return {"$series": {"name": sub(value.name, "name"), "index": _index(value.index, sub),
                            "column": column}}  # fmt: skip
    if isinstance(value, pd.DataFrame):
        columns = [
            [str(value.iloc[:, i].dtype), sub(_values(value.iloc[:, i]), f"column{i}")]
            for i in range(value.shape[1])
        ]
        return {"$frame": {"names": _index(value.columns, sub), "index": _index(value.index, sub),
                           "columns": columns}}  # fmt: skip
    xr = sys.modules.get("xarray")  # what is not imported has made nothing
    if xr is not None and isinstance(value, xr.DataArray | xr.Dataset):
        return {f"${type(value).__name__.lower()}": sub(value.to_dict(data="array"), "")}
    return None


def _unlabelled(kind: str, content: Any) -> Any:
    import pandas as pd

    if kind == "$timestamp":
        return pd.Timestamp(content)
    if kind == "$index":
        return _as_index(content)
    if kind == "$series":
        dtype, values = content["column"]
        index = _as_index(content["index"])
        return pd.Series(values, index=index, name=content["name"]).astype(dtype)
    if kind == "$frame":
        index = _as_index(content["index"])
        columns = [pd.Series(v, index=index).astype(dtype) for dtype, v in content["columns"]]
        frame = pd.concat(columns, axis=1) if columns else pd.DataFrame(index=index)
        frame.columns = _as_index(content["names"])
        return frame
    if kind in ("$dataarray", "$dataset"):
        xr = importlib.import_module("xarray")
        made = xr.DataArray if kind == "$dataarray" else xr.Dataset
        return made.from_dict(content)
    raise ValueError(f"{kind} is not known")


def _index(index: Any, sub: Any) -> dict[str, Any]:
    import pandas as pd

    if isinstance(index, pd.RangeIndex):
        return {"range": [index.start, index.stop, index.step], "names": [sub(index.name, "name")]}
    levels = [index.get_level_values(i) for i in range(index.nlevels)]
    return {
        "levels": [[str(v.dtype), sub(_values(v), f"level{i}")] for i, v in enumerate(levels)],
        "names": [sub(name, f"name{i}") for i, name in enumerate(index.names)],
    }


def _as_index(content: dict[str, Any]) -> Any:
    import pandas as pd

    if "range" in content:
        start, stop, step = content["range"]
        return pd.RangeIndex(start, stop, step, name=content["names"][0])
    levels = [pd.Index(values, dtype=dtype) for dtype, values in content["levels"]]
    if len(levels) == 1:
        return levels[0].rename(content["names"][0])
    return pd.MultiIndex.from_arrays(levels, names=content["names"])


def _values(column: Any) -> np.ndarray[Any, Any]:
    """Give the values as NumPy has them; of other types as objects."""
    if isinstance(column.dtype, np.dtype):
        return np.asarray(column)
    values = np.empty(len(column), dtype=object)
    values[:] = [None if item is not item or _is_na(item) else item for item in column]
    return values


def _is_na(item: Any) -> bool:
    import pandas as pd

    return item is pd.NA or item is pd.NaT


def _is_jax(value: Any) -> bool:
    jax = sys.modules.get("jax")
    return jax is not None and isinstance(value, jax.Array)


def _jax(value: np.ndarray[Any, Any]) -> Any:
    """Give an array to JAX, where it is installed and keeps the type."""
    try:
        numpy = importlib.import_module("jax.numpy")
        dtypes = importlib.import_module("jax.dtypes")
    except ImportError:
        return value
    return numpy.asarray(value) if dtypes.canonicalize_dtype(value.dtype) == value.dtype else value
