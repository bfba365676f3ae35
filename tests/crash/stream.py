"""A stream: the numbered lines that one thread writes.

Every byte of a line follows from its stream and its number, so whoever reads a line can
make it again and compare: a torn line or one made of two is never equal.
"""

import re

__all__ = ["make_line", "parse_line"]

_HEAD = re.compile(rb'\{"stream":([0-9]+),"number":([0-9]+),')

# Bytes of padding, in turn. Sizes of audit events, and now and then one that the writer
# treats apart: it takes lines of 4 KiB and more from the ring without copying them.
_SIZES = (40, 350, 700, 120, 900, 250, 1500, 60, 480, 800, 5000, 200, 640)
_ALPHABET = b"abcdefghijklmnopqrstuvwxyz0123456789"
_TEXT = bytes(_ALPHABET[i * i % 36] for i in range(6000))
_PADDINGS = tuple(
    _TEXT[7 * i : 7 * i + _SIZES[i % len(_SIZES)]] for i in range(10 * len(_SIZES))
)
_COUNT = len(_PADDINGS)


def make_line(stream: int, number: int) -> bytes:
    """Return the line of *stream* that *number* others stand before."""
    padding = _PADDINGS[(7 * stream + number) % _COUNT]
    return b'{"stream":%d,"number":%d,"padding":"%b"}\n' % (stream, number, padding)


def parse_line(line: bytes) -> tuple[int, int] | None:
    """Return stream and number of a line, None if it isn't exactly as it was made."""
    head = _HEAD.match(line)
    if head is None:
        return None
    stream, number = int(head[1]), int(head[2])
    return (stream, number) if line == make_line(stream, number) else None
