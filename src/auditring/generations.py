"""The files of a log, from the oldest backup to the live file.

A generation is one file of a log under all its names and forms: first the live file,
then a backup, then a compressed one. This is the reading side: nothing here changes a
file. So what a look shows may be gone or renamed a moment later; `FileNotFoundError`
says so, and the answer is to look again.
"""

import contextlib
import errno
import fcntl
import heapq
import os
import stat
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from operator import itemgetter
from typing import Final

from .backups import Backup, parse_backup

__all__ = ["Generation", "Generations", "row_of"]

_READ_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_DIRECTORY_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# A file can escape a look twice in its life: while it is renamed to a backup, and while
# its compressed form takes its place. What three looks in a row agree on is so.
_LOOKS: Final = 3
_LOOKS_MAX: Final = 10_000
# A stopped process may hold the names; then nobody renames, either.
_NAMES_PATIENCE: Final = 50
_NAMES_PAUSE_S: Final = 0.001


@dataclass(frozen=True, slots=True)
class Generation:
    """One file of a log, as a look at the directory showed it; equal if it is the same.

    Attributes:
        inode: The number of the file.
        path: Where to open it.
        backup: What its name says; None: it is the live file.
    """

    inode: int
    path: str = field(compare=False)
    backup: Backup | None = field(compare=False)

    @property
    def suffix(self) -> str:
        """``""`` (plain), ``".gz"``, ``".zst"`` or ``".lz4"``."""
        return "" if self.backup is None else self.backup.suffix

    def open(self) -> int:
        """Open this very file and return its descriptor.

        Raises:
            FileNotFoundError: It isn't there any more, or its name is another file's.
            OSError: It can't be opened.
        """
        fd = os.open(self.path, _READ_FLAGS)
        try:
            self._check(os.fstat(fd))
        except FileNotFoundError:
            os.close(fd)
            raise
        return fd

    def status(self) -> os.stat_result:
        """Return its status.

        Raises:
            FileNotFoundError: As `open` does.
            OSError: It can't be examined.
        """
        status = os.lstat(self.path)
        self._check(status)
        return status

    def _check(self, status: os.stat_result) -> None:
        if status.st_ino != self.inode or not stat.S_ISREG(status.st_mode):
            raise FileNotFoundError(f"{self.path} is another file now")


class Generations:
    """Looks for the generations of one log, of both dialects.

    Thread-safety: one thread at a time.

    Attributes:
        live: The live file, symbolic links resolved.
        directory: Where all of them are.
    """

    def __init__(self, log: str | os.PathLike[str]) -> None:
        """Prepare; nothing is looked at yet.

        Args:
            log: The live file; it needn't exist.
        """
        self.live = os.path.realpath(log)
        self.directory, self._name = os.path.split(self.live)
        self._state_dir = os.path.join(self.directory, f".{self._name}.ring")
        # By name, with the number that the directory says: an overlay may have another.
        # Most files are still the same at the next look.
        self._seen: dict[str, tuple[int, Generation]] = {}

    def settle(
        self, choose: Callable[[Sequence[Generation]], Sequence[Generation]]
    ) -> list[Generation]:
        """Choose among what is there, the oldest first, until looks agree on a choice.

        Args:
            choose: Is given the generations and returns those wanted, in their order.
                Its `FileNotFoundError` is answered by another look.

        Returns:
            What the looks agree on from the first wanted one on: nothing came between.

        Raises:
            OSError: The directory can't be read; *choose* raised it; or looks don't
                come to agree.
        """
        choices: deque[Sequence[Generation]] = deque(maxlen=_LOOKS)
        for _ in range(_LOOKS_MAX):
            try:
                choices.append(choose(self._look()))
            except FileNotFoundError:
                if not os.path.isdir(self.directory):
                    raise
                choices.clear()
            if len(choices) == _LOOKS:
                # Equal ones may have other names by now: the last look knows them.
                agreed = [
                    each[-1] for each in takewhile(_is_one, zip(*choices, strict=False))
                ]
                if agreed or not any(choices):
                    return agreed
        raise OSError(errno.EBUSY, "backups change faster than they are found")

    def _look(self) -> Sequence[Generation]:
        seen: dict[str, tuple[int, Generation]] = {}
        with _names_held(self._state_dir), os.scandir(self.directory) as entries:
            for entry in entries:
                known = self._seen.get(entry.name)
                if known is not None and known[0] == entry.inode():
                    seen[entry.name] = known
                elif found := self._examine(entry):
                    seen[entry.name] = entry.inode(), found
        self._seen = seen
        row = list(_in_order(_one_form_each(seen.values())))
        if self._name in seen:
            row.append(seen[self._name][1])
        return row

    def _examine(self, entry: "os.DirEntry[str]") -> Generation | None:
        """Tell what a file is to this log, None if it is nothing."""
        backup = None
        if entry.name != self._name:
            names = (self.directory, entry.name, self._name)
            backup = parse_backup(*names, "lumberjack") or parse_backup(
                *names, "stdlib"
            )
            if backup is None:
                return None
        if not entry.is_file(follow_symlinks=False):
            return None
        number = entry.stat(follow_symlinks=False).st_ino
        return Generation(number, entry.path, backup)


def row_of(
    live: str | os.PathLike[str], backups: Iterable[Backup]
) -> Sequence[Generation]:
    """Return *backups* of one dialect and the live file as a look would show them.

    Raises:
        FileNotFoundError: A backup isn't there any more.
        OSError: One can't be examined.
    """
    numbered = [(os.lstat(backup.path).st_ino, backup) for backup in backups]
    files = ((number, Generation(number, each.path, each)) for number, each in numbered)
    row = list(_in_order(_one_form_each(files)))
    with contextlib.suppress(FileNotFoundError):
        row.append(Generation(os.lstat(live).st_ino, os.fspath(live), None))
    return row


def _is_one(files: Sequence[Generation]) -> bool:
    return all(file == files[0] for file in files)


@contextlib.contextmanager
def _names_held(state_dir: str) -> Iterator[None]:
    """Keep numbered backups from being renamed meanwhile, where that can be asked for.

    A rotation waits for that, some milliseconds, and else comes later.
    """
    try:
        fd = os.open(state_dir, _DIRECTORY_FLAGS)
    except OSError:
        yield  # the log of another program, or of another user
        return
    try:
        for _ in range(_NAMES_PATIENCE):
            try:
                fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(_NAMES_PAUSE_S)
        yield
    finally:
        os.close(fd)


def _one_form_each(
    files: Iterable[tuple[int, Generation]],
) -> Iterable[Generation]:
    """Leave out the compressed form of what is plain, too: it may be half-made."""
    found: dict[str, Generation] = {}
    for _, file in files:
        backup = file.backup
        if backup is not None and not (backup.suffix and backup.plain in found):
            found[backup.plain] = file
    return found.values()


def _in_order(backups: Iterable[Generation]) -> Iterable[Generation]:
    timed: list[tuple[int, Generation]] = []
    numbered: list[tuple[int, Generation]] = []
    for file in backups:
        if file.backup is not None and file.backup.index is not None:
            numbered.append((-file.backup.index, file))
        elif file.backup is not None:
            timed.append((file.backup.time_ms or 0, file))
    rows = [sorted(row, key=itemgetter(0)) for row in (timed, numbered) if row]
    if len(rows) > 1:  # The dialect was changed at some time.
        return (file for _, file in heapq.merge(*rows, key=_written_ns))
    return (file for row in rows for _, file in row)


def _written_ns(placed: tuple[int, Generation]) -> int:
    return placed[1].status().st_mtime_ns
