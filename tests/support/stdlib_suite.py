"""Run a class of the interpreter's own logging tests against the drop-in handlers.

A second copy of the module `test.test_logging` is loaded whose names `logging`, `os`
and `open` are its own: the first has our handlers, the others flush before anybody
looks at a file or removes it. The real modules stay as they are.

Usage: stdlib_suite.py CLASS, which prints a line for each test: its name, a tab, and
"ok", "skipped" or "failed". What failed is told on standard error.
"""

import builtins
import importlib.util
import logging
import logging.handlers
import os
import sys
import unittest
import warnings
from types import ModuleType
from typing import Any

from auditring import handlers

REPLACED = (
    "RotatingFileHandler",
    "TimedRotatingFileHandler",
    "WatchedFileHandler",
)


class Facade:
    """A module with some names replaced."""

    def __init__(self, module: Any, **replaced: Any) -> None:  # noqa: ANN401
        self._module = module
        self.__dict__.update(replaced)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._module, name)


def flush_all() -> None:
    for reference in list(logging._handlerList):  # type: ignore[attr-defined]
        handler = reference()
        if isinstance(handler, tuple(getattr(handlers, name) for name in REPLACED)):
            handler.flush()


def flushing(function: Any) -> Any:  # noqa: ANN401 - any function
    def look(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        flush_all()
        return function(*args, **kwargs)

    return look


def load() -> ModuleType:
    """Load a copy of the tests and give it its own names."""
    spec = importlib.util.find_spec("test.test_logging")
    assert spec is not None
    assert spec.loader is not None
    # In its package: it imports from there.
    spec = importlib.util.spec_from_file_location("test.our_test_logging", spec.origin)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of modules that are on their way out
        spec.loader.exec_module(module)
    ours = Facade(
        logging.handlers, **{name: getattr(handlers, name) for name in REPLACED}
    )
    # A FileHandler is what a WatchedFileHandler is that nobody interferes with.
    names: dict[str, Any] = {
        "logging": Facade(
            logging, handlers=ours, FileHandler=handlers.WatchedFileHandler
        ),
        "os": Facade(
            os,
            path=Facade(os.path, exists=flushing(os.path.exists)),
            unlink=flushing(os.unlink),
        ),
        "open": flushing(builtins.open),
    }
    vars(module).update(names)
    return module


class Result(unittest.TextTestResult):
    """Prints the outcome of each test."""

    def stopTest(self, test: unittest.TestCase) -> None:
        name = test.id().rpartition(".")[2]
        if any(failed is test for failed, _ in self.failures + self.errors):
            outcome = "failed"
        elif any(skipped is test for skipped, _ in self.skipped):
            outcome = "skipped"
        else:
            outcome = "ok"
        print(f"{name}\t{outcome}")
        super().stopTest(test)


def main() -> None:
    module = load()
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(
        getattr(module, sys.argv[1])
    )
    unittest.TextTestRunner(resultclass=Result, stream=sys.stderr).run(suite)


if __name__ == "__main__":
    main()
