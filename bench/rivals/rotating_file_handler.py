"""logging.handlers.RotatingFileHandler, with its documentation's recipe for gzip."""

import gzip
import logging
import os
import shutil
from logging.handlers import RotatingFileHandler as Handler
from pathlib import Path

from logfiles import numbered_files
from loggers import TakesText, logger_of
from rivals.contender import Contender, Place

__all__ = ["RotatingFileHandler"]

# More than a run makes, so that none is deleted before it is counted.
BACKUP_COUNT = 1000


class RotatingFileHandler(TakesText, Contender):
    rotates = True
    compresses = True

    def open(self, place: Place) -> None:
        self._handler = self._make(place)
        logger = logger_of(self._handler, has_layout=place.has_layout)
        self.emit_text = self.log = logger.info

    def drain(self) -> None:
        self._handler.flush()

    def close(self) -> None:
        self._handler.close()

    @classmethod
    def files(cls, folder: Path) -> list[Path]:
        return numbered_files(folder / "app.log")

    def _make(self, place: Place) -> logging.Handler:
        handler = Handler(
            place.folder / "app.log",
            maxBytes=place.max_bytes,
            backupCount=BACKUP_COUNT,
        )
        if place.compresses:
            handler.namer = lambda name: f"{name}.gz"
            handler.rotator = compress
        return handler


def compress(source: str, target: str) -> None:
    """Do what the logging cookbook shows: gzip in the thread that logs."""
    with open(source, "rb") as plain, gzip.open(target, "wb") as packed:
        shutil.copyfileobj(plain, packed)
    os.remove(source)
