"""A configuration's text, or a mapping of Python's, to the values of its keys.

A text holds the audit block alone, or below ``audit:`` as Loft's configuration has it,
or below ``config.audit`` as the values of its Helm chart do; there, what stands beside
the block isn't looked at. What is wrong with one key keeps no other from being read.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ..documents.suggestion import unknown
from ..documents.tree import Mapping as NodeMapping
from ..documents.tree import Node, Scalar, TextError, shown
from ..documents.types import Findings
from ..errors import ConfigProblem
from ..policy.text import read_text
from .commandlines import arguments_in, command_line_of
from .from_mapping import OddValueError, node_of
from .keys import KEYS, Key

__all__ = [
    "SWITCHES",
    "Origin",
    "Reading",
    "Setting",
    "read_config_text",
    "read_mapping",
]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value comes from.

    Attributes:
        kind: What says it.
        place: The name of the file, the variable or the flag.
        line: Of the file, from 1; None if there is none.
    """

    kind: Literal["default", "preset", "file", "mapping", "environment", "flag"]
    place: str = ""
    line: int | None = None

    def __str__(self) -> str:
        """Say it in short."""
        if self.line is not None:
            return f"{self.place}:{self.line}"
        return self.place or self.kind


@dataclass(frozen=True, slots=True)
class Setting:
    """A value and where it comes from."""

    value: Any
    origin: Origin


@dataclass(slots=True)
class Reading:
    """What a source says: the values that are good, and what is wrong.

    Attributes:
        settings: By the path of the key.
        problems: In no order.
        failed: Paths of keys whose values are wrong.
        prefix: What the paths of the text begin with, such as ``audit.``.
        arguments: Those of a kube-apiserver, if the text is its command line or a
            document that has it.
    """

    settings: dict[str, Setting] = field(default_factory=dict)
    problems: list[ConfigProblem] = field(default_factory=list)
    failed: set[str] = field(default_factory=set)
    prefix: str = ""
    arguments: tuple[str, ...] = ()

    def take(self, key: Key, node: Node, origin: Origin) -> None:
        """Read a key's value."""
        findings = Findings()
        read = key.type.read(node, key.type.zero(), "", findings)
        if not findings.count:
            self.settings[key.path] = Setting(key.type.finish(read), origin)
            return
        self.failed.add(key.path)
        path = f"{self.prefix}{key.path}"
        for at, line, what in findings.wrong:
            self.blame(origin, line, f"{path}{at}", what)
        for at, line, value, known in findings.unknown:
            what = unknown(at.rpartition(".")[2], known, "key", shown(value))
            self.blame(origin, line, f"{path}{at}", what)
        for at, line in findings.repeated:
            self.blame(origin, line, f"{path}{at}", "is there already")

    def blame(self, origin: Origin, line: int, key: str, what: str) -> None:
        """Note what is wrong with a value; 0 is no line."""
        # Of a variable it would be the line of its text.
        line_of_file = line if origin.kind == "file" else None
        place = line_of_file or origin.line
        self.problems.append(ConfigProblem(origin.place, place, key, what))


# Beside the configuration, which is below config, Loft's chart has a block audit.
_OF_SIDECAR = {
    *("enableSideCar", "image", "imageRef", "persistence", "securityContext"),
    *("resources", "extraArgs", "env"),
}
SWITCHES = ("masks",)
"""Blocks that may be a truth value, which is that of their key `enabled`."""

_Tree = dict[str, "Key | _Tree"]


def _tree_of(keys: Iterable[Key]) -> _Tree:
    tree: _Tree = {}
    for key in keys:
        *blocks, name = key.path.split(".")
        branch = tree
        for block in blocks:
            below = branch.setdefault(block, {})
            assert isinstance(below, dict)
            branch = below
        branch[name] = key
    return tree


_TREE = _tree_of(KEYS.values())


def read_config_text(text: str | bytes, place: str) -> Reading:
    """Read YAML or JSON; *place* is the name of its file."""
    plain = text if isinstance(text, str) else text.decode(errors="replace")
    arguments = command_line_of(plain)
    if arguments is not None:
        return Reading(arguments=arguments)
    try:
        node = read_text(text)
    except TextError as error:
        problem = ConfigProblem(place, error.line, "", error.reason)
        return Reading(problems=[problem])
    return _read_document(node, Origin("file", place, 1))


def read_mapping(given: Mapping[str, object]) -> Reading:
    """Read a mapping, as json or a YAML loader returns it."""
    try:
        node = node_of(given)
    except OddValueError as error:
        problem = ConfigProblem("", None, error.at, str(error))
        return Reading(problems=[problem])
    return _read_document(node, Origin("mapping"))


