"""Backups as files: opened, made under a temporary name, told apart, synced.

Nothing here knows what is in them.
"""

import contextlib
import fcntl
import os
import signal
import stat
import time
from collections.abc import Iterator

from ..process._nativethread import close
from ..ring._writer import rename_noreplace
from .names import SUFFIXES

__all__ = [
    "DIRECTORY_FLAGS",
    "READ_FLAGS",
    "is_finished",
    "is_free",
    "is_same_file",
    "opened",
    "rename_anew",
    "sync_directory",
    "temporary",
]

# Should somebody put a FIFO in a backup's place, opening it must not wait.
READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
DIRECTORY_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# After how long without a write a file counts as finished, where nobody can tell.
FINISHED_S = 60.0
_TEMP_FLAGS = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@contextlib.contextmanager
def opened(path: str | os.PathLike[str], flags: int) -> Iterator[int]:
    """Open *path* for the block, which gets the descriptor."""
    fd = os.open(path, flags)
    try:
        yield fd
    finally:
        close(fd)


@contextlib.contextmanager
def temporary(path: str, like: os.stat_result) -> Iterator[int]:
    """Create *path* with owner and mode of *like*; remove it if the block fails.

    Not in a forked child: there the file belongs to the parent, which goes on with it.
    """
    fd = os.open(path, _TEMP_FLAGS, 0o600)
    pid = os.getpid()
    try:
        _copy_rights(fd, like)
        yield fd
    except BaseException:
        if os.getpid() == pid:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        raise
    finally:
        close(fd)


def _copy_rights(fd: int, like: os.stat_result) -> None:
    mode = stat.S_IMODE(like.st_mode)
    try:
        os.fchown(fd, like.st_uid, like.st_gid)
    except PermissionError:
        # Another group than the plain file's must not get its rights.
        mode &= ~stat.S_IRWXG
    os.fchmod(fd, mode)


def is_free(path: str) -> bool:
    """Tell whether no file is there, neither a plain nor a compressed one."""
    return not any(os.path.lexists(f"{path}{suffix}") for suffix in SUFFIXES)


def is_finished(fd: int) -> bool:
    """Tell whether no process has the file of *fd*, open for reading, open for writing.

    The kernel says so where it gives leases; elsewhere a file counts as finished some
    time after it was written to.
    """
    try:
        # Should somebody open it at this very moment, the kernel sends a signal, and
        # this one is ignored by those who don't expect it.
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except BlockingIOError:
        return False
    except OSError:
        age_s = abs(time.time() - os.fstat(fd).st_mtime)
        return age_s > FINISHED_S
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return True


def rename_anew(directory: str, old: str, new: str) -> None:
    """Rename a file of *directory* to a name that nothing has.

    Raises:
        FileExistsError: Something has it.
        OSError: It can't be renamed.
    """
    with opened(directory or ".", DIRECTORY_FLAGS) as place:
        rename_noreplace(place, os.fsencode(old), os.fsencode(new))


def is_same_file(path: str, status: os.stat_result) -> bool:
    """Tell whether *path* is a name of the file with *status*."""
    try:
        return os.path.samestat(os.lstat(path), status)
    except FileNotFoundError:
        return False


def sync_directory(path: str) -> None:
    """Have the names in a directory on the disk."""
    with opened(path, DIRECTORY_FLAGS) as directory:
        os.fsync(directory)
