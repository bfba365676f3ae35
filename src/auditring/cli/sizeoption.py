"""Sizes on the command line: megabytes, or a number with its unit."""

import re

import click

__all__ = ["Size", "shown_size"]

_FORM = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([kmgt])(?:i?b)?)?", re.IGNORECASE)
_BYTES = re.compile(r"(\d+)\s*b(?:ytes)?", re.IGNORECASE)
_UNITS = {"k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_MEGABYTE = 2**20


class Size(click.ParamType[int]):
    """A size in bytes; ``5`` is 5 MB, ``512K`` and ``1.5G`` say it themselves.

    Units are powers of 1024, with or without an i and a B.
    """

    name = "size"

    def __init__(self, low: int = 0, high: int | None = None) -> None:
        """Take the limits, in bytes."""
        self._low = low
        self._high = high

    def convert(
        self,
        value: str | int,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> int:
        """Read a size; a default is in bytes already."""
        if isinstance(value, int):
            return value
        size = _bytes_of(value.strip())
        if size is None:
            self.fail(f"{value!r} is no size, such as 100, 512K or 2G", param, ctx)
        if size < self._low or (self._high is not None and size > self._high):
            limits = f"at least {shown_size(self._low)}"
            if self._high is not None:
                limits += f" and at most {shown_size(self._high)}"
            self.fail(f"{value!r} is not {limits}", param, ctx)
        return size


def shown_size(size: int) -> str:
    """Return *size* as it might be written."""
    for unit, factor in reversed(_UNITS.items()):
        if size and size % factor == 0:
            return f"{size // factor}{unit.upper()}"
    return f"{size}B"


def _bytes_of(text: str) -> int | None:
    plain = _BYTES.fullmatch(text)
    if plain is not None:
        return int(plain[1])
    form = _FORM.fullmatch(text)
    if form is None:
        return None
    unit = form[2]
    factor = _MEGABYTE if unit is None else _UNITS[unit.lower()]
    return int(float(form[1]) * factor)
