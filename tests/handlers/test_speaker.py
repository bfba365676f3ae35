"""A log that doesn't get on is spoken of, and nobody waits for it for ever.

Who else is there: another process that leads and is stopped, whose log it is as much; a
disk that others fill and free; a name that a backup can't have; a standard error that
nobody reads, or that is no such thing; many handlers of one log, of which one speaks;
an event loop, which has to go on.
"""

import asyncio
import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bystander import Bystander, wait_until

from auditring import LogWriter, RingFullError
from auditring.backends.log import LogBackend
from auditring.handlers import AuditHandler, BytesLoggerFactory, RotatingFileHandler

RING_BYTES = 64 * 1024
TEXT = "x" * 1000
LINE = b"x" * 1023 + b"\n"
# What is said of 2 seconds, on a machine with much else to do.
SAID_LIMIT_S = 30.0


@pytest.fixture
def said(capfd: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """Return what was said on standard error so far."""
    parts: list[str] = []

    def read() -> str:
        parts.append(capfd.readouterr().err)
        return "".join(parts)

    return read


@pytest.fixture
def stopped(tmp_path: Path) -> Iterator[Bystander]:
    """Return a leader of ``audit.log`` that is stopped."""
    with Bystander(tmp_path / "audit.log", dialect="stdlib", max_bytes=0) as leader:
        assert leader.leads
        leader.stop()
        yield leader


def handler_of(path: Path, **options: object) -> RotatingFileHandler:
    """Return a drop-in handler with a small ring."""
    return RotatingFileHandler(path, ring_bytes=RING_BYTES, **options)  # type: ignore[arg-type]


def record_of(text: str) -> logging.LogRecord:
    """Return a record."""
    return logging.LogRecord("app", logging.INFO, __file__, 1, text, None, None)


def fill(log: LogWriter) -> None:
    """Write until that raises."""
    while True:
        log.write(LINE)


def gap_count(path: Path) -> int:
    """Return how many lines the gap events of a log or beside it tell of."""
    aside = path.with_name(path.name + ".gaps")
    lines = path.read_bytes().splitlines()
    lines += aside.read_bytes().splitlines() if aside.exists() else []
    events = [json.loads(line) for line in lines if line.startswith(b'{"kind"')]
    return sum(int(event["annotations"]["auditring.io/count"]) for event in events)


# A leader that is stopped.


def test_a_stopped_leader_is_named_until_it_goes_on(
    tmp_path: Path, stopped: Bystander, said: Callable[[], str]
) -> None:
    handler = handler_of(tmp_path / "audit.log")
    handler.emit(record_of("one"))

    wait_until(lambda: "stopped" in said())

    (line,) = said().splitlines()
    who = rf"process {stopped.pid} \(.+, user {os.geteuid()}\) writes the file for all"
    assert re.search(
        rf"^auditring: .*/audit\.log: {who} and is stopped, for \d+ s", line
    )
    stopped.resume()
    wait_until(lambda: "gets on again" in said())
    assert len(said().splitlines()) == 2
    handler.close()
    assert (tmp_path / "audit.log").read_bytes() == b"one\n"


def test_health_and_numbers_show_a_stopped_leader(
    tmp_path: Path, stopped: Bystander
) -> None:
    with LogWriter(tmp_path / "audit.log", dialect="stdlib", max_bytes=0) as log:
        log.write(b"one\n")
        wait_until(lambda: log.stats().health == "leader-stopped")

        stats = log.stats()
        assert stats.leader_pid == stopped.pid
        assert stats.leader_silent_s >= 1
        assert f"process {stopped.pid} (" in stats.trouble
        stopped.resume()
        wait_until(lambda: log.stats().health == "ok")
        assert log.stats().trouble == ""


def test_flush_doesnt_wait_for_a_stopped_leader(
    tmp_path: Path, stopped: Bystander
) -> None:
    handler = handler_of(tmp_path / "audit.log")
    handler.emit(record_of("one"))
    assert handler.log_writer is not None

    assert handler.log_writer.flush(0.05) is False
    with pytest.raises(OSError, match=f"process {stopped.pid} .* is stopped"):
        handler.flush()

    stopped.resume()
    handler.close()


def test_many_handlers_of_one_log_have_one_speaker(
    tmp_path: Path, stopped: Bystander, said: Callable[[], str]
) -> None:
    handlers = [handler_of(tmp_path / "audit.log") for _ in range(5)]
    for handler in handlers:
        handler.emit(record_of("one"))

    wait_until(lambda: "stopped" in said())
    assert said().count("is stopped") == 1

    stopped.resume()
    for handler in handlers:
        handler.close()


# Waiting.


def test_a_drop_in_waits_once_and_then_drops_until_there_is_room(
    tmp_path: Path, stopped: Bystander
) -> None:
    path = tmp_path / "audit.log"
    handler = handler_of(path, block_timeout=0.5)
    for _ in range(500):
        handler.emit(record_of(TEXT))
    assert handler.log_writer is not None
    stats = handler.log_writer.stats()

    assert stats.dropped_records > 400
    assert 0.4e9 <= stats.blocked_ns < 5e9

    stopped.resume()
    handler.close()
    lines = path.read_text().count(TEXT)
    assert lines + stats.dropped_records == 500
    assert gap_count(path) == stats.dropped_records


def test_a_drop_in_waits_again_once_there_was_room(
    tmp_path: Path, stopped: Bystander
) -> None:
    handler = handler_of(tmp_path / "audit.log", block_timeout=0.1)
    writer = None
    timeouts = []
    for _ in range(2):
        for _ in range(100):
            handler.emit(record_of(TEXT))
        writer = handler.log_writer
        assert writer is not None
        timeouts.append(writer.stats().block_timeouts)
        before = writer.stats().blocked_ns
        stopped.resume()
        assert writer.flush(SAID_LIMIT_S)
        stopped.stop()
    assert writer is not None
    assert before >= 0.15e9  # both rounds waited
    stopped.resume()
    handler.close()


@pytest.mark.parametrize(
    "make", [AuditHandler, BytesLoggerFactory, RotatingFileHandler]
)
def test_the_wait_of_every_drop_in_is_bounded(
    tmp_path: Path, make: Callable[..., object]
) -> None:
    made = make(tmp_path / "audit.log")
    if isinstance(made, RotatingFileHandler):
        made.emit(record_of("one"))
    writer = made.log_writer  # type: ignore[attr-defined]

    assert writer._given["block_timeout"] == 5.0
    assert writer._given["on_timeout"] == "drop"
    made.close()  # type: ignore[attr-defined]


def test_a_bare_writer_waits_for_ever_and_says_for_what(
    tmp_path: Path, stopped: Bystander, said: Callable[[], str]
) -> None:
    def look(number: int, frame: object) -> None:
        if "is stopped" in said():
            stopped.resume()

    before = signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, 0.1, 0.1)
    try:
        with LogWriter(
            tmp_path / "audit.log", dialect="stdlib", max_bytes=0, ring_bytes=RING_BYTES
        ) as log:
            for _ in range(200):
                assert log.write(LINE)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)

    assert (tmp_path / "audit.log").stat().st_size == 200 * len(LINE)


