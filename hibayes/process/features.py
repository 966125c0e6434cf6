"""`extract_features`: categories and numbers as arrays, with the labels of their effects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np

from hibayes.load.utils import tell
from hibayes.process._process import (
    Columns,
    Coords,
    DataProcessor,
    Dims,
    Features,
    default_columns,
    pairs_of,
    process,
)
from hibayes.process.observed import MISSING, continuous, put, without_missing
from hibayes.process.utils import get_category_order, require, split
from suites.errors import UsageError, unknown_name


@process
def extract_features(
    categorical_features: Sequence[str] | None = None,
    continuous_features: Sequence[str] | None = None,
    *,
    interactions: bool | Sequence[Any] = False,
    effect_coding_for_main_effects: bool = False,
    standardise: bool = False,
    test: str | None = None,
    reference_categories: Mapping[str, Any] | None = None,
    category_order: Mapping[str, Sequence[Any]] | None = None,
    missing: str | None = None,
) -> DataProcessor:
    """Make features of columns, and the coordinates of their effects.

    A category ``c`` gives ``c_index`` (int32), ``num_c``, the coordinates ``c`` and the dimension
    of ``c_effects``; a number ``x`` gives ``x``. Told no columns, it takes those that the models
    of the configuration name.

    Parameters
    ----------
    categorical_features, continuous_features : list of str
        Columns.
    interactions : bool or list of pairs
        Label the effects of all pairs of columns, or of these; one flat pair may stand for itself.
        Both orders of a pair are labelled. A pair of a number and a category also gives the
        number's values under both names.
    effect_coding_for_main_effects : bool
        Label the free coefficients ``c_effects_constrained`` too: all levels but the last.
    standardise : bool
        Standardise the numbers; with `test`, by the training rows' mean and standard deviation.
    test : str, optional
        A column of truth values: its true rows become ``test_features``.
    reference_categories : mapping, optional
        Category → the level that comes first, the reference of dummy coding.
    category_order : mapping, optional
        Category → all its levels in order; it wins.
    missing : str, optional
        Rows that miss a value: ``error`` or ``drop``. By default an error for categories, while
        missing numbers stay NaN.

    Raises
    ------
    UsageError
        If columns are not there, a category misses values, or settings name other columns.
    """
    categorical = _list(categorical_features, "categorical_features")
    numeric = _list(continuous_features, "continuous_features")
    bare = categorical_features is None and continuous_features is None
    overlap = sorted(set(categorical) & set(numeric))
    if overlap:
        raise UsageError(f"Columns cannot be both categorical and continuous: {overlap}")
    if missing is not None and missing not in MISSING:
        raise unknown_name("way with missing values", str(missing), MISSING)
    pairs = interactions if isinstance(interactions, bool) else pairs_of(interactions)

    def processor(state: Any, display: Any = None) -> Any:
        plan = _Plan(
            categorical,
            numeric,
            pairs,
            effect_coding_for_main_effects,
            dict(reference_categories or {}),
            dict(category_order or {}),
        )
        if bare:
            plan = _named_by_models(plan, state, display)
        plan.check()
        wanted = [*plan.categorical, *plan.numeric]
        require(state, wanted, display)
        if missing == "drop":
            without_missing(state, wanted, "drop", display)
        else:
            gapless = wanted if missing == "error" else plan.categorical
            without_missing(state, gapless, "error", display)
        chosen = split(state, test, display)
        if chosen is not None:
            train, others = int((~chosen).sum()), int(chosen.sum())
            tell(display, f"Processing with train/test split - Train: {train}, Test: {others}")
        numbers = {
            name: continuous(state, name, standardise, chosen, display) for name in plan.numeric
        }
        made = _Made()
        for name in plan.categorical:
            _category(state, name, plan, made, chosen, display)
        _interactions(state, plan, numbers, made, chosen, display)
        state.coords = {**(state.coords or {}), **made.coords}
        state.dims = {**(state.dims or {}), **made.dims}
        state.features = {**(state.features or {}), **made.counts}
        if chosen is not None:
            state.test_features = {**(state.test_features or {}), **made.counts}
        return state

    return processor


@process
def extract_predictors_deprecated(
    predictor_names: Sequence[str] | None = None,
    interactions: bool = False,
    effect_coding_for_main_effects: bool = False,
) -> DataProcessor:
    """Make features of categories; `extract_features` is the newer one.

    Parameters
    ----------
    predictor_names : list of str
        By default ``model`` and ``task``.
    interactions, effect_coding_for_main_effects : bool
        As of `extract_features`.
    """
    worker: DataProcessor = extract_features(
        ["model", "task"] if predictor_names is None else list(predictor_names),
        interactions=interactions,
        effect_coding_for_main_effects=effect_coding_for_main_effects,
    )

    def processor(state: Any, display: Any = None) -> Any:
        return worker(state, display)

    return processor


@dataclass(frozen=True)
class _Plan:
    """What is to be made."""

    categorical: list[str]
    numeric: list[str]
    pairs: bool | list[tuple[str, str]]
    effect_coding: bool
    references: dict[str, Any]
    orders: dict[str, Sequence[Any]]

    def check(self) -> None:
        """Refuse settings that name other columns: a slip must not pass as a choice."""
        for setting, named in (
            ("reference_categories", self.references),
            ("category_order", self.orders),
        ):
            for name in named:
                if name not in self.categorical:
                    raise unknown_name(f"categorical feature in {setting}", name, self.categorical)
        for pair in self.pairs if isinstance(self.pairs, list) else []:
            for name in pair:
                if name not in self.categorical and name not in self.numeric:
                    known = [*self.categorical, *self.numeric]
                    raise unknown_name("feature in interactions", name, known)

    def all_pairs(self) -> list[tuple[str, str]]:
        """Give the pairs: categories in the order of their list, then category and number."""
        if isinstance(self.pairs, list):
            return self.pairs
        if not self.pairs:
            return []
        mixed = [(g, x) for x in self.numeric for g in self.categorical]
        return [*combinations(self.categorical, 2), *mixed]


@dataclass
class _Made:
    coords: Coords = field(default_factory=dict)
    dims: Dims = field(default_factory=dict)
    counts: Features = field(default_factory=dict)


def _named_by_models(plan: _Plan, state: Any, display: Any) -> _Plan:
    columns = default_columns()
    if columns is None or columns == Columns(optional=columns.optional):
        named = [n for n in (columns.optional if columns else ()) if n in state.processed_data]
        if not named:
            tell(
                display,
                "extract_features is told no columns, and no model's main_effects name any: "
                "nothing is extracted",
                "warning",
            )
        return _Plan([], named, [], plan.effect_coding, plan.references, plan.orders)
    there = set(map(str, state.processed_data.columns))

    def known(names: Sequence[str]) -> list[str]:
        found = [n for n in names if n in there or f"metadata_{n}" in there]
        lacking = [n for n in names if n not in found]
        if lacking:
            tell(
                display,
                f"The models name {lacking}, which the data have no columns of: not extracted",
                "warning",
            )
        return found

    categorical, numeric = known(columns.categorical), known(columns.continuous)
    numeric += [n for n in columns.optional if n in there and n not in numeric]
    kept = {*categorical, *numeric}
    pairs: bool | list[tuple[str, str]] = plan.pairs
    if plan.pairs is False:
        pairs = [(a, b) for a, b in columns.interactions if a in kept and b in kept]
    tell(display, f"extract_features takes what the models name: {[*categorical, *numeric]}")
    coding = plan.effect_coding or columns.effect_coding
    return _Plan(categorical, numeric, pairs, coding, plan.references, plan.orders)


def _category(state: Any, name: str, plan: _Plan, made: _Made, test: Any, display: Any) -> None:
    column = state.processed_data[name]
    order = get_category_order(column, name, plan.references.get(name), plan.orders.get(name))
    place = {level: i for i, level in enumerate(order.tolist())}
    codes = np.array([place[level] for level in column.tolist()], np.int32)
    put(state, {f"{name}_index": (codes, np.int32)}, test)
    labels = order.tolist()
    made.counts[f"num_{name}"] = len(labels)
    made.coords[name] = labels
    made.dims[f"{name}_effects"] = [name]
    tell(display, f"Extracted categorical '{name}' -> '{name}_index'")
    tell(display, f"  - Category order: {labels} (reference: {labels[0]})")
    if plan.effect_coding and len(labels) > 1:
        made.coords[f"{name}_constrained"] = labels[:-1]
        made.dims[f"{name}_effects_constrained"] = [f"{name}_constrained"]
        tell(display, f"  - Full effects: {len(labels)}; Constrained: {len(labels) - 1}")


def _interactions(
    state: Any,
    plan: _Plan,
    numbers: Mapping[str, tuple[Any, Any]],
    made: _Made,
    test: Any,
    display: Any,
) -> None:
    mains = {f"{name}_effects" for name in plan.categorical}
    for a, b in plan.all_pairs():
        groups = [name for name in (a, b) if name in plan.categorical]
        for one, other in ((a, b), (b, a)):
            effects = f"{one}_{other}_effects"
            if effects in mains:
                tell(
                    display,
                    f"'{effects}' is the effect of a column of its own: it keeps its labels",
                    "warning",
                )
            elif groups:
                made.dims[effects] = [name for name in (one, other) if name in groups]
            if len(groups) == 1:
                put(state, {f"{one}_{other}": numbers[_other(groups[0], a, b)]}, test)
        if len(groups) == 2:
            sizes = [made.counts[f"num_{name}"] for name in (a, b)]
            tell(
                display,
                f"Added interaction dims for '{a}_{b}' (full: {sizes[0]}×{sizes[1]}; "
                f"free, if effects sum to zero: {sizes[0] - 1}×{sizes[1] - 1})",
            )
        elif groups:
            g, x = groups[0], _other(groups[0], a, b)
            tell(
                display,
                f"Added cont×cat interaction {g}_{x}; effects dims '{g}_{x}_effects'=[{g}]",
            )


def _other(name: str, a: str, b: str) -> str:
    return b if name == a else a


def _list(value: Sequence[str] | str | None, where: str) -> list[str]:
    if isinstance(value, str):
        return [value]
    if value is None:
        return []
    if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
        raise UsageError(f"{where}: expected a list of columns, got {value!r}.")
    return list(dict.fromkeys(value))
