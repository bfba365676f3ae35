"""What a fast logger sees of routes."""

from cpython.object cimport PyObject

cdef enum:
    ROUTE_LOGGERS_MAX = 8
    ROUTE_HANDLERS_MAX = 8


# The way of one logger's calls of one level. All references are borrowed.
cdef struct route:
    PyObject *logger  # NULL: it has to be found out again
    PyObject *level
    unsigned long surroundings
    unsigned int kind_version
    # The logger does what logging.Logger does, and isn't disabled.
    bint is_plain
    PyObject *cache  # of isEnabledFor
    # What follows is known, and all handlers are ours.
    bint knows_handlers
    PyObject *name
    PyObject *level_name
    PyObject *filters
    # From the logger up to where its calls end.
    int logger_count
    unsigned long versions[ROUTE_LOGGERS_MAX]
    PyObject *handler_lists[ROUTE_LOGGERS_MAX]
    Py_ssize_t list_sizes[ROUTE_LOGGERS_MAX]
    PyObject *parents[ROUTE_LOGGERS_MAX]
    # Of every handler in these lists.
    int handler_count
    unsigned int kinds[ROUTE_HANDLERS_MAX]
    unsigned long changes[ROUTE_HANDLERS_MAX]
    # Those whose level is not above the call's.
    int reached_count
    PyObject *reached[ROUTE_HANDLERS_MAX]


cdef bint COUNTS_NS  # LogRecord asks for nanoseconds, as it does since 3.13

cdef route *find_route(object logger, object level) except NULL
cdef bint is_direct(route *way, object logger, object level) except -1
cdef object clock()
