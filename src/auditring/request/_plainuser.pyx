"""Tell whether a user is plain, which most are: what it's declared with and no more.

`identity` looks into all others.
"""

from cpython.tuple cimport PyTuple_GET_ITEM, PyTuple_GET_SIZE

from .._native.slots cimport slot_offset, slot_value

from .user import UserInfo

cdef Py_ssize_t USERNAME = slot_offset(UserInfo, "username")
cdef Py_ssize_t UID = slot_offset(UserInfo, "uid")
cdef Py_ssize_t GROUPS = slot_offset(UserInfo, "groups")
cdef Py_ssize_t EXTRA = slot_offset(UserInfo, "extra")


cpdef bint is_plain_user(identity) except -1:
    """Tell whether *identity* is exactly a `UserInfo` of texts, without `extra`."""
    cdef Py_ssize_t index
    if type(identity) is not UserInfo:
        return False
    if type(slot_value(identity, USERNAME)) is not str:
        return False
    if type(slot_value(identity, UID)) is not str:
        return False
    groups = slot_value(identity, GROUPS)
    if type(groups) is not tuple:
        return False
    for index in range(PyTuple_GET_SIZE(groups)):
        if type(<object> PyTuple_GET_ITEM(groups, index)) is not str:
            return False
    extra = slot_value(identity, EXTRA)
    return type(extra) is dict and not extra
