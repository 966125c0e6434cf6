"""`InspectSample`: one sample with its texts, its messages and its events.

Long strings of messages and events are kept apart in a log, as attachments, and messages that occur
in many events are kept once, in a pool; both are put back here when texts are asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import msgspec

from suites.inspect.archive import Archive
from suites.inspect.decode import MOST_MEMORY, decode, tolerant, too_heavy
from suites.inspect.errors import LogError
from suites.inspect.header import Header, items, mapping, text, whole
from suites.inspect.log import Found, Log, inspects_own, json_samples, label, opened, sample_members
from suites.inspect.rows import DetailedRow, lenient

_ATTACHMENT = "attachment://"
_DEEPEST = 100  # levels of nesting

MOST_TAKEN = 5_000_000
"""Messages that are put back from a sample's pool, each time they occur counted."""
_CHUNK = re.compile(rb"(messages|events|calls|attachments)/(\d{1,18})\.json")


class SampleDocument(DetailedRow, gc=False):
    """The fields of a sample that are used; parts that may be large are decoded on request."""

    output: Any = None
    messages: msgspec.Raw = msgspec.Raw()
    events: msgspec.Raw = msgspec.Raw()
    attachments: msgspec.Raw = msgspec.Raw()
    events_data: msgspec.Raw = msgspec.Raw()
    message_pool: msgspec.Raw = msgspec.Raw()
    message_refs: Any = None


@dataclass(frozen=True)
class InspectSample:
    """One sample of a log: one question, in one epoch.

    Attributes
    ----------
    log : Log
        Where it is from.
    document : SampleDocument
        Its fields as they stand: ``input, target, choices, metadata, scores, error, limit …``.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = pathlib.Path(folder.name, "log.json")
    >>> _ = path.write_text('''{"status": "success", "eval": {"task": "t", "model": "m/x"},
    ...     "samples": [{"id": 1, "epoch": 1, "input": "2+2?", "target": "4",
    ...         "messages": [{"role": "user", "content": "attachment://a1"},
    ...                      {"role": "assistant", "content": "4"}],
    ...         "output": {"completion": "4"}, "attachments": {"a1": "What is 2+2?"}}]}''')
    >>> sample = next(samples(Log.open(str(path))))
    >>> sample.prompt, sample.completion
    ('What is 2+2?', '4')
    >>> folder.cleanup()
    """

    log: Log
    document: SampleDocument
    _chunks: Mapping[str, list[Any]] = field(default_factory=dict, repr=False)

    @property
    def id(self) -> str:
        """Its id within the dataset, as text."""
        return str(self.document.id)

    @property
    def epoch(self) -> int:
        """Which of several answers to its question, from 1."""
        return int(self.document.epoch)

    @property
    def input(self) -> str:
        """The text of the question; of a conversation, what the user says."""
        return input_text(self.document.input)

    @property
    def targets(self) -> list[str]:
        """The right answers."""
        return [str(t) for t in items(self.document.target)]

    @property
    def choices(self) -> list[str]:
        """The options of a multiple choice; empty for other questions."""
        return [str(c) for c in items(self.document.choices)]

    @property
    def completion(self) -> str | None:
        """The text of the model's answer."""
        output = mapping(self.document.output)
        said = output.get("completion")
        if isinstance(said, str):
            return said
        for choice in items(output.get("choices")):
            return content_text(mapping(mapping(choice).get("message")).get("content"))
        return None

    @property
    def stop_reason(self) -> str | None:
        """Why the model stopped, as ``stop`` or ``max_tokens``."""
        for choice in items(mapping(self.document.output).get("choices")):
            return text(mapping(choice).get("stop_reason"))
        return None

    @cached_property
    def messages(self) -> list[dict[str, Any]]:
        """The conversation, attachments put back."""
        pool = self._chunks.get("messages")
        if pool is not None:
            refs = self.document.message_refs
            found = self._pool(pool).take(refs) if isinstance(refs, list) else list(pool)
        else:
            found = list(items(self._part(self.document.messages)))
        return [m for m in self._resolved(found) if isinstance(m, dict)]

    @property
    def prompt(self) -> str:
        """What the model was asked: all messages up to its first answer.

        One message is given as it is; several have their role before them.
        """
        asked: list[tuple[str, str]] = []
        for message in self.messages:
            role = text(message.get("role")) or ""
            if role == "assistant":
                break
            asked.append((role, content_text(message.get("content"))))
        if len(asked) < 2:
            return asked[0][1] if asked else self.input
        return "\n\n".join(f"{role}: {said}" for role, said in asked)

    @cached_property
    def events(self) -> list[dict[str, Any]]:
        """The transcript, with the messages of pools and attachments put back."""
        pools = mapping(self._part(self.document.events_data))
        messages = self._chunks.get("messages") or items(pools.get("messages"))
        messages = messages or items(self._part(self.document.message_pool))
        calls = self._chunks.get("calls") or items(pools.get("calls"))
        events = self._chunks.get("events")
        if events is None:
            events = list(items(self._part(self.document.events)))
        # attachments first: what is of a pool is then shared by all events, not copied
        said, called = (self._pool(self._resolved(pool)) for pool in (messages, calls))
        return [_unpooled(e, said, called) for e in self._resolved(events) if isinstance(e, dict)]

    @property
    def eval_sample(self) -> Any:
        """The sample as Inspect itself reads it: an ``inspect_ai.log.EvalSample``.

        Raises
        ------
        NotInstalled
            Where Inspect is not installed.
        """
        read = inspects_own("read_eval_log_sample")
        return read(self.log.location, id=self.document.id, epoch=self.epoch)

    def _attachments(self) -> dict[str, str]:
        chunk = self._chunks.get("attachments")
        if chunk is not None:  # of a chunked sample they are numbered
            return {str(i): t for i, t in enumerate(chunk) if isinstance(t, str)}
        found = mapping(self._part(self.document.attachments))
        return {key: value for key, value in found.items() if isinstance(value, str)}

    def _part(self, raw: msgspec.Raw) -> Any:
        if len(memoryview(raw)) > MOST_MEMORY:
            raise too_heavy(f"sample {self.id}", self.log.location)
        data = bytes(raw)
        if data in (b"", b"{}", b"[]", b"null"):
            return None
        return decode(data, Any, f"sample {self.id}", self.log.location)

    def _pool(self, pool: Sequence[Any]) -> _Pool:
        return _Pool(pool, f"sample {self.id}", self.log.location)

    def _resolved(self, value: Any) -> Any:
        attachments = self._attachments()
        return resolved(value, attachments) if attachments else value


