"""Imports and includes point one way: to the levels above, never sideways or down.

Python: a family, which is a folder of the package or a file beside them, may use the
families on the levels before its own; inside a family, no two modules need each other.
C: a shelf may use everything on the shelves before it.
"""

import ast
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "auditring"
CSRC = ROOT / "csrc"

LEVELS = [
    {"errors", "_version", "pyinstaller"},
    {"_native", "process"},
    {"documents"},
    {"ring", "request"},
    {"files"},
    {"event", "backups", "follow"},
    {"policy", "redact", "log"},
    {"backends"},
    {"audit", "records"},
    {"handlers", "exchange", "metrics"},
    {"middleware", "config"},
    {"cli"},
    # Doors, which nothing of the package goes through.
    {"__init__", "__main__", "cursor", "encode", "routes"},
]

C_SHELVES = [
    {"testpoint", "mutant"},
    {"octets", "ordering", "sharedkey", "sys"},
    {"mapping"},
    {"checksum", "clock", "crc32c", "losscount", "wait"},
    {"gap", "packed"},
    {"ownership"},
    {"ringfile", "control"},
    {"ring", "ringlabel", "ringmap", "ringreader", "logfile", "syncer"},
    {"appending", "ringwait", "intentblock", "ringstake"},
    {"ringhead"},
    {"gapfile", "intent", "packsearch", "rotate"},
    {"intentprefix", "leader"},
    {"batch"},
    {"recover", "salvage", "settling"},
    {"writer"},
]

# Rooms of several files: drainer.h is the inside of `struct writer`.
C_ROOMS = {
    "adoption": "writer",
    "asking": "writer",
    "closing": "writer",
    "departed": "writer",
    "directories": "writer",
    "drain": "writer",
    "drainer": "writer",
    "durability": "writer",
    "fault": "mapping",
    "filelimit": "writer",
    "forking": "writer",
    "generation": "writer",
    "growth": "writer",
    "heir": "writer",
    "helping": "writer",
    "keeper": "writer",
    "keptfile": "writer",
    "livefile": "writer",
    "packedxz": "packed",
    "losses": "writer",
    "opening": "writer",
    "ownring": "writer",
    "pass": "writer",
    "registry": "writer",
    "renewal": "writer",
    "resting": "writer",
    "revival": "writer",
    "sources": "writer",
    "spare": "writer",
    "stake": "writer",
    "speaker": "writer",
    "stats": "writer",
    "sysfault": "sys",
    "sysprocess": "sys",
    "thread": "writer",
    "trouble": "writer",
    "trust": "writer",
    "yielding": "writer",
}


MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
    for suffix in ("py", "pyx", "pxd")
    for path in PACKAGE.rglob(f"*.{suffix}")
}


def level_of(module: str) -> int:
    """Return the number of the level of *module*'s family, or raise KeyError."""
    family = module.partition(".")[0]
    for number, level in enumerate(LEVELS):
        if family in level:
            return number
    raise KeyError(f"{family} stands on no level of {Path(__file__).name}")


def name_of(path: Path) -> str:
    """Return the dotted name of a module below the package."""
    name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    return name.removesuffix(".__init__")


def module_of(dotted: str) -> str:
    """Return the module that ``auditring.…`` names, or that has what it names."""
    name = dotted.partition(".")[2]
    while name and name not in MODULES:
        name = name.rpartition(".")[0]
    return name or "__init__"


def package_of(path: Path) -> list[str]:
    """Return the package that a relative import of *path* begins in."""
    return ["auditring", *path.relative_to(PACKAGE).parts[:-1]]


def python_imports(source: str, package: list[str]) -> Iterator[str]:
    """Yield the modules of this package that *source* imports, at any depth of it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*above, *filter(None, [node.module])])
            targets = [f"{origin}.{alias.name}" for alias in node.names]
        else:
            continue
        for target in targets:
            if target.split(".")[0] == "auditring":
                yield module_of(target)


def cython_imports(source: str, package: list[str]) -> Iterator[str]:
    """Yield the modules of this package that Cython's *source* imports."""
    pattern = r"^\s*(?:from\s+(\.*)([\w.]*)\s+c?import\s+(\w+)|c?import\s+([\w.]+))"
    for dots, origin, name, whole in re.findall(pattern, source, re.MULTILINE):
        above = package[: len(package) - len(dots) + 1] if dots else []
        target = whole or ".".join([*above, *filter(None, [origin]), name])
        if target.split(".")[0] == "auditring":
            yield module_of(target)


