"""HELM's four frames, column for column as MAGNET's users know them, and their frame class.

Nested objects become dotted columns, lists stay lists. The layout is the contract of other
people's predictors: names, order, index labels, dtypes and missing values are part of it.
"""

from __future__ import annotations

import fnmatch
import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from itertools import chain, repeat
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from suites.errors import UsageError
from suites.memory import no_garbage_collection

TABLES: tuple[str, ...] = ("run_spec", "scenario_state", "stats", "per_instance_stats")

KEY = "run_spec.name"
"""The column that joins the four frames."""

_MISSING = float("nan")  # told from a NaN of the file by identity
_CONSOLIDATE_BELOW = 5_000_000  # cells; above, one copy of the data is worth more than tidy blocks

Columns = dict[str, list[Any]]


class DotDictDataFrame(pd.DataFrame):
    """A data frame whose column names are dotted paths.

    Slices, copies and joins keep the class.

    Examples
    --------
    >>> df = DotDictDataFrame({"a.id": [1], "b.id": [2], "a.x.y": [3]})
    >>> list(df.prefix["a"].columns), list(df.suffix["id"].columns)
    (['a.id', 'a.x.y'], ['a.id', 'b.id'])
    >>> list(df.prefix_subframe("a", drop_prefix=True).columns)
    ['id', 'x.y']
    """

    @property
    def _constructor(self) -> type[DotDictDataFrame]:
        return DotDictDataFrame

    @property
    def prefix(self) -> _ColumnLookup:
        """Columns by leading path: ``df.prefix["stats.name"]``; a list of paths works too."""
        return _ColumnLookup(self.prefix_subframe)

    @property
    def suffix(self) -> _ColumnLookup:
        """Columns by trailing path: ``df.suffix["subject"]``; a list of paths works too."""
        return _ColumnLookup(self.suffix_subframe)

    def prefix_subframe(
        self, prefix: str | Sequence[str], drop_prefix: bool = False
    ) -> DotDictDataFrame:
        """Take the columns that are one of these paths or lie below it.

        Parameters
        ----------
        prefix : str or sequence of str
            Paths, without a dot at the end.
        drop_prefix : bool
            Cut the path off the names; ambiguous when several are given.
        """
        paths = [prefix] if isinstance(prefix, str) else list(prefix)
        heads = tuple(f"{path}." for path in paths)
        whole = set(paths)
        names = [c for c in self.columns if c in whole or c.startswith(heads)]
        new = self.loc[:, names]
        if drop_prefix:
            longest_first = sorted(heads, key=len, reverse=True)
            short = {
                name: next((name[len(h) :] for h in longest_first if name.startswith(h)), name)
                for name in names
            }
            new = new.rename(columns=short)
        return _ours(new)

    def suffix_subframe(self, suffix: str | Sequence[str]) -> DotDictDataFrame:
        """Take the columns whose path is, or ends in, one of these paths."""
        paths = [suffix] if isinstance(suffix, str) else list(suffix)
        tails = tuple(f".{path}" for path in paths)
        whole = set(paths)
        return _ours(self.loc[:, [c for c in self.columns if c in whole or c.endswith(tails)]])

    def insert_prefix(self, prefix: str) -> DotDictDataFrame:
        """Put a path, without a dot at its end, before every column name.

        Raises
        ------
        UsageError
            If it ends in a dot.
        """
        if prefix.endswith("."):
            raise UsageError(f"write the prefix {prefix!r} without the dot at its end.")
        return _ours(self.rename(columns=lambda name: f"{prefix}.{name}"))

    def shorten_columns(self, return_mapping: bool = False, min_length: int = 0) -> Any:
        """Cut column names to the shortest trailing path that tells them apart.

        Parameters
        ----------
        return_mapping : bool
            Give the mapping from old to new names as well.
        min_length : int
            The least number of words of a new name.

        Examples
        --------
        >>> df = DotDictDataFrame(columns=["id", "p.m.f1", "p.fit.seed", "p.data.seed"])
        >>> list(df.shorten_columns().columns)
        ['id', 'f1', 'fit.seed', 'data.seed']
        """
        mapping = dict(
            zip(self.columns, _shortest_suffixes(list(self.columns), min_length), strict=True)
        )
        new = _ours(self.rename(columns=mapping))
        return (new, mapping) if return_mapping else new

    def reorder(
        self,
        head: Sequence[Hashable] | None = None,
        tail: Sequence[Hashable] | None = None,
        axis: Literal[0, 1] = 0,
        missing: str = "error",
        fill_value: Any = float("nan"),
    ) -> DotDictDataFrame:
        """Move labels to the front and to the end; the others keep their order.

        Parameters
        ----------
        head, tail : sequence of labels, optional
            What comes first, what comes last.
        axis : int
            0 for rows, 1 for columns.
        missing : str
            What becomes of labels that are not there: ``error``, ``drop``, or ``fill``.
        fill_value : any
            With ``fill``.

        Raises
        ------
        UsageError
            If a label stands in both lists, is not there (``error``), or `missing` is no policy.

        Examples
        --------
        >>> df = DotDictDataFrame(columns=list("abcde"))
        >>> list(df.reorder(head=["d"], tail=["a"], axis=1).columns)
        ['d', 'b', 'c', 'e', 'a']
        """
        first, last = list(head or ()), list(tail or ())
        there = self.axes[axis]
        if both := set(first) & set(last):
            raise UsageError(f"labels in both head and tail: {sorted(map(str, both))}.")
        unknown = [label for label in [*first, *last] if label not in there]
        if missing == "error" and unknown:
            raise UsageError(f"no such labels: {unknown}; missing='drop' leaves them out.")
        if missing == "drop":
            first = [label for label in first if label in there]
            last = [label for label in last if label in there]
        elif missing not in ("error", "fill"):
            raise UsageError(f"missing must be error, drop or fill, not {missing!r}.")
        moved = {*first, *last}
        labels = [*first, *(label for label in there if label not in moved), *last]
        return _ours(self.reindex(labels=labels, axis=axis, fill_value=fill_value))

    def safe_drop(self, labels: Iterable[Hashable], axis: Literal[0, 1] = 0) -> DotDictDataFrame:
        """Drop those of the labels that are there."""
        there = self.axes[axis]
        wanted = [labels] if isinstance(labels, str) else list(labels)
        return _ours(self.drop([label for label in wanted if label in there], axis=axis))

    def match_columns(self, pat: str | re.Pattern[str], hint: str = "glob") -> list[str]:
        """Name the columns that match a pattern as a whole.

        Parameters
        ----------
        pat : str or compiled regular expression
            The pattern.
        hint : str
            How to read a string: ``glob``, ``regex`` or ``strict``.
        """
        return [c for c in self.columns if _matcher(pat, hint, whole=True)(c)]

    def search_columns(self, pat: str | re.Pattern[str], hint: str = "glob") -> list[str]:
        """Name the columns that hold the pattern somewhere; arguments as `match_columns`."""
        return [c for c in self.columns if _matcher(pat, hint, whole=False)(c)]

    def varied_values(
        self,
        min_variations: int = 0,
        max_variations: int | None = None,
        default: Any = None,
        dropna: bool = False,
        on_error: str = "raise",
    ) -> dict[str, set[Any]]:
        """Give the different values of each column.

        Parameters
        ----------
        min_variations, max_variations : int
            Leave out columns with fewer or more of them.
        default : any
            Not used: every row of a frame has every column.
        dropna : bool
            Leave missing values out; else one NaN stands for all of them.
        on_error : str
            Values that cannot be hashed: ``raise``, ``ignore``, or ``placeholder`` (their text).
            Lists are turned into tuples first.

        Raises
        ------
        TypeError
            Under ``raise``, with the column's name.
        """
        counts = self.varied_value_counts(min_variations, max_variations, default, dropna, on_error)
        return {name: set(values) for name, values in counts.items()}

    def varied_value_counts(
        self,
        min_variations: int = 0,
        max_variations: int | None = None,
        default: Any = None,
        dropna: bool = False,
        on_error: str = "raise",
    ) -> dict[str, dict[Any, int]]:
        """Count the different values of each column; arguments as `varied_values`."""
        if on_error not in ("raise", "ignore", "placeholder"):
            raise UsageError(f"on_error must be raise, ignore or placeholder, not {on_error!r}.")
        most = float("inf") if max_variations is None else max_variations
        found = {str(name): _count(name, column, dropna, on_error) for name, column in self.items()}
        return {
            name: values for name, values in found.items() if min_variations <= len(values) <= most
        }


