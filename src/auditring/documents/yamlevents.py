r"""YAML's events, from the tokens that Go's yaml.v2 would see.

PyYAML scans and parses; its scanner and Go's come from one design, and what has become
different since is put right here. Source: go.yaml.in/yaml/v2, scannerc.go.

* A tab may stand between tokens, but not where it would be indentation.
* In a flow collection ``a:`` before a comma is a word, not a key.
* Of escapes, ``\/`` is none and ``\'`` is one.
"""

import re

from yaml.error import Mark
from yaml.events import Event
from yaml.parser import Parser, ParserError
from yaml.reader import Reader
from yaml.scanner import Scanner, ScannerError
from yaml.tokens import ScalarToken, TagToken

__all__ = ["YamlEvents"]

_BLANKS = " \t"
_BREAKS = "\r\n\x85\u2028\u2029"
_ENDS = "\0" + _BLANKS + _BREAKS


class YamlEvents(Reader, Scanner, Parser):
    """The events of a text, one after the other.

    Methods that Go's scanner needn't differ in are PyYAML's, and so are names.
    """

    ESCAPE_REPLACEMENTS = {  # type: ignore[misc]  # final, says the stub  # noqa: RUF012
        **{c: each for c, each in Scanner.ESCAPE_REPLACEMENTS.items() if c != "/"},
        "'": "'",
    }

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)

    def next(self) -> Event:
        """Take the next event."""
        event: Event = self.get_event()
        return event

    def is_at(self, kind: type[Event]) -> bool:
        """Tell whether the next event is of a *kind*, and leave it."""
        return isinstance(self.peek_event(), kind)

    def process_directives(self) -> object:
        """Read directives; of versions, only 1.1 is known."""
        found = super().process_directives()
        if self.yaml_version not in (None, (1, 1)):
            raise ParserError(None, None, "only YAML 1.1 is known", self.get_mark())
        return found

    def scan_directive_name(self, start_mark: Mark) -> str:
        """Read which directive it is, and refuse unknown ones."""
        name: str = super().scan_directive_name(start_mark)
        if name not in ("YAML", "TAG"):
            raise ScannerError(None, None, f"unknown directive {name}", start_mark)
        return name

    def scan_to_next_token(self) -> None:
        """Skip blanks and comments; note where a line break lets a key begin."""
        while True:
            blanks = _BLANKS if self.flow_level or not self.allow_simple_key else " "
            while self.peek() in blanks:
                self.forward()
            if self.peek() == "#":
                while self.peek() not in "\0" + _BREAKS:
                    self.forward()
            if not self.scan_line_break():
                return
            if not self.flow_level:
                self.allow_simple_key = True

    def scan_tag(self) -> TagToken:
        """Read a tag: ``!<uri>``, ``!handle!suffix``, ``!suffix`` or ``!``."""
        start = self.get_mark()
        handle: str | None = None
        if self.peek(1) == "<":
            self.forward(2)
            suffix = self.scan_tag_uri("tag", start)
            self._take(">", start)
        elif self.peek(1) in _ENDS:
            self.forward()
            suffix = "!"
        else:
            length = 1
            while re.match(r"[0-9A-Za-z_-]", self.peek(length)):
                length += 1
            handle = self.prefix(length + 1) if self.peek(length) == "!" else "!"
            self.forward(len(handle))
            suffix = self.scan_tag_uri("tag", start)
        if self.peek() not in _ENDS:
            problem = "expected a blank after the tag"
            raise ScannerError(None, start, problem, self.get_mark())
        return TagToken((handle, suffix), start, self.get_mark())

    def _take(self, character: str, start: Mark) -> None:
        if self.peek() != character:
            problem = f"expected {character!r}"
            raise ScannerError(None, start, problem, self.get_mark())
        self.forward()

    def scan_plain(self) -> ScalarToken:
        """Read an unquoted scalar, folding its lines."""
        indent = self.indent + 1
        start = end = self.get_mark()
        text: list[str] = []
        gap, is_broken = "", False
        while not self._is_at_document_indicator() and self.peek() != "#":
            length = self._plain_length()
            if length:
                text += gap, self.prefix(length)
                self.forward(length)
                end, is_broken = self.get_mark(), False
            if self.peek() not in _BLANKS + _BREAKS:
                break
            gap, is_broken = self._plain_gap(indent, start)
            if not self.flow_level and self.column < indent:
                break
        self.allow_simple_key = is_broken
        return ScalarToken("".join(text), True, start, end)

    def _is_at_document_indicator(self) -> bool:
        if self.column or self.prefix(3) not in ("---", "..."):
            return False
        return self.peek(3) in _ENDS

    def _plain_length(self) -> int:
        length = 0
        while (character := self.peek(length)) not in _ENDS:
            if character == ":" and self.peek(length + 1) in _ENDS:
                break
            if self.flow_level and character in ",?[]{}":
                break
            length += 1
        return length

    def _plain_gap(self, indent: int, start: Mark) -> tuple[str, bool]:
        """Take blanks and breaks; return what they fold to, and if lines broke."""
        blanks = ""
        breaks: list[str] = []
        while (character := self.peek()) in _BLANKS + _BREAKS:
            if character in _BREAKS:
                breaks.append(self.scan_line_break())
                continue
            if breaks and character == "\t" and self.column < indent:
                raise self._tab_error("a plain scalar", start)
            blanks += character
            self.forward()
        if not breaks:
            return blanks, False
        first, *others = breaks
        if first == "\n":
            return "".join(others) or " ", True
        return "".join(breaks), True

    def scan_flow_scalar(self, style: str) -> ScalarToken:
        """Read a quoted scalar."""
        token = super().scan_flow_scalar(style)
        # The text itself can't hold surrogates, so they come from escapes.
        if any("\ud800" <= character <= "\udfff" for character in token.value):
            problem = "half a surrogate pair is no character"
            raise ScannerError(None, None, problem, token.start_mark)
        return token

    def scan_block_scalar_indicators(
        self, start_mark: Mark
    ) -> tuple[bool | None, int | None]:
        """Read ``+`` or ``-`` and a digit, in either order, and the blanks behind."""
        chomping = increment = None
        while True:
            character = self.peek()
            if chomping is None and character in "+-":
                chomping = character == "+"
            elif increment is None and character in "123456789":
                increment = int(character)
            else:
                break
            self.forward()
        while self.peek() in _BLANKS:
            self.forward()
        if self.peek() not in "\0#" + _BREAKS:
            problem = "expected a line break after the head of a block scalar"
            raise ScannerError(None, None, problem, self.get_mark())
        return chomping, increment

    def scan_block_scalar_indentation(self) -> tuple[list[str], int, Mark]:
        """Take what stands before the first line; no tab may be there."""
        found = super().scan_block_scalar_indentation()
        if self.peek() == "\t":
            raise self._tab_error("a block scalar", None)
        return found

    def scan_block_scalar_breaks(self, indent: int) -> tuple[list[str], Mark]:
        """Take what stands between two lines; no tab may be in the indentation."""
        found = super().scan_block_scalar_breaks(indent)
        if self.column < indent and self.peek() == "\t":
            raise self._tab_error("a block scalar", None)
        return found

    def _tab_error(self, place: str, start: Mark | None) -> ScannerError:
        context, problem = f"while scanning {place}", "a tab can't be indentation"
        return ScannerError(context, start, problem, self.get_mark())
