"""What a probe looks at: a program that writes to a log, and the same without one."""

import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from limits.do_nothing import Nothing

if TYPE_CHECKING:
    from auditring import LogWriter

__all__ = ["WITHOUT_LOG", "WITH_LOG", "opened"]

WITH_LOG = "auditring"
WITHOUT_LOG = "do nothing"


def opened(
    contender: str, path: Path, options: Mapping[str, Any]
) -> "AbstractContextManager[LogWriter | Nothing]":
    """Open the log at *path* with *options*, or what takes its place."""
    if contender == WITHOUT_LOG:
        assert "auditring" not in sys.modules
        return closing(Nothing())
    from auditring import LogWriter  # its import is part of what it costs

    return LogWriter(path, **options)
