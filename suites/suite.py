"""`Suite`: the runs that were read together, their values and, on request, their tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suites.errors import UsageError, unknown_name
from suites.origin import Origin
from suites.problem import Problem, ProblemLog
from suites.reader import FRAMES, Figure, Reader, RunDescription
from suites.schema import RUNS, arrow_schema, concat_details, frame_of, to_pandas
from suites.selection import Selection, matches

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_TOLERANCE = 1e-6
_CELL = ("scenario", "condition", "metric", "part", "perturbation")
_MOST_TRIED = 3  # runs of a scenario, until one has texts


@dataclass(frozen=True)
class Entry:
    """A run, the number of it that was selected, and the reader that has its tables."""

    reader: Reader
    run: RunDescription
    figure: Figure
    rerun: int
    value: float


class Suite:
    """Runs that were read together, narrowed by a `Selection`; tables are read when asked for.

    Made by `suites.read`. A suite keeps descriptions and published values in memory; responses
    and frames are read from the source, one run at a time.

    Parameters
    ----------
    described : iterable of (Reader, RunDescription)
        All runs of all sources.
    problems : ProblemLog
        Where problems go.
    selection : Selection
        Which runs, and which number of each.
    origin : Origin, optional
        How they were read, where that can be said.

    Attributes
    ----------
    notes : list of str
        What was decided on the way and should be said aloud (which rerun was kept …).

    Examples
    --------
    >>> import suites
    >>> suite = suites.read(suites.HelmOutputs.demo().suites()[0])
    >>> suite.runs[["model", "metric", "part"]].iloc[0].tolist()
    ['fir/fir-1b', 'exact_match', 'test']
    >>> len(suite), len(suite.responses())
    (4, 24)
    """

    def __init__(
        self,
        described: Iterable[tuple[Reader, RunDescription]],
        problems: ProblemLog,
        selection: Selection,
        origin: Origin | None = None,
    ) -> None:
        self.origin = origin
        self._described = list(described)
        self._problems = problems
        self._found = ProblemLog(strict=problems.strict)  # by this selection, not by reading
        self.selection = selection
        self.notes: list[str] = []

    # -- what there is ---------------------------------------------------------------------------

    @cached_property
    def entries(self) -> list[Entry]:
        """The selected runs, one `Entry` each, sorted by cell and rerun."""
        self._check_names()
        chosen: list[tuple[Reader, RunDescription, Figure]] = []
        for reader, run in self._described:
            if not self.selection.keeps(run.model, run.scenario):
                continue
            if self.selection.condition not in (None, run.condition):
                continue
            if run.unfinished and not self.selection.unfinished:
                hint = "--unfinished keeps such runs"
                self._report(run, "unfinished", run.unfinished, hint)
                continue
            figures = _figures(run, self.selection)
            if not figures:
                self._report(run, "no-metric", _no_metric(run, self.selection))
            for figure in figures:
                if figure.value != figure.value:  # NaN: the source has no value
                    self._report(run, "no-value", f"{figure.metric} has no value")
                elif (figure.n or 0) >= self.selection.min_instances:
                    chosen.append((reader, run, figure))
        entries = self._reruns(chosen)
        return self._complete(entries) if self.selection.complete else entries

    @cached_property
    def runs(self) -> pd.DataFrame:
        """One row per cell and rerun: columns of `suites.schema.RUNS`."""
        return frame_of(RUNS, [_row(entry) for entry in self.entries])

    @property
    def problems(self) -> pd.DataFrame:
        """What could not be read and why: one row per `suites.problem.Problem`."""
        _ = self.entries
        together = ProblemLog()
        together.extend([*self._problems, *self._found])
        return together.frame()

    def places(self) -> list[Path]:
        """Give the local files and folders that the runs were read from."""
        from suites.locations import is_url

        found = dict.fromkeys(run.location for _, run in self._described)
        return [Path(place) for place in found if not is_url(place)]

    @cached_property
    def by_run(self) -> Mapping[str, list[Entry]]:
        """Run id → its entries (several when several numbers of a run were selected)."""
        table: dict[str, list[Entry]] = {}
        for entry in self.entries:
            table.setdefault(entry.run.run, []).append(entry)
        return table

    def __len__(self) -> int:
        return len(self.entries)

    def __repr__(self) -> str:
        models = {e.run.model for e in self.entries}
        scenarios = {e.run.scenario for e in self.entries}
        return (
            f"<Suite: {len(self)} runs, {len(models)} models, {len(scenarios)} scenarios, "
            f"{len(self.problems)} problems>"
        )

    def select(self, selection: Selection | None = None, **changes: Any) -> Suite:
        """Give the same sources under another selection.

        Parameters
        ----------
        selection : Selection, optional
            The new selection; by default the present one.
        **changes
            Fields of `Selection` to change.
        """
        return Suite(
            self._described,
            self._problems,
            replace(selection or self.selection, **changes),
            self.origin,
        )

    def through(
        self, change: Callable[[Reader, RunDescription], tuple[Reader, RunDescription]]
    ) -> Suite:
        """Give the same selection of runs as `change` gives them: read and described otherwise."""
        return Suite([change(*pair) for pair in self._described], ProblemLog(), self.selection)

    # -- tables ----------------------------------------------------------------------------------

    def iter_responses(
        self, runs: Collection[str] | None = None
    ) -> Iterator[tuple[Entry, pa.Table | None]]:
        """Read the responses behind the selected numbers, one run at a time.

        Yields
        ------
        (Entry, pyarrow.Table or None)
            The responses of that number only: its metric, part and perturbation. None where the
            source has no responses, or where they could not be read (then a problem says why).
        """
        for run in self.by_run:
            if runs is None or run in runs:
                yield from self.responses_of(run)

    def responses_of(self, run: str) -> list[tuple[Entry, pa.Table | None]]:
        """Read one run's responses, as `iter_responses` gives them: a pair for each number."""
        entries = self.by_run[run]
        first = entries[0]
        return _each(entries, first.reader.responses(first.run, _metrics(entries)))

    def responses(
        self, runs: Collection[str] | None = None, *, details: bool = False
    ) -> pd.DataFrame:
        """Read the responses behind the selected numbers: columns of `suites.schema.RESPONSES`.

        Parameters
        ----------
        runs : collection of str, optional
            Ids of runs; all by default.
        details : bool
            Add what sources say of each response beside these (``inspect.total_tokens`` …).
        """
        import pyarrow as pa

        if details:
            return self._detailed(runs)
        tables = [table for _, table in self.iter_responses(runs) if table is not None]
        return to_pandas(pa.concat_tables(tables) if tables else arrow_schema().empty_table())

    def _detailed(self, runs: Collection[str] | None) -> pd.DataFrame:
        tables = []
        for run, entries in self.by_run.items():
            if runs is None or run in runs:
                read = entries[0].reader.detailed
                pairs = _each(entries, read(entries[0].run, _metrics(entries)))
                tables += [table for _, table in pairs if table is not None]
        return to_pandas(concat_details(tables) if tables else arrow_schema().empty_table())

    @cached_property
    def details(self) -> pd.DataFrame:
        """One row per run: ``run`` and what sources say of it beside `runs` (``inspect.…``)."""
        import pandas as pd

        rows = [{"run": run, **e[0].run.details} for run, e in self.by_run.items()]
        frame = pd.DataFrame(rows, columns=list({"run": None} | {k: None for r in rows for k in r}))
        return frame.convert_dtypes()

    def frame(self, table: str, runs: Collection[str] | None = None) -> pd.DataFrame | None:
        """Read one of the four HELM frames of all selected runs, in the order of `runs`.

        Parameters
        ----------
        table : str
            ``run_specs``, ``scenario_state``, ``stats`` or ``per_instance_stats``.
        runs : collection of str, optional
            Ids of runs; all by default.

        Returns
        -------
        DataFrame or None
            None when no source has frames.

        Raises
        ------
        UsageError
            If the name is none of the four.
        """
        import pandas as pd

        if table not in FRAMES:
            raise unknown_name("frame", table, FRAMES)
        frames = []
        for run, entries in self.by_run.items():
            if runs is None or run in runs:
                frame = entries[0].reader.frame(entries[0].run, table)
                if frame is not None:
                    frames.append(frame)
        return pd.concat(frames) if frames else None

    @cached_property
    def models(self) -> pd.DataFrame:
        """Metadata of the selected models: ``model, organisation, family`` and what sources add."""
        return self._metadata("models", "model", ["organisation", "family"])

    @cached_property
    def scenarios(self) -> pd.DataFrame:
        """Metadata of the selected scenarios: ``scenario, scenario_group`` and what sources add."""
        return self._metadata("scenarios", "scenario", ["scenario_group"])

    @cached_property
    def scenario_texts(self) -> dict[str, frozenset[str]]:
        """Hashes of the questions of each scenario, of one run that has texts.

        Scenarios whose runs have none are left out: nothing can be said of them.
        """
        found: dict[str, frozenset[str]] = {}
        tried: dict[str, int] = {}
        for entry in self.entries:
            scenario = entry.run.scenario
            if scenario in found or tried.get(scenario, 0) >= _MOST_TRIED:
                continue
            tried[scenario] = tried.get(scenario, 0) + 1
            hashes = entry.reader.instance_hashes(entry.run)
            if hashes:
                found[scenario] = frozenset(hashes.values())
        return found

    def verify(self, progress: Callable[[int, int], None] | None = None) -> pd.DataFrame:
        """Read all responses and recompute every value by its source's own rule.

        Parameters
        ----------
        progress : callable, optional
            Called with (runs done, runs in all).

        Returns
        -------
        DataFrame
            `runs` with ``recomputed`` and the counts filled in. A published value that differs
            from the recomputed one by more than rounding becomes a problem; both are kept. So
            do instance ids that cannot be right (`suites.instance_ids`).
        """
        from suites.instance_ids import InstanceIds

        rows, ids = [], InstanceIds()
        for done, (entry, table) in enumerate(self.iter_responses(), start=1):
            row = _row(entry)
            rows.append({**row, **self.observed(entry, table)})
            if table is not None:
                cell = tuple(row[name] for name in _CELL)
                worse = row["higher_is_better"] is False
                ids.add(cell, str(row["model"]), entry, table, more_is_worse=worse)
            if progress is not None:
                progress(done, len(self))
        for entry, why in ids.doubts():
            hint = "predictors that read items are misled by it; compare the texts of the questions"
            self._report(entry.run, "instance-ids", why, hint)
        return frame_of(RUNS, rows)

    def observed(self, entry: Entry, responses: pa.Table | None) -> dict[str, Any]:
        """Give what the responses tell of a number: recomputed value, counts, whether binary.

        Parameters
        ----------
        entry : Entry
            The run and its number.
        responses : pyarrow.Table or None
            What `iter_responses` gave for it; None gives an empty mapping.
        """
        if responses is None or not responses.num_rows:
            return {}
        import numpy as np
        import pyarrow.compute as pc

        value = responses.column("value").to_numpy(zero_copy_only=False)
        weight = responses.column("weight").to_numpy(zero_copy_only=False)
        status = responses.column("status").combine_chunks().dictionary_decode()
        instances = pc.count_distinct(responses.column("instance")).as_py()
        error = int(pc.sum(pc.equal(status, "error")).as_py() or 0)
        scored = int(np.isfinite(value).sum())
        recomputed = entry.reader.recompute(entry.run, entry.figure, responses)
        if recomputed is not None and abs(recomputed - entry.figure.value) > _TOLERANCE * max(
            1.0, abs(recomputed)
        ):
            message = (
                f"{entry.figure.metric}: published {entry.figure.value:.6g}, "
                f"recomputed from {scored} responses {recomputed:.6g}; both are kept"
            )
            self._report(entry.run, "not-recomputed", message)
        binary = (
            scored == instances == responses.num_rows
            and bool(np.isin(value, (0.0, 1.0)).all())
            and bool((weight == 1.0).all())
            and entry.figure.lower == 0.0
            and entry.figure.upper == 1.0
            and len(pc.unique(responses.column("sub_part"))) <= 1
            and abs(float(value.mean()) - entry.value) <= _TOLERANCE
        )
        return {
            # the mean of several runs has other responses behind it than these
            "recomputed": recomputed if entry.value == entry.figure.value else None,
            "n": instances,
            "n_scored": scored,
            "n_error": error,
            "n_missing": responses.num_rows - scored,
            "binary": binary,
        }

    # -- private ---------------------------------------------------------------------------------

    def _report(self, run: RunDescription, code: str, message: str, hint: str = "") -> None:
        self._found.add(Problem(run.source, run.run, None, None, code, message, hint))

    def _check_names(self) -> None:
        """Refuse names of the selection that nothing has: a slip must not pass as a choice."""
        if not self._described:
            return
        wanted = self.selection
        runs = [run for _, run in self._described]
        models, scenarios = {run.model for run in runs}, {run.scenario for run in runs}
        for globs, kind, known in (
            ((*wanted.models, *wanted.exclude_models), "model", models),
            ((*wanted.scenarios, *wanted.exclude_scenarios), "scenario", scenarios),
        ):
            for glob in globs:
                if not any(matches(name, [glob]) for name in known):
                    raise unknown_name(kind, glob, known)
        metrics = {figure.metric for run in runs for figure in run.figures}
        if wanted.metric not in ("main", "*") and wanted.metric not in metrics:
            raise unknown_name("metric", wanted.metric, metrics)
        conditions = {run.condition for run in runs}
        if wanted.condition is not None and wanted.condition not in conditions:
            raise unknown_name("condition", wanted.condition, conditions)

    def _reruns(self, chosen: list[tuple[Reader, RunDescription, Figure]]) -> list[Entry]:
        cells: dict[tuple[str, ...], list[tuple[Reader, RunDescription, Figure]]] = {}
        for item in chosen:
            cells.setdefault(_cell(item[1], item[2]), []).append(item)
        policy = self.selection.reruns
        entries: list[Entry] = []
        repeated = 0
        for cell in sorted(cells):
            items = sorted(cells[cell], key=lambda i: (i[1].kind, i[1].order, _when(i[1])))
            repeated += len(items) > 1
            made = [Entry(*item, i, item[2].value) for i, item in enumerate(items)]
            if policy == "all":
                entries += made
            elif policy == "mean" and len(made) > 1:
                mean = sum(entry.value for entry in made) / len(made)
                figure = replace(made[-1].figure, binary=False)
                entries.append(replace(made[-1], figure=figure, value=mean))
            else:
                entries.append(made[0] if policy == "first" else made[-1])
        if repeated and policy != "all":
            self.notes.append(f"{repeated} cells have reruns: kept the {policy} (--reruns).")
        return entries

    def _complete(self, entries: list[Entry]) -> list[Entry]:
        kept, dropped = complete_grid([(e.run.model, e.run.scenario) for e in entries])
        if dropped:
            self.notes.append(
                f"--complete dropped {len(dropped)} models and scenarios: {', '.join(dropped)}."
            )
        return [e for e in entries if (e.run.model, e.run.scenario) in kept]

    def _metadata(self, method: str, key: str, columns: list[str]) -> pd.DataFrame:
        import pandas as pd

        base = self.runs[[key, *columns]].drop_duplicates(key).reset_index(drop=True)
        readers = {id(reader): reader for reader, _ in self._described}.values()
        tables = [table for table in (getattr(r, method)() for r in readers) if table is not None]
        if not tables:
            return base
        extra = pd.concat(tables, ignore_index=True).drop_duplicates(key)
        added = [c for c in extra.columns if c not in base.columns]
        return base.merge(extra[[key, *added]].astype({key: base[key].dtype}), on=key, how="left")


