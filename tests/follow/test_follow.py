"""Whole lines of a log, once and in order, whatever becomes of its files."""

import gzip
import itertools
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import lz4.frame
import pytest
import zstandard
from bystander import wait_until

from auditring import LogWriter
from auditring.cursor import Cursor
from auditring.errors import CursorError
from auditring.follow import follow, follow_chunks
from auditring.follow.follower import Follower

PACK: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".zst": zstandard.ZstdCompressor().compress,
    ".lz4": lz4.frame.compress,
}
MIB = 2**20


def backup(log: Path, number: int, suffix: str = "") -> Path:
    """Return the path of a backup; a larger number is newer."""
    return log.with_name(f"audit-2026-11-22T01-02-03.{number:03d}.log{suffix}")


def lines_of(log: Path, cursor: Cursor | None = None) -> list[bytes]:
    """Return the lines that are there, as `follow` gives them."""
    return [line for line, _ in follow(log, cursor, wait=False)]


def read(follower: Follower) -> bytes:
    """Return what is there for *follower*."""
    return b"".join(lines for lines, _ in follower.chunks())


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return the path of a log that isn't there."""
    return tmp_path / "audit.log"


class Turns:
    """What happens each time that a follower has nothing to read, in turn."""

    def __init__(self, *happenings: Callable[[], object]) -> None:
        self._happenings = iter(happenings)

    def __call__(self, seconds: float) -> bool:
        for happening in self._happenings:
            happening()
            return True
        return False


def append(path: Path, data: bytes) -> Callable[[], None]:
    """Return what appends to a file."""

    def run() -> None:
        with path.open("ab") as file:
            file.write(data)

    return run


# Lines.


def test_lines_come_with_their_newline_and_with_all_bytes(log: Path) -> None:
    log.write_bytes(b"one\n\ntwo\r\n\x85\x0b\x0c\x1c\xe2\x80\xa8\r\x00\n")

    assert lines_of(log) == [
        b"one\n",
        b"\n",
        b"two\r\n",
        b"\x85\x0b\x0c\x1c\xe2\x80\xa8\r\x00\n",
    ]


def test_each_line_has_the_cursor_behind_it(log: Path) -> None:
    log.write_bytes(b"one\ntwo\nthree\n")

    cursors = [cursor for _, cursor in follow(log, wait=False)]

    rests = [lines_of(log, cursor) for cursor in cursors]
    assert rests == [[b"two\n", b"three\n"], [b"three\n"], []]


def test_half_a_line_waits_for_its_newline(log: Path) -> None:
    log.write_bytes(b"one\ntw")
    turns = Turns(lambda: None, append(log, b"o\nthr"), lambda: None)

    chunks = [chunk for chunk, _ in follow_chunks(log, pause=turns)]

    assert chunks == [b"one\n", b"two\n"]


def test_a_line_may_be_larger_than_what_is_read_at_once(log: Path) -> None:
    lines = [b"x" * (5 * MIB) + b"\n", b"short\n", b"y" * MIB + b"\n"]
    log.write_bytes(b"".join(lines))

    assert lines_of(log) == lines


@pytest.mark.parametrize("suffix", PACK)
def test_a_large_line_is_read_from_a_compressed_backup(log: Path, suffix: str) -> None:
    lines = [b"first\n", os.urandom(3 * MIB).replace(b"\n", b"") + b"\n", b"last\n"]
    backup(log, 1, suffix).write_bytes(PACK[suffix](b"".join(lines)))

    assert lines_of(log) == lines


def test_chunks_hold_many_lines_and_no_half(log: Path) -> None:
    line = b"x" * 99 + b"\n"
    log.write_bytes(line * 50_000)

    chunks = [chunk for chunk, _ in follow_chunks(log, wait=False)]

    assert b"".join(chunks) == line * 50_000
    assert len(chunks) < 10
    assert max(map(len, chunks)) <= MIB


# Where to begin.


def test_the_beginning_is_the_oldest_backup(log: Path) -> None:
    backup(log, 1).write_bytes(b"one\n")
    backup(log, 2, ".gz").write_bytes(gzip.compress(b"two\n"))
    log.write_bytes(b"three\n")

    assert lines_of(log) == [b"one\n", b"two\n", b"three\n"]


