"""Which way records go, and that nobody notices."""

import contextlib
import copy
import gc
import io
import logging
import logging.handlers
import os
import pickle
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any
from unittest import mock

import pytest
from bystander import Bystander, wait_until

from auditring.handlers import (
    RotatingFileHandler,
    TimedRotatingFileHandler,
    WatchedFileHandler,
)
from auditring.handlers.ring import RingHandler
from auditring.handlers.stream import LogStream

KINDS = [RotatingFileHandler, TimedRotatingFileHandler, WatchedFileHandler]
SMALL_RING = 64 * 1024

every_kind = pytest.mark.parametrize("kind", KINDS)


def message(text: object, **attributes: object) -> logging.LogRecord:
    """Make a record whose message is *text*."""
    return logging.makeLogRecord({"msg": text, **attributes})


Opener = Callable[..., Any]


@pytest.fixture
def opener(tmp_path: Path) -> Iterator[Opener]:
    """Return a function that opens app.log; what it opened is closed in the end."""
    opened: list[logging.Handler] = []

    def open_handler(
        kind: type[RingHandler] = RotatingFileHandler,
        path: Path | None = None,
        **options: Any,  # noqa: ANN401 - passed on
    ) -> RingHandler:
        handler = kind(path or tmp_path / "app.log", **options)
        opened.append(handler)
        return handler

    yield open_handler
    for handler in opened:
        handler.close()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "app.log"


def logs_through_ring(handler: RingHandler) -> bool:
    """Log a line and tell which way it went."""
    handler.handle(message("line"))
    handler.flush()
    return handler.log_writer is not None


# The file.


@every_kind
def test_a_delayed_handler_makes_nothing_before_the_first_record(
    tmp_path: Path, opener: Opener, kind: type[RingHandler]
) -> None:
    handler = opener(kind, delay=True, compress="gzip", state_dir=tmp_path / "rings")
    handler.flush()

    assert list(tmp_path.iterdir()) == []
    assert handler.stream is None
    handler.handle(message("one"))
    handler.flush()
    assert (tmp_path / "app.log").read_bytes() == b"one\n"


@every_kind
def test_the_file_is_there_at_once(
    log: Path, opener: Opener, kind: type[RingHandler]
) -> None:
    opener(kind)

    assert log.read_bytes() == b""


@every_kind
def test_a_file_is_made_with_the_rights_that_open_gives(
    log: Path, opener: Opener, kind: type[RingHandler]
) -> None:
    (log.parent / "other").touch()

    opener(kind).handle(message("one"))

    assert log.stat().st_mode == (log.parent / "other").stat().st_mode


@every_kind
def test_a_missing_directory_is_an_error(
    tmp_path: Path, opener: Opener, kind: type[RingHandler]
) -> None:
    with pytest.raises(FileNotFoundError):
        opener(kind, tmp_path / "missing" / "app.log")


def test_a_missing_directory_is_reported_by_a_delayed_handler(
    tmp_path: Path, opener: Opener, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = opener(path=tmp_path / "missing" / "app.log", delay=True)

    handler.handle(message("lost"))

    assert "FileNotFoundError" in capsys.readouterr().err
    (tmp_path / "missing").mkdir()
    handler.handle(message("kept"))
    handler.flush()
    assert (tmp_path / "missing" / "app.log").read_bytes() == b"kept\n"


# The standard library's own way.


class OwnEmit(RotatingFileHandler):
    def emit(self, record: logging.LogRecord) -> None:
        super().emit(record)


class OwnOpen(RotatingFileHandler):
    def _open(self) -> Any:  # noqa: ANN401
        return open(self.baseFilename, "a")


class OwnFlush(RotatingFileHandler):
    def flush(self) -> None:
        super().flush()


class OwnRotation(RotatingFileHandler):
    def doRollover(self) -> None:
        super().doRollover()


class OwnDecision(RotatingFileHandler):
    def shouldRollover(self, record: logging.LogRecord) -> int:
        return 0


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (OwnEmit, {}),
        (OwnOpen, {}),
        (OwnFlush, {}),
        (OwnRotation, {}),
        (OwnDecision, {}),
        (RotatingFileHandler, {"encoding": "utf-16"}),
        (RotatingFileHandler, {"encoding": "utf-8-sig"}),
        (RotatingFileHandler, {"encoding": "iso2022_jp"}),
        (RotatingFileHandler, {"terminator": ""}),
        (RotatingFileHandler, {"newline": "\r\n"}),
        (RotatingFileHandler, {"mode": "a+"}),
    ],
)
def test_what_a_ring_cannot_do_is_left_to_the_standard_library(
    log: Path, opener: Opener, kind: type[RingHandler], options: dict[str, Any]
) -> None:
    handler = opener(kind, **options)

    assert not logs_through_ring(handler)
    assert b"l" in log.read_bytes()
    assert list(log.parent.iterdir()) == [log]


