"""`get_sample_df`: from sources to one table with a row for each sample."""

from __future__ import annotations

import datetime as dt
import traceback
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hibayes.load import columns as base
from hibayes.load._extractor import Extractor, needs_inspect
from hibayes.load.cache import Cache
from hibayes.load.configs.config import DataLoaderConfig
from hibayes.load.scores import column_of, score_number, value_of
from hibayes.load.sources import find, get_file_list, is_after_timestamp, open_logs
from hibayes.load.table import Columns, score_values, series, stacked, uniform
from hibayes.load.utils import check_mixed_types, count, tell
from hibayes.load.views import LogRow, RunView, SampleView
from hibayes.registry import registry_info
from suites.errors import UsageError, unknown_name
from suites.inspect.errors import LogError
from suites.inspect.log import Log
from suites.inspect.values import leaves
from suites.memory import no_garbage_collection

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["get_file_list", "get_sample_df", "is_after_timestamp"]


def get_sample_df(config: DataLoaderConfig, display: Any = None) -> pd.DataFrame:
    """Read the samples of all sources.

    Parameters
    ----------
    config : DataLoaderConfig
        What to read and what to extract.
    display : Display, optional
        Is told of progress, of counts and of what is left out.

    Returns
    -------
    DataFrame
        A row for each sample and epoch of Inspect logs, in the order of the logs, with the base
        columns (`hibayes.load.columns`) and those of the extractors, which replace base columns of
        their name; and a row for each response of HELM suites and tables. Samples that were
        declared invalid are left out.

    Raises
    ------
    UsageError
        If there is nothing to read.
    MixedTypes
        If an extractor gives a column values of several types.

    Examples
    --------
    >>> config = DataLoaderConfig(files_to_process=["demo/inspect"])
    >>> frame = get_sample_df(config)
    >>> {"score", "model", "dataset", "task", "epoch"} <= set(frame.columns)
    True
    """
    cache = Cache.of(config)
    if cache is not None:
        frame = cache.read(lambda said: tell(display, said))
        if frame is not None:
            _count(frame, display)
            return frame
    if not config.files_to_process:
        where = f" and there is no {config.cache_path}" if config.cache_path else ""
        raise UsageError(
            f"there is nothing to load: files_to_process is empty{where}. Name logs, HELM suites "
            "or score tables under data_loader.paths.files_to_process."
        )
    frame = _read(config, display)
    check_mixed_types(frame)
    if cache is not None:
        cache.write(frame, lambda said: tell(display, said))
    return frame


def _read(config: DataLoaderConfig, display: Any) -> pd.DataFrame:
    def warn(said: str) -> None:
        tell(display, said, "warning")

    found = find(config.files_to_process, warn)
    frames = []
    if found.logs:
        logs = open_logs(found.logs, cutoff=config.cutoff, workers=config.max_workers, tell=warn)
        frames.append(_Loading(config, display).read(logs))
    if found.others:
        frames.append(_of_responses(found.others, config, display))
    frame = stacked(frames)
    if not len(frame):
        raise UsageError(
            f"{', '.join(config.files_to_process[:3])}: there are no samples to load; the log of "
            "loading says what was left out."
        )
    _count(frame, display)
    return frame


