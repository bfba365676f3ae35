"""Lines on their way from a pipe into a log: nothing added, nothing lost."""

import os
import random
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from auditring import LogWriter
from auditring.cli.stdin_pump import Feed, Signals

RING_BYTES = 64 * 1024
RECORD_LIMIT = RING_BYTES // 2 - 64
GAP = b'{"kind":"Event"'


@contextmanager
def pipe_holding(pieces: list[bytes]) -> Iterator[int]:
    """Give the reading end of a pipe that *pieces* are written to, one by one."""
    reader, writer = os.pipe()

    def write_all() -> None:
        with open(writer, "wb", buffering=0) as pipe:
            for piece in pieces:
                pipe.write(piece)

    thread = threading.Thread(target=write_all)
    thread.start()
    yield reader
    thread.join()
    os.close(reader)


def lines_in(log: Path) -> bytes:
    """Return what was fed to *log*, without the gap events."""
    lines = log.read_bytes().splitlines(keepends=True)
    return b"".join(line for line in lines if not line.startswith(GAP))


def feed_lines(log: Path, pieces: list[bytes]) -> list[int]:
    """Feed *log* with *pieces*, and return the sizes of what was too long."""
    oversize: list[int] = []
    with (
        LogWriter(log, ring_bytes=RING_BYTES) as writer,
        pipe_holding(pieces) as fd,
        Signals(on_tick=lambda: None) as signals,
    ):
        feed = Feed(writer, fd, may_drop=False, on_oversize=oversize.append)
        feed.run(signals)
        assert feed.oversize == len(oversize)
    return oversize


def test_a_line_may_be_as_long_as_a_record(tmp_path: Path) -> None:
    line = b"x" * (RECORD_LIMIT - 1) + b"\n"

    oversize = feed_lines(tmp_path / "audit.log", [line * 3])

    assert oversize == []
    assert (tmp_path / "audit.log").read_bytes() == line * 3


def test_an_unfinished_last_line_may_be_as_long_as_a_record(tmp_path: Path) -> None:
    line = b"x" * (RECORD_LIMIT - 1)

    oversize = feed_lines(tmp_path / "audit.log", [line])

    assert oversize == []
    assert (tmp_path / "audit.log").read_bytes() == line + b"\n"


@pytest.mark.parametrize("end", [b"\n", b""])
def test_a_line_longer_than_a_record_is_passed_over(tmp_path: Path, end: bytes) -> None:
    line = b"x" * RECORD_LIMIT + end

    oversize = feed_lines(tmp_path / "audit.log", [b"before\n", line])

    assert oversize == [len(line)]
    assert lines_in(tmp_path / "audit.log") == b"before\n"


@pytest.mark.parametrize("seed", range(20))
def test_lines_of_any_length_in_pieces_of_any_length_arrive_as_they_are(
    tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    lengths = [
        min(int(chance.expovariate(1 / 3000)), 3 * RECORD_LIMIT) for _ in range(300)
    ]
    # Some around the limit, so that each seed has lines on both sides of it.
    lengths += [RECORD_LIMIT + chance.randint(-3, 3) for _ in range(5)]
    lengths += [RECORD_LIMIT - 2, 2 * RECORD_LIMIT]
    chance.shuffle(lengths)
    lines = [chance.randbytes(n).replace(b"\n", b" ") + b"\n" for n in lengths]
    data = b"".join(lines)
    cuts = sorted(chance.randrange(len(data)) for _ in range(100))
    pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, None], strict=True)]

    oversize = feed_lines(tmp_path / "audit.log", pieces)

    fitting = [line for line in lines if len(line) <= RECORD_LIMIT]
    assert lines_in(tmp_path / "audit.log") == b"".join(fitting)
    assert oversize == [len(line) for line in lines if len(line) > RECORD_LIMIT]


def test_a_feed_that_is_asked_to_stop_takes_what_is_in_the_pipe(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    reader, writer = os.pipe()
    os.write(writer, b"line\n" * 1000 + b"unfinished")

    with LogWriter(log) as target, Signals(on_tick=lambda: None) as signals:
        signals.stop = True
        Feed(target, reader, may_drop=False, on_oversize=print).run(signals)

    assert log.read_bytes() == b"line\n" * 1000 + b"unfinished\n"
    os.close(writer)
    os.close(reader)


def test_a_feed_that_is_asked_to_stop_leaves_the_rest_of_a_file(tmp_path: Path) -> None:
    source = tmp_path / "input"
    source.write_bytes(b"line\n" * 1000)

    with (
        LogWriter(tmp_path / "audit.log") as target,
        source.open("rb", buffering=0) as file,
        Signals(on_tick=lambda: None) as signals,
    ):
        signals.stop = True
        Feed(target, file.fileno(), may_drop=False, on_oversize=print).run(signals)

        assert file.read() == b"line\n" * 1000


def test_signals_tick_every_second() -> None:
    ticks: list[None] = []

    with Signals(on_tick=lambda: ticks.append(None)) as signals:
        signals.wait(seconds=10)

    assert ticks == [None]


def test_signals_leave_the_handlers_as_they_were() -> None:
    numbers = [signal.SIGTERM, signal.SIGINT, signal.SIGALRM]
    before: list[Callable[..., object] | int | None] = [*map(signal.getsignal, numbers)]

    with Signals(on_tick=lambda: None):
        inside = [*map(signal.getsignal, numbers)]

    assert [*map(signal.getsignal, numbers)] == before
    assert all(new != old for new, old in zip(inside, before, strict=True))
