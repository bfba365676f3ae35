"""Write what most events consist of as compact JSON, and refuse all else.

`orjson.dumps` decides what each value looks like: what is written here is, byte for
byte, what it would write, and whoever is refused asks it. Written straight into a line,
without a bytes object between, an event takes half of the instructions.

Plain are dicts with strings as keys, lists, tuples, strings, numbers, booleans, None,
dates with a time and UUIDs; no classes derived from them. No Python code runs while
they are written, so nobody can change them meanwhile.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.datetime cimport (
    PyDateTime_CheckExact,
    PyDateTime_IMPORT,
    datetime_tzinfo,
)
from cpython.dict cimport PyDict_CheckExact
from cpython.list cimport PyList_CheckExact
from cpython.ref cimport PyObject
from cpython.tuple cimport PyTuple_CheckExact

from libc.math cimport isfinite
from libc.string cimport memcpy

import datetime
import uuid

import orjson

from .._native.octets cimport BLOCK_SIZE, octets_copy_unless, outside_json
from .._native.line cimport (
    PyUnicode_GET_LENGTH,
    ascii_of,
    line,
    line_put_int,
    line_reserve,
)

PyDateTime_IMPORT

cdef extern from "Python.h":
    bint PyUnicode_CheckExact(PyObject *value) noexcept
    bint PyLong_CheckExact(PyObject *value) noexcept
    bint PyFloat_CheckExact(PyObject *value) noexcept
    double PyFloat_AS_DOUBLE(PyObject *value) noexcept
    bint PyDict_Next(
        PyObject *mapping, Py_ssize_t *at, PyObject **key, PyObject **value
    ) noexcept
    Py_ssize_t PySequence_Fast_GET_SIZE(PyObject *values) noexcept
    PyObject *PySequence_Fast_GET_ITEM(PyObject *values, Py_ssize_t index) noexcept
    const char *PyUnicode_AsUTF8AndSize(PyObject *text, Py_ssize_t *size) except NULL
    PyObject *Py_True
    PyObject *Py_False
    PyObject *Py_None

cdef enum:
    DEPTH_MAX = 50  # less than orjson's, which refuses some, and than the stack's
    SPARE = 64  # behind each value: room for what closes all containers, and a comma

cdef object dumps = orjson.dumps
cdef object timezone = datetime.timezone
cdef object UUID = uuid.UUID


cdef bint put_plain(line *out, value, Py_ssize_t *nulled) except -1:
    """Put a plain value.

    Args:
        out: Holds part of it when it was refused.
        value: Anything.
        nulled: Is increased by how many NaNs and infinities became null.

    Returns:
        False: It isn't plain, or orjson would refuse it.
    """
    cdef char *to = _put_value(
        out, out.data + out.size, <PyObject *> value, 0, nulled
    )
    if to == NULL:
        return False
    out.size = to - out.data
    return True


# Each of these puts something where it is told to, and returns where that ends: NULL if
# it is refused. The line's own size is left as it is until all of it stands there.


cdef inline char *_room(line *out, char *to, Py_ssize_t size) except NULL:
    """Make room for so many bytes, and what may follow them; the line may move."""
    if size + SPARE > out.data + out.capacity - to:
        out.size = to - out.data
        line_reserve(out, size + SPARE)
        return out.data + out.size
    return to


cdef char *_put_value(
    line *out, char *to, PyObject *value, int depth, Py_ssize_t *nulled
) except? NULL:
    if PyUnicode_CheckExact(value):
        return _put_string(out, to, value)
    if PyDict_CheckExact(<object> value):
        return _put_dict(out, to, value, depth, nulled)
    if PyList_CheckExact(<object> value):
        return _put_sequence(out, to, value, depth, nulled)
    if value == Py_True:
        return _put_literal(out, to, b"true", 4)
    if value == Py_False:
        return _put_literal(out, to, b"false", 5)
    if value == Py_None:
        return _put_literal(out, to, b"null", 4)
    if PyLong_CheckExact(value):
        return _put_int(out, to, value)
    if PyFloat_CheckExact(value):
        nulled[0] += not isfinite(PyFloat_AS_DOUBLE(value))
        return _put_dumped(out, to, value)
    if PyTuple_CheckExact(<object> value):
        return _put_sequence(out, to, value, depth, nulled)
    return _put_dumped(out, to, value) if _is_scalar(<object> value) else NULL


cdef char *_put_dict(
    line *out, char *to, PyObject *mapping, int depth, Py_ssize_t *nulled
) except? NULL:
    cdef Py_ssize_t at = 0
    cdef PyObject *key
    cdef PyObject *value
    if depth == DEPTH_MAX:
        return NULL
    to = _room(out, to, 2)
    to[0] = b"{"
    to += 1
    while PyDict_Next(mapping, &at, &key, &value):
        if not PyUnicode_CheckExact(key):
            return NULL
        to = _put_string(out, to, key)
        if to == NULL:
            return NULL
        to[0] = b":"
        # Most values are strings.
        if PyUnicode_CheckExact(value):
            to = _put_string(out, to + 1, value)
        else:
            to = _put_value(out, to + 1, value, depth + 1, nulled)
        if to == NULL:
            return NULL
        to[0] = b","
        to += 1
    return _close(to, b"}")


cdef char *_put_sequence(
    line *out, char *to, PyObject *values, int depth, Py_ssize_t *nulled
) except? NULL:
    """Put a list or a tuple."""
    cdef Py_ssize_t index
    if depth == DEPTH_MAX:
        return NULL
    to = _room(out, to, 2)
    to[0] = b"["
    to += 1
    for index in range(PySequence_Fast_GET_SIZE(values)):
        to = _put_value(
            out, to, PySequence_Fast_GET_ITEM(values, index), depth + 1, nulled
        )
        if to == NULL:
            return NULL
        to[0] = b","
        to += 1
    return _close(to, b"]")


cdef inline char *_close(char *to, char closer) noexcept:
    """End a container; the comma behind its last value gives its place."""
    if to[-1] == b",":
        to -= 1
    to[0] = closer
    return to + 1


cdef inline char *_put_string(line *out, char *to, PyObject *string) except? NULL:
    cdef const char *data = ascii_of(<object> string)
    if data == NULL:
        return _put_wide(out, to, string)
    return _put_text(out, to, string, data, PyUnicode_GET_LENGTH(<object> string))


cdef char *_put_wide(line *out, char *to, PyObject *string) except? NULL:
    """Put a string that isn't ASCII; half a surrogate pair has no UTF-8."""
    cdef const char *data
    cdef Py_ssize_t size
    try:
        data = PyUnicode_AsUTF8AndSize(string, &size)
    except UnicodeEncodeError:
        return NULL
    return _put_text(out, to, string, data, size)


