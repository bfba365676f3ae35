"""picologging: the standard library's logging, rewritten in C++."""

from pathlib import Path

from logfiles import numbered_files
from loggers import BARE, DATE, FORMAT, NAME, TakesText
from rivals.contender import Contender, Place
from rivals.rotating_file_handler import BACKUP_COUNT, compress

__all__ = ["Picologging"]


class Picologging(TakesText, Contender):
    distribution = "picologging"
    rotates = True
    compresses = True

    def open(self, place: Place) -> None:
        import picologging
        from picologging.handlers import RotatingFileHandler

        self._handler = RotatingFileHandler(
            place.folder / "app.log",
            maxBytes=place.max_bytes,
            backupCount=BACKUP_COUNT,
        )
        if place.compresses:
            self._handler.namer = lambda name: f"{name}.gz"
            self._handler.rotator = compress
        layout = FORMAT if place.has_layout else BARE
        # With a date format of its own: without one it writes bytes of its memory.
        self._handler.setFormatter(picologging.Formatter(layout, DATE))
        logger = picologging.Logger(NAME, picologging.INFO)
        logger.addHandler(self._handler)
        self.emit_text = self.log = logger.info

    def drain(self) -> None:
        self._handler.flush()

    def close(self) -> None:
        self._handler.close()

    @classmethod
    def files(cls, folder: Path) -> list[Path]:
        return numbered_files(folder / "app.log")
