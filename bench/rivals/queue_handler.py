"""QueueHandler and QueueListener: a thread of Python writes for the others."""

import logging
from logging.handlers import QueueHandler as Handler
from logging.handlers import QueueListener
from queue import SimpleQueue

from loggers import BARE, FORMAT, logger_of
from rivals.contender import Place
from rivals.rotating_file_handler import RotatingFileHandler

__all__ = ["QueueHandler"]


class QueueHandler(RotatingFileHandler):
    """The listener hands on to a RotatingFileHandler; the queue has no limit."""

    def open(self, place: Place) -> None:
        self._handler = self._make(place)
        layout = FORMAT if place.has_layout else BARE
        self._handler.setFormatter(logging.Formatter(layout))
        queue: SimpleQueue[logging.LogRecord] = SimpleQueue()
        self._listener: QueueListener | None = QueueListener(queue, self._handler)
        self._listener.start()
        # prepare() puts the formatted message in place of the record's own, so the
        # layout is the listener's.
        logger = logger_of(Handler(queue), has_layout=False)
        self.emit_text = self.log = logger.info

    def drain(self) -> None:
        if self._listener is not None:
            self._listener.stop()
            self._listener = None
        self._handler.flush()

    def close(self) -> None:
        self.drain()
        self._handler.close()
