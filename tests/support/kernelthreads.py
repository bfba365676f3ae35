"""The threads of this process as the kernel knows them; `threading` misses some."""

import contextlib
from pathlib import Path

__all__ = ["threads_called"]


def threads_called(name: str) -> list[Path]:
    """Return where the kernel shows the threads of that name."""
    found = []
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # it has just ended
            if (task / "comm").read_text().strip() == name:
                found.append(task)
    return found