class _ColumnLookup:
    """``frame.prefix[...]`` and ``frame.suffix[...]``."""

    def __init__(self, look_up: Callable[[str | Sequence[str]], DotDictDataFrame]):
        self._look_up = look_up

    def __getitem__(self, path: str | Sequence[str]) -> DotDictDataFrame:
        return self._look_up(path)


def _ours(frame: Any) -> DotDictDataFrame:
    return frame if isinstance(frame, DotDictDataFrame) else DotDictDataFrame(frame)


def _shortest_suffixes(names: Sequence[str], min_length: int) -> list[str]:
    words = [name.split(".") for name in names]
    seen = Counter(tuple(w[-n:]) for w in words for n in range(1, len(w) + 1))
    short = []
    for w in words:
        n = next((n for n in range(1, len(w) + 1) if seen[tuple(w[-n:])] == 1), len(w))
        short.append(".".join(w[-max(n, min_length) :]))
    return short


def _matcher(pat: str | re.Pattern[str], hint: str, *, whole: bool) -> Callable[[str], bool]:
    if isinstance(pat, re.Pattern):
        regex = pat
    elif hint == "glob":
        regex = re.compile(fnmatch.translate(pat if whole else f"*{pat}*"))
    elif hint == "regex":
        regex = re.compile(pat)
    elif hint == "strict":
        text = pat
        return (lambda c: c == text) if whole else (lambda c: text in c)
    else:
        raise UsageError(f"hint must be glob, regex or strict, not {hint!r}.")
    test = regex.match if whole else regex.search
    return lambda c: test(c) is not None