@pytest.mark.parametrize("name", ["emit", "_open", "shouldRollover", "rotate", "flush"])
def test_a_method_replaced_on_the_handler_is_honoured(
    opener: Opener, name: str
) -> None:
    handler = opener()
    setattr(handler, name, getattr(handler, name))

    assert not logs_through_ring(handler)


@pytest.mark.parametrize("name", ["namer", "rotator"])
def test_who_names_or_rotates_is_honoured(opener: Opener, name: str) -> None:
    handler = opener()
    setattr(handler, name, lambda *paths: paths[0])

    assert not logs_through_ring(handler)


def test_the_way_may_change_again_and_again(log: Path, opener: Opener) -> None:
    handler = opener()
    ways = []

    for namer in (None, str, None, str):
        handler.namer = namer
        ways.append(logs_through_ring(handler))

    assert ways == [True, False, True, False]
    assert log.read_bytes() == b"line\n" * 4


def test_mode_w_keeps_lines_when_the_way_changes(log: Path, opener: Opener) -> None:
    log.write_bytes(b"old\n")
    handler = opener(mode="w")

    for namer in (None, str, None):
        handler.namer = namer
        handler.handle(message("new"))
    handler.flush()

    assert log.read_bytes() == b"new\n" * 3


def test_a_symbolic_link_is_left_to_the_standard_library(
    log: Path, opener: Opener
) -> None:
    (log.parent / "real.log").touch()
    log.symlink_to("real.log")

    assert not logs_through_ring(opener())
    assert (log.parent / "real.log").read_bytes() == b"line\n"


def test_a_file_with_two_names_is_left_to_the_standard_library(
    log: Path, opener: Opener
) -> None:
    log.touch()
    log.with_name("other").hardlink_to(log)

    assert not logs_through_ring(opener())


@every_kind
def test_a_device_can_be_logged_to(
    log: Path, opener: Opener, kind: type[RingHandler]
) -> None:
    assert not logs_through_ring(opener(kind, Path(os.devnull)))
    assert not Path("/dev/.null.ring").exists()


def test_a_fifo_can_be_logged_to(log: Path, opener: Opener) -> None:
    os.mkfifo(log)
    reader = os.open(log, os.O_RDONLY | os.O_NONBLOCK)

    assert not logs_through_ring(opener())
    assert os.read(reader, 100) == b"line\n"
    os.close(reader)


def test_standard_output_can_be_logged_to(tmp_path: Path) -> None:
    program = (
        "import logging; from auditring.handlers import *;"
        "h = WatchedFileHandler('/dev/stdout');"
        "h.handle(logging.makeLogRecord({'msg': 'x'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, cwd=tmp_path, timeout=30
    )

    assert done.stdout == b"x\n"
    assert done.stderr == b""


def test_a_directory_without_room_for_state_is_good_enough(
    log: Path, opener: Opener
) -> None:
    log.with_name(".app.log.ring").touch()

    assert not logs_through_ring(opener())
    assert log.read_bytes() == b"line\n"


def test_more_durability_than_the_standard_librarys_is_never_dropped(
    log: Path, opener: Opener, capsys: pytest.CaptureFixture[str]
) -> None:
    log.with_name(".app.log.ring").touch()
    handler = opener(durability="sync")

    handler.handle(message("lost"))

    assert "Logging error" in capsys.readouterr().err
    assert log.read_bytes() == b""


# Through the ring.


class OwnFormat(RotatingFileHandler):
    def format(self, record: logging.LogRecord) -> str:
        return f"<{super().format(record)}>"


