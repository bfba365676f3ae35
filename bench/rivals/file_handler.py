"""logging.FileHandler: one file that is never rotated."""

import logging
from pathlib import Path

from logfiles import numbered_files
from loggers import TakesText, logger_of
from rivals.contender import Contender, Place

__all__ = ["FileHandler"]


class FileHandler(TakesText, Contender):
    def open(self, place: Place) -> None:
        self._handler = logging.FileHandler(place.folder / "app.log")
        logger = logger_of(self._handler, has_layout=place.has_layout)
        self.emit_text = self.log = logger.info

    def drain(self) -> None:
        self._handler.flush()

    def close(self) -> None:
        self._handler.close()

    @classmethod
    def files(cls, folder: Path) -> list[Path]:
        return numbered_files(folder / "app.log")
