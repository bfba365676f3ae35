"""Names of backups: the grammar of each dialect, listing, age.

A backup is a file that a rotation left beside the live file. A file is one only if
its whole name matches the grammar; everything else in the directory belongs to
somebody else and is never listed. What is done with backups stands in mill.py.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, Literal

__all__ = [
    "SUFFIXES",
    "TIE_MAX",
    "Backup",
    "Dialect",
    "Listing",
    "list_backups",
    "names_behind",
    "parse_backup",
    "scan_backups",
    "temp_name",
]

Dialect = Literal["lumberjack", "stdlib", "dated"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
# The last time that a name can tell.
TIME_MAX_MS: Final = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MILLISECOND
TIE_MAX: Final = 99_999

# Of a backup's forms: plain, and compressed by us, by cron or by logrotate.
SUFFIXES: Final = ("", ".gz", ".zst", ".lz4", ".bz2", ".xz")
_SUFFIX = rf"(?P<suffix>{'|'.join(map(re.escape, SUFFIXES))})"
# Those in which we make them; others have no temporary files of ours.
_OWN_SUFFIXES: Final = (".gz", ".zst", ".lz4")
# [0-9], not \d: digits of other scripts are no part of the grammar.
_TIME = (
    r"(?P<time>[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"T[0-9]{2}-[0-9]{2}-[0-9]{2}\.[0-9]{3})"
)
_INDEX = r"(?P<index>[1-9][0-9]*)"
_DATE = (
    r"(?P<time>[0-9]{4}-[0-9]{2}-[0-9]{2}(?:_[0-9]{2}(?:-[0-9]{2}){0,2})?)"
    r"(?:\.(?P<tie>[1-9][0-9]{0,4}))?"
)


@dataclass(frozen=True, slots=True)
class Backup:
    """One backup, plain or compressed, as its name tells it.

    Attributes:
        directory: Where it lies.
        name: Its file name.
        plain: Its file name without the suffix of compression; a plain backup and
            the compressed form of it share this.
        suffix: ``""`` (plain), or how it is compressed, one of `SUFFIXES`.
        time_ms: Time of rotation in milliseconds since the epoch, from the name;
            None in the stdlib dialect.
        index: Place in the row, 1 is the newest, from the name; in the stdlib dialect
            only.
        is_dated: It is of the dated dialect, and `time_ms` is when it began, in what
            zone the name doesn't tell.
        tie: Tells backups of one date apart, a higher one is newer; 0 is none. In the
            dated dialect only.
    """

    directory: str
    name: str
    plain: str
    suffix: str
    time_ms: int | None = None
    index: int | None = None
    is_dated: bool = False
    tie: int = 0

    @property
    def dialect(self) -> Dialect:
        """The dialect that its name is of."""
        if self.index is not None:
            return "stdlib"
        return "dated" if self.is_dated else "lumberjack"

    @property
    def path(self) -> str:
        """Where to open it."""
        return os.path.join(self.directory, self.name)

    def written_ms(self, now_ms: int) -> int | None:
        """Return when its last line was written, in milliseconds since the epoch.

        The name tells it; where the name holds no such time, or one later than
        *now_ms*, the file's times do, unless they are later, too. A file that has gone
        in the meantime counts as written at the epoch.

        Returns:
            None: nobody can tell.

        Raises:
            OSError: The file is there but can't be examined.
        """
        if self.time_ms is not None and not self.is_dated and self.time_ms <= now_ms:
            return self.time_ms
        try:
            status = os.lstat(self.path)
        except FileNotFoundError:
            return 0
        # The kernel's own time can't be set by anybody, but it moves with each rename.
        for time_ns in (status.st_mtime_ns, status.st_ctime_ns):
            if time_ns // 1_000_000 <= now_ms:
                return time_ns // 1_000_000
        return None

    def size_bytes(self) -> int:
        """Return its size on disk in bytes, 0 if it has gone in the meantime.

        Raises:
            OSError: The file is there but can't be examined.
        """
        try:
            return os.lstat(self.path).st_size
        except FileNotFoundError:
            return 0


@dataclass(frozen=True, slots=True)
class Listing:
    """What one look into the directory found of one log.

    Attributes:
        backups: Newest first; of one backup the plain form first.
        temps: Paths of half-made compressed backups, in no order.
    """

    backups: tuple[Backup, ...]
    temps: tuple[str, ...]


def list_backups(
    directory: str | os.PathLike[str], name: str, dialect: Dialect
) -> list[Backup]:
    """List the backups of the log *name* in *directory*, newest first.

    Directories, symbolic links and special files are no backups, whatever their
    name.

    Raises:
        OSError: The directory can't be read.
    """
    return list(scan_backups(directory, name, dialect).backups)


def scan_backups(
    directory: str | os.PathLike[str], name: str, dialect: Dialect
) -> Listing:
    """List the backups of the log *name* and the temporary files made for them.

    Raises:
        OSError: The directory can't be read.
    """
    place = os.fspath(directory)
    backups: list[Backup] = []
    temps: list[str] = []
    for file_name in _regular_files(place):
        if backup := parse_backup(place, file_name, name, dialect):
            backups.append(backup)
        elif _is_temp(place, file_name, name, dialect):
            temps.append(os.path.join(place, file_name))
    backups.sort(key=_newest_first)
    return Listing(tuple(backups), tuple(temps))


def parse_backup(
    directory: str, file_name: str, name: str, dialect: Dialect
) -> Backup | None:
    """Read a file's name as that of a backup of the log *name*; None if it is none."""
    match = _grammar(name, dialect).fullmatch(file_name)
    if match is None:
        return None
    suffix = match["suffix"]
    plain = file_name.removesuffix(suffix)
    if dialect == "stdlib":
        return Backup(directory, file_name, plain, suffix, index=int(match["index"]))
    is_dated = dialect == "dated"
    time_ms = (_parse_date if is_dated else _parse_time)(match["time"])
    if time_ms is None:
        return None
    return Backup(
        directory,
        file_name,
        plain,
        suffix,
        time_ms=time_ms,
        is_dated=is_dated,
        tie=int(match["tie"] or 0) if is_dated else 0,
    )


