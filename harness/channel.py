"""Messages between the parent and a worker: a JSON header and binary blobs, never pickles."""

from __future__ import annotations

import json
import selectors
import socket
import struct
import time
from collections.abc import Sequence
from typing import Any

_HEAD = struct.Struct(">Q")
MAX_HEADER = 1 << 20
MAX_BLOBS = 1 << 30


class Closed(Exception):
    """The other side is gone."""


class TooLarge(Exception):
    """The other side announced more than is allowed."""


class TimedOut(Exception):
    """Nothing came in time."""


class Channel:
    """Sends and receives whole messages over a stream socket.

    Parameters
    ----------
    sock : socket.socket
        A connected stream socket; the channel owns it.

    Examples
    --------
    >>> left, right = (Channel(s) for s in socket.socketpair())
    >>> left.send({"call": "predict"}, [b"table"])
    >>> right.receive(timeout=1.0)
    ({'call': 'predict'}, [b'table'])
    >>> left.close(); right.close()
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def fileno(self) -> int:
        """Give the socket's descriptor."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def send(self, header: dict[str, Any], blobs: Sequence[bytes | memoryview] = ()) -> None:
        """Send one message.

        Raises
        ------
        Closed
            If the other side is gone.
        """
        text = json.dumps({**header, "blobs": [len(blob) for blob in blobs]}).encode()
        try:
            self._socket.settimeout(None)
            self._socket.sendall(_HEAD.pack(len(text)) + text)
            for blob in blobs:
                self._socket.sendall(blob)
        except OSError as err:
            raise Closed(str(err)) from err

    def receive(self, timeout: float | None = None) -> tuple[dict[str, Any], list[bytes]]:
        """Receive one message.

        Parameters
        ----------
        timeout : float or None
            Seconds for the whole message; None waits for ever.

        Raises
        ------
        Closed
            If the other side is gone, or speaks another language.
        TooLarge
            If it announces more than `MAX_HEADER` or `MAX_BLOBS` bytes.
        TimedOut
            If the message is not there in time.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        (size,) = _HEAD.unpack(self._exactly(_HEAD.size, deadline))
        if size > MAX_HEADER:
            raise TooLarge(f"a header of {size} bytes")
        try:
            header = json.loads(self._exactly(size, deadline))
            sizes = [int(n) for n in header.pop("blobs")]
        except (
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            OverflowError,
            RecursionError,
        ) as err:
            raise Closed(f"not a message: {err}") from err
        if min(sizes, default=0) < 0 or sum(sizes) > MAX_BLOBS:
            raise TooLarge(f"{sum(sizes)} bytes")
        return header, [self._exactly(n, deadline) for n in sizes]

    def is_ready(self, timeout: float) -> bool:
        """Wait until there is something to receive, or the other side is gone, or time is up."""
        with selectors.DefaultSelector() as selector:
            try:
                selector.register(self._socket, selectors.EVENT_READ)
            except ValueError as err:
                raise Closed(str(err)) from err
            return bool(selector.select(max(timeout, 0.0)))

    def _exactly(self, size: int, deadline: float | None) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise TimedOut
            try:
                self._socket.settimeout(left)
                chunk = self._socket.recv(min(size - len(parts), 1 << 20))
            except TimeoutError as err:
                raise TimedOut from err
            except OSError as err:
                raise Closed(str(err)) from err
            if not chunk:
                raise Closed("the other side is gone")
            parts += chunk
        return bytes(parts)
