"""Whether a killed mill may have left something beside a log.

Every opener asks, also one that wants nothing done with backups: so it is a single look
at the names, and what it takes for a yes is examined by the mill (mill.py).
"""

import os

from ..files.names import SUFFIXES

__all__ = ["may_have_leftovers"]

_SUFFIXES = SUFFIXES[1:]


def may_have_leftovers(directory: str | os.PathLike[str], name: str) -> bool:
    """Tell whether a backup of *name* is there in two forms, or one is half-made.

    Raises:
        OSError: The directory can't be read.
    """
    stem = name[: name.rfind(".")] if "." in name else name
    names = os.listdir(directory)
    ours = {each for each in names if each.startswith(stem)}
    return any(
        each.endswith(_SUFFIXES) and each[: each.rfind(".")] in ours for each in ours
    ) or any(each.endswith(".tmp") and each.startswith(f".{stem}") for each in names)
