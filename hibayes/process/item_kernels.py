"""`item_kernels`: how alike models answer items, for the model ``crossed_factor_items``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hibayes.load.utils import tell
from hibayes.process._process import DataProcessor, process
from hibayes.process.rows import graded
from hibayes.process.utils import get_category_order, require
from suites.errors import UsageError

KERNEL_MODELS = "kernel_model"
"""The coordinate that names the rows of the kernels."""

KERNELS = ("factor_kernel", "residual_kernel")


@process
def item_kernels(
    model: str = "model", scenario: str = "scenario", item: str = "id", score: str = "score"
) -> DataProcessor:
    """Make the features ``factor_kernel`` and ``residual_kernel`` of the models' item responses.

    It is run on the rows of samples, before ``groupby``, and leaves them as they are.

    Parameters
    ----------
    model, scenario : str
        Columns, the same as those of the effects. Logs of Inspect name their scenarios in
        ``task_name``.
    item : str
        The column that names an item within its scenario. ``id`` is the sample's in logs of
        Inspect, and the instance in HELM suites and score tables.
    score : str
        Numbers from 0 to 1, or grades (C, I, …).

    Raises
    ------
    UsageError
        If a column is not there or misses values, or a score is not from 0 to 1.

    Notes
    -----
    Several rows of one model and item (epochs, perturbations, metrics) count as their mean; rows
    without a score are passed over. The kernels are those of `hibayes.hierarchical.kernels`; the
    order of the models is kept as the coordinate ``kernel_model``.

    Examples
    --------
    >>> import pandas as pd
    >>> from types import SimpleNamespace as Some
    >>> data = pd.DataFrame({"model": list("aabbcc"), "scenario": "s", "id": list("xyxyxy"),
    ...                      "score": [1, 0, 1, 0, 0, 1]})
    >>> state = Some(data=data, processed_data=None, features=None, coords=None)
    >>> item_kernels()(state).features["factor_kernel"][0].round(2).tolist()
    [1.0, 1.0, 0.25]
    """

    def processor(state: Any, display: Any = None) -> Any:
        from hibayes.hierarchical.kernels import Answers, Kernels

        names = [model, scenario, item]
        require(state, [*names, score], display)
        frame = state.processed_data
        gaps = {name: int(frame[name].isna().sum()) for name in names}
        said = ", ".join(f"'{name}' in {n}" for name, n in gaps.items() if n)
        if said:
            raise UsageError(
                f"item_kernels: of {len(frame)} rows, there is no {said}. Drop them: first "
                f"drop_rows_with_missing_features with feature_names: {names}."
            )
        values = _scores(frame[score], display)
        models = get_category_order(frame[model], model).tolist()
        scenarios = get_category_order(frame[scenario], scenario).tolist()
        labels, code = np.unique(frame[item].astype(str).to_numpy(object), return_inverse=True)
        answers = Answers.arranged(
            _codes(frame[model], models),
            _codes(frame[scenario], scenarios),
            code,
            labels,
            values,
            (len(models), len(scenarios)),
        )
        kernels = Kernels.of(answers.tables, len(models))
        # of double precision: they are factorised
        made = dict(zip(KERNELS, (kernels.factors, kernels.residual), strict=True))
        state.features = {**(state.features or {}), **made}
        state.coords = {**(state.coords or {}), KERNEL_MODELS: models}
        items = sum(table.shape[1] for table in answers.tables.values())
        tell(
            display,
            f"Item kernels of {len(models)} models, of {int(np.isfinite(values).sum())} responses "
            f"to {items} items of {len(scenarios)} scenarios",
        )
        return state

    return processor


def _scores(column: Any, display: Any) -> NDArray[np.float64]:
    """Give scores as numbers.

    Raises
    ------
    UsageError
        If one is not from 0 to 1, or there is none.
    """
    numbers = column if column.dtype.kind in "iufb" else graded(column, display)
    values = np.asarray(numbers.to_numpy(dtype="float64", na_value=np.nan))
    there = values[np.isfinite(values)]
    outside = there[(there < 0) | (there > 1)]
    if len(outside):
        raise UsageError(
            f"item_kernels: scores must be from 0 to 1, and {len(outside)} of {len(values)} are "
            f"not, from {outside.min():g} to {outside.max():g}. Divide them first "
            "(score_normalizer with maximum)."
        )
    if not len(there):
        raise UsageError(f"item_kernels: no row has a number in {column.name!r}.")
    return values


def _codes(column: Any, order: list[Any]) -> NDArray[np.intp]:
    place = {level: i for i, level in enumerate(order)}
    return np.array([place[level] for level in column.tolist()], np.intp)
