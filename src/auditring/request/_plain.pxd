# What the headers say, by its place in a list.
cdef enum Header:
    FORWARDED_FOR
    REAL_IP
    USER_AGENT
    AUDIT_ID


cdef bint read_headers(list found, headers) except -1
cdef object read_plain(
    str method, str path, str query, str request_uri, list headers, str peer, user
)
