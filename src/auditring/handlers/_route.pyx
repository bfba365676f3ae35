"""Where the calls of a logger go, found out once.

A route is what logging.Logger would find on every call: whether the logger is enabled,
its handlers and those above it. CPython counts the changes of dictionaries and classes
(`_versions.pxd`) and we those of our handlers, so a route is still right when these
counts are what they were. Where dictionaries aren't counted, it is found out each time.

The routes are in one table, which takes no references: an entry that is overwritten or
outlived by its logger costs nothing but finding out again. The GIL guards the table.
"""

from cpython.dict cimport PyDict_CheckExact, PyDict_Contains, PyDict_GetItemWithError
from cpython.list cimport PyList_CheckExact, PyList_GET_ITEM, PyList_GET_SIZE
from cpython.long cimport PyLong_CheckExact
from cpython.object cimport Py_TYPE, PyObject, PyObject_GenericGetDict
from cpython.unicode cimport PyUnicode_CheckExact
from libc.stdint cimport uintptr_t

from ._handler cimport FastHandler
from .._native.versions cimport dict_version, type_version

import logging
import sys
import time

from ..records._record import is_untouched

cdef object Logger = logging.Logger
cdef object LogRecord = logging.LogRecord
cdef dict LOGGING = logging.__dict__
cdef dict TIME = time.__dict__
cdef dict LEVEL_NAMES = logging._levelToName

COUNTS_NS = sys.version_info >= (3, 13)

