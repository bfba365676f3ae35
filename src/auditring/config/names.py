"""Names in a configuration: of files, groups and databases, and whose files are."""

import os
import re
from dataclasses import dataclass

from ..documents.tree import Node, integer, string
from ..documents.types import Mismatch, Type, Value

__all__ = ["ENDPOINT", "FILE_MODE", "GROUP", "PATH", "TEXT"]

_ENDPOINT = re.compile(r"(sqlite|mysql|postgres|postgresql)://.+", re.DOTALL)
_CREDENTIALS = re.compile(r"(?<=://).*@", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Text(Value):
    """A text; an empty one is as none, which Go writes for none."""

    what: str = "a text"
    is_text = True

    def convert(self, node: Node) -> str | None:
        value = string(node)
        if value is None or not _is_speakable(value):
            raise Mismatch.of(self.what, node)
        return value or None

    def dump(self, value: str | None) -> object:
        return value

    def schema(self) -> dict[str, object]:
        return {"type": "string"}


class _Endpoint(Value):
    """The address of a database; who may see it may not see its password."""

    __slots__ = ()
    what = (
        "sqlite://path, mysql://user:password@tcp(host:port)/name"
        " or postgres://user:password@host:port/name"
    )
    is_text = True

    def convert(self, node: Node) -> str | None:
        value = string(node)
        if value == "":
            return None
        if value is None:
            raise Mismatch.of(self.what, node)
        if not _ENDPOINT.fullmatch(value) or not _is_speakable(value):
            raise Mismatch(f"expected {self.what}, got {str(self.dump(value))!r}")
        return value

    def dump(self, value: str | None) -> object:
        return None if value is None else _CREDENTIALS.sub("***@", value)

    def schema(self) -> dict[str, object]:
        return {"type": "string", "pattern": f"^({_ENDPOINT.pattern})?$"}


class _Group(Value):
    __slots__ = ()
    what = "the name or number of a group"

    def convert(self, node: Node) -> str | int:
        number = integer(node)
        name = string(node)
        if number is not None and 0 <= number < 2**32 - 1:
            return number
        if not name or not _is_speakable(name):
            raise Mismatch.of(self.what, node)
        return name

    def dump(self, value: str | int | None) -> object:
        return value

    def schema(self) -> dict[str, object]:
        return {"type": ["integer", "string"]}


class _FileMode(Value):
    """Permission bits; a YAML number with a leading zero is octal, as is a string."""

    __slots__ = ()
    what = "octal permissions such as 0640"

    def convert(self, node: Node) -> int:
        text = string(node)
        bits = integer(node)
        if text is not None and re.fullmatch(r"(0o?)?[0-7]{1,3}", text):
            bits = int(text.replace("o", ""), 8)
        # 640 without its zero is more than all the bits, and so found out.
        if bits is None or not 0 <= bits <= 0o777:
            raise Mismatch.of(self.what, node)
        return bits

    def dump(self, value: int) -> object:
        return f"{value:04o}"

    def schema(self) -> dict[str, object]:
        return {
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": 0o777},
                {"type": "string", "pattern": "^(0o?)?[0-7]{1,3}$"},
            ]
        }


def _is_speakable(text: str) -> bool:
    """Tell whether the system's calls take it as a name; others raise for it."""
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


ENDPOINT: Type = _Endpoint()
FILE_MODE: Type = _FileMode()
GROUP: Type = _Group()
PATH: Type = _Text("the name of a file or directory")
TEXT: Type = _Text()
