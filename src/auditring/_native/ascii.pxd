"""Texts of ASCII, to and from their bytes without a codec."""

from libc.string cimport memcpy

from .line cimport PyUnicode_GET_LENGTH, ascii_of

cdef extern from "Python.h":
    str PyUnicode_New(Py_ssize_t size, Py_UCS4 max_char)
    void *PyUnicode_DATA(object text) noexcept

cdef enum:
    ASCII_MAX = 127


cdef inline str ascii_text(const char *data, Py_ssize_t size):
    """Return bytes that are known to be ASCII as a text."""
    cdef str text = PyUnicode_New(size, ASCII_MAX)
    if size:
        memcpy(PyUnicode_DATA(text), data, <size_t> size)
    return text
