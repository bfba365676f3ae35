"""A logger that makes no LogRecord when nobody would see it.

Where every handler that a call reaches is one of ours, on its short way, and no filter
stands between, the line is made of the call itself. Everything else goes the way of
logging.Logger: other handlers, filters, `extra`, exceptions, `stacklevel`, a record
factory, a class or a module that somebody patched.
"""

from cpython.dict cimport PyDict_GetItemWithError
from cpython.float cimport PyFloat_AS_DOUBLE, PyFloat_CheckExact
from cpython.long cimport PyLong_Check, PyLong_CheckExact
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from cpython.tuple cimport PyTuple_GET_ITEM, PyTuple_GET_SIZE
from cpython.unicode cimport PyUnicode_CheckExact
from libc.stdint cimport int64_t

from ._handler cimport FastHandler
from ..records._record cimport call
from ._route cimport (
    COUNTS_NS,
    ROUTE_HANDLERS_MAX,
    clock,
    find_route,
    is_direct,
    route,
)

import logging
import os
import sys
from collections.abc import Mapping

cdef extern from "Python.h":
    object PyObject_CallNoArgs(object function)

cdef object Logger = logging.Logger
cdef dict LOGGING = logging.__dict__
cdef object DEBUG = logging.DEBUG
cdef object INFO = logging.INFO
cdef object WARNING = logging.WARNING
cdef object ERROR = logging.ERROR
cdef object CRITICAL = logging.CRITICAL

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
        _log(self, DEBUG, msg, args, kwargs)

    def info(self, msg, *args, **kwargs):
        """Log ``msg % args`` with level INFO."""
        _log(self, INFO, msg, args, kwargs)

    def warning(self, msg, *args, **kwargs):
        """Log ``msg % args`` with level WARNING."""
        _log(self, WARNING, msg, args, kwargs)

    def error(self, msg, *args, **kwargs):
        """Log ``msg % args`` with level ERROR."""
        _log(self, ERROR, msg, args, kwargs)

    def critical(self, msg, *args, **kwargs):
        """Log ``msg % args`` with level CRITICAL."""
        _log(self, CRITICAL, msg, args, kwargs)

    def log(self, level, msg, *args, **kwargs):
        """Log ``msg % args`` with the integer *level*."""
        if not PyLong_Check(level):
            if logging.raiseExceptions:
                raise TypeError("level must be an integer")
            return
        _log(self, level, msg, args, kwargs)


cdef int _log(
    object logger, object level, object msg, tuple args, dict kwargs
) except -1:
    cdef route *way = find_route(logger, level)
    cdef PyObject *answer = NULL
    if way.is_plain:
        answer = PyDict_GetItemWithError(<object> way.cache, level)
    if answer == NULL:
        if logger.isEnabledFor(level):
            logger._log(level, msg, args, **kwargs)
        return 0
    if <object> answer is not True:
        return 0
    if kwargs or not is_direct(way, logger, level):
        logger._log(level, msg, args, **kwargs)
        return 0
    return _log_directly(way, logger, level, msg, args)


cdef int _log_directly(
    route *way, object logger, object level, object msg, tuple args
) except -1:
    """Put a call into the rings that it reaches."""
    cdef PyObject *handlers[ROUTE_HANDLERS_MAX]
    cdef int count = way.reached_count
    cdef int i
    cdef object name = <object> way.name
    cdef object level_name = <object> way.level_name
    # The way may be another one as soon as anything else runs, and handlers gone.
    for i in range(count):
        handlers[i] = way.reached[i]
        Py_INCREF(<object> handlers[i])
    try:
        for i in range(count):
            if not (<FastHandler> handlers[i]).takes_calls():
                logger._log(level, msg, args)
                return 0
        return _put(logger, name, level, level_name, msg, args, handlers, count)
    finally:
        for i in range(count):
            Py_DECREF(<object> handlers[i])


cdef int _put(
    object logger,
    object name,
    object level,
    object level_name,
    object msg,
    tuple args,
    PyObject **handlers,
    int count,
) except -1:
    cdef FastHandler handler
    cdef call given
    cdef object arguments = _arguments(args)
    cdef tuple caller = None
    cdef object record = None
    cdef int i
    if not _look_at_clock(&given):
        logger._log(level, msg, args)
        return 0
    for i in range(count):
        if (<FastHandler> handlers[i]).wants_caller():
            caller = _caller()
            _set_caller(caller, &given)
            break
    given.name = <PyObject *> name
    given.msg = <PyObject *> msg
    given.args = <PyObject *> arguments
    given.levelno = <PyObject *> level
    given.levelname = <PyObject *> level_name
    for i in range(count):
        handler = <FastHandler> handlers[i]
        try:
            if handler.put_call(&given):
                continue
        except Exception as error:
            record = record or _make_record(logger, name, level, msg, args)
            handler._report_error(record, error)
            continue
        record = record or _make_record(logger, name, level, msg, args)
        handler.handle(record)
    return 0


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
    moment = PyObject_CallNoArgs(clock())
    if COUNTS_NS:
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
    if not PyFloat_CheckExact(moment):
        return False
    now = PyFloat_AS_DOUBLE(moment)
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
    cdef PyObject *known = PyDict_GetItemWithError(_path_parts, path)
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
