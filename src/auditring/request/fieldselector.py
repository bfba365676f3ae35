"""Read a field selector, as in ``?fieldSelector=metadata.name=x,status.phase!=y``.

Source: Kubernetes v1.36, field selectors.
"""

import re

__all__ = ["required_value"]

_OPERATOR = re.compile("!=|==|=")
_TERMS = re.compile(r"(?:[^\\,]|\\.|\\\Z)+", re.DOTALL)
_ESCAPABLE = frozenset("\\,=")
_NOT_UTF8 = re.compile("[\udc80-\udcff]")


def required_value(selector: str, field: str) -> str | None:
    """Return the value that *selector* wants *field* to equal; None if it leaves that.

    Of several such terms the one that sorts first decides, by the bytes of the whole
    term.

    Raises:
        ValueError: The selector has a term without operator or a bad value.
    """
    required: str | None = None
    for term in sorted(_TERMS.findall(selector), key=_octets):
        operator = _OPERATOR.search(term)
        if operator is None:
            raise ValueError(f"field selector: {term!r} has no operator")
        value = _unescape(term[operator.end() :])
        is_exact = operator[0] != "!="
        if required is None and is_exact and term[: operator.start()] == field:
            required = value
    return required


def _octets(term: str) -> bytes:
    return term.encode("utf-8", "surrogateescape")


def _unescape(value: str) -> str:
    r"""Resolve ``\\``, ``\,`` and ``\=``; refuse other escapes and those three bare."""
    if _ESCAPABLE.isdisjoint(value):
        return value
    characters: list[str] = []
    is_escaped = False
    for character in value:
        if is_escaped and character not in _ESCAPABLE:
            raise ValueError(f"field selector: {value!r} has a bad escape")
        if not is_escaped and character in ",=":
            raise ValueError(f"field selector: {value!r} has a bare {character!r}")
        if is_escaped or character != "\\":
            characters.append(character)
            is_escaped = False
        else:
            is_escaped = True
    if is_escaped:
        raise ValueError(f"field selector: {value!r} ends in a backslash")
    # Only here, where it looks at characters, does Kubernetes replace bad bytes.
    return _NOT_UTF8.sub("\ufffd", "".join(characters))
