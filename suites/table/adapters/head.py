"""The first bytes of a JSON or JSONL file, and the names of the members in them."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from suites.locations import is_url
from suites.table.file import open_text

HEAD_BYTES = 1 << 16

_TOKEN = re.compile(rb'\s*(?:("(?:[^"\\]|\\.)*")|([{}\[\]:,])|([^\s"{}\[\]:,]+))', re.DOTALL)


@dataclass(frozen=True)
class Head:
    """The members' names that the first object of a file shows.

    Attributes
    ----------
    keys : tuple of str
        Names in the object itself, in their order.
    deepest : tuple of str
        Names in the objects of its objects (``results`` → task → these).
    whole : bool
        Whether the object ends within what was looked at.

    Examples
    --------
    >>> Head.parse(b'{"a": {"b": {"c,none": 1}}, "d": [{"e": ')
    Head(keys=('a', 'd'), deepest=('c,none', 'e'), whole=False)
    """

    keys: tuple[str, ...] = ()
    deepest: tuple[str, ...] = ()
    whole: bool = False

    @classmethod
    def read(cls, location: str) -> Head:
        """Look at the first 64 KiB of a file (unpacked, where its name ends in gz, bz2 or zst).

        Raises
        ------
        OSError
            If it cannot be read, or is no regular file.
        """
        if not is_url(location) and not os.path.isfile(location):
            raise OSError(f"{location} is no file")
        with open_text(location) as stream:
            return cls.parse(bytes(stream.read(HEAD_BYTES)))

    @classmethod
    def parse(cls, data: bytes) -> Head:
        """Find the names in the first bytes of a document."""
        keys: dict[str, None] = {}
        deepest: dict[str, None] = {}
        depth = 0
        name: bytes | None = None
        at = len(b"\xef\xbb\xbf") if data.startswith(b"\xef\xbb\xbf") else 0
        while match := _TOKEN.match(data, at):
            at = match.end()
            text, mark, _ = match.groups()
            if depth == 0 and mark != b"{":
                break
            if mark in (b"{", b"["):
                depth += 1
            elif mark in (b"}", b"]"):
                depth -= 1
                if depth == 0:
                    return cls(tuple(keys), tuple(deepest), True)
            elif mark == b":" and name is not None and depth in (1, 3):
                (keys if depth == 1 else deepest)[_unquoted(name)] = None
            name = text
        return cls(tuple(keys), tuple(deepest), False)

    def has(self, *keys: str) -> bool:
        """Say whether the object shows all of these names."""
        return set(keys) <= set(self.keys)

    @property
    def is_inspect_log(self) -> bool:
        """Whether this is a log of Inspect, which is another reader's."""
        return self.has("eval", "status")


def _unquoted(text: bytes) -> str:
    return text[1:-1].decode("utf-8", "replace")


def shows(head: Head, groups: Sequence[tuple[str, ...]]) -> bool:
    """Say whether a head shows all names of one of these groups.

    Examples
    --------
    >>> shows(Head(("a", "b")), [("a", "c"), ("a", "b")])
    True
    """
    return any(head.has(*group) for group in groups)
