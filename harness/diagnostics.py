"""What predictors say of themselves: train runs left out (`loo`), and checks of the fit (`checks`).

A worker turns the predictor's answer into a table; the parent reads it back and keeps it. Neither
is a score: a predictor is ranked by what it says of held-out runs alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness.untrusted_table import read_untrusted

if TYPE_CHECKING:
    import pyarrow as pa

KINDS: tuple[str, ...] = ("checks", "loo")
"""The optional methods of a predictor, each ``name(train_split) -> DataFrame``."""

_COLUMNS: dict[str, dict[str, str]] = {
    "checks": {
        "check": "string",
        "value": "float64",
        "limit": "float64",
        "passed": "bool",
        "offenders": "string",
    },
    "loo": {
        "run": "string",
        "elpd_loo": "float64",
        "elpd_waic": "float64",
        "pareto_k": "float64",
        "method": "string",
    },
}

_PYTHON = {"string": str, "float64": float, "bool": bool}

_MOST_CHECKS, _LONGEST = 50, 500  # rows, and characters of a text, that are kept of checks


def schema(kind: str) -> pa.Schema:
    """Give the Arrow schema of a diagnostic's table."""
    import pyarrow as pa

    return pa.schema([(name, pa.type_for_alias(t)) for name, t in _COLUMNS[kind].items()])


def to_table(kind: str, answer: Any) -> pa.Table:
    """Arrange what a predictor returned.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    answer : DataFrame, or what makes one
        With the columns of `schema`; others are left out.

    Raises
    ------
    ValueError
        If a column is missing, or values are not of its type.
    """
    import pandas as pd
    import pyarrow as pa

    frame, columns = pd.DataFrame(answer), _COLUMNS[kind]
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise ValueError(f"{kind} must give the columns {missing}")
    arrays = {name: pa.array(frame[name].astype(_PYTHON[t])) for name, t in columns.items()}
    return pa.table(arrays).cast(schema(kind))


def read_table(kind: str, data: bytes) -> pa.Table:
    """Read a table that a worker wrote, which may have written anything.

    Raises
    ------
    ValueError, pyarrow.ArrowException
        If it is not such a table.
    """
    wanted = schema(kind)
    table = read_untrusted(data, tuple(wanted.names)).cast(wanted)
    if kind == "checks":
        if table.num_rows > _MOST_CHECKS:
            raise ValueError(f"at most {_MOST_CHECKS} checks are kept, not {table.num_rows}")
        rows = [
            {n: v[:_LONGEST] if isinstance(v, str) else v for n, v in row.items()}
            for row in table.to_pylist()
        ]
        table = type(table).from_pylist(rows, wanted)
    return table


def why_failed(table: pa.Table | None, error: str, fail_on: Sequence[str]) -> str:
    """Say which check that was to be passed failed; empty where none did.

    Parameters
    ----------
    table : pyarrow.Table or None
        The predictor's checks.
    error : str
        Why there are none although the predictor has checks: it has then passed none.
    fail_on : sequence of str
        Names of checks; ``any`` for all.

    Examples
    --------
    >>> found = to_table("checks", {"check": ["r_hat"], "value": [1.2], "limit": [1.05],
    ...                             "passed": [False], "offenders": ["a on s (1.200)"]})
    >>> why_failed(found, "", ["any"])
    'its check r_hat failed: 1.2, limit 1.05; a on s (1.200)'
    """
    if not fail_on:
        return ""
    if error:
        return f"its checks could not be made: {error}"
    reasons = []
    for row in table.to_pylist() if table is not None else ():
        if not row["passed"] and ("any" in fail_on or row["check"] in fail_on):
            worst = f"; {row['offenders']}" if row["offenders"] else ""
            reasons.append(
                f"its check {row['check']} failed: {row['value']:.4g}, limit {row['limit']:.4g}"
                f"{worst}"
            )
    return "; ".join(reasons)


def failed_checks(tables: Sequence[pa.Table]) -> list[dict[str, Any]]:
    """Sum up the checks of all folds that failed anywhere.

    Returns
    -------
    list of dict
        One for each such check: ``check``, ``failed`` (folds), ``of`` (folds that made it), and of
        the fold where it was furthest from its limit ``value``, ``limit`` and ``offenders``.

    Examples
    --------
    >>> one = {"check": ["ess"], "limit": [100.0], "offenders": [""]}
    >>> folds = [to_table("checks", {**one, "value": [v], "passed": [v > 100]}) for v in (50, 150)]
    >>> failed_checks(folds)
    [{'check': 'ess', 'failed': 1, 'of': 2, 'value': 50.0, 'limit': 100.0, 'offenders': ''}]
    """
    rows = [row for table in tables for row in table.to_pylist()]
    found = []
    for name in dict.fromkeys(str(row["check"]) for row in rows):
        own = [row for row in rows if row["check"] == name]
        failed = [row for row in own if not row["passed"]]
        if failed:
            worst = max(failed, key=lambda row: _distance(row["value"], row["limit"]))
            kept = {key: worst[key] for key in ("value", "limit", "offenders")}
            found.append({"check": name, "failed": len(failed), "of": len(own), **kept})
    return found


def _distance(value: float | None, limit: float | None) -> float:
    """Say how far a value is from its limit; what is no number is furthest."""
    if value is None or limit is None or value != value or limit != limit:
        return float("inf")
    return abs(value - limit)
