"""The control file that all writers of an open log share, and whether it can be found.

Who opens a log looks for the records that are in no file yet by way of it. Once the
directory is removed or another one put in its place, nobody finds them, and the writers
that are still open have nowhere to write to.
"""

import contextlib
import os
from pathlib import Path

__all__ = ["ControlFile"]


class ControlFile:
    """The control file of one log, as it was when the log was opened."""

    def __init__(self, log: Path) -> None:
        """Remember which file it is; *log* is the live file it stands beside."""
        self._path = os.path.abspath(log.with_name(f".{log.name}.ring") / "ctl")
        self._identity: tuple[int, int] | None = None
        with contextlib.suppress(OSError):
            self._identity = _identity(self._path)

    def is_gone(self) -> bool:
        """Tell whether the log's path leads to no control file, or to another one.

        False where that can't be found out.
        """
        if self._identity is None:
            return False
        try:
            return _identity(self._path) != self._identity
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:
            return False


def _identity(path: str) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino
