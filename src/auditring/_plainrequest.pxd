# What the headers say, by its place in a list.
cdef enum Header:
    FORWARDED_FOR
    REAL_IP
    USER_AGENT
    AUDIT_ID


# Which octets a target's path and query have if they need no decoding.
cdef bint IN_PATH[256]
cdef bint IN_QUERY[256]

cdef bint is_all(const char *text, Py_ssize_t size, const bint *table) noexcept
cdef bint read_headers(list found, headers) except -1
cdef object read_plain(
    str method, str path, str query, str request_uri, list headers, str peer, user
)
