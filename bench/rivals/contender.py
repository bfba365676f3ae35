"""What the harness asks of whoever writes lines to files: ours, rivals and limits."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

__all__ = ["Contender", "Form", "Place"]

Form = Literal["text", "dict", "bytes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a contender writes, and how.

    Attributes:
        folder: Exists and is empty.
        max_bytes: Size at which a file is rotated, by those who rotate; 0 is never.
        compresses: Whether backups become gzip, where the contender can.
        has_layout: Whether time, level and name stand before each message; else the
            line is the message.
        ring_bytes: Size of the ring, of those who have one.
    """

    folder: Path
    max_bytes: int = 0
    compresses: bool = False
    has_layout: bool = False
    ring_bytes: int = 8 * 1024 * 1024


class Contender:
    """A small adapter: open, emit_text, emit_dict, emit_bytes, drain, close.

    A library is imported when it is opened, so the adapter can be asked for its files
    where the library is absent. `open` may set the emit methods to the library's own
    callables, so that no call of ours is measured.

    Attributes:
        distribution: What pip calls it; None if nothing has to be installed.
        forms: What it takes: text to format, a dict, a ready line.
        rotates: It makes backups of the size that is asked for.
        compresses: It compresses them to gzip, by itself or by its usual recipe.
        shares: Its authors say that several processes may write one log.
        is_slow: It gets fewer lines, or the run would take too long.
        start: A regular expression for what it puts before each message unasked.
    """

    distribution: ClassVar[str | None] = None
    forms: ClassVar[frozenset[Form]] = frozenset({"text", "dict", "bytes"})
    rotates: ClassVar[bool] = False
    compresses: ClassVar[bool] = False
    shares: ClassVar[bool] = False
    is_slow: ClassVar[bool] = True
    start: ClassVar[bytes] = b""

    emit_text: Callable[..., object]
    """Takes a message with %-placeholders, and values for them."""
    emit_dict: Callable[[dict[str, Any]], object]
    """Takes an event and writes it as one line of JSON, as orjson makes it."""
    emit_bytes: Callable[[bytes], object]
    """Takes a ready line with its newline."""

    def open(self, place: Place) -> None:
        raise NotImplementedError

    def drain(self) -> None:
        """Return when every line that was emitted is with the kernel."""
        self.close()

    def close(self) -> None:
        """Give up what was opened; once more does nothing."""

    @classmethod
    def recover(cls, place: Place) -> None:
        """Finish what a killed process left at *place*; most have nothing for that."""

    @classmethod
    def files(cls, folder: Path) -> list[Path]:
        """Return the files of a log in *folder*, the oldest first."""
        raise NotImplementedError
