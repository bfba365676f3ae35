from collections.abc import Mapping

from ..request.attributes import Attributes
from .event import Event

def event_line(
    event: Event,
    start: bytes,
    request: bytes | None,
    response: bytes | None,
    annotations: Mapping[str, str],
) -> bytes: ...
def stage_line(
    attributes: Attributes,
    level: str,
    stage: str,
    received_ns: int,
    stage_ns: int,
    code: int | None = None,
    annotations: Mapping[str, str] | None = None,
) -> bytes: ...

__pyx_capi__: dict[str, object]