cdef tuple LOGGER_METHODS = (
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

# Ints up to this one exist once, so they can be told by their address.
cdef enum:
    SINGLE_INT_MAX = 256

cdef enum:
    ROUTES = 512

cdef route _routes[ROUTES]


cdef route *find_route(object logger, object level) except NULL:
    """Return the way of a call, its handlers not yet if it wasn't known before.

    Good until other Python code runs.
    """
    cdef route *way = _entry_for(logger, level)
    cdef route learnt
    _look_around()
    if not _is_still(way, logger, level):
        # Finding out makes objects, and that may run finalizers, which may log. So an
        # entry is only ever written whole.
        _learn(&learnt, logger, level)
        way[0] = learnt
    return way


cdef bint is_direct(route *way, object logger, object level) except -1:
    """Tell whether every handler that a call reaches makes lines of calls.

    No filter of the logger is in between then.
    """
    cdef route learnt
    if not way.knows_handlers:
        learnt = way[0]
        learnt.knows_handlers = _are_records_usual and _learn_handlers(
            &learnt, logger, level
        )
        way[0] = learnt
    return (
        way.knows_handlers
        and way.reached_count > 0
        and PyList_GET_SIZE(<object> way.filters) == 0
    )


cdef route *_entry_for(object logger, object level) noexcept:
    cdef uintptr_t first = <uintptr_t> <PyObject *> logger
    cdef uintptr_t second = <uintptr_t> <PyObject *> level
    # Objects are at multiples of 16, small ints at multiples of 32.
    return &_routes[((first >> 4) + 7 * (second >> 5)) % ROUTES]


cdef bint _is_still(route *way, object logger, object level) except -1:
    """Tell whether a route is that of this call, and nothing on it was changed."""
    cdef int i
    cdef int seen = 0
    cdef PyObject *owner = <PyObject *> logger
    if way.logger != owner or way.level != <PyObject *> level:
        return False
    if way.surroundings != _surroundings:
        return False
    if type_version(<object> Py_TYPE(logger)) != way.kind_version:
        return False
    if not way.knows_handlers:
        return _version_of(owner) == way.versions[0]
    # An address is looked at only after what holds it was seen to be unchanged.
    for i in range(way.logger_count):
        if _version_of(owner) != way.versions[i] or not _has_same(way, i, &seen):
            return False
        owner = way.parents[i]
    return True


cdef unsigned long _version_of(PyObject *owner) except? 0:
    return dict_version(PyObject_GenericGetDict(<object> owner, NULL))


cdef bint _has_same(route *way, int i, int *seen) noexcept:
    """Tell whether the handlers of one logger are what they were."""
    cdef Py_ssize_t k
    cdef PyObject *item
    if PyList_GET_SIZE(<object> way.handler_lists[i]) != way.list_sizes[i]:
        return False
    for k in range(way.list_sizes[i]):
        item = PyList_GET_ITEM(<object> way.handler_lists[i], k)
        # One of ours has changes, and no two have the same.
        if type_version(<object> Py_TYPE(<object> item)) != way.kinds[seen[0]]:
            return False
        if (<FastHandler> item).changes != way.changes[seen[0]]:
            return False
        seen[0] += 1
    return True


# Learning.

cdef int _learn(route *way, object logger, object level) except -1:
    """Find out what doesn't need the handlers: most calls are of no enabled level."""
    cdef object own = PyObject_GenericGetDict(logger, NULL)
    way.logger = NULL
    way.is_plain = way.knows_handlers = False
    if not _is_plain(logger, own):
        return 0
    way.is_plain = True
    way.cache = PyDict_GetItemWithError(own, "_cache")
    way.surroundings = _surroundings
    way.kind_version = type_version(<object> Py_TYPE(logger))
    way.versions[0] = dict_version(own)
    if way.versions[0] == 0 or way.kind_version == 0:
        return 0
    if PyLong_CheckExact(level) and 0 <= level <= SINGLE_INT_MAX:
        way.logger = <PyObject *> logger
        way.level = <PyObject *> level
    return 0


cdef bint _is_plain(object logger, dict own) except -1:
    """Tell whether a logger does what logging.Logger does, and is not disabled."""
    cdef PyObject *cache
    cdef PyObject *disabled
    if len(own) != len(LOGGER_ATTRIBUTES) + PyDict_Contains(own, "manager"):
        if _has_method(own):
            return False
    if not _is_kind_plain(<object> Py_TYPE(logger)):
        return False
    disabled = PyDict_GetItemWithError(own, "disabled")
    if disabled == NULL or <object> disabled:
        return False
    cache = PyDict_GetItemWithError(own, "_cache")
    return cache != NULL and PyDict_CheckExact(<object> cache)


cdef bint _has_method(dict own) except -1:
    for name in LOGGER_METHODS:
        if name in own:
            return True
    return False


# Whether the methods of a class are the stdlib's, with the version that was looked at.
cdef dict _looked_at = {}
cdef enum:
    CLASSES_MAX = 100


cdef bint _is_kind_plain(object kind) except -1:
    cdef PyObject *known = PyDict_GetItemWithError(_looked_at, kind)
    cdef tuple look
    if known != NULL and (<tuple> known)[0] == type_version(kind):
        return (<tuple> known)[1]
    is_plain = is_untouched(kind, LOGGER_METHODS) and not _shadows(kind)
    look = (type_version(kind), is_plain)
    if look[0]:
        if len(_looked_at) >= CLASSES_MAX:
            _looked_at.clear()  # somebody makes classes all the time
        _looked_at[kind] = look
    return is_plain


cdef bint _shadows(object kind) except -1:
    names = LOGGER_ATTRIBUTES
    return any(name in vars(base) for base in kind.__mro__ for name in names)


cdef bint _learn_handlers(route *way, object logger, object level) except -1:
    """Walk to the root, as callHandlers does; False unless all handlers are ours."""
    cdef object own = PyObject_GenericGetDict(logger, NULL)
    cdef int count = 0
    way.filters = PyDict_GetItemWithError(own, "filters")
    way.name = PyDict_GetItemWithError(own, "name")
    way.level_name = PyDict_GetItemWithError(LEVEL_NAMES, level)
    if way.filters == NULL or not PyList_CheckExact(<object> way.filters):
        return False
    if way.name == NULL or way.level_name == NULL:
        return False
    if not PyUnicode_CheckExact(<object> way.level_name):
        return False
    way.handler_count = way.reached_count = 0
    while count < ROUTE_LOGGERS_MAX:
        way.versions[count] = dict_version(own)
        if not _learn_list(way, count, own, level):
            return False
        way.parents[count] = PyDict_GetItemWithError(own, "parent")
        count += 1
        way.logger_count = count
        propagate = own["propagate"]
        if type(propagate) is not bool and not PyLong_CheckExact(propagate):
            return False
        if not propagate or own["parent"] is None:
            return True
        own = PyObject_GenericGetDict(<object> way.parents[count - 1], NULL)
    return False


cdef bint _learn_list(route *way, int i, dict own, object level) except -1:
    cdef PyObject *handlers = PyDict_GetItemWithError(own, "handlers")
    cdef Py_ssize_t k
    if handlers == NULL or not PyList_CheckExact(<object> handlers):
        return False
    way.handler_lists[i] = handlers
    way.list_sizes[i] = PyList_GET_SIZE(<object> handlers)
    for k in range(way.list_sizes[i]):
        if way.handler_count == ROUTE_HANDLERS_MAX:
            return False
        if not _learn_handler(way, PyList_GET_ITEM(<object> handlers, k), level):
            return False
    return True


cdef bint _learn_handler(route *way, PyObject *item, object level) except -1:
    cdef int count = way.handler_count
    cdef object handler = <object> item
    if not isinstance(handler, FastHandler):
        return False
    limit = handler.level
    # Comparing anything else may run code of somebody's.
    if not PyLong_CheckExact(limit) or not PyLong_CheckExact(level):
        return False
    way.kinds[count] = type_version(<object> Py_TYPE(handler))
    way.changes[count] = (<FastHandler> handler).changes
    way.handler_count = count + 1
    if level >= limit:
        way.reached[way.reached_count] = item
        way.reached_count += 1
    return way.kinds[count] != 0


# Surroundings: what the logging package and the time module have by their names.

cdef unsigned long _surroundings = 1
cdef unsigned long _logging_version = 0
cdef unsigned long _names_version = 0
cdef unsigned long _time_version = 0
cdef unsigned int _record_version = 0
cdef bint _are_records_usual = False
cdef PyObject *_clock = NULL


cdef int _look_around() except -1:
    if (
        dict_version(LOGGING) == _logging_version != 0
        and dict_version(LEVEL_NAMES) == _names_version
        and dict_version(TIME) == _time_version
        and type_version(LogRecord) == _record_version
    ):
        return 0
    return _learn_surroundings()


cdef int _learn_surroundings() except -1:
    global _surroundings, _logging_version, _names_version, _time_version
    global _record_version, _are_records_usual, _clock
    _surroundings += 1
    _logging_version = dict_version(LOGGING)
    _names_version = dict_version(LEVEL_NAMES)
    _time_version = dict_version(TIME)
    _are_records_usual = LOGGING["_logRecordFactory"] is LogRecord and is_untouched(
        LogRecord, ("__init__", "getMessage")
    )
    _record_version = type_version(LogRecord)
    _clock = PyDict_GetItemWithError(TIME, "time_ns" if COUNTS_NS else "time")
    return 0


cdef object clock():
    """Return what LogRecord asks for the time, after `find_route`."""
    if _clock == NULL:
        raise AttributeError("module 'time' has no clock")
    return <object> _clock
