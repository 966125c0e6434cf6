"""Messages over a socket, and all that another process can do wrong with it."""

import json
import socket
import struct
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.channel import MAX_BLOBS, MAX_HEADER, Channel, Closed, TimedOut, TooLarge


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    yield Channel(ours), theirs
    ours.close()
    theirs.close()


def head(size: int) -> bytes:
    return struct.pack(">Q", size)


def message(header) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return head(len(text)) + text


def test_a_message_arrives_as_it_was_sent(pair):
    ours, theirs = pair
    Channel(theirs).send({"call": "predict", "k": 5}, [b"", b"table", bytes(range(256))])
    header, blobs = ours.receive(timeout=5)
    assert header == {"call": "predict", "k": 5}
    assert blobs == [b"", b"table", bytes(range(256))]


def test_messages_arrive_in_order_and_apart(pair):
    ours, theirs = pair
    for number in range(3):
        Channel(theirs).send({"n": number}, [b"x" * number])
    assert [ours.receive(5) for _ in range(3)] == [
        ({"n": 0}, [b""]),
        ({"n": 1}, [b"x"]),
        ({"n": 2}, [b"xx"]),
    ]


def test_a_message_larger_than_the_socket_buffer_arrives_whole(pair):
    ours, theirs = pair
    blob = bytes(8_000_000)
    sender = threading.Thread(target=Channel(theirs).send, args=({}, [blob, b"end"]))
    sender.start()
    _, blobs = ours.receive(timeout=30)
    sender.join()
    assert blobs == [blob, b"end"]


@given(
    header=st.dictionaries(
        st.text().filter(lambda key: key != "blobs"),
        st.none() | st.booleans() | st.integers() | st.text(),
    ),
    blobs=st.lists(st.binary(max_size=200), max_size=5),
)
def test_every_message_survives_the_way(header, blobs):
    left, right = map(Channel, socket.socketpair())
    left.send(header, blobs)
    assert right.receive(timeout=5) == (header, blobs)
    left.close()
    right.close()


@pytest.mark.parametrize("size", [MAX_HEADER + 1, 2**63, 2**64 - 1])
def test_a_header_announced_too_large_is_refused_before_it_comes(pair, size):
    ours, theirs = pair
    theirs.sendall(head(size))
    with pytest.raises(TooLarge, match=str(size)):
        ours.receive(timeout=5)


@pytest.mark.parametrize(
    "sizes", [[MAX_BLOBS + 1], [MAX_BLOBS, 1], [2**80], [-1], [5, -5], [MAX_BLOBS + 1, -1]]
)
def test_blobs_announced_too_large_or_negative_are_refused_before_they_come(pair, sizes):
    ours, theirs = pair
    theirs.sendall(message({"blobs": sizes}))
    with pytest.raises(TooLarge):
        ours.receive(timeout=5)


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"not json",
        b"\xff\xfe\x00",
        b"null",
        b"[]",
        b'"blobs"',
        b"{}",
        b'{"blobs": null}',
        b'{"blobs": 3}',
        b'{"blobs": ["x"]}',
        b'{"blobs": [null]}',
        b'{"blobs": [[1]]}',
        b'{"blobs": [NaN]}',
        b'{"blobs": [Infinity]}',
        b'{"blobs": [1e999]}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_message_closes_the_conversation(pair, garbage):
    ours, theirs = pair
    theirs.sendall(message(garbage))
    with pytest.raises(Closed, match="not a message"):
        ours.receive(timeout=5)


@given(st.binary(min_size=1, max_size=300))
def test_no_bytes_whatever_do_more_than_end_the_conversation(garbage):
    ours, theirs = socket.socketpair()
    theirs.sendall(garbage)
    theirs.close()
    with pytest.raises((Closed, TooLarge)):
        Channel(ours).receive(timeout=5)
    ours.close()


@pytest.mark.parametrize("cut", [0, 3, 8, 12, -1])
def test_a_message_torn_by_the_end_of_the_sender_is_closed(pair, cut):
    ours, theirs = pair
    whole = message({"blobs": [4]}) + b"blob"
    theirs.sendall(whole[:cut] if cut else b"")
    theirs.close()
    with pytest.raises(Closed):
        ours.receive(timeout=5)


@pytest.mark.parametrize("sent", [b"", b"\x00\x00", message({"blobs": [4]}), message(b"{")[:-1]])
def test_what_does_not_come_in_time_is_timed_out(pair, sent):
    ours, theirs = pair
    theirs.sendall(sent)
    started = time.monotonic()
    with pytest.raises(TimedOut):
        ours.receive(timeout=0.05)
    assert time.monotonic() - started < 2


def test_the_time_limit_is_for_the_whole_message_not_for_each_byte(pair):
    ours, theirs = pair
    stop = threading.Event()

    def drip():
        theirs.sendall(head(1000))
        while not stop.wait(0.02):
            theirs.sendall(b" ")

    sender = threading.Thread(target=drip)
    sender.start()
    with pytest.raises(TimedOut):
        ours.receive(timeout=0.15)
    stop.set()
    sender.join()


def test_sending_to_one_who_is_gone_is_closed(pair):
    ours, theirs = pair
    theirs.close()
    with pytest.raises(Closed):
        ours.send({"call": "fit"}, [bytes(1_000_000)])


def test_a_closed_channel_neither_sends_nor_receives(pair):
    ours, _ = pair
    assert ours.fileno() >= 0
    ours.close()
    with pytest.raises(Closed):
        ours.receive(timeout=1)
    with pytest.raises(Closed):
        ours.send({})
