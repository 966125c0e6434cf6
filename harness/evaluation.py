"""`evaluate`: read → split → fit → predict → score → rank, in one visible loop.

The parent reads, splits, holds the truth and scores; predictors run in workers that get folders
and tables without truth.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from harness.description import describe, needs_of, why_not
from harness.design import LEAKS, Design
from harness.held_out import HeldOut
from harness.jail.probe import isolation_of
from harness.journal import Journal
from harness.local import Local, workers_of
from harness.output_folder import output_folder
from harness.pool import Pool
from harness.record import Record
from harness.results import Results
from harness.spec import Spec, spec_of, unique_names
from harness.split import Fold
from harness.task import Task
from harness.unit import Unit, UnitResult
from suites.errors import UsageError
from suites.reading import read
from suites.selection import Selection
from suites.suite import Suite, require_runs

__all__ = ["LEAKS", "evaluate", "selected"]

Progress = Callable[[str, int, int], None]


def evaluate(
    sources: Any,
    predictors: Any,
    *,
    task: str | Path | Task = "heldout-run",
    k: Sequence[int] | int | None = None,
    folds: int | str | None = None,
    seeds: Sequence[int] | int | None = None,
    jobs: int = 1,
    out: str | Path | None = None,
    isolation: str = "best",
    require_isolation: str | None = None,
    timeout: float | None = 600.0,
    overwrite: bool = False,
    fail_on: Sequence[str] | str = (),
    leaks: str = "block",
    expect: Mapping[str, str] | None = None,
    reuse: bool = False,
    command: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> Results:
    """Hold runs out, let predictors predict them, and score the predictions.

    Parameters
    ----------
    sources : Suite, or what `suites.read` takes
        The runs.
    predictors : str, class, object, or a list of these
        Registered names, ``module:Class``, ``path/file.py:Class``, each with settings as
        ``Name(a=1)``; classes or objects. The task's reference is always evaluated too.
    task : str, path or Task
        The name of a task, or a YAML file of one's own.
    k : int or sequence of int, optional
        Numbers of shown responses; by default the task's.
    folds : int or str, optional
        Number of folds, or the name (or a glob) of folds that the source prescribes.
    seeds : int or sequence of int, optional
        Seeds of the shufflings.
    jobs : int
        Workers at a time; results do not depend on it.
    out : path, optional
        The results folder to make; without it the results live as long as the returned object.
    isolation : str
        ``best``: each predictor × seed × fold in a worker of its own, in the best jail that the
        machine offers; ``strong``, ``medium`` or ``weak``: in this one (`harness doctor` says what
        they leave open); ``process``: workers without a jail. ``none``: in this process, for
        classes of a notebook. What was reached is recorded and shown.
    require_isolation : str, optional
        The least level to accept: ``strong``, ``medium`` or ``weak``.
    timeout : float or None
        Seconds of wall time for one call of a predictor.
    overwrite : bool
        Replace results that are already at ``out``.
    fail_on : str or sequence of str
        Names of checks that predictors make of their own fits (``r_hat``, …), ``any`` for all: the
        targets of a fold whose fit does not pass are then failed. By default a check that is not
        passed is only shown.
    leaks : str
        ``block``: models and scenarios that are the same under two names are held out together
        (`harness.leaks`). ``strict``: and so are near-duplicate models (`harness.agreement`).
        ``report``: they are only noted.
    expect : mapping of str to str, optional
        The ``sha256`` of another manifest: data, truth and split must be the same.
    reuse : bool
        Keep results that are at ``out`` if they are what would be found.
    command : sequence of str, optional
        The command line, for the manifest.
    progress : callable, optional
        Called with (what, done, in all).

    Returns
    -------
    Results

    Raises
    ------
    UsageError
        For whatever the user can mend: sources, names, settings, an output folder in the way,
        sources that are not what was expected.

    Examples
    --------
    >>> import harness
    >>> results = harness.evaluate("demo/my-suite", ["beta-binomial"], k=2, isolation="none")
    >>> results.ranking()["predictor"].tolist()
    ['scenario-mean', 'beta-binomial']
    """
    design = Design.of(task, k, folds, seeds, leaks)
    recipe = design.task
    specs = _specs(predictors, recipe)
    _check(isolation, jobs, timeout, specs)
    level = isolation_of(isolation, require_isolation)
    suite = selected(sources if isinstance(sources, Suite) else read(sources), recipe)
    require_runs(suite, "evaluate")
    report = progress or (lambda what, done, total: None)
    must_pass = (fail_on,) if isinstance(fail_on, str) else tuple(fail_on)

    with output_folder(out, overwrite or reuse, kept="units") as output:
        folder = output.folder
        work = folder / "work"
        work.mkdir()
        hidden = [*suite.places(), output.folder, output.final]
        with workers_of(level, work, hidden) as workers:
            described = {s.name: describe(s.answers or workers, s, timeout) for s in specs}
            frames = any("frames" in needs_of(d) for d in described.values())
            held = HeldOut(suite, work, frames=frames, progress=_named(report, "reading"))
            ks, all_folds = design.apply(held)
            if expect is not None:
                _require_same(expect, held.hashes(all_folds))
            record = Record(design, suite, held, specs, ks, all_folds, level, command)
            for spec in specs:
                description = described[spec.name]
                record.describe(spec, description, why_not(description, recipe, held))
            if reuse and record.made(output.final, must_pass):
                return Results(output.final)
            journal = Journal(folder / "units", record.fingerprint(must_pass))
            todo = record.resume(journal)
            units = _units(todo, recipe, held, ks, described, timeout, must_pass)
            threads = jobs if level != "none" else 1
            try:
                left = {(fold.seed, fold.fold): len(specs) for fold, specs in todo}
                for unit, result in _carry_out(units, workers, threads, report, record.count):
                    fold = unit.view.fold
                    record.add(unit.spec, fold, result, journal)
                    left[fold.seed, fold.fold] -= 1
                    if not left[fold.seed, fold.fold]:
                        shutil.rmtree(unit.view.path)
            except BaseException as err:
                if done := record.done:
                    err.add_note(
                        f"{done} of {record.count} predictor × fold are done and kept: the same "
                        "command goes on from there."
                    )
                raise
        for name in sorted({*must_pass} - {"any", *record.checks_made()}):
            suite.notes.append(f"no predictor has a check {name!r}: nothing could fail on it.")
        record.write(folder, journal, must_pass)
        shutil.rmtree(work)
        shutil.rmtree(folder / "units")
        output.put()
    return Results(output.final, output.keep)


def selected(suite: Suite, task: Task) -> Suite:
    """Give the suite with what the task needs of the selection, unless the user chose otherwise.

    Parameters
    ----------
    suite : Suite
    task : Task
        Its `select` says what it needs.
    """
    usual = Selection()
    wanted: dict[str, Any] = {
        name: value
        for name, value in task.select.items()
        if getattr(suite.selection, name) == getattr(usual, name)
    }
    return suite.select(**wanted) if wanted else suite


def _specs(predictors: Any, task: Task) -> list[Spec]:
    single = isinstance(predictors, str | type | Spec) or callable(
        getattr(predictors, "predict", None)
    )
    given = [predictors] if single else list(predictors)
    specs = [spec_of(predictor) for predictor in given]
    reference = spec_of(task.reference)
    if reference not in specs:
        specs.insert(0, reference)
    return unique_names(specs)


def _check(
    isolation: str,
    jobs: int,
    timeout: float | None,
    specs: Iterable[Spec],
) -> None:
    if jobs < 1:
        raise UsageError(f"jobs must be at least 1, got {jobs}.")
    if timeout is not None and not timeout > 0:
        raise UsageError(f"timeout must be more than 0 seconds, got {timeout:g}.")
    for spec in specs:
        if spec.module is None and spec.file is None and isolation != "none":
            raise UsageError(
                f"{spec.cls} is defined in a notebook or script, so a worker cannot import it: "
                'put it into a file and name it "path/file.py:Class", or pass isolation="none" to '
                "run it in this process."
            )


def _require_same(expected: Mapping[str, str], found: Mapping[str, str]) -> None:
    """Refuse sources that are not what was expected, saying what differs."""
    names = {
        "data": "the responses (data)",
        "truth": "the runs or their values (truth)",
        "split": "what each fold holds out (split)",
    }
    differ = [text for name, text in names.items() if expected.get(name) != found[name]]
    if differ:
        raise UsageError(
            "the sources do not give what was expected of them. What differs: "
            f"{', '.join(differ)}. Name the very sources, in the same state, with the same options."
        )


def _units(
    todo: Sequence[tuple[Fold, Sequence[Spec]]],
    task: Task,
    held: HeldOut,
    ks: Sequence[int],
    described: dict[str, dict[str, Any]],
    timeout: float | None,
    fail_on: Sequence[str],
) -> Iterator[Unit]:
    """Make the units, fold by fold: a fold's folder is written when its first unit is due."""
    for fold, specs in todo:
        view = held.write_fold(fold, task)
        for spec in specs:
            description = described[spec.name]
            frames = held.has_frames and "frames" in needs_of(description)
            yield Unit(spec, description, view, ks, timeout, frames, fail_on)