def complete_grid(
    cells: Collection[tuple[str, str]],
) -> tuple[set[tuple[str, str]], list[str]]:
    """Drop models and scenarios, the emptiest first, until every cell is there.

    Ties go to the one whose name sorts last, so the outcome depends on the cells alone.

    Parameters
    ----------
    cells : collection of (model, scenario)
        The cells there are.

    Returns
    -------
    (set of (model, scenario), list of str)
        What is kept, and the names of what was dropped.

    Examples
    --------
    >>> kept, dropped = complete_grid([("a", "x"), ("a", "y"), ("b", "x")])
    >>> sorted(kept), dropped
    ([('a', 'x'), ('b', 'x')], ['y'])
    """
    there = set(cells)
    sides = ({m for m, _ in there}, {s for _, s in there})
    dropped: list[str] = []
    while sides[0] and sides[1] and len(there) < len(sides[0]) * len(sides[1]):
        missing: list[tuple[float, str, int]] = []
        for side, names in enumerate(sides):
            across = len(sides[1 - side])
            for name in names:
                has = sum(cell[side] == name for cell in there)
                missing.append(((across - has) / across, name, side))
        _, name, side = max(missing)
        sides[side].discard(name)
        there = {cell for cell in there if cell[side] != name}
        dropped.append(name)
    return there, dropped


