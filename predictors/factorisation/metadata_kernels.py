"""How alike models, or scenarios, are by their metadata: name, maker, date, yes-or-no traits."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from predictors.common.counts import Array
from predictors.common.grid import Column

if TYPE_CHECKING:
    import pandas as pd

    from harness.data_splits import DataSplit

__all__ = ["TraitKernels", "Traits", "column_traits", "model_traits"]

_DATES = ("release_date", "released", "release", "date")  # the first that has any
_DATE_LENGTH = 0.5  # years
_KNOWN = 0.5  # the share of models of which a yes-or-no column must be known
_DAYS = 365.25
_SEPARATORS = re.compile(r"[-_/,:=|\s]+")
_GRAMS = (2, 4)  # letters


@dataclass(frozen=True, eq=False)
class Traits:
    """What is known of R models, or columns, beside their values.

    Attributes
    ----------
    text : list of str
        Names, in lower case, separators as spaces.
    maker : list of str
        Organisation; "" where unknown, and for columns.
    date : ndarray of float, shape (R,)
        Years since 1970; NaN where unknown.
    flags : dict of str to ndarray of float, shape (R,)
        Yes-or-no columns: 1, 0 or NaN.
    """

    text: list[str]
    maker: list[str]
    date: Array
    flags: dict[str, Array]

    def __len__(self) -> int:
        return len(self.text)

    def one(self, row: int) -> Traits:
        """Give the traits of one of them."""
        return Traits(
            [self.text[row]],
            [self.maker[row]],
            self.date[row : row + 1],
            {name: flag[row : row + 1] for name, flag in self.flags.items()},
        )


def model_traits(models: Sequence[str], split: DataSplit, runs: pd.DataFrame | None) -> Traits:
    """Describe models by the metadata table of a split; what it does not say, by their runs.

    Parameters
    ----------
    models : sequence of str
    split : DataSplit
        Its `models` is read: ``model``, ``name``, ``organisation``, dates, yes-or-no columns.
    runs : DataFrame or None
        Runs, or targets, with ``organisation`` and ``date``; the earliest of a model counts.

    Examples
    --------
    >>> import pandas as pd
    >>> from harness.data_splits import TrainSplit
    >>> table = pd.DataFrame({"model": ["m-1"], "name": ["Mu 1"], "open": [True]})
    >>> traits = model_traits(["m-1", "m-2"], TrainSplit(models=table), None)
    >>> traits.text, traits.flags["open"].tolist()
    (['mu 1 m 1', 'm 2'], [1.0, nan])
    """
    table = split.models
    names = _column(table, "model", "name")
    maker = {**_column(runs, "model", "organisation"), **_column(table, "model", "organisation")}
    date = _dates(table)
    if not date and runs is not None and {"model", "date"} <= set(runs.columns):
        date = _earliest(runs)
    flags = {} if table is None or "model" not in table.columns else _flags(table)
    return Traits(
        text=[_words(names.get(m, ""), m) for m in models],
        maker=[maker.get(m, "") for m in models],
        date=np.array([date.get(m, np.nan) for m in models]),
        flags={f: np.array([of.get(m, np.nan) for m in models]) for f, of in flags.items()},
    )


def column_traits(
    columns: Sequence[Column], split: DataSplit, known: Sequence[Column] | None = None
) -> Traits:
    """Describe columns by their scenario's names, and by metric, part and perturbation.

    Parameters
    ----------
    columns : sequence of Column
    split : DataSplit
        Its `scenarios` is read: ``scenario``, ``name``.
    known : sequence of Column, optional
        The train columns; what is the same in all of them is no part of the text.

    Examples
    --------
    >>> from harness.data_splits import TrainSplit
    >>> columns = [("q:s=a", "c", "f1", "", "", True), ("q:s=b", "c", "em", "", "", True)]
    >>> column_traits(columns, TrainSplit()).text
    ['q s a f1', 'q s b em']
    """
    names = _column(split.scenarios, "scenario", "name")
    known = columns if known is None else known
    varied = [p for p in (2, 3, 4) if len({column[p] for column in known}) > 1]
    return Traits(
        text=[_words(names.get(c[0], ""), c[0], *(str(c[p]) for p in varied)) for c in columns],
        maker=[""] * len(columns),
        date=np.full(len(columns), np.nan),
        flags={},
    )


class TraitKernels:
    r"""Kernels between models, or between columns, made of the traits of the known ones.

    Each is 1 on the diagonal and positive semi-definite: ``name``, the cosine of the tf-idf of
    sequences of 2 to 4 letters; ``date``, :math:`\exp(-(d - d')^2 / (2 \cdot .5^2))` of years;
    ``maker``, 1 for the same organisation; ``flags``, the share of yes-or-no columns that agree.
    What is unknown is like nothing else. A kernel that the known ones do not differ in, or that is
    nowhere above 0 between two of them, is left out.

    Parameters
    ----------
    known : Traits
        Of the known models, or columns.

    Attributes
    ----------
    kinds : list of str
        The kernels that there are, in the order of `between`.

    Examples
    --------
    >>> traits = Traits(["gpt 4", "gpt 4 o", "yi"], ["o", "o", "y"], np.full(3, np.nan), {})
    >>> kernels = TraitKernels(traits)
    >>> kernels.kinds, kernels.between(traits, traits)[1][0].tolist()
    (['name', 'maker'], [1.0, 1.0, 0.0])
    """

    def __init__(self, known: Traits) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        self._letters = TfidfVectorizer(analyzer="char_wb", ngram_range=_GRAMS, sublinear_tf=True)
        if any(text.strip() for text in known.text):
            self._letters.fit(known.text)
        else:
            self._letters = None
        self._flags = [
            name
            for name, flag in sorted(known.flags.items())
            if np.isfinite(flag).mean() >= _KNOWN and len(set(flag[np.isfinite(flag)])) > 1
        ]
        self.kinds = ["name", "date", "maker", "flags"]
        tables = self.between(known, known)
        self.kinds = [kind for kind, table in zip(self.kinds, tables, strict=True) if _tells(table)]

    def between(self, a: Traits, b: Traits) -> list[Array]:
        """Give the kernels between two lists of models, or columns, shape (A, B) each.

        The same unknown thing in both lists is not seen to be the same: only in a list against
        itself is the diagonal 1.
        """
        return [self._one(kind, a, b) for kind in self.kinds]

    def _one(self, kind: str, a: Traits, b: Traits) -> Array:
        if kind == "name":
            if self._letters is None:
                table = np.zeros((len(a.text), len(b.text)))
            else:
                x, y = self._letters.transform(a.text), self._letters.transform(b.text)
                table = np.asarray((x @ y.T).todense())
        elif kind == "date":
            gap = (a.date[:, None] - b.date) / _DATE_LENGTH
            table = np.where(np.isfinite(gap), np.exp(-0.5 * np.nan_to_num(gap) ** 2), 0.0)
        elif kind == "maker":
            table = _same(np.array(a.maker, object), np.array(b.maker, object), "")
        else:
            parts = [_same(a.flags[f], b.flags[f], np.nan) for f in self._flags]
            table = sum(parts, np.zeros((len(a.text), len(b.text)))) / max(len(parts), 1)
        if a is b:
            np.fill_diagonal(table, 1.0)
        return table


def _same(a: Any, b: Any, unknown: Any) -> Array:
    known = (a != unknown) & (a == a)
    return np.asarray((a[:, None] == b) & known[:, None], float)


def _tells(table: Array) -> bool:
    apart = table[~np.eye(len(table), dtype=bool)]
    return bool(len(apart)) and bool(apart.max() > 0.0) and bool(apart.min() < 1.0 - 1e-9)


def _words(*parts: str) -> str:
    return _SEPARATORS.sub(" ", " ".join(parts)).strip().lower()


def _column(frame: pd.DataFrame | None, key: str, value: str) -> dict[str, str]:
    if frame is None or not {key, value} <= set(frame.columns):
        return {}
    known = frame[[key, value]].dropna().astype(str).sort_values([key, value])
    return dict(zip(known[key], known[value], strict=True))


def _dates(frame: pd.DataFrame | None) -> dict[str, float]:
    import pandas as pd

    for name in _DATES:
        if frame is None or not {"model", name} <= set(frame.columns):
            continue
        dates = pd.to_datetime(frame[name].astype("string"), errors="coerce", format="ISO8601")
        found = _years(frame["model"], dates)
        if found:
            return found
    return {}


def _earliest(runs: pd.DataFrame) -> dict[str, float]:
    import pandas as pd

    dates = pd.to_datetime(runs["date"], errors="coerce")
    return _years(runs["model"], dates)


def _years(models: pd.Series, dates: pd.Series) -> dict[str, float]:
    """Give model → the earliest of its dates, in years since 1970."""
    import pandas as pd

    if dates.dt.tz is not None:
        dates = dates.dt.tz_convert(None)
    years = (dates - pd.Timestamp(0)) / pd.Timedelta(days=_DAYS)
    first = years.groupby(models.astype(str).to_numpy()).min().dropna()
    return {str(m): float(y) for m, y in first.items()}


def _flags(frame: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Give the columns whose values are all true, false or missing: model → 1, 0."""
    found = {}
    models = frame["model"].astype(str).tolist()
    for name in frame.columns:
        values = frame[name]
        there = values.notna().to_numpy()
        if there.any() and all(isinstance(v, bool | np.bool_) for v in values[there]):
            found[str(name)] = {
                m: float(v) for m, v, ok in zip(models, values, there, strict=True) if ok
            }
    return found
