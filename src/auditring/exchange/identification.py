"""Ask an application who sent a request, at its beginning and as long as nobody knows.

The function that it gives may know the user only late, as where a view reads a token,
and it may fail. What it does never reaches the request: the event is recorded without
a user, and says so by the annotation ``auditring.io/user-error``.
"""

import inspect
import logging
import time
from collections.abc import Callable

from ..audit.auditor import AuditedRequest
from ..event.event import UserInfo
from ..request.identity import ANONYMOUS_USER, Identity, as_user
from .incompleteness import error_text

__all__ = ["Ask", "ask_later", "ask_user", "known_user", "without_user"]

Ask = Callable[..., Identity]
"""What an application gives; called with the request as its interface has it."""

_COMPLAINT_INTERVAL_S = 60.0

_logger = logging.getLogger("auditring.middleware")


def ask_user(ask: Ask | None, *source: object) -> tuple[UserInfo, str]:
    """Return who sent the request *source*, and what went wrong.

    Returns:
        `ANONYMOUS_USER` where nobody knows; a text that is empty where nothing failed.
    """
    if ask is None:
        return ANONYMOUS_USER, ""
    try:
        identity = ask(*source)
    except Exception as error:  # whatever the application's function does
        return without_user(error)
    return known_user(identity)


def known_user(identity: Identity) -> tuple[UserInfo, str]:
    """Return what `ask_user` returns where the answer was *identity*."""
    try:
        return as_user(_now(identity)), ""
    except Exception as error:  # an odd one, or of a class with odd members
        return without_user(error)


def without_user(error: Exception) -> tuple[UserInfo, str]:
    """Return what `ask_user` returns where asking ended in *error*."""
    return ANONYMOUS_USER, error_text(error)


def ask_later(
    request: AuditedRequest, failure: str, ask: Ask | None, *source: object
) -> None:
    """Have *ask* asked again before each later event, until it knows.

    Args:
        request: Whose user nobody knows yet.
        failure: What went wrong when it was asked first; empty if nothing.
        ask: What the application gave.
        source: What *ask* is called with.
    """
    if failure:
        request.note_user_error(failure)
        if not request.is_enabled:  # then nobody asks again
            _complain(failure)

    def ask_again(request: AuditedRequest) -> None:
        user, failure = ask_user(ask, *source)
        if user is not ANONYMOUS_USER:
            request.identify(user)
        elif failure:
            request.note_user_error(failure)
            _complain(failure)

    if ask is not None:
        request.ask_later(ask_again)


def _now(identity: Identity) -> Identity:
    """Return *identity*, which isn't to be waited for."""
    if inspect.iscoroutine(identity):
        identity.close()  # else Python warns of it, too
        raise TypeError("expected a function, got one that has to be awaited")
    return identity


class Complaints:
    """Said once in a while, so that a log isn't full of them."""

    def __init__(self) -> None:
        self._next_s = 0.0

    def is_due(self) -> bool:
        now_s = time.monotonic()
        if now_s < self._next_s:
            return False
        self._next_s = now_s + _COMPLAINT_INTERVAL_S
        return True


_complaints = Complaints()


def _complain(failure: str) -> None:
    if _complaints.is_due():
        _logger.error(
            "user= failed, so events are recorded without their user: %s", failure
        )
