"""What other Cython modules see of attributes, of plain ones and of all."""

from .._native.slots cimport slot_value


# In the order of the members of `Attributes`.
cdef enum Member:
    IS_RESOURCE_REQUEST
    PATH
    VERB
    API_PREFIX
    API_GROUP
    API_VERSION
    NAMESPACE
    RESOURCE
    SUBRESOURCE
    NAME
    PARTS
    FIELD_SELECTOR
    LABEL_SELECTOR
    LONG_RUNNING
    USER
    IMPERSONATED_USER
    REQUEST_URI
    SOURCE_IPS
    USER_AGENT_MEMBER
    AUDIT_ID_MEMBER
    REQUEST_TARGET
    CLUSTER
    PROJECT
    MEMBER_COUNT


cdef object ATTRIBUTES  # the class
cdef tuple NAMES
cdef Py_ssize_t OFFSETS[MEMBER_COUNT]


cdef inline object member_of(object attributes, Py_ssize_t member):
    """Return a member of attributes, of a class that was made of theirs, too."""
    if type(attributes) is ATTRIBUTES:
        return slot_value(attributes, OFFSETS[member])
    return getattr(attributes, NAMES[member])


cpdef bint is_plain_user(identity) except -1
cdef object read_plain(
    str method, str path, str query, str request_uri, list headers, str peer, user
)
