"""JSON text to nodes, as strictly as Go's encoding/json reads it.

The standard library's `json` takes the same texts but tells no lines. NaN, comments,
trailing commas and anything after the value are errors; half of a surrogate pair is
read as U+FFFD.
"""

import re
from json import JSONDecodeError, JSONDecoder

from .tree import DEPTH_MAX, Mapping, Node, Number, Scalar, Sequence, TextError

__all__ = ["read_json"]

_STRINGS = JSONDecoder()
_BLANKS = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_LITERALS = {"true": True, "false": False, "null": None}
_LITERAL = re.compile("|".join(_LITERALS))
_SURROGATES = re.compile("[\ud800-\udfff]")


def read_json(text: str) -> Node:
    """Return what *text* says.

    Raises:
        TextError: *text* isn't one JSON value, or it is nested too deeply.
    """
    return _Reader(text).read()


class _Reader:
    """Reads one value after the other; `_at` is where the next one may begin."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line = 1
        self._counted_to = 0

    def read(self) -> Node:
        node = self._value(0)
        self._skip_blanks()
        if self._at < len(self._text):
            raise self._error("more after the value")
        return node

    def _value(self, depth: int) -> Node:
        if depth > DEPTH_MAX:
            raise self._error(f"nested deeper than {DEPTH_MAX} levels")
        character = self._next()
        line = self._line
        if character == "{":
            return self._object(depth)
        if character == "[":
            return self._array(depth)
        if character == '"':
            return Scalar(line, self._string())
        if found := _LITERAL.match(self._text, self._at):
            self._at = found.end()
            return Scalar(line, _LITERALS[found[0]])
        if found := _NUMBER.match(self._text, self._at):
            self._at = found.end()
            return Scalar(line, Number(found[0]))
        raise self._unexpected("a value")

    def _object(self, depth: int) -> Mapping:
        line = self._line
        entries: list[tuple[str, int, Node]] = []
        self._at += 1
        while self._next() != "}" or entries:
            if self._next() != '"':
                raise self._unexpected("a key in double quotes")
            key_line = self._line
            key = self._string()
            self._take(":")
            entries.append((key, key_line, self._value(depth + 1)))
            if self._next() == "}":
                break
            self._take(",")
        self._at += 1
        return Mapping(line, tuple(entries))

    def _array(self, depth: int) -> Sequence:
        line = self._line
        items: list[Node] = []
        self._at += 1
        while self._next() != "]" or items:
            items.append(self._value(depth + 1))
            if self._next() == "]":
                break
            self._take(",")
        self._at += 1
        return Sequence(line, tuple(items))

    def _string(self) -> str:
        try:
            value, self._at = _STRINGS.raw_decode(self._text, self._at)
        except JSONDecodeError as error:
            self._at = error.pos
            self._count_lines()
            raise self._error(error.msg.lower()) from None
        return _SURROGATES.sub("�", value)

    def _next(self) -> str:
        """Return the next character that isn't blank; nothing at the end."""
        self._skip_blanks()
        return self._text[self._at : self._at + 1]

    def _take(self, character: str) -> None:
        if self._next() != character:
            raise self._unexpected(repr(character))
        self._at += 1

    def _skip_blanks(self) -> None:
        blanks = _BLANKS.match(self._text, self._at)
        assert blanks is not None
        self._at = blanks.end()
        self._count_lines()

    def _count_lines(self) -> None:
        self._line += self._text.count("\n", self._counted_to, self._at)
        self._counted_to = max(self._counted_to, self._at)

    def _unexpected(self, expected: str) -> TextError:
        found = self._text[self._at : self._at + 1]
        there = repr(found) if found else "the end"
        return self._error(f"expected {expected}, found {there}")

    def _error(self, reason: str) -> TextError:
        return TextError(f"JSON: {reason}", self._line)
