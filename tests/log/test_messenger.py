"""`on_error` hears of a log that doesn't get on.

Who may be there: an `on_error` that logs to the same log, raises, closes the log, forks
or never returns; others of the same log and of other logs; a fork, a collector, a
monkey-patched program, a process without threads to give, the end of the interpreter.
"""

import contextlib
import gc
import importlib.util
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bystander import Bystander, wait_until

from auditring import LogWriter
from auditring.handlers import AuditHandler, RotatingFileHandler, WatchedFileHandler
from auditring.log import messenger
from auditring.ring import _writer

LIMIT_S = 60
OnError = Callable[[Exception], object]
LINE = b"x" * 1023 + b"\n"


@pytest.fixture
def stopped(tmp_path: Path) -> Iterator[Bystander]:
    """Return a leader of ``audit.log`` that is stopped."""
    with Bystander(tmp_path / "audit.log", dialect="stdlib", max_bytes=0) as leader:
        assert leader.leads
        leader.stop()
        yield leader


def record_of(text: str) -> logging.LogRecord:
    """Return a record."""
    return logging.LogRecord("app", logging.INFO, __file__, 1, text, None, None)


def await_look(log: LogWriter) -> None:
    """Wait until the thread has seen what was said of *log*."""
    wait_until(lambda: messenger._messenger._told[id(log)] == log._said()[0])


def threads_named(name: str) -> int:
    """Return how many threads of this process have that name."""
    found = 0
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # it has just ended
            found += (task / "comm").read_text() == f"{name}\n"
    return found


def make_handler(path: Path, on_error: OnError) -> logging.Handler:
    return RotatingFileHandler(path, on_error=on_error)


def make_watched(path: Path, on_error: OnError) -> logging.Handler:
    return WatchedFileHandler(path, on_error=on_error)


def make_audit(path: Path, on_error: OnError) -> logging.Handler:
    return AuditHandler(path, on_error=on_error, dialect="stdlib", max_bytes=0)


@pytest.mark.parametrize("make", [make_handler, make_watched, make_audit])
def test_a_stopped_leader_is_told(
    tmp_path: Path,
    stopped: Bystander,
    make: Callable[[Path, OnError], logging.Handler],
) -> None:
    heard: list[Exception] = []
    path = tmp_path / "audit.log"
    handler = make(path, heard.append)
    handler.emit(record_of("one"))
    wait_until(lambda: heard)
    os.kill(stopped.pid, signal.SIGCONT)
    handler.close()
    assert [type(error).__base__ for error in heard] == [OSError]
    assert isinstance(heard[0], OSError)
    assert heard[0].filename == str(path)
    assert f"process {stopped.pid} " in str(heard[0])
    assert str(heard[0]).count(str(path)) == 1


