"""What was released before a cut, and what from it on: for the task ``next-release``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness.task import Task, TaskNotApplicable
from suites.errors import UsageError, unknown_name
from suites.suite import Suite

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["mark_releases"]

_DATES = ("release_date", "released", "release", "date")
"""Metadata columns of models that say when they were released, the first that is there."""


def mark_releases(suite: Suite, runs: pd.DataFrame, task: Task) -> tuple[pd.DataFrame, str]:
    """Mark runs that were released from the cut on.

    A cut that is the name of a HELM suite parts the suites in their natural order. One that is a
    date parts models by the release date of their metadata, or, where there is none, runs by the
    day they were made. Without a cut it is the last of several suites, else the day from which on
    `share` of the models (at least `least`) were released.

    Parameters
    ----------
    suite : Suite
        What was read.
    runs : DataFrame
        Its runs.
    task : Task
        Its `cut`, `share` and `least` are used.

    Returns
    -------
    runs : DataFrame
        With the column ``release``: 1 from the cut on, 0 before, missing where not known.
    cut : str
        What was cut at, in words.

    Raises
    ------
    UsageError
        If the cut is neither a suite nor a date, or nothing has a release or a date.
    """
    import pandas as pd

    orders = {
        _suite_of(entry.run.run, entry.run.name): entry.run.order
        for entry in suite.entries
        if entry.run.kind == "helm"
    }
    names = sorted(orders, key=lambda name: (orders[name], name))
    day = None if task.cut is None or task.cut in names else _day(task.cut, names)
    if task.cut in names or (task.cut is None and len(names) > 1):
        cut = names[-1] if task.cut is None else str(task.cut)
        later = set(names[names.index(cut) :])
        of_run = {e.run.run: _suite_of(e.run.run, e.run.name) for e in suite.entries}
        mark = [
            None if of_run[run] not in orders else int(of_run[run] in later) for run in runs["run"]
        ]
        return _marked(runs, mark), f"suite {cut}"
    dates, what = _dates(suite, runs)
    if day is None:
        day = _newest(dates, runs["model"], task)
    mark = [None if pd.isna(date) else int(date >= day) for date in dates]
    return _marked(runs, mark), f"{what} from {day:%Y-%m-%d} on"


def _marked(runs: pd.DataFrame, mark: Sequence[int | None]) -> pd.DataFrame:
    import pandas as pd

    return runs.assign(release=pd.array(mark, dtype="Int64"))


def _suite_of(run: str, name: str) -> str:
    """Give the suite of a HELM run by its id, ``<suite>/<name>``."""
    return run.removesuffix(f"/{name}")


def _day(cut: str, names: Sequence[str]) -> pd.Timestamp:
    import pandas as pd

    try:
        return pd.Timestamp(cut)
    except ValueError:
        if names:
            raise unknown_name("suite or date to cut at", cut, names) from None
        raise UsageError(f"the cut must be a date such as 2025-11-01, got {cut!r}.") from None


def _dates(suite: Suite, runs: pd.DataFrame) -> tuple[pd.Series, str]:
    """Give the date of each run, and what it is the date of."""
    import pandas as pd

    models = suite.models
    for name in _DATES:
        if name in models.columns:
            dates = pd.to_datetime(models[name].astype("string"), errors="coerce", format="ISO8601")
            if dates.notna().any():
                of_model = dict(zip(models["model"], dates.dt.tz_localize(None), strict=True))
                return runs["model"].map(of_model), f"models released ({name})"
    dates = pd.to_datetime(runs["date"])
    if not dates.notna().any():
        raise TaskNotApplicable(
            "nothing says what was released when: the task next-release needs several HELM suites, "
            "models with a column release_date in their metadata, or runs with a date."
        )
    return dates, "runs made"


def _newest(dates: pd.Series, model: pd.Series, task: Task) -> pd.Timestamp:
    """Give the day from which on enough models were released."""
    of_model = dates.groupby(model.to_numpy()).min().dropna().sort_values()
    wanted = max(task.least, int(np.ceil(task.share * len(of_model))))
    if len(of_model) <= wanted:
        raise TaskNotApplicable(
            f"next-release holds out the newest {wanted} models, and only {len(of_model)} have a "
            "date."
        )
    return of_model.iloc[-wanted]
