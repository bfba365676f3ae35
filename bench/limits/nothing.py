"""Contenders that write no file: what is left is the work that nobody can leave out."""

import logging
from pathlib import Path

import orjson
from loggers import logger_of
from rivals.contender import Contender, Form, Place

__all__ = ["CCall", "NullHandler", "OrjsonDumps"]


class _WithoutFiles(Contender):
    is_slow = False

    def drain(self) -> None:
        """Nothing is on its way."""

    @classmethod
    def files(cls, folder: Path) -> list[Path]:
        return []


class NullHandler(_WithoutFiles):
    """logging.NullHandler: what the standard logger costs by itself."""

    forms = frozenset[Form]({"text"})

    def open(self, place: Place) -> None:
        self.emit_text = logger_of(logging.NullHandler()).info


class CCall(_WithoutFiles):
    """A bare call of a C function with one argument: no cheaper call takes a line."""

    forms = frozenset[Form]({"bytes"})

    def open(self, place: Place) -> None:
        self.emit_bytes = len


class OrjsonDumps(_WithoutFiles):
    """orjson.dumps alone: the limit for whoever writes events as JSON."""

    forms = frozenset[Form]({"dict"})

    def open(self, place: Place) -> None:
        self.emit_dict = orjson.dumps
