"""A cursor is noted when enough was printed, and saved when enough time went by."""

from pathlib import Path

import pytest

from auditring.cursor import Cursor, CursorFile
from auditring.follow.cursor_saver import CursorKeeper

MIB = 2**20


class Clock:
    """Seconds that pass as the test says, and with each save."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class SlowFile(CursorFile):
    """A file on a disk that takes its time."""

    def __init__(self, path: Path, clock: Clock, cost_s: float) -> None:
        super().__init__(path)
        self.saves = 0
        self._clock = clock
        self._cost_s = cost_s

    def save(self, cursor: Cursor) -> None:
        super().save(cursor)
        self.saves += 1
        self._clock.now_s += self._cost_s


def place(offset: int) -> Cursor:
    return Cursor(None, offset)


@pytest.mark.parametrize("cost_s", [0.0, 0.01, 3.0])
def test_it_is_never_more_than_a_mebibyte_behind(tmp_path: Path, cost_s: float) -> None:
    clock = Clock()
    file = SlowFile(tmp_path / "cursor", clock, cost_s)
    keeper = CursorKeeper([file], place(0), clock=clock)
    behind = []

    for step in range(1, 101):
        keeper.advance(place(step * 256 * 1024), 256 * 1024)
        behind.append(keeper.cursor.offset - offset_in(file))
        keeper.save_if_due()

    assert max(behind) <= MIB
    assert file.saves == 1  # as no time went by, but for the save


def offset_in(file: CursorFile) -> int:
    """Return the offset that is saved, 0 if none is."""
    saved = file.load()
    return 0 if saved is None else saved.offset


def test_less_than_a_second_makes_a_save_due(tmp_path: Path) -> None:
    clock = Clock()
    file = CursorFile(tmp_path / "cursor")
    keeper = CursorKeeper([file], place(0), clock=clock)
    keeper.save()

    keeper.advance(place(1), 1)
    keeper.save_if_due()
    before = file.load()
    clock.now_s += 0.9
    keeper.save_if_due()

    assert (before, file.load()) == (place(0), place(1))


@pytest.mark.parametrize("cost_s", [0.0, 0.03, 3.0])
def test_the_disk_is_waited_for_twice_a_second_at_most(
    tmp_path: Path, cost_s: float
) -> None:
    clock = Clock()
    file = SlowFile(tmp_path / "cursor", clock, cost_s)
    keeper = CursorKeeper([file], place(0), clock=clock)

    for step in range(1, 1001):
        keeper.advance(place(step * MIB), MIB)
        keeper.save_if_due()
        clock.now_s += 1 / 128

    assert file.saves == 1 + 999 // 64


def test_what_is_saved_is_not_saved_again(tmp_path: Path) -> None:
    clock = Clock()
    file = SlowFile(tmp_path / "cursor", clock, 0.0)
    keeper = CursorKeeper([file], place(7), clock=clock)

    for _ in range(3):
        keeper.save()
        clock.now_s += 10
        keeper.save_if_due()

    assert file.saves == 1


def test_each_file_holds_the_cursor(tmp_path: Path) -> None:
    files = [CursorFile(tmp_path / name) for name in ("one", "two")]
    keeper = CursorKeeper(files, place(7))

    keeper.save()

    assert [file.load() for file in files] == [place(7), place(7)]


def test_a_note_is_in_the_file_that_counts(tmp_path: Path) -> None:
    files = [CursorFile(tmp_path / name) for name in ("one", "two")]
    keeper = CursorKeeper(files, place(0), clock=Clock())
    keeper.save()

    keeper.advance(place(MIB), MIB)
    keeper.save_if_due()

    assert [file.load() for file in files] == [place(MIB), place(0)]