def _figures(run: RunDescription, selection: Selection) -> list[Figure]:
    metric, part, _ = run.main
    if selection.metric not in ("main", "*"):
        parts = [f.part for f in run.figures if f.metric == selection.metric]
        preferred = [p for p in (part, "test", "valid") if p in parts]
        metric, part = selection.metric, (preferred or parts or [None])[0]
    found = []
    for figure in run.figures:
        if selection.metric != "*" and figure.metric != metric:
            continue
        if selection.part is not None or selection.metric != "*":
            wanted = selection.part if selection.part is not None else part
            if figure.part != wanted:
                continue
        if _perturbed(figure.perturbation, selection.perturbation):
            found.append(figure)
    return found


def _perturbed(perturbation: str | None, wanted: str | None) -> bool:
    if wanted is None or perturbation is None:
        return (wanted is None and perturbation is None) or wanted == "*"
    if wanted == "*" or perturbation == wanted:
        return True
    try:
        return bool(json.loads(perturbation).get("name") == wanted)
    except (ValueError, AttributeError):
        return False


def _no_metric(run: RunDescription, selection: Selection) -> str:
    known = sorted({f.metric for f in run.figures})
    wanted = run.main[0] if selection.metric == "main" else selection.metric
    shown = ", ".join(known[:8]) + (" …" if len(known) > 8 else "")
    part = f" at part {selection.part!r}" if selection.part else ""
    return f"has no {wanted!r}{part} under this selection; it has {shown or 'no metric at all'}"


