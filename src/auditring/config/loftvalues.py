"""Types of values that only Loft's block has: a compression, a policy as it stands."""

from ..documents.tree import Mapping, Node, Scalar, plain
from ..documents.types import Mismatch, Type, Value

__all__ = ["COMPRESSION", "POLICY"]


class _Compression(Value):
    """Loft's truth value, which is gzip, or the name of a format."""

    __slots__ = ()
    what = "true, false, or one of none, gzip, zstd, lz4"

    _FORMATS = ("gzip", "zstd", "lz4")

    def convert(self, node: Node) -> str | None:
        value = node.value if isinstance(node, Scalar) else None
        if isinstance(value, bool):
            return "gzip" if value else None
        if value == "none":
            return None
        if type(value) is not str or value not in self._FORMATS:
            raise Mismatch.of(self.what, node)
        return value

    def dump(self, value: str | None) -> object:
        return value or False

    def schema(self) -> dict[str, object]:
        return {"enum": [True, False, "none", *self._FORMATS]}


class _Policy(Value):
    """A policy, whose members are read by the policy family."""

    __slots__ = ()
    what = "a policy: an object with rules"

    def convert(self, node: Node) -> Mapping:
        if not isinstance(node, Mapping):
            raise Mismatch.of(self.what, node)
        return node

    def dump(self, value: Mapping | None) -> object:
        return None if value is None else plain(value)

    def schema(self) -> dict[str, object]:
        return {"$ref": "#/$defs/policy"}


COMPRESSION: Type = _Compression()
POLICY: Type = _Policy()