def test_who_is_raised_to_waits_each_time(tmp_path: Path, stopped: Bystander) -> None:
    with LogWriter(
        tmp_path / "audit.log",
        dialect="stdlib",
        max_bytes=0,
        ring_bytes=RING_BYTES,
        block_timeout=0.05,
    ) as log:
        for _ in range(2):
            with pytest.raises(RingFullError):
                fill(log)
        assert log.stats().blocked_ns >= 0.08e9
        stopped.resume()


def test_a_rollover_that_nobody_makes_is_not_waited_for(
    tmp_path: Path, stopped: Bystander
) -> None:
    handler = handler_of(tmp_path / "audit.log", backupCount=1, block_timeout=0.1)
    handler.emit(record_of("one"))

    with pytest.raises(TimeoutError):
        handler.doRollover()

    stopped.resume()
    handler.close()


# Event loops.


def test_an_event_loop_is_held_up_for_a_moment_only(
    tmp_path: Path, stopped: Bystander
) -> None:
    with LogWriter(
        tmp_path / "audit.log", dialect="stdlib", max_bytes=0, ring_bytes=RING_BYTES
    ) as log:
        backend = LogBackend(log)
        refused = []

        async def serve() -> None:
            assert backend.write_line is not None
            for _ in range(200):
                try:
                    backend.write_line(LINE)
                except RingFullError as error:
                    refused.append(error)

        asyncio.run(serve())
        stats = log.stats()
        assert len(refused) > 100
        assert 0.04e9 <= stats.blocked_ns < 2e9
        stopped.resume()


# Rotation.


