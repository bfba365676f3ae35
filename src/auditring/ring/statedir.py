"""Where a log keeps what isn't in its file yet: the state directory beside it.

`csrc/directories.c` has the same rule, `.<name>.ring` beside the live file, for who
gives no other.
"""

import os

__all__ = ["state_dir_of"]


def state_dir_of(path: str | os.PathLike[str]) -> str:
    """Return the state directory that a log has by default; *path* is its live file."""
    directory, name = os.path.split(os.fspath(path))
    return os.path.join(directory, f".{name}.ring")
