"""`Log`: one log file, ``.eval`` or ``.json``: its header, its rows, its samples.

Rows come from the smallest part of the file that holds all that is asked for: summaries.json, else
the journal of an unfinished log, else the samples themselves, else the reduced scores.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import msgspec

from suites.errors import NotInstalled
from suites.inspect.archive import LARGEST_HEADER, Archive
from suites.inspect.decode import MOST_MEMORY, decode, too_heavy, weight
from suites.inspect.errors import LogError
from suites.inspect.header import Header, HeaderDocument, items, mapping, read_header, text
from suites.inspect.rows import Row, merged, row_of, rows_of
from suites.locations import ByteFile, open_bytes

NOT_LOGS = frozenset({"listing.json", "logs.json", "logs-manifest.json", "eval-set.json"})
"""JSON files that Inspect writes beside logs."""

LARGEST_JSON = 512 << 20
"""Bytes of a ``.json`` log."""

_LFS = b"version https://git-lfs"
_BLANK = b"\x00 \r\n\t"
_FIRST = 64  # bytes that tell an archive from a document
_HEAD = 1 << 16
_SMALL = 8 << 20  # a JSON file of this size is read whole to tell what it is
_KEY_EVAL = re.compile(rb'"eval"\s*:\s*\{')
_KEY_STATUS = re.compile(rb'"status"\s*:\s*"')
# of the names of all members, joined by NUL, those of samples: one search instead of thousands
_SAMPLES = re.compile(rb"(?:\A|\x00)(samples/[^\x00]*_epoch_\d+)(\.json|/sample\.json)(?=\x00|\Z)")
_BATCH = re.compile(rb"_journal/summaries/(\d{1,18})\.json")

R = TypeVar("R", bound=Row)
Found = Callable[[str, str, str], None]
"""Takes one finding that does not stop the reading: code, message, hint."""


@dataclass(frozen=True)
class Reduction:
    """Scores of one scorer, reduced over epochs.

    Attributes
    ----------
    scorer : str
        Name of the score.
    reducer : str or None
        None for the implicit mean.
    values : list of (str, any)
        Instance and its reduced value.
    """

    scorer: str
    reducer: str | None
    values: list[tuple[str, Any]]


@dataclass(frozen=True)
class _Short:
    """What is kept of an archive's directory: where its summaries lie, and how many samples."""

    summaries: Archive
    samples: int
    size: int  # of the file


class _RawSamples(msgspec.Struct, gc=False):
    samples: list[msgspec.Raw] | None = None


class _AnySamples(msgspec.Struct, gc=False):
    samples: Any = None


class _JsonReductions(msgspec.Struct, gc=False):
    reductions: Any = None
    results: Any = None


