"""Where the members of `Attributes` are, for whom a look-up of each takes too long."""

from .._native.slots cimport slot_offset

cdef object ATTRIBUTES = None
cdef tuple NAMES = ()


def set_class(kind):
    """Take the class `Attributes`, which is made later than this module."""
    global ATTRIBUTES, NAMES
    cdef Py_ssize_t index
    cdef tuple names = kind.__slots__
    if len(names) != MEMBER_COUNT:
        raise ImportError("Attributes have other members than expected")
    for index in range(len(names)):
        OFFSETS[index] = slot_offset(kind, names[index])
    ATTRIBUTES, NAMES = kind, names
