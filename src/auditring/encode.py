"""Events as JSON, byte for byte as Kubernetes writes them: see `event.encode`."""

from .event.encode import (
    REQUEST_NOTE,
    RESPONSE_NOTE,
    event_list,
    json_line,
    legacy_line,
    list_of_lines,
)

__all__ = [
    "REQUEST_NOTE",
    "RESPONSE_NOTE",
    "event_list",
    "json_line",
    "legacy_line",
    "list_of_lines",
]