def _count(name: Hashable, column: pd.Series, dropna: bool, on_error: str) -> dict[Any, int]:
    nan = float("nan")
    counts: Counter[Any] = Counter()
    for value in column.tolist():
        if isinstance(value, float) and value != value:
            if dropna:
                continue
            value = nan
        if isinstance(value, list):
            value = tuple(value)
        try:
            counts[value] += 1
        except TypeError as err:
            if on_error == "raise":
                err.add_note(f"in column {name!r}; on_error='placeholder' counts its text instead")
                raise
            if on_error == "placeholder":
                counts[repr(value)] += 1
    return dict(counts)


# ---------- making the frames


def frame_of_run(table: str, name: str, content: Any) -> DotDictDataFrame:
    """Make one run's frame of one decoded file.

    Parameters
    ----------
    table : str
        ``run_spec``, ``scenario_state``, ``stats`` or ``per_instance_stats``.
    name : str
        The run's ``run_spec.name``.
    content : dict or list
        The decoded file; it is not changed.

    Returns
    -------
    DotDictDataFrame
        One row per run, request state, Stat, or (record, Stat), in the file's order.

    Examples
    --------
    >>> stat = {"name": {"name": "exact_match", "split": "test"}, "count": 1, "mean": 0.5}
    >>> frame = frame_of_run("stats", "mmlu", [stat])
    >>> list(frame.columns)
    ['run_spec.name', 'stats.count', 'stats.mean', 'stats.name.name', 'stats.name.split']
    """
    return frame_of_runs(table, [(name, content)])


