"""What an extractor sees: a sample and its log, with the attributes of Inspect's own objects.

Attributes are read over decoded JSON, without Inspect. What a log's summaries hold is there at
once; messages, events, outputs and texts that a summary cuts are read when they are touched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from hibayes.load.attributes import Said, View, viewed
from suites.errors import NotInstalled
from suites.inspect.archive import Archive
from suites.inspect.decode import decode
from suites.inspect.errors import LogError
from suites.inspect.log import Log, inspects_own, opened
from suites.inspect.rows import DetailedRow
from suites.inspect.samples import InspectSample, samples

CUT = "(content truncated)"
REMOVED = "Key removed from summary"
"""How Inspect marks texts and metadata that are too long for a summary."""


class LogRow(DetailedRow, gc=False):
    """A sample with all that a summary of today's Inspect holds.

    ``messages`` is the number of messages, where the sample itself was read.
    """

    messages: Any = None
    turn_count: Any = None
    token_limit_usage: Any = None
    limit_reason: Any = None
    fallbacks: Any = None


class ScoreView:
    """One score of a sample: ``value, answer, explanation, metadata``."""

    __slots__ = ("_sample", "_score", "name")

    def __init__(self, name: str, score: Any, sample: SampleView) -> None:
        self.name = name
        self._score = score
        self._sample = sample

    @property
    def value(self) -> Any:
        """The value as the log has it."""
        return self._score.value

    @property
    def answer(self) -> str | None:
        """The answer that was scored."""
        return self._text("answer")

    @property
    def explanation(self) -> str | None:
        """Why it was scored so."""
        return self._text("explanation")

    @property
    def metadata(self) -> dict[str, Any]:
        """What the scorer added."""
        found = self._score.metadata
        if _is_cut(found):
            found = getattr(self._sample.full_score(self.name), "metadata", found)
        return dict(found) if isinstance(found, Mapping) else {}

    def as_float(self) -> float:
        """Give the value as a number, NaN where it has none."""
        from suites.inspect.values import number_of

        return number_of(self.value)

    def as_str(self) -> str:
        """Give the value as text."""
        return str(self.value)

    def _text(self, field: str) -> str | None:
        said = getattr(self._score, field)
        if _is_cut(said):
            said = getattr(self._sample.full_score(self.name), field, said)
        return said if isinstance(said, str) else None


class SampleView:
    """One sample of a log, as an extractor sees it.

    Parameters
    ----------
    row : LogRow
        What the log's summary says of it.
    run : RunView
        Its log.
    """

    __slots__ = ("_full", "_row", "_scores", "run")

    def __init__(self, row: Any, run: RunView) -> None:
        self._row = row
        self.run = run
        self._full: InspectSample | None = None
        self._scores: dict[str, ScoreView] | None = None

    @property
    def id(self) -> int | str:
        """Its id within the dataset."""
        return self._row.id

    @property
    def epoch(self) -> int:
        """Which of several answers, from 1."""
        return self._row.epoch

    @property
    def input(self) -> Any:
        """The question: a text, or messages."""
        said = self._row.input
        return viewed(self.full.document.input if _is_cut(said) else said)

    @property
    def target(self) -> Any:
        """The right answer: a text, or several."""
        said = self._row.target
        return self.full.document.target if _is_cut(said) else said

    @property
    def choices(self) -> list[str] | None:
        """The options of a multiple choice."""
        return self._row.choices

    @property
    def scores(self) -> dict[str, ScoreView] | None:
        """Its scores by name of the scorer; None when it was not scored."""
        if self._scores is None and self._row.scores:
            self._scores = {
                name: ScoreView(name, score, self)
                for name, score in self._row.scores.items()
                if score is not None
            }
        return self._scores or None

    @property
    def score(self) -> ScoreView | None:
        """Its first score."""
        return next(iter(self.scores.values())) if self.scores else None

    @property
    def metadata(self) -> dict[str, Any]:
        """What the dataset says of it."""
        found = self._row.metadata
        if found is None or _is_cut(found):
            found = self.full.document.metadata
            self._row.metadata = found = found if isinstance(found, dict) else {}
        return found if isinstance(found, dict) else {}

    @property
    def message_count(self) -> int:
        """How many messages its conversation has."""
        count = self._row.message_count
        if not isinstance(count, int):
            count = self._row.message_count = len(self.messages)
        return count

    @property
    def model_usage(self) -> dict[str, View]:
        """Tokens by model."""
        found = self._row.model_usage
        if not isinstance(found, dict):
            return {}
        return {str(m): View(usage) for m, usage in found.items() if isinstance(usage, dict)}

    @property
    def error(self) -> Said | None:
        """Why it failed; None when it did not."""
        found = self._row.error
        if isinstance(found, Mapping):
            found = found.get("message") or "error"
        return Said(found) if found is not None else None

    @property
    def limit(self) -> Said | None:
        """Which limit it met."""
        found = self._row.limit
        if isinstance(found, Mapping):
            found = found.get("type")
        return Said(found) if isinstance(found, str) and found else None

    @property
    def messages(self) -> list[View]:
        """Its conversation."""
        return [View(message) for message in self.full.messages]

    @property
    def output(self) -> View:
        """What the model gave at last."""
        found = self.full.document.output
        return View(found) if isinstance(found, dict) else View()

    @property
    def events(self) -> list[View]:
        """Its transcript."""
        return [View(event) for event in self.full.events]

    @property
    def full(self) -> InspectSample:
        """The sample with its texts, read from the log."""
        if self._full is None:
            self._full = self.run.full_sample(str(self.id), self.epoch)
        return self._full

    @property
    def eval_sample(self) -> Any:
        """The sample as Inspect itself reads it; needs Inspect."""
        return self.run.inspects_sample(str(self.id), self.epoch)

    def full_score(self, name: str) -> Any:
        """Give a score as the sample itself has it, uncut."""
        return (self.full.document.scores or {}).get(name)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in LogRow.__struct_fields__:
            return getattr(self._row, name)
        try:
            return getattr(self.eval_sample, name)
        except NotInstalled as err:
            raise AttributeError(
                f"a sample has no {name!r} unless Inspect is installed: benchcast[inspect]."
            ) from err


class RunView:
    """The log of a sample, as an extractor sees it: ``eval_log.eval.model`` and its like.

    Parameters
    ----------
    log : Log
        The log; its header is read.
    scorer : str, optional
        The scorer whose value is the sample's score, where the log has several.
    """

    def __init__(self, log: Log, scorer: str | None = None) -> None:
        self.log = log
        self.main_scorer = scorer
        self.location = log.location
        self.status = log.header.status
        self.version = log.header.version
        self.tags = list(log.header.tags)
        self.metadata = dict(log.header.metadata)
        self.plan = View({"steps": [], **log.header.plan})
        self.error = Said(log.header.error) if log.header.error is not None else None
        self._reading: Iterator[InspectSample] | None = None
        self._passed: dict[tuple[str, int], InspectSample] = {}

    @cached_property
    def eval(self) -> View:
        """What was evaluated: ``task, model, dataset, task_args, config, created …``."""
        return _Spec(self)

    @cached_property
    def stats(self) -> View:
        """Times and tokens."""
        header = self.log.header
        times = {"started_at": header.started or "", "completed_at": header.ended or ""}
        return View({**times, "model_usage": dict(header.usage)})

    @cached_property
    def results(self) -> View | None:
        """The published figures."""
        found = self.document.get("results")
        return View(found) if isinstance(found, dict) else None

    @cached_property
    def document(self) -> dict[str, Any]:
        """The log's header as decoded JSON."""
        log = self.log
        with opened(log.location) as file:
            if log.zipped:
                archive = Archive.read_directory(file, log.location)
                names = [b"header.json", b"_journal/start.json"]
                name = next(name for name in names if name in archive.members)
                data: Any = archive.read(name)
            else:
                data = file.read(0, file.size)
        found = decode(data, dict[str, Any], "the header", log.location)
        found.pop("samples", None)
        return found

    @cached_property
    def eval_log(self) -> Any:
        """The log as Inspect itself reads it, samples included; needs Inspect."""
        return inspects_own("read_eval_log")(self.log.location)

    @cached_property
    def _inspects_samples(self) -> dict[tuple[str, int], Any]:
        return {(str(s.id), int(s.epoch)): s for s in self.eval_log.samples or []}

    def inspects_sample(self, name: str, epoch: int) -> Any:
        """Give a sample as Inspect itself reads it; needs Inspect."""
        return self._inspects_samples[(name, epoch)]

    def full_sample(self, name: str, epoch: int) -> InspectSample:
        """Read a sample with its texts.

        Extractors go through the samples in the order of the log, so one pass over it serves all.

        Raises
        ------
        LogError
            If the log does not hold it, or cannot be read.
        """
        key = (name, epoch)
        if self._reading is None:
            self._reading = samples(self.log)
        while key not in self._passed:
            sample = next(self._reading, None)
            if sample is None:
                what = f"it has no sample {name}, epoch {epoch}, but only a summary of it"
                raise LogError(self.log.location, what, code="missing-member")
            self._passed[(sample.id, sample.epoch)] = sample
        return self._passed.pop(key)


class _Spec(View):
    """``eval_log.eval``; fields that readers let go are read from the log when touched."""

    __slots__ = ("_run",)

    def __init__(self, run: RunView) -> None:
        super().__init__(run.log.header.spec)
        self._run = run
        self.setdefault("dataset", {})
        for name in ("task_args", "config"):
            if not isinstance(self.get(name), dict):
                self[name] = {}

    def __getattr__(self, name: str) -> Any:
        if name in ("model_args", "viewer") and name not in self:
            spec = self._run.document.get("eval")
            self[name] = spec.get(name) if isinstance(spec, dict) else None
        return super().__getattr__(name)


def _is_cut(value: Any) -> bool:
    """Say whether a summary has cut this: a text, or one of a few."""
    if isinstance(value, str):
        return value.endswith((CUT, f"{CUT}\n")) or value.startswith(REMOVED)
    if isinstance(value, dict):
        return any(_is_cut(each) for each in value.values() if isinstance(each, str))
    if isinstance(value, list):
        return any(
            _is_cut(each) if isinstance(each, str) else _is_cut(each.get("content"))
            for each in value
            if isinstance(each, str | dict)
        )
    return False
