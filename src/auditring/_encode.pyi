from collections.abc import Mapping

from .event import Event

def event_line(
    event: Event,
    start: bytes,
    request: bytes | None,
    response: bytes | None,
    annotations: Mapping[str, str],
) -> bytes: ...
