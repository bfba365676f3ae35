"""Direct access to what `__slots__` of a Python class hold.

A frozen dataclass's own __init__ takes longer than all the rest of a request's way, and
its descriptors take longer than what is done with the values.
"""

from cpython.object cimport PyObject, PyTypeObject
from cpython.ref cimport Py_INCREF

cdef extern from "structmember.h":
    ctypedef struct PyMemberDef:
        Py_ssize_t offset

cdef extern from "Python.h":
    ctypedef struct PyMemberDescrObject:
        PyMemberDef *d_member
    object PyType_GenericAlloc(PyTypeObject *kind, Py_ssize_t size)


cdef inline Py_ssize_t slot_offset(kind, str name) except -1:
    """Return where objects of exactly the class *kind* have the slot of a *name*."""
    return (<PyMemberDescrObject *> kind.__dict__[name]).d_member.offset


cdef inline PyObject **slot_of(object owner, Py_ssize_t offset) noexcept:
    return <PyObject **> ((<char *> <PyObject *> owner) + offset)


cdef inline object slot_value(object owner, Py_ssize_t offset):
    """Return what a slot holds, which has been filled."""
    return <object> slot_of(owner, offset)[0]


cdef inline void slot_fill(object owner, Py_ssize_t offset, object value) noexcept:
    """Fill a slot that is empty."""
    Py_INCREF(value)
    slot_of(owner, offset)[0] = <PyObject *> value


cdef inline object slot_owner(kind):
    """Return a new object whose slots are empty."""
    return PyType_GenericAlloc(<PyTypeObject *> kind, 0)
