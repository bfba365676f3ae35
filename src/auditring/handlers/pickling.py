"""Handlers in pickles: their configuration, which opens the log where it arrives."""

import logging
from collections.abc import Collection
from typing import Any, Protocol

__all__ = ["PickledHandler", "reduce_handler"]


class PickledHandler(Protocol):
    """What a handler must have to be made anew."""

    def set_name(self, name: str) -> None:
        """See `logging.Handler`."""

    def _resume(self) -> None:
        """Make what was left out, once all other attributes are there."""


def reduce_handler(
    handler: PickledHandler, left_out: Collection[str]
) -> tuple[Any, ...]:
    """Return what `__reduce__` returns for a handler.

    Args:
        handler: Its attributes are kept; copying needs no more than pickling does.
        left_out: Those attributes that `_resume` makes, or `logging.Handler`.
    """
    kept = {
        name: value for name, value in vars(handler).items() if name not in left_out
    }
    return _remake, (type(handler), kept)


def _remake(kind: type[PickledHandler], kept: dict[str, Any]) -> PickledHandler:
    handler = kind.__new__(kind)
    logging.Handler.__init__(handler)  # type: ignore[arg-type]  # which it is
    name = kept.pop("_name", None)
    for attribute, value in kept.items():
        setattr(handler, attribute, value)
    handler._resume()
    # A handler of that name may be in use here.
    if name and name not in vars(logging)["_handlers"]:
        handler.set_name(name)
    return handler
