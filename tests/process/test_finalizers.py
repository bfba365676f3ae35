"""Handlers and logs that nobody closes: the collector finds them anywhere.

Who else may be there: the lock of logging or of a handler, held by the thread that the
collector runs in; an import under way; the end of the interpreter; a limit of threads;
a fork in the middle of it; somebody who goes on using the log.
"""

import gc
import logging
import os
import resource
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from bystander import wait_until
from kernelthreads import threads_called
from programs import run

from auditring import LogWriter
from auditring.handlers import AuditHandler, RotatingFileHandler
from auditring.process import reaper

LIMIT_S = 60


def open_descriptors(directory: Path) -> list[str]:
    """Return what this process has open of the logs in *directory*."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:  # the listing's own
            continue
        if target.startswith(f"{directory}/"):
            found.append(target)
    return found


def program_ends(program: str, log: Path) -> str:
    """Run a program that must not hang; return what it printed."""
    return run("import gc, logging, os, sys, threading, time\n" + program, log)


def test_a_dropped_log_is_closed_by_a_thread_that_ends_again(tmp_path: Path) -> None:
    log = LogWriter(tmp_path / "a.log", ring_bytes=65536)
    log.write(b"one\n")

    del log
    gc.collect()

    wait_until(lambda: not open_descriptors(tmp_path))
    wait_until(lambda: not threads_called(reaper.THREAD_NAME))
    assert (tmp_path / "a.log").read_bytes() == b"one\n"


def test_a_handler_may_be_dropped_while_what_tells_its_trouble_needs_a_lock_held_here(
    tmp_path: Path,
) -> None:
    program = """
    from auditring.handlers import RotatingFileHandler
    is_telling = threading.Event()
    def tell(error):
        is_telling.set()
        logging.getLogger("needs the lock of the names")
    handler = RotatingFileHandler(
        sys.argv[1], maxBytes=5000, on_error=tell, space_warn_bytes=2**50
    )
    handler.handle(logging.makeLogRecord({"msg": "hello"}))
    circle = [handler]
    circle.append(circle)
    with logging._lock:
        is_telling.wait(30)
        del handler, circle
        gc.collect()
        print("collected")
    """

    printed = program_ends(textwrap.dedent(program), tmp_path / "app.log")

    assert printed == "collected\n"
    assert "hello" in (tmp_path / "app.log").read_text()


def test_a_finalizer_waits_for_nothing(tmp_path: Path) -> None:
    """The log's closing lock is held elsewhere; the disk could as well hang."""
    handler = RotatingFileHandler(tmp_path / "app.log")
    handler.handle(logging.makeLogRecord({"msg": "hello"}))
    writer = handler.log_writer
    assert writer is not None

    with writer._close_lock:
        del handler
        gc.collect()
        is_still_open = not writer.closed

    assert is_still_open
    wait_until(lambda: writer.closed)


def test_many_dropped_handlers_leave_every_line(tmp_path: Path) -> None:
    for number in range(50):
        handler = AuditHandler(tmp_path / "audit.log", ring_bytes=65536)
        handler.handle(logging.makeLogRecord({"msg": f"line {number}"}))
        del handler

    wait_until(lambda: not open_descriptors(tmp_path))
    text = (tmp_path / "audit.log").read_text()
    assert [text.count(f'"line {number}"') for number in range(50)] == [1] * 50


def test_what_is_dropped_at_the_end_is_closed_by_the_end(tmp_path: Path) -> None:
    program = """
    from auditring.handlers import RotatingFileHandler
    for number in range(20):
        handler = RotatingFileHandler(sys.argv[1], compress="gzip")
        handler.handle(logging.makeLogRecord({"msg": "line"}))
        circle = [handler]
        circle.append(circle)
        del handler, circle
    gc.collect()
    """

    program_ends(textwrap.dedent(program), tmp_path / "app.log")

    assert (tmp_path / "app.log").read_text() == "line\n" * 20


def test_what_is_dropped_in_the_finalization_of_modules_is_in_its_ring_or_file(
    tmp_path: Path,
) -> None:
    program = """
    from auditring import LogWriter
    class Late:
        def __del__(self, open=LogWriter, path=sys.argv[1]):
            self.log = open(path)
            self.log.write(b"late")
    import builtins
    builtins.late = Late()
    """

    program_ends(textwrap.dedent(program), tmp_path / "app.log")
    with LogWriter(tmp_path / "app.log"):
        pass

    assert (tmp_path / "app.log").read_bytes() == b"late\n"


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A directory that all may enter: those of `tmp_path` are one user's."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        yield Path(name)


def test_without_a_thread_to_have_the_end_closes_what_was_dropped(
    open_folder: Path,
) -> None:
    program = """
    import resource
    from auditring import LogWriter
    from auditring.process import reaper
    log = LogWriter(sys.argv[1])
    log.write(b"one")
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    os.setuid(65534)
    os.environ["HOME"] = "/"
    del log
    gc.collect()
    print(len(reaper._dropped))
    """
    if os.geteuid() != 0 or resource.getrlimit(resource.RLIMIT_NPROC)[1] == 0:
        pytest.skip("needs root: the limit holds for other users only")
    open_folder.chmod(0o777)

    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import gc, os, sys\n" + textwrap.dedent(program),
            str(open_folder / "app.log"),
        ],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )

    assert done.stdout == "1\n"
    assert (open_folder / "app.log").read_bytes() == b"one\n"


def test_a_fork_beside_the_thread_that_closes_disturbs_neither_side(
    tmp_path: Path,
) -> None:
    program = """
    from auditring.handlers import RotatingFileHandler
    handler = RotatingFileHandler(sys.argv[1])
    for number in range(30):
        dropped = RotatingFileHandler(sys.argv[1])
        dropped.handle(logging.makeLogRecord({"msg": "dropped"}))
        del dropped
        pid = os.fork()
        if not pid:
            handler.handle(logging.makeLogRecord({"msg": "child"}))
            handler.close()
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
    handler.close()
    """

    program_ends(textwrap.dedent(program), tmp_path / "app.log")

    text = (tmp_path / "app.log").read_text()
    assert (text.count("dropped"), text.count("child")) == (30, 30)


def test_logging_is_configured_anew_while_threads_log(tmp_path: Path) -> None:
    program = """
    import logging.config
    handler = {
        "class": "auditring.handlers.RotatingFileHandler",
        "filename": sys.argv[1],
        "maxBytes": 200_000,
        "backupCount": 500,
        "compress": "gzip",
    }
    config = {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"file": handler},
        "loggers": {"app": {"handlers": ["file"], "level": "INFO"}},
    }
    logging.config.dictConfig(config)
    is_over = threading.Event()

    def work():
        count = 0
        while not is_over.is_set():
            logging.getLogger("app").info("%d %s", count, "x" * 50)
            count += 1
            if count % 50 == 0:
                time.sleep(0.002)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(30):
        logging.config.dictConfig(config)
        time.sleep(0.01)
    is_over.set()
    for thread in threads:
        thread.join()
    print("ended")
    """

    assert program_ends(textwrap.dedent(program), tmp_path / "app.log") == "ended\n"
