"""The files of a log, from the oldest backup to the live file.

A generation is one file of a log under all its names and forms: first the live file,
then a backup, then a compressed one. This is the reading side: nothing here changes a
file. So what a look shows may be gone or renamed a moment later; `FileNotFoundError`
says so, and the answer is to look again.
"""

import contextlib
import errno
import fcntl
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import takewhile
from typing import Final

from ..process._nativethread import close
from ..ring.statedir import state_dir_of
from .ageorder import in_order
from .generation import Generation
from .rotated import read_name

__all__ = ["Generations"]

_DIRECTORY_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# A file can escape a look twice in its life: while it is renamed to a backup, and while
# its compressed form takes its place. What three looks in a row agree on is so.
_LOOKS: Final = 3
_LOOKS_MAX: Final = 10_000
# A stopped process may hold the names; then nobody renames, either.
_NAMES_PATIENCE: Final = 50
_NAMES_PAUSE_S: Final = 0.001


class Generations:
    """Looks for the generations of one log, whoever rotates it.

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
        self._state_dir = state_dir_of(self.live)
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

    def row(self) -> Sequence[Generation]:
        """Return what is there, the oldest first; the caller holds the names.

        Raises:
            FileNotFoundError: A file went meanwhile.
            OSError: The directory or a file can't be read.
        """
        seen: dict[str, tuple[int, Generation]] = {}
        with os.scandir(self.directory) as entries:
            for entry in entries:
                known = self._seen.get(entry.name)
                if known is not None and known[0] == entry.inode():
                    seen[entry.name] = known
                elif found := self._examine(entry):
                    seen[entry.name] = entry.inode(), found
        self._seen = seen
        live = seen.get(self._name)
        past = [file for _, file in seen.values() if file.backup is not None]
        row = in_order(past)
        return row if live is None else [*row, live[1]]

    def _look(self) -> Sequence[Generation]:
        with _names_held(self._state_dir):
            return self.row()

    def _examine(self, entry: "os.DirEntry[str]") -> Generation | None:
        """Tell what a file is to this log, None if it is nothing."""
        backup = None
        if entry.name != self._name:
            backup = read_name(entry.name, self._name)
            if backup is None:
                return None
        if not entry.is_file(follow_symlinks=False):
            return None
        number = entry.stat(follow_symlinks=False).st_ino
        return Generation(number, entry.path, backup)


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
        close(fd)
