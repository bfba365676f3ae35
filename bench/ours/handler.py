"""auditring.handlers.RotatingFileHandler below the standard logger, and install()."""

import logging
from pathlib import Path

from logfiles import numbered_files
from loggers import logger_of
from ours.logged import Logged
from rivals.contender import Form, Place
from rivals.rotating_file_handler import BACKUP_COUNT

__all__ = ["OurHandler", "OurInstalledHandler"]


class OurHandler(Logged):
    """The drop-in handler: nothing but its import changes in a program."""

    forms = frozenset[Form]({"text"})

    def open(self, place: Place) -> None:
        from auditring.handlers import RotatingFileHandler

        self._handler = RotatingFileHandler(
            place.folder / "app.log",
            maxBytes=place.max_bytes,
            backupCount=BACKUP_COUNT,
            compress="gzip" if place.compresses else None,
        )
        kind = self._logger_class()
        logger = logger_of(self._handler, kind, has_layout=place.has_layout)
        self.emit_text = logger.info

    def drain(self) -> None:
        self._handler.flush()

    def close(self) -> None:
        self._handler.close()

    @classmethod
    def files(cls, folder: Path) -> list[Path]:
        return numbered_files(folder / "app.log")

    def _logger_class(self) -> type[logging.Logger]:
        return logging.Logger


class OurInstalledHandler(OurHandler):
    """The same after `auditring.handlers.install()`, which gives loggers this class."""

    def _logger_class(self) -> type[logging.Logger]:
        from auditring.handlers.install import FastLogger

        return FastLogger
