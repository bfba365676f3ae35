"""The backups of a timed handler, by its own `suffix`: which there are, and free names.

A number may follow the date: files that were begun at the same time, as the clock says.
"""

import errno
import os
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..files.names import SUFFIXES, TIE_MAX
from ..files.opened import is_free, rename_anew
from ..ring.statedir import state_dir_of

__all__ = ["DatedBackup", "dated_backups", "names_for", "rename_to_free", "unread_of"]

_SUFFIXES = SUFFIXES[1:]
_COUNTED = re.compile(r"(.+)\.([1-9][0-9]{0,4})", re.DOTALL)


class DatedBackup(NamedTuple):
    """One backup, in whatever forms it is there.

    Attributes:
        start: Its date as the name tells it, and its number, 0 for none.
        plain: Its file name without the suffix of compression.
        paths: Its forms.
        obstacles: What else has its name: directories, links, special files.
    """

    start: tuple[str, int]
    plain: str
    paths: list[str]
    obstacles: list[str]

    def size_bytes(self) -> int:
        """Return its size on disk in bytes."""
        return sum(os.lstat(path).st_size for path in self.paths)


def names_for(name: str) -> Iterator[str]:
    """Yield what a new backup may be called: *name*, or with a number behind it.

    The number is higher than those that there are, whatever smaller one is free again:
    the order of the names stays that of the files.
    """
    directory, base = os.path.split(name)
    highest = -1
    for entry in os.listdir(directory or "."):
        plain = _without_suffix(entry)
        match = _COUNTED.fullmatch(plain)
        if plain == base:
            highest = max(highest, 0)
        elif match is not None and match[1] == base:
            highest = max(highest, int(match[2]))
    if highest < 0:
        yield name
    for number in range(highest + 1 or 1, TIE_MAX + 1):
        yield f"{name}.{number}"


def rename_to_free(live: str, name: str) -> None:
    """Rename the live file to *name*, or to the next name that nothing has.

    Raises:
        FileNotFoundError: There is no live file.
        OSError: It can't be renamed.
    """
    directory, base = os.path.split(live)
    for candidate in names_for(name):
        if is_free(candidate):
            try:
                rename_anew(directory, base, os.path.relpath(candidate, directory))
            except FileExistsError:
                continue  # it has just been taken
            return
    raise OSError(errno.EEXIST, "no name is free for a backup", name)


def dated_backups(live: str, date: re.Pattern[str]) -> list[DatedBackup]:
    """Return the backups of a log, the oldest first.

    Args:
        live: The live file.
        date: What the whole of a date looks like.

    Raises:
        OSError: The directory can't be read.
    """
    directory, base = os.path.split(live)
    found: dict[str, DatedBackup] = {}
    with os.scandir(directory) as entries:
        for entry in entries:
            plain = _without_suffix(entry.name)
            start = _start_of(plain.removeprefix(f"{base}."), date)
            if start is None or not plain.startswith(f"{base}."):
                continue
            backup = found.setdefault(plain, DatedBackup(start, plain, [], []))
            is_file = entry.is_file(follow_symlinks=False)
            (backup.paths if is_file else backup.obstacles).append(entry.path)
    return sorted(found.values())


def _without_suffix(name: str) -> str:
    for suffix in _SUFFIXES:
        if name.endswith(suffix):
            return name.removesuffix(suffix)
    return name


def _start_of(text: str, date: re.Pattern[str]) -> tuple[str, int] | None:
    match = _COUNTED.fullmatch(text)
    if match is not None and date.fullmatch(match[1]):
        return match[1], int(match[2])
    return (text, 0) if date.fullmatch(text) else None


def unread_of(live: str, backups: Sequence[DatedBackup]) -> set[str]:
    """Return the plain names of *backups* that a registered follower has not read.

    Where that can't be told it is all of them.
    """
    if not os.path.isdir(os.path.join(state_dir_of(live), "followers")):
        return set()
    # Imported late: most logs have none.
    from ..errors import CursorError
    from ..files.followers import unread_backups

    try:
        return unread_backups(live, backups)
    except (CursorError, OSError):
        return {each.plain for each in backups}
