"""Wait for another thread, and let greenlets of the own one run meanwhile.

`time.sleep` is looked up with each call: gevent and eventlet replace it by one that
switches to other greenlets.
"""

import time
import types
from collections.abc import Callable

from ._nativethread import is_native_thread, sleep

__all__ = ["has_greenlets", "pause", "wait_until"]

SHORTEST_S = 0.0002
LONGEST_S = 0.01


def wait_until(is_done: Callable[[], bool], timeout: float | None = None) -> bool:
    """Wait until *is_done* returns True; signal handlers run meanwhile.

    Args:
        is_done: Asked again and again.
        timeout: Seconds to wait; None is for ever.

    Returns:
        What it returned last.
    """
    deadline_s = float("inf") if timeout is None else time.monotonic() + timeout
    pause_s = SHORTEST_S
    while not is_done():
        left_s = deadline_s - time.monotonic()
        if left_s <= 0:
            return False
        pause(min(pause_s, left_s))
        pause_s = min(pause_s * 2, LONGEST_S)
    return True


def pause(seconds: float) -> None:
    """Sleep, and let other greenlets run if there are any.

    In the loop that runs greenlets itself nothing can be switched to; both libraries
    raise an AssertionError then. A thread of ours has none: gevent would make a loop
    for it, and two threads that make their first one at once may wait for each other.
    """
    if is_native_thread():
        sleep(seconds)
        return
    try:
        time.sleep(seconds)
    except AssertionError:
        sleep(seconds)


def has_greenlets() -> bool:
    """Tell whether sleeping is a matter of greenlets in this process."""
    return not isinstance(time.sleep, types.BuiltinFunctionType)
