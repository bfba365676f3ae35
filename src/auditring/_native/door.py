"""The door of a package that imports its rooms when somebody asks for them.

A program that uses one module of a family needn't load all of it. The names are those
of PEP 562: a package assigns what `open_late` returns to them.
"""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module

__all__ = ["open_late"]


def open_late(
    package: str, places: Mapping[str, str]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` of *package*.

    Args:
        package: Its name.
        places: By name, the module that has it, as ``.keys`` or ``..errors``.
    """

    def get(name: str) -> object:
        if name in places:
            return getattr(import_module(places[name], package), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def list_names() -> list[str]:
        module = vars(sys.modules[package])
        special = (name for name in module if name.startswith("__"))
        return sorted({*module["__all__"], *special})

    return get, list_names
