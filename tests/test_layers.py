"""Imports and includes point one way: to the shelves above, never sideways or down.

A shelf may use everything on the shelves before it. What stands on one shelf doesn't
know of each other. A trailing ``.*`` stands for the modules of a folder.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "auditring"
CSRC = ROOT / "csrc"

PYTHON_SHELVES = [
    # 1: what everybody may use, and the binding of csrc
    {
        "_block",
        "_line",
        "_nativethread",
        "_version",
        "errors",
        "known",
        "linesplitter",
        "loadable",
        "pyinstaller.*",
        "user",
    },
    {"_copying", "afterfork", "cooperation", "namedfile", "reaper"},
    {
        "_ascii",
        "_cooperativelock",
        "_headername",
        "_jsonstring",
        "_microtext",
        "_octets",
        "_slots",
    },
    {"_attributeslots", "_environheaders", "_routetable", "_sharedtext", "_uuid"},
    {"_plainjson", "coerce", "distrust", "ownership"},
    {"_writer"},
    # 2: events
    {"_echotable", "_rawjson", "_secretsigns", "microtime"},
    {"_bodywalk"},
    {"rawjson"},
    {"typedjson"},
    {"status"},
    {"event", "dnsname", "fieldselector", "requesturl", "sourceips"},
    {"_plainuser", "impersonation", "labelselector"},
    {"listoptions", "requestheaders"},
    {"_sourcelist", "requestinfo"},
    {"_plainrequest"},
    {"attributes", "targets"},
    # 3: what a policy says
    {"nodes"},
    {"jsontext", "notapolicy", "yamlevents", "yamlscalar", "yamlwords", "schema"},
    {"policytypes", "commandlines", "yamltext"},
    {"kubernetesresources", "rules"},
    {"rulewords", "targetreading", "validation", "_decide"},
    {"policylint", "reachability"},
    {"policyfile", "decisions"},
    {"_encode", "legacytext"},
    # 3: decide, write, read
    {"backups", "cursornote", "formats", "rotatednames"},
    {"backupfiles"},
    {"backupnames", "cursor", "generation", "unpacking"},
    {"beginning"},
    {"ageorder"},
    {"generations"},
    {"place"},
    {"reader", "followers"},
    {"millsettings", "space", "torn"},
    {"packing"},
    {"datedbackups", "parting", "retention", "stats"},
    {"compressor"},
    {
        "policy",
        "encode",
        "managedfields",
        "payload",
        "mill",
        "follower",
        "keeper",
        "tail",
        "verify",
    },
    {"secrettext", "follow"},
    {"secretarguments"},
    {"scrubbedquery"},
    {"answerstatus", "objectidentity"},
    {"truncation", "stageevent", "masks", "redactionrules"},
    {"echoes"},
    {"redactedbody"},
    {"redact"},
    {"eventsize"},
    # 3: ask a policy
    {"eventforms", "recordedlog"},
    {"recordedevents"},
    {
        "explanation",
        "policyinspection",
        "requestlines",
        "simulation",
    },
    {"millthread"},
    {"mills"},
    {"droppedoptions", "leftovers", "lifetime", "writeroptions"},
    {"messenger"},
    {"writer"},
    {"_asctime", "_logcall", "_logmessage", "_versions"},
    {"_untouched"},
    {"_logrecord"},
    {"_formatpiece"},
    {"_lineformat"},
    # 4: places and questions
    {"latency", "losses"},
    {"backend"},
    {"_outlet"},
    {"_audited"},
    {"_begin"},
    {"query", "backends.*"},
    # 5: put together
    {"reloads"},
    {"everything"},
    {"auditor"},
    {"metrics"},
    {"suggestion"},
    {"configkinds", "hiddenvalues"},
    {"confignames", "configsizes", "configtimes"},
    {"configmasks", "pythonnode"},
    {"configkeys"},
    {"configtext"},
    {"environment", "configpolicy", "configrules"},
    {"flags"},
    {"configloading", "configwatch"},
    {"configassembly", "configreference", "configschema", "configshown"},
    {"configuredauditor"},
    {"config"},
    {"disconnects", "identity", "incompleteness", "rejection", "routes", "wsgienviron"},
    {"approutes", "bodies", "identification", "requestreader"},
    {"unrecorded"},
    {"_scope", "exchange", "watchedstream"},
    {"_exchange"},
    # 6: ways in
    {
        "_fasthandler",
        "handleroptions",
        "handlerpickle",
        "linecodec",
        "logstream",
        "overriding",
        "pastring",
        "patience",
        "ringless",
        "ringstate",
        "rollovertrouble",
    },
    {"_logroute", "ringhandler"},
    {"_fastlogger"},
    {"audithandleroptions", "byteslogger", "recordevent"},
    {"audithandler"},
    {"fastlogger", "rotatinghandler", "timedhandler", "watchedhandler"},
    {"middleware.asgi", "middleware.wsgi"},
    {"handlers", "middleware.*", "web.*"},
    # 7: doors
    {"__init__"},
    {"complaints", "oneline"},
    {"commandgroup", "feed", "demo_worker", "recovery"},
    {"logview", "problems", "output", "outputform", "sizeoption"},
    {"policyreport", "sidecar", "speedtrial"},
    {"configcommands", "policycommands"},
    {"demo_account"},
    {"demo"},
    {"cli_bench", "cli_follow"},
    {"cli"},
    {"__main__"},
]

C_SHELVES = [
    {"testpoint"},
    {"sys"},
    {"mapping"},
    {"checksum", "clock", "crc32c", "losscount", "wait"},
    {"gap", "packed"},
    {"ownership"},
    {"ringfile", "control"},
    {"ring", "ringlabel", "ringmap", "ringreader", "logfile", "syncer"},
    {"appending", "ringwait", "intentblock", "ringstake"},
    {"ringhead"},
    {"gapfile", "intent", "packsearch", "rotate"},
    {"leader"},
    {"batch"},
    {"recover", "salvage", "settling"},
    {"writer"},
]

# Rooms of several files: drainer.h is the inside of `struct writer`.
C_ROOMS = {
    "adoption": "writer",
    "closing": "writer",
    "departed": "writer",
    "directories": "writer",
    "drain": "writer",
    "drainer": "writer",
    "durability": "writer",
    "fault": "mapping",
    "forking": "writer",
    "generation": "writer",
    "growth": "writer",
    "heir": "writer",
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


def shelf_of(name: str, shelves: list[set[str]]) -> int:
    """Return the number of the shelf that *name* stands on, or raise KeyError."""
    folder = name.partition(".")[0] + ".*"
    for number, shelf in enumerate(shelves):
        if name in shelf or folder in shelf:
            return number
    raise KeyError(f"{name} stands on no shelf of {Path(__file__).name}")


def name_of(path: Path) -> str:
    """Return the dotted name of a module below the package."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def module_of(dotted: str) -> str:
    """Return the module, named as on the shelves, that *dotted* lives in.

    ``auditring.mill.compress`` and ``auditring.mill`` are both in ``mill``; what no
    shelf knows can only come through the door, ``__init__``.
    """
    parts = dotted.split(".")[1:]
    for shelf in PYTHON_SHELVES:
        if parts and parts[0] in shelf:
            return parts[0]
        if parts and f"{parts[0]}.*" in shelf:
            return ".".join(parts[:2])
    return "__init__"


