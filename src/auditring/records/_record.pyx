"""What logging.LogRecord says of a call, and its message, at the price of neither.

A call that no LogRecord is made for has the same fields; its message is ``msg % args``
as bytes: one with nothing in it but %s and %d is taken apart once. Whatever is unusual
about a record, a message or its arguments is left to the logging package, whose classes
and objects are watched for changes.
"""

from cpython.dict cimport PyDict_GetItemWithError
from cpython.float cimport PyFloat_AS_DOUBLE, PyFloat_CheckExact
from cpython.long cimport PyLong_CheckExact
from cpython.object cimport Py_TYPE, PyObject, PyObject_Str
from cpython.tuple cimport PyTuple_CheckExact, PyTuple_GET_ITEM, PyTuple_GET_SIZE
from cpython.unicode cimport PyUnicode_CheckExact

from .._native.line cimport line, line_put, line_put_int, line_put_text
from .._native.versions cimport dict_version, type_version

import logging
import re
from os import getpid
from threading import current_thread, get_ident

# What is watched.

cdef object LOGGING_FILE = logging.addLevelName.__code__.co_filename


def is_untouched(kind, names):
    """Tell whether these methods of a class are those of the logging package."""
    for name in names:
        code = getattr(getattr(kind, name, None), "__code__", None)
        if code is None or code.co_filename != LOGGING_FILE:
            return False
    return True


cdef class OwnAttributes:
    """What an object had for itself when it was looked at."""

    cdef bint are_same(self) except -1:
        cdef Py_ssize_t i
        if self._version != 0 and dict_version(self._now) == self._version:
            return True
        if len(self._now) != PyTuple_GET_SIZE(self._keys):
            return False
        for i in range(PyTuple_GET_SIZE(self._keys)):
            value = PyDict_GetItemWithError(self._now, self._keys[i])
            if value != <PyObject *> self._values[i]:
                return False
        self._version = dict_version(self._now)
        return True


cdef OwnAttributes own_attributes(object owner):
    cdef OwnAttributes self = OwnAttributes.__new__(OwnAttributes)
    self._now = owner.__dict__
    self._version = dict_version(self._now)
    self._keys = tuple(self._now)
    self._values = tuple(self._now.values())
    return self


# LogRecords.

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


# Calls.

FIELDS = {
    "message": MESSAGE,
    "asctime": ASCTIME,
    "name": NAME,
    "levelname": LEVELNAME,
    "levelno": LEVELNO,
    "created": CREATED,
    "msecs": MSECS,
    "pathname": PATHNAME,
    "filename": FILENAME,
    "module": MODULE,
    "lineno": LINENO,
    "funcName": FUNCNAME,
    "process": PROCESS,
    "thread": THREAD,
    "threadName": THREAD_NAME,
}


cdef object value_around(int field):
    if field == PROCESS:
        return getpid() if logging.logProcesses else None
    if field == THREAD:
        return get_ident() if logging.logThreads else None
    return current_thread().name if logging.logThreads else None


# Messages.

cdef enum:
    ARGUMENTS_MAX = 16
    MESSAGES_MAX = 2000

PIECE = re.compile(r"%(?P<conversion>[sd%])|(?P<literal>[^%]+)")
# Messages by their text, None for those that are best left alone. Most are constants of
# a program; should one make them up, they don't stay.
cdef dict _messages = {}


# What stands before an argument, and how that one is put.
cdef struct step:
    const char *literal
    Py_ssize_t size
    bint is_number


cdef class _Message:
    """A message with nothing in it but %s and %d: how its arguments are put."""

    cdef tuple literals  # what the steps point into
    cdef Py_ssize_t argument_count
    cdef step steps[ARGUMENTS_MAX + 1]  # the last has no argument
    cdef bint is_ascii


cdef int put_message(object msg, object args, line *out, bint is_utf8) except -1:
    """Put ``msg % args``; 0 when `%` is to do it."""
    cdef _Message plan
    cdef PyObject *known
    cdef Py_ssize_t i
    if not PyUnicode_CheckExact(msg) or not PyTuple_CheckExact(args):
        return 0
    if PyTuple_GET_SIZE(args) == 0:
        return line_put_text(out, msg, is_utf8)
    known = PyDict_GetItemWithError(_messages, msg)
    plan = _learn(msg) if known == NULL else <_Message> known
    if plan is None or not (is_utf8 or plan.is_ascii):
        return 0
    if PyTuple_GET_SIZE(args) != plan.argument_count:
        return 0
    for i in range(plan.argument_count):
        line_put(out, plan.steps[i].literal, plan.steps[i].size)
        if not _put_argument(
            plan.steps[i].is_number, <object> PyTuple_GET_ITEM(args, i), out, is_utf8
        ):
            return 0
    i = plan.argument_count
    line_put(out, plan.steps[i].literal, plan.steps[i].size)
    return 1


cdef inline int _put_argument(
    bint is_number, object value, line *out, bint is_utf8
) except -1:
    if PyLong_CheckExact(value):
        return line_put_int(out, value)
    if is_number:
        return 0
    if not PyUnicode_CheckExact(value):
        value = PyObject_Str(value)
    return line_put_text(out, value, is_utf8)


cdef str message_of(object msg, object args):
    """Return what LogRecord.getMessage does, None when that isn't a plain text."""
    if not PyUnicode_CheckExact(msg):
        msg = PyObject_Str(msg)
    if args:
        msg = msg % args
    return msg if PyUnicode_CheckExact(msg) else None


cdef _Message _learn(str msg):
    if len(_messages) >= MESSAGES_MAX:
        _messages.clear()
    plan = _messages[msg] = _take_apart(msg)
    return plan


cdef _Message _take_apart(str msg):
    cdef _Message plan = _Message.__new__(_Message)
    cdef Py_ssize_t i
    cdef bytes encoded
    literals, are_numbers = [""], []
    end = 0
    for match in PIECE.finditer(msg):
        if match.start() != end:
            return None
        end = match.end()
        if match["literal"]:
            literals[-1] += match["literal"]
        elif match["conversion"] == "%":
            literals[-1] += "%"
        else:
            are_numbers.append(match["conversion"] == "d")
            literals.append("")
    if end != len(msg) or len(are_numbers) > ARGUMENTS_MAX:
        return None
    try:
        plan.literals = tuple([literal.encode() for literal in literals])
    except UnicodeEncodeError:
        return None
    plan.argument_count = len(are_numbers)
    plan.is_ascii = msg.isascii()
    for i in range(len(literals)):
        encoded = plan.literals[i]
        plan.steps[i].literal = encoded
        plan.steps[i].size = len(encoded)
        plan.steps[i].is_number = i < plan.argument_count and are_numbers[i]
    return plan
