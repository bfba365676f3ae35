"""What is done when the process ends: one hook, in the order of the data.

atexit goes backwards through what was registered, so that it would depend on what a
program opened first whether events that wait still find their log open.
"""

import atexit
import functools
from collections.abc import Callable
from enum import IntEnum

__all__ = ["Step", "at_exit"]


class Step(IntEnum):
    """What ends, the first first."""

    BATCHES = 0
    LOGS = 1


_steps: dict[Step, Callable[[], None]] = {}


def at_exit(step: Step, function: Callable[[], None]) -> None:
    """Have *function* called in its turn when the process ends."""
    _steps[step] = function
    _tie_to_exit()


@functools.cache
def _tie_to_exit() -> None:
    atexit.register(_end)


def _end() -> None:
    first: BaseException | None = None
    for _, function in sorted(_steps.items()):
        try:
            function()
        except BaseException as error:
            first = first or error
    if first is not None:
        raise first  # CPython prints it
