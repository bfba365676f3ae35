"""Numbered backups are renamed under the mill's feet, and nothing is lost."""

import contextlib
import fcntl
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from millwork import (
    LIMIT_S,
    LINES,
    SUFFIX,
    UNPACK,
    every_format,
    files_in,
    mill_of,
    pack,
    run,
    unpacked,
    wait_until,
)

from auditring.files.formats import Compression
from auditring.files.names import list_backups


def shift(directory: Path, content: bytes) -> None:
    """Rotate app.log, as the writer does it: names shift while it holds the flock."""
    state = os.open(directory / ".app.log.ring", os.O_RDONLY)
    fcntl.flock(state, fcntl.LOCK_EX)
    for number in range(8, 0, -1):
        for suffix in ("", *UNPACK):
            with contextlib.suppress(FileNotFoundError):
                old = directory / f"app.log.{number}{suffix}"
                old.rename(directory / f"app.log.{number + 1}{suffix}")
    (directory / "app.log.1").write_bytes(content)
    os.close(state)


@pytest.fixture
def numbered(tmp_path: Path) -> Path:
    (tmp_path / ".app.log.ring").mkdir()
    return tmp_path


def backups_of(directory: Path) -> dict[str, bytes]:
    found = list_backups(directory, "app.log", "stdlib")
    return {one.plain: unpacked(Path(one.path)) for one in found}


@every_format
def test_a_backup_that_is_shifted_meanwhile_is_compressed_under_its_new_number(
    numbered: Path, compress: Compression
) -> None:
    mill = mill_of(numbered, "app.log", dialect="stdlib", compress=compress)
    steps = 0
    for shifted_at in range(4):
        for file in numbered.glob("app.log.*"):
            file.unlink()
        for number in (1, 2):
            (numbered / f"app.log.{number}").write_bytes(LINES + b"%d\n" % number)

        for step, _ in enumerate(mill.run()):
            steps += 1
            if step == shifted_at:
                shift(numbered, b"new\n")
        run(mill)

        suffix = SUFFIX[compress]
        names = [f"app.log.{number}{suffix}" for number in (1, 2, 3)]
        assert files_in(numbered) == [".app.log.ring", *names]
        assert backups_of(numbered) == {
            "app.log.1": b"new\n",
            "app.log.2": LINES + b"1\n",
            "app.log.3": LINES + b"2\n",
        }
    assert steps > 12
    assert mill.counters.errors == 0


def test_a_backup_that_is_removed_meanwhile_leaves_nothing(numbered: Path) -> None:
    (numbered / "app.log.1").write_bytes(LINES)
    mill = mill_of(numbered, "app.log", dialect="stdlib", compress="gzip")

    for _ in mill.run():
        (numbered / "app.log.1").unlink(missing_ok=True)

    assert files_in(numbered) == [".app.log.ring"]
    assert mill.counters == replace(mill.counters, compressed=0, errors=0)


def test_both_forms_are_settled_under_their_new_number(numbered: Path) -> None:
    (numbered / "app.log.1").write_bytes(LINES)
    (numbered / "app.log.1.zst").write_bytes(pack(LINES, ".zst"))
    mill = mill_of(numbered, "app.log", dialect="stdlib", compress="zstd")

    work = mill.run()
    next(work)
    shift(numbered, b"new\n")
    for _ in work:
        pass

    assert backups_of(numbered) == {"app.log.1": b"new\n", "app.log.2": LINES}
    assert "app.log.2" not in files_in(numbered)


@pytest.mark.parametrize("gone", ["app.log.1", "app.log.1.zst"])
def test_the_last_form_of_a_backup_is_never_unlinked(numbered: Path, gone: str) -> None:
    (numbered / "app.log.1").write_bytes(LINES)
    (numbered / "app.log.1.zst").write_bytes(pack(LINES, ".zst"))
    mill = mill_of(numbered, "app.log", dialect="stdlib", max_backups=9)

    work = mill.run()
    next(work)
    (numbered / gone).unlink()
    for _ in work:
        pass

    assert backups_of(numbered) == {"app.log.1": LINES}


def test_the_mill_renames_nothing_while_a_rotation_holds_the_names(
    numbered: Path,
) -> None:
    (numbered / "app.log.1").write_bytes(LINES)
    work = mill_of(numbered, "app.log", dialect="stdlib", compress="gzip").run()
    next(work)
    held = os.open(numbered / ".app.log.ring", os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    rest = threading.Thread(target=lambda: [None for _ in work])

    rest.start()
    wait_until(lambda: is_somebody_waiting_for_a_flock_of(held))

    assert [one.name for one in list_backups(numbered, "app.log", "stdlib")] == [
        "app.log.1"
    ]
    os.close(held)
    rest.join(LIMIT_S)
    assert files_in(numbered) == [".app.log.ring", "app.log.1.gz"]


def is_somebody_waiting_for_a_flock_of(fd: int) -> bool:
    inode = f":{os.fstat(fd).st_ino} "
    locks = Path("/proc/locks").read_text().splitlines()
    return any("-> FLOCK" in line and inode in line for line in locks)