def test_a_rotation_that_fails_is_told(tmp_path: Path) -> None:
    heard: list[Exception] = []
    (tmp_path / "audit.log.1").mkdir()
    (tmp_path / "audit.log.1" / "kept").touch()
    handler = RotatingFileHandler(
        tmp_path / "audit.log", "a", 10_000, 1, on_error=heard.append
    )

    def is_told() -> bool:
        handler.emit(record_of("x" * 200))
        return any("can't be rotated" in str(error) for error in heard)

    wait_until(is_told)
    handler.close()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Yield a disk of twenty megabytes."""
    mounted = tmp_path / "disk"
    mounted.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(mounted)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("needs root to mount a tmpfs")
    yield mounted
    subprocess.run(["umount", "-l", str(mounted)], check=True)


def fill(disk: Path) -> Path:
    """Fill a disk to the last byte; return what takes it."""
    hog = disk / "hog"
    with hog.open("wb", 0) as file:
        for size in (65_536, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                pass
    return hog


def test_a_full_disk_is_told_and_that_it_is_over_is_no_error(disk: Path) -> None:
    heard: list[Exception] = []
    log = LogWriter(disk / "audit.log", max_bytes=0, on_error=heard.append)
    log.write(LINE)
    log.flush()
    hog = fill(disk)
    for _ in range(20):  # more than the last page has room for
        log.write(LINE)
    wait_until(lambda: heard)
    hog.unlink()
    wait_until(lambda: log._said()[0] == 2)
    await_look(log)
    log.close()
    assert [error.errno for error in heard if isinstance(error, OSError)] == [28]


def test_one_who_never_returns_holds_up_nobody_else(
    tmp_path: Path, stopped: Bystander
) -> None:
    release, heard = threading.Event(), []
    blocked = LogWriter(
        tmp_path / "audit.log",
        dialect="stdlib",
        max_bytes=0,
        on_error=lambda error: release.wait(LIMIT_S),
    )
    other = LogWriter(
        tmp_path / "audit.log", dialect="stdlib", max_bytes=0, on_error=heard.append
    )
    blocked.write(LINE)
    wait_until(lambda: heard and threads_named("auditring-tell") == 1)
    os.kill(stopped.pid, signal.SIGCONT)
    other.close()
    blocked.close()
    # Nor is the fork of a program.
    child = os.fork()
    if child == 0:
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    release.set()


def test_one_who_logs_to_the_same_log_and_raises_is_told(
    tmp_path: Path, stopped: Bystander
) -> None:
    path, heard = tmp_path / "audit.log", []
    logger = logging.Logger("app")

    def on_error(error: Exception) -> None:
        logger.warning("hears")
        heard.append(error)
        raise ValueError("of the caller")

    handler = RotatingFileHandler(path, on_error=on_error)
    logger.addHandler(handler)
    logger.warning("one")
    wait_until(lambda: heard)
    os.kill(stopped.pid, signal.SIGCONT)
    handler.close()
    assert path.read_text() == "one\nhears\n"


def test_one_who_closes_the_log_ends_the_thread(
    tmp_path: Path, stopped: Bystander
) -> None:
    closed = threading.Event()

    def on_error(error: Exception) -> None:
        os.kill(stopped.pid, signal.SIGCONT)
        log.close()
        closed.set()

    log = LogWriter(
        tmp_path / "audit.log", dialect="stdlib", max_bytes=0, on_error=on_error
    )
    log.write(LINE)
    assert closed.wait(LIMIT_S)
    wait_until(lambda: threads_named("auditring-news") == 0)


def test_two_of_a_log_with_the_same_one_tell_it_once(
    tmp_path: Path, stopped: Bystander
) -> None:
    heard: list[Exception] = []
    on_error = heard.append
    first, second = (
        LogWriter(
            tmp_path / "audit.log", dialect="stdlib", max_bytes=0, on_error=on_error
        )
        for _ in range(2)
    )
    first.write(LINE)
    wait_until(lambda: heard and not threads_named("auditring-tell"))
    _writer.wake_news()
    await_look(second)
    os.kill(stopped.pid, signal.SIGCONT)
    first.close()
    second.close()
    assert len(heard) == 1


def test_the_thread_is_there_while_somebody_listens(tmp_path: Path) -> None:
    def count() -> int:
        return threads_named("auditring-news")

    with LogWriter(tmp_path / "audit.log") as log:
        assert count() == 0
        log.reconfigure(on_error=print)
        wait_until(lambda: count() == 1)
        with LogWriter(tmp_path / "other.log", on_error=print):
            pass
        assert count() == 1
        log.reconfigure(on_error=None)
        assert count() == 0
    dropped = LogWriter(tmp_path / "audit.log", on_error=print)
    wait_until(lambda: count() == 1)
    del dropped
    gc.collect()
    wait_until(lambda: count() == 0)


def run(program: str, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


FORKS = """\
import os, signal, sys, time
from auditring import LogWriter
heard = []
log = LogWriter(sys.argv[1], dialect="stdlib", max_bytes=0, on_error=heard.append)
assert len(os.listdir("/proc/self/task")) == 3
child = os.fork()
log.write(b"x")
while not heard:
    time.sleep(0.01)
print(str(heard[0]).partition(":")[0], flush=True)
if child == 0:
    os._exit(0)
os.waitpid(child, 0)
os.kill(int(sys.argv[2]), signal.SIGCONT)
log.close()
"""


def test_parent_and_child_of_a_fork_hear_of_it(
    tmp_path: Path, stopped: Bystander
) -> None:
    said = run(FORKS, tmp_path / "audit.log", stopped.pid)
    assert said.count("[Errno 11]") == 2


PATCHED = """\
from {library} import {patch}
{patch_call}
import os, signal, sys, time, _thread
from auditring import LogWriter
heard = []
log = LogWriter(
    sys.argv[1], dialect="stdlib", max_bytes=0,
    on_error=lambda error: heard.append(os.getpid() == {gettid}()),
)
log.write(b"x")
while not heard:
    time.sleep(0.01)
print(heard[0])
os.kill(int(sys.argv[2]), signal.SIGCONT)
log.close()
"""


@pytest.mark.parametrize("library", ["gevent", "eventlet"])
def test_a_hub_of_greenlets_is_left_alone(
    tmp_path: Path, stopped: Bystander, library: str
) -> None:
    if importlib.util.find_spec(library) is None:  # not imported here: it patches
        pytest.skip(f"needs {library}")
    patch, call = {
        "gevent": ("monkey", "monkey.patch_all()"),
        "eventlet": ("monkey_patch", "monkey_patch()"),
    }[library]
    program = PATCHED.format(
        library=library,
        patch=patch,
        patch_call=call,
        gettid="__import__('ctypes').CDLL(None).gettid",
    )
    assert run(program, tmp_path / "audit.log", stopped.pid) == "False\n"


ENDS = """\
import sys, time, _thread
from auditring import LogWriter
heard = []
def on_error(error):
    heard.append(error)
    while True:
        time.sleep(1)
log = LogWriter(sys.argv[1], dialect="stdlib", max_bytes=0, on_error=on_error)
log.write(b"x")
while not heard:
    time.sleep(0.01)
print("ends")
"""


@pytest.mark.usefixtures("stopped")
def test_the_end_of_the_interpreter_waits_for_nobody_who_hears_of_it(
    tmp_path: Path,
) -> None:
    assert run(ENDS, tmp_path / "audit.log") == "ends\n"
