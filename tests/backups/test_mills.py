"""One mill works on a log, however many writers of this process have it open.

Who else may be there: writers in other threads that come and go, other spellings of the
path, a writer that is dropped, a forked child, another process, an `on_error` that
opens the log again.
"""

import contextlib
import gc
import gzip
import logging
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from bystander import wait_until
from kernelthreads import threads_called

from auditring import LogWriter, handlers
from auditring.backups.thread import THREAD_NAME

RING_BYTES = 64 * 1024


@contextlib.contextmanager
def lumberjack(path: Path) -> Iterator[Callable[[bytes], object]]:
    with open_log(path, max_bytes=20_000) as log:
        yield log.write


@contextlib.contextmanager
def numbered(path: Path) -> Iterator[Callable[[bytes], object]]:
    handler = handlers.RotatingFileHandler(
        path,
        maxBytes=20_000,
        backupCount=10_000,
        compress="gzip",
        ring_bytes=RING_BYTES,
    )
    yield through(handler)
    handler.close()


@contextlib.contextmanager
def dated(path: Path) -> Iterator[Callable[[bytes], object]]:
    handler = handlers.TimedRotatingFileHandler(
        path, when="S", utc=True, compress="gzip", ring_bytes=RING_BYTES
    )
    yield through(handler)
    handler.close()


every_dialect = pytest.mark.parametrize("opened", [lumberjack, numbered, dated])


def open_log(path: Path, **options: Any) -> LogWriter:  # noqa: ANN401 - passed on
    options = {"compress": "gzip", **options}
    return LogWriter(path, ring_bytes=RING_BYTES, **options)


def through(handler: logging.Handler) -> Callable[[bytes], object]:
    def write(line: bytes) -> None:
        handler.handle(logging.makeLogRecord({"msg": line.decode().removesuffix("\n")}))

    return write


def lines_in(directory: Path) -> Counter[bytes]:
    found: Counter[bytes] = Counter()
    for file in directory.iterdir():
        if file.is_file() and not file.name.startswith("."):
            data = file.read_bytes()
            found.update((unpack(data) if file.suffix == ".gz" else data).splitlines())
    return found


def unpack(data: bytes) -> bytes:
    return gzip.decompress(data)


def compressed_in(directory: Path) -> list[str]:
    return sorted(file.name for file in directory.iterdir() if file.suffix == ".gz")


def threads_of_mills() -> int:
    return len(threads_called(THREAD_NAME))


@every_dialect
def test_writers_that_come_and_go_in_all_threads_lose_nothing(
    tmp_path: Path, opened: Callable[[Path], Any]
) -> None:
    def job(number: int) -> None:
        with opened(tmp_path / "app.log") as write:
            for line in range(400):
                write(b"%d %d %s\n" % (number, line, b"x" * 60))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(job, range(40)))

    found = lines_in(tmp_path)
    assert len(found) == 40 * 400
    assert set(found.values()) == {1}


@every_dialect
def test_forty_open_handlers_have_one_mill(
    tmp_path: Path, opened: Callable[[Path], Any]
) -> None:
    before = threads_of_mills()
    with contextlib.ExitStack() as stack:
        writes = [stack.enter_context(opened(tmp_path / "app.log")) for _ in range(40)]
        for line in range(100):
            for number, write in enumerate(writes):
                write(b"%d %d %s\n" % (number, line, b"x" * 60))
        assert threads_of_mills() == before + 1

    wait_until(lambda: threads_of_mills() == before)
    found = lines_in(tmp_path)
    assert len(found) == 40 * 100
    assert set(found.values()) == {1}


@pytest.mark.parametrize("way", ["link to the directory", "dots", "bind mount"])
def test_other_spellings_of_the_path_lead_to_the_same_mill(
    tmp_path: Path, way: str
) -> None:
    real = tmp_path / "real"
    real.mkdir()
    other = {
        "link to the directory": tmp_path / "link",
        "dots": real / ".." / "real",
        "bind mount": tmp_path / "mounted",
    }[way]
    with contextlib.ExitStack() as stack:
        if way == "link to the directory":
            other.symlink_to(real)
        elif way == "bind mount":
            other.mkdir()
            command = ["mount", "--bind", real, other]
            if subprocess.run(command, capture_output=True).returncode != 0:
                pytest.skip("needs root to mount a directory")
            stack.callback(subprocess.run, ["umount", other], check=True)
        first = stack.enter_context(open_log(real / "app.log"))
        second = stack.enter_context(open_log(other / "app.log"))

        assert first.parkable is second.parkable is not None


