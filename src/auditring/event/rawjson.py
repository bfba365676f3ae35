"""JSON text that stays text: checked, compacted, taken apart and put together.

Bodies of requests pass through here with the spelling of their numbers, the order of
their members and their duplicates as they are. Text is bytes. What is JSON, and how
strings are written, is as Go's encoding/json has it, HTML escapes included.
"""

import re
from collections.abc import Iterable
from json.decoder import scanstring  # type: ignore[attr-defined]  # in no stub

import orjson

from ._rawjson import compact, elements, members

__all__ = [
    "array_of",
    "compact",
    "elements",
    "escape_html",
    "members",
    "object_of",
    "quote",
    "unquote",
]

_HTML_ESCAPES = {
    b"<": b"\\u003c",
    b">": b"\\u003e",
    b"&": b"\\u0026",
    "\u2028".encode(): b"\\u2028",
    "\u2029".encode(): b"\\u2029",
}
# What bytes that aren't UTF-8 are in a str, and what JSON's escapes may leave alone.
_SURROGATES = re.compile("[\ud800-\udfff]")
_REPLACEMENT = "\ufffd"


def escape_html(text: bytes) -> bytes:
    """Escape ``< > &`` and U+2028/9 in the JSON *text*, where they stand in strings."""
    # To look for each is faster than one search for any of them, by far in long texts.
    for character, escape in _HTML_ESCAPES.items():
        text = text.replace(character, escape)
    return text


def quote(string: str) -> bytes:
    r"""Write *string* as JSON; a surrogate stands for a byte and is written \ufffd.

    The escape and not the character, as Go does with a byte that isn't UTF-8.
    """
    try:
        return escape_html(orjson.dumps(string))
    except orjson.JSONEncodeError:
        parts = _SURROGATES.split(str.__str__(string))
        body = b"\\ufffd".join(orjson.dumps(part)[1:-1] for part in parts)
        return escape_html(b'"' + body + b'"')


def unquote(text: bytes) -> str:
    """Read the JSON string *text*, of what `compact` returned.

    Bytes that aren't UTF-8 and escapes of lone surrogates become U+FFFD each.
    """
    try:
        string = text.decode()
    except UnicodeDecodeError:
        string = text.decode(errors="surrogateescape")
    string = scanstring(string, 1)[0] if "\\" in string else string[1:-1]
    if string.isascii():
        return string
    return _SURROGATES.sub(_REPLACEMENT, string)


def object_of(pairs: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Put an object together of keys and values, each being JSON text."""
    return b"{" + b",".join(key + b":" + value for key, value in pairs) + b"}"


def array_of(texts: Iterable[bytes]) -> bytes:
    """Put an array together of the JSON *texts*."""
    return b"[" + b",".join(texts) + b"]"
