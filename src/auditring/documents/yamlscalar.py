"""What a YAML scalar stands for: null, a truth value, a number, a string.

As YAML 1.1 has it, but with ``y`` and ``n`` as truth values and without numbers to the
base of 60; a date is a string. Source: go.yaml.in/yaml/v2, resolve.go.
"""

import base64
import binascii
import math
import re
from datetime import datetime

__all__ = ["INT64_MAX", "Value", "resolve"]

Value = bool | int | float | str | None

INT64_MAX = 2**63 - 1

_TAG = "tag:yaml.org,2002:"
# The tags that a scalar is held to; a date is none of JSON's types.
_RESOLVED: dict[str, type | None] = {
    "": None,
    "bool": bool,
    "int": int,
    "float": float,
    "null": type(None),
    "timestamp": None,
}
_WORDS: dict[str, Value] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES"), True),
    **dict.fromkeys(("true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO"), False),
    **dict.fromkeys(("false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF"), math.inf),
    **dict.fromkeys(("+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_NUMBER_STARTS = frozenset("+-.0123456789")
_DIGITS_MAX = 70  # more than 64 bits in any notation, but for leading zeros
_INTEGER = re.compile(
    r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))"
)
_BASES = (16, 2, 8, 10)
# What follows 0b may bring its own sign.
_SIGNED_BINARY = re.compile(r"0b([-+]?[01]+)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_TIMESTAMP = re.compile(
    r"(\d{4}-\d{1,2}-\d{1,2})"
    r"(?:[Tt](\d{1,2}:\d{1,2}:\d{1,2}(?:[.,]\d+)?)(?:Z|[-+]\d\d:\d\d)"
    r"| (\d{1,2}:\d{1,2}:\d{1,2}(?:[.,]\d+)?))?",
    re.ASCII,
)


def resolve(text: str, tag: str, *, is_implicit: bool) -> Value:
    """Return what a scalar stands for.

    Args:
        text: Its characters, quotes and escapes undone.
        tag: In full, empty if there is none. Most tags leave the text as it is.
        is_implicit: Whether it may stand for something else, having no quotes.

    Raises:
        ValueError: It isn't what its tag says.
    """
    if tag == _TAG + "binary":
        return _binary(text)
    if not tag and not is_implicit:
        return text
    wanted = tag.removeprefix(_TAG)
    if wanted not in _RESOLVED or (tag and wanted == tag):
        return text
    if wanted == "timestamp" and _is_timestamp(text):
        return text
    value = _plain(text)
    if wanted == "float" and type(value) is int and value <= INT64_MAX:
        return float(value)
    if wanted and type(value) is not _RESOLVED[wanted]:
        raise ValueError(f"{text!r} is no {wanted}")
    return value


def _binary(text: str) -> str:
    try:
        data = base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("!!binary takes base64") from None
    return data.decode(errors="replace")


def _plain(text: str) -> Value:
    """Return what a *text* without quotes and tag stands for."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_STARTS:
        return text
    # A number may be written with underscores, unless it begins with its point.
    digits = text if text[0] == "." else text.replace("_", "")
    integer = _integer(digits)
    if integer is not None:
        return integer
    if _FLOAT.fullmatch(digits) and math.isfinite(float(digits)):
        return float(digits)
    return text


def _integer(digits: str) -> int | None:
    """Read an integer of 64 bits, signed or not, in any of Go's notations."""
    value = None
    if len(digits) > _DIGITS_MAX:
        return None
    if found := _INTEGER.fullmatch(digits):
        sign, *groups = found.groups()
        text, base = next((t, b) for t, b in zip(groups, _BASES, strict=True) if t)
        value = -int(text, base) if sign == "-" else int(text, base)
    elif found := _SIGNED_BINARY.fullmatch(digits):
        value = int(found[1], 2)
    if value is None or not -INT64_MAX - 1 <= value < 2**64:
        return None
    # An unsigned integer takes no sign.
    return None if value > INT64_MAX and digits[0] == "+" else value


def _is_timestamp(text: str) -> bool:
    found = _TIMESTAMP.fullmatch(text)
    if found is None:
        return False
    time = (found[2] or found[3] or "0:0:0").partition(".")[0].partition(",")[0]
    try:
        datetime.strptime(f"{found[1]} {time}", "%Y-%m-%d %H:%M:%S")
    except ValueError:
        return False
    return True
