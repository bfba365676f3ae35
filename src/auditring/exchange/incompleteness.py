"""What an event says of an answer that wasn't given whole."""

from enum import StrEnum
from typing import Final

from ..event.status import Status

__all__ = [
    "CLIENT_LEFT",
    "HANDLER_ERROR",
    "RESPONSE_INCOMPLETE",
    "UNANSWERED",
    "Incompleteness",
    "error_text",
]

RESPONSE_INCOMPLETE: Final = "auditring.io/response-incomplete"
"""The annotation of an answer that ended too soon; its value is an `Incompleteness`."""

HANDLER_ERROR: Final = "auditring.io/handler-error"
"""The annotation with what a handler raised once its client had left."""

_ERROR_MAX_CHARS = 1000


class Incompleteness(StrEnum):
    """Why an answer has no end.

    Attributes:
        CLIENT_LEFT: The server said that the client is gone.
        CLOSED_EARLY: The server stopped taking the answer.
        CANCELLED: The server told the handler to end.
        HANDLER_RETURNED: The handler came to its end before its answer did.
    """

    CLIENT_LEFT = "client-left"
    CLOSED_EARLY = "closed-early"
    CANCELLED = "cancelled"
    HANDLER_RETURNED = "handler-returned"


CLIENT_LEFT: Final = Status(
    code=499, status="Failure", message="Connection closed early"
)
"""Of a request whose client left before an answer began. The code is nginx's."""

UNANSWERED: Final = Status(
    code=500,
    status="Failure",
    reason="InternalError",
    message="The handler returned without an answer",
)
"""Of a request whose handler returned without an answer; servers make this of it."""


def error_text(error: BaseException) -> str:
    """Return what an annotation says of *error*, whatever its text does."""
    name = type(error).__name__
    try:
        text = str(error)
    except Exception:  # of the application's own class
        text = ""
    return f"{name}: {text}"[:_ERROR_MAX_CHARS] if text else name
