"""Attributes of requests that are plain, which most are.

Plain are methods that Kubernetes has verbs for, targets of ASCII without escapes, and
headers that are short and ASCII. `attributes` reads all requests, and a property test
compares the two. A plain user is what it's declared with and no more; `identity` looks
into all others.
"""

from cpython.tuple cimport PyTuple_GET_ITEM, PyTuple_GET_SIZE
from libc.string cimport memchr, memcmp

from .._native.ascii cimport ascii_text
from .._native.line cimport PyUnicode_GET_LENGTH, ascii_of
from .._native.octets cimport octets_are_plain_path, octets_are_plain_query
from .._native.slots cimport slot_fill, slot_offset, slot_owner, slot_value
from ._headers cimport (
    AUDIT_ID,
    FORWARDED_FOR,
    REAL_IP,
    USER_AGENT,
    random_uuid,
    read_headers,
    source_list,
)

from .info import LONG_RUNNING_SUBRESOURCES as _LONG_SUBRESOURCES
from .info import VERBS as _VERBS
from .info import read_request_info
from .user import UserInfo

cdef extern from "sharedkey.h":
    enum:
        SHARED_SLOT_BITS
        SHARED_MAX_BYTES

    struct shared_key:
        pass

    shared_key shared_key_of(const char *text, size_t size) noexcept
    bint shared_key_equals(const shared_key *key, const shared_key *other) noexcept
    size_t shared_slot_of(const shared_key *key) noexcept

cdef enum:
    # A path of more segments is no plain one of the API.
    SEGMENTS_MAX = 12

cdef object ATTRIBUTES = None
cdef tuple NAMES = ()

cdef Py_ssize_t USERNAME = slot_offset(UserInfo, "username")
cdef Py_ssize_t UID = slot_offset(UserInfo, "uid")
cdef Py_ssize_t GROUPS = slot_offset(UserInfo, "groups")
cdef Py_ssize_t EXTRA = slot_offset(UserInfo, "extra")

# What each method is for what is no resource, and for a resource.
cdef dict METHODS = {
    method: (method.lower(), _VERBS.get(method, "")) for method in (*_VERBS, "OPTIONS")
}
cdef frozenset LONG_SUBRESOURCES = frozenset(_LONG_SUBRESOURCES)

# What came last of those that have a slot in common; guarded by the GIL. No text that
# is looked for has a zero in it, so that its bytes tell its size, too.
cdef shared_key keys[1 << SHARED_SLOT_BITS]
cdef list texts = [None] * (1 << SHARED_SLOT_BITS)


def set_class(kind):
    """Take the class `Attributes`, which is made later than this module."""
    global ATTRIBUTES, NAMES
    cdef Py_ssize_t index
    cdef tuple names = kind.__slots__
    if len(names) != MEMBER_COUNT:
        raise ImportError("Attributes have other members than expected")
    for index in range(len(names)):
        OFFSETS[index] = slot_offset(kind, names[index])
    ATTRIBUTES, NAMES = kind, names


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


cdef inline void _fill(object attributes, int member, object value) noexcept:
    slot_fill(attributes, OFFSETS[member], value)


cdef str _shared_text(const char *data, Py_ssize_t size):
    """Return bytes of ASCII, none of them zero, as a text that others have as well.

    It isn't made and thrown away each time, and its hash is known.
    """
    cdef shared_key key
    cdef size_t slot
    cdef str text
    if size == 0 or size > SHARED_MAX_BYTES:
        return ascii_text(data, size)
    key = shared_key_of(data, <size_t> size)
    slot = shared_slot_of(&key)
    if shared_key_equals(&keys[slot], &key):
        return <str> texts[slot]
    text = ascii_text(data, size)
    keys[slot] = key
    texts[slot] = text
    return text


# The request line.


# Where the segments of a path begin, and how long they are.
cdef struct Segments:
    const char *text[SEGMENTS_MAX]
    Py_ssize_t size[SEGMENTS_MAX]
    Py_ssize_t count


