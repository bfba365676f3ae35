"""Give two files that share a backup's name, plain and compressed, each its own.

The plain one moves to the next free name behind it; in the stdlib dialect, where names
are places in a row, the compressed one moves up a place, as a rotation would move it,
and those before it, up to the first free place. Nothing is replaced: a name that is
taken meanwhile is left to who took it, and a crash in between leaves a hole, which is a
free place.
"""

import errno
import os
from dataclasses import replace

from ..files.names import SUFFIXES, Backup, names_behind
from ..files.opened import is_free, rename_anew
from .heldnames import BackupNames

__all__ = ["part"]


def part(
    names: BackupNames, plain: Backup, plain_fd: int, other: Backup, other_fd: int
) -> Backup | None:
    """Part two files, both open; the names are held.

    Returns:
        The plain one, by the name that it has now; None: one of them has gone.

    Raises:
        OSError: It can't be renamed; or no name is free.
    """
    plain_now = names.find(plain, os.fstat(plain_fd))
    other_now = names.find(other, os.fstat(other_fd))
    if plain_now is None or other_now is None:
        return None
    if plain_now.plain != other_now.plain:
        return plain_now  # somebody did it
    if plain_now.index is None:
        return _move_behind(plain_now)
    _make_place(plain_now, plain_now.index + 1)
    _move_place(other_now, plain_now.index + 1)
    return plain_now


def _move_behind(plain: Backup) -> Backup:
    for name in names_behind(plain):
        if not is_free(os.path.join(plain.directory, name)):
            continue
        try:
            rename_anew(plain.directory, plain.name, name)
        except FileExistsError:
            continue
        return replace(plain, name=name, plain=name)
    raise OSError(errno.EEXIST, "no name is free for another backup", plain.path)


def _make_place(backup: Backup, index: int) -> None:
    """Move the backups from *index* on up, those before the first free place."""
    row = backup.plain.removesuffix(f".{backup.index}")
    free = index
    while not is_free(os.path.join(backup.directory, f"{row}.{free}")):
        free += 1
    for place in range(free, index, -1):
        for suffix in SUFFIXES:
            below = f"{row}.{place - 1}{suffix}"
            if os.path.lexists(os.path.join(backup.directory, below)):
                rename_anew(backup.directory, below, f"{row}.{place}{suffix}")


def _move_place(backup: Backup, index: int) -> None:
    row = backup.plain.removesuffix(f".{backup.index}")
    rename_anew(backup.directory, backup.name, f"{row}.{index}{backup.suffix}")
