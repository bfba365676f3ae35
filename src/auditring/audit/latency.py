"""Where a slow request's time went, as annotations: `apiserver.latency.k8s.io/...`.

Source: Kubernetes v1.36, latency annotations of audit events; Go's time.Duration for
how a time is written.
"""

from collections.abc import Mapping

__all__ = ["SLOW_NS", "duration_text", "latency_annotations"]

PREFIX = "apiserver.latency.k8s.io/"
TOTAL_LATENCY = PREFIX + "total"

# Annotations are for requests that took longer.
SLOW_NS = 500_000_000

_MINUTE_NS = 60 * 1_000_000_000
_UNITS = ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs"), (1, "ns"))


def latency_annotations(total_ns: int, parts: Mapping[str, int]) -> dict[str, str]:
    """Return the annotations of a request, none if it was quick.

    Args:
        total_ns: Nanoseconds from its arrival.
        parts: Nanoseconds of its parts; those of zero are left out.
    """
    if total_ns <= SLOW_NS:
        return {}
    found = {PREFIX + part: duration_text(ns) for part, ns in parts.items() if ns}
    return {**found, TOTAL_LATENCY: duration_text(total_ns)}


def duration_text(ns: int) -> str:
    """Write nanoseconds as Go does: ``1h2m3.5s``, ``500ms``, ``1.5µs``, ``0s``."""
    if ns < 0:
        return "-" + duration_text(-ns)
    if ns < 1_000_000_000:
        for size, unit in _UNITS:
            if ns >= size:
                return _decimal(ns, size) + unit
        return "0s"
    minutes, rest = divmod(ns, _MINUTE_NS)
    hours, minutes = divmod(minutes, 60)
    text = _decimal(rest, 1_000_000_000) + "s"
    if minutes or hours:
        text = f"{minutes}m{text}"
    return f"{hours}h{text}" if hours else text


def _decimal(number: int, size: int) -> str:
    """Write *number* in units of *size*, a power of ten, with no digit in vain."""
    whole, fraction = divmod(number, size)
    if not fraction:
        return str(whole)
    digits = len(str(size)) - 1
    return f"{whole}.{fraction:0{digits}}".rstrip("0")
