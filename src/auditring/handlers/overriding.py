"""Whether somebody put methods of his own in the place of a handler's."""

from collections.abc import Iterable

__all__ = ["is_any_overridden"]


def is_any_overridden(handler: object, names: Iterable[str]) -> bool:
    """Tell whether a method is neither this package's nor the standard library's."""
    return any(_is_overridden(handler, name) for name in names)


def _is_overridden(handler: object, name: str) -> bool:
    method = getattr(type(handler), name)
    # A method written in C names no module.
    module = str(getattr(method, "__module__", "auditring")).partition(".")[0]
    return module not in ("auditring", "logging") or name in vars(handler)
