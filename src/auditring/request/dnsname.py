"""Tell names that could stand in the DNS from others, as Kubernetes does.

Source: RFC 1123 as Kubernetes v1.36 reads it: lower case only, and within a subdomain
a label's own length is not looked at.
"""

import re

__all__ = ["is_dns_label", "is_dns_subdomain"]

LABEL_MAX_BYTES = 63
SUBDOMAIN_MAX_BYTES = 253

_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?")


def is_dns_label(text: str) -> bool:
    """Tell whether *text* is a single label, like the name of a namespace."""
    return len(text) <= LABEL_MAX_BYTES and _LABEL.fullmatch(text) is not None


def is_dns_subdomain(text: str) -> bool:
    """Tell whether *text* is labels joined by dots, like the name of an API group."""
    labels = text.split(".")
    return len(text) <= SUBDOMAIN_MAX_BYTES and all(map(_LABEL.fullmatch, labels))
