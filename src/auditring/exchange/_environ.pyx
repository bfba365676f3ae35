"""Find among all that a WSGI environ holds the headers that an audit wants."""

from libc.string cimport memcmp

from .._native.line cimport PyUnicode_GET_LENGTH, ascii_of

cdef dict WANTED = {
    "HTTP_X_FORWARDED_FOR": "x-forwarded-for",
    "HTTP_X_REAL_IP": "x-real-ip",
    "HTTP_USER_AGENT": "user-agent",
    "HTTP_AUDIT_ID": "audit-id",
}


cdef bint _impersonates(name):
    cdef const char *text = ascii_of(name)
    return (
        text != NULL
        and PyUnicode_GET_LENGTH(name) > 17
        and not memcmp(text, b"HTTP_IMPERSONATE_", 17)
    )


def headers_of(environ):
    """Return those headers of a request that `requestheaders` looks at.

    Args:
        environ: Of WSGI, or what is like it. Its names have lost their case.
    """
    cdef list found = []
    for key, name in WANTED.items():
        value = environ.get(key)
        if value is not None:
            found.append((name, _text(value)))
    for key in environ:
        if type(key) is str and _impersonates(key):
            found.append((key[5:].replace("_", "-"), _text(environ[key])))
    return found


cdef str _text(str native):
    """Return text as UTF-8 that has a character for each byte."""
    if native.isascii():
        return native
    return native.encode("latin-1", "replace").decode("utf-8", "surrogateescape")
