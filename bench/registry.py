"""Every contender that writes lines, by its name in the tables."""

import importlib
from importlib.util import find_spec
from types import MappingProxyType
from typing import Literal

from rivals.contender import Contender

__all__ = ["CONTENDERS", "Side", "contender_class", "is_installed", "side_of"]

Side = Literal["ours", "rival", "limit"]

# Name: module, class.
CONTENDERS = MappingProxyType(
    {
        "auditring": "ours.log_writer:OurWriter",
        "auditring handler": "ours.handler:OurHandler",
        "auditring handler, installed": "ours.handler:OurInstalledHandler",
        "FileHandler": "rivals.file_handler:FileHandler",
        "RotatingFileHandler": "rivals.rotating_file_handler:RotatingFileHandler",
        "QueueHandler": "rivals.queue_handler:QueueHandler",
        "MemoryHandler": "rivals.memory_handler:MemoryHandler",
        "spdlog": "rivals.spdlog:Spdlog",
        "spdlog, async": "rivals.spdlog:SpdlogAsync",
        "bqlog": "rivals.bqlog:Bqlog",
        "logust": "rivals.logust:Logust",
        "pyfastlogging": "rivals.pyfastlogging:Pyfastlogging",
        "fastlogging": "rivals.fastlogging:Fastlogging",
        "picologging": "rivals.picologging:Picologging",
        "loguru": "rivals.loguru:Loguru",
        "structlog + orjson": "rivals.structlog:Structlog",
        "logbook": "rivals.logbook:Logbook",
        "concurrent-log-handler": "rivals.concurrent_log_handler:ConcurrentLogHandler",
        "NullHandler": "limits.nothing:NullHandler",
        "orjson.dumps": "limits.nothing:OrjsonDumps",
        "C call": "limits.nothing:CCall",
    }
)
SIDES: dict[str, Side] = {"ours": "ours", "rivals": "rival", "limits": "limit"}
# What is imported under another name than pip's.
MODULES = {"bqlog": "bq", "concurrent-log-handler": "concurrent_log_handler"}


def contender_class(name: str) -> type[Contender]:
    """Return the class of a contender; its name may be a module and a class, too."""
    module, _, attribute = CONTENDERS.get(name, name).partition(":")
    found: type[Contender] = getattr(importlib.import_module(module), attribute)
    return found


def side_of(name: str) -> Side:
    """Tell whose side a contender is on.

    Of those that only one workload has, ours bear our name, and the others are limits,
    unless the workload says that they are rivals.
    """
    if name in CONTENDERS:
        return SIDES[CONTENDERS[name].partition(".")[0]]
    return "ours" if name.startswith("auditring") else "limit"


def is_installed(name: str) -> bool:
    distribution = contender_class(name).distribution
    if distribution is None:
        return True
    return find_spec(MODULES.get(distribution, distribution)) is not None
