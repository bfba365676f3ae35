"""A log that somebody else rotates: logrotate's way, by hand, and by signal."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from bystander import Bystander, wait_until

from auditring import LogWriter


@pytest.fixture(autouse=True)
def _handlers_as_they_were() -> Iterator[None]:
    before = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, before)


def rotate_as_logrotate_does(path: Path) -> Path:
    """Rename the live file and create an empty one, and return where the old one is."""
    old = path.with_name(f"{path.name}.1")
    path.rename(old)
    path.touch(0o600)
    return old


def hang_up() -> None:
    os.kill(os.getpid(), signal.SIGHUP)


def test_reopen_goes_on_in_the_file_that_has_the_name_now(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    with LogWriter(path, max_bytes=0) as log:
        log.write(b"one\n")
        log.flush()
        old = rotate_as_logrotate_does(path)

        log.reopen()
        log.write(b"two\n")
        log.flush()

        assert log.stats().gap_events == 0
    assert old.read_bytes() == b"one\n"
    assert path.read_bytes() == b"two\n"


def test_reopen_makes_the_file_if_nobody_did(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    with LogWriter(path, mode=0o640) as log:
        path.rename(tmp_path / "old")

        log.reopen()

        assert path.stat().st_mode & 0o7777 == 0o640


def test_reopen_reaches_a_leader_in_another_process(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    with Bystander(path) as leader, LogWriter(path) as log:
        assert leader.leads
        path.rename(tmp_path / "old")

        log.reopen()

        assert path.exists()


def test_records_that_were_committed_before_reopen_are_all_there(
    tmp_path: Path,
) -> None:
    path = tmp_path / "audit.log"
    with LogWriter(path) as log:
        log.write_lines(b"x\n" * 10_000)
        old = rotate_as_logrotate_does(path)
        log.reopen()
        log.write_lines(b"y\n" * 10_000)

    written = old.read_bytes() + path.read_bytes()
    assert written == b"x\n" * 10_000 + b"y\n" * 10_000


def test_a_signal_reopens_the_log(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    with LogWriter(path) as log:
        log.reopen_on(signal.SIGHUP)
        log.write(b"one\n")
        log.flush()
        path.rename(tmp_path / "old")

        hang_up()
        wait_until(path.exists)

        log.write(b"two\n")
    assert path.read_bytes() == b"two\n"
    assert (tmp_path / "old").read_bytes() == b"one\n"


def test_a_signal_reopens_every_log_that_asked_for_it(tmp_path: Path) -> None:
    paths = [tmp_path / "one.log", tmp_path / "two.log"]
    with LogWriter(paths[0]) as one, LogWriter(paths[1]) as two:
        one.reopen_on(signal.SIGHUP)
        two.reopen_on(signal.SIGHUP)
        for path in paths:
            path.rename(path.with_suffix(".old"))

        hang_up()

        for path in paths:
            wait_until(path.exists)


def test_a_handler_that_was_there_is_called_too(tmp_path: Path) -> None:
    calls = []
    signal.signal(signal.SIGHUP, lambda number, frame: calls.append(number))
    with LogWriter(tmp_path / "audit.log") as log:
        log.reopen_on(signal.SIGHUP)

        hang_up()

    assert calls == [signal.SIGHUP]


def test_a_signal_after_the_end_of_a_log_does_no_harm(tmp_path: Path) -> None:
    log = LogWriter(tmp_path / "audit.log")
    log.reopen_on(signal.SIGHUP)
    log.close()

    hang_up()
    del log
    hang_up()


def test_a_signal_can_not_be_asked_for_outside_of_the_main_thread(
    tmp_path: Path,
) -> None:
    errors = []

    def ask() -> None:
        try:
            log.reopen_on(signal.SIGHUP)
        except ValueError as error:
            errors.append(error)

    with LogWriter(tmp_path / "audit.log") as log:
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()

    assert len(errors) == 1


def test_a_rename_is_noticed_with_the_next_record_without_a_call(
    tmp_path: Path,
) -> None:
    path = tmp_path / "audit.log"
    with LogWriter(path) as log:
        log.write(b"one\n")
        log.flush()
        old = rotate_as_logrotate_does(path)

        log.write(b"two\n")

    assert old.read_bytes() == b"one\n"
    assert path.read_bytes() == b"two\n"


def test_an_idle_log_notices_that_its_file_was_removed(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    with LogWriter(path) as log:
        log.write(b"one\n")
        log.flush()

        path.unlink()

        wait_until(lambda: log.stats().live_file_unlinked)


def test_a_rotation_takes_what_the_name_shows_and_no_other_file(
    tmp_path: Path,
) -> None:
    path = tmp_path / "audit.log"
    with LogWriter(path) as log:
        log.write(b"ours\n")
        log.flush()
        path.rename(tmp_path / "ours")
        path.write_bytes(b"theirs\n")

        log.rotate()

    (backup,) = tmp_path.glob("audit-*.log")
    assert backup.read_bytes() == b"theirs\n"
    assert (tmp_path / "ours").read_bytes() == b"ours\n"