def test_numbered_backups_begin_with_the_highest_number(log: Path) -> None:
    for number in range(1, 12):
        log.with_name(f"audit.log.{number}").write_bytes(b"%d\n" % number)
    log.write_bytes(b"0\n")

    assert lines_of(log) == [b"%d\n" % number for number in range(11, -1, -1)]


def test_both_dialects_are_read_in_the_order_of_their_files_times(log: Path) -> None:
    paths = [log.with_name("audit.log.1"), backup(log, 1), backup(log, 2), log]
    for number, path in enumerate(paths):
        path.write_bytes(b"%d\n" % number)
        os.utime(path, (number, number))

    assert lines_of(log) == [b"0\n", b"1\n", b"2\n", b"3\n"]


def test_the_end_is_behind_the_last_whole_line(log: Path) -> None:
    backup(log, 1).write_bytes(b"one\n")
    log.write_bytes(b"two\nthr")
    turns = Turns(append(log, b"ee\n"))

    assert read(Follower(log, start="end", pause=turns)) == b"three\n"


@pytest.mark.parametrize("is_there", [True, False], ids=["empty", "absent"])
@pytest.mark.parametrize("has_backup", [True, False])
def test_the_end_of_a_log_without_a_line_in_its_live_file_is_its_beginning(
    log: Path, is_there: bool, has_backup: bool
) -> None:
    if has_backup:
        backup(log, 1).write_bytes(b"one\n")
    if is_there:
        log.touch()
    follower = Follower(log, start="end", wait=False)
    saved = follower.cursor.to_json()
    log.write_bytes(b"two\n")

    assert read(follower) == b"two\n"
    assert read(Follower(log, saved, wait=False)) == b"two\n"


def test_a_cursor_at_the_end_holds_when_the_file_is_rotated(log: Path) -> None:
    log.write_bytes(b"one\n")
    saved = Follower(log, start="end", wait=False).cursor.to_json()

    append(log, b"two\n")()
    os.rename(log, backup(log, 1))
    log.write_bytes(b"three\n")

    assert read(Follower(log, saved, wait=False)) == b"two\nthree\n"


def test_a_cursor_wins_over_where_to_begin(log: Path) -> None:
    log.write_bytes(b"one\ntwo\n")
    _, cursor = next(follow(log, wait=False))

    assert read(Follower(log, cursor, start="end", wait=False)) == b"two\n"


def test_a_log_that_isn_t_there_yet_is_waited_for(log: Path) -> None:
    turns = Turns(lambda: None, append(log, b"one\n"))

    assert read(Follower(log, pause=turns)) == b"one\n"


