"""What other Cython modules see of headers."""

# What the headers say, by its place in a list.
cdef enum Header:
    FORWARDED_FOR
    REAL_IP
    USER_AGENT
    AUDIT_ID


cdef bint read_headers(list found, headers) except -1
cdef tuple source_list(str forwarded_for, str real_ip, str peer)
cpdef str random_uuid()


cdef inline bint is_lower_name(
    const char *name, Py_ssize_t size, const char *wanted
) noexcept:
    """Tell whether a header's *name* is *wanted*, which is in lower case.

    ASGI has names in lower case, and not every server does.
    """
    cdef Py_ssize_t index
    cdef unsigned char octet
    for index in range(size):
        octet = <unsigned char> name[index]
        if b"A" <= octet <= b"Z":
            octet += 32
        if octet != <unsigned char> wanted[index]:
            return False
    return True
