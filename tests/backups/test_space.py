"""Free space is watched in four states, and what each asks for is done."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditring.backups.mill import Mill, MillSettings
from auditring.backups.space import SpaceLimits, SpaceState, SpaceWatch, state_of
from auditring.files.names import list_backups

MIB = 1024**2
ORDER: list[SpaceState] = ["ok", "warn", "critical", "full"]
LIMITS = SpaceLimits(warn_bytes=300, critical_bytes=200, full_bytes=100)


@dataclass
class Disk:
    """A file system of some bytes, of which the reserve file takes its share."""

    others_leave: int
    reserve: Path

    @property
    def free(self) -> int:
        held = self.reserve.stat().st_size if self.reserve.exists() else 0
        return self.others_leave - held

    def usage(self, path: str) -> "Disk":
        return self


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(1000, tmp_path / "reserve")


def watch_of(disk: Disk, **options: Any) -> SpaceWatch:  # noqa: ANN401 - passed on
    return SpaceWatch(
        disk.reserve.parent,
        warn_bytes=300,
        critical_bytes=200,
        full_bytes=100,
        reserve=disk.reserve,
        reserve_bytes=50,
        usage=disk.usage,
        **options,
    )


@pytest.mark.parametrize(
    ("free_bytes", "state"),
    [
        (10**15, "ok"),
        (301, "ok"),
        (300, "warn"),
        (201, "warn"),
        (200, "critical"),
        (101, "critical"),
        (100, "full"),
        (0, "full"),
        (-50, "full"),
    ],
)
def test_a_state_begins_at_its_limit(free_bytes: int, state: SpaceState) -> None:
    assert state_of(free_bytes, LIMITS) == state


@given(fewer=st.integers(-10, 400), more=st.integers(0, 400))
def test_less_space_is_never_a_better_state(fewer: int, more: int) -> None:
    worse, better = state_of(fewer, LIMITS), state_of(fewer + more, LIMITS)

    assert ORDER.index(worse) >= ORDER.index(better)


@pytest.mark.parametrize(
    "wrong",
    [
        {"warn_bytes": 1, "critical_bytes": 2, "full_bytes": 0},
        {"warn_bytes": 3, "critical_bytes": 1, "full_bytes": 2},
        {"warn_bytes": 3, "critical_bytes": 2, "full_bytes": -1},
        {"warn_bytes": 2, "critical_bytes": 1, "full_bytes": 0, "reserve_bytes": -1},
        {"warn_bytes": 2, "critical_bytes": 1, "full_bytes": 0, "interval_s": 0},
    ],
)
def test_limits_out_of_order_are_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        SpaceWatch(tmp_path, **wrong)


def test_the_reserve_is_taken_while_there_is_room(disk: Disk) -> None:
    state = watch_of(disk).check()

    assert state == "ok"
    status = disk.reserve.stat()
    assert status.st_size == 50
    assert status.st_blocks > 0
    assert oct(status.st_mode) == "0o100600"


@pytest.mark.parametrize("others_leave", [350, 250])
def test_the_reserve_is_not_taken_when_room_is_short(
    disk: Disk, others_leave: int
) -> None:
    disk.others_leave = others_leave

    assert watch_of(disk).check() in ("warn", "critical")
    assert not disk.reserve.exists()


def test_every_change_is_told_once(disk: Disk) -> None:
    changes: list[tuple[SpaceState, SpaceState, int]] = []
    watch = watch_of(disk, on_change=lambda *change: changes.append(change))

    for others_leave in (1000, 1000, 300, 299, 240, 140, 140, 1000):
        disk.others_leave = others_leave
        watch.check()

    assert changes == [
        ("ok", "warn", 250),
        ("warn", "critical", 190),
        ("critical", "full", 90),
        ("full", "ok", 1000),
    ]


def test_the_reserve_is_given_back_before_full_is_told(disk: Disk) -> None:
    seen: list[bool] = []
    watch = watch_of(disk, on_change=lambda *_: seen.append(disk.reserve.exists()))
    watch.check()

    disk.others_leave = 140
    watch.check()

    assert seen == [False]


def test_what_the_reserve_gave_back_does_not_end_the_trouble(disk: Disk) -> None:
    watch = watch_of(disk)
    watch.check()
    states: list[SpaceState] = []

    for others_leave in (140, 145, 150, 151, 250, 350, 351):
        disk.others_leave = others_leave
        states.append(watch.check())

    assert states == ["full", "full", "full", "critical", "critical", "warn", "ok"]
    assert disk.reserve.exists()
    assert watch.check() == "ok"


def test_a_refused_write_means_full_whatever_the_disk_says(disk: Disk) -> None:
    watch = watch_of(disk)
    watch.check()

    assert watch.check(is_refused=True) == "full"
    assert not disk.reserve.exists()
    assert watch.check() == "ok"


def removals(disk: Disk, sizes: list[int]) -> Iterator[bool]:
    for size in sizes:
        disk.others_leave += size
        yield True
    while True:
        yield False


@pytest.mark.parametrize(
    ("leave", "sizes", "state", "left"),
    [
        (240, [10, 20, 30], "warn", 1),  # removes no more than needed
        (240, [5, 5], "critical", 0),  # there is no more to remove
        (240, [5, 0, 90], "critical", 1),  # the second brought nothing
        (140, [5, 90, 90, 90], "warn", 1),  # enough, from the worst state, too
        (340, [90], "warn", 1),  # not yet
    ],
)
def test_old_backups_make_room_when_it_is_critical(
    disk: Disk, leave: int, sizes: list[int], state: SpaceState, left: int
) -> None:
    offered = removals(disk, sizes)
    taken: list[bool] = []

    def remove_oldest() -> bool:
        taken.append(next(offered))
        return taken[-1]

    watch = watch_of(disk, remove_oldest=remove_oldest)
    watch.check()

    disk.others_leave = leave
    reached = watch.check()

    assert reached == state
    assert len(sizes) - sum(taken) == left


def test_no_backup_goes_when_none_may(disk: Disk) -> None:
    watch = watch_of(disk)
    watch.check()

    disk.others_leave = 140

    assert watch.check() == "full"
    assert disk.others_leave == 140


def test_a_reserve_that_can_not_be_made_is_an_error_and_leaves_nothing(
    tmp_path: Path,
) -> None:
    disk = Disk(10**9, tmp_path / "nowhere" / "reserve")
    watch = watch_of(disk)

    with pytest.raises(FileNotFoundError):
        watch.check()

    assert list(tmp_path.iterdir()) == []


def test_without_a_reserve_nothing_is_created(tmp_path: Path) -> None:
    watch = SpaceWatch(tmp_path, warn_bytes=2, critical_bytes=1, full_bytes=0)

    assert watch.check() == "ok"
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of 16 MiB."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a tmpfs")
    mounted = tmp_path / "small"
    mounted.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(mounted)]
    if subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("needs root to mount a tmpfs")
    yield mounted
    subprocess.run(["umount", str(mounted)], check=True)


def fill(path: Path, size_bytes: int) -> None:
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size_bytes)


def test_the_ladder_on_a_real_file_system(small: Path) -> None:
    changes: list[tuple[SpaceState, SpaceState]] = []
    watch = SpaceWatch(
        small,
        warn_bytes=8 * MIB,
        critical_bytes=4 * MIB,
        reserve=small / "reserve",
        on_change=lambda before, after, _: changes.append((before, after)),
    )

    assert watch.check() == "ok"
    assert (small / "reserve").stat().st_blocks * 512 == 4 * MIB
    fill(small / "a", 5 * MIB)
    assert watch.check() == "warn"
    fill(small / "b", 4 * MIB)
    assert watch.check() == "critical"
    fill(small / "c", 3 * MIB)
    assert watch.check() == "full"
    # Now the gap event has room, and the state stays what it is.
    fill(small / "gap", MIB)
    assert watch.check() == "full"
    for name in "abc":
        (small / name).unlink()
    assert watch.check() == "ok"
    assert (small / "reserve").stat().st_blocks * 512 == 4 * MIB

    assert changes == [
        ("ok", "warn"),
        ("warn", "critical"),
        ("critical", "full"),
        ("full", "ok"),
    ]


def test_the_mill_makes_room_and_keeps_the_newest_backup(small: Path) -> None:
    for minute in range(4):
        fill(small / f"audit-2026-11-22T01-0{minute}-00.000.log", 3 * MIB)
    mill = Mill(small / "audit.log", MillSettings)
    watch = SpaceWatch(
        small,
        warn_bytes=12 * MIB,
        critical_bytes=8 * MIB,
        remove_oldest=mill.remove_oldest,
    )

    first = watch.check()
    fill(small / "others", 10 * MIB)
    second = watch.check()

    assert (first, second) == ("warn", "critical")
    assert [one.name for one in list_backups(small, "audit.log", "lumberjack")] == [
        "audit-2026-11-22T01-03-00.000.log"
    ]
    assert mill.counters.removed == 3