def frame_of_runs(table: str, runs: Iterable[tuple[str, Any]]) -> DotDictDataFrame:
    """Make one frame of several runs: an outer join of columns, the runs' rows after one another.

    Parameters
    ----------
    table : str
        As in `frame_of_run`.
    runs : iterable of (str, dict or list)
        Names and decoded files. Give a generator: one file at a time is held.

    Returns
    -------
    DotDictDataFrame
        Index labels start at 0 again with each run. Columns of the first run come first, then those
        that only later runs have. A missing key is NaN; an explicit null is None in an object
        column and NaN in a numeric one. Text is of dtype object under every pandas.

    Raises
    ------
    ValueError
        If there are no runs.
    """
    memo: dict[str, str] = {}  # one object per different text
    pieces: list[_Piece] = []
    with no_garbage_collection():
        for name, content in runs:
            pieces.append(_piece(table, name, content, memo))
            del content  # before the next file is decoded
    if not pieces:
        raise UsageError(f"there is no frame {table} of no runs: nothing to concatenate.")
    return _join(pieces)


def frame_of_columns(name: str, columns: Mapping[str, Sequence[Any]]) -> DotDictDataFrame:
    """Make one run's frame of its columns, for sources that have no files of HELM.

    Parameters
    ----------
    name : str
        The run's ``run_spec.name``.
    columns : mapping of str to sequence of length R
        Dotted names → values as JSON has them; nested objects flattened already.

    Returns
    -------
    DotDictDataFrame
        Columns sorted behind ``run_spec.name``, with the dtypes of `frame_of_run`.

    Examples
    --------
    >>> frame = frame_of_columns("r", {"stats.name.name": ["f1"], "stats.count": [1]})
    >>> list(frame.columns), frame["stats.count"].tolist()
    (['run_spec.name', 'stats.count', 'stats.name.name'], [1])
    """
    memo: dict[str, str] = {}
    length = len(next(iter(columns.values()), ()))
    names = np.empty(length, object)
    names.fill(name)
    arrays = {key: _array(list(columns[key]), memo) for key in sorted(columns)}
    return _join([(length, {KEY: names, **arrays})])


_Piece = tuple[int, dict[str, npt.NDArray[Any]]]


def _piece(table: str, name: str, content: Any, memo: dict[str, str]) -> _Piece:
    columns: Columns = {}
    where = f"{table} of {name}"
    if table == "run_spec":
        length = 1
        _flatten(_objects([content], where), "run_spec", columns)
    elif table == "scenario_state":
        states = _objects(content.get("request_states") or [], where)
        length = len(states)
        _flatten(states, "scenario_state.request_states", columns)
        top: Columns = {}
        _flatten([{k: v for k, v in content.items() if k != "request_states"}], table, top)
        if length:
            columns.update({key: values * length for key, values in top.items()})
    elif table == "stats":
        length = len(content)
        _flatten(_objects(content, where), "stats", columns)
    elif table == "per_instance_stats":
        stats: list[Any] = [record.get("stats") for record in _objects(content, where)]
        if not all(type(s) is list for s in stats):
            raise UsageError(f"{where}: not what HELM writes: a record has no stats.")
        length = sum(map(len, stats))
        every = _objects(list(chain.from_iterable(stats)), where)
        _flatten(every, "per_instance_stats.stats", columns)
        # A record's own fields are not flattened: its perturbation stays an object in one cell.
        for key in _keys(content):
            if key != "stats":
                values = [record.get(key, _MISSING) for record in content]
                each = chain.from_iterable(map(repeat, values, map(len, stats)))
                _put(columns, f"per_instance_stats.{key}", list(each))
    else:
        raise UsageError(f"no such frame: {table!r}; there are {', '.join(TABLES)}.")
    arrays = {key: _array(values, memo) for key, values in columns.items()}
    if table == "run_spec":
        return length, arrays
    names = np.empty(length, object)
    names.fill(name)  # np.full would make as many texts
    return length, {KEY: names, **{key: arrays[key] for key in sorted(arrays)}}


def _objects(rows: Any, where: str) -> list[dict[str, Any]]:
    if type(rows) is list and set(map(type, rows)) <= {dict}:
        return rows
    raise UsageError(f"{where}: not what HELM writes: a list of objects was expected.")


