"""Attributes of most HTTP requests, straight from the scope that ASGI has of them.

`_plainrequest` says which those are.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.string cimport memcmp

from .._native.ascii cimport ascii_text
from .._native.line cimport PyUnicode_GET_LENGTH, ascii_of
from .._native.octets cimport octets_are_plain_path, octets_are_plain_query
from ..request._headers cimport read_headers
from ..request._plain cimport read_plain
from ._routetable cimport RouteTable

from ..errors import RequestInfoError


cdef inline str _path_of(dict scope, bytes raw_path):
    """Return the path as text, which most often is the one that is there anyway."""
    cdef Py_ssize_t size = PyBytes_GET_SIZE(raw_path)
    cdef const char *octets = PyBytes_AS_STRING(raw_path)
    cdef const char *text
    path = scope.get("path")
    if type(path) is str and PyUnicode_GET_LENGTH(path) == size:
        text = ascii_of(path)
        if text != NULL and not memcmp(text, octets, <size_t> size):
            return <str> path
    return ascii_text(octets, size)


cpdef object read_scope(dict scope, user, RouteTable routes):
    """Return the `Attributes` of an HTTP request's *scope*; None for an odd one.

    Odd are paths with escapes and the like, long headers and such that aren't ASCII:
    `RequestReader` reads them.

    Args:
        scope: As ASGI has it.
        user: Who sent the request.
        routes: Which paths stand for which resources; None for no such table.
    """
    cdef bytes raw_path, raw_query
    cdef str path, target, found, query = ""
    cdef const char *octets
    cdef Py_ssize_t size
    cdef list headers = [None, None, None, None]
    given_path = scope.get("raw_path")
    if type(given_path) is not bytes:
        return None
    raw_path, raw_query = given_path, scope["query_string"]
    octets = PyBytes_AS_STRING(raw_path)
    size = PyBytes_GET_SIZE(raw_path)
    if octets[0] != b"/" or not octets_are_plain_path(octets, <size_t> size):
        return None
    if not read_headers(headers, scope["headers"]):
        return None
    target = path = _path_of(scope, raw_path)
    if PyBytes_GET_SIZE(raw_query):
        octets = PyBytes_AS_STRING(raw_query)
        size = PyBytes_GET_SIZE(raw_query)
        if not octets_are_plain_query(octets, <size_t> size):
            return None
        query = ascii_text(octets, size)
        target = f"{path}?{query}"
    if routes is not None:
        found = routes.find(path)
        if found is not None:
            path = found
            octets = ascii_of(path)
            size = PyUnicode_GET_LENGTH(path)
            if octets == NULL or not octets_are_plain_path(octets, <size_t> size):
                return None
    client = scope.get("client")
    try:
        return read_plain(
            scope["method"],
            path,
            query,
            target,
            headers,
            client[0] if client else "",
            user,
        )
    except RequestInfoError:
        return None