def python_imports(source: str, importer: str) -> Iterator[str]:
    """Yield the modules of this package that *source* imports, at any depth of it."""
    package = ["auditring", *importer.split(".")[:-1]]
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


def cython_imports(source: str) -> Iterator[str]:
    """Yield the modules of this package that Cython's *source* imports."""
    pattern = r"^\s*(?:from\s+(?:auditring)?\.|c?import\s+auditring\.)(\w+)"
    yield from re.findall(pattern, source, re.MULTILINE)


def c_includes(source: str) -> Iterator[str]:
    """Yield the rooms whose headers *source* includes."""
    for name in re.findall(r'^\s*#\s*include\s+"(\w+)\.h"', source, re.MULTILINE):
        yield C_ROOMS.get(name, name)


def wrong_way(name: str, used: Iterator[str], shelves: list[set[str]]) -> set[str]:
    """Return what *name* may not use, out of *used*."""
    own = shelf_of(name, shelves)
    others = set(used) - {name}
    return {other for other in others if shelf_of(other, shelves) >= own}


PYTHON_FILES = sorted([*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.pyi")])
CYTHON_FILES = sorted([*PACKAGE.rglob("*.pyx"), *PACKAGE.rglob("*.pxd")])
C_FILES = sorted([*CSRC.glob("*.c"), *CSRC.glob("*.h")])


@pytest.mark.parametrize("path", PYTHON_FILES, ids=lambda path: path.name)
def test_a_module_imports_only_from_the_shelves_above(path: Path) -> None:
    name = name_of(path)

    used = python_imports(path.read_text(encoding="utf-8"), name)

    assert wrong_way(name, used, PYTHON_SHELVES) == set()


@pytest.mark.parametrize("path", CYTHON_FILES, ids=lambda path: path.name)
def test_the_binding_imports_only_from_the_shelves_above(path: Path) -> None:
    used = cython_imports(path.read_text(encoding="utf-8"))

    assert wrong_way(name_of(path), used, PYTHON_SHELVES) == set()


@pytest.mark.parametrize("path", C_FILES, ids=lambda path: path.name)
def test_a_c_file_includes_only_from_the_shelves_above(path: Path) -> None:
    used = c_includes(path.read_text(encoding="utf-8"))
    room = C_ROOMS.get(path.stem, path.stem)

    assert wrong_way(room, used, C_SHELVES) == set()


@pytest.mark.parametrize("path", C_FILES, ids=lambda path: path.name)
def test_the_core_knows_nothing_of_python(path: Path) -> None:
    assert "Python.h" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", C_FILES, ids=lambda path: path.name)
def test_a_c_file_and_its_header_come_in_pairs(path: Path) -> None:
    other = path.with_suffix(".h" if path.suffix == ".c" else ".c")

    assert other.exists() or path.name == "testpoint.h"


def test_there_is_something_to_look_at() -> None:
    assert {"errors.py", "writer.py"} <= {path.name for path in PYTHON_FILES}
    assert "_writer.pyx" in {path.name for path in CYTHON_FILES}
    assert {"ring.c", "ring.h"} <= {path.name for path in C_FILES}


@pytest.mark.parametrize(
    ("importer", "source"),
    [
        ("errors", "from .writer import LogWriter"),
        ("errors", "from . import writer"),
        ("errors", "import auditring.writer"),
        ("errors", "from auditring import writer"),
        ("errors", "def lazily() -> None:\n    from .writer import LogWriter"),
        ("mill", "from auditring import LogWriter"),
        ("backends.log", "from . import stdout"),
        ("backends.log", "from .stdout import Backend"),
    ],
)
def test_an_import_the_wrong_way_is_noticed(importer: str, source: str) -> None:
    used = python_imports(source, importer)

    assert wrong_way(importer, used, PYTHON_SHELVES)


@pytest.mark.parametrize("source", ["from .writer cimport x", "import auditring.cli"])
def test_a_cython_import_the_wrong_way_is_noticed(source: str) -> None:
    assert wrong_way("_writer", cython_imports(source), PYTHON_SHELVES)


def test_an_include_the_wrong_way_is_noticed() -> None:
    used = c_includes('#include "leader.h"\n#include "sys.h"\n')

    assert wrong_way("ring", used, C_SHELVES) == {"leader"}
