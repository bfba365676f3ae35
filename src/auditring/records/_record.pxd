"""What makers of lines and handlers see of records, calls and messages."""

from cpython.object cimport PyObject

from .._native.line cimport line


cdef class OwnAttributes:
    cdef dict _now
    cdef unsigned long _version
    cdef tuple _keys
    cdef tuple _values

    cdef bint are_same(self) except -1


cdef OwnAttributes own_attributes(object owner)

cdef frozenset STANDARD  # attributes that every LogRecord has

cdef bint is_usual(object record) except -1
cdef int time_of(object record, double *created, int *msecs) except -1

cdef int put_message(object msg, object args, line *out, bint is_utf8) except -1
cdef str message_of(object msg, object args)


# All references are borrowed.
cdef struct call:
    PyObject *name
    PyObject *msg
    PyObject *args
    PyObject *levelno
    PyObject *levelname
    double created
    int msecs
    # Only where a plan wants them:
    PyObject *pathname
    PyObject *filename
    PyObject *module
    PyObject *function
    int lineno


# What is known of a call; everything else is OTHER.
cdef enum Field:
    MESSAGE, ASCTIME, NAME, LEVELNAME, LEVELNO, CREATED, MSECS
    PATHNAME, FILENAME, MODULE, LINENO, FUNCNAME
    PROCESS, THREAD, THREAD_NAME
    OTHER


cdef dict FIELDS  # by the names that attributes of a LogRecord have

# Return a field that is of the process or the thread.
cdef object value_around(int field)


cdef inline object value_of_call(int field, call *given):
    """Return a field that is neither its message, nor its time as text."""
    if field == NAME:
        return <object> given.name
    if field == LEVELNAME:
        return <object> given.levelname
    if field == LEVELNO:
        return <object> given.levelno
    if field == CREATED:
        return given.created
    if field == MSECS:
        return <double> given.msecs
    if field == PATHNAME:
        return <object> given.pathname
    if field == FILENAME:
        return <object> given.filename
    if field == MODULE:
        return <object> given.module
    if field == LINENO:
        return given.lineno
    if field == FUNCNAME:
        return <object> given.function
    return value_around(field)
