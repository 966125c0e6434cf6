"""What ``harness ls`` shows of a suite, and the tables that ``harness frames`` writes."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.console import console
from suites.errors import UsageError, unknown_name
from suites.reader import FRAMES
from suites.suite import Suite

if TYPE_CHECKING:
    import pandas as pd

DETAILS = "inspect."
"""Prefix of the columns that a source adds to the common ones."""

WRITABLE: tuple[str, ...] = (*FRAMES, "responses", "runs")


def listing(suite: Suite, runs: pd.DataFrame | None = None) -> dict[str, Any]:
    """Gather what a suite holds.

    Parameters
    ----------
    suite : Suite
        What was read.
    runs : DataFrame, optional
        Its runs after `Suite.verify`; by default ``suite.runs``.

    Returns
    -------
    dict
        ``runs`` (rows of the runs, with ``metric_reason``: why that metric), ``scenarios``,
        ``models``, ``notes`` and ``problems``.
    """
    table = suite.runs if runs is None else runs
    reasons = {e.run.run: e.run.main for e in suite.entries}
    rows = records(table)
    for row in rows:
        metric, part, why = reasons[row["run"]]
        is_main = (row["metric"], row["part"]) == (metric, part)
        row["metric_reason"] = why if is_main else "asked for by name"
    return {
        "runs": rows,
        "scenarios": records(suite.scenarios),
        "models": records(suite.models),
        "notes": list(suite.notes),
        "problems": records(suite.problems),
    }


def print_listing(content: dict[str, Any]) -> None:
    """Print what `listing` gathered: scenarios, the grid, the problems."""
    out = console()
    runs = content["runs"]
    models = sorted({row["model"] for row in runs})
    by_scenario: dict[str, list[dict[str, Any]]] = {}
    for row in runs:
        by_scenario.setdefault(row["scenario"], []).append(row)
    out.print(_scenario_table(by_scenario))
    cells = {(row["model"], row["scenario"]) for row in runs}
    out.print(
        f"{len(runs)} runs: {len(models)} models × {len(by_scenario)} scenarios, "
        f"{len(cells)} of {len(models) * len(by_scenario)} cells filled."
    )
    grid = _grid(models, by_scenario, out.width)
    if grid is not None:
        out.print(grid)
    recomputed = [r for r in runs if r["recomputed"] is not None]
    if recomputed:
        out.print(f"{len(recomputed)} values recomputed from their responses.")
    for note in content["notes"]:
        out.print(f"note: {note}", markup=False)
    problems = content["problems"]
    out.print(f"{len(problems)} problems" + (":" if problems else "."))
    for row in problems[:50]:
        where = row["run"] or row["file"] or row["source"]
        hint = f" ({row['hint']})" if row["hint"] else ""
        out.print(f"  {where}: {row['message']}{hint} [{row['code']}]", markup=False)
    if len(problems) > 50:
        out.print(f"  … and {len(problems) - 50} more; --json lists all.")


def _scenario_table(by_scenario: dict[str, list[dict[str, Any]]]) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, justify in (
        ("#", "right"),
        ("scenario", "left"),
        ("main metric", "left"),
        ("models", "right"),
        ("instances", "right"),
        ("mean", "right"),
        ("range", "right"),
    ):
        table.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for number, (scenario, rows) in enumerate(sorted(by_scenario.items()), start=1):
        metrics = sorted({_metric(row) for row in rows})
        counts = sorted({row["n"] for row in rows if row["n"] is not None})
        values = [row["value"] for row in rows]
        table.add_row(
            str(number),
            scenario,
            ", ".join(metrics),
            str(len({row["model"] for row in rows})),
            "" if not counts else _span(counts[0], counts[-1]),
            f"{sum(values) / len(values):.3f}",
            f"{min(values):.3f}–{max(values):.3f}",
        )
    return table


def _metric(row: dict[str, Any]) -> str:
    part = f"@{row['part']}" if row["part"] else ""
    perturbed = (
        "~" + json.loads(row["perturbation"]).get("name", "?") if row["perturbation"] else ""
    )
    return f"{row['metric']}{part}{perturbed}"


def _grid(
    models: Sequence[str], by_scenario: dict[str, list[dict[str, Any]]], width: int
) -> Any | None:
    """Draw models × scenarios with the instances of each cell, where it fits the screen."""
    from rich.table import Table

    longest = max((len(model) for model in models), default=0)
    if not models or len(models) > 60 or longest + 6 * len(by_scenario) > width:
        return None
    table = Table(box=None, pad_edge=False, header_style="bold", title=None)
    table.add_column("instances by model and scenario #")
    for number in range(1, len(by_scenario) + 1):
        table.add_column(str(number), justify="right")
    for model in models:
        cells = []
        for scenario in sorted(by_scenario):
            rows = [row for row in by_scenario[scenario] if row["model"] == model]
            counts = [row["n"] for row in rows if row["n"] is not None]
            several = f"×{len(rows)}" if len(rows) > 1 else ""
            cells.append((str(max(counts)) if counts else "+") + several if rows else "·")
        table.add_row(model, *cells)
    return table


def _span(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}–{high}"


def write_frame(
    suite: Suite, name: str, columns: Sequence[str] | None, out: str
) -> tuple[int, int]:
    """Write one table of a suite to a Parquet or CSV file.

    Parameters
    ----------
    suite : Suite
        What was read.
    name : str
        One of `WRITABLE`.
    columns : sequence of str, optional
        Names or globs of the columns to keep, in the table's own order. Of runs and responses
        those of a source's own are read when one of these begins with its prefix: ``inspect.*``.
    out : str
        The file; its ending decides the format. Lists and mappings become JSON text.

    Returns
    -------
    (int, int)
        Rows and columns written.

    Raises
    ------
    UsageError
        For an unknown table, column or ending, and for frames of a source that has none.
    """
    if name not in WRITABLE:
        raise unknown_name("table", name, WRITABLE)
    path = Path(out)
    if path.suffix not in (".parquet", ".csv"):
        raise UsageError(f"--out {out}: the file must end in .parquet or .csv.")
    if not path.parent.is_dir():
        raise UsageError(f"--out {out}: there is no folder {path.parent}.")
    details = any(glob.startswith(DETAILS) for glob in columns or ())
    if name == "runs":
        frame = suite.runs.merge(suite.details, on="run", how="left") if details else suite.runs
    elif name == "responses":
        frame = suite.responses(details=details)
    else:
        found = suite.frame(name)
        if found is None:
            raise UsageError(
                f"these sources have no {name}: HELM runs and Inspect logs have the four frames."
            )
        frame = found
    for glob in columns or ():
        if not any(fnmatch.fnmatchcase(str(c), glob) for c in frame.columns):
            raise unknown_name("column", glob, map(str, frame.columns))
    if columns:
        kept = [c for c in frame.columns if any(fnmatch.fnmatchcase(str(c), g) for g in columns)]
        frame = frame[kept]
    frame = _flat(frame)
    temporary = path.with_name(f".{path.name}.part")
    try:
        if path.suffix == ".csv":
            frame.to_csv(temporary, index=False)
        else:
            frame.to_parquet(temporary, index=False)
        temporary.replace(path)
    except OSError as err:
        temporary.unlink(missing_ok=True)
        raise UsageError(f"--out {out}: cannot be written: {err}.") from err
    return frame.shape


def _flat(frame: pd.DataFrame) -> pd.DataFrame:
    """Turn cells that a file cannot hold into JSON text."""
    import pandas as pd

    out = {}
    for column in frame.columns:
        values = frame[column]
        if values.dtype == object:
            kinds = {type(v) for v in values if v is not None and v == v}
            if kinds - {str}:
                values = values.map(lambda v: v if v is None or _is_nan(v) else _text(v))
        out[column] = values
    return pd.DataFrame(out)


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and value != value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Give a frame as JSON-able mappings, one per row; missing values are None."""
    plain = frame.astype(object).where(frame.notna(), None)
    return [{str(k): _plain(v) for k, v in row.items()} for row in plain.to_dict("records")]


def _plain(value: Any) -> Any:
    item = getattr(value, "item", None)
    if callable(item):
        return item()
    return value.isoformat() if hasattr(value, "isoformat") else value