def _read_document(node: Node, origin: Origin) -> Reading:
    reading = Reading()
    if isinstance(node, Scalar) and node.value is None:
        return reading
    if not isinstance(node, NodeMapping):
        what = f"expected an object of keys, got {shown(node)}"
        reading.blame(origin, node.line, "", what)
        return reading
    for above in (("config", "audit"), ("audit",)):
        block = _find(node, above)
        if block is None:
            continue
        if _is_of_sidecar(block):
            return reading
        _note_misplaced(node, above, origin, reading)
        reading.prefix = ".".join(above) + "."
        if isinstance(block, NodeMapping):
            _read_block(block, _TREE, "", origin, reading)
        elif not (isinstance(block, Scalar) and block.value is None):
            what = f"expected an object of keys, got {shown(block)}"
            reading.blame(origin, block.line, ".".join(above), what)
        return reading
    if not any(name in _TREE for name, _, _ in node.entries):
        reading.arguments = arguments_in(node)
    if not reading.arguments:
        _read_block(node, _TREE, "", origin, reading)
    return reading


def _is_of_sidecar(node: Node) -> bool:
    """Tell whether this is the chart's own block: a container, and no configuration."""
    names = {name for name, _, _ in getattr(node, "entries", ())}
    return bool(names) and names <= _OF_SIDECAR


def _find(node: Node, path: tuple[str, ...]) -> Node | None:
    for name in path:
        if not isinstance(node, NodeMapping):
            return None
        values = [value for key, _, value in node.entries if key == name]
        if not values:
            return None
        node = values[-1]
    return node


def _note_misplaced(
    node: NodeMapping, above: tuple[str, ...], origin: Origin, reading: Reading
) -> None:
    """Refuse keys beside the block that belong into it, having lost indentation."""
    _note_repeated(node, "", origin, reading)
    # The chart has keys of its own there: its webhook isn't the one of audit events.
    is_chart = len(above) > 1
    for name, line, value in node.entries:
        key = _TREE.get(name)
        is_known = key is not None and name != above[0]
        if is_known and (not is_chart or (isinstance(key, Key) and key.is_loft)):
            what = f"belongs below audit, got {shown(value)} beside it"
            reading.blame(origin, line, name, what)


def _read_block(
    node: NodeMapping, tree: _Tree, path: str, origin: Origin, reading: Reading
) -> None:
    _note_repeated(node, reading.prefix + path, origin, reading)
    for name, line, value in node.entries:
        at = path + name
        branch = tree.get(name)
        where = Origin(origin.kind, origin.place, line or None)
        if branch is None:
            what = _unknown_key(name, value, tree)
            reading.blame(origin, line, reading.prefix + at, what)
        elif isinstance(value, Scalar) and value.value is None:
            continue  # the same as if it weren't there
        elif isinstance(branch, Key):
            reading.take(branch, value, where)
        elif (switch := _switch_of(name, value)) is not None:
            enabled = branch["enabled"]
            assert isinstance(enabled, Key)
            reading.take(enabled, switch, where)
        elif isinstance(value, NodeMapping):
            _read_block(value, branch, f"{at}.", origin, reading)
        else:
            what = f"expected an object of keys, got {shown(value)}"
            reading.blame(where, value.line, reading.prefix + at, what)


def _switch_of(name: str, node: Node) -> Scalar | None:
    """Return the truth value that stands for a block, as in ``masks: off``."""
    if name not in SWITCHES or not isinstance(node, Scalar):
        return None
    # JSON and quotes make a text of it.
    value = {"on": True, "off": False}.get(str(node.value), node.value)
    return Scalar(node.line, value) if isinstance(value, bool) else None


def _unknown_key(name: str, value: Node, tree: _Tree) -> str:
    what = unknown(name, tree, "key", shown(value))
    elsewhere = [path for path in KEYS if path.rpartition(".")[2] == name]
    if elsewhere and "did you mean" not in what:
        return f"{what}; did you mean {elsewhere[0]}?"
    return what


def _note_repeated(
    node: NodeMapping, path: str, origin: Origin, reading: Reading
) -> None:
    repeated = list(node.repeated)
    last: dict[str, Node] = {}
    for name, line, value in node.entries:
        if name in last:
            repeated.append((name, line))
        last[name] = value
    for name, line in repeated:
        what = f"is there already; the last one says {shown(last[name])}"
        reading.blame(origin, line, path + name, what)
