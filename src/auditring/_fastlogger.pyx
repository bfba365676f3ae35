"""A logger that makes no LogRecord when nobody would see it.

Where every handler that a call reaches is one of ours, on its short way, and no filter
stands between, the line is made of the call itself. Everything else goes the way of
logging.Logger: other handlers, filters, `extra`, exceptions, `stacklevel`, a record
factory, a class or a module that somebody patched.
"""

from cpython.dict cimport PyDict_GetItem
from cpython.list cimport PyList_GET_ITEM, PyList_GET_SIZE
from cpython.object cimport Py_TYPE, PyObject
from cpython.tuple cimport PyTuple_GET_SIZE
from libc.stdint cimport int64_t

from ._fasthandler cimport FastHandler
from ._lineformat cimport call, type_version

import logging
import os
import sys
import time
from collections.abc import Mapping

from ._lineformat import is_untouched

cdef extern from "Python.h":
    PyObject *PyTuple_GET_ITEM(object values, Py_ssize_t index) noexcept
    object PyObject_GenericGetDict(object owner, void *context)
    object PyObject_CallNoArgs(object function)
    bint PyUnicode_CheckExact(object value) noexcept
    bint PyLong_Check(object value) noexcept
    bint PyLong_CheckExact(object value) noexcept
    bint PyFloat_CheckExact(object value) noexcept

cdef object Logger = logging.Logger
cdef object LogRecord = logging.LogRecord
cdef dict LOGGING = logging.__dict__
cdef dict TIME = time.__dict__
cdef dict LEVEL_NAMES = logging._levelToName
cdef object DEBUG = logging.DEBUG
cdef object INFO = logging.INFO
cdef object WARNING = logging.WARNING
cdef object ERROR = logging.ERROR
cdef object CRITICAL = logging.CRITICAL

# LogRecord counts nanoseconds since 3.13.
cdef bint COUNTS_NS = sys.version_info >= (3, 13)

cdef object LOGGER_METHODS = (
    "_log",
    "callHandlers",
    "filter",
    "findCaller",
    "getEffectiveLevel",
    "handle",
    "isEnabledFor",
    "makeRecord",
)
# What a logger has for itself, its manager aside. One that has more may have a method
# replaced.
cdef frozenset LOGGER_ATTRIBUTES = frozenset(Logger("").__dict__)

cdef str UNKNOWN_FILE = "(unknown file)"
cdef str UNKNOWN_FUNCTION = "(unknown function)"

# The last parts of paths of source files, as LogRecord finds them; few at a time.
cdef dict _path_parts = {}
cdef Py_ssize_t PATHS_MAX = 1000


class FastLogger(Logger):
    """A `logging.Logger` whose calls take the short way where there is one.

    Thread-safety: any thread.
    """

    def debug(self, msg, *args, **kwargs):
        """Log ``msg % args`` with level DEBUG."""
        if _is_enabled(self, DEBUG):
            _log(self, DEBUG, msg, args, kwargs)

    def info(self, msg, *args, **kwargs):
        """Log ``msg % args`` with level INFO."""
        if _is_enabled(self, INFO):
            _log(self, INFO, msg, args, kwargs)

    def warning(self, msg, *args, **kwargs):
        """Log ``msg % args`` with level WARNING."""
        if _is_enabled(self, WARNING):
            _log(self, WARNING, msg, args, kwargs)

    def error(self, msg, *args, **kwargs):
        """Log ``msg % args`` with level ERROR."""
        if _is_enabled(self, ERROR):
            _log(self, ERROR, msg, args, kwargs)

    def critical(self, msg, *args, **kwargs):
        """Log ``msg % args`` with level CRITICAL."""
        if _is_enabled(self, CRITICAL):
            _log(self, CRITICAL, msg, args, kwargs)

    def log(self, level, msg, *args, **kwargs):
        """Log ``msg % args`` with the integer *level*."""
        if not PyLong_Check(level):
            if logging.raiseExceptions:
                raise TypeError("level must be an integer")
            return
        if _is_enabled(self, level):
            _log(self, level, msg, args, kwargs)


