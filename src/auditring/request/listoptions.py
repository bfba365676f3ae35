"""Read from a query what makes a list a watch, or one of a single object.

Source: Kubernetes v1.36, ListOptions of meta/v1 and their use by the request parser.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from .fieldselector import required_value
from .labelselector import is_label_selector

__all__ = ["ListOptions", "list_options"]

INT64_MAX = 2**63 - 1

_INTEGER = re.compile(r"([+-]?)0*([0-9]{1,19})")
# What no object can be called, because no path could name it.
_DOTS = (".", "..")


class ListOptions(NamedTuple):
    """What a query asks of a list.

    Attributes:
        watch: Whether changes are wanted and not the list.
        name: The one object that the field selector leaves; empty if it leaves more.
    """

    watch: bool = False
    name: str = ""


def list_options(values: Mapping[str, str]) -> ListOptions:
    """Read the first values of a query's keys.

    If one of them is bad, all are void but ``watch``, whatever Kubernetes does with the
    request later.
    """
    watch = values.get("watch")
    try:
        name = _selected_name(values)
    except ValueError:
        return ListOptions(watch is not None and watch.lower() not in ("false", "0"))
    return ListOptions(watch is not None and not _is_false(watch), name)


def _selected_name(values: Mapping[str, str]) -> str:
    """Return the name that the field selector wants; ValueError for bad options."""
    for key in ("limit", "timeoutSeconds"):
        if key in values and not _is_int64(values[key]):
            raise ValueError(f"{key}: {values[key]!r} is no integer")
    if not is_label_selector(values.get("labelSelector", "")):
        raise ValueError("bad label selector")
    name = required_value(values.get("fieldSelector", ""), "metadata.name")
    if not name or name in _DOTS or "/" in name or "%" in name:
        return ""
    return name


def _is_false(text: str) -> bool:
    # Go compares here by Unicode's folding, to which the long s is an s, and by lower
    # case where the options are bad, to which it isn't.
    return text == "0" or text.casefold() == "false"


def _is_int64(text: str) -> bool:
    integer = _INTEGER.fullmatch(text)
    if integer is None:
        return False
    sign, digits = integer.groups()
    return int(digits) <= INT64_MAX + (sign == "-")