def samples(log: Log, found: Found | None = None) -> Iterator[InspectSample]:
    """Read the samples of a log one after another, by epoch and the order of the dataset.

    Parameters
    ----------
    log : Log
        Which.
    found : callable, optional
        Takes what is wrong with single samples; they are left out.

    Raises
    ------
    LogError
        If the file cannot be read.
    """
    tell = found or (lambda code, what, hint: None)
    with opened(log.location) as file:
        if not log.zipped:
            for number, data in enumerate(json_samples(file, log)):
                sample = _try(log, data, f"sample {number}", tell)
                if sample is not None:
                    yield sample
            return
        archive = Archive.read_directory(file, log.location)
        for stem, name in _in_order(sample_members(archive), log.header):
            try:
                chunks: dict[str, list[Any]] = {}
                further: dict[str, Any] = {}
                if name == stem + b"/sample.json":
                    chunks, further = _chunks(archive, stem)
                document = _document(archive.read(name), label(name), log.location)
            except LogError as err:
                tell(err.code, err.what, err.hint)
                continue
            if document is not None:
                for part, value in further.items():
                    setattr(document, part, value)
                yield InspectSample(log, document, chunks)


def _chunks(archive: Archive, stem: bytes) -> tuple[dict[str, list[Any]], dict[str, Any]]:
    """Read the parts of a sample that was written in chunks: its lists, and its metadata."""
    parts: dict[str, list[tuple[int, bytes]]] = {}
    for name in archive.members:
        if name.startswith(stem + b"/"):
            match = _CHUNK.fullmatch(name[len(stem) + 1 :])
            if match is not None:
                parts.setdefault(label(match[1]), []).append((int(match[2]), name))
    chunks = {
        kind: [
            item
            for _, name in sorted(names)
            for item in items(decode(archive.read(name), Any, label(name), archive.location))
        ]
        for kind, names in parts.items()
    }
    name = stem + b"/metadata.json"
    if name not in archive.members:
        return chunks, {}
    return chunks, {"metadata": decode(archive.read(name), Any, label(name), archive.location)}