class OwnFilter(RotatingFileHandler):
    def filter(self, record: logging.LogRecord) -> bool:  # type: ignore[override]
        return record.msg != "unwanted"


class OwnLock(RotatingFileHandler):
    taken = 0

    def acquire(self) -> None:
        self.taken += 1
        super().acquire()


@pytest.mark.parametrize("kind", [OwnFormat, OwnFilter, OwnLock])
def test_what_does_not_touch_the_file_may_be_overridden(
    opener: Opener, kind: type[RingHandler]
) -> None:
    assert logs_through_ring(opener(kind))


def test_an_own_format_is_used(log: Path, opener: Opener) -> None:
    handler = opener(OwnFormat)

    for text in ("one", "two"):
        handler.handle(message(text))
    handler.flush()

    assert log.read_bytes() == b"<one>\n<two>\n"


def test_an_own_filter_is_asked(log: Path, opener: Opener) -> None:
    handler = opener(OwnFilter)

    for text in ("one", "unwanted", "two"):
        handler.handle(message(text))
    handler.flush()

    assert log.read_bytes() == b"one\ntwo\n"


def test_an_own_lock_is_taken_for_each_record(opener: Opener) -> None:
    handler = opener(OwnLock)
    handler.handle(message("first"))
    before = handler.taken

    handler.handle(message("second"))

    assert handler.taken > before


class Patched(RotatingFileHandler):
    """A class of a test's own, to be patched by it."""


def test_a_patched_class_is_noticed(log: Path, opener: Opener) -> None:
    handler = opener(Patched)
    handler.handle(message("one"))

    with mock.patch.object(Patched, "emit") as emit:
        record = message("two")
        handler.handle(record)
    handler.handle(message("three"))
    handler.flush()

    emit.assert_called_once_with(record)
    assert log.read_bytes() == b"one\nthree\n"


@pytest.mark.parametrize("is_vetoed", [True, False])
def test_filters_are_asked(log: Path, opener: Opener, is_vetoed: bool) -> None:
    handler = opener()
    handler.handle(message("one"))
    handler.addFilter(lambda record: not is_vetoed)

    result = handler.handle(message("two"))
    handler.flush()

    assert bool(result) is not is_vetoed
    assert log.read_bytes() == (b"one\n" if is_vetoed else b"one\ntwo\n")


@pytest.mark.skipif(sys.version_info < (3, 12), reason="filters can't in Python 3.11")
def test_a_filter_may_replace_the_record(log: Path, opener: Opener) -> None:
    handler = opener()
    handler.handle(message("one"))
    other = message("other")
    handler.addFilter(lambda record: other)

    assert handler.handle(message("two")) is other
    handler.flush()
    assert log.read_bytes() == b"one\nother\n"


def test_handle_returns_what_the_standard_librarys_does(opener: Opener) -> None:
    handler, theirs = opener(), logging.StreamHandler(io.StringIO())
    record = message("one")

    for _ in range(2):
        assert handler.handle(record) == theirs.handle(record)


def test_the_record_is_left_as_the_formatter_leaves_it(opener: Opener) -> None:
    handler = opener()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    ours = message("%d", args=(1,), created=1.0, msecs=0.0)
    theirs = copy.copy(ours)

    for _ in range(2):
        handler.handle(ours)
    handler.formatter.format(theirs)

    assert ours.__dict__ == theirs.__dict__


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"encoding": "utf-8"}, "ä€\n".encode()),
        ({"encoding": "UTF8", "terminator": "\r\n"}, "ä€\r\n".encode()),
        ({"encoding": "cp1252"}, "ä€\n".encode("cp1252")),
        ({"encoding": "ascii", "errors": "backslashreplace"}, b"\\xe4\\u20ac\n"),
        ({"encoding": "latin-1", "errors": "replace"}, b"\xe4?\n"),
        ({"encoding": "ascii", "unicode_error_policy": "ignore"}, b"\n"),
        ({"encoding": "gb18030"}, "ä€\n".encode("gb18030")),
        ({"encoding": None}, "ä€\n".encode()),
    ],
)
def test_text_is_encoded_as_asked(
    log: Path, opener: Opener, options: dict[str, Any], expected: bytes
) -> None:
    handler = opener(**options)

    for _ in range(2):
        handler.handle(message("ä€"))
    handler.flush()

    assert handler.log_writer is not None
    assert log.read_bytes() == expected * 2


