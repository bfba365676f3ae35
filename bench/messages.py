"""Numbered messages of several producers, and the account of those in the files."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from lines import Account, read_lines

__all__ = ["MESSAGE", "account_of_messages", "emit_messages"]

MESSAGE = "request p%d took %d ms"
# What may stand before a message is the contender's own layout: without the words of
# another message in it, or the line is two that ran into each other.
LINE = re.compile(rb"((?:(?!request ).)*)request p([0-9]+) took ([0-9]+) ms\n")
TIME = re.compile(rb"\D{0,8}(?:\d\d)?\d\d[-.]\d\d[-.]\d\d[ T]\d\d:\d\d:\d\d")


def emit_messages(emit: Callable[..., object], producer: int, count: int) -> None:
    for number in range(count):
        emit(MESSAGE, producer, number)


def account_of_messages(
    files: Iterable[Path],
    counts: dict[int, int],
    *,
    has_time: bool = True,
    in_flight: int = 0,
) -> Account:
    """Compare the messages in *files* with those that were emitted.

    Args:
        files: The oldest first.
        counts: How many messages, numbered from 0, each producer emitted.
        has_time: Whether each line has to begin with date and time.
        in_flight: How many more each producer may have got through, or not.
    """
    found = {
        producer: bytearray(count + in_flight) for producer, count in counts.items()
    }
    duplicated = foreign = 0
    for line in read_lines(files):
        match = LINE.fullmatch(line)
        if match is None or (has_time and not TIME.match(match[1])):
            foreign += 1
            continue
        producer, number = int(match[2]), int(match[3])
        if number >= len(found.get(producer, b"")):
            foreign += 1
        elif found[producer][number]:
            duplicated += 1
        else:
            found[producer][number] = 1
    return Account(
        lost=sum(
            found[producer].count(0, 0, count) for producer, count in counts.items()
        ),
        duplicated=duplicated,
        foreign=foreign,
        # Numbered, each line is known by itself.
        in_order=None,
    )