class _Pool:
    """What occurs in many places and is kept once."""

    def __init__(self, pool: Sequence[Any], where: str, location: str) -> None:
        self._pool = pool
        self._left = MOST_TAKEN
        self._where, self._location = where, location

    def take(self, refs: list[Any]) -> list[Any]:
        """Take ranges ``[start, end)``.

        Raises
        ------
        LogError
            If so much was taken that it would fill the memory (``too-large``).
        """
        found: list[Any] = []
        for ref in refs:
            bounds = [whole(bound) for bound in items(ref)]
            if len(bounds) == 2 and None not in bounds:
                found += self._pool[max(0, bounds[0] or 0) : max(0, bounds[1] or 0)]
            if len(found) > self._left:
                what = f"{self._where} repeats more than {MOST_TAKEN} messages"
                raise LogError(self._location, what, code="too-large")
        self._left -= len(found)
        return found


def _unpooled(event: Mapping[str, Any], messages: _Pool, calls: _Pool) -> dict[str, Any]:
    """Put the messages of the pools back into an event of the model."""
    out = dict(event)
    if isinstance(out.get("input_refs"), list):
        out["input"] = messages.take(out.pop("input_refs"))
    call = mapping(out.get("call"))
    if isinstance(call.get("call_refs"), list):
        key = text(call.get("call_key")) or "messages"
        request = {**mapping(call.get("request")), key: calls.take(call["call_refs"])}
        kept = {k: v for k, v in call.items() if k not in ("call_refs", "call_key")}
        out["call"] = {**kept, "request": request}
    return out


def resolved(value: Any, attachments: Mapping[str, str], depth: int = 0) -> Any:
    """Put attachments back wherever a string refers to one; what is nested too deeply stays.

    Examples
    --------
    >>> resolved([{"content": "attachment://a"}, "attachment://b"], {"a": "long"})
    [{'content': 'long'}, 'attachment://b']
    """
    if isinstance(value, str):
        if value.startswith(_ATTACHMENT):
            return attachments.get(value[len(_ATTACHMENT) :], value)
        return value
    if depth > _DEEPEST:
        return value
    if isinstance(value, dict):
        return {key: resolved(inner, attachments, depth + 1) for key, inner in value.items()}
    if isinstance(value, list):
        return [resolved(inner, attachments, depth + 1) for inner in value]
    return value


def input_text(value: Any) -> str:
    """Give the text of a sample's input, which is a text or a list of messages.

    Examples
    --------
    >>> input_text([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}])
    'Hi'
    """
    if isinstance(value, str):
        return value
    said = [m for m in items(value) if isinstance(m, dict)]
    asked = [m for m in said if m.get("role") == "user"] or said
    return "\n\n".join(content_text(m.get("content")) for m in asked)


def content_text(content: Any) -> str:
    """Give the text of a message's content; images and other media by their kind.

    Examples
    --------
    >>> content_text([{"type": "text", "text": "See: "}, {"type": "image", "image": "data:…"}])
    'See: (image)'
    """
    if isinstance(content, str):
        return content
    parts = []
    for part in items(content):
        kind = text(mapping(part).get("type"))
        if kind == "text":
            parts.append(text(mapping(part).get("text")) or "")
        elif kind is not None and kind != "reasoning":
            parts.append(f"({kind})")
    return "".join(parts)


def _try(log: Log, data: Any, where: str, tell: Found) -> InspectSample | None:
    try:
        document = _document(data, where, log.location)
    except LogError as err:
        tell(err.code, err.what, err.hint)
        return None
    return None if document is None else InspectSample(log, document)


def _document(data: Any, where: str, location: str) -> SampleDocument | None:
    try:
        document = decode(data, SampleDocument, where, location)
    except LogError as err:
        if err.code != "bad-content":
            raise
        found = lenient(tolerant(data, where, location), SampleDocument)
        if found is None:
            return None
        document = found
        for name in ("messages", "events", "attachments", "events_data", "message_pool"):
            value = getattr(document, name)
            if not isinstance(value, msgspec.Raw):
                setattr(document, name, msgspec.Raw(msgspec.json.encode(value)))
    usable = isinstance(document.id, str | int | float)
    if type(document.epoch) is not int:
        document.epoch = 1
    return document if usable else None


def _in_order(members: Mapping[bytes, bytes], header: Header) -> Iterator[tuple[bytes, bytes]]:
    """Order samples as the dataset is, as far as the header tells; the others as they lie."""
    place = {name.encode("utf-8", "replace"): i for i, name in enumerate(header.sample_ids)}
    order = []
    for stem, name in members.items():
        of, _, epoch = stem.removeprefix(b"samples/").rpartition(b"_epoch_")
        known = of in place and len(epoch) < 10
        order.append((0, int(epoch), place[of], stem, name) if known else (1, 0, 0, stem, name))
    order.sort(key=lambda entry: entry[:3])  # stable: the others stay as they lie
    for *_, stem, name in order:
        yield stem, name