@pytest.mark.parametrize("way", ["ring", "standard library"])
@pytest.mark.parametrize(
    "record",
    [
        message("%d", args=("x",)),
        message("%s %s", args=("x",)),
        message("\udc80"),
        message("x", exc_info=("odd", "exc", "info")),
        message("%(key)s", args=({},)),
    ],
    ids=str,
)
def test_a_record_that_cannot_be_written_is_reported(
    log: Path,
    opener: Opener,
    capsys: pytest.CaptureFixture[str],
    record: logging.LogRecord,
    way: str,
) -> None:
    handler = opener(encoding="utf-8")
    handler.namer = None if way == "ring" else str
    handler.handle(message("before"))

    handler.handle(record)
    handler.handle(message("after"))
    handler.flush()

    assert log.read_bytes() == b"before\nafter\n"
    error = capsys.readouterr().err
    assert error.count("--- Logging error ---") == 1
    # The stack tells who logged.
    assert "test_a_record_that_cannot_be_written_is_reported" in error


class Broken(logging.Formatter):
    """Fails in one of the ways that formatters do."""

    def __init__(self, result: object) -> None:
        super().__init__()
        self.result = result

    def format(self, record: logging.LogRecord) -> str:
        if isinstance(self.result, BaseException):
            raise self.result
        return self.result  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (ValueError("broken"), "ValueError: broken"),
        (b"bytes", "TypeError"),
        (None, "TypeError"),
    ],
)
def test_a_broken_formatter_is_reported(
    log: Path,
    opener: Opener,
    capsys: pytest.CaptureFixture[str],
    result: object,
    text: str,
) -> None:
    handler = opener()
    handler.setFormatter(Broken(result))

    for _ in range(2):
        handler.handle(message("lost"))

    error = capsys.readouterr().err
    assert error.count("--- Logging error ---") == error.count(text) == 2


def test_an_interrupt_is_not_held_back(log: Path, opener: Opener) -> None:
    handler = opener()
    handler.handle(message("one"))
    handler.setFormatter(Broken(KeyboardInterrupt()))

    with pytest.raises(KeyboardInterrupt):
        handler.handle(message("two"))


