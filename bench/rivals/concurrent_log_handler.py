"""concurrent-log-handler: the standard library's rotation behind a file lock."""

import logging

from rivals.contender import Place
from rivals.rotating_file_handler import BACKUP_COUNT, RotatingFileHandler

__all__ = ["ConcurrentLogHandler"]


class ConcurrentLogHandler(RotatingFileHandler):
    distribution = "concurrent-log-handler"
    shares = True

    def _make(self, place: Place) -> logging.Handler:
        from concurrent_log_handler import ConcurrentRotatingFileHandler

        handler: logging.Handler = ConcurrentRotatingFileHandler(
            str(place.folder / "app.log"),
            maxBytes=place.max_bytes,
            backupCount=BACKUP_COUNT,
            use_gzip=place.compresses,
        )
        return handler