def _carry_out(
    units: Iterator[Unit],
    workers: Pool | Local,
    jobs: int,
    report: Progress,
    total: int,
) -> Iterator[tuple[Unit, UnitResult]]:
    """Run units, ``jobs`` at a time; a unit is made only when there is room for it."""
    done = 0
    if jobs == 1:
        for unit in units:
            yield unit, unit.run(_start(unit, workers))
            report("predicting", done := done + 1, total)
        return
    with ThreadPoolExecutor(jobs) as threads:
        running: dict[Future[UnitResult], Unit] = {}
        try:
            while True:
                for unit in itertools.islice(units, jobs - len(running)):
                    running[threads.submit(unit.run, _start(unit, workers))] = unit
                if not running:
                    return
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    yield running.pop(future), future.result()
                    report("predicting", done := done + 1, total)
        except BaseException:  # an interrupt: do not wait for what hangs
            workers.abort()
            raise


def _named(report: Progress, what: str) -> Callable[[int, int], None]:
    return lambda done, total: report(what, done, total)


def _start(unit: Unit, workers: Pool | Local) -> Callable[[str], Any]:
    """Give what starts a unit's worker, or what answers in its place."""
    start = (unit.spec.answers or workers).start
    return lambda name: start(name, [unit.view.path], unit.spec.folders)
