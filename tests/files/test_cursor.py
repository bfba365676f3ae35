"""Cursors as JSON and in files: what is refused, and what a crash leaves."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditring import AuditringError
from auditring.cursor import PREFIX_BYTES, Cursor, CursorFile, Mark
from auditring.errors import CursorError

MARK = Mark("0123456789abcdef" * 4, 100, 7, 1_795_309_323_004_000_000)
CURSOR = Cursor(MARK, 5000, replace(MARK, inode=8))

MARKS = st.builds(
    Mark,
    st.text("0123456789abcdef", min_size=64, max_size=64),
    st.integers(1, PREFIX_BYTES),
    st.integers(0, 2**63 - 1),
    st.integers(0, 2**63 - 1),
)


@given(
    st.builds(Cursor, st.none() | MARKS, st.integers(0, 2**63 - 1), st.none() | MARKS)
)
def test_a_cursor_is_read_as_it_was_written(cursor: Cursor) -> None:
    assert Cursor.from_json(cursor.to_json()) == cursor


def test_a_cursor_is_one_line() -> None:
    text = CURSOR.to_json()

    assert text.index("\n") == len(text) - 1


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("version",), 2, "version: expected 1, got 2"),
        (("version",), None, "version: expected 1, got None"),
        (("offset",), -1, "offset: expected 0 to 2**63, got -1"),
        (("offset",), 2**63, f"offset: expected 0 to 2**63, got {2**63}"),
        (("offset",), "9", "offset: expected a whole number, got '9'"),
        (("offset",), True, "offset: expected a whole number, got True"),
        (("offset",), None, "offset: expected a whole number, got None"),
        (("mark",), [], "mark: expected null or an object, got []"),
        (("mark", "sha256"), "00", "mark.sha256: expected 64 hex digits, got '00'"),
        (("mark", "sha256"), 0, "mark.sha256: expected 64 hex digits, got 0"),
        (("mark", "prefix_bytes"), 0, "mark.prefix_bytes: expected 1 to 1024, got 0"),
        (
            ("mark", "prefix_bytes"),
            1025,
            "mark.prefix_bytes: expected 1 to 1024, got 1025",
        ),
        (("mark", "inode"), 0.5, "mark.inode: expected a whole number, got 0.5"),
        (
            ("previous", "mtime_ns"),
            "now",
            "previous.mtime_ns: expected a whole number, got 'now'",
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_wrong_field_is_named_with_its_value(
    path: tuple[str, ...], value: object, told: str
) -> None:
    fields: dict[str, Any] = json.loads(CURSOR.to_json())
    place = fields
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value

    with pytest.raises(CursorError) as raised:
        Cursor.from_json(json.dumps(fields))

    assert str(raised.value) == told


@pytest.mark.parametrize(
    "text", ["", "{", "null", "[]", "7", "\x00" * 100, b"\xff\xfe{}", "[" * 100_000]
)
def test_what_is_no_cursor_is_refused(text: str | bytes) -> None:
    with pytest.raises(CursorError, match="expected a cursor in JSON"):
        Cursor.from_json(text)


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_no_text_raises_anything_else(text: str | bytes) -> None:
    with pytest.raises(CursorError):
        Cursor.from_json(text)


def test_a_cursor_error_is_one_of_ours_and_a_value_error() -> None:
    assert issubclass(CursorError, AuditringError)
    assert issubclass(CursorError, ValueError)


# In a file.


def test_a_file_that_is_not_there_holds_no_cursor(tmp_path: Path) -> None:
    assert CursorFile(tmp_path / "cursor").load() is None


def test_a_file_holds_the_cursor_that_was_saved_last(tmp_path: Path) -> None:
    file = CursorFile(tmp_path / "cursor")

    file.save(Cursor())
    file.save(CURSOR)

    assert CursorFile(tmp_path / "cursor").load() == CURSOR


def test_a_damaged_file_is_named_with_the_field(tmp_path: Path) -> None:
    path = tmp_path / "cursor"
    path.write_text(CURSOR.to_json().replace("5000", "-5"))

    with pytest.raises(CursorError) as raised:
        CursorFile(path).load()

    assert str(raised.value) == f"{path}: offset: expected 0 to 2**63, got -5"


def test_saving_leaves_no_other_file(tmp_path: Path) -> None:
    CursorFile(tmp_path / "cursor").save(CURSOR)

    assert os.listdir(tmp_path) == ["cursor"]


def test_what_a_killed_process_left_doesn_t_matter(tmp_path: Path) -> None:
    (tmp_path / ".cursor.tmp").write_text('{"version": 1, "ma' + "x" * 1000)
    file = CursorFile(tmp_path / "cursor")

    assert file.load() is None
    file.save(CURSOR)

    assert file.load() == CURSOR


def test_a_failed_save_leaves_the_cursor_of_before(tmp_path: Path) -> None:
    file = CursorFile(tmp_path / "cursor")
    file.save(CURSOR)
    # What a link points to is never written to.
    (tmp_path / ".cursor.tmp").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(OSError, match="symbolic links"):
        file.save(Cursor())

    assert file.load() == CURSOR
    assert not (tmp_path / "elsewhere").exists()


# A note beside it.


def test_what_was_noted_is_as_good_as_saved(tmp_path: Path) -> None:
    file = CursorFile(tmp_path / "cursor")
    file.save(Cursor())

    file.note(CURSOR)

    assert CursorFile(tmp_path / "cursor").load() == CURSOR


def test_the_first_note_is_a_save(tmp_path: Path) -> None:
    CursorFile(tmp_path / "cursor").note(CURSOR)

    assert os.listdir(tmp_path) == ["cursor"]
    assert CursorFile(tmp_path / "cursor").load() == CURSOR


def test_a_save_counts_for_more_than_a_note_before_it(tmp_path: Path) -> None:
    file = CursorFile(tmp_path / "cursor")
    file.save(Cursor())
    file.note(CURSOR)

    file.save(Cursor(offset=7))

    assert file.load() == Cursor(offset=7)


def test_a_note_is_of_no_use_to_another_file_of_the_same_content(
    tmp_path: Path,
) -> None:
    file = CursorFile(tmp_path / "cursor")
    file.save(Cursor())
    file.note(CURSOR)
    # Kept open, so that the new file has another number for sure.
    with open(tmp_path / "cursor"):
        os.unlink(tmp_path / "cursor")
        assert file.load() is None

        CursorFile(tmp_path / "cursor").save(Cursor())

    assert file.load() == Cursor()


@pytest.mark.parametrize("place", [0, 40, 70, 140, 300])
def test_a_note_that_a_loss_of_power_damaged_counts_for_nothing(
    tmp_path: Path, place: int
) -> None:
    file = CursorFile(tmp_path / "cursor")
    file.save(Cursor())
    file.note(CURSOR)
    with open(tmp_path / ".cursor.note", "r+b") as note:
        note.seek(place)
        note.write(b"\0")

    assert file.load() == Cursor()


def test_the_largest_cursor_can_be_noted(tmp_path: Path) -> None:
    mark = Mark("f" * 64, 1024, 2**63 - 1, 2**63 - 1)
    file = CursorFile(tmp_path / "cursor")
    file.save(Cursor())

    file.note(Cursor(mark, 2**63 - 1, mark))

    assert file.load() == Cursor(mark, 2**63 - 1, mark)


def test_removing_a_cursor_removes_its_note(tmp_path: Path) -> None:
    file = CursorFile(tmp_path / "cursor")
    file.save(Cursor())
    file.note(CURSOR)

    assert (file.remove(), file.remove()) == (True, False)

    assert os.listdir(tmp_path) == []
