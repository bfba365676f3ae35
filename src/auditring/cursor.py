"""How far a follower of a log got: `Cursor`."""

from .files.cursor import (
    PREFIX_BYTES,
    Cursor,
    CursorFile,
    Mark,
)

__all__ = [
    "PREFIX_BYTES",
    "Cursor",
    "CursorFile",
    "Mark",
]
