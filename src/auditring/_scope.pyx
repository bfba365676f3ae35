"""Attributes of most HTTP requests, straight from the scope that ASGI has of them.

What `requestreader` does for all requests is done here for those that are plain, and a
property test compares the two.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.object cimport PyObject, PyTypeObject
from cpython.ref cimport Py_INCREF

import functools

from ._headername cimport is_lower_name

from ._uuid import random_uuid
from .attributes import Attributes
from .errors import RequestInfoError
from .event import UserInfo
from .identity import ANONYMOUS_USER, as_user
from .requestinfo import read_request_info
from .sourceips import source_ips

cdef extern from "structmember.h":
    ctypedef struct PyMemberDef:
        Py_ssize_t offset

cdef extern from "Python.h":
    ctypedef struct PyMemberDescrObject:
        PyMemberDef *d_member
    object PyType_GenericAlloc(PyTypeObject *kind, Py_ssize_t size)
    object PyUnicode_DecodeASCII(const char *data, Py_ssize_t size, const char *errors)

cdef enum:
    # A longer User-Agent may have to be cut.
    PLAIN_VALUE_MAX_BYTES = 256
    REMEMBERED_SOURCES_MAX = 4096

cdef dict VERBS = {
    "GET": "get",
    "HEAD": "get",
    "POST": "create",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
}
cdef dict METHODS = {method: method.lower() for method in (*VERBS, "OPTIONS")}
cdef frozenset LONG_SUBRESOURCES = frozenset(
    ("attach", "exec", "proxy", "log", "portforward")
)

# Most requests are from a peer that sent others before, many behind the same proxies.
cdef dict SOURCES_BY_PEER = {}
cdef object remembered_sources = functools.lru_cache(REMEMBERED_SOURCES_MAX)(source_ips)


# Attributes are frozen and have slots. Their __init__ takes longer than all the rest
# of a request's way, so the slots of a new one are filled where they are.

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
    USER_AGENT
    AUDIT_ID_MEMBER
    REQUEST_TARGET
    CLUSTER
    PROJECT
    MEMBER_COUNT

cdef Py_ssize_t OFFSETS[MEMBER_COUNT]


cdef int _find_offsets() except -1:
    cdef int index = 0
    names = Attributes.__slots__
    if len(names) != MEMBER_COUNT:
        raise ImportError("Attributes have other members than expected")
    for name in names:
        descriptor = Attributes.__dict__[name]
        OFFSETS[index] = (<PyMemberDescrObject *> descriptor).d_member.offset
        index += 1
    return 0

_find_offsets()


cdef inline void _fill(object attributes, int member, object value) noexcept:
    """Fill a slot that is empty."""
    Py_INCREF(value)
    (<PyObject **> ((<char *> <PyObject *> attributes) + OFFSETS[member]))[0] = (
        <PyObject *> value
    )


# The request line.

cdef bint IN_PATH[256]
cdef bint IN_QUERY[256]


cdef int _fill_tables() except -1:
    letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    for octet in letters + b"-._~!$&'()*+,;=:@[]/":
        IN_PATH[octet] = True
    for octet in range(0x21, 0x7F):
        IN_QUERY[octet] = True
    return 0

_fill_tables()


cdef bint _is_all(bytes text, const bint *table) noexcept:
    cdef const unsigned char *at = <const unsigned char *> PyBytes_AS_STRING(text)
    cdef Py_ssize_t index
    for index in range(PyBytes_GET_SIZE(text)):
        if not table[at[index]]:
            return False
    return True


cdef bint _is_api_path(bytes path) noexcept:
    """Tell whether a plain path may be one of the API, by how it begins."""
    cdef const char *at = PyBytes_AS_STRING(path)
    while at[0] == b"/":
        at += 1
    # Bytes end with a zero that isn't counted, so none of these is out of bounds.
    return at[0] == b"a" and at[1] == b"p" and at[2] == b"i"


cdef bint _has_empty_segment(bytes path) noexcept:
    cdef const char *at = PyBytes_AS_STRING(path)
    cdef Py_ssize_t index, size = PyBytes_GET_SIZE(path)
    for index in range(1, size):
        if at[index] == b"/" and (at[index - 1] == b"/" or index == size - 1):
            return True
    return False


cdef int _fill_path(
    attributes, str method, bytes raw_path, str path, str query
) except -1:
    """Fill what a plain path and the query say."""
    cdef int member
    _fill(attributes, PATH, path)
    if _is_api_path(raw_path):
        if query or _has_empty_segment(raw_path):
            return _fill_any_path(attributes, method, path, query)
        return _fill_api_path(attributes, method, path)
    _fill(attributes, IS_RESOURCE_REQUEST, False)
    _fill(attributes, VERB, METHODS[method])
    _fill(attributes, LONG_RUNNING, path.startswith("/debug/pprof/"))
    _fill(attributes, PARTS, ())
    for member in range(API_PREFIX, PARTS):
        _fill(attributes, member, "")
    _fill(attributes, FIELD_SELECTOR, "")
    _fill(attributes, LABEL_SELECTOR, "")
    return 0


cdef int _fill_api_path(attributes, str method, str path) except -1:
    """Fill what a path of the API says, without a query and without odd segments."""
    cdef list segments = path.split("/")
    cdef Py_ssize_t count = len(segments), at
    cdef str prefix = segments[1], group = "", verb, namespace = "", subresource = ""
    cdef tuple parts
    if prefix == "api" and count > 3:
        at = 3
    elif prefix == "apis" and count > 4:
        group = segments[2]
        at = 4
    else:
        return _fill_any_path(attributes, method, path, "")
    version = segments[at - 1]
    if segments[at] == "namespaces" and count > at + 1:
        namespace = segments[at + 1]
        if count > at + 2 and segments[at + 2] not in ("status", "finalize"):
            at += 2
    elif segments[at] in ("proxy", "watch"):
        return _fill_any_path(attributes, method, path, "")
    parts = tuple(segments[at:])
    verb = VERBS.get(method, "")
    count -= at
    if count == 1:
        if verb == "get":
            verb = "list"
        elif verb == "delete":
            verb = "deletecollection"
    elif count > 2:
        subresource = parts[2]
    _fill(attributes, IS_RESOURCE_REQUEST, True)
    _fill(attributes, VERB, verb)
    _fill(attributes, API_PREFIX, prefix)
    _fill(attributes, API_GROUP, group)
    _fill(attributes, API_VERSION, version)
    _fill(attributes, NAMESPACE, namespace)
    _fill(attributes, RESOURCE, parts[0])
    _fill(attributes, SUBRESOURCE, subresource)
    _fill(attributes, NAME, parts[1] if count > 1 else "")
    _fill(attributes, PARTS, parts)
    _fill(attributes, FIELD_SELECTOR, "")
    _fill(attributes, LABEL_SELECTOR, "")
    _fill(attributes, LONG_RUNNING, subresource in LONG_SUBRESOURCES)
    return 0


cdef int _fill_any_path(attributes, str method, str path, str query) except -1:
    info = read_request_info(method, path, query)
    _fill(attributes, IS_RESOURCE_REQUEST, info.is_resource_request)
    _fill(attributes, VERB, info.verb)
    _fill(attributes, API_PREFIX, info.api_prefix)
    _fill(attributes, API_GROUP, info.api_group)
    _fill(attributes, API_VERSION, info.api_version)
    _fill(attributes, NAMESPACE, info.namespace)
    _fill(attributes, RESOURCE, info.resource)
    _fill(attributes, SUBRESOURCE, info.subresource)
    _fill(attributes, NAME, info.name)
    _fill(attributes, PARTS, info.parts)
    _fill(attributes, FIELD_SELECTOR, info.field_selector)
    _fill(attributes, LABEL_SELECTOR, info.label_selector)
    _fill(attributes, LONG_RUNNING, info.long_running)
    return 0


# The headers.

# What the headers say: slots of an array.
cdef enum Header:
    FORWARDED_FOR
    REAL_IP
    USER_AGENT_HEADER
    AUDIT_ID_HEADER
    HEADER_COUNT


cdef object _plain_value(value):
    """Return a header's value as text; None if it isn't short and plain."""
    cdef bytes octets
    cdef const unsigned char *at
    cdef Py_ssize_t size, index
    if type(value) is not bytes:
        return None
    octets = value
    at = <const unsigned char *> PyBytes_AS_STRING(octets)
    size = PyBytes_GET_SIZE(octets)
    if size > PLAIN_VALUE_MAX_BYTES:
        return None
    # Space around it is no part of it, which is for others to see to.
    if size and (at[0] <= 0x20 or at[size - 1] <= 0x20):
        return None
    for index in range(size):
        if at[index] >= 0x80:
            return None
    return PyUnicode_DecodeASCII(<const char *> at, size, NULL)


cdef int _which(const char *name, Py_ssize_t size) noexcept:
    """Return the `Header` that a name stands for; -1 for none that matters."""
    if size == 10 and is_lower_name(name, size, b"user-agent"):
        return USER_AGENT_HEADER
    if size == 15 and is_lower_name(name, size, b"x-forwarded-for"):
        return FORWARDED_FOR
    if size == 8 and is_lower_name(name, size, b"audit-id"):
        return AUDIT_ID_HEADER
    if size == 9 and is_lower_name(name, size, b"x-real-ip"):
        return REAL_IP
    return -1


cdef bint _read_headers(list found, headers) except -1:
    """Read those that matter into *found*; False if one of them isn't plain."""
    cdef const char *name
    cdef Py_ssize_t size
    cdef int which
    for key, value in headers:
        if type(key) is not bytes:
            return False
        name = PyBytes_AS_STRING(key)
        size = PyBytes_GET_SIZE(key)
        which = _which(name, size)
        if which < 0:
            if size > 12 and is_lower_name(name, 12, b"impersonate-"):
                return False
        elif found[which] is None:  # the first line counts
            text = _plain_value(value)
            if text is None:
                return False
            found[which] = text
    return True


