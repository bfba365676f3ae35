"""What a writer does when its ring is full: wait, drop or raise, and never hang."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest
from bystander import Bystander, wait_until

from auditring import ClosedError, LogWriter, RingFullError

RING_BYTES = 64 * 1024
LINE = b"x" * 1023 + b"\n"


@pytest.fixture
def leader(tmp_path: Path) -> Iterator[Bystander]:
    """Give a process that leads tmp_path/audit.log, stopped."""
    with Bystander(tmp_path / "audit.log") as bystander:
        assert bystander.leads
        bystander.stop()
        yield bystander


def open_log(directory: Path, **options: object) -> LogWriter:
    """Open the log with the smallest ring."""
    return LogWriter(directory / "audit.log", ring_bytes=RING_BYTES, **options)  # type: ignore[arg-type]


def fill(log: LogWriter) -> list[bytes]:
    """Write lines until not the smallest one fits any more; return them."""
    written = []
    for line in (LINE, b"\n"):
        # A record takes a header of 32 bytes, and whole units of 32 bytes.
        room = len(line) // 32 * 32 + (32 if len(line) % 32 == 0 else 64)
        while log.stats().ring_capacity - log.stats().ring_used >= room:
            assert log.write(line)
            written.append(line)
    return written


def is_blocked(log: LogWriter) -> bool:
    """Tell whether a write has waited for room already."""
    return log.stats().blocked_ns > 0


@contextmanager
def meanwhile(log: LogWriter, act: Callable[[], None]) -> Iterator[None]:
    """Run *act* in another thread as soon as a write of this one is blocked."""

    def run() -> None:
        wait_until(lambda: is_blocked(log))
        act()

    thread = threading.Thread(target=run)
    thread.start()
    yield
    thread.join()


@contextmanager
def soon(act: Callable[[], None]) -> Iterator[None]:
    """Run *act* in another thread while this one waits in a call that shows nothing."""
    timer = threading.Timer(0.05, act)
    timer.start()
    yield
    timer.join()


@contextmanager
def handling(handler: Callable[[], object]) -> Iterator[Callable[[], None]]:
    """Install *handler* for a signal; give what sends it to this process."""

    def handle(number: int, frame: FrameType | None) -> None:
        handler()

    before = signal.signal(signal.SIGUSR1, handle)
    yield lambda: os.kill(os.getpid(), signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, before)


def lines_of(directory: Path) -> list[bytes]:
    """Return the lines of the live file."""
    return (directory / "audit.log").read_bytes().splitlines(keepends=True)


# Waiting.


def test_a_write_waits_for_room_by_default(tmp_path: Path, leader: Bystander) -> None:
    with open_log(tmp_path) as log:
        filling = fill(log)

        with meanwhile(log, leader.resume):
            assert log.write(b"last\n")

        log.flush()
        assert lines_of(tmp_path) == [*filling, b"last\n"]
        assert log.stats().blocked_ns > 0


def test_a_chunk_of_lines_larger_than_the_ring_waits_for_room(
    tmp_path: Path, leader: Bystander
) -> None:
    lines = [b"%06d\n" % number for number in range(100_000)]
    with open_log(tmp_path) as log:
        with meanwhile(log, leader.resume):
            assert log.write_lines(b"".join(lines)) == len(lines)

        log.flush()
        assert lines_of(tmp_path) == lines


def test_a_write_raises_when_block_timeout_ran_out(
    tmp_path: Path, leader: Bystander
) -> None:
    with open_log(tmp_path, block_timeout=0.02) as log:
        fill(log)

        with pytest.raises(RingFullError, match=r"audit\.log.* 1024 .*=0\.02"):
            log.write(LINE)

        assert log.stats().block_timeouts == 1
        assert log.stats().refused_records == 1
        assert log.stats().dropped_records == 0
        leader.resume()


def test_a_write_drops_when_block_timeout_ran_out_if_told_to(
    tmp_path: Path, leader: Bystander
) -> None:
    with open_log(tmp_path, block_timeout=0.02, on_timeout="drop") as log:
        fill(log)

        assert log.write(LINE) is False

        assert log.stats().block_timeouts == 1
        assert log.stats().dropped_records == 1
        assert log.stats().dropped_bytes == len(LINE)
        leader.resume()


def test_a_timeout_of_nothing_waits_for_nothing(
    tmp_path: Path, leader: Bystander
) -> None:
    with open_log(tmp_path, block_timeout=0) as log:
        fill(log)

        with pytest.raises(RingFullError):
            log.write(LINE)

        assert log.stats().blocked_ns == 0
        leader.resume()


def test_a_writer_that_ran_into_block_timeout_goes_on_when_there_is_room(
    tmp_path: Path, leader: Bystander
) -> None:
    with open_log(tmp_path, block_timeout=0.02) as log:
        filling = fill(log)
        with pytest.raises(RingFullError):
            log.write(b"refused\n")

        leader.resume()
        log.flush()
        assert log.write(b"taken\n")

        log.flush()
        assert lines_of(tmp_path) == [*filling, b"taken\n"]


# Dropping and raising.


def test_a_full_ring_drops_if_told_to(tmp_path: Path, leader: Bystander) -> None:
    with open_log(tmp_path, on_full="drop") as log:
        fill(log)

        assert log.write(LINE) is False

        assert log.stats().dropped_records == 1
        assert log.stats().blocked_ns == 0
        leader.resume()


def test_write_lines_tells_how_many_lines_were_not_dropped(
    tmp_path: Path, leader: Bystander
) -> None:
    with open_log(tmp_path, on_full="drop") as log:
        committed = log.write_lines(LINE * 100)

        assert 0 < committed < 100
        assert log.stats().dropped_records == 100 - committed
        leader.resume()


def test_a_full_ring_raises_if_told_to(tmp_path: Path, leader: Bystander) -> None:
    with open_log(tmp_path, on_full="raise") as log:
        filling = fill(log)

        with pytest.raises(RingFullError, match=r"audit\.log.* 1024 "):
            log.write(LINE)

        assert log.stats().refused_records == 1
        leader.resume()
        log.flush()
        assert lines_of(tmp_path) == filling


def test_write_lines_raises_after_the_lines_that_fit(
    tmp_path: Path, leader: Bystander
) -> None:
    with open_log(tmp_path, on_full="raise") as log:
        with pytest.raises(RingFullError):
            log.write_lines(LINE * 100)

        leader.resume()
        log.flush()
        assert 0 < len(lines_of(tmp_path)) < 100
        assert log.stats().refused_records == 1


def test_a_write_does_not_wait_for_a_leader_that_is_stopped(
    tmp_path: Path, leader: Bystander
) -> None:
    with open_log(tmp_path) as log:
        assert log.write(b"one\n")

        assert log.stats().blocked_ns == 0
        assert log.flush(timeout=0.02) is False
        leader.resume()
        assert log.flush() is True
        assert lines_of(tmp_path) == [b"one\n"]


@pytest.mark.parametrize("name", ["flush", "sync"])
def test_waiting_for_the_file_or_disk_ends_with_its_timeout(
    tmp_path: Path, leader: Bystander, name: str
) -> None:
    with open_log(tmp_path) as log:
        assert getattr(log, name)(timeout=0.02) is False

        leader.resume()
        assert getattr(log, name)(timeout=30) is True


# Signals.


def test_a_blocked_write_is_interrupted_by_ctrl_c(
    tmp_path: Path, leader: Bystander
) -> None:
    with open_log(tmp_path) as log:
        filling = fill(log)

        with (
            meanwhile(log, lambda: os.kill(os.getpid(), signal.SIGINT)),
            pytest.raises(KeyboardInterrupt),
        ):
            log.write(b"not taken\n")

        leader.resume()
        log.flush()
        assert lines_of(tmp_path) == filling


def test_a_signal_handler_runs_while_a_write_is_blocked(
    tmp_path: Path, leader: Bystander
) -> None:
    with open_log(tmp_path) as log, handling(leader.resume) as send:
        filling = fill(log)

        with meanwhile(log, send):
            assert log.write(b"taken\n")

        log.flush()
        assert lines_of(tmp_path) == [*filling, b"taken\n"]


def test_a_signal_handler_may_write_while_a_write_is_blocked(
    tmp_path: Path, leader: Bystander
) -> None:
    def handler() -> None:
        leader.resume()
        log.write(b"of the handler\n")

    with open_log(tmp_path) as log, handling(handler) as send:
        filling = fill(log)

        with meanwhile(log, send):
            assert log.write(b"interrupted\n")

        log.flush()
        written = [*filling, b"of the handler\n", b"interrupted\n"]
        assert lines_of(tmp_path) == written


@pytest.mark.parametrize("name", ["flush", "sync", "rotate", "reopen"])
def test_a_signal_handler_runs_while_the_leader_is_awaited(
    tmp_path: Path, leader: Bystander, name: str
) -> None:
    with open_log(tmp_path) as log, handling(leader.resume) as send, soon(send):
        getattr(log, name)()


# Closing.


def close_briefly(log: LogWriter) -> None:
    """Close a log whose leader is stopped."""
    with pytest.raises(OSError, match="records stay for the next opener"):
        log.close(timeout=0.02)


def test_closing_in_another_thread_ends_a_blocked_write(
    tmp_path: Path, leader: Bystander
) -> None:
    log = open_log(tmp_path)
    filling = fill(log)

    with (
        meanwhile(log, lambda: close_briefly(log)),
        pytest.raises(ClosedError, match="closed while waiting"),
    ):
        log.write(b"not taken\n")

    leader.close()
    assert lines_of(tmp_path) == filling


def test_closing_in_another_thread_ends_a_flush(
    tmp_path: Path, leader: Bystander
) -> None:
    log = open_log(tmp_path)
    log.write(b"one\n")

    with soon(lambda: close_briefly(log)), pytest.raises(ClosedError):
        log.flush()


def test_a_signal_handler_may_close_the_log_under_a_blocked_write(
    tmp_path: Path, leader: Bystander
) -> None:
    log = open_log(tmp_path)
    fill(log)

    with (
        handling(lambda: close_briefly(log)) as send,
        meanwhile(log, send),
        pytest.raises(ClosedError),
    ):
        log.write(b"not taken\n")

    assert log.closed


@pytest.mark.parametrize("name", ["flush", "sync", "rotate", "reopen"])
def test_a_signal_handler_may_close_the_log_under_a_call_that_waits(
    tmp_path: Path, leader: Bystander, name: str
) -> None:
    log = open_log(tmp_path)
    log.write(b"one\n")

    with (
        handling(lambda: close_briefly(log)) as send,
        soon(send),
        pytest.raises(ClosedError),
    ):
        getattr(log, name)()

    assert log.closed


def test_records_that_stayed_behind_at_close_are_drained_by_the_leader(
    tmp_path: Path, leader: Bystander
) -> None:
    log = open_log(tmp_path)
    filling = fill(log)
    close_briefly(log)

    leader.resume()

    wait_until(lambda: lines_of(tmp_path) == filling)


def test_records_that_stayed_behind_at_close_are_written_by_the_next_opener(
    tmp_path: Path, leader: Bystander
) -> None:
    log = open_log(tmp_path)
    filling = fill(log)
    close_briefly(log)
    leader.kill()

    open_log(tmp_path).close()

    assert lines_of(tmp_path) == filling
