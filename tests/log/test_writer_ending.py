"""The end of a log: closed, forgotten, or left to the end of the program."""

import gc
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from configs import wait_until

from auditring import ClosedError, LogWriter


def open_log(directory: Path, **options: Any) -> LogWriter:  # noqa: ANN401 - passed on
    """Open a log with the smallest ring."""
    return LogWriter(directory / "audit.log", ring_bytes=64 * 1024, **options)


def content(directory: Path) -> bytes:
    """Return what the live file holds."""
    return (directory / "audit.log").read_bytes()


def run(program: str, *arguments: object) -> subprocess.CompletedProcess[bytes]:
    """Run a Python program in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        capture_output=True,
        timeout=30,
    )


def test_a_context_closes_its_log(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        assert not log.closed
        log.write(b"one\n")

    assert log.closed
    assert content(tmp_path) == b"one\n"


def test_closing_again_does_nothing(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.close()

    log.close()

    assert log.closed


@pytest.mark.parametrize(
    "use",
    [
        lambda log: log.write(b"one\n"),
        lambda log: log.write_lines(b"one\n"),
        lambda log: log.write_json({}),
        lambda log: log.flush(),
        lambda log: log.sync(),
        lambda log: log.rotate(),
        lambda log: log.reopen(),
        lambda log: log.stats(),
        lambda log: log.record_limit,
    ],
)
def test_a_closed_log_can_not_be_used(
    tmp_path: Path, use: Callable[[LogWriter], object]
) -> None:
    log = open_log(tmp_path)
    log.close()

    with pytest.raises(ClosedError, match=r"audit\.log: .* after close"):
        use(log)


def test_two_threads_may_close_a_log_at_once(tmp_path: Path) -> None:
    for _ in range(20):
        log = open_log(tmp_path, compress="gzip")
        log.write(b"one\n")
        threads = [threading.Thread(target=log.close) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert log.closed
    assert content(tmp_path) == b"one\n" * 20


def test_a_signal_handler_may_close_a_log_that_is_being_closed(tmp_path: Path) -> None:
    done = run(
        """\
import signal, sys
from auditring import ClosedError, LogWriter

signal.signal(signal.SIGALRM, lambda *_: log.close())
for _ in range(200):
    log = LogWriter(sys.argv[1], compress="gzip", ring_bytes=65536)
    log.write(b"one")
    signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0001)
    log.close()
    signal.setitimer(signal.ITIMER_REAL, 0)
""",
        tmp_path / "audit.log",
    )

    assert (done.returncode, done.stderr) == (0, b"")
    assert content(tmp_path) == b"one\n" * 200


@pytest.mark.parametrize("options", ["", ", compress='gzip'", ", durability='sync'"])
@pytest.mark.parametrize("end", ["", "sys.exit(3)", "raise RuntimeError"])
def test_a_program_that_ends_without_close_keeps_everything(
    tmp_path: Path, options: str, end: str
) -> None:
    done = run(
        f"""\
import sys
from auditring import ClosedError, LogWriter
log = LogWriter(sys.argv[1]{options})
for number in range(100):
    log.write(b"%d" % number)
{end}
""",
        tmp_path / "audit.log",
    )

    assert b"auditring" not in done.stderr
    assert content(tmp_path) == b"".join(b"%d\n" % number for number in range(100))
    assert not list((tmp_path / ".audit.log.ring").glob("ring.*"))


def test_a_log_that_is_forgotten_closes_itself(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.write(b"one\n")
    reference = weakref.ref(log)

    del log
    gc.collect()

    wait_until(lambda: reference() is None)
    assert content(tmp_path) == b"one\n"
    assert not list((tmp_path / ".audit.log.ring").glob("ring.*"))


def test_a_log_that_is_forgotten_in_a_circle_closes_itself(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.write(b"one\n")
    circle = [log]
    circle.append(circle)  # type: ignore[arg-type]

    del log, circle
    gc.collect()

    wait_until(lambda: content(tmp_path) == b"one\n")


def test_opening_and_closing_leaves_no_descriptor_thread_or_mapping(
    tmp_path: Path,
) -> None:
    def resources() -> tuple[int, int, int]:
        with open("/proc/self/maps") as maps:
            rings = sum(".ring/" in line for line in maps)
        tasks = len(os.listdir("/proc/self/task"))
        return len(os.listdir("/proc/self/fd")), tasks, rings

    def use() -> None:
        with open_log(tmp_path, compress="gzip", max_bytes=100) as log:
            log.write_lines(b"%050d\n" % 1 * 10)
            log.sync()

    use()
    before = resources()

    for _ in range(20):
        use()

    assert resources() == before


def test_a_log_that_can_not_be_opened_leaves_nothing_open(tmp_path: Path) -> None:
    open_log(tmp_path, state_dir=tmp_path / "rings").close()
    before = os.listdir("/proc/self/fd")

    for _ in range(5):
        with pytest.raises(OSError, match="state_dir"):
            open_log(tmp_path)

    assert os.listdir("/proc/self/fd") == before