@dataclass(frozen=True)
class Log:
    """One log file.

    Attributes
    ----------
    location : str
        Path or URL.
    header : Header
        What it says of itself.
    size : int
        Bytes of the file.
    zipped : bool
        Whether it is an ``.eval`` archive.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "log.json")
    ...     _ = path.write_text('''{"status": "success", "eval": {"task": "t", "model": "m/x"},
    ...         "samples": [{"id": 1, "epoch": 1, "scores": {"match": {"value": "C"}}}]}''')
    ...     log = Log.open(str(path))
    ...     [(row.key, row.scores["match"].value) for row in log.rows()]
    [(('1', 1), 'C')]
    """

    location: str
    header: Header
    size: int
    zipped: bool
    _short: _Short | None = field(default=None, repr=False, compare=False)

    @classmethod
    def open(cls, location: str) -> Log:
        """Read a log's header.

        Raises
        ------
        LogError
            If it cannot be read or is no log.
        """
        with opened(location) as file:
            head = file.read(0, _FIRST)
            if not head.strip(_BLANK):
                head = file.read(0, _HEAD)
            _refuse_others(head, location)
            if _is_json(head):
                document = decode(_whole(file, location), HeaderDocument, "the log", location)
                header, short = read_header(document), None
            else:
                archive = Archive.read_directory(file, location)
                header, short = _archived_header(archive), _shortened(archive, file.size)
            if header is None:
                what = "it names neither a task nor a model: it is no log of Inspect"
                raise LogError(location, what, code="not-a-log")
            return cls(location, header, file.size, short is not None, short)

    def rows(self, type_: type[R] = Row, found: Found | None = None) -> list[R]:  # type: ignore[assignment]
        """Read the samples' keys and scores.

        Parameters
        ----------
        type_ : type
            `Row`, or `DetailedRow` for all that a summary holds.
        found : callable, optional
            Takes what is wrong with parts of the log.

        Returns
        -------
        list of Row
            One per sample and epoch, sorted by epoch and the order of the dataset. Empty when
            the log holds no samples; it may have `reductions` then.

        Raises
        ------
        LogError
            If none of its parts can be read.
        """
        tell = found or (lambda code, what, hint: None)
        whole: list[R] | None = None
        with opened(self.location) as file:
            if not self.zipped:
                rows = self._json_rows(file, type_, tell)
            elif (whole := self._whole_summaries(file, type_)) is not None:
                rows = whole
            else:
                archive = Archive.read_directory(file, self.location)
                rows = self._archived_rows(archive, type_, tell)
        if rows is not whole:
            rows = merged(rows, self.header.sample_ids)
        for row in rows:
            if row.scores is None and row.score is not None:  # logs of early 2024
                name = self.header.scores[0].name if self.header.scores else "score"
                row.scores = {name: row.score}
        return rows

    def reductions(self) -> list[Reduction]:
        """Read the scores that were reduced over epochs.

        Raises
        ------
        LogError
            If they cannot be read.
        """
        with opened(self.location) as file:
            if not self.zipped:
                top = decode(_whole(file, self.location), _JsonReductions, "the log", self.location)
                found = top.reductions or mapping(top.results).get("sample_reductions")
            else:
                archive = Archive.read_directory(file, self.location)
                if b"reductions.json" not in archive.members:
                    return []
                data = archive.read(b"reductions.json")
                found = decode(data, Any, "reductions.json", self.location)
        return [r for r in map(_reduction, items(found)) if r is not None]

    @cached_property
    def eval_log(self) -> Any:
        """The log as Inspect itself reads it: an ``inspect_ai.log.EvalLog``, samples included.

        Raises
        ------
        NotInstalled
            Where Inspect is not installed.
        """
        return inspects_own("read_eval_log")(self.location)

    # ---------- rows of an archive

    def _whole_summaries(self, file: ByteFile, type_: type[R]) -> list[R] | None:
        """Read the summaries of a log that is whole, by what its opening has told of them.

        None where they are not all there is to know; the way by the directory tells why.
        """
        if self._short is None or self._short.size != file.size or self.header.invalidated:
            return None
        archive = self._short.summaries.on(file)
        try:
            name = b"summaries.json"
            parts = rows_of(archive.stream(name), type_, label(name), self.location)
            rows = [row for part in parts for row in part]
        except LogError:
            return None
        if len(rows) != self._short.samples or _thin(rows):
            return None
        rows = merged(rows, self.header.sample_ids)
        return rows if len(rows) == self._short.samples else None

    def _archived_rows(self, archive: Archive, type_: type[R], tell: Found) -> list[R]:
        members = sample_members(archive)
        rows = self._summaries(archive, type_, tell)
        keys = {(str(row.id), row.epoch) for row in rows}
        if len(keys) == len(members) and not self.header.invalidated and not _thin(rows):
            return rows
        if not members:
            return rows
        used = 0
        for name in members.values():
            try:
                data = archive.read(name)
                row = row_of(data, type_, label(name), self.location)
                used += weight(data, type_) if len(data) > _HEAD else 0
            except LogError as err:
                tell(err.code, err.what, err.hint)
                continue
            if row is not None:
                rows.append(row)  # a sample wins over its summary
            if used > MOST_MEMORY:
                raise too_heavy(f"samples up to {label(name)}", self.location)
        return rows

    def _summaries(self, archive: Archive, type_: type[R], tell: Found) -> list[R]:
        batches = sorted(
            (int(m[1]), name) for name in archive.members if (m := _BATCH.fullmatch(name))
        )
        for names in ([b"summaries.json"], [name for _, name in batches]):
            if not names or names[0] not in archive.members:
                continue
            try:
                where = self.location
                parts = [rows_of(archive.stream(n), type_, label(n), where) for n in names]
                return [row for part in parts for rows in part for row in rows]
            except LogError as err:
                tell(err.code, err.what, err.hint)
        return []

    # ---------- rows of a JSON file

    def _json_rows(self, file: ByteFile, type_: type[R], tell: Found) -> list[R]:
        rows = []
        for number, data in enumerate(json_samples(file, self)):
            try:
                row = row_of(data, type_, f"sample {number}", self.location)
            except LogError as err:
                tell(err.code, err.what, err.hint)
                continue
            if row is not None:
                rows.append(row)
        return rows


def json_samples(file: ByteFile, log: Log) -> Iterator[bytes]:
    """Give the samples of a ``.json`` log, one JSON document each.

    Raises
    ------
    LogError
        If the log cannot be decoded.
    """
    data = _whole(file, log.location)
    if 30 * data.count(b",") + 60 * data.count(b"{") > 2 * MOST_MEMORY:
        raise too_heavy("the log", log.location)
    try:
        try:
            found = msgspec.json.decode(data, type=_RawSamples).samples or []
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            found = decode(data, _RawSamples, "the log", log.location).samples or []
        yield from map(bytes, found)
    except LogError as err:
        if err.code != "bad-content":  # not plain JSON, or something else than a list
            raise
        found = decode(data, _AnySamples, "the log", log.location).samples
        yield from (json.dumps(sample).encode() for sample in items(found))


