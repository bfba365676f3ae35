"""Options of handlers that the standard library's don't have.

They are those of `LogWriter`, and the names that concurrent-log-handler gave to the
same wishes, so that its users change one import.
"""

import grp
import importlib
import os
import pwd
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..documents.suggestion import did_you_mean
from ..log.options import DEFAULTS, SharedOptions, check_options

__all__ = [
    "DROP_IN_DEFAULTS",
    "FileRights",
    "HandlerOptions",
    "HandlerSettings",
    "WriterOptions",
    "read_options",
]


class WriterOptions(SharedOptions, total=False):
    """Keyword arguments of `LogWriter` that every handler has; see there.

    Two have other defaults: while the ring is full, a record waits for 5 seconds
    (`block_timeout`) and is dropped then (`on_timeout`), and so are those that follow
    it, at once, until there is room again. A gap event in the log tells how many. A
    thread that runs an event loop waits for 0.05 seconds at most.
    """


class HandlerOptions(WriterOptions, total=False):
    """Keyword arguments of the drop-in handlers beyond the standard library's.

    Those of `WriterOptions`, and concurrent-log-handler's:

    Attributes:
        use_gzip: True is ``compress="gzip"``.
        owner: User and group of a file that the handler makes, by name or number.
        chmod: Permissions of such a file.
        umask: What is masked from the permissions of such a file.
        newline: As `open` has it. What isn't a plain newline takes the standard
            library's own path.
        terminator: What ends a line.
        unicode_error_policy: The same as `errors`, which wins.
        lock_file_directory: The same as `state_dir`.
        keep_file_open, debug: Accepted, of no effect.
    """

    use_gzip: bool
    owner: tuple[int | str, int | str] | None
    chmod: int | None
    umask: int | None
    newline: str | None
    terminator: str | None
    unicode_error_policy: str | None
    lock_file_directory: str | os.PathLike[str] | None
    keep_file_open: bool
    debug: bool


# What stands in for something that never waits for a log may not do so for ever.
DROP_IN_DEFAULTS: Mapping[str, Any] = {"block_timeout": 5.0, "on_timeout": "drop"}

_OF_WRITER = frozenset(SharedOptions.__annotations__)
_OF_MILL = ("compress", "max_age", "max_total_bytes")
_NEWLINES = (None, "", "\n", "\r", "\r\n")


# Named tuples, because making a dataclass takes a millisecond of everybody's start.


class FileRights(NamedTuple):
    """Whose a file is that a handler makes, and who may do what; None: as usual.

    Attributes:
        shared_with: Number of a group whose members may read and write it, too.
    """

    uid: int = -1
    gid: int = -1
    chmod: int | None = None
    umask: int | None = None
    shared_with: int = -1

    def apply(self, fd: int) -> None:
        """Give them to a file that was just made.

        Raises:
            OSError: It can't be given away.
        """
        if self.umask is not None:
            os.fchmod(fd, 0o666 & ~self.umask)
        if self.chmod is not None:
            os.fchmod(fd, self.chmod)
        if (self.uid, self.gid) != (-1, -1):
            os.fchown(fd, self.uid, self.gid)
        if self.shared_with != -1:
            os.fchown(fd, -1, self.shared_with)
            os.fchmod(fd, os.fstat(fd).st_mode & 0o777 | 0o060)


class HandlerSettings(NamedTuple):
    """What was asked of a handler beyond the standard library, checked.

    Attributes:
        writer: Arguments of `LogWriter`.
        rights: Of files that the handler makes.
        newline: As `open` has it.
        terminator: What ends a line; None is as the class has it.
        errors: What is done about text that can't be encoded; None is strict.
    """

    writer: Mapping[str, Any]
    rights: FileRights = FileRights()
    newline: str | None = None
    terminator: str | None = None
    errors: str | None = None


def read_options(owner: str, given: Mapping[str, Any]) -> HandlerSettings:
    """Check the options of the class named *owner*.

    Nothing is made on the disk.

    Raises:
        ValueError, TypeError: A wrong option; the text names it and its value.
    """
    options = dict(given)
    for name in options:
        if name not in HandlerOptions.__annotations__:
            hint = did_you_mean(name, HandlerOptions.__annotations__)
            told = f"{owner}() got an unexpected keyword argument {name!r}"
            raise TypeError(told + hint)
    _translate(options)
    asked = {name: options[name] for name in options if name in _OF_WRITER}
    writer = {**DROP_IN_DEFAULTS, **asked}
    # Checking a state_dir makes it; the writer will do that.
    checked = check_options({**DEFAULTS, **writer, "state_dir": None})
    group = -1 if writer.get("group") is None else checked["gid"]
    if any(writer.get(name) for name in _OF_MILL):
        # It takes tens of milliseconds; the first record is not to wait for that.
        importlib.import_module("auditring.backups.mills")
    return HandlerSettings(
        writer=writer,
        rights=_rights(options, group),
        newline=_newline(options.get("newline")),
        terminator=_text("terminator", options.get("terminator")),
        errors=_text("unicode_error_policy", options.get("unicode_error_policy")),
    )


def _translate(options: dict[str, Any]) -> None:
    """Turn concurrent-log-handler's names into ours, where there is one."""
    use_gzip = options.pop("use_gzip", False)
    if not isinstance(use_gzip, bool):
        raise TypeError(f"use_gzip: expected True or False, got {use_gzip!r}")
    if use_gzip and options.setdefault("compress", "gzip") != "gzip":
        raise ValueError(f"use_gzip: True, but compress={options['compress']!r}")
    directory = options.pop("lock_file_directory", None)
    if directory is None:
        return
    other = options.setdefault("state_dir", directory)
    if other != directory:
        raise ValueError(f"lock_file_directory: {directory!r}, but state_dir={other!r}")


def _rights(options: Mapping[str, Any], group: int) -> FileRights:
    uid = gid = -1
    owner = options.get("owner")
    if owner is not None:
        if not isinstance(owner, tuple | list) or len(owner) != 2:
            raise TypeError(f"owner: expected a user and a group, got {owner!r}")
        uid, gid = _uid(owner[0]), _gid(owner[1])
    chmod, umask = options.get("chmod"), options.get("umask")
    return FileRights(uid, gid, _bits("chmod", chmod), _bits("umask", umask), group)


def _uid(user: object) -> int:
    if isinstance(user, str):
        try:
            return pwd.getpwnam(user).pw_uid
        except KeyError:
            raise ValueError(f"owner: no user is named {user!r}") from None
    return _number(user)


def _gid(group: object) -> int:
    if isinstance(group, str):
        try:
            return grp.getgrnam(group).gr_gid
        except KeyError:
            raise ValueError(f"owner: no group is named {group!r}") from None
    return _number(group)


def _number(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"owner: expected a name or number, got {value!r}")
    return value


def _bits(name: str, value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name}: expected an integer, got {value!r}")
    if not 0 <= value <= 0o7777:
        raise ValueError(f"{name}: expected 0 to 0o7777, got {value!r}")
    return value


def _text(name: str, value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{name}: expected a text, got {value!r}")
    return value


def _newline(value: object) -> str | None:
    text = _text("newline", value)
    if text not in _NEWLINES:
        raise ValueError(f"newline: expected one of {_NEWLINES}, got {value!r}")
    return text
