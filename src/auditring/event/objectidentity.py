"""Which object it is that a request brings, as the object itself says."""

from typing import Any

import orjson

__all__ = ["identity_in"]

# As metadata has them, and as an `ObjectReference` does.
_MEMBERS = {
    "namespace": "namespace",
    "name": "name",
    "uid": "uid",
    "resourceVersion": "resource_version",
}


def identity_in(body: bytes) -> dict[str, str]:
    """Return the members of an `ObjectReference` that an object's metadata have.

    Args:
        body: The object as JSON. What can't be read, or is a list, says nothing.
    """
    metadata: Any = None
    if b"metadata" in body:
        try:
            found = orjson.loads(body)
        except orjson.JSONDecodeError:
            found = None
        # The metadata of a list is of another kind, and says nothing of an object.
        if isinstance(found, dict) and "items" not in found:
            metadata = found.get("metadata")
    if not isinstance(metadata, dict):
        return {}
    values = {name: metadata.get(member) for member, name in _MEMBERS.items()}
    return {name: value for name, value in values.items() if isinstance(value, str)}