@contextmanager
def opened(location: str) -> Iterator[ByteFile]:
    """Open a log; what the file system raises becomes a `LogError`."""
    try:
        with open_bytes(location) as file:
            yield file
    except FileNotFoundError:
        raise LogError(location, "it is not there", code="missing-file") from None
    except OSError as err:
        what = f"it cannot be read: {err.strerror or err}"
        raise LogError(location, what, code="bad-file") from err


def looks_like_log(location: str) -> bool:
    """Say, from its first bytes, whether a file is a log of Inspect; never raises.

    An ``.eval`` file always is, so that a broken one is told of; a ``.json`` file is when it
    holds the keys ``eval`` and ``status``.
    """
    name = re.split(r"[/\\]", location)[-1].lower()
    if name.endswith(".eval"):
        return True
    if not name.endswith(".json") or name in NOT_LOGS:
        return False
    try:
        with opened(location) as file:
            head = file.read(0, _HEAD)
            if not _is_json(head):
                return False
            if not _has_keys(head) and _HEAD < file.size <= _SMALL:
                head = file.read(0, file.size)
            return _has_keys(head)
    except Exception:  # whatever a foreign file holds, the answer is no
        return False


def label(member: bytes) -> str:
    """Give a member's name for messages."""
    return member.decode("utf-8", "replace")


def sample_members(archive: Archive) -> dict[bytes, bytes]:
    """Give the members that hold samples: the sample's stem → the member's name."""
    found: dict[bytes, bytes] = {}
    for stem, ending in _SAMPLES.findall(b"\x00".join(archive.members)):
        if ending == b".json" or stem not in found:  # a whole sample comes before its chunks
            found[stem] = stem + ending
    return found


def inspects_own(name: str) -> Any:
    """Give a function of ``inspect_ai.log``.

    Raises
    ------
    NotInstalled
        Where Inspect is not installed.
    """
    try:
        module = importlib.import_module("inspect_ai.log")
    except ImportError as err:
        raise NotInstalled(
            f"Inspect's own objects need Inspect: install benchcast[inspect] ({err}). "
            "Rows, samples and frames don't need it."
        ) from err
    return getattr(module, name)


def _thin(rows: list[R]) -> bool:
    """Say whether these are summaries that say nothing of errors (Inspect before 0.3.70)."""
    return any(row.uuid is None and not row.scores and row.error is None for row in rows)


def _is_json(head: bytes) -> bool:
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{"


def _has_keys(head: bytes) -> bool:
    return _KEY_EVAL.search(head) is not None and _KEY_STATUS.search(head) is not None


def _refuse_others(head: bytes, location: str) -> None:
    if head.startswith(_LFS):
        what = "it is a pointer of Git LFS; the log's content was not fetched"
        raise LogError(location, what, code="lfs-pointer", hint="run git lfs pull")
    if not head.strip(_BLANK):
        raise LogError(location, "it is empty", code="empty-file", hint="copy the log again")


def _whole(file: ByteFile, location: str) -> bytes:
    if file.size > LARGEST_JSON:
        what = f"it has {file.size >> 20} MiB, above the {LARGEST_JSON >> 20} MiB of a .json log"
        hint = "convert it: inspect log convert --to eval"
        raise LogError(location, what, code="too-large", hint=hint)
    return file.read(0, file.size)


def _archived_header(archive: Archive) -> Header | None:
    location = archive.location
    for name in (b"header.json", b"_journal/start.json"):
        if name in archive.members:
            data = archive.read(name, LARGEST_HEADER)
            document = decode(data, HeaderDocument, label(name), location)
            return read_header(document, unfinished=name != b"header.json")
    what = "it has neither header.json nor _journal/start.json: nothing says what was evaluated"
    raise LogError(location, what, code="missing-member")


def _shortened(archive: Archive, size: int) -> _Short:
    # with the parts of samples that are written in chunks this is too many, never too few
    count = sum(n.startswith(b"samples/") and n.endswith(b".json") for n in archive.members)
    return _Short(archive.excerpt([b"summaries.json"]), count, size)


def _reduction(value: Any) -> Reduction | None:
    content = mapping(value)
    scorer = text(content.get("scorer"))
    if scorer is None:
        return None
    values = []
    for sample in items(content.get("samples")):
        row = mapping(sample)
        if isinstance(row.get("sample_id"), str | int | float):
            values.append((str(row["sample_id"]), row.get("value")))
    return Reduction(scorer, text(content.get("reducer")), values)
