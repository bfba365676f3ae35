"""Make the loggers of a program fast ones."""

import logging

from ._logger import FastLogger

__all__ = ["FastLogger", "install"]


class FastRootLogger(FastLogger, logging.RootLogger):
    """The root of a hierarchy whose loggers are `FastLogger`."""


def install() -> None:
    """Make `logging.getLogger` return fast loggers, and existing ones fast.

    A call then makes no LogRecord where only handlers of this package would see it.
    What a logger does stays the same: filters, `extra`, `stacklevel`, levels, the
    record factory. Loggers of another class than the standard library's stay as they
    are, and so does a class that was set with `logging.setLoggerClass`.

    Thread-safety: any thread; calling it again does nothing.
    """
    if logging.getLoggerClass() is logging.Logger:
        logging.setLoggerClass(FastLogger)
    root = logging.getLogger()
    if type(root) is logging.RootLogger:
        root.__class__ = FastRootLogger
    for logger in list(root.manager.loggerDict.values()):
        if type(logger) is logging.Logger:
            logger.__class__ = FastLogger