def test_a_rotation_that_fails_is_said_and_the_log_goes_on(
    tmp_path: Path, said: Callable[[], str]
) -> None:
    path = tmp_path / "audit.log"
    (tmp_path / "audit.log.1").mkdir()
    (tmp_path / "audit.log.1" / "kept").touch()
    with LogWriter(path, dialect="stdlib", max_bytes=10_000, max_backups=1) as log:
        count = 0

        def is_said() -> bool:
            nonlocal count
            log.write(LINE)
            count += 1
            time.sleep(0.01)  # a rate that a file can grow at
            return "can't be rotated" in said()

        wait_until(is_said)
        assert log.stats().health == "rotation-fails"
        assert log.flush(SAID_LIMIT_S)
        assert path.stat().st_size == count * len(LINE)

        (tmp_path / "audit.log.1" / "kept").unlink()
        (tmp_path / "audit.log.1").rmdir()
        wait_until(lambda: log.write(LINE) and log.stats().health == "ok")
        wait_until(lambda: "gets on again" in said())


# Standard error.

SPEAKING = """\
import os, signal, sys, time
from auditring import LogWriter
{before}
log = LogWriter(sys.argv[1], dialect="stdlib", max_bytes=0)
log.write(b"one\\n")
while log._said()[0] == 0:
    time.sleep(0.01)
{after}
os._exit(0)
"""


def speak(path: Path, before: str, after: str) -> subprocess.CompletedProcess[bytes]:
    """Run a program that speaks of *path*."""
    program = SPEAKING.format(before=before, after=after)
    return subprocess.run(
        [sys.executable, "-c", program, path],
        capture_output=True,
        timeout=SAID_LIMIT_S,
        check=True,
    )


@pytest.mark.usefixtures("stopped")
def test_a_file_that_got_the_number_of_standard_error_is_left_alone(
    tmp_path: Path,
) -> None:
    before = (
        "os.close(2)\n"
        "fd = os.open(sys.argv[1] + '.data', os.O_CREAT | os.O_RDWR)\n"
        "assert fd == 2"
    )
    speak(tmp_path / "audit.log", before, "time.sleep(0.2)")

    assert (tmp_path / "audit.log.data").read_bytes() == b""


def test_a_standard_error_that_nobody_reads_holds_up_nothing(
    tmp_path: Path, stopped: Bystander
) -> None:
    before = (
        "read, write = os.pipe()\n"
        "os.dup2(write, 2)\n"
        "os.set_blocking(2, False)\n"
        "try:\n"
        "    while os.write(2, b'x' * 4096): pass\n"
        "except BlockingIOError: pass\n"
        "os.set_blocking(2, True)"
    )
    after = f"os.kill({stopped.pid}, signal.SIGCONT)\nassert log.flush(20)\nlog.close()"
    speak(tmp_path / "audit.log", before, after)

    assert (tmp_path / "audit.log").read_bytes() == b"one\n"


# A full disk.

FULL = """\
import ctypes, logging, os, sys, time
place = sys.argv[1]
libc = ctypes.CDLL(None, use_errno=True)
if libc.mount(b"tmpfs", place.encode(), b"tmpfs", 0, b"size=20m"):
    sys.exit(77)
from auditring.handlers import RotatingFileHandler
handler = RotatingFileHandler(
    place + "/app.log", ring_bytes=1 << 20, block_timeout=0.5
)
logger = logging.Logger("app")
logger.addHandler(handler)
logger.info("hello")
handler.flush()
hog = os.open(place + "/hog", os.O_CREAT | os.O_WRONLY)
for size in (65536, 1):
    try:
        while True:
            os.write(hog, b"x" * size)
    except OSError:
        pass
count = int(sys.argv[2])
for number in range(count):
    logger.info("%06d %s", number, "x" * 1000)
log = handler.log_writer
while not log._said()[0]:
    time.sleep(0.01)
print(log.stats().health, flush=True)
os.ftruncate(hog, 0)
while log.stats().health != "ok":
    time.sleep(0.01)
handler.flush()
while log._said()[0] < 2:
    time.sleep(0.01)
time.sleep(0.1)
dropped = log.stats().dropped_records
handler.close()
with open(place + "/app.log") as file:
    print(file.read().count("x" * 1000) + dropped)
"""


@pytest.mark.parametrize("count", [10, 5000], ids=["ring not full", "ring full"])
def test_a_full_disk_is_said_and_nobody_hangs(tmp_path: Path, count: int) -> None:
    options = ["-m"] if os.geteuid() == 0 else ["-Urm"]
    done = subprocess.run(
        ["unshare", *options, sys.executable, "-c", FULL, tmp_path, str(count)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    if done.returncode == 77 or "unshare failed" in done.stderr:
        pytest.skip("needs to be allowed to mount a file system")

    assert done.stdout.split() == ["disk-full", str(count)]
    first, second = done.stderr.splitlines()
    assert "/app.log: No space left on device; lines wait in the ring" in first
    assert "/app.log: it gets on again, for " in second
