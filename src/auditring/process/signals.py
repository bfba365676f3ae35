"""Something that is done whenever the process gets a signal, beside what was there."""

import signal
from collections.abc import Callable
from types import FrameType

__all__ = ["call_on_signal"]


def call_on_signal(number: int, function: Callable[[], object]) -> None:
    """Have *function* called at each signal, and then the handler that was there.

    Only in the main thread.
    """
    before = signal.getsignal(number)

    def handle(number: int, frame: FrameType | None) -> None:
        function()
        if callable(before):
            before(number, frame)

    signal.signal(number, handle)