def test_errors_are_silent_where_they_shall_be(
    opener: Opener,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    handler = opener()

    for _ in range(2):
        handler.handle(message("%d", args=("x",)))

    assert capsys.readouterr().err == ""


class Collecting(RotatingFileHandler):
    """Keeps what could not be written."""

    def handleError(self, record: logging.LogRecord) -> None:
        self.__dict__.setdefault("lost", []).append((record, sys.exc_info()[0]))


def test_an_own_handling_of_errors_is_called(opener: Opener) -> None:
    handler = opener(Collecting)
    record = message("%d", args=("x",))

    for _ in range(2):
        handler.handle(record)

    assert handler.lost == [(record, TypeError)] * 2


class Logging:
    """An argument that logs when it is made a text."""

    def __init__(self, handler: logging.Handler) -> None:
        self.handler = handler

    def __str__(self) -> str:
        self.handler.handle(message("inner"))
        return "outer"


def test_making_a_message_may_log_another_one(log: Path, opener: Opener) -> None:
    handler = opener()

    for _ in range(2):
        handler.handle(message("%s", args=(Logging(handler),)))
    handler.flush()

    assert log.read_bytes() == b"inner\nouter\n" * 2


def test_threads_lose_nothing(log: Path, opener: Opener) -> None:
    handler = opener(ring_bytes=SMALL_RING)

    def work(number: int) -> None:
        for i in range(5000):
            handler.handle(message(f"{number} {i}"))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    handler.flush()

    assert sorted(log.read_text().splitlines()) == sorted(
        f"{number} {i}" for number in range(4) for i in range(5000)
    )


# The stream.


def test_the_stream_can_be_written_to(log: Path, opener: Opener) -> None:
    handler = opener()
    handler.handle(message("one"))

    assert isinstance(handler.stream, LogStream)
    handler.stream.write("two\n")
    handler.handle(message("three"))
    handler.flush()

    assert log.read_bytes() == b"one\ntwo\nthree\n"


def test_another_stream_takes_what_comes_then(log: Path, opener: Opener) -> None:
    handler, other = opener(), io.StringIO()
    handler.handle(message("one"))

    before = handler.setStream(other)
    handler.handle(message("two"))
    handler.setStream(before)
    handler.handle(message("three"))
    handler.flush()

    assert other.getvalue() == "two\n"
    assert log.read_bytes() == b"one\nthree\n"


@pytest.mark.parametrize("way", ["ring", "standard library"])
def test_a_closed_stream_is_an_error_until_it_is_taken_away(
    log: Path, opener: Opener, capsys: pytest.CaptureFixture[str], way: str
) -> None:
    handler = opener(WatchedFileHandler)
    if way != "ring":
        handler.emit = handler.emit
    handler.handle(message("one"))

    handler.stream.close()
    handler.stream = handler.stream
    handler.handle(message("lost"))
    handler.stream = None
    handler.handle(message("two"))
    handler.flush()

    assert "closed file" in capsys.readouterr().err
    assert log.read_bytes() == b"one\ntwo\n"


# Closing.


@every_kind
def test_a_closed_handler_opens_again_for_a_record(
    log: Path, opener: Opener, kind: type[RingHandler]
) -> None:
    handler = opener(kind)
    handler.handle(message("one"))
    handler.close()
    assert handler.stream is None

    handler.handle(message("two"))
    handler.close()

    assert log.read_bytes() == b"one\ntwo\n"


def test_a_closed_handler_stays_closed_in_mode_w(log: Path, opener: Opener) -> None:
    handler = opener(mode="w")
    handler.handle(message("one"))
    handler.close()

    handler.handle(message("two"))
    handler.close()

    assert log.read_bytes() == b"one\n"


@every_kind
def test_closing_leaves_no_thread_and_no_descriptor(
    opener: Opener, kind: type[RingHandler]
) -> None:
    def held() -> tuple[int, int]:
        gc.collect()
        return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))

    opener(kind).close()  # what stays is loaded once
    before = held()

    for _ in range(5):
        handler = opener(kind, compress="gzip")
        handler.handle(message("one"))
        handler.stream.fileno()
        handler.close()
        handler.close()

    assert held() == before


def test_a_dropped_handler_leaves_its_lines_in_the_file(tmp_path: Path) -> None:
    handler = RotatingFileHandler(tmp_path / "app.log")
    handler.handle(message("one"))

    del handler
    gc.collect()

    wait_until(lambda: (tmp_path / "app.log").read_bytes() == b"one\n")


def test_shutdown_flushes_and_closes(log: Path, opener: Opener) -> None:
    import weakref

    handler = opener()
    handler.handle(message("one"))

    logging.shutdown([weakref.ref(handler)])

    assert handler.log_writer is None
    assert log.read_bytes() == b"one\n"


# A ring that is full.


@contextlib.contextmanager
def stopped_leader(path: Path) -> Iterator[None]:
    """Let another process lead the log, and stop it: nobody drains."""
    options = {"dialect": "stdlib", "ring_bytes": SMALL_RING}
    with Bystander(path, **options) as leader:
        leader.stop()
        yield
        leader.resume()


def test_logging_does_not_wait_for_a_disk_that_hangs(log: Path, opener: Opener) -> None:
    with stopped_leader(log):
        handler = opener(ring_bytes=SMALL_RING)
        for _ in range(100):
            handler.handle(message("line"))
        before = log.read_bytes()
    handler.flush()

    assert before == b""
    assert log.read_bytes() == b"line\n" * 100


def test_a_full_ring_drops_where_it_shall(
    log: Path, opener: Opener, capsys: pytest.CaptureFixture[str]
) -> None:
    with stopped_leader(log):
        handler = opener(ring_bytes=SMALL_RING, on_full="drop")
        for _ in range(100):
            handler.handle(message("x" * 1000))
        dropped = handler.log_writer.stats().dropped_records
    handler.flush()

    assert dropped > 0
    assert len(log.read_bytes().splitlines()) == 100 - dropped
    assert capsys.readouterr().err == ""


