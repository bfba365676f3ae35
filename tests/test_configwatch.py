"""Which files are seen to have changed, and when they are read."""

import os
from pathlib import Path

from auditring.configwatch import RECENT_NS, FileStates


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
