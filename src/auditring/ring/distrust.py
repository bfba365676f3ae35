"""Why a state directory was refused, for people; who decides is csrc/trust.h."""

import contextlib
import os
import pwd
import stat

from .statedir import state_dir_of

__all__ = ["explain_refusal", "is_anothers"]


def explain_refusal(path: str | os.PathLike[str]) -> str:
    """Return what is wrong about the state directory of the log at *path*."""
    state = state_dir_of(path)
    try:
        return _explain(os.path.dirname(state) or ".", state)
    except OSError as error:
        return f"{state} can't be looked at: {error.strerror}"


def is_anothers(path: str | os.PathLike[str]) -> bool:
    """Tell whether the log at *path* has a state directory of another user."""
    try:
        status = os.lstat(state_dir_of(path))
    except OSError:
        return False
    return status.st_uid != os.geteuid()


def _explain(directory: str, state: str) -> str:
    status = os.lstat(state)
    kind = "a symbolic link" if stat.S_ISLNK(status.st_mode) else "no directory"
    owner = _user(status.st_uid)
    if not stat.S_ISDIR(status.st_mode):
        return f"{state} is {kind}, made by {owner}: remove it"
    if status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX:
        mode = stat.S_IMODE(status.st_mode)
        return f"{state} (mode {mode:o}) is writable by all: chmod o-w or +t it"
    log_owner = os.stat(directory).st_uid
    parent = _open_parent(directory, log_owner)
    if parent and status.st_uid not in (0, os.geteuid()):
        return (
            f"{state} belongs to {owner}, and {parent} lets others put a directory in "
            f"its place: chmod o-w {parent}, or name the users' group by group="
        )
    is_trusted = status.st_uid in (0, os.geteuid(), log_owner)
    if is_trusted and not os.access(state, os.R_OK | os.W_OK | os.X_OK):
        return (
            f"{state} belongs to {owner}, and {_user(os.geteuid())} may not use it: "
            "share the log by group=, or by the live file's own group and mode before "
            "the directory is made"
        )
    if is_trusted:
        return (
            f"a file in {state}, or the directory of the rings, is another user's or "
            f"a link, or has no owner to be trusted: remove what {owner} didn't make"
        )
    return (
        f"{state} belongs to {owner}, but {directory} to {_user(log_owner)}: remove "
        "it if it was planted, or chown it to who writes the log; for several users "
        "there is group="
    )


def _open_parent(directory: str, log_owner: int) -> str:
    """Return the first parent that others could exchange the directory in, or ""."""
    path = os.path.realpath(directory)
    trusted = (0, os.geteuid(), log_owner)
    while path != "/":
        path = os.path.dirname(path)
        status = os.stat(path)
        is_open = status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX
        if is_open or status.st_uid not in trusted:
            return path
        if status.st_uid in trusted[:2] and not status.st_mode & 0o022:
            break
    return ""


def _user(uid: int) -> str:
    with contextlib.suppress(KeyError):
        return f"user {pwd.getpwuid(uid).pw_name} (uid {uid})"
    return f"uid {uid}"
