"""`submit`: a predictor evaluated on the split of results that are there, and added to them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.again import reread, task_in
from harness.evaluation import evaluate
from harness.merging import add
from harness.results import Results
from harness.spec import SETS, parse_spec
from suites.errors import UsageError

__all__ = ["submit"]


def submit(
    results: str | Path,
    spec: str,
    *,
    name: str | None = None,
    author: str | None = None,
    sources: Sequence[str | Path] | None = None,
    jobs: int = 1,
    timeout: float | None = 600.0,
    isolation: str = "best",
    require_isolation: str | None = "medium",
    command: Sequence[str] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Results:
    """Evaluate a predictor as those of a results folder were evaluated, and add its row there.

    Parameters
    ----------
    results : path
        A results folder of one task. Its sources are read again, from where they lay.
    spec : str
        The predictor: ``path/file.py:Class(a=1)``, ``module:Class`` or a registered name.
    name : str, optional
        What it is called; by default its class's or registered name.
    author : str, optional
        Who made it; shown beside it.
    sources : sequence of path, optional
        Where the sources lie now, if elsewhere.
    jobs, timeout, isolation, command, progress
        As `harness.evaluate` takes them.
    require_isolation : str or None
        The least level of isolation to accept: what is submitted is another's code.

    Returns
    -------
    Results
        The same folder, with the predictor's rows.

    Raises
    ------
    UsageError
        If there is a predictor of this name, the sources changed, the folder was made of objects
        in memory, or the predictor does not apply to its task.

    Examples
    --------
    >>> import tempfile, harness
    >>> folder = tempfile.mkdtemp() + "/results"
    >>> made = harness.evaluate("demo/my-suite", "jeffreys", k=2, folds=2, out=folder)
    >>> both = harness.submit(folder, "beta-binomial", author="A. Nother", require_isolation=None)
    >>> [(one["name"], one.get("author")) for one in both.manifest["predictors"]]
    [('scenario-mean', None), ('jeffreys', None), ('beta-binomial', 'A. Nother')]
    """
    there = Results.load(results)
    kept = there.manifest.get("made_of")
    if kept is None:
        raise UsageError(
            f"{there.path} does not say what it was made of: evaluate its predictors again."
        )
    if spec in SETS:
        raise UsageError(f"submit one predictor at a time, not {spec!r}.")
    predictor = parse_spec(spec)
    if name is not None:
        if not name.strip() or not name.isprintable():
            raise UsageError(f"the name {name!r} cannot be shown: use letters and digits.")
        predictor = dataclasses.replace(predictor, name=name.strip())
    names = [one["name"] for one in there.manifest["predictors"]]
    if predictor.name in names:
        raise UsageError(
            f"{there.path} has a predictor {predictor.name} already: choose another --name."
        )
    made = evaluate(
        reread(kept, sources),
        [predictor],
        task=task_in(kept, there.path / "manifest.json"),
        k=there.manifest["k"],
        folds=kept["folds"],
        seeds=kept["seeds"],
        leaks=kept["leaks"],
        fail_on=kept.get("fail_on", ()),
        expect=there.manifest["sha256"],
        jobs=jobs,
        timeout=timeout,
        isolation=isolation,
        require_isolation=require_isolation,
        command=command,
        progress=progress,
    )
    (entry,) = (one for one in made.manifest["predictors"] if one["name"] == predictor.name)
    if entry["status"] == "not_applicable":
        raise UsageError(f"{predictor.name} does not apply to this task: {entry['reason']}.")
    marks: dict[str, Any] = {"submitted": datetime.now(UTC).date().isoformat()}
    if author is not None:
        marks["author"] = author
    return add(there.path, made, [predictor.name], marks)
