"""Which files are seen to have changed, and when they are read."""

import os
from pathlib import Path

import pytest
from configs import wait_until
from kernelthreads import threads_called

from auditring.config.watch import RECENT_NS, ConfigWatch, FileStates


def test_content_counts_and_not_the_time(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("one")
    states = FileStates()
    before = states.look([file])

    os.utime(file)

    assert states.look([file]) == before


def test_a_change_within_the_same_time_and_size_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("one")
    status = file.stat()
    states = FileStates()
    before = states.look([file])

    file.write_text("two")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))

    assert states.look([file]) != before


def test_a_file_that_has_long_been_there_is_not_read_again(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("one")
    later = file.stat().st_ctime_ns + 2 * RECENT_NS
    reads: list[Path] = []

    def read(path: Path) -> bytes:
        reads.append(path)
        return path.read_bytes()

    states = FileStates(read=read, clock_ns=lambda: later)
    before = states.look([file])

    assert states.look([file]) == before
    assert reads == [file]


def test_a_file_that_is_missing_is_none_until_it_is_there(tmp_path: Path) -> None:
    file = tmp_path / "a"
    states = FileStates()

    assert states.look([file]) == (None,)
    file.write_text("one")
    assert states.look([file]) != (None,)


def test_a_link_that_leads_elsewhere_is_seen(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").write_text(name)
    (tmp_path / "link").symlink_to("one")
    states = FileStates()
    before = states.look([tmp_path / "link" / "a"])

    (tmp_path / "new").symlink_to("two")
    os.replace(tmp_path / "new", tmp_path / "link")

    assert states.look([tmp_path / "link" / "a"]) != before


def test_a_file_is_taken_once_it_holds_still(tmp_path: Path) -> None:
    file = tmp_path / "a"
    written = iter(["w", "wh", "who", "whole"])
    taken: list[str] = []

    def look() -> list[Path]:
        text = next(written, None)
        if text is not None:
            file.write_text(text)
        return [file]

    def take() -> str:
        taken.append(file.read_text())
        return "applied"

    watch = ConfigWatch(take, look, lambda: None)
    watch.begin(0.01)
    wait_until(lambda: taken != [])
    watch.end()

    assert taken == ["whole"]


def test_what_raises_is_logged_and_does_not_end_the_watch(
    caplog: pytest.LogCaptureFixture,
) -> None:
    calls: list[str] = []

    def take() -> str:
        calls.append("called")
        raise ZeroDivisionError

    watch = ConfigWatch(take, list, lambda: None)
    watch.begin(None)
    for number in (1, 2):
        watch.wake()
        wait_until(lambda number=number: len(calls) == number)
    watch.end()

    assert "could not be followed" in caplog.text


def test_a_watch_may_be_ended_from_inside() -> None:
    ended: list[bool] = []

    def take() -> str:
        watch.end()
        ended.append(True)
        return "applied"

    watch = ConfigWatch(take, list, lambda: None)
    watch.begin(None)
    watch.wake()

    wait_until(lambda: ended != [])
    wait_until(lambda: not threads_called("auditring-conf"))