# Whether the methods of a class are the stdlib's, with the version that was looked at.
cdef dict _looked_at = {}
cdef Py_ssize_t CLASSES_MAX = 100


cdef bint _is_untouched(object logger, dict own) except -1:
    """Tell whether a logger does what logging.Logger does."""
    cdef object kind = <object> Py_TYPE(logger)
    cdef PyObject *known
    cdef tuple look
    if len(own) != len(LOGGER_ATTRIBUTES) + ("manager" in own):
        if any(name in own for name in LOGGER_METHODS):
            return False
    known = PyDict_GetItem(_looked_at, kind)
    if known != NULL and (<tuple> known)[0] == type_version(kind):
        return (<tuple> known)[1]
    is_plain = is_untouched(kind, LOGGER_METHODS) and not any(
        name in vars(base) for base in kind.__mro__ for name in LOGGER_ATTRIBUTES
    )
    look = (type_version(kind), is_plain)
    if look[0]:
        if len(_looked_at) >= CLASSES_MAX:
            _looked_at.clear()  # somebody makes classes all the time
        _looked_at[kind] = look
    return is_plain


cdef bint _is_enabled(object logger, object level) except -1:
    cdef dict own = PyObject_GenericGetDict(logger, NULL)
    cdef PyObject *cache
    cdef PyObject *answer
    if _is_untouched(logger, own) and not own["disabled"]:
        cache = PyDict_GetItem(own, "_cache")
        if cache != NULL and type(<object> cache) is dict:
            answer = PyDict_GetItem(<object> cache, level)
            if answer != NULL:
                return <object> answer is True
    return logger.isEnabledFor(level)


cdef int _log(
    object logger, object level, object msg, tuple args, dict kwargs
) except -1:
    if kwargs or not _log_directly(logger, level, msg, args):
        logger._log(level, msg, args, **kwargs)
    return 0


cdef bint _log_directly(object logger, object level, object msg, tuple args) except -1:
    """Put a call into the rings that it reaches; False when it needs a record."""
    cdef dict own = PyObject_GenericGetDict(logger, NULL)
    cdef list handlers
    if PyDict_GetItem(LOGGING, "_logRecordFactory") != <PyObject *> LogRecord:
        return False
    if not _is_untouched(logger, own) or not _are_records_untouched():
        return False
    if PyList_GET_SIZE(<list?> own["filters"]) > 0:
        return False
    handlers = _reached_handlers(own, level)
    if not handlers:
        return False
    return _put(logger, own["name"], level, msg, args, handlers)


cdef unsigned int _record_version = 0
cdef bint _are_records_plain = False


cdef bint _are_records_untouched() except -1:
    global _record_version, _are_records_plain
    if type_version(LogRecord) != _record_version:
        _are_records_plain = is_untouched(LogRecord, ("__init__", "getMessage"))
        _record_version = type_version(LogRecord)
    return _are_records_plain


cdef list _reached_handlers(dict own, object level):
    """Walk to the root, as callHandlers does; None unless all handlers are ours."""
    cdef FastHandler handler
    cdef list handlers, reached = []
    cdef Py_ssize_t i
    while True:
        handlers = <list?> own["handlers"]
        i = 0
        while i < PyList_GET_SIZE(handlers):
            item = <object> PyList_GET_ITEM(handlers, i)
            i += 1
            if not isinstance(item, FastHandler):
                return None
            handler = <FastHandler> item
            if not level >= handler.level:  # as callHandlers compares them
                continue
            if not handler.takes_calls():
                return None
            reached.append(handler)
        if not own["propagate"]:
            return reached
        parent = own["parent"]
        if parent is None:
            return reached
        own = PyObject_GenericGetDict(parent, NULL)


