"""One file of a log, whatever its name and form."""

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from ..process._nativethread import close
from .rotated import RotatedName

__all__ = ["Generation"]

_READ_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


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
    backup: RotatedName | None = field(compare=False)

    @property
    def suffix(self) -> str:
        """``""`` (plain), or how it is compressed: ``".gz"`` and the like."""
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
            close(fd)
            raise
        return fd

    @contextlib.contextmanager
    def opened(self) -> Iterator[int]:
        """Open it as `open` does, for the block."""
        fd = self.open()
        try:
            yield fd
        finally:
            close(fd)

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
