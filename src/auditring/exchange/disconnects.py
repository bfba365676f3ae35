"""Tell whether a handler ended since nobody waits for its answer any more.

What an exception is called says nothing of that: an upstream that drops a connection
raises the same classes as a client that leaves. Only the server knows. It says so by
a message (``http.disconnect``), by a `send` that fails, or by cancelling the task; here
is what can be told of the last two from the exception that came out of the application.
"""

import asyncio
import sys
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any

__all__ = ["code_of", "is_cancelled", "is_raised_in"]

# Of exceptions that are causes, contexts and members of one another.
_RELATED_MAX = 100


def code_of(function: Callable[..., Any]) -> CodeType | None:
    """Return the code of a function or method; None if it isn't written in Python."""
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    return code if isinstance(code, CodeType) else None


def is_raised_in(error: BaseException, code: CodeType | None) -> bool:
    """Tell whether *error* stems from an `OSError` that passed through *code*.

    With the code of a server's `send` that means: the client is gone. Source: ASGI's
    HTTP specification 2.4, by which `send` raises an `OSError` then; other exceptions
    of it are about messages that an application must not send.
    """
    return code is not None and any(
        isinstance(each, OSError) and code in _codes_of(each)
        for each in _related(error)
    )


def is_cancelled(error: BaseException) -> bool:
    """Tell whether *error* is that somebody outside told this task to end.

    A `asyncio.CancelledError` without such a wish is one of the application's own: of a
    task of it that was cancelled.
    """
    if isinstance(error, asyncio.CancelledError):
        task = _current_task()
        return task is not None and task.cancelling() > 0
    if isinstance(error, GeneratorExit):
        return True  # The coroutine is being closed: there is no loop any more.
    trio = sys.modules.get("trio")
    # Trio makes it alone, and catches it where a scope of the application's own ends.
    return trio is not None and isinstance(error, trio.Cancelled)


def _current_task() -> "asyncio.Task[Any] | None":
    try:
        return asyncio.current_task()
    except RuntimeError:  # no loop in this thread
        return None


def _codes_of(error: BaseException) -> Iterator[CodeType]:
    step = error.__traceback__
    while step is not None:
        yield step.tb_frame.f_code
        step = step.tb_next


def _related(error: BaseException) -> Iterator[BaseException]:
    """Return *error*, and what it came of."""
    waiting, seen = [error], {id(error)}
    while waiting and len(seen) <= _RELATED_MAX:
        each = waiting.pop()
        yield each
        members = each.exceptions if isinstance(each, BaseExceptionGroup) else ()
        for other in (each.__cause__, each.__context__, *members):
            if other is not None and id(other) not in seen:
                seen.add(id(other))
                waiting.append(other)
