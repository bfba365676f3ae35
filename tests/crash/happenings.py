"""What others do to a log and its writers, while these write.

Each is called with the meeting that it happens to, and returns when it is over.
"""

import contextlib
import os
import random
import shutil
import signal
import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

__all__ = ["BY_CHANCE", "HAPPENINGS", "HARMLESS", "NEEDS_OWN_DISK", "Scene"]

_FREEZE_MAX_S = 1.0
_FULL_S = 1.0
_STEPS_S = (-86_400, -3_600, -1, 2, 3_600, 86_400, 40 * 365 * 86_400)


class Scene(Protocol):
    """What a happening knows of a meeting."""

    @property
    def random(self) -> random.Random:
        """Where chance comes from."""
        ...

    @property
    def path(self) -> Path:
        """The log."""
        ...

    @property
    def offset(self) -> Path:
        """The file with the seconds that the guests' clocks are wrong."""
        ...

    @property
    def pids(self) -> list[int]:
        """The guests that are there."""
        ...

    def kill(self, pid: int) -> None:
        """Kill a guest and take leave of him."""
        ...


def kill(scene: Scene) -> None:
    """Kill a guest."""
    if scene.pids:
        scene.kill(scene.random.choice(scene.pids))


def kill_all(scene: Scene) -> None:
    """Kill all of them at once."""
    for pid in scene.pids:
        os.kill(pid, signal.SIGSTOP)
    for pid in list(scene.pids):
        scene.kill(pid)


def freeze(scene: Scene) -> None:
    """Stop a guest for a while."""
    if scene.pids:
        pid = scene.random.choice(scene.pids)
        os.kill(pid, signal.SIGSTOP)
        time.sleep(scene.random.uniform(0, _FREEZE_MAX_S))
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def move_directory(scene: Scene) -> None:
    """Move the log's directory away and make it anew, with the same rights."""
    directory = scene.path.parent
    status = directory.stat()
    number = len(list(directory.parent.glob("log*")))
    directory.rename(directory.with_name(f"log.{number}"))
    directory.mkdir()
    os.chown(directory, status.st_uid, status.st_gid)
    directory.chmod(status.st_mode & 0o7777)


def remove_state(scene: Scene) -> None:
    """Remove the state directory while its log is open, as a cleaner does."""
    shutil.rmtree(scene.path.parent / f".{scene.path.name}.ring", ignore_errors=True)


def pack(scene: Scene) -> None:
    """Pack a backup with gzip, as a cron job does.

    Never a numbered one: gzip itself removes by name what may be another file by then.
    """
    stem = scene.path.stem
    plain = [
        file
        for file in scene.path.parent.iterdir()
        if file.name.startswith(stem)
        and file.name != scene.path.name
        and file.name.rpartition(".")[2] not in ("gz", "zst", "lz4", "gaps")
        and not file.name.removeprefix(scene.path.name + ".").isdigit()
    ]
    if plain:
        chosen = str(scene.random.choice(plain))
        subprocess.run(["gzip", "-q", chosen], check=False, capture_output=True)


def steal(scene: Scene) -> None:
    """Remove a backup, with all its lines: what a judge has to notice."""
    backups = [
        file
        for file in scene.path.parent.iterdir()
        if file.name.startswith(scene.path.stem) and file.name != scene.path.name
    ]
    scene.random.choice(backups).unlink()


def rename_away(scene: Scene) -> None:
    """Rename the live file, as logrotate does."""
    name = f"{scene.path.stem}-renamed-{time.monotonic_ns()}{scene.path.suffix}"
    with contextlib.suppress(FileNotFoundError):
        scene.path.rename(scene.path.with_name(name))


def fill_disk(scene: Scene) -> None:
    """Fill the disk to the last byte, and make room again."""
    hog = scene.path.parent.parent / "hog"
    with hog.open("wb", 0) as file:
        for size in (65_536, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(size))
    time.sleep(scene.random.uniform(0, _FULL_S))
    hog.unlink()


def step_clock(scene: Scene) -> None:
    """Set the clock, by a second or by decades."""
    step_s = scene.random.choice(_STEPS_S)
    with scene.offset.open("r+b") as file:
        file.write(struct.pack("q", step_s))


HAPPENINGS: dict[str, Callable[[Scene], None]] = {
    happening.__name__: happening
    for happening in (
        kill,
        kill_all,
        freeze,
        move_directory,
        remove_state,
        pack,
        rename_away,
        fill_disk,
        steal,
        step_clock,
    )
}
# With the state of a log goes what was written by who can't settle it any more: one
# that was killed, or has no rights or descriptors left.
_HARMFUL_WITH_OTHERS = frozenset({"remove_state"})
# What costs no line by itself, and what may happen by chance together with the rest.
HARMLESS = tuple(name for name in HAPPENINGS if name != "steal")
BY_CHANCE = tuple(name for name in HARMLESS if name not in _HARMFUL_WITH_OTHERS)
# Those that may only happen on a disk that is the meeting's alone.
NEEDS_OWN_DISK = frozenset({"fill_disk"})