cdef inline char *_put_text(
    line *out, char *to, PyObject *string, const char *data, Py_ssize_t size
) except? NULL:
    to = _room(out, to, size + 2 + BLOCK_SIZE)
    if not octets_copy_unless(outside_json, to + 1, data, <size_t> size):
        return _put_dumped(out, to, string)
    to[0] = b'"'
    to[size + 1] = b'"'
    return to + size + 2


cdef inline char *_put_literal(
    line *out, char *to, const char *text, Py_ssize_t size
) except NULL:
    to = _room(out, to, size)
    memcpy(to, text, <size_t> size)
    return to + size


cdef char *_put_int(line *out, char *to, PyObject *number) except? NULL:
    out.size = to - out.data
    if not line_put_int(out, <object> number):
        return NULL
    return _room(out, out.data + out.size, 0)


cdef bint _is_scalar(value):
    """Tell whether a value that JSON lacks becomes one that it has, by no foreign code.

    Others' classes of time zones are asked for the offset.
    """
    if PyDateTime_CheckExact(value):
        zone = datetime_tzinfo(value)
        return zone is None or type(zone) is timezone
    return type(value) is UUID


cdef char *_put_dumped(line *out, char *to, PyObject *value) except? NULL:
    """Put a value as orjson writes it, which refuses years before 1 and the like."""
    try:
        dumped = dumps(<object> value)
    except orjson.JSONEncodeError:
        return NULL
    return _put_literal(out, to, PyBytes_AS_STRING(dumped), PyBytes_GET_SIZE(dumped))
