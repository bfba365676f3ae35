"""What the Status of an answer is, where it is more than a code.

Source: Kubernetes v1.36, the audit filter of its API server.
"""

from typing import Final

from . import rawjson
from .decode import MismatchError
from .status import STATUS, Status

__all__ = ["CLOSED_EARLY", "status_in", "status_of_panic"]

SERVER_ERROR = 500

CLOSED_EARLY: Final = Status(
    code=200, status="Success", message="Connection closed early"
)
"""Of a request whose handler returned without an answer."""


def status_in(body: bytes) -> Status | None:
    """Return what the object *body* says if it is a Status, else None."""
    if b"Status" not in body:
        return None
    try:
        status: Status = STATUS(rawjson.compact(body), STATUS.zero)
    except (ValueError, MismatchError):
        return None
    # Without a version where the request's path has none.
    if status.kind != "Status" or status.api_version not in ("", "v1"):
        return None
    return status


def status_of_panic(value: object) -> Status:
    """Return what the event of a Panic says, when a handler raised *value*."""
    if isinstance(value, BaseException):
        text = str(value)
        name = type(value).__name__
        value = f"{name}: {text}" if text else name
    return Status(
        code=SERVER_ERROR,
        status="Failure",
        reason="InternalError",
        message=f"APIServer panic'd: {value}",
    )