def test_a_link_leads_to_the_log_and_its_backups(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    log = tmp_path / "logs" / "audit.log"
    backup(log, 1).write_bytes(b"one\n")
    log.write_bytes(b"two\n")
    (tmp_path / "current").symlink_to("logs/audit.log")

    assert lines_of(tmp_path / "current") == [b"one\n", b"two\n"]


# Rotation.


def test_lines_of_the_renamed_file_come_before_those_of_the_new_one(log: Path) -> None:
    def rotate() -> None:
        append(log, b"two\n")()
        os.rename(log, backup(log, 1))
        log.write_bytes(b"three\n")

    log.write_bytes(b"one\n")

    assert read(Follower(log, pause=Turns(rotate))) == b"one\ntwo\nthree\n"


def test_numbered_backups_shift_while_they_are_read(log: Path) -> None:
    def shift(data: bytes) -> None:
        for number in (4, 3, 2, 1):
            if (old := log.with_name(f"audit.log.{number}")).exists():
                os.rename(old, log.with_name(f"audit.log.{number + 1}"))
        os.rename(log, log.with_name("audit.log.1"))
        log.write_bytes(data)

    log.with_name("audit.log.2").write_bytes(b"one\n")
    log.with_name("audit.log.1").write_bytes(b"two\n")
    log.write_bytes(b"three\n")
    read_so_far = b""
    for chunk, _ in follow_chunks(log, wait=False):
        read_so_far += chunk
        if chunk in (b"one\n", b"two\n"):
            shift(b"after " + chunk)

    assert read_so_far == b"one\ntwo\nthree\nafter one\nafter two\n"


def test_a_file_is_left_only_when_there_is_a_line_in_a_later_one(log: Path) -> None:
    def rename() -> None:
        os.rename(log, backup(log, 1))
        log.touch()

    log.write_bytes(b"one\n")
    # What a recovery completes, it completes before anybody writes more.
    turns = Turns(
        rename,
        append(backup(log, 1), b"tw"),
        append(backup(log, 1), b"o\n"),
        append(log, b"three\n"),
    )

    assert read(Follower(log, pause=turns)) == b"one\ntwo\nthree\n"


def test_empty_backups_are_passed_over(log: Path) -> None:
    backup(log, 1).write_bytes(b"one\n")
    for number in (2, 3):
        backup(log, number).touch()
    backup(log, 4, ".gz").write_bytes(gzip.compress(b""))
    log.write_bytes(b"two\n")

    assert lines_of(log) == [b"one\n", b"two\n"]


def test_nothing_is_lost_while_the_live_file_has_no_name(log: Path) -> None:
    log.write_bytes(b"one\n")
    turns = Turns(
        lambda: os.rename(log, backup(log, 1)),
        lambda: None,
        append(log, b"two\n"),
    )

    assert read(Follower(log, pause=turns)) == b"one\ntwo\n"


@pytest.mark.parametrize("dialect", ["lumberjack", "stdlib"])
@pytest.mark.parametrize("compress", ["gzip", "zstd", "lz4", None])
def test_a_slow_reader_gets_every_line_of_a_writer_far_ahead(
    log: Path, dialect: str, compress: str | None
) -> None:
    expected = [b'{"number":%d,"padding":"%0100d"}\n' % (i, i) for i in range(20_000)]
    returned: list[bytes] = []
    with LogWriter(
        log,
        max_bytes=20_000,
        max_backups=1000,
        dialect=dialect,  # type: ignore[arg-type]
        compress=compress,  # type: ignore[arg-type]
    ) as writer:
        chunks = follow_chunks(log, pause=lambda _: bool(writer.flush()))
        for start in range(0, len(expected), 500):
            writer.write_lines(b"".join(expected[start : start + 500]))
            if len(returned) % 4 == 0:
                returned.append(next(chunks)[0])
        while b"".join(returned).count(b"\n") < len(expected):
            returned.append(next(chunks)[0])

    assert b"".join(returned) == b"".join(expected)


def test_a_follower_in_another_thread_keeps_pace_with_a_writer(log: Path) -> None:
    count = 30_000
    returned: list[bytes] = []

    def run() -> None:
        for chunk, _ in follow_chunks(log):
            returned.append(chunk)
            if b'"number":%d,' % (count - 1) in chunk:
                return

    with LogWriter(log, max_bytes=30_000, compress="gzip") as writer:
        thread = threading.Thread(target=run)
        thread.start()
        lines = [b'{"number":%d,"x":"%050d"}\n' % (i, i) for i in range(count)]
        for line in lines:
            writer.write(line)
        thread.join()

    assert b"".join(returned) == b"".join(lines)


# Compression and cursors.


@pytest.mark.parametrize("suffix", PACK)
def test_a_cursor_finds_its_place_when_the_file_was_compressed(
    log: Path, suffix: str
) -> None:
    lines = [b"%d of many\n" % number for number in range(200_000)]
    log.write_bytes(b"".join(lines[:150_000]))
    cursor = list(itertools.islice(follow(log, wait=False), 123_456))[-1][1]
    backup(log, 1, suffix).write_bytes(PACK[suffix](log.read_bytes()))
    shutil.copystat(log, backup(log, 1, suffix))
    log.unlink()
    log.write_bytes(b"".join(lines[150_000:]))

    assert lines_of(log, cursor) == lines[123_456:]


def test_a_file_that_is_compressed_while_it_is_read_is_read_to_its_end(
    log: Path,
) -> None:
    data = b"".join(b"%d of many\n" % number for number in range(300_000))
    backup(log, 1).write_bytes(data)
    log.write_bytes(b"last\n")
    chunks = follow_chunks(log, wait=False)

    first, _ = next(chunks)
    backup(log, 1, ".gz").write_bytes(gzip.compress(data))
    shutil.copystat(backup(log, 1), backup(log, 1, ".gz"))
    backup(log, 1).unlink()

    rest = b"".join(chunk for chunk, _ in chunks)
    assert first + rest == data + b"last\n"


def test_a_half_made_compressed_backup_is_not_read_while_the_plain_one_is_there(
    log: Path,
) -> None:
    backup(log, 1).write_bytes(b"one\n")
    backup(log, 1, ".gz").write_bytes(gzip.compress(b"one\n")[:10])

    assert lines_of(log) == [b"one\n"]


def test_a_cursor_in_the_middle_of_a_line_goes_on_there(log: Path) -> None:
    log.write_bytes(b"one\ntwo\n")
    _, cursor = next(follow(log, wait=False))
    middle = Cursor(cursor.mark, 5, cursor.previous)

    follower = Follower(log, middle, wait=False)

    assert read(follower) == b"wo\n"
    assert follower.begins_mid_line


def test_files_that_begin_alike_are_told_apart_by_their_times(log: Path) -> None:
    for number in range(1, 6):
        backup(log, number).write_bytes(b"the same line\n" * 100)
        os.utime(backup(log, number), (number, number))
    log.touch()
    chunks = follow_chunks(log, wait=False)
    cursor = [next(chunks)[1] for _ in range(3)][-1]
    for number in range(1, 6):
        path = backup(log, number, ".gz")
        path.write_bytes(gzip.compress(backup(log, number).read_bytes()))
        shutil.copystat(backup(log, number), path)
        backup(log, number).unlink()

    assert len(lines_of(log, cursor)) == 200


# What others do to the files.


class Notices(list[str]):
    """What a follower told."""

    def of(self, log: Path) -> list[str]:
        """Return them without the name of the log in front."""
        assert all(notice.startswith(f"{log}: ") for notice in self)
        return [notice.removeprefix(f"{log}: ") for notice in self]


def test_a_truncated_file_is_noticed_and_read_from_its_beginning(log: Path) -> None:
    def truncate() -> None:
        os.truncate(log, 0)
        append(log, b"three\n")()

    notices = Notices()
    log.write_bytes(b"one\ntwo\n")
    follower = Follower(log, pause=Turns(truncate), on_notice=notices.append)

    assert read(follower) == b"one\ntwo\nthree\n"
    assert follower.counters.cuts == 1
    assert notices.of(log) == ["was truncated: lines may be missing"]


def test_a_truncated_file_is_noticed_when_it_has_grown_past_the_place(
    log: Path,
) -> None:
    def truncate() -> None:
        os.truncate(log, 0)
        append(log, b"another one\nand more\n")()

    log.write_bytes(b"one\ntwo\n")
    follower = Follower(log, pause=Turns(truncate))

    assert read(follower) == b"one\ntwo\nanother one\nand more\n"
    assert follower.counters.cuts == 1


@pytest.mark.parametrize("name", ["audit.log.1", "audit-2026-11-22T01-02-03.004.log"])
@pytest.mark.parametrize("restarts", [True, False])
def test_copytruncate_loses_nothing_that_was_copied(
    log: Path, name: str, restarts: bool
) -> None:
    def copytruncate() -> None:
        append(log, b"two\n")()
        shutil.copy(log, log.with_name(name))
        os.truncate(log, 0)
        append(log, b"three\n")()

    notices = Notices()
    log.write_bytes(b"one\n")
    if restarts:
        _, cursor = next(follow(log, wait=False))
        copytruncate()
        assert lines_of(log, cursor) == [b"two\n", b"three\n"]
        return
    follower = Follower(log, pause=Turns(copytruncate), on_notice=notices.append)
    assert read(follower) == b"one\ntwo\nthree\n"
    assert notices.of(log) == ["was truncated: lines behind its copy may be missing"]


def test_a_file_that_lost_its_end_is_read_on_behind_it(log: Path) -> None:
    notices = Notices()
    log.write_bytes(b"one\ntwo\nthree\n")
    turns = Turns(lambda: os.truncate(log, len(b"one\ntwo\n")), append(log, b"four\n"))
    follower = Follower(log, pause=turns, on_notice=notices.append)

    assert read(follower) == b"one\ntwo\nthree\nfour\n"
    assert follower.counters.cuts == 1
    assert notices.of(log) == ["was cut at its end: lines may be missing"]


def test_a_cursor_behind_the_end_of_a_file_that_lost_it_goes_on_at_its_end(
    log: Path,
) -> None:
    log.write_bytes(b"x" * 2000 + b"\ntwo\n")
    *_, (_, cursor) = follow(log, wait=False)
    os.truncate(log, 2001)
    follower = Follower(log, cursor, pause=Turns(append(log, b"three\n")))

    assert read(follower) == b"three\n"
    assert follower.counters.cuts == 1


def test_a_backup_that_lost_its_end_is_read_once(log: Path) -> None:
    def rotate_and_cut() -> None:
        os.rename(log, backup(log, 1))
        os.truncate(backup(log, 1), len(b"one\n"))
        log.write_bytes(b"two\nthree\n")

    log.write_bytes(b"one\ntwo\n")
    follower = Follower(log, pause=Turns(rotate_and_cut))

    # As a writer does whose disk failed: it writes the lines again.
    assert read(follower) == b"one\ntwo\ntwo\nthree\n"
    assert follower.counters.cuts == 1


def test_a_removed_live_file_is_read_to_its_end_and_told(log: Path) -> None:
    def replace() -> None:
        append(log, b"two\n")()
        log.unlink()
        log.write_bytes(b"three\n")

    notices = Notices()
    log.write_bytes(b"one\n")
    follower = Follower(log, pause=Turns(replace), on_notice=notices.append)

    assert read(follower) == b"one\ntwo\nthree\n"
    assert follower.counters.gone == 1
    assert notices.of(log) == ["a file is gone, lines may be missing with it"]


def test_a_cursor_whose_file_is_gone_goes_on_behind_the_one_before(log: Path) -> None:
    notices = Notices()
    backup(log, 1).write_bytes(b"one\n")
    log.write_bytes(b"two\n")
    *_, (_, cursor) = follow(log, wait=False)
    log.unlink()
    backup(log, 2).write_bytes(b"three\n")
    log.write_bytes(b"four\n")
    # Nothing can be told from the times.
    for path in (backup(log, 1), backup(log, 2), log):
        os.utime(path, (1, 1))

    follower = Follower(log, cursor, wait=False, on_notice=notices.append)

    assert read(follower) == b"three\nfour\n"
    assert notices.of(log) == ["a file is gone, lines may be missing with it"]


def test_a_cursor_goes_on_with_the_oldest_backup_when_all_it_knew_are_gone(
    log: Path,
) -> None:
    for number in (1, 2):
        backup(log, number).write_bytes(b"%d\n" % number)
    cursor = [cursor for _, cursor in follow(log, wait=False)][-1]
    for number in (1, 2):
        backup(log, number).unlink()
    backup(log, 4).write_bytes(b"4\n")
    log.write_bytes(b"5\n")

    assert lines_of(log, cursor) == [b"4\n", b"5\n"]


def test_backups_that_were_read_are_not_read_again_when_all_newer_ones_are_gone(
    log: Path,
) -> None:
    for number in (1, 2, 3):
        backup(log, number).write_bytes(b"%d\n" % number)
        os.utime(backup(log, number), (number, number))
    cursor = [cursor for _, cursor in follow(log, wait=False)][-1]
    for number in (2, 3):
        backup(log, number).unlink()
    log.write_bytes(b"4\n")

    assert lines_of(log, cursor) == [b"4\n"]


def test_half_a_line_that_nobody_completes_is_left_out_and_told(log: Path) -> None:
    notices = Notices()
    backup(log, 1).write_bytes(b"one\nhal")
    backup(log, 2, ".gz").write_bytes(gzip.compress(b"two\nhal"))
    log.write_bytes(b"three\n")
    follower = Follower(log, wait=False, on_notice=notices.append)

    assert read(follower) == b"one\ntwo\nthree\n"
    assert follower.counters.torn == 2
    assert notices.of(log) == ["half a line at the end of a backup is left out"] * 2


@pytest.mark.parametrize("suffix", PACK)
@pytest.mark.parametrize("is_cut", [True, False], ids=["cut", "garbage"])
def test_a_damaged_backup_is_read_as_far_as_it_goes_and_told(
    log: Path, suffix: str, is_cut: bool
) -> None:
    lines = [os.urandom(500).hex().encode() + b"\n" for _ in range(5000)]
    packed = PACK[suffix](b"".join(lines))
    damaged = packed[: len(packed) // 2] if is_cut else b"\x00garbage"
    backup(log, 1, suffix).write_bytes(damaged)
    log.write_bytes(b"live\n")
    notices = Notices()
    follower = Follower(log, wait=False, on_notice=notices.append)

    returned = read(follower).splitlines(keepends=True)

    assert returned[-1] == b"live\n"
    assert returned[:-1] == lines[: len(returned) - 1]
    assert bool(returned[:-1]) is is_cut
    assert follower.counters.damaged == 1
    assert notices.of(log)[0].startswith("a backup is damaged (")


def test_other_files_of_the_directory_are_not_read(log: Path) -> None:
    for name in ("audit.log.gaps", "audit-old.log", "audit.log.1.bak", "other.log.1"):
        log.with_name(name).write_bytes(b"no line of the log\n")
    backup(log, 1).mkdir()
    backup(log, 2).symlink_to("other.log.1")
    log.write_bytes(b"one\n")

    assert lines_of(log) == [b"one\n"]


# Use.


def test_a_follower_goes_on_after_its_end(log: Path) -> None:
    follower = Follower(log, wait=False)
    log.write_bytes(b"one\n")
    first = read(follower)
    append(log, b"two\n")()

    assert (first, read(follower)) == (b"one\n", b"two\n")


def test_pauses_grow_while_nothing_happens(log: Path) -> None:
    pauses: list[float] = []

    def pause(seconds: float) -> bool:
        pauses.append(seconds)
        return len(pauses) < 20

    log.write_bytes(b"one\n")
    read(Follower(log, pause=pause))

    assert pauses == sorted(pauses)
    assert pauses[0] <= 0.01
    assert pauses[-1] == 0.1


def test_a_file_is_closed_at_the_end_of_the_iteration(log: Path) -> None:
    log.write_bytes(b"one\n")
    before = os.listdir("/proc/self/fd")

    chunks = follow_chunks(log)
    next(chunks)
    chunks.close()  # type: ignore[attr-defined]
    lines_of(log)

    assert os.listdir("/proc/self/fd") == before


def test_counters_tell_files_and_bytes(log: Path) -> None:
    backup(log, 1).write_bytes(b"one\n")
    log.write_bytes(b"two\nhal")
    follower = Follower(log, wait=False)

    read(follower)

    assert (follower.counters.files, follower.counters.size_bytes) == (2, 8)


def test_waiting_without_a_pause_of_its_own_is_ended_by_a_line(log: Path) -> None:
    log.write_bytes(b"one\n")
    lines = follow(log)
    next(lines)
    returned: list[bytes] = []
    thread = threading.Thread(target=lambda: returned.append(next(lines)[0]))

    thread.start()
    append(log, b"two\n")()

    wait_until(lambda: returned)
    thread.join()
    assert returned == [b"two\n"]


@pytest.mark.parametrize("name", ["directory", "fifo"])
def test_what_is_no_regular_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "fifo")

    with pytest.raises(OSError, match="not a regular file"):
        follow(tmp_path / name)


def test_a_missing_directory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        lines_of(tmp_path / "missing" / "audit.log")


def test_a_wrong_place_to_begin_is_told(log: Path) -> None:
    with pytest.raises(ValueError, match=r"start: expected .*, got 'middle'"):
        follow(log, start="middle")  # type: ignore[arg-type]


def test_text_that_is_no_cursor_is_told(log: Path) -> None:
    with pytest.raises(CursorError, match="offset: expected"):
        follow(log, '{"version": 1, "offset": -1}')


def test_saved_text_is_as_good_as_the_cursor(log: Path) -> None:
    log.write_bytes(b"one\ntwo\n")
    _, cursor = next(follow(log, wait=False))

    assert list(follow(log, cursor.to_json(), wait=False)) == [
        (b"two\n", follow_end(log)),
    ]


def follow_end(log: Path) -> Cursor:
    """Return the cursor at the end of a log."""
    *_, (_, cursor) = follow(log, wait=False)
    return cursor
