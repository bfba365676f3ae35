"""The registered followers of a log: what one has not read yet is kept for it.

A follower registers by keeping its cursor, or a copy of it, in the directory
``followers`` of the log's state directory, in a file of its name. Whoever works on
backups looks there before it removes one. The copy may be behind, which keeps more.
A follower that is not coming back has to be forgotten, else backups are kept for ever.
"""

import contextlib
import os
import re
import stat
from collections.abc import Iterable, Iterator
from typing import Final, Protocol

from ..ring.statedir import state_dir_of
from .cursor import Cursor, CursorFile
from .generations import Generations
from .locate import place_of

__all__ = ["FollowerRecord", "followers_of", "forget", "unread_backups"]

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")


class PlainlyNamed(Protocol):
    """A backup, however it is described."""

    @property
    def plain(self) -> str:
        """Its file name without the suffix of compression."""
        ...


class FollowerRecord(CursorFile):
    """The cursor of a follower of this name, where it is registered.

    Where no writer ever opened the log there is nothing to register with, and nothing
    is saved: the state directory is the writer's to make.
    """

    def __init__(self, log: str | os.PathLike[str], name: str) -> None:
        """Prepare; `save` registers.

        Args:
            log: The live file.
            name: What the follower is known by: up to 64 letters, digits and ``._-``.

        Raises:
            ValueError: A name of another kind.
        """
        self._followers = _directory_of(log)
        super().__init__(os.path.join(self._followers, _checked(name)))

    @property
    def is_possible(self) -> bool:
        """Whether there is a place to register at."""
        return os.path.isdir(os.path.dirname(self._followers))

    def save(self, cursor: Cursor) -> None:
        """Register with *cursor*, or say that the follower got there.

        Raises:
            OSError: It can't be saved.
        """
        if not self.is_possible:
            return
        state = os.stat(os.path.dirname(self._followers))
        with contextlib.suppress(FileExistsError):
            os.mkdir(self._followers, 0o700)
            os.chmod(self._followers, stat.S_IMODE(state.st_mode))
            if os.geteuid() == 0:
                os.chown(self._followers, state.st_uid, -1)
        super().save(cursor)

    def note(self, cursor: Cursor) -> None:
        """Note where the follower got, if it is registered.

        Raises:
            OSError: It can't be noted.
        """
        if self.is_possible:
            super().note(cursor)


def followers_of(log: str | os.PathLike[str]) -> list[str]:
    """Return the names of the registered followers of *log*.

    Raises:
        OSError: They can't be read.
    """
    try:
        names = os.listdir(_directory_of(log))
    except FileNotFoundError:
        return []
    return sorted(name for name in names if _NAME.fullmatch(name))


def forget(log: str | os.PathLike[str], name: str) -> bool:
    """Forget a follower; nothing is kept for it any more.

    Returns:
        Whether there was one of that name.

    Raises:
        ValueError: No follower can have such a name.
        OSError: It can't be forgotten.
    """
    return FollowerRecord(log, name).remove()


def unread_backups(
    log: str | os.PathLike[str], backups: Iterable[PlainlyNamed]
) -> set[str]:
    """Return the plain names of *backups* that a registered follower has not read.

    Args:
        log: The live file.
        backups: Those that are asked about.

    Raises:
        FileNotFoundError: A file was renamed meanwhile.
        CursorError: The record of a follower is damaged.
        OSError: A file can't be read.
    """
    cursors = list(_cursors_of(log))
    if not cursors:
        return set()
    # With those of other dialects: the follower may be in one.
    row = Generations(log).row()
    first = min(place_of(row, cursor).index for cursor in cursors)
    unread = {file.backup.plain for file in row[first:] if file.backup is not None}
    return unread.intersection(backup.plain for backup in backups)


def _cursors_of(log: str | os.PathLike[str]) -> Iterator[Cursor]:
    for name in followers_of(log):
        cursor = FollowerRecord(log, name).load()
        if cursor is not None:
            yield cursor


def _directory_of(log: str | os.PathLike[str]) -> str:
    return os.path.join(state_dir_of(os.path.realpath(log)), "followers")


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"name: expected up to 64 letters, digits and ._-, got {name!r:.80}"
        )
    return name
