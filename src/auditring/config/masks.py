"""A rule of ``masks.rules`` in a configuration, which becomes a `RedactionRule`."""

from dataclasses import dataclass
from typing import Any

from ..documents.suggestion import unknown
from ..documents.tree import Mapping, Node
from ..redact.rules import RedactionRule
from .kinds import (
    BOOLEAN,
    Kind,
    ListOf,
    Mismatch,
    collect,
    raise_all,
    told,
)
from .names import TEXT

__all__ = ["MASK_RULE"]

_TEXTS = ListOf(TEXT)
# By name: the kind, and the argument of RedactionRule.
_MEMBERS: dict[str, tuple[Kind, str]] = {
    "resources": (_TEXTS, "resources"),
    "kinds": (_TEXTS, "kinds"),
    "paths": (_TEXTS, "paths"),
    "exceptPaths": (_TEXTS, "except_paths"),
    "base64": (BOOLEAN, "is_base64"),
    "sensitive": (BOOLEAN, "is_sensitive"),
}


@dataclass(frozen=True, slots=True)
class _MaskRule:
    """What is secret in the objects of some resources or kinds."""

    what: str = "an object with resources or kinds, and paths"
    is_text: bool = False

    def read(self, node: Node) -> RedactionRule:
        if not isinstance(node, Mapping):
            raise Mismatch(f"expected {self.what}, got {told(node)}", node.line)
        found: list[Mismatch] = []
        members: dict[str, Any] = {}
        for name, line, value in node.entries:
            if name not in _MEMBERS:
                what = unknown(name, _MEMBERS, "key", told(value))
                found = [*found, Mismatch(what, line, f".{name}")]
                continue
            kind, argument = _MEMBERS[name]
            try:
                members[argument] = kind.read(value)
            except Mismatch as error:
                found = collect(found, f".{name}", error)
        raise_all(found)
        if not members.get("resources") and not members.get("kinds"):
            raise Mismatch("a rule needs resources or kinds", node.line)
        try:
            return RedactionRule(**members)
        except ValueError as error:
            raise Mismatch(str(error), node.line) from None

    def dump(self, value: RedactionRule) -> object:
        members = {
            name: (kind, getattr(value, argument))
            for name, (kind, argument) in _MEMBERS.items()
        }
        return {name: kind.dump(each) for name, (kind, each) in members.items() if each}

    def schema(self) -> dict[str, object]:
        members = {name: kind.schema() for name, (kind, _) in _MEMBERS.items()}
        return {"type": "object", "properties": members, "additionalProperties": False}


MASK_RULE: Kind = _MaskRule()
