"""How far a follower of a log got: a file, known by its first bytes, and an offset.

Names don't tell files apart for long: a rotation renames, the mill compresses. What
stays is what a file begins with, uncompressed. A cursor can be kept in a file.
"""

import contextlib
import hashlib
import os
import re
import stat
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

import orjson

from ..documents.namedfile import open_named, refuse_special
from ..errors import CursorError
from ..process._nativethread import close
from .cursor_hint import CursorNote

__all__ = ["PREFIX_BYTES", "Cursor", "CursorFile", "Mark"]

# A mark covers so many bytes at most, and no more than were taken from the file: what
# was taken stays as it is, even when an unfinished batch is cut off behind it.
PREFIX_BYTES: Final = 1024

_VERSION: Final = 1
_SHA256: Final = re.compile("[0-9a-f]{64}")
_FILE_MAX_BYTES: Final = 64 * 1024
# Should somebody put a FIFO there, opening it must not wait.
_FLAGS: Final = (
    os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
)


@dataclass(frozen=True, slots=True)
class Mark:
    """What a file of a log is known by, whatever its name and compression.

    Attributes:
        sha256: Digest, in hex, of the first bytes, uncompressed.
        prefix_bytes: How many, 1 to `PREFIX_BYTES`.
        inode: The file's number, while it isn't compressed: a hint where to look.
        mtime_ns: When it was last written to, as far as known: it is no older than
            that. Compressing keeps it.
    """

    sha256: str
    prefix_bytes: int
    inode: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place between two bytes of a log, which outlives rotation and compression.

    The default is the place before everything.

    Attributes:
        mark: The file that the last line was taken from; None: there is none yet.
        offset: How much of it was taken, in bytes, uncompressed.
        previous: The file before, where one is known. If *mark* is None, or its file
            is gone, the place is behind this one.
    """

    mark: Mark | None = None
    offset: int = 0
    previous: Mark | None = None

    def to_json(self) -> str:
        """Return it as one line of JSON, with its newline."""
        line = orjson.dumps({"version": _VERSION, **asdict(self)})
        return line.decode() + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read what `to_json` returned.

        Raises:
            CursorError: It is something else; the text names field and value.
        """
        try:
            fields = orjson.loads(text)
        except ValueError:
            raise CursorError(f"expected a cursor in JSON, got {text!r:.80}") from None
        if not isinstance(fields, dict):
            raise CursorError(f"expected a cursor in JSON, got {fields!r:.80}")
        if fields.get("version") != _VERSION:
            raise CursorError(
                f"version: expected {_VERSION}, got {fields.get('version')!r:.80}"
            )
        return cls(
            mark=_read_mark(fields, "mark"),
            offset=_read_count(fields, "offset", "offset"),
            previous=_read_mark(fields, "previous"),
        )


def _read_mark(fields: dict[str, Any], name: str) -> Mark | None:
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, dict):
        raise CursorError(f"{name}: expected null or an object, got {value!r:.80}")
    digest = value.get("sha256")
    if not (isinstance(digest, str) and _SHA256.fullmatch(digest)):
        raise CursorError(f"{name}.sha256: expected 64 hex digits, got {digest!r:.80}")
    prefix_bytes = _read_count(value, "prefix_bytes", f"{name}.prefix_bytes")
    if not 1 <= prefix_bytes <= PREFIX_BYTES:
        raise CursorError(
            f"{name}.prefix_bytes: expected 1 to {PREFIX_BYTES}, got {prefix_bytes}"
        )
    return Mark(
        digest,
        prefix_bytes,
        _read_count(value, "inode", f"{name}.inode"),
        _read_count(value, "mtime_ns", f"{name}.mtime_ns"),
    )


def _read_count(fields: dict[str, Any], name: str, place: str) -> int:
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise CursorError(f"{place}: expected a whole number, got {value!r:.80}")
    if not 0 <= value < 2**63:
        raise CursorError(f"{place}: expected 0 to 2**63, got {value}")
    return value


class CursorFile:
    """A file that holds one cursor, the old one or the new one and never a half.

    One process at a time may save to it. Beside it there may be a `CursorNote`, whose
    name is hidden.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        directory, name = os.path.split(os.path.abspath(self.path))
        self._directory = directory
        self._temp = os.path.join(directory, f".{name}.tmp")
        self._note = CursorNote(os.path.join(directory, f".{name}.note"))
        # What stands for the file as it was saved last; empty if it wasn't.
        self._base = ""

    def load(self) -> Cursor | None:
        """Return the cursor that was saved or noted last, None if none was.

        Raises:
            CursorError: The file holds something else.
            OSError: It can't be read.
        """
        try:
            fd = open_named(self.path)
        except FileNotFoundError:
            return None
        try:
            # More than any cursor takes shows that it is none.
            text = os.read(fd, _FILE_MAX_BYTES)
            base = _base_of(text, os.fstat(fd))
        finally:
            close(fd)
        try:
            cursor = Cursor.from_json(text)
        except CursorError as error:
            raise CursorError(f"{self.path}: {error}") from None
        noted = self._note.read(base)
        return cursor if noted is None else Cursor.from_json(noted)

    def save(self, cursor: Cursor) -> None:
        """Put *cursor* into the file, and see to it that the disk has it.

        After a loss of power it may be the one before: then its name is that one's.

        Raises:
            OSError: It can't be saved; the file still holds the one before.
        """
        is_new = self._is_new()
        text = cursor.to_json().encode()
        fd = os.open(self._temp, _FLAGS, 0o600)
        try:
            os.write(fd, text)
            os.fsync(fd)
            base = _base_of(text, os.fstat(fd))
            os.rename(self._temp, self.path)
        except OSError as error:
            # write() and fsync() don't say which file.
            error.filename = error.filename or self.path
            with contextlib.suppress(OSError):
                os.unlink(self._temp)
            raise
        finally:
            close(fd)
        self._base = base
        if is_new:
            self._sync_directory()

    def note(self, cursor: Cursor) -> None:
        """Have `load` return *cursor*, even after a kill -9, until the next `save`.

        It doesn't wait for the disk. After a loss of power it may be what was saved.

        Raises:
            OSError: It can't be noted.
        """
        if self._base:
            self._note.write(self._base, cursor.to_json())
        else:
            self.save(cursor)

    def remove(self) -> bool:
        """Remove the file, and the note; tell whether there was one.

        Raises:
            OSError: It can't be removed.
        """
        self._base = ""
        try:
            os.unlink(self.path)
        except FileNotFoundError:
            return False
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._note.path)
        return True

    def _is_new(self) -> bool:
        """Tell whether there is no file yet; nothing else is replaced by one."""
        try:
            status = os.lstat(self.path)
        except FileNotFoundError:
            return True
        if not stat.S_ISLNK(status.st_mode):
            refuse_special(self.path, status)
        return False

    def _sync_directory(self) -> None:
        directory = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            close(directory)


def _base_of(text: bytes, status: os.stat_result) -> str:
    """Return what stands for a file with *text*, and not for another one like it."""
    number = b"%d %d" % (status.st_ino, status.st_mtime_ns)
    return hashlib.sha256(text + number).hexdigest()
