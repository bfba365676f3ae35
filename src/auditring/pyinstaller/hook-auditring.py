"""Tells PyInstaller what of this package it can't see.

It looks for imports in bytecode. A compiled module has none, so all of them are listed,
and what they import; a module that is imported by a computed name is, too. PyInstaller
goes on from there. Loaded by PyInstaller only, and imports nothing of it.
"""

from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec
from pathlib import Path

__all__ = ["datas", "hiddenimports"]

_PACKAGE = Path(__file__).parent.parent

# By compiled modules; tests/test_packed_application.py compares it with their sources.
_IMPORTED_BY_COMPILED = [
    "_thread",
    "collections.abc",
    "dataclasses",
    "datetime",
    "errno",
    "functools",
    "logging",
    "orjson",
    "os",
    "re",
    "sys",
    "threading",
    "time",
    "types",
    "uuid",
    "auditring.event.answerstatus",
    "auditring.audit.auditor",
    "auditring.ring.coerce",
    "auditring.process.cooperation",
    "auditring.policy.decisions",
    "auditring.exchange.disconnects",
    "auditring.ring.distrust",
    "auditring.event.encode",
    "auditring.errors",
    "auditring.event.event",
    "auditring.exchange.exchange",
    "auditring.exchange.identification",
    "auditring.request.identity",
    "auditring.exchange.incompleteness",
    "auditring.audit.latency",
    "auditring.event.managedfields",
    "auditring.event.objectidentity",
    "auditring.request.info",
    "auditring.request.sourceips",
    "auditring.event.stage",
    "auditring.event.status",
    "auditring.request.user",
]
_IMPORTED_BY_NAME = [
    "bz2",
    "lzma",
    "auditring.audit.auditor",
    "auditring.event.event",
    "auditring.request.attributes",
    "auditring.request.user",
    "auditring.handlers.audit",
    "auditring.handlers.byteslogger",
    "auditring.backups.mills",
    "auditring.config.auditor",
    "auditring.config.keys",
    "auditring.config.loading",
    "auditring.config.open",
    "auditring.errors",
    "auditring.policy.policy",
    "auditring.redact.redactor",
    "auditring.log.stats",
    # Of the interpreter, by which loadable.py knows a sub-interpreter.
    *filter(find_spec, ["_xxsubinterpreters"]),
]


def _compiled_modules() -> list[str]:
    """Return the modules of this package that are built for this interpreter."""
    suffix = EXTENSION_SUFFIXES[0]
    return [
        ".".join((_PACKAGE.name, file.parent.name, file.name.removesuffix(suffix)))
        for file in sorted(_PACKAGE.glob(f"*/_*{suffix}"))
    ]


def _data_files(*folders: str) -> list[tuple[str, str]]:
    """Return the files of *folders*, each with the folder where it is looked for."""
    return [
        (str(file), f"{_PACKAGE.name}/{folder}")
        for folder in folders
        for file in sorted((_PACKAGE / folder).iterdir())
    ]


hiddenimports = [*_compiled_modules(), *_IMPORTED_BY_COMPILED, *_IMPORTED_BY_NAME]
datas = _data_files("cli/data", "policy/presets")
