"""Where PyInstaller finds its hook for this package, by the entry point `hook-dirs`."""

import os

__all__ = ["hook_directories"]


def hook_directories() -> list[str]:
    """Return the folder of this module: the hook stands beside it."""
    return [os.path.dirname(__file__)]
