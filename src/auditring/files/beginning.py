"""What a file of a log begins with, uncompressed: that stays whatever its name is."""

import io
import os

from .formats import DamagedError
from .unpacking import unpack

__all__ = ["digest", "prefix_of"]


def prefix_of(fd: int, suffix: str, size: int) -> bytes:
    """Return the first *size* bytes of a file, uncompressed, fewer if it has no more.

    Raises:
        OSError: It can't be read.
    """
    if not suffix or not size:
        return os.pread(fd, size, 0)
    prefix = b""
    with memoryview(bytearray(size)) as view, io.FileIO(fd, closefd=False) as file:
        file.seek(0)
        try:
            for chunk in unpack(suffix, file, view):
                prefix += chunk[: size - len(prefix)]
                if len(prefix) == size:
                    break
        except DamagedError:
            pass  # What came before is what it begins with.
    return prefix


def digest(prefix: bytes) -> str:
    """Return the digest of a file's first bytes, as marks have it."""
    import hashlib  # Here: a log is opened without it, and it loads all of OpenSSL.

    return hashlib.sha256(prefix).hexdigest()
