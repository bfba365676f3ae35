"""A body's stream that is watched.

Who else may be there: a framework that looks for the size of a body by going to its end
and back, one that reads it twice or leaves some out, a stream that can't go back, one
that somebody read from before.
"""

import io
import os
from collections.abc import Callable

import pytest

from auditring.exchange.body import Body
from auditring.exchange.stream import WatchedStream


def kept(body: Body) -> tuple[bytes | None, bool]:
    """Return what was kept, and whether that is all."""
    payload = body.payload("text/plain", "")
    return payload.text, payload.omission is None


@pytest.fixture
def body() -> Body:
    return Body(100)


@pytest.mark.parametrize("length", [None, 9])
def test_going_to_the_end_and_back_changes_nothing(
    body: Body, length: int | None
) -> None:
    stream = WatchedStream(io.BytesIO(b"some body"), body, length)

    assert stream.seekable()
    assert stream.seek(0, os.SEEK_END) == 9
    assert stream.tell() == 9
    assert stream.seek(0) == 0
    assert stream.read() == b"some body"

    assert kept(body) == (b"some body", True)


@pytest.mark.parametrize("length", [None, 9])
def test_what_is_read_twice_is_kept_once(body: Body, length: int | None) -> None:
    stream = WatchedStream(io.BytesIO(b"some body"), body, length)

    assert stream.read(4) == b"some"
    stream.seek(1)
    assert stream.read(6) == b"ome bo"
    stream.seek(0)
    assert stream.read() == b"some body"
    stream.seek(0)
    assert stream.read() == b"some body"

    assert kept(body) == (b"some body", True)


@pytest.mark.parametrize("length", [None, 9])
def test_a_body_of_which_bytes_were_left_out_is_not_whole(
    body: Body, length: int | None
) -> None:
    stream = WatchedStream(io.BytesIO(b"some body"), body, length)

    stream.read(2)
    stream.seek(5)
    assert stream.read() == b"body"

    assert not body.is_whole


def test_what_was_read_before_is_no_part_of_the_body(body: Body) -> None:
    inner = io.BytesIO(b"head some body")
    inner.seek(5)
    stream = WatchedStream(inner, body)

    stream.seek(0, os.SEEK_END)
    stream.seek(5)
    assert stream.read() == b"some body"

    assert kept(body) == (b"some body", True)


class _OnceOnly:
    """What PEP 3333 asks of a stream, and no more."""

    def __init__(self, data: bytes) -> None:
        self.read = io.BytesIO(data).read


def pipe_end() -> io.BufferedReader:
    down, up = os.pipe()
    os.close(up)
    return os.fdopen(down, "rb")


@pytest.mark.parametrize("make", [pipe_end, lambda: _OnceOnly(b"x")])
def test_a_stream_that_cannot_go_back_says_so(
    body: Body, make: Callable[[], object]
) -> None:
    stream = WatchedStream(make(), body)

    assert not stream.seekable()
    with pytest.raises(io.UnsupportedOperation):
        stream.seek(0)
    with pytest.raises(io.UnsupportedOperation):
        stream.tell()
    stream.close()
