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
cdef object value_of_call(int field, call *given)
