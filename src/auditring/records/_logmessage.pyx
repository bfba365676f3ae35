"""Messages of log calls: ``msg % args`` as bytes, for the usual ones without %.

A message with nothing in it but %s and %d is taken apart once. Whatever is unusual
about one, or about its arguments, is left to the operator.
"""

from cpython.dict cimport PyDict_GetItemWithError
from cpython.long cimport PyLong_CheckExact
from cpython.object cimport PyObject, PyObject_Str
from cpython.tuple cimport PyTuple_CheckExact, PyTuple_GET_ITEM, PyTuple_GET_SIZE
from cpython.unicode cimport PyUnicode_CheckExact

from .._native.line cimport line, line_put, line_put_int, line_put_text

import re

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


# Learning.

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