cdef bint _split(Segments *segments, const char *path, Py_ssize_t size) noexcept:
    """Split a path behind its first slash; False if an empty segment is in it."""
    cdef const char *at = path + 1
    cdef const char *end = path + size
    cdef const char *slash
    segments.count = 0
    while True:
        slash = <const char *> memchr(at, b"/", <size_t> (end - at))
        if slash == NULL:
            slash = end
        if slash == at or segments.count == SEGMENTS_MAX:
            return False
        segments.text[segments.count] = at
        segments.size[segments.count] = slash - at
        segments.count += 1
        if slash == end:
            return True
        at = slash + 1


cdef inline bint _is(
    Segments *segments, Py_ssize_t which, const char *word, Py_ssize_t size
) noexcept:
    return segments.size[which] == size and not memcmp(
        segments.text[which], word, <size_t> size
    )


cdef inline str _text(Segments *segments, Py_ssize_t which):
    return ascii_text(segments.text[which], segments.size[which])


cdef inline str _shared(Segments *segments, Py_ssize_t which):
    """Return a text that other requests have as well."""
    return _shared_text(segments.text[which], segments.size[which])


cdef bint _is_api_path(const char *path, Py_ssize_t size) noexcept:
    """Tell whether a path may be one of the API, by how it begins."""
    while size and path[0] == b"/":
        path += 1
        size -= 1
    if size > 4 and not memcmp(path, b"api/", 4):
        return True
    return size > 5 and not memcmp(path, b"apis/", 5)


cdef int _fill_path(
    attributes, str method, tuple verbs, str path, str query
) except -1:
    """Fill what path and query say; *verbs* are those of the method."""
    cdef const char *text = ascii_of(path)
    cdef Py_ssize_t size = PyUnicode_GET_LENGTH(path)
    cdef int member
    if _is_api_path(text, size):
        if not _fill_api_path(attributes, <str> verbs[1], path, query):
            _fill_any_path(attributes, method, path, query)
        return 0
    _fill(attributes, IS_RESOURCE_REQUEST, False)
    _fill(attributes, PATH, path)
    _fill(attributes, VERB, verbs[0])
    _fill(
        attributes, LONG_RUNNING, size >= 13 and not memcmp(text, b"/debug/pprof/", 13)
    )
    _fill(attributes, PARTS, ())
    for member in range(<int> API_PREFIX, <int> PARTS):
        _fill(attributes, member, "")
    _fill(attributes, FIELD_SELECTOR, "")
    _fill(attributes, LABEL_SELECTOR, "")
    return 0


cdef bint _fill_api_path(attributes, str verb, str path, str query) except -1:
    """Fill what a path of the API says; False if that isn't as usual."""
    cdef Segments all
    cdef Py_ssize_t at, count
    cdef bint has_group
    cdef str group = "", namespace = "", name = "", subresource = "", resource
    cdef tuple parts
    if not _split(&all, ascii_of(path), PyUnicode_GET_LENGTH(path)):
        return False
    has_group = _is(&all, 0, b"apis", 4)
    at = 3 if has_group else 2
    count = all.count - at
    if count < 1 or _is(&all, at, b"proxy", 5) or _is(&all, at, b"watch", 5):
        return False
    if count > 1 and _is(&all, at, b"namespaces", 10):
        namespace = _shared(&all, at + 1)
        if count > 2 and not (
            _is(&all, at + 2, b"status", 6) or _is(&all, at + 2, b"finalize", 8)
        ):
            at += 2
            count -= 2
    resource = _shared(&all, at)
    if count == 1:
        if verb == "get" or verb == "delete":
            if PyUnicode_GET_LENGTH(query):
                return False
            verb = "list" if verb == "get" else "deletecollection"
        parts = (resource,)
    else:
        name = _text(&all, at + 1)
        if count == 2:
            parts = (resource, name)
        else:
            subresource = _shared(&all, at + 2)
            parts = (resource, name, subresource)
            for count in range(at + 3, all.count):
                parts += (_text(&all, count),)
    if has_group:
        group = _shared(&all, 1)
    _fill(attributes, IS_RESOURCE_REQUEST, True)
    _fill(attributes, PATH, path)
    _fill(attributes, VERB, verb)
    _fill(attributes, API_PREFIX, "apis" if has_group else "api")
    _fill(attributes, API_GROUP, group)
    _fill(attributes, API_VERSION, _shared(&all, 2 if has_group else 1))
    _fill(attributes, NAMESPACE, namespace)
    _fill(attributes, RESOURCE, resource)
    _fill(attributes, SUBRESOURCE, subresource)
    _fill(attributes, NAME, name)
    _fill(attributes, PARTS, parts)
    _fill(attributes, FIELD_SELECTOR, "")
    _fill(attributes, LABEL_SELECTOR, "")
    _fill(
        attributes,
        LONG_RUNNING,
        PyUnicode_GET_LENGTH(subresource) > 0 and subresource in LONG_SUBRESOURCES,
    )
    return True