def _cell(run: RunDescription, figure: Figure) -> tuple[str, ...]:
    return (
        run.model,
        run.scenario,
        run.condition,
        figure.metric,
        figure.part or "",
        figure.perturbation or "",
    )


def _when(run: RunDescription) -> tuple[str, str]:
    return (run.date.isoformat() if run.date else "", run.run)


def _row(entry: Entry) -> dict[str, Any]:
    run, figure = entry.run, entry.figure
    return {
        "run": run.run,
        "name": run.name,
        "source": run.source,
        "kind": run.kind,
        "model": run.model,
        "organisation": run.organisation,
        "family": run.family,
        "scenario": run.scenario,
        "scenario_group": run.scenario_group,
        "condition": run.condition,
        "metric": figure.metric,
        "part": figure.part,
        "perturbation": figure.perturbation,
        "value": entry.value,
        "n": figure.n,
        "binary": figure.binary,
        "lower": figure.lower,
        "upper": figure.upper,
        "higher_is_better": figure.higher_is_better,
        "date": run.date,
        "rerun": entry.rerun,
    }


def _metrics(entries: Collection[Entry]) -> set[str]:
    return {entry.figure.metric for entry in entries}


def _each(entries: list[Entry], table: pa.Table | None) -> list[tuple[Entry, pa.Table | None]]:
    """Give each number of a run the responses behind it."""
    if table is None:
        return [(entry, None) for entry in entries]
    figures = [(e, e.figure) for e in entries]
    return [(e, behind(table, f.metric, f.part, f.perturbation)) for e, f in figures]


