"""Write an event as JSON, byte for byte as Kubernetes does.

`encode` is the door to it. tests/support/plain_encode.py does the same in plain Python,
and a property test compares the two.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.unicode cimport PyUnicode_Check

from libc.stdint cimport int64_t, uint64_t

from ..request._plain cimport (
    API_GROUP,
    API_VERSION,
    AUDIT_ID_MEMBER,
    IS_RESOURCE_REQUEST,
    NAME,
    NAMESPACE,
    REQUEST_URI,
    RESOURCE,
    SOURCE_IPS,
    SUBRESOURCE,
    USER,
    USER_AGENT_MEMBER,
    VERB,
    member_of,
)
from ._jsonscalar cimport SECOND_US, put_microseconds, put_string
from .._native.line cimport (
    PyUnicode_GET_LENGTH,
    line,
    line_begin,
    line_end,
    line_put,
    line_put_bytes,
    line_put_literal,
)
from .._native.slots cimport slot_offset, slot_value

from .event import Level, Stage, UserInfo

cdef extern from "Python.h":
    bint PyUnicode_IS_ASCII(object string)

cdef enum:
    ZERO = 0x30  # the digit

# 0000-01-01 and 10000-01-01: between them years have four digits.
cdef object FIRST_US = -62167219200 * SECOND_US
cdef object END_US = 253402300800 * SECOND_US

# What a line begins with, and goes on with behind the auditID, of these levels and
# stages.
cdef tuple LEVELS = tuple(Level)
cdef tuple STAGES = tuple(Stage)
cdef tuple LEVEL_STARTS = tuple(
    f'{{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"{level}","auditID":'
    .encode() for level in Level
)
cdef tuple STAGE_STARTS = tuple(
    f',"stage":"{stage}","requestURI":'.encode() for stage in Stage
)


cdef int _put_string(line *text, string) except -1:
    # Once in this module, and not in every place that calls it.
    return put_string(text, string)


cdef inline int _put_member(line *text, const char *start, string) except -1:
    """Put what comes before a string, and the string."""
    line_put_literal(text, start)
    return _put_string(text, string)


cdef inline int _put_if(line *text, const char *start, string) except -1:
    """Put a member of an object that may be left out, and a comma after it."""
    if PyUnicode_Check(string) and PyUnicode_GET_LENGTH(string) == 0:
        return 0
    _put_member(text, start, string)
    return line_put_literal(text, b",")


cdef inline int _put_whole(line *text, const char *start, int64_t number) except -1:
    cdef char digits[20]
    cdef int at = 20
    cdef uint64_t rest = <uint64_t> number if number >= 0 else 0 - <uint64_t> number
    line_put_literal(text, start)
    while at == 20 or rest > 0:
        at -= 1
        digits[at] = <char> (ZERO + rest % 10)
        rest //= 10
    if number < 0:
        at -= 1
        digits[at] = b"-"
    return line_put(text, digits + at, 20 - at)


cdef int _put_strings(line *text, strings) except -1:
    line_put_literal(text, b"[")
    for string in strings:
        _put_string(text, string)
        line_put_literal(text, b",")
    return _close(text, b"]")


cdef inline int _close(line *text, const char *closer) except -1:
    """End an object or array; a comma that came last gives its place."""
    if text.data[text.size - 1] == b",":
        text.size -= 1
    return line_put(text, closer, 1)


cdef list _sorted_keys(mapping):
    """Return the keys in the order of their bytes."""
    cdef list keys = list(mapping)
    if len(keys) > 1:
        keys.sort()
        for key in keys:
            if not (PyUnicode_Check(key) and PyUnicode_IS_ASCII(key)):
                keys.sort(key=_bytes_of)
                break
    return keys


cdef bytes _bytes_of_string(string):
    try:
        return string.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return string.encode(errors="surrogatepass")


def _bytes_of(string):
    return _bytes_of_string(string)


cdef Py_ssize_t USERNAME = slot_offset(UserInfo, "username")
cdef Py_ssize_t UID = slot_offset(UserInfo, "uid")
cdef Py_ssize_t GROUPS = slot_offset(UserInfo, "groups")
cdef Py_ssize_t EXTRA = slot_offset(UserInfo, "extra")


cdef int _put_user(line *text, user) except -1:
    if type(user) is UserInfo:
        return _put_user_of(
            text,
            slot_value(user, USERNAME),
            slot_value(user, UID),
            slot_value(user, GROUPS),
            slot_value(user, EXTRA),
        )
    return _put_user_of(text, user.username, user.uid, user.groups, user.extra)


cdef int _put_user_of(line *text, username, uid, groups, extra) except -1:
    line_put_literal(text, b"{")
    _put_if(text, b'"username":', username)
    _put_if(text, b'"uid":', uid)
    if groups:
        line_put_literal(text, b'"groups":')
        _put_strings(text, groups)
        line_put_literal(text, b",")
    if extra:
        line_put_literal(text, b'"extra":{')
        for key in _sorted_keys(extra):
            _put_string(text, key)
            values = extra[key]
            if values is None:
                line_put_literal(text, b":null,")
            else:
                line_put_literal(text, b":")
                _put_strings(text, values)
                line_put_literal(text, b",")
        _close(text, b"}")
    return _close(text, b"}")


cdef int _put_reference(line *text, reference) except -1:
    line_put_literal(text, b"{")
    _put_if(text, b'"resource":', reference.resource)
    _put_if(text, b'"namespace":', reference.namespace)
    _put_if(text, b'"name":', reference.name)
    _put_if(text, b'"uid":', reference.uid)
    _put_if(text, b'"apiGroup":', reference.api_group)
    _put_if(text, b'"apiVersion":', reference.api_version)
    _put_if(text, b'"resourceVersion":', reference.resource_version)
    _put_if(text, b'"subresource":', reference.subresource)
    return _close(text, b"}")


cdef int _put_list_meta(line *text, meta) except -1:
    line_put_literal(text, b"{")
    _put_if(text, b'"selfLink":', meta.self_link)
    _put_if(text, b'"resourceVersion":', meta.resource_version)
    _put_if(text, b'"continue":', meta.continue_token)
    if meta.remaining_item_count is not None:
        _put_whole(text, b'"remainingItemCount":', meta.remaining_item_count)
        line_put_literal(text, b",")
    if meta.shard_info is not None:
        _put_member(text, b'"shardInfo":{"selector":', meta.shard_info.selector)
        line_put_literal(text, b"}")
    return _close(text, b"}")


cdef int _put_details(line *text, details) except -1:
    line_put_literal(text, b"{")
    _put_if(text, b'"name":', details.name)
    _put_if(text, b'"group":', details.group)
    _put_if(text, b'"kind":', details.kind)
    _put_if(text, b'"uid":', details.uid)
    if details.causes:
        line_put_literal(text, b'"causes":[')
        for cause in details.causes:
            line_put_literal(text, b"{")
            _put_if(text, b'"reason":', cause.reason)
            _put_if(text, b'"message":', cause.message)
            _put_if(text, b'"field":', cause.field)
            _close(text, b"}")
            line_put_literal(text, b",")
        _close(text, b"]")
        line_put_literal(text, b",")
    if details.retry_after_seconds:
        _put_whole(text, b'"retryAfterSeconds":', details.retry_after_seconds)
    return _close(text, b"}")


cdef int _put_status(line *text, status) except -1:
    line_put_literal(text, b"{")
    _put_if(text, b'"kind":', status.kind)
    _put_if(text, b'"apiVersion":', status.api_version)
    line_put_literal(text, b'"metadata":')
    _put_list_meta(text, status.metadata)
    line_put_literal(text, b",")
    _put_if(text, b'"status":', status.status)
    _put_if(text, b'"message":', status.message)
    _put_if(text, b'"reason":', status.reason)
    if status.details is not None:
        line_put_literal(text, b'"details":')
        _put_details(text, status.details)
        line_put_literal(text, b",")
    if status.code:
        _put_whole(text, b'"code":', status.code)
    return _close(text, b"}")


cdef int _put_time(line *text, time) except -1:
    cdef object microseconds
    if time is None:
        return line_put_literal(text, b"null")
    microseconds = time.microseconds
    if FIRST_US <= microseconds < END_US:
        return put_microseconds(text, microseconds)
    return _put_string(text, str(time))


cdef int _put_annotations(line *text, annotations) except -1:
    line_put_literal(text, b',"annotations":{')
    for key in _sorted_keys(annotations):
        _put_string(text, key)
        _put_member(text, b":", annotations[key])
        line_put_literal(text, b",")
    return _close(text, b"}")


cdef int _put_event(
    line *text, event, bytes request, bytes response, annotations
) except -1:
    _put_member(text, b'"level":', event.level)
    _put_member(text, b',"auditID":', event.audit_id)
    _put_member(text, b',"stage":', event.stage)
    _put_member(text, b',"requestURI":', event.request_uri)
    _put_member(text, b',"verb":', event.verb)
    line_put_literal(text, b',"user":')
    _put_user(text, event.user)
    if event.impersonated_user is not None:
        line_put_literal(text, b',"impersonatedUser":')
        _put_user(text, event.impersonated_user)
    if event.authentication_metadata is not None:
        line_put_literal(text, b',"authenticationMetadata":{')
        constraint = event.authentication_metadata.impersonation_constraint
        _put_if(text, b'"impersonationConstraint":', constraint)
        _close(text, b"}")
    if event.source_ips:
        line_put_literal(text, b',"sourceIPs":')
        _put_strings(text, event.source_ips)
    if event.user_agent:
        _put_member(text, b',"userAgent":', event.user_agent)
    if event.object_ref is not None:
        line_put_literal(text, b',"objectRef":')
        _put_reference(text, event.object_ref)
    if event.response_status is not None:
        line_put_literal(text, b',"responseStatus":')
        _put_status(text, event.response_status)
    if request is not None:
        line_put_literal(text, b',"requestObject":')
        line_put_bytes(text, request)
    if response is not None:
        line_put_literal(text, b',"responseObject":')
        line_put_bytes(text, response)
    line_put_literal(text, b',"requestReceivedTimestamp":')
    _put_time(text, event.request_received_timestamp)
    line_put_literal(text, b',"stageTimestamp":')
    _put_time(text, event.stage_timestamp)
    if annotations:
        _put_annotations(text, annotations)
    return 0


cdef int _put_level(line *text, level) except -1:
    cdef Py_ssize_t index
    for index in range(len(LEVELS)):
        if level is LEVELS[index]:
            return line_put_bytes(text, <bytes> LEVEL_STARTS[index])
    _put_member(text, b'{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":', level)
    return line_put_literal(text, b',"auditID":')


cdef int _put_stage(line *text, stage) except -1:
    cdef Py_ssize_t index
    for index in range(len(STAGES)):
        if stage is STAGES[index]:
            return line_put_bytes(text, <bytes> STAGE_STARTS[index])
    _put_member(text, b',"stage":', stage)
    return line_put_literal(text, b',"requestURI":')


cdef int put_stage_line(
    line *text,
    attributes,
    level,
    stage,
    int64_t received_ns,
    int64_t stage_ns,
    code,
    annotations,
) except -1:
    """Put the line of an event; see `stage_line`."""
    _put_level(text, level)
    _put_string(text, member_of(attributes, AUDIT_ID_MEMBER))
    _put_stage(text, stage)
    _put_string(text, member_of(attributes, REQUEST_URI))
    _put_member(text, b',"verb":', member_of(attributes, VERB))
    user = member_of(attributes, USER)
    if user is None:
        line_put_literal(text, b',"user":{}')
    else:
        line_put_literal(text, b',"user":')
        _put_user(text, user)
    source_ips = member_of(attributes, SOURCE_IPS)
    if source_ips:
        line_put_literal(text, b',"sourceIPs":')
        _put_strings(text, source_ips)
    user_agent = member_of(attributes, USER_AGENT_MEMBER)
    if user_agent:
        _put_member(text, b',"userAgent":', user_agent)
    if member_of(attributes, IS_RESOURCE_REQUEST):
        line_put_literal(text, b',"objectRef":{')
        _put_if(text, b'"resource":', member_of(attributes, RESOURCE))
        _put_if(text, b'"namespace":', member_of(attributes, NAMESPACE))
        _put_if(text, b'"name":', member_of(attributes, NAME))
        _put_if(text, b'"apiGroup":', member_of(attributes, API_GROUP))
        _put_if(text, b'"apiVersion":', member_of(attributes, API_VERSION))
        _put_if(text, b'"subresource":', member_of(attributes, SUBRESOURCE))
        _close(text, b"}")
    if code is not None:
        line_put_literal(text, b',"responseStatus":{"metadata":{},')
        if code:
            _put_whole(text, b'"code":', code)
        _close(text, b"}")
    line_put_literal(text, b',"requestReceivedTimestamp":')
    put_microseconds(text, received_ns // 1000)
    line_put_literal(text, b',"stageTimestamp":')
    put_microseconds(text, stage_ns // 1000)
    if annotations:
        _put_annotations(text, annotations)
    return line_put_literal(text, b"}\n")


def stage_line(
    attributes,
    level,
    stage,
    int64_t received_ns,
    int64_t stage_ns,
    code=None,
    annotations=None,
):
    """Write the line of the event that `stageevent.stage_event` makes of the same.

    Raises:
        OverflowError: A time isn't of 64 bits.
        TypeError: Something that should be a string isn't one.
    """
    cdef line text
    line_begin(&text)
    try:
        put_stage_line(
            &text, attributes, level, stage, received_ns, stage_ns, code, annotations
        )
        return PyBytes_FromStringAndSize(text.data, text.size)
    finally:
        line_end(&text)


def event_line(event, bytes start not None, bytes request, bytes response, annotations):
    """Write *event* behind *start*, with these bodies and annotations for its own.

    The bodies are JSON text already, and go into the line as they are.

    Raises:
        TypeError: Something that should be a string isn't one.
    """
    cdef line text
    line_begin(&text)
    try:
        line_put_bytes(&text, start)
        _put_event(&text, event, request, response, annotations)
        line_put_literal(&text, b"}\n")
        return PyBytes_FromStringAndSize(text.data, text.size)
    finally:
        line_end(&text)
