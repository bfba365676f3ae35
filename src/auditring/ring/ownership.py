"""Whose the files are that root makes beside a service's user (csrc/ownership.h)."""

import os
import stat

__all__ = ["give_to_owner", "is_roots_alone", "shared_mode"]


def give_to_owner(fd: int, directory: str | os.PathLike[str] | int) -> None:
    """Give a file that was just made in *directory* to that one's owner, as root.

    Raises:
        OSError: The directory can't be looked at, or the file not be given.
    """
    if os.geteuid() != 0:
        return
    owner = os.stat(directory).st_uid
    if owner != 0:
        os.fchown(fd, owner, -1)


def is_roots_alone(directory: str | os.PathLike[str]) -> bool:
    """Tell whether this is root, and nobody else may make files in *directory*.

    Raises:
        OSError: The directory can't be looked at.
    """
    if os.geteuid() != 0:
        return False
    status = os.stat(directory)
    others = stat.S_IWGRP | stat.S_IWOTH
    return status.st_uid == 0 and status.st_mode & others == 0


def shared_mode(directory: str | os.PathLike[str]) -> int:
    """Return the permissions of a file for all who may write to *directory*.

    Raises:
        OSError: The directory can't be looked at.
    """
    mode = os.stat(directory).st_mode
    group = 0o060 if mode & stat.S_IWGRP else 0
    return 0o600 | group | (0o006 if mode & stat.S_IWOTH else 0)
