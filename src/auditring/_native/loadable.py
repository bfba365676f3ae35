"""Says why this package can't be loaded, where it can't: by the import of this module.

It comes before all others, since what they raise would tell nobody what to do. The
compiled modules are files that the system loads, made for one kind of interpreter; and
they belong to the process: descriptors, locks and hooks of a fork are theirs once.
"""

import _thread
import importlib.util
import os
import sys
from importlib import import_module
from importlib.machinery import EXTENSION_SUFFIXES

__all__ = ["why_not"]

_PACKAGE = __package__.partition(".")[0]


def why_not() -> str | None:
    """Return the reason in one sentence, None if there is none."""
    if _is_sub_interpreter():
        return (
            "auditring can't be used in a sub-interpreter: import it in the main"
            " interpreter of the process, or in a process of its own"
        )
    if importlib.util.find_spec(f"{_PACKAGE}.ring._writer") is None:
        return _why_not_compiled()
    return None


def _is_sub_interpreter() -> bool:
    is_main = getattr(_thread, "_is_main_interpreter", None)  # Since CPython 3.12.
    if is_main is not None:
        return not is_main()
    name = "_xxsubinterpreters"
    is_loaded = name in sys.modules
    try:
        interpreters = import_module(name)
    except ImportError:
        return False  # Nothing here makes any.
    if not is_loaded:
        del sys.modules[name]  # The interpreter's own: nobody else asked for it.
    return bool(interpreters.get_current() != interpreters.get_main())


def _why_not_compiled() -> str:
    place = os.path.dirname(os.path.dirname(__file__))
    archive = _archive_of(place)
    if archive is not None:
        return (
            f"auditring can't be imported from the archive {archive}: its compiled"
            " modules have to be files, so unpack it or put it beside the archive"
        )
    if getattr(sys, "frozen", False):
        return (
            "auditring was packed without its compiled modules: name them all to the"
            " tool that packed the program, as the package's hook does for PyInstaller"
        )
    return (
        f"auditring has no compiled modules (*{EXTENSION_SUFFIXES[0]}) in {place} that"
        " this interpreter could load: install it with the interpreter that runs it"
    )


def _archive_of(place: str) -> str | None:
    """Return the file that *place* is inside of, if it is no folder."""
    while place and not os.path.isdir(place):
        if os.path.isfile(place):
            return place
        place = os.path.dirname(place)
    return None


_REASON = why_not()
if _REASON is not None:
    raise ImportError(_REASON, name=_PACKAGE)