def names_behind(backup: Backup) -> Iterator[str]:
    """Yield plain names that stand right behind that of *backup*, a newer one's.

    Not in the stdlib dialect: there every number has its place in the row.
    """
    if backup.is_dated:
        dated = backup.plain.removesuffix(f".{backup.tie}" if backup.tie else "")
        for tie in range(backup.tie + 1, TIE_MAX + 1):
            yield f"{dated}.{tie}"
        return
    assert backup.time_ms is not None
    stem, extension = backup.plain.rsplit(time_text(backup.time_ms), 1)
    # At the end of all times there is only the way back.
    last_ms = min(backup.time_ms + TIE_MAX, TIME_MAX_MS)
    behind = range(backup.time_ms + 1, last_ms + 1)
    for time_ms in behind or range(backup.time_ms - 1, backup.time_ms - TIE_MAX, -1):
        yield f"{stem}{time_text(time_ms)}{extension}"


def time_text(time_ms: int) -> str:
    """Return a time as lumberjack has it in names."""
    moment = _EPOCH + timedelta(milliseconds=time_ms)
    millis = moment.microsecond // 1000
    return f"{moment:%Y-%m-%dT%H-%M-%S}.{millis:03}".rjust(23, "0")


def temp_name(name: str) -> str:
    """Name the temporary file in which the compressed backup *name* is made.

    It begins with a dot and matches no grammar of backups, so that neither we nor a
    shell pattern take a half-made file for a backup.
    """
    return f".{name}.tmp"


def _regular_files(directory: str) -> Iterator[str]:
    with os.scandir(directory) as files:
        for file in files:
            if file.is_file(follow_symlinks=False):
                yield file.name


def _is_temp(directory: str, file_name: str, name: str, dialect: Dialect) -> bool:
    if not (file_name.startswith(".") and file_name.endswith(".tmp")):
        return False
    backup = parse_backup(directory, file_name[1 : -len(".tmp")], name, dialect)
    return backup is not None and backup.suffix in _OWN_SUFFIXES


@lru_cache(maxsize=16)
def _grammar(name: str, dialect: Dialect) -> re.Pattern[str]:
    if dialect == "stdlib":
        return re.compile(rf"{re.escape(name)}\.{_INDEX}{_SUFFIX}")
    if dialect == "dated":
        return re.compile(rf"{re.escape(name)}\.{_DATE}{_SUFFIX}")
    # The extension starts at the last dot even if that is the first character, as
    # lumberjack has it: ".hidden" is all extension and its stem is empty.
    dot = name.rfind(".")
    stem, extension = (name[:dot], name[dot:]) if dot >= 0 else (name, "")
    return re.compile(rf"{re.escape(stem)}-{_TIME}{re.escape(extension)}{_SUFFIX}")


@lru_cache(maxsize=1024)
def _parse_time(text: str) -> int | None:
    """Return milliseconds since the epoch, None if there is no such date."""
    try:
        time = datetime(
            int(text[0:4]),
            int(text[5:7]),
            int(text[8:10]),
            int(text[11:13]),
            int(text[14:16]),
            int(text[17:19]),
            int(text[20:23]) * 1000,
            tzinfo=UTC,
        )
    except ValueError:
        return None
    return (time - _EPOCH) // _MILLISECOND


@lru_cache(maxsize=1024)
def _parse_date(text: str) -> int | None:
    """Return milliseconds since the epoch, None if there is no such date."""
    form = "%Y-%m-%d_%H-%M-%S"[: len(text) - 2]
    try:
        time = datetime.strptime(text, form).replace(tzinfo=UTC)
    except ValueError:
        return None
    return (time - _EPOCH) // _MILLISECOND


def _newest_first(backup: Backup) -> tuple[int, int, str]:
    if backup.index is not None:
        return backup.index, 0, backup.suffix
    return -(backup.time_ms or 0), -backup.tie, backup.suffix
