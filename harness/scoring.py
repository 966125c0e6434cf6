"""`score_predictions`: an evaluation of predictions that another tool made of a written split."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from harness.evaluation import evaluate
from harness.file_answers import FileAnswers
from harness.prediction_files import PredictionFiles
from harness.results import Results
from harness.spec import Spec
from harness.split_folder import Split

__all__ = ["score_predictions"]


def score_predictions(
    predictions: str | Path | Sequence[str | Path],
    split: str | Path | Split,
    *,
    name: str | None = None,
    against: Any = (),
    sources: str | Path | Sequence[str | Path] | None = None,
    identity: str | Path | None = None,
    table: str | Path | None = None,
    metrics: str | Path | None = None,
    jobs: int = 1,
    out: str | Path | None = None,
    isolation: str = "best",
    require_isolation: str | None = None,
    timeout: float | None = 600.0,
    overwrite: bool = False,
    command: Sequence[str] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Results:
    """Score predictions as `harness.evaluate` scores those of a predictor.

    Parameters
    ----------
    predictions : path, or list of paths
        Parquet or CSV files in the format that the README of a split describes. The predictors
        are told apart by the column ``predictor``, or else by their files' names.
    split : path or Split
        The folder that `harness.write_split` wrote.
    name : str, optional
        What the predictor is called, where there is one.
    against : predictors
        As `harness.evaluate` takes them: evaluated beside the task's reference, on the same folds.
    sources, identity, table, metrics : path, or list of paths, optional
        Where these lie now, if not where they lay when the split was written.
    jobs, out, isolation, require_isolation, timeout, overwrite, command, progress
        As `harness.evaluate` takes them.

    Returns
    -------
    Results

    Raises
    ------
    UsageError
        If a file cannot be read, or the sources are no longer those of the split.

    Examples
    --------
    >>> import tempfile, harness
    >>> folder = tempfile.mkdtemp()
    >>> options = {"k": 2, "folds": 2}
    >>> split = harness.write_split("demo/my-suite", f"{folder}/split", **options)
    >>> made = harness.evaluate("demo/my-suite", "jeffreys", isolation="none", **options)
    >>> table = made.predictions
    >>> table[table["predictor"] == "jeffreys"].to_csv(f"{folder}/mine.csv", index=False)
    >>> results = harness.score_predictions(f"{folder}/mine.csv", split, name="mine")
    >>> results.ranking()["predictor"].tolist()
    ['scenario-mean', 'mine']
    """
    written = split if isinstance(split, Split) else Split.load(split)
    paths = [predictions] if isinstance(predictions, str | Path) else list(predictions)
    places = [sources] if isinstance(sources, str | Path) else sources
    with tempfile.TemporaryDirectory(prefix="benchcast-") as folder:
        units = [(seed, fold, k) for seed, fold in written.units for k in written.k]
        files = PredictionFiles(paths, Path(folder), units, name)
        suite = written.read(places, identity=identity, table=table, metrics=metrics)
        suite.notes.extend(files.notes)
        own = [
            Spec(
                one,
                None,
                str(Path(paths[0])),
                one,
                answers=FileAnswers(files, one, written.task.predicts),
            )
            for one in files.predictors
        ]
        others = [against] if isinstance(against, str | type | Spec) else list(against)
        return evaluate(
            suite,
            [*others, *own],
            task=written.task,
            k=written.k,
            folds=written.manifest["folds"],
            seeds=written.manifest["seeds"],
            leaks=written.manifest["leaks"],
            expect=written.manifest["sha256"],
            jobs=jobs,
            out=out,
            isolation=isolation,
            require_isolation=require_isolation,
            timeout=timeout,
            overwrite=overwrite,
            command=command,
            progress=progress,
        )