cdef tuple _sources(list headers, client):
    """Return the addresses that a request came through."""
    cdef object sources
    peer = client[0] if client else ""
    forwarded_for, real_ip = headers[FORWARDED_FOR], headers[REAL_IP]
    if forwarded_for is not None or real_ip is not None:
        return remembered_sources(forwarded_for or "", real_ip or "", peer)
    sources = SOURCES_BY_PEER.get(peer)
    if sources is None:
        if len(SOURCES_BY_PEER) >= REMEMBERED_SOURCES_MAX:
            SOURCES_BY_PEER.clear()
        sources = SOURCES_BY_PEER[peer] = source_ips("", "", peer)
    return sources


cdef inline object _user_of(identity):
    if type(identity) is UserInfo:
        return identity
    return ANONYMOUS_USER if identity is None else as_user(identity)


def read_scope(dict scope not None, identity, routes):
    """Return the `Attributes` of an HTTP request's *scope*; None for an odd one.

    Odd are paths with escapes and the like, long headers and such that aren't ASCII:
    `RequestReader` reads them.

    Args:
        scope: As ASGI has it.
        identity: Who sent the request; see `identity.as_user`.
        routes: Which paths stand for which resources; None for no such table.
    """
    cdef bytes raw_path, raw_query
    cdef str path, query, target
    cdef list headers = [None] * HEADER_COUNT
    method = scope["method"]
    given_path = scope.get("raw_path")
    if method not in METHODS or type(given_path) is not bytes:
        return None
    raw_path, raw_query = given_path, scope["query_string"]
    if PyBytes_GET_SIZE(raw_path) == 0 or PyBytes_AS_STRING(raw_path)[0] != b"/":
        return None
    if not _is_all(raw_path, IN_PATH) or not _is_all(raw_query, IN_QUERY):
        return None
    if not _read_headers(headers, scope["headers"]):
        return None
    sources = _sources(headers, scope.get("client"))
    path = raw_path.decode("ascii")
    query = raw_query.decode("ascii") if raw_query else ""
    target = f"{path}?{query}" if query else path
    if routes is not None:
        found = routes.find(path)
        if found is not None:
            path = found
            raw_path = path.encode()
            if not _is_all(raw_path, IN_PATH):
                return None
    attributes = PyType_GenericAlloc(<PyTypeObject *> Attributes, 0)
    try:
        _fill_path(attributes, method, raw_path, path, query)
    except RequestInfoError:
        return None
    _fill(attributes, USER, _user_of(identity))
    _fill(attributes, IMPERSONATED_USER, None)
    _fill(attributes, REQUEST_URI, target)
    _fill(attributes, SOURCE_IPS, sources)
    _fill(attributes, USER_AGENT, headers[USER_AGENT_HEADER] or "")
    _fill(attributes, AUDIT_ID_MEMBER, headers[AUDIT_ID_HEADER] or random_uuid())
    _fill(attributes, REQUEST_TARGET, "")
    _fill(attributes, CLUSTER, "")
    _fill(attributes, PROJECT, "")
    return attributes
