"""Whether the classes and the objects of the logging package are as they were."""

from cpython.dict cimport PyDict_GetItemWithError
from cpython.object cimport PyObject
from cpython.tuple cimport PyTuple_GET_SIZE

from .._native.versions cimport dict_version

import logging

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
