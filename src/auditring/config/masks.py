"""A rule of ``masks.rules`` in a configuration, which becomes a `RedactionRule`."""

from typing import Any

from ..documents.tree import Node
from ..documents.types import Findings, SliceOf, Struct, Type
from ..documents.values import BOOLEAN
from ..redact.rules import RedactionRule
from .names import TEXT

__all__ = ["MASK_RULE"]

_TEXTS = SliceOf(TEXT)
# By name: the type, and the argument of RedactionRule.
_MEMBERS: dict[str, tuple[Type, str]] = {
    "resources": (_TEXTS, "resources"),
    "kinds": (_TEXTS, "kinds"),
    "paths": (_TEXTS, "paths"),
    "exceptPaths": (_TEXTS, "except_paths"),
    "base64": (BOOLEAN, "is_base64"),
    "sensitive": (BOOLEAN, "is_sensitive"),
}


class _MaskRule(Struct):
    """What is secret in the objects of some resources or kinds."""

    __slots__ = ()

    def read(self, node: Node, onto: object, path: str, findings: Findings) -> object:
        before = findings.count
        members = super().read(node, onto, path, findings)
        if findings.count == before:
            try:
                self.finish(members)
            except ValueError as error:
                findings.wrong.append((path, node.line, str(error)))
        return members

    def finish(self, value: object) -> RedactionRule:
        members = {
            _MEMBERS[name][1]: each
            for name, each in super().finish(value).items()
            if each is not None
        }
        if not members.get("resources") and not members.get("kinds"):
            raise ValueError("a rule needs resources or kinds")
        return RedactionRule(**members)

    def dump(self, value: Any) -> object:  # noqa: ANN401  # as `Type` has it
        members = {
            name: (type_, getattr(value, argument))
            for name, (type_, argument) in _MEMBERS.items()
        }
        return {n: type_.dump(each) for n, (type_, each) in members.items() if each}


MASK_RULE: Type = _MaskRule(
    {name: type_ for name, (type_, _) in _MEMBERS.items()},
    "an object with resources or kinds, and paths",
)
