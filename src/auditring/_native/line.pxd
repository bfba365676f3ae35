"""Bytes that grow, while a line is put together.

A line lives on the stack of who makes it: the same thread may be making another one at
the same time, in a signal handler or in the __str__ of an argument.
"""

cdef extern from "_native/line.h":
    struct line:
        char *data
        Py_ssize_t size
        Py_ssize_t capacity

    void line_begin(line *out) noexcept
    void line_end(line *out) noexcept
    int line_reserve(line *out, Py_ssize_t size) except -1
    int line_put(line *out, const char *data, Py_ssize_t size) except -1
    int line_put_literal(line *out, const char *text) except -1

    const char *ascii_of(object text) noexcept

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL
    Py_ssize_t PyUnicode_GET_LENGTH(object text) noexcept
    long PyLong_AsLongAndOverflow(object value, int *overflow) except? -1

cdef enum:
    LINE_DIGITS = 24


cdef inline int line_put_bytes(line *out, bytes data) except -1:
    return line_put(out, data, len(data))


cdef inline int line_put_text(line *out, str text, bint is_utf8) except -1:
    """Put a text; 0 when a codec must be asked for its bytes."""
    cdef const char *data = ascii_of(text)
    cdef Py_ssize_t size
    if data != NULL:
        line_put(out, data, PyUnicode_GET_LENGTH(text))
        return 1
    if not is_utf8:
        return 0
    data = PyUnicode_AsUTF8AndSize(text, &size)
    line_put(out, data, size)
    return 1


cdef inline int line_put_int(line *out, object number) except -1:
    """Put an exact int; 0 when it is too large for that."""
    cdef int overflow = 0
    cdef long value = PyLong_AsLongAndOverflow(number, &overflow)
    cdef unsigned long left = <unsigned long> value
    cdef char digits[LINE_DIGITS]
    cdef int first = LINE_DIGITS
    if overflow:
        return 0
    if value < 0:
        left = 0 - left
    while True:
        first -= 1
        digits[first] = 48 + <char> (left % 10)
        left = left // 10
        if left == 0:
            break
    if value < 0:
        first -= 1
        digits[first] = 45
    line_put(out, digits + first, LINE_DIGITS - first)
    return 1
