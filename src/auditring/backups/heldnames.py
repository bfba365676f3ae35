"""The names of a log's backups, held against a rotation that would change them.

Only in the stdlib dialect does a backup get another name: a rotation shifts the
numbers.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator

from ..files.names import Backup, Dialect, Listing, scan_backups
from ..files.opened import DIRECTORY_FLAGS, is_same_file, opened
from ..ring.statedir import state_dir_of

__all__ = ["BackupNames"]


class BackupNames:
    """What the backups of one log are called now.

    Attributes:
        directory: Where they are.
    """

    def __init__(self, log: str, state_dir: str | os.PathLike[str] | None) -> None:
        """Know the names of *log*, an absolute path; nothing is touched yet.

        Args:
            log: The live file.
            state_dir: The log's state directory; None is ``.<name>.ring`` beside it.
        """
        self.directory, self._name = os.path.split(log)
        self._state_dir = state_dir or state_dir_of(log)

    @contextlib.contextmanager
    def held(self, dialect: Dialect) -> Iterator[None]:
        """Keep a rotation from renaming backups meanwhile.

        Never held over a yield: a rotation waits for it, and a fork would copy it.

        Raises:
            OSError: There is no state directory, or it can't be locked.
        """
        if dialect != "stdlib":
            yield
            return
        with opened(self._state_dir, DIRECTORY_FLAGS) as state:
            fcntl.flock(state, fcntl.LOCK_EX)
            try:
                yield
            finally:
                # A child that was forked meanwhile has a copy of the descriptor, so
                # closing ours would not be enough.
                fcntl.flock(state, fcntl.LOCK_UN)

    def listing(self, dialect: Dialect) -> Listing:
        """Look into the directory.

        Raises:
            OSError: It can't be read.
        """
        return scan_backups(self.directory, self._name, dialect)

    def find(self, backup: Backup, status: os.stat_result) -> Backup | None:
        """Find the name that the file with *status* has now, None if it has gone.

        Only with the names held: a rotation of the stdlib dialect shifts them.
        """
        if is_same_file(backup.path, status):
            return backup
        if backup.dialect != "stdlib":
            return None
        for other in self.listing(backup.dialect).backups:
            if other.suffix == backup.suffix and is_same_file(other.path, status):
                return other
        return None
