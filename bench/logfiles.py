"""The files of a log, the oldest first, by the ways in which backups are named."""

import re
from pathlib import Path

__all__ = ["numbered_files", "stamped_files"]

NUMBER = re.compile(r"\.(\d+)(?=\.|$)")


def numbered_files(path: Path) -> list[Path]:
    """Return ``app.log.2``, ``app.log.1``, ``app.log``: the highest number is oldest.

    The number may stand before the suffix, and ``.gz`` after it: ``app.1.log.gz``.
    """
    backups = [
        file for file in path.parent.glob(f"{path.stem}*") if _number_of(file, path)
    ]
    oldest_first = sorted(backups, key=lambda file: _number_of(file, path))
    return [*reversed(oldest_first), *_if_there(path)]


def stamped_files(path: Path) -> list[Path]:
    """Return backups whose names sort by time, and the live file."""
    backups = [
        file
        for file in path.parent.glob(f"{path.stem}[-._]*{path.suffix}*")
        if file != path and not file.name.endswith(".lock")
    ]
    by_time = sorted(backups, key=lambda file: file.name.removesuffix(".gz"))
    return [*by_time, *_if_there(path)]


def _number_of(file: Path, live: Path) -> int:
    """Return the number in the name of a backup, 0 for another file."""
    found = NUMBER.search(file.name.removeprefix(live.stem))
    return int(found[1]) if found else 0


def _if_there(path: Path) -> list[Path]:
    return [path] if path.exists() else []
