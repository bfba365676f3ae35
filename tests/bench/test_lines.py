"""The account of lines: what was lost, doubled, torn, or is in the wrong place."""

import gzip
import zipfile
from pathlib import Path

import pytest
from lines import Account, account_of_producers, cycled, mark_lines, sized_lines

LINES = mark_lines(sized_lines(64, 5), 0)
OTHERS = mark_lines(sized_lines(64, 5), 1)
EXACT = Account(lost=0, duplicated=0, foreign=0, in_order=True)


def account(path: Path, written: list[bytes], start: bytes = b"") -> Account:
    """Write *written* and hold it against 20 lines of the cycle."""
    path.write_bytes(b"".join(written))
    return account_of_producers([path], [LINES], 20, start)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "app.log"


def test_a_whole_cycle_is_exact(path: Path) -> None:
    assert account(path, list(cycled(LINES, 20))) == EXACT


@pytest.mark.parametrize("place", [0, 7, 19])
def test_a_missing_line_is_lost(path: Path, place: int) -> None:
    written = list(cycled(LINES, 20))
    del written[place]

    found = account(path, written)

    assert (found.lost, found.duplicated, found.foreign) == (1, 0, 0)
    assert not found.is_exact


def test_a_line_too_many_is_doubled(path: Path) -> None:
    written = list(cycled(LINES, 20))
    written.insert(3, written[3])

    found = account(path, written)

    assert (found.lost, found.duplicated, found.foreign) == (0, 1, 0)


def test_a_line_without_its_end_is_lost_and_foreign(path: Path) -> None:
    written = list(cycled(LINES, 20))
    written[-1] = written[-1][:-1]

    found = account(path, written)

    assert (found.lost, found.foreign) == (1, 1)


def test_one_lost_for_one_doubled_is_noticed_by_the_order(path: Path) -> None:
    written = list(cycled(LINES, 20))
    written[2], written[6] = written[6], written[2]
    written[2:2] = [written.pop(12)]

    found = account(path, written)

    assert (found.lost, found.duplicated) == (0, 0)
    assert not found.is_exact


def test_lines_of_two_producers_may_be_mixed(path: Path) -> None:
    one, two = list(cycled(LINES, 7)), list(cycled(OTHERS, 7))
    mixed = [*one[:3], *two[:5], *one[3:], *two[5:]]
    path.write_bytes(b"".join(mixed))

    found = account_of_producers([path], [LINES, OTHERS], 7)

    assert found == EXACT


def test_lines_of_one_producer_may_not(path: Path) -> None:
    one, two = list(cycled(LINES, 7)), list(cycled(OTHERS, 7))
    one[0], one[1] = one[1], one[0]
    path.write_bytes(b"".join([*one, *two]))

    found = account_of_producers([path], [LINES, OTHERS], 7)

    assert found.in_order is False


def test_what_a_contender_puts_before_a_line_is_taken_off(path: Path) -> None:
    written = [b"01:02:03 [I] " + line for line in cycled(LINES, 20)]

    assert account(path, written, rb"\S+ \[I\] ") == EXACT
    assert account(path, written, rb"\S+ \[W\] ").foreign == 20


def test_packed_backups_are_read(tmp_path: Path) -> None:
    files = [tmp_path / "app.log.2.gz", tmp_path / "app.log.1", tmp_path / "app.log"]
    written = list(cycled(LINES, 20))
    files[0].write_bytes(gzip.compress(b"".join(written[:9])))
    with zipfile.ZipFile(files[1], "w") as archive:
        archive.writestr("app.log", b"".join(written[9:15]))
    files[2].write_bytes(b"".join(written[15:]))

    assert account_of_producers(files, [LINES], 20) == EXACT


@pytest.mark.parametrize("name", ["app.log.1.gz", "app.log.1"])
def test_a_damaged_backup_is_a_finding_and_no_error(tmp_path: Path, name: str) -> None:
    written = list(cycled(LINES, 20))
    packed, live = tmp_path / name, tmp_path / "app.log"
    if name.endswith(".gz"):
        packed.write_bytes(gzip.compress(b"".join(written[:9]))[:-4])
    else:
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("app.log", b"".join(written[:9]))
        data = packed.read_bytes()
        packed.write_bytes(data.replace(b"00000000", b"00000009", 1))
    live.write_bytes(b"".join(written[9:]))

    found = account_of_producers([packed, live], [LINES], 20)

    assert found.foreign >= 1
    assert not found.is_exact


@pytest.mark.parametrize("size", [64, 1000, 65536])
def test_sized_lines_have_their_size(size: int) -> None:
    lines = sized_lines(size)

    assert {len(line) for line in lines} == {size}
    assert len(set(lines)) == len(lines)