def imports_of(path: Path) -> Iterator[str]:
    """Yield the modules of this package that a file of it imports."""
    source = path.read_text(encoding="utf-8")
    find = cython_imports if path.suffix in (".pyx", ".pxd") else python_imports
    return find(source, package_of(path))


def wrong_levels(name: str, used: Iterator[str]) -> set[str]:
    """Return what *name* may not use, out of *used*."""
    family = name.partition(".")[0]
    return {
        other
        for other in used
        if other.partition(".")[0] != family and level_of(other) >= level_of(name)
    }


def c_includes(source: str) -> Iterator[str]:
    """Yield the rooms whose headers *source* includes."""
    for name in re.findall(r'^\s*#\s*include\s+"(\w+)\.h"', source, re.MULTILINE):
        yield C_ROOMS.get(name, name)


def shelf_of(name: str) -> int:
    """Return the number of the shelf that *name* stands on, or raise KeyError."""
    for number, shelf in enumerate(C_SHELVES):
        if name in shelf:
            return number
    raise KeyError(f"{name} stands on no shelf of {Path(__file__).name}")


def wrong_includes(name: str, used: Iterator[str]) -> set[str]:
    """Return what *name* may not include, out of *used*."""
    others = set(used) - {name}
    return {other for other in others if shelf_of(other) >= shelf_of(name)}


FILES = sorted(
    path
    for suffix in ("py", "pyi", "pyx", "pxd")
    for path in PACKAGE.rglob(f"*.{suffix}")
)
FAMILIES = sorted({name_of(path).partition(".")[0] for path in FILES})
C_FILES = sorted([*CSRC.glob("*.c"), *CSRC.glob("*.h")])


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_module_imports_only_from_the_levels_above(path: Path) -> None:
    assert wrong_levels(name_of(path), imports_of(path)) == set()


@pytest.mark.parametrize("family", FAMILIES)
def test_no_two_modules_of_a_family_need_each_other(family: str) -> None:
    graph: dict[str, set[str]] = {}
    for path in FILES:
        name = name_of(path)
        if name.partition(".")[0] == family:
            graph.setdefault(name, set()).update(set(imports_of(path)) - {name})

    TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("path", C_FILES, ids=lambda path: path.name)
def test_a_c_file_includes_only_from_the_shelves_above(path: Path) -> None:
    used = c_includes(path.read_text(encoding="utf-8"))

    assert wrong_includes(C_ROOMS.get(path.stem, path.stem), used) == set()


@pytest.mark.parametrize("path", C_FILES, ids=lambda path: path.name)
def test_the_core_knows_nothing_of_python(path: Path) -> None:
    assert "Python.h" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", C_FILES, ids=lambda path: path.name)
def test_a_c_file_and_its_header_come_in_pairs(path: Path) -> None:
    other = path.with_suffix(".h" if path.suffix == ".c" else ".c")

    only = {"mutant.h", "octets.h", "ordering.h", "sharedkey.h", "testpoint.h"}
    assert other.exists() or path.name in only


def test_there_is_something_to_look_at() -> None:
    assert {"errors", "log.writer", "ring._writer"} <= {name_of(path) for path in FILES}
    assert {"ring.c", "ring.h"} <= {path.name for path in C_FILES}


@pytest.mark.parametrize(
    ("package", "source"),
    [
        ("", "from .log.writer import LogWriter"),
        ("", "from .log import writer"),
        ("", "import auditring.log.writer"),
        ("", "from auditring.log import writer"),
        ("documents", "from ..log.writer import LogWriter"),
        ("documents", "def lazily() -> None:\n    from ..log.writer import LogWriter"),
        ("documents", "from auditring import LogWriter"),
        ("process", "from ..documents import tree"),
    ],
)
def test_an_import_the_wrong_way_is_noticed(package: str, source: str) -> None:
    used = python_imports(source, ["auditring", *filter(None, [package])])

    assert wrong_levels(package or "errors", used)


@pytest.mark.parametrize(
    "source", ["from ..log.writer cimport x", "import auditring.cli"]
)
def test_a_cython_import_the_wrong_way_is_noticed(source: str) -> None:
    assert wrong_levels("ring._writer", cython_imports(source, ["auditring", "ring"]))


def test_a_circle_in_a_family_is_noticed() -> None:
    with pytest.raises(CycleError):
        TopologicalSorter({"a.b": {"a.c"}, "a.c": {"a.b"}}).prepare()


def test_an_include_the_wrong_way_is_noticed() -> None:
    used = c_includes('#include "leader.h"\n#include "sys.h"\n')

    assert wrong_includes("ring", used) == {"leader"}
