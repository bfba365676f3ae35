"""A log that is reached through a symbolic link which is switched: `current -> 42`.

Who else is there: a deployment that removes the old release at once, or switches back;
a second handle that is idle meanwhile, or has another spelling of the path; a mill; a
fork. The rule is that of the standard library's handlers, which open by name: lines go
on where the path leads to, and none is lost on the way.
"""

import contextlib
import logging
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from auditring import LogWriter, handlers

LIMIT_S = 60.0


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


def switch(link: Path, release: str) -> None:
    """Let the link lead to another release, from one moment to the next."""
    link.with_name(release).mkdir(exist_ok=True)
    link.with_name("next").symlink_to(release)
    link.with_name("next").rename(link)


def remove(directory: Path) -> None:
    while directory.exists():
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def link(tmp_path: Path) -> Path:
    switch(tmp_path / "current", "one")
    return tmp_path / "current"


def numbers(*directories: Path) -> list[int]:
    """Return the numbers of all lines, sorted."""
    files = [file for each in directories for file in each.glob("app*log*")]
    lines = [line for file in files for line in file.read_bytes().splitlines()]
    return sorted(int(line) for line in lines if b'"verb":"gap"' not in line)


def test_lines_go_on_where_the_link_leads(link: Path) -> None:
    log = LogWriter(link / "app.log")
    log.write(b"1\n")
    switch(link, "two")
    assert log.flush(LIMIT_S)
    log.write(b"2\n")
    assert log.flush(LIMIT_S)

    assert log.path == link.parent / "two" / "app.log"
    assert log.stats().gap_events == 0
    log.close()
    assert (link.parent / "one" / "app.log").read_bytes() == b"1\n"
    assert (link.parent / "two" / "app.log").read_bytes() == b"2\n"


def lines_after_a_removal(link: Path) -> list[bytes]:
    """Switch, and remove the old release with a line that may wait for it still."""
    switch(link, "one")
    log = LogWriter(link / "app.log")
    log.write(b"1\n")
    assert log.flush(LIMIT_S)
    log.write(b"2\n")
    switch(link, "two")
    remove(link.parent / "one")
    log.write(b"3\n")
    assert log.flush(LIMIT_S)
    log.close()
    return (link.parent / "two" / "app.log").read_bytes().splitlines()


def test_the_old_release_may_be_removed_at_once(tmp_path: Path) -> None:
    # Who left the old release before it was removed has no part in what goes with it,
    # and tells nothing: that depends on when its thread looks.
    for number in range(50):
        folder = tmp_path / str(number)
        folder.mkdir()
        lines = lines_after_a_removal(folder / "current")
        told = [line for line in lines if b'"verb":"gap"' in line]
        assert b"3" in lines
        if told:
            break
    assert len(told) == 1
    assert b'"auditring.io/reason":"live-file-unlinked"' in told[0]
    assert b'"auditring.io/count":"%d"' % (4 - len(lines)) in told[0]


@pytest.mark.parametrize("idle", [False, True])
def test_a_link_that_is_switched_back_and_forth_loses_nothing(
    link: Path, *, idle: bool
) -> None:
    count = 0
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(LogWriter(link / "app.log"))
        if idle:
            stack.enter_context(LogWriter(link / "app.log"))
        for number in range(20):
            switch(link, "two" if number % 2 else "one")
            for _ in range(50):
                log.write(b"%d\n" % count)
                count += 1
            assert log.flush(LIMIT_S)

    assert numbers(link.parent / "one", link.parent / "two") == [*range(count)]
    assert not [*link.parent.rglob("ring.*")]


def test_other_handles_of_the_log_go_along(link: Path) -> None:
    with LogWriter(link / "app.log") as log, LogWriter(link / "app.log") as other:
        switch(link, "two")
        log.write(b"1\n")
        assert log.flush(LIMIT_S)
        other.write(b"2\n")
        assert other.flush(LIMIT_S)

        assert log.path == other.path
        assert log.stats().live_slots == 1


def test_a_child_goes_along(link: Path) -> None:
    log = LogWriter(link / "app.log")
    log.write(b"1\n")
    switch(link, "two")
    pid = os.fork()
    if pid == 0:
        status = 1
        with contextlib.suppress(BaseException):
            log.flush(LIMIT_S)
            log.write(b"2\n")
            log.close()
            status = 0
        os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0
    log.close()

    assert numbers(link.parent / "two") == [2]
    assert numbers(link.parent / "one", link.parent / "two") == [1, 2]


def test_backups_are_worked_on_where_the_link_leads(link: Path) -> None:
    with LogWriter(link / "app.log", compress="gzip", max_backups=2) as log:
        log.write(b"1\n")
        switch(link, "two")
        assert log.flush(LIMIT_S)
        log.write(b"2\n")
        log.rotate()

        two = link.parent / "two"
        wait_until(lambda: len([*two.glob("app-*.log.gz")]) == 1)


def make_anew(link: Path) -> None:
    switch(link, "two")


def replace(link: Path) -> None:
    remove(link.parent / "one")
    (link.parent / "one").mkdir()


@pytest.mark.parametrize("take", [make_anew, replace])
def test_a_writer_that_comes_after_it_shares_the_mill(
    link: Path, take: Callable[[Path], None]
) -> None:
    with LogWriter(link / "app.log", compress="gzip") as log:
        take(link)
        assert log.flush(LIMIT_S)
        with LogWriter(link / "app.log", compress="gzip") as other:
            assert log.parkable is other.parkable is not None


# The handlers.


@pytest.mark.parametrize("is_removed", [False, True])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("WatchedFileHandler", {}),
        ("RotatingFileHandler", {"maxBytes": 2000, "backupCount": 100}),
        ("TimedRotatingFileHandler", {"when": "S"}),
    ],
)
def test_a_handler_goes_along(
    link: Path,
    name: str,
    options: dict[str, object],
    capfd: pytest.CaptureFixture[str],
    *,
    is_removed: bool,
) -> None:
    handler = getattr(handlers, name)(link / "app.log", **options)
    logger = logging.Logger("app")
    logger.addHandler(handler)
    logger.warning("0")
    handler.flush()
    switch(link, "two")
    if is_removed:
        remove(link.parent / "one")
    handler.flush()
    for number in range(1, 1001):
        logger.warning("%d", number)
    handler.close()

    files = [*(link.parent / "two").glob("app.log*")]
    text = "".join(file.read_text() for file in files if file.suffix != ".gaps")
    assert sorted(int(line) for line in text.splitlines()) == [*range(1, 1001)]
    assert capfd.readouterr().err.count("Traceback") <= 1