class _Loading:
    """One pass over logs."""

    def __init__(self, config: DataLoaderConfig, display: Any) -> None:
        self.config = config
        self.display = display
        self.extractors = list(config.enabled_extractors or [])
        self.base = Columns()
        self.of_logs = Columns()
        self.lengths: list[int] = []
        self.extracted = Columns()
        self.failed: list[bool] = []  # had an error, or no score
        self.faults: Counter[tuple[str, str]] = Counter()
        self.traces: dict[tuple[str, str], str] = {}
        self.texts: Counter[str] = Counter()  # scores that have no number
        self.several: dict[tuple[str, ...], int] = {}
        self.scorers: set[str] = set()
        self.untold = 0  # samples since the count was last shown

    def read(self, logs: Sequence[Log]) -> pd.DataFrame:
        """Read the samples of all logs."""
        task = _Progress(self.display, len(logs))
        for log in logs:
            with no_garbage_collection():
                self._log(log)
            task.advance()
        wanted = self.config.scorer
        if wanted is not None and logs and wanted not in self.scorers:
            raise unknown_name("scorer", wanted, self.scorers)
        frame = self._frame()
        self._report()
        for worker in self.extractors:
            check = getattr(worker, "check", None)
            if check is not None:
                check()
        return self._by_policy(frame)

    # ---------- one log

    def _log(self, log: Log) -> None:
        if not log.header.finished:
            if self.config.unfinished == "drop":
                self._tell(f"Left out: {log.location} did not come to its end.")
                return
            self._tell(f"{log.location} did not come to its end ({log.header.status}); it is kept.")
        try:
            rows = log.rows(LogRow, lambda code, what, hint: self._tell(f"{log.location}: {what}."))
        except LogError as err:
            self._tell(f"Not read: {err}.")
            return
        invalid = sum(row.invalidation is not None for row in rows)
        if invalid:
            self._tell(f"{log.location}: {invalid} samples were declared invalid: left out.")
            rows = [row for row in rows if row.invalidation is None]
        for row in rows:
            if isinstance(row.messages, list):
                row.message_count, row.messages = len(row.messages), None
        run = RunView(log, self._scorer(log, rows))
        views = [SampleView(row, run) for row in rows]
        try:
            named = run.main_scorer
            values = [value_of(row.scores, named) if row.scores and named else None for row in rows]
            parts = base.of_samples(rows, views)
            extracted = self._extracted(views, run, values)
        except LogError as err:
            self._tell(f"Not read: {err}.")
            return
        self._note(rows, values)
        self.of_logs.add(base.of_log(run))
        self.lengths.append(len(rows))
        self.base.extend(parts, len(rows))
        self.extracted.extend(extracted, len(rows))
        self.untold += len(rows)
        if self.untold >= self.config.batch_size:
            count(self.display, "Samples found", self.base.length)
            self.untold = 0

    def _extracted(
        self, views: Sequence[SampleView], run: RunView, values: Sequence[Any]
    ) -> dict[str, list[Any]]:
        """Apply the extractors to the samples of a log."""
        workers, found = list(self.extractors), {}
        at_once = getattr(workers[0], "columns", None) if workers else None
        if at_once is not None:
            try:
                found = at_once(views, run, values)
                workers = workers[1:]
            except Exception:  # row by row it fails for some samples only
                found = {}
        if workers:
            for i, view in enumerate(views):
                for name, value in self._extract(view, run, workers).items():
                    if name not in found:
                        found[name] = [None] * len(views)
                    found[name][i] = value
        return found

    def _scorer(self, log: Log, rows: Sequence[LogRow]) -> str | None:
        """Give the scorer that counts: the stated one, or the first of the log."""
        values: dict[str, Any] = {}
        for row in rows:
            for name, score in (row.scores or {}).items():
                if score is not None and name not in values:
                    values[name] = score.value
        for name, value in values.items():
            self.scorers.update((name, *(leaf for leaf, _ in leaves(name, value))))
            self.scorers.update(column_of(leaf) for leaf, _ in leaves(name, value))
        if self.config.scorer is not None:
            return self.config.scorer
        if len(values) > 1:
            self.several[tuple(values)] = self.several.get(tuple(values), 0) + 1
        return next(iter(values), None)

    def _note(self, rows: Sequence[LogRow], values: Sequence[Any]) -> None:
        """Note which samples have no score that counts, and scores that have no number."""
        for row, value in zip(rows, values, strict=True):
            self.failed.append(value is None or value != value or row.error is not None)
        texts = Counter(value for value in values if isinstance(value, str))
        for text, times in texts.items():
            if score_number(text) != score_number(text):
                self.texts[text] += times

    def _extract(self, view: Any, run: Any, workers: Sequence[Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for worker in workers:
            try:
                if needs_inspect(worker):
                    found.update(worker(view.eval_sample, run.eval_log))
                else:
                    found.update(worker(view, run))
            except ImportError:
                raise
            except Exception as err:
                name = _name(worker)
                key = name, f"{type(err).__name__}: {err}"
                if len(self.traces) < 20 and key not in self.traces:
                    at = f"{run.location}, sample {view.id}, epoch {view.epoch}"
                    self.traces[key] = f"{at}\n{traceback.format_exc()}"
                self.faults[key] += 1
        return found

    # ---------- all logs

    def _frame(self) -> pd.DataFrame:
        import pandas as pd

        extracted = {name: series(values) for name, values in self.extracted.lists().items()}
        columns: dict[str, Any] = {}
        for name, values in self.of_logs.lists().items():
            if name not in extracted:
                one = series(values).repeat(self.lengths)
                columns[name] = one.reset_index(drop=True)
        for name, values in self.base.lists().items():
            if name in extracted:
                continue
            if name.startswith("score_"):
                columns[name] = series(score_values(values))
            elif name.startswith("metadata_"):
                columns[name] = series(uniform(values))
            else:
                columns[name] = series(values)
        return pd.DataFrame({**extracted, **columns})

    def _by_policy(self, frame: pd.DataFrame) -> pd.DataFrame:
        import numpy as np

        failed = np.array(self.failed, bool)
        if not failed.any():
            return frame
        policy = self.config.errors
        count_ = int(failed.sum())
        done = {"keep": "kept", "drop": "left out", "incorrect": "counted as 0"}[policy]
        self._tell(
            f"{count_} of {len(failed)} samples failed or have no score: {done} (errors: {policy})."
        )
        if policy == "drop":
            return frame[~failed].reset_index(drop=True)
        if policy == "incorrect" and "score" in frame:
            frame["score"] = frame["score"].mask(failed & frame["score"].isna().to_numpy(), 0.0)
        return frame

    def _report(self) -> None:
        for names, logs in self.several.items():
            self._tell(
                f"{logs} logs have {len(names)} scorers ({', '.join(names)}): score is that of "
                f"{names[0]}; the others are score_<scorer>. To choose: data_loader.scorer.",
                "info",
            )
        if self.texts:
            shown = ", ".join(repr(text[:30]) for text, _ in self.texts.most_common(3))
            self._tell(
                f"{sum(self.texts.values())} scores are texts without a number ({shown}): they are "
                "missing. score_normalizer's custom_mapping says what they count as."
            )
        for (name, what), times in self.faults.most_common():
            self._tell(f"{name} failed for {times} samples: {what}", "error")
            trace = self.traces.get((name, what))
            if trace:
                tell(self.display, f"the first of them: {trace}", "debug")
        count(self.display, "Extractor errors", sum(self.faults.values()))
        count(self.display, "Sample errors", int(sum(self.failed)))

    def _tell(self, said: str, level: str = "warning") -> None:
        tell(self.display, said, level)


def _of_responses(sources: Sequence[str], config: DataLoaderConfig, display: Any) -> pd.DataFrame:
    """Read HELM suites and tables; extractors beyond the base are applied to what is known."""
    import pandas as pd

    from hibayes.load.responses import responses, views

    frame = responses(sources, config.scorer, lambda said: tell(display, said, "warning"))
    if config.cutoff is not None:
        cutoff = config.cutoff
        dates = pd.to_datetime(frame["created"])
        if cutoff.tzinfo is not None:
            cutoff = cutoff.astimezone(dt.UTC).replace(tzinfo=None)
        frame = frame[(dates > cutoff).to_numpy()].reset_index(drop=True)
    more = [w for w in config.enabled_extractors or [] if _name(w) != "base_extractor"]
    if more:
        loading = _Loading(replace(config, enabled_extractors=more), display)
        for sample, run in views(frame):
            loading.failed.append(False)
            loading.extracted.add(loading._extract(sample, run, more))
        for name, values in loading.extracted.lists().items():
            frame[name] = series(values)
        loading._report()
    missing = frame["score"].isna()
    if config.errors == "drop":
        frame = frame[~missing].reset_index(drop=True)
    elif config.errors == "incorrect":
        frame["score"] = frame["score"].fillna(0.0)
    return frame


def _apply_cutoff(df: pd.DataFrame, cutoff: dt.datetime) -> pd.DataFrame:
    """Keep the rows of logs (column ``log``) that were completed after a moment."""
    after = {place for place in df["log"].unique() if _is_after(cutoff, place)}
    return df[df["log"].isin(after)]


def _is_after(cutoff: dt.datetime, place: str) -> bool:
    try:
        return is_after_timestamp(cutoff, Log.open(place))
    except LogError as err:
        tell(None, f"Not read: {err}.", "error")
        return False


def _apply_extractors(
    df: pd.DataFrame, extractors: Iterable[Extractor], display: Any = None
) -> pd.DataFrame:
    """Add the columns of extractors to rows that name their sample: ``log``, ``id``, ``epoch``."""
    loading = _Loading(DataLoaderConfig(enabled_extractors=list(extractors)), display)
    wanted = df.reset_index(drop=True)
    out: dict[int, dict[str, Any]] = {}
    for place, rows in wanted.groupby("log", sort=False):
        log = Log.open(str(place))
        found = {row.key: row for row in log.rows(LogRow)}
        run = RunView(log)
        for at, name, epoch in zip(rows.index, rows["id"], rows["epoch"], strict=True):
            row = found.get((str(name), int(epoch)))
            out[at] = (
                loading._extract(SampleView(row, run), run, loading.extractors)
                if row is not None
                else {}
            )
    for at in range(len(wanted)):
        loading.extracted.add(out.get(at, {}))
    loading._report()
    return wanted.assign(**{k: series(v) for k, v in loading.extracted.lists().items()})


def _name(worker: Any) -> str:
    try:
        return registry_info(worker).name
    except ValueError:
        return str(getattr(worker, "__name__", worker))


def _count(frame: pd.DataFrame, display: Any) -> None:
    count(display, "Samples found", len(frame))
    count(display, "Samples processed", len(frame))
    if "model" in frame:
        count(display, "AI Models detected", int(frame["model"].nunique()))


class _Progress:
    """The display's task, where there is a display."""

    def __init__(self, display: Any, total: int) -> None:
        self.display = display
        self.name = "Loading logs"
        if display is not None:
            display.add_task(self.name, total=total)

    def advance(self) -> None:
        """Say that one more log was read."""
        if self.display is not None:
            self.display.update_task(self.name, advance=1)
