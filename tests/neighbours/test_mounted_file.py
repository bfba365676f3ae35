"""A live file that something is mounted on: `docker run -v app.log:/var/log/app.log`.

It can be neither renamed nor removed. Who else is there: handlers of all kinds that
want to roll over, an application that waits for none of it, whoever looks at the
health, and a mount that comes or goes while the log is open. The rule: lines go on to
the file, each once; that it can't be rotated is told, once and then now and then; once
it can, it is.
"""

import logging
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from auditring import LogWriter, handlers

LIMIT_S = 60.0
LINE = "a line of some length, with a number at its end: "


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


class Mount:
    """A file of another directory, mounted on the live file."""

    def __init__(self, directory: Path) -> None:
        self.outside = directory / "outside.log"
        self.path = directory / "logs" / "app.log"
        self.path.parent.mkdir()
        self.outside.touch()
        self.path.touch()
        self.is_there = False

    def begin(self) -> None:
        command = ["mount", "--bind", self.outside, self.path]
        if subprocess.run(command, capture_output=True).returncode != 0:
            pytest.skip("needs root to mount a file")
        self.is_there = True

    def end(self) -> None:
        if self.is_there:
            subprocess.run(["umount", "--lazy", self.path], check=True)
            self.is_there = False


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    made = Mount(tmp_path)
    try:
        yield made
    finally:
        made.end()


def counts(*files: Path) -> Counter[int]:
    text = "".join(file.read_text() for file in files)
    assert '"verb":"gap"' not in text
    return Counter(int(line.rpartition(" ")[2]) for line in text.splitlines())


def each_once(count: int) -> Counter[int]:
    return Counter(range(count))


def test_lines_go_on_although_it_cant_be_rotated(
    mount: Mount, capfd: pytest.CaptureFixture[str]
) -> None:
    mount.begin()
    count = 0
    with LogWriter(mount.path, max_bytes=1000, max_backups=3) as log:

        def is_told() -> bool:
            nonlocal count
            for _ in range(50):
                log.write(f"{LINE}{count}".encode())
                count += 1
            return log.stats().health == "rotation-fails"

        wait_until(is_told)
        assert "can't be rotated" in log.stats().trouble
        wait_until(lambda: "can't be rotated" in capfd.readouterr().err)
        is_told()
        assert log.flush(LIMIT_S)

    assert counts(mount.outside) == each_once(count)
    assert {file.name for file in mount.path.parent.iterdir()} == {
        "app.log",
        ".app.log.ring",
    }
    assert capfd.readouterr().err == ""


def test_a_rotation_that_is_asked_for_says_why_not(mount: Mount) -> None:
    mount.begin()
    with LogWriter(mount.path) as log:
        log.write(b"0\n")
        with pytest.raises(OSError, match="busy"):
            log.rotate()
        log.write(b"1\n")

    assert counts(mount.outside) == each_once(2)


@pytest.mark.parametrize(
    ("name", "options", "complaints"),
    [
        ("WatchedFileHandler", {}, 0),
        ("RotatingFileHandler", {"maxBytes": 1000, "backupCount": 3}, 0),
        ("TimedRotatingFileHandler", {"when": "S", "backupCount": 3}, 1),
    ],
)
def test_a_handler_goes_on_with_one_complaint(
    mount: Mount,
    name: str,
    options: dict[str, object],
    complaints: int,
    capfd: pytest.CaptureFixture[str],
) -> None:
    mount.begin()
    handler = getattr(handlers, name)(mount.path, **options)
    logger = logging.Logger("app")
    logger.addHandler(handler)
    end = time.monotonic() + 3.5  # three rollovers are due meanwhile
    count = 0
    while time.monotonic() < end:
        logger.warning("%s%d", LINE, count)
        count += 1
        time.sleep(0.005)
    stats = handler.log_writer.stats()
    handler.close()

    assert stats.health == ("ok" if not options else "rotation-fails")
    assert counts(mount.outside) == each_once(count)
    assert capfd.readouterr().err.count("Traceback") == complaints


def test_a_timed_log_rolls_over_once_it_can(mount: Mount) -> None:
    mount.begin()
    handler = handlers.TimedRotatingFileHandler(mount.path, when="S")
    complaints = []
    handler.handleError = complaints.append  # type: ignore[method-assign]
    logger = logging.Logger("app")
    logger.addHandler(handler)
    count = 0

    def put() -> None:
        nonlocal count
        logger.warning("%s%d", LINE, count)
        count += 1

    def fails() -> bool:
        put()
        return len(complaints) > 0

    def has_backup() -> bool:
        put()
        return bool([*mount.path.parent.glob("app.log.2*")])

    wait_until(fails)
    mount.end()
    wait_until(has_backup)
    assert handler.log_writer is not None
    assert handler.log_writer.stats().health == "ok"
    handler.close()

    files = [file for file in mount.path.parent.iterdir() if file.is_file()]
    assert counts(mount.outside, *files) == each_once(count)
    assert len(complaints) == 1


def test_a_mount_that_comes_and_goes_costs_nothing(mount: Mount) -> None:
    count = 0
    with LogWriter(mount.path, max_bytes=0) as log:
        for _ in range(5):
            for change in (mount.begin, mount.end):
                change()
                for _ in range(50):
                    log.write(b"%d\n" % count)
                    count += 1
                assert log.flush(LIMIT_S)
        assert log.stats().gap_events == 0

    assert counts(mount.outside, mount.path) == each_once(count)
