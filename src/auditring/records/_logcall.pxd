"""Calls of loggers that no LogRecord is made for, and the fields of these."""

from cpython.object cimport PyObject


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