def behind(table: pa.Table, metric: str, part: str | None, perturbation: str | None) -> pa.Table:
    """Keep the responses behind one number: those of its metric, part and perturbation."""
    import pyarrow as pa
    import pyarrow.compute as pc

    keep: Any = None
    for column, wanted in (("metric", metric), ("part", part), ("perturbation", perturbation)):
        values = table.column(column)
        if _all_are(values, wanted):
            continue
        values = values.cast(pa.string())
        match = pc.is_null(values) if wanted is None else pc.equal(values, wanted)
        keep = match if keep is None else pc.and_(keep, match)
    return table if keep is None else table.filter(keep)


def _all_are(values: pa.ChunkedArray, wanted: str | None) -> bool:
    """Say whether a dictionary-encoded column holds one value throughout, where that is plain."""
    if wanted is None:
        return bool(values.null_count == len(values))
    words = [chunk.dictionary for chunk in values.chunks] if not values.null_count else []
    return bool(words) and all(len(w) == 1 and w[0].as_py() == wanted for w in words)


def require_runs(suite: Suite, what: str) -> None:
    """Raise a `UsageError` when a suite has no runs, saying what was found instead."""
    if len(suite):
        return
    codes = suite.problems["code"].value_counts().to_dict()
    listed = ", ".join(f"{count} × {code}" for code, count in codes.items())
    raise UsageError(
        f"no runs to {what}: "
        + (f"reading found these problems: {listed}. " if listed else "the selection is empty. ")
        + "See `harness ls SOURCE` for what there is."
    )