def _keys(rows: Iterable[Mapping[str, Any] | None]) -> list[str]:
    """Give the keys of all rows, in order of appearance."""
    shapes = dict.fromkeys(tuple(row) for row in rows if row)
    return list(dict.fromkeys(chain.from_iterable(shapes)))


def _flatten(rows: Sequence[Any], path: str, out: Columns) -> None:
    """Turn rows of nested objects (None: no object here) into dotted columns of one length."""
    whole = None not in rows
    for key in _keys(rows):
        if whole:
            values = [row.get(key, _MISSING) for row in rows]
        else:
            values = [_MISSING if row is None else row.get(key, _MISSING) for row in rows]
        name = f"{path}.{key}"
        kinds = set(map(type, values))
        if dict not in kinds:
            _put(out, name, values)
            continue
        if len(kinds) > 1:
            rest = [_MISSING if type(v) is dict else v for v in values]
            if any(v is not _MISSING for v in rest):
                _put(out, name, rest)
            values = [v if type(v) is dict else None for v in values]
        _flatten(values, name, out)


def _put(out: Columns, name: str, values: list[Any]) -> None:
    """Set a column; where a dotted key and a nested one have the same name, both fill it."""
    before = out.get(name)
    if before is not None:
        values = [old if new is _MISSING else new for old, new in zip(before, values, strict=True)]
    out[name] = values


def _array(values: list[Any], memo: dict[str, str]) -> npt.NDArray[Any]:
    """Choose the dtype that pandas 2 infers for a list of JSON values."""
    kinds = set(map(type, values))
    if kinds == {int}:
        return _integers(values)
    if kinds == {bool}:
        return np.array(values, bool)
    if kinds <= {int, float, type(None)} and kinds & {int, float}:
        return np.array(values, np.float64)  # None becomes NaN
    if str in kinds:
        share = memo.setdefault
        values = [share(v, v) if type(v) is str else v for v in values]
    return np.fromiter(values, object, len(values))


def _integers(values: list[int]) -> npt.NDArray[Any]:
    for dtype in (np.int64, np.uint64):
        try:
            return np.array(values, dtype)
        except OverflowError:
            continue
    return np.fromiter(values, object, len(values))


def _join(pieces: list[_Piece]) -> DotDictDataFrame:
    lengths = [length for length, _ in pieces]
    names = list(dict.fromkeys(chain.from_iterable(columns for _, columns in pieces)))
    data = {}
    for name in names:
        array = _stack([columns.pop(name, None) for _, columns in pieces], lengths)
        data[name] = pd.Series(array, dtype=object, copy=False) if array.dtype == object else array
    small = sum(lengths) * len(names) < _CONSOLIDATE_BELOW
    frame = DotDictDataFrame(data, copy=small)
    frame.columns = pd.Index(names, dtype=object)
    if len(pieces) > 1:
        frame.index = pd.Index(np.concatenate([np.arange(n) for n in lengths]))
    return frame


def _stack(parts: list[npt.NDArray[Any] | None], lengths: list[int]) -> npt.NDArray[Any]:
    """Put the runs' parts of a column after one another (None: the run does not have it)."""
    if len(parts) == 1 and parts[0] is not None:
        return parts[0]
    nulls = any(p is not None and _is_null(p) for p in parts)
    gaps = any(p is None for p in parts)
    deciding = {p.dtype for p in parts if p is not None and not _is_null(p)}
    kinds = {dtype.kind for dtype in deciding}
    if len(deciding) == 1 and not gaps and (not nulls or kinds == {"f"}):
        dtype = deciding.pop()
    elif kinds and kinds <= set("iuf") and (gaps or "f" in kinds or not nulls):
        dtype = np.dtype(np.float64)
    else:
        dtype = np.dtype(object)
    out = np.empty(sum(lengths), dtype)
    at = 0
    for part, length in zip(parts, lengths, strict=True):
        out[at : at + length] = _MISSING if part is None else part
        at += length
    return out


def _is_null(part: npt.NDArray[Any]) -> bool:
    """Say whether an object column holds nothing but nulls: then it does not decide the dtype."""
    return part.dtype == object and all(v is None or v != v for v in part)
