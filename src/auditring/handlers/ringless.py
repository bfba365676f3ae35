"""A handler that should have a ring and can't: a limit, a full disk, another user.

Its lines are appended to the live file by its name, each by one write. While others
have rings it makes no rollover: it would take away what they are writing to, or replace
the backup that they just made. That it does so is said once.
"""

import contextlib
import fcntl
import os
import struct
import sys
from collections.abc import Callable, Iterator

from ..process._nativethread import close

__all__ = ["has_others", "may_rename", "names_held", "tell_once"]

# struct flock, with off_t of 64 bits
_FLOCK = struct.Struct("hhqqi4x")
# All processes that have a ring hold a byte of the lock file (csrc/leader.h).
_BYTES = (0, 1 << 20)

_told: set[tuple[int, str]] = set()


def has_others(state_dir: str) -> bool:
    """Tell whether anybody alive may have a ring there, of this process, too.

    Who may not look is not told: then there may be.
    """
    path = os.path.join(state_dir, "lock")
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        # Of an open file description: else our own locks would not be reported.
        question = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, *_BYTES, 0)
        answer = fcntl.fcntl(fd, fcntl.F_OFD_GETLK, question)
    except OSError:
        return True
    finally:
        # This drops locks of ours on the file; the thread takes them again.
        close(fd)
    return bool(_FLOCK.unpack(answer)[0] != fcntl.F_UNLCK)


def may_rename(path: str) -> bool:
    """Tell whether this process may rename a file of the directory of *path*."""
    return os.access(os.path.dirname(path), os.W_OK | os.X_OK, effective_ids=True)


@contextlib.contextmanager
def names_held(state_dir: str, path: str) -> Iterator[bool]:
    """Let one process at a time rename the files of the log at *path*; yield whether.

    Who rolls over on the standard library's own way knows of no lock.
    """
    fd = _open_names(state_dir, path)
    if fd is None:
        yield True
        return
    try:
        is_held = _try_flock(fd)
        yield is_held
    finally:
        # A child that was forked meanwhile has a copy of the descriptor.
        fcntl.flock(fd, fcntl.LOCK_UN)
        close(fd)


def _open_names(state_dir: str, path: str) -> int | None:
    """Open the directory whose lock holds the names, as csrc/rotate.c does."""
    for place in (state_dir, os.path.dirname(path)):
        with contextlib.suppress(OSError):
            return os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    return None


def _try_flock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def tell_once(
    path: str,
    error: BaseException | None,
    on_error: Callable[[Exception], object] | None,
) -> None:
    """Say that lines are appended past the rings of others, once a process and log."""
    if (os.getpid(), path) in _told:
        return
    _told.add((os.getpid(), path))
    reason = getattr(error, "strerror", None) or error or "refused"
    number = getattr(error, "errno", None) or 0
    text = (
        f"process {os.getpid()} has no ring ({reason}): its lines are appended, "
        "and only others roll the file over"
    )
    # Standard error may be closed, or be a stream that logs.
    with contextlib.suppress(Exception):
        print(f"auditring: {path}: {text}", file=sys.stderr)
    if on_error is not None:
        with contextlib.suppress(Exception):
            on_error(OSError(number, text, path))
