"""structlog with orjson, as its page on performance sets it up; it doesn't rotate."""

import logging
from pathlib import Path
from typing import Any

import orjson
from rivals.contender import Contender, Form, Place

__all__ = ["Structlog"]


class Structlog(Contender):
    distribution = "structlog"
    forms = frozenset[Form]({"text", "dict", "bytes"})

    def open(self, place: Place) -> None:
        import structlog

        self._file = (place.folder / "app.log").open("ab")
        factory = structlog.BytesLoggerFactory(file=self._file)
        if place.has_layout:
            processors: list[Any] = [
                structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S"),
                _line_of_text,
            ]
        else:
            processors = [structlog.processors.JSONRenderer(serializer=orjson.dumps)]
        logger = structlog.wrap_logger(
            factory(),
            processors=processors,
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            cache_logger_on_first_use=True,
        ).bind()
        self.emit_text = logger.info
        self._info = logger.info
        # A ready line needs none of its processors.
        self._raw = factory().msg

    def emit_dict(self, event: dict[str, Any]) -> None:
        self._info(None, **event)

    def emit_bytes(self, line: bytes) -> None:
        self._raw(line[:-1])

    def drain(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()

    @classmethod
    def files(cls, folder: Path) -> list[Path]:
        return [folder / "app.log"]


def _line_of_text(logger: object, method: str, event: dict[str, Any]) -> bytes:
    return f"{event['timestamp']} {method.upper()} app.views {event['event']}".encode()