cdef int _fill_any_path(attributes, str method, str path, str query) except -1:
    info = read_request_info(method, path, query)
    _fill(attributes, IS_RESOURCE_REQUEST, info.is_resource_request)
    _fill(attributes, PATH, path)
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


# The request.


cdef inline str _or_empty(text):
    return "" if text is None else <str> text


cdef object read_plain(
    str method, str path, str query, str request_uri, list headers, str peer, user
):
    """Return the `Attributes` of a request; None if its method isn't a plain one.

    Args:
        method: As sent.
        path: Of `octets_are_plain_path`, and beginning with a slash.
        query: Of `octets_are_plain_query`; what an event shows is in *request_uri*.
        request_uri: The target, as an event shows it.
        headers: What `read_headers` found.
        peer: Address that the connection is from.
        user: Who is authenticated.
    """
    cdef tuple verbs = <tuple> METHODS.get(method)
    if verbs is None:
        return None
    sources = source_list(
        _or_empty(headers[<Py_ssize_t> FORWARDED_FOR]),
        _or_empty(headers[<Py_ssize_t> REAL_IP]),
        peer,
    )
    attributes = slot_owner(ATTRIBUTES)
    _fill_path(attributes, method, verbs, path, query)
    _fill(attributes, USER, user)
    _fill(attributes, IMPERSONATED_USER, None)
    _fill(attributes, REQUEST_URI, request_uri)
    _fill(attributes, SOURCE_IPS, sources)
    _fill(attributes, USER_AGENT_MEMBER, _or_empty(headers[<Py_ssize_t> USER_AGENT]))
    _fill(attributes, AUDIT_ID_MEMBER, headers[<Py_ssize_t> AUDIT_ID] or random_uuid())
    _fill(attributes, REQUEST_TARGET, "")
    _fill(attributes, CLUSTER, "")
    _fill(attributes, PROJECT, "")
    return attributes


def read_request(kind, method, target, headers, user, peer, request_uri):
    """Return what `Attributes.from_request` returns; None for what isn't plain.

    Raises:
        RequestInfoError: Kubernetes' request parser refuses the path.
    """
    cdef const char *text
    cdef const char *mark
    cdef Py_ssize_t size, path_size
    cdef list found = [None, None, None, None]
    cdef str path = target, query = ""
    if kind is not ATTRIBUTES or type(method) is not str or type(peer) is not str:
        return None
    if type(target) is not str or not (request_uri is None or type(request_uri) is str):
        return None
    text = ascii_of(target)
    size = PyUnicode_GET_LENGTH(target)
    if text == NULL or size == 0 or text[0] != b"/":
        return None
    mark = <const char *> memchr(text, b"?", <size_t> size)
    path_size = size if mark == NULL else mark - text
    if not octets_are_plain_path(text, <size_t> path_size):
        return None
    if mark != NULL:
        if not octets_are_plain_query(mark + 1, <size_t> (size - path_size - 1)):
            return None
        path = ascii_text(text, path_size)
        query = ascii_text(mark + 1, size - path_size - 1)
    if not read_headers(found, headers):
        return None
    if request_uri is None:
        request_uri = target
    return read_plain(method, path, query, request_uri, found, peer, user)
