"""LogRecords: what all of them have, and whether one is as most are."""

from cpython.float cimport PyFloat_AS_DOUBLE, PyFloat_CheckExact
from cpython.object cimport Py_TYPE

from .._native.versions cimport type_version

import logging

from ._untouched import is_untouched

cdef object LogRecord = logging.LogRecord


cdef object _first_record():
    """Make a record with all that formatters set, before a program makes many.

    CPython has the objects of a class share a table of their attributes' names. It
    takes new names only as long as few objects were made; one with a name beyond it
    gets a dictionary, and that costs as much as its formatting.
    """
    record = logging.makeLogRecord({})
    record.message = record.asctime = ""
    return record


STANDARD = frozenset(_first_record().__dict__) - {"message", "asctime"}

cdef unsigned int _record_version = 0
cdef bint _are_records_untouched = False


cdef bint is_usual(object record) except -1:
    """Tell whether all there is to a record is its message and its fields."""
    global _record_version, _are_records_untouched
    if <object> Py_TYPE(record) is not LogRecord:
        return False
    if type_version(LogRecord) != _record_version:
        _are_records_untouched = is_untouched(LogRecord, ("getMessage",))
        _record_version = type_version(LogRecord)
    return (
        _are_records_untouched
        and not record.exc_info
        and not record.exc_text
        and not record.stack_info
    )


cdef int time_of(object record, double *created, int *msecs) except -1:
    """Tell when a record was made; 0 when its times are no usual ones."""
    cdef double fraction
    moment = record.created
    part = record.msecs
    if not PyFloat_CheckExact(moment) or not PyFloat_CheckExact(part):
        return 0
    created[0] = PyFloat_AS_DOUBLE(moment)
    fraction = PyFloat_AS_DOUBLE(part)
    if not 0 <= created[0] < 1e11 or not 0 <= fraction < 1000:
        return 0
    msecs[0] = <int> fraction
    return 1
