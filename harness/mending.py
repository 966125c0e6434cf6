"""`evaluate_failed`: evaluate again what failed in results that are there, and keep the rest."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.evaluation import evaluate
from harness.merging import add
from harness.record import FAILED
from harness.results import Results
from harness.spec import Spec, parse_spec, spec_of
from suites.errors import UsageError

__all__ = ["evaluate_failed", "failed_in"]


def evaluate_failed(
    sources: Any,
    out: str | Path,
    predictors: Sequence[Any] = (),
    **options: Any,
) -> Results:
    """Evaluate the predictors of a results folder that failed on some target, and those not in it.

    Parameters
    ----------
    sources : Suite, path, or list of paths
        The sources of the results.
    out : path
        The results folder. It is replaced when all is done; what is killed goes on from where it
        was.
    predictors : sequence
        Which, as `harness.evaluate` takes them: those of them that answered well are left as they
        are. By default those of the folder.
    **options
        The further arguments of `harness.evaluate` that the results were made with.

    Returns
    -------
    Results

    Raises
    ------
    UsageError
        If there are no results at `out`, or the sources or options are others than theirs.

    Examples
    --------
    >>> import tempfile, harness
    >>> folder = tempfile.mkdtemp() + "/results"
    >>> made = harness.evaluate("demo/my-suite", "jeffreys", k=2, folds=2, out=folder)
    >>> again = evaluate_failed("demo/my-suite", folder, k=2, folds=2)
    >>> failed_in(made), again.path == made.path
    ([], True)
    """
    there = Results.load(out)
    entries = {entry["name"]: entry for entry in there.manifest["predictors"]}
    failed = failed_in(there)
    if predictors:
        named = [spec_of(predictor) for predictor in predictors]
        todo = [spec for spec in named if spec.name in failed or spec.name not in entries]
    else:
        todo = [_spec(entries[name]) for name in failed]
    if not todo:
        return there
    place = there.path.with_name(f".{there.path.name}.again")
    made = evaluate(
        sources, todo, out=place, expect=there.manifest["sha256"], overwrite=True, **options
    )
    results = add(there.path, made, [spec.name for spec in todo])
    shutil.rmtree(place)
    return results


def failed_in(results: Results) -> list[str]:
    """Give the predictors that did not answer well for some target, in the order of the manifest.

    Parameters
    ----------
    results : Results
    """
    status = results.status
    bad = status["predictor"][status["status"].astype(str).isin(FAILED)]
    names = set(bad.astype(str))
    return [e["name"] for e in results.manifest["predictors"] if e["name"] in names]


def _spec(entry: dict[str, Any]) -> Spec:
    if str(entry["spec"]).startswith("notebook:"):
        raise UsageError(
            f"the predictor {entry['name']} was a class of a notebook: give it again, as one of "
            "the predictors."
        )
    return dataclasses.replace(parse_spec(entry["spec"]), name=entry["name"])
