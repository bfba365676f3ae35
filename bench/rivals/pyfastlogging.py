"""pyfastlogging, written in Rust, with its thread that writes."""

from pathlib import Path

from logfiles import numbered_files
from loggers import TakesText
from rivals.contender import Contender, Place
from rivals.rotating_file_handler import BACKUP_COUNT

__all__ = ["Pyfastlogging"]


class Pyfastlogging(TakesText, Contender):
    distribution = "pyfastlogging"
    rotates = True
    is_slow = False
    # No setting leaves it out.
    start = rb"\S+ \S+ app: I "

    def open(self, place: Place) -> None:
        from pyfastlogging import INFO, FileWriterConfig, Logging

        path = str(place.folder / "app.log")
        size = place.max_bytes or None
        writer = FileWriterConfig(INFO, path, size, BACKUP_COUNT)
        self._logging: Logging | None = Logging(INFO, "app", [writer])
        self.log = self._logging.info

    def emit_text(self, message: str, *values: object) -> None:
        self.log(message % values)

    def close(self) -> None:
        if self._logging is not None:
            self._logging.shutdown()
            self._logging = None

    @classmethod
    def files(cls, folder: Path) -> list[Path]:
        return numbered_files(folder / "app.log")
