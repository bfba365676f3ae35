"""The standard library's logger, with the usual text format or the bare message."""

import logging
from collections.abc import Callable
from typing import Any

import orjson

__all__ = ["BARE", "DATE", "FORMAT", "NAME", "TakesText", "logger_of"]

FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"
DATE = "%Y-%m-%d %H:%M:%S"
BARE = "%(message)s"
NAME = "app.views"


def logger_of(
    handler: logging.Handler,
    kind: type[logging.Logger] = logging.Logger,
    *,
    has_layout: bool = True,
) -> logging.Logger:
    """Return a logger below a root of its own, as getLogger does."""
    root = logging.RootLogger(logging.INFO)
    root.manager = logging.Manager(root)
    root.manager.setLoggerClass(kind)
    handler.setFormatter(logging.Formatter(FORMAT if has_layout else BARE))
    root.addHandler(handler)
    return root.manager.getLogger(NAME)


class TakesText:
    """Whoever takes text only, and ends a line by itself, gets events as text.

    `log` is what logs a ready message without formatting it any further.
    """

    log: Callable[[str], object]

    def emit_dict(self, event: dict[str, Any]) -> None:
        self.log(orjson.dumps(event).decode())

    def emit_bytes(self, line: bytes) -> None:
        self.log(line[:-1].decode())
