"""Responses of HELM suites and score tables, as rows of the data that models are fitted to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from hibayes.load.attributes import Said
from hibayes.load.table import stacked
from suites.errors import UsageError
from suites.reading import read
from suites.selection import Selection

if TYPE_CHECKING:
    import pandas as pd


def responses(
    sources: Sequence[str], scorer: str | None, tell: Callable[[str], None]
) -> pd.DataFrame:
    """Read responses: one row for each response and metric.

    Parameters
    ----------
    sources : sequence of str
        HELM folders and score tables.
    scorer : str, optional
        The metric; the main one of each run by default, ``*`` for all.
    tell : callable
        Takes problems and notes.

    Returns
    -------
    DataFrame
        The columns of `hibayes.load.base_extractor` (``dataset`` is the group of scenarios,
        ``task`` the instance, ``target`` and ``num_messages`` are not known), and ``scenario,
        condition, metric, part, sub_part, perturbation, run, status, weight``.
    """
    import pandas as pd

    suite = read(*sources, select=Selection(metric=scorer or "main"))
    frames = []
    for run, entries in suite.by_run.items():
        entry = entries[0]
        if entry.run.kind == "inspect":
            continue
        frame = suite.responses([run])
        if not len(frame):
            tell(f"{run} has values but no responses: it is left out.")
            continue
        named = frame["model"].astype("string")
        frames.append(
            pd.DataFrame(
                {
                    "score": frame["value"].astype("float64"),
                    "target": pd.Series([None] * len(frame), dtype="object"),
                    "model": named.str.rpartition("/")[2],
                    "model_raw": named,
                    "dataset": entry.run.scenario_group,
                    "task": frame["instance"],
                    "epoch": frame["trial"].astype("int64") + 1,
                    "num_messages": pd.Series([pd.NA] * len(frame), dtype="Int64"),
                    "log_path": entry.run.location,
                    "id": frame["instance"],
                    "task_name": entry.run.scenario,
                    "created": entry.run.date,
                    "weight": frame["weight"].astype("float64"),
                    **{
                        name: frame[name].astype("object").where(frame[name].notna(), None)
                        for name in (
                            "run",
                            "scenario",
                            "condition",
                            "metric",
                            "part",
                            "sub_part",
                            "perturbation",
                            "status",
                        )
                    },
                }
            )
        )
    for note in suite.notes:
        tell(note)
    for message in suite.problems["message"].tolist()[:20]:
        tell(f"Not read: {message}")
    if not frames:
        raise UsageError(
            f"{', '.join(sources)}: there are no responses to model, only values of whole runs."
        )
    return stacked(frames)


def views(frame: pd.DataFrame) -> list[tuple[Any, Any]]:
    """Give what extractors see of such rows: a sample and its log, as far as they are known."""
    out = []
    runs: dict[str, Any] = {}
    for row in frame.to_dict("records"):
        run = runs.get(row["run"])
        if run is None:
            spec = SimpleNamespace(
                model=row["model_raw"],
                task=row["task_name"],
                dataset=SimpleNamespace(name=row["dataset"]),
                task_args={},
                metadata={},
                tags=[],
            )
            run = runs[row["run"]] = SimpleNamespace(
                eval=spec,
                plan=SimpleNamespace(steps=[]),
                location=row["log_path"],
                status="success",
                metadata={},
                tags=[],
            )
        score = SimpleNamespace(value=row["score"], answer=None, explanation=None, metadata={})
        metadata = {name: row[name] for name in ("metric", "part", "perturbation", "condition")}
        sample = SimpleNamespace(
            id=row["task"],
            epoch=row["epoch"],
            scores={row["metric"]: score} if row["status"] == "ok" else None,
            target=row["target"],
            metadata=metadata,
            messages=[],
            message_count=None,
            model_usage={},
            error=Said("error") if row["status"] == "error" else None,
            limit=None,
        )
        out.append((sample, run))
    return out
