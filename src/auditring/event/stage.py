"""From what is known of a request at one of its stages to the event about it.

`stage_line` is the way of a request of which the metadata is recorded and nothing more:
it makes the bytes at once, without an `Event`. It is compiled; `stage_event` says what
it does.
"""

from collections.abc import Mapping

from ..request.attributes import Attributes
from ..request.info import RequestInfo
from ._encode import stage_line
from .event import Event, ObjectReference, UserInfo
from .microtime import MicroTime
from .status import Status

__all__ = ["reference_of", "stage_event", "stage_line"]


def stage_event(
    attributes: Attributes,
    level: str,
    stage: str,
    received_ns: int,
    stage_ns: int,
    code: int | None = None,
    annotations: Mapping[str, str] | None = None,
) -> Event:
    """Return the event about a request at *stage*.

    `encode.json_line` writes of it what `stage_line` writes at once.

    Args:
        attributes: What is known of the request. Whom the sender asks to act as is
            not in the event: that is for whoever grants it.
        level: How much is recorded.
        stage: A `Stage`.
        received_ns: When the request came, in nanoseconds since the epoch.
        stage_ns: When the stage was reached; the same for RequestReceived.
        code: The HTTP status of the answer; None before it.
        annotations: What else is noted.
    """
    return Event(
        level=level,
        audit_id=attributes.audit_id,
        stage=stage,
        request_uri=attributes.request_uri,
        verb=attributes.verb,
        user=attributes.user or UserInfo(),
        source_ips=attributes.source_ips,
        user_agent=attributes.user_agent,
        object_ref=(
            reference_of(attributes) if attributes.is_resource_request else None
        ),
        response_status=None if code is None else Status(code=code),
        request_received_timestamp=MicroTime.from_ns(received_ns),
        stage_timestamp=MicroTime.from_ns(stage_ns),
        annotations=annotations or {},
    )


def reference_of(request: Attributes | RequestInfo) -> ObjectReference:
    """Return what an event says of the object that a request is about."""
    return ObjectReference(
        resource=request.resource,
        namespace=request.namespace,
        name=request.name,
        api_group=request.api_group,
        api_version=request.api_version,
        subresource=request.subresource,
    )
