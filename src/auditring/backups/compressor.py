"""The compressed form of a backup: made, and settled with a plain one beside it.

A backup is compressed under a temporary name: written, read back and unpacked,
fsynced, renamed, the directory fsynced, and only then is the plain form unlinked. The
formats carry a checksum of what went in; unpacking compares it with what comes out. So
nobody ever sees a half-made file under a backup's name, and a crash leaves one of two
things, which the next pass puts right:

- a temporary file: it is removed;
- both forms of a backup: they are compared byte by byte, and the plain one goes if they
  are equal.

Whoever else may be there: a cron job that compresses, at this moment or yesterday; a
user who put a file there; a clock that went back, so that a name comes twice. So what
isn't proven to be a form of the plain backup, or the torn beginning of one that nobody
writes any more, is another backup, and each gets a name of its own (parting.py).
Nothing is ever replaced.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Generator, Iterator

from ..files.formats import Format
from ..files.names import Backup, temp_name
from ..files.opened import (
    READ_FLAGS,
    is_finished,
    opened,
    rename_anew,
    sync_directory,
    temporary,
)
from .heldnames import BackupNames
from .packing import Pace, buffer, compare, pack, verify
from .parting import part

__all__ = ["Compressor"]


class Compressor:
    """Works on one backup at a time, in steps of some milliseconds each.

    Thread-safety: one thread at a time, but not always the same one.
    """

    def __init__(self, names: BackupNames) -> None:
        """Prepare to work on backups that have such *names*."""
        self._names = names
        self._paces: dict[tuple[str, int], Pace] = {}

    def compress(
        self,
        plain: Backup,
        form: Format,
        level: int,
        on_compressed: Callable[[int, int], object],
    ) -> Iterator[None]:
        """Make the compressed form of a backup, in steps, and unlink the plain one.

        Args:
            plain: The backup.
            form: Its format then.
            level: One of the format's.
            on_compressed: Called with its bytes before and after, once the compressed
                form has its name.

        Raises:
            OSError: It can't be read, written or renamed, or changed meanwhile. Other
                errors are those of the format's library. The plain form is there.
        """
        with contextlib.ExitStack() as stack:
            try:
                source = stack.enter_context(opened(plain.path, READ_FLAGS))
            except FileNotFoundError:
                return  # settled, or shifted by a rotation, which brings a pass
            before = os.fstat(source)
            if not stat.S_ISREG(before.st_mode):
                return  # somebody put something else in its place
            temp = os.path.join(plain.directory, temp_name(plain.plain + form.suffix))
            made = stack.enter_context(temporary(temp, before))
            view = stack.enter_context(buffer())
            packer = form.packer(before.st_size, level)
            pace = self._paces.setdefault((form.suffix, level), Pace())
            bytes_out = yield from pack(
                source, before.st_size, made, packer, pace, view
            )
            yield from verify(made, before.st_size, form, view)
            os.utime(made, ns=(before.st_atime_ns, before.st_mtime_ns))
            os.fsync(made)
            self._check_unchanged(plain, source, before)
            with self._names.held(plain.dialect):
                is_done = self._put_beside(plain, before, temp, form.suffix)
        if is_done:
            on_compressed(before.st_size, bytes_out)
            sync_directory(self._names.directory)
            self._unlink_plain(plain, before)

    def _check_unchanged(
        self, plain: Backup, source: int, before: os.stat_result
    ) -> None:
        after = os.fstat(source)
        if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
            raise OSError(errno.EBUSY, "changed while it was compressed", plain.path)

    def _put_beside(
        self, plain: Backup, before: os.stat_result, temp: str, suffix: str
    ) -> bool:
        """Give the temporary file its name, beside the plain backup.

        Returns:
            False when the backup was removed in the meantime: then nothing is left.
        """
        current = self._names.find(plain, before)
        if current is None:
            os.unlink(temp)
            return False
        final = os.path.join(current.directory, current.plain + suffix)
        directory, made = os.path.split(temp)
        rename_anew(directory, made, os.path.basename(final))
        return True

    def _unlink_plain(self, plain: Backup, status: os.stat_result) -> None:
        # Held anew, because a rotation mustn't wait for the directory's fsync. It
        # shifts and removes both forms of a backup together.
        with self._names.held(plain.dialect):
            current = self._names.find(plain, status)
            if current is not None:
                os.unlink(current.path)

    def settle(
        self, plain: Backup, compressed: Backup
    ) -> Generator[None, None, Backup | None]:
        """Find out what two files of one backup's name are to each other, in steps.

        Returns:
            The plain one, by the name that it has now; None: it has gone, or is still
            being compressed by somebody.

        Raises:
            OSError: One can't be read, renamed or unlinked. Both are there then.
        """
        with contextlib.ExitStack() as stack:
            try:
                source = stack.enter_context(opened(plain.path, READ_FLAGS))
                made = stack.enter_context(opened(compressed.path, READ_FLAGS))
            except FileNotFoundError:
                return None
            view = stack.enter_context(buffer())
            likeness = yield from compare(source, made, compressed.suffix, view)
            if likeness != "same" and not is_finished(made):
                return None
            if likeness == "other":
                with self._names.held(plain.dialect):
                    return part(self._names, plain, source, compressed, made)
            if likeness == "torn":
                self._unlink_one(compressed, made, plain, source)
                return plain
            # The crash may have come before either reached the disk.
            os.fsync(made)
            sync_directory(self._names.directory)
            self._unlink_one(plain, source, compressed, made)
            return None

    def _unlink_one(
        self, backup: Backup, fd: int, other: Backup, other_fd: int
    ) -> None:
        """Unlink *backup*, but only while the *other* form of it exists."""
        with self._names.held(backup.dialect):
            current = self._names.find(backup, os.fstat(fd))
            if current is not None and self._names.find(other, os.fstat(other_fd)):
                os.unlink(current.path)