def test_a_full_ring_is_reported_where_it_shall(
    log: Path, opener: Opener, capsys: pytest.CaptureFixture[str]
) -> None:
    with stopped_leader(log):
        handler = opener(ring_bytes=SMALL_RING, on_full="raise")
        for _ in range(100):
            handler.handle(message("x" * 1000))
    handler.flush()

    refused = capsys.readouterr().err.count("RingFullError: ")
    assert refused > 0
    assert len(log.read_bytes().splitlines()) == 100 - refused


# Behind other handlers.


def test_a_queue_may_stand_before_it(log: Path, opener: Opener) -> None:
    records: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    handler = opener()
    listener = logging.handlers.QueueListener(records, handler)
    listener.start()

    logging.handlers.QueueHandler(records).handle(message("%d", args=(1,)))
    listener.stop()
    handler.flush()

    assert log.read_bytes() == b"1\n"


def test_a_memory_may_stand_before_it(log: Path, opener: Opener) -> None:
    handler = opener()
    memory = logging.handlers.MemoryHandler(100, target=handler)

    memory.handle(message("one", levelno=logging.INFO))
    memory.close()
    handler.flush()

    assert log.read_bytes() == b"one\n"


# Copies.


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, None])
@every_kind
def test_a_copy_writes_to_the_same_log(
    log: Path,
    opener: Opener,
    kind: type[RingHandler],
    duplicate: Callable[[RingHandler], RingHandler] | None,
) -> None:
    handler = opener(kind, encoding="utf-8", chmod=0o640)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    handler.setLevel(logging.INFO)
    handler.handle(message("one", levelname="INFO"))

    other = duplicate(handler) if duplicate else pickle.loads(pickle.dumps(handler))
    other.handle(message("two", levelname="INFO"))
    handler.handle(message("three", levelname="INFO"))
    other.close()
    handler.flush()

    assert other.level == logging.INFO
    assert log.read_bytes() == b"INFO one\nINFO two\nINFO three\n"


def test_a_pickle_opens_nothing(log: Path, opener: Opener) -> None:
    pickled = pickle.dumps(opener(mode="w"))
    log.write_bytes(b"later\n")

    other = pickle.loads(pickled)

    assert other.stream is None
    other.handle(message("one"))
    other.close()
    assert log.read_bytes() == b"later\none\n"


def test_the_name_of_a_handler_stays_with_the_first_of_that_name(
    opener: Opener,
) -> None:
    handler = opener()
    handler.name = "the handler"

    second = copy.copy(handler)
    handler.close()
    third = copy.copy(handler)

    assert second.name is None
    assert third.name == "the handler"


def test_a_file_may_be_given(tmp_path: Path) -> None:
    handler: Any = WatchedFileHandler(str(tmp_path / "app.log"))
    stream: IO[str] = handler.stream

    assert stream.name == handler.baseFilename == str(tmp_path / "app.log")
    handler.close()


# A child that may not make a ring.


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives rights up")
@pytest.mark.parametrize("durability", ["process", "interval"])
def test_a_child_that_gave_up_its_rights_logs(
    log: Path, opener: Opener, durability: str
) -> None:
    for parent in log.parents[:3]:
        parent.chmod(0o711)
    handler = opener(durability=durability)
    handler.handle(message("parent"))
    handler.flush()
    os.chown(log, 65534, 65534)

    pid = os.fork()
    if pid == 0:
        os.close(2)
        os.open(os.devnull, os.O_WRONLY)
        os.setuid(65534)
        handler.handle(message("child"))
        os._exit(0)
    os.waitpid(pid, 0)
    handler.flush()

    assert log.read_text() == "parent\nchild\n"


# A disk that is full.


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of 2 MiB."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a tmpfs")
    mounted = tmp_path / "small"
    mounted.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(mounted)]
    if subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("needs root to mount a tmpfs")
    yield mounted
    subprocess.run(["umount", str(mounted)], check=True)


def test_flushing_to_a_full_disk_is_an_error_and_loses_nothing(
    small: Path, opener: Opener
) -> None:
    handler = opener(path=small / "app.log", ring_bytes=SMALL_RING)
    handler.handle(message("before"))
    handler.flush()
    filler = small / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))

    handler.handle(message("x" * 20_000))
    with pytest.raises(OSError, match="No space left"):
        handler.flush()
    filler.unlink()
    handler.flush()

    assert (small / "app.log").read_text() == "before\n" + "x" * 20_000 + "\n"
    handler.close()
