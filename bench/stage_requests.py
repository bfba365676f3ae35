"""Requests at a stage, as events of an audit log tell of them."""

from auditring.event import Event, Level
from auditring.request.attributes import Attributes

__all__ = ["StageRequest", "stage_request"]

StageRequest = tuple[Attributes, str, str, int, int, int, dict[str, str]]
"""The arguments of `stage_line`, in their order."""


def stage_request(event: Event) -> StageRequest:
    """Return what *event* was made of, but for its bodies."""
    reference, status = event.object_ref, event.response_status
    received, reached = event.request_received_timestamp, event.stage_timestamp
    assert received is not None
    assert reached is not None
    attributes = Attributes(
        is_resource_request=reference is not None,
        path=event.request_uri.partition("?")[0],
        verb=event.verb,
        api_group=reference.api_group if reference else "",
        api_version=reference.api_version if reference else "",
        namespace=reference.namespace if reference else "",
        resource=reference.resource if reference else "",
        subresource=reference.subresource if reference else "",
        name=reference.name if reference else "",
        user=event.user,
        request_uri=event.request_uri,
        source_ips=event.source_ips,
        user_agent=event.user_agent,
        audit_id=event.audit_id,
    )
    return (
        attributes,
        Level.METADATA,
        event.stage,
        received.microseconds * 1000,
        reached.microseconds * 1000,
        status.code if status else 0,
        dict(event.annotations),
    )