cdef bint _put(
    object logger, object name, object level, object msg, tuple args, list handlers
) except -1:
    cdef FastHandler handler
    cdef call given
    cdef object levelname = _level_name(level)
    cdef object arguments = _arguments(args)
    cdef tuple caller = None
    cdef object record = None
    if not _look_at_clock(&given):
        return False
    for item in handlers:
        if (<FastHandler> item).wants_caller():
            caller = _caller()
            _set_caller(caller, &given)
            break
    given.name = <PyObject *> name
    given.msg = <PyObject *> msg
    given.args = <PyObject *> arguments
    given.levelno = <PyObject *> level
    given.levelname = <PyObject *> levelname
    for item in handlers:
        handler = <FastHandler> item
        try:
            if handler.put_call(&given):
                continue
        except Exception as error:
            record = record or _make_record(logger, name, level, msg, args)
            handler._report_error(record, error)
            continue
        record = record or _make_record(logger, name, level, msg, args)
        handler.handle(record)
    return True


cdef object _level_name(object level):
    cdef PyObject *name = PyDict_GetItem(LEVEL_NAMES, level)
    if name != NULL and PyUnicode_CheckExact(<object> name):
        return <object> name
    return logging.getLevelName(level)


cdef object _arguments(tuple args):
    """Unpack a mapping that is the only argument, as LogRecord does."""
    if PyTuple_GET_SIZE(args) != 1:
        return args
    first = <object> PyTuple_GET_ITEM(args, 0)
    if PyUnicode_CheckExact(first) or PyLong_CheckExact(first):
        return args
    return first if isinstance(first, Mapping) and first else args


cdef bint _look_at_clock(call *given) except -1:
    """Tell the time as LogRecord does; False when the clock is no usual one."""
    cdef int64_t now_ns
    cdef double now
    if COUNTS_NS:
        moment = PyObject_CallNoArgs(TIME["time_ns"])
        if not PyLong_CheckExact(moment):
            return False
        now_ns = moment
        if now_ns < 0:
            return False
        given.created = now_ns / 1e9
        given.msecs = <int> (now_ns % 1000000000 // 1000000)
        if given.msecs == 999 and <int64_t> given.created != now_ns // 1000000000:
            given.msecs = 0
        return True
    moment = PyObject_CallNoArgs(TIME["time"])
    if not PyFloat_CheckExact(moment):
        return False
    now = moment
    if not 0 <= now < 1e11:
        return False
    given.created = now
    given.msecs = <int> ((now - <double> <int64_t> now) * 1000)
    return True


# Callers.

cdef object _caller():
    """Return the frame that the call comes from, as findCaller finds it.

    None where logging was told not to look.
    """
    cdef object own_file = LOGGING["_srcfile"]
    if not own_file:
        return UNKNOWN_FILE, UNKNOWN_FILE, UNKNOWN_FILE, UNKNOWN_FUNCTION, 0
    frame = sys._getframe()
    while _is_internal(frame.f_code.co_filename, own_file) and frame.f_back is not None:
        frame = frame.f_back
    path = frame.f_code.co_filename
    filename, module = _parts_of(path)
    return path, filename, module, frame.f_code.co_name, frame.f_lineno


cdef bint _is_internal(str path, object own_file) except -1:
    return path == own_file or ("importlib" in path and "_bootstrap" in path)


cdef tuple _parts_of(str path):
    cdef PyObject *known = PyDict_GetItem(_path_parts, path)
    if known != NULL:
        return <tuple> known
    if len(_path_parts) >= PATHS_MAX:
        _path_parts.clear()
    filename = os.path.basename(path)
    parts = filename, os.path.splitext(filename)[0]
    _path_parts[path] = parts
    return parts


cdef int _set_caller(tuple caller, call *given) except -1:
    given.pathname = PyTuple_GET_ITEM(caller, 0)
    given.filename = PyTuple_GET_ITEM(caller, 1)
    given.module = PyTuple_GET_ITEM(caller, 2)
    given.function = PyTuple_GET_ITEM(caller, 3)
    given.lineno = caller[4]
    return 0


cdef object _make_record(
    object logger, object name, object level, object msg, tuple args
):
    file, line, function = UNKNOWN_FILE, 0, UNKNOWN_FUNCTION
    if LOGGING["_srcfile"]:
        file, line, function, _ = logger.findCaller()
    return logger.makeRecord(name, level, file, line, msg, args, None, function)
