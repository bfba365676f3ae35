"""logging.handlers.MemoryHandler: records are kept and handed on a thousand at once."""

import logging
from logging.handlers import MemoryHandler as Handler

from loggers import BARE, FORMAT, logger_of
from rivals.contender import Place
from rivals.rotating_file_handler import RotatingFileHandler

__all__ = ["MemoryHandler"]

CAPACITY = 1000


class MemoryHandler(RotatingFileHandler):
    def open(self, place: Place) -> None:
        self._handler = self._make(place)
        layout = FORMAT if place.has_layout else BARE
        self._handler.setFormatter(logging.Formatter(layout))
        self._memory = Handler(CAPACITY, target=self._handler)
        logger = logger_of(self._memory, has_layout=False)
        self.emit_text = self.log = logger.info

    def drain(self) -> None:
        self._memory.flush()
        self._handler.flush()

    def close(self) -> None:
        self._memory.close()
        self._handler.close()
