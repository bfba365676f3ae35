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