def test_who_leaves_first_leaves_the_mill_to_the_others(tmp_path: Path) -> None:
    first = open_log(tmp_path / "app.log")
    second = open_log(tmp_path / "app.log")
    first.close()

    second.write(b"one\n")
    second.rotate()

    wait_until(lambda: len(compressed_in(tmp_path)) == 1)
    second.close()


def test_who_is_dropped_leaves_the_mill_to_the_others(tmp_path: Path) -> None:
    dropped = open_log(tmp_path / "app.log")
    with open_log(tmp_path / "app.log") as kept:
        del dropped
        gc.collect()
        kept.write(b"one\n")
        kept.rotate()

        wait_until(lambda: len(compressed_in(tmp_path)) == 1)


def test_a_writer_that_is_dropped_is_closed_and_its_mill_ends(tmp_path: Path) -> None:
    before = threads_of_mills()
    log = open_log(tmp_path / "app.log")
    log.write(b"one\n")
    log.rotate()

    del log
    gc.collect()

    wait_until(lambda: len(compressed_in(tmp_path)) == 1)
    wait_until(lambda: threads_of_mills() == before)


def test_the_newest_writers_settings_count(tmp_path: Path) -> None:
    with (
        open_log(tmp_path / "app.log", max_backups=1),
        open_log(tmp_path / "app.log", max_backups=3, compress=None) as newest,
    ):
        for number in range(5):
            newest.write(b"%d\n" % number)
            newest.rotate()
        wait_until(lambda: newest.stats().backups_removed == 2)

    backups = [each for each in tmp_path.iterdir() if each.name.startswith("app-")]
    assert len(backups) == 3


def test_trouble_is_told_to_each_writer_once(tmp_path: Path) -> None:
    told: list[tuple[str, str]] = []

    def teller(name: str) -> Callable[[Exception], object]:
        def tell(error: Exception) -> None:
            told.append((name, str(error)))
            raise LookupError(name)

        return tell

    shared = teller("shared")
    with (
        open_log(tmp_path / "app.log", on_error=shared),
        open_log(tmp_path / "app.log", on_error=shared),
        open_log(tmp_path / "app.log", on_error=teller("own")) as log,
    ):
        assert log.parkable is not None
        log.parkable.mill.report(OSError("trouble"))

    assert told == [("own", "trouble"), ("shared", "trouble")]


OTHER = """\
import sys
from auditring import LogWriter
with LogWriter(sys.argv[1], ring_bytes=65536, compress="gzip") as log:
    print("open", flush=True)
    sys.stdin.read()
"""


def test_another_process_gets_the_mill_when_the_last_writer_has_left(
    tmp_path: Path,
) -> None:
    path = tmp_path / "app.log"
    # This one has nothing to do with backups, and stays.
    with open_log(path, compress=None) as log:
        miller = open_log(path)
        with subprocess.Popen(
            [sys.executable, "-c", OTHER, path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == b"open\n"
            miller.close()
            log.write(b"one\n")
            log.rotate()

            wait_until(lambda: len(compressed_in(tmp_path)) == 1)
            other.communicate()


def test_a_forked_child_works_on_backups_when_it_is_alone(tmp_path: Path) -> None:
    first, second = open_log(tmp_path / "app.log"), open_log(tmp_path / "app.log")
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writer)
        os.read(reader, 1)  # until the parent has left
        first.close()
        second.write(b"one\n")
        second.rotate()
        wait_until(lambda: len(compressed_in(tmp_path)) == 1)
        second.close()
        os._exit(0)
    first.close()
    second.close()
    os.close(writer)
    os.close(reader)

    assert os.waitpid(child, 0)[1] == 0


def test_on_error_may_open_the_log_again(tmp_path: Path) -> None:
    opened: list[int] = []

    def open_again(error: Exception) -> None:
        with open_log(tmp_path / "app.log", compress=None) as again:
            again.write(b"trouble\n")
            opened.append(1)

    with open_log(tmp_path / "app.log", on_error=open_again) as log:
        (tmp_path / "app-2020-01-01T00-00-00.000.log").write_bytes(b"old\n")
        (tmp_path / "app-2020-01-01T00-00-00.000.log.gz").mkdir()
        log.write(b"one\n")
        log.rotate()
        wait_until(lambda: opened)
