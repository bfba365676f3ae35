"""Where a follower got since it saved its cursor, for whoever comes after a kill -9.

To save a cursor takes a wait for the disk, so much is printed between two of them. A
note takes no wait: the kernel has it, so it outlives the process, though perhaps not
the machine. It counts only beside the very file that was there when it was written.
"""

import hashlib
import os
from typing import Final

from ..process._nativethread import close

__all__ = ["CursorNote"]

# A note has one size, so that it is written over the one before in one piece. A cursor
# with two marks of the largest numbers takes some 600 bytes.
NOTE_BYTES: Final = 1024

# Should somebody put a FIFO there, opening it must not wait.
_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_READ_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class CursorNote:
    """A note beside a cursor file; one process at a time may write it."""

    def __init__(self, path: str) -> None:
        self.path = path

    def write(self, base: str, text: str) -> None:
        """Write down *text* instead of what was there.

        Args:
            base: What stands for the file that the note belongs to, without a space.
            text: A line.

        Raises:
            OSError: It can't be written.
        """
        noted = f"{base} {text}".rstrip("\n").encode()
        note = b"%s %s" % (_digest(noted), noted)
        assert len(note) < NOTE_BYTES
        fd = os.open(self.path, _FLAGS, 0o600)
        try:
            os.pwrite(fd, note.ljust(NOTE_BYTES - 1) + b"\n", 0)
        finally:
            close(fd)

    def read(self, base: str) -> bytes | None:
        """Return the text, None if there is no whole note that belongs to *base*.

        Raises:
            OSError: It can't be read.
        """
        try:
            fd = os.open(self.path, _READ_FLAGS)
        except FileNotFoundError:
            return None
        try:
            note = os.pread(fd, NOTE_BYTES, 0)
        finally:
            close(fd)
        digest, _, noted = note.rstrip().partition(b" ")
        owner, _, text = noted.partition(b" ")
        is_ours = owner == base.encode() and digest == _digest(noted)
        return text if is_ours else None


def _digest(noted: bytes) -> bytes:
    return hashlib.sha256(noted).hexdigest().encode()
