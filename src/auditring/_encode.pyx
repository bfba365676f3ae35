"""Write an event as JSON, byte for byte as Kubernetes does.

`encode` is the door to it. tests/plain_encode.py does the same in plain Python, and a
property test compares the two.
"""

from cpython.bytes cimport (
    PyBytes_AS_STRING,
    PyBytes_FromStringAndSize,
    PyBytes_GET_SIZE,
)
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.unicode cimport PyUnicode_AsUTF8AndSize, PyUnicode_Check

from libc.stdint cimport INT64_MIN, int64_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef extern from "Python.h":
    bint PyUnicode_IS_ASCII(object string)
    bint PyUnicode_IS_COMPACT_ASCII(object string)
    Py_ssize_t PyUnicode_GET_LENGTH(object string)
    const char *PyUnicode_DATA(object string)

from ._attributeslots cimport (
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
from ._slots cimport slot_offset, slot_value

from .event import UserInfo

cdef enum:
    INITIAL_BYTES = 2048
    ESCAPED_MAX_BYTES = 6  # of one byte: \u003c
    SECOND_US = 1000000
    DAY_S = 86400
    SECOND_CHARS = 20  # 2026-11-22T00:41:36.
    CYCLE_DAYS = 146097  # 400 years, after which the calendar repeats itself
    CYCLE_START_DAY = 719468  # 0000-03-01, counted back from 1970-01-01
    ZERO = 0x30  # the digit

# 0000-01-01 and 10000-01-01: between them years have four digits.
cdef object FIRST_US = -62167219200 * SECOND_US
cdef object END_US = 253402300800 * SECOND_US

# What a byte becomes in a string: PLAIN stays, else see _write_special.
cdef enum Kind:
    PLAIN
    SHORT    # a backslash and SHORT_ESCAPES[byte]
    NUMBER   # \u00xx
    LEAD_E2  # may begin U+2028 or U+2029
    LEAD_ED  # may begin a surrogate

# Each byte is one.
cdef uint64_t ONES = 0x0101010101010101

cdef unsigned char KIND[256]
cdef unsigned char SHORT_ESCAPES[256]
cdef bytes TYPED_START = b'{"kind":"Event","apiVersion":"audit.k8s.io/v1",'
cdef const char *HEX_DIGITS = b"0123456789abcdef"


cdef int _fill_tables() except -1:
    cdef int byte
    for byte in range(256):
        KIND[byte] = NUMBER if byte < 0x20 else PLAIN
    for byte in b"<>&":
        KIND[byte] = NUMBER
    for byte, letter in zip(b'"\\\b\f\n\r\t', b'"\\bfnrt'):
        KIND[byte] = SHORT
        SHORT_ESCAPES[byte] = letter
    KIND[0xE2] = LEAD_E2
    KIND[0xED] = LEAD_ED
    return 0

_fill_tables()


# Most times are of the second of the one before. The GIL guards them.
cdef int64_t last_second = INT64_MIN
cdef char last_second_text[SECOND_CHARS]


# A text that grows. The first bytes of it are on the stack.
cdef struct Text:
    char *data
    Py_ssize_t size
    Py_ssize_t capacity
    char first[INITIAL_BYTES]


cdef void _start(Text *text) noexcept:
    text.data = text.first
    text.size = 0
    text.capacity = INITIAL_BYTES


cdef void _free(Text *text) noexcept:
    if text.data != text.first:
        PyMem_Free(text.data)


cdef int _grow(Text *text, Py_ssize_t size) except -1:
    cdef Py_ssize_t capacity = 2 * text.capacity
    cdef char *data
    if capacity < text.size + size:
        capacity = text.size + size
    if text.data == text.first:
        data = <char *> PyMem_Malloc(capacity)
        if data != NULL:
            memcpy(data, text.first, text.size)
    else:
        data = <char *> PyMem_Realloc(text.data, capacity)
    if data == NULL:
        raise MemoryError
    text.data = data
    text.capacity = capacity
    return 0


cdef inline int _reserve(Text *text, Py_ssize_t size) except -1:
    if text.capacity - text.size < size:
        _grow(text, size)
    return 0


cdef inline int _put(Text *text, const char *data, Py_ssize_t size) except -1:
    _reserve(text, size)
    memcpy(text.data + text.size, data, size)
    text.size += size
    return 0


cdef inline int _put_bytes(Text *text, bytes data) except -1:
    return _put(text, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))


cdef Py_ssize_t _write_special(
    char **out, const unsigned char *text, Py_ssize_t at, Py_ssize_t size
) noexcept:
    """Write the escape for what begins at *at*; return where it ends."""
    cdef unsigned char byte = text[at]
    cdef char *to = out[0]
    if KIND[byte] == SHORT:
        to[0] = b"\\"
        to[1] = SHORT_ESCAPES[byte]
        out[0] = to + 2
        return at + 1
    if KIND[byte] == NUMBER:
        memcpy(to, b"\\u00", 4)
        to[4] = HEX_DIGITS[byte >> 4]
        to[5] = HEX_DIGITS[byte & 15]
        out[0] = to + 6
        return at + 1
    if size - at >= 3 and KIND[byte] == LEAD_E2:
        if text[at + 1] == 0x80 and (text[at + 2] & 0xFE) == 0xA8:
            memcpy(to, b"\\u202", 5)
            to[5] = HEX_DIGITS[text[at + 2] & 15]
            out[0] = to + 6
            return at + 3
    elif size - at >= 3 and text[at + 1] >= 0xA0:
        memcpy(to, b"\\ufffd", 6)
        out[0] = to + 6
        return at + 3
    to[0] = byte
    out[0] = to + 1
    return at + 1


cdef inline bint _has_special(uint64_t word) noexcept:
    """Tell whether any of the word's bytes may need an escape, or isn't ASCII.

    A byte of x is zero where the word holds < or >, one of y for " and &, of z for a
    backslash; subtracting carries into the top bit of zero bytes, and of those of w
    that are below 0x20. Bytes behind such a one may be taken for one, too.
    """
    cdef uint64_t x = (word | 0x02 * ONES) ^ 0x3E * ONES
    cdef uint64_t y = (word | 0x04 * ONES) ^ 0x26 * ONES
    cdef uint64_t z = word ^ 0x5C * ONES
    return (
        ((x - ONES) & ~x)
        | ((y - ONES) & ~y)
        | ((z - ONES) & ~z)
        | ((word - 0x20 * ONES) & ~word)
        | word
    ) & 0x80 * ONES != 0


cdef int _put_utf8(Text *text, const char *data, Py_ssize_t size) except -1:
    """Put a string, quotes and all."""
    cdef const unsigned char *source = <const unsigned char *> data
    cdef Py_ssize_t at = 0
    cdef Py_ssize_t end
    cdef uint64_t word
    cdef char *out
    _reserve(text, size * ESCAPED_MAX_BYTES + 2)
    out = text.data + text.size
    out[0] = b'"'
    out += 1
    while at < size:
        while size - at >= 8:
            memcpy(&word, source + at, 8)
            if _has_special(word):
                break
            memcpy(out, &word, 8)
            out += 8
            at += 8
        if size - at < 8 <= size:
            # The last eight bytes as a word again: the first of them are there by now.
            memcpy(&word, source + size - 8, 8)
            if not _has_special(word):
                memcpy(out - (8 - (size - at)), &word, 8)
                out += size - at
                break
        end = at + 8 if size - at > 8 else size
        while at < end and KIND[source[at]] == PLAIN:
            out[0] = source[at]
            out += 1
            at += 1
        if at < end:
            at = _write_special(&out, source, at, size)
    out[0] = b'"'
    text.size = out + 1 - text.data
    return 0


cdef int _put_string(Text *text, string) except -1:
    cdef const char *data
    cdef Py_ssize_t size = 0
    cdef bytes encoded
    if not PyUnicode_Check(string):
        raise TypeError(f"expected a string, got {string!r}")
    if PyUnicode_IS_COMPACT_ASCII(string):
        return _put_utf8(text, PyUnicode_DATA(string), PyUnicode_GET_LENGTH(string))
    try:
        data = PyUnicode_AsUTF8AndSize(string, &size)
    except UnicodeEncodeError:
        encoded = string.encode(errors="surrogatepass")
        return _put_utf8(text, PyBytes_AS_STRING(encoded), PyBytes_GET_SIZE(encoded))
    return _put_utf8(text, data, size)


cdef int _put_member(Text *text, bytes start, string) except -1:
    """Put what comes before a string, and the string."""
    _put_bytes(text, start)
    return _put_string(text, string)


cdef int _put_if(Text *text, bytes start, string) except -1:
    """Put a member of an object that may be left out, and a comma after it."""
    if PyUnicode_Check(string) and PyUnicode_GET_LENGTH(string) == 0:
        return 0
    _put_member(text, start, string)
    return _put(text, b",", 1)


cdef int _put_whole(Text *text, bytes start, int64_t number) except -1:
    cdef char digits[20]
    cdef int at = 20
    cdef uint64_t rest = <uint64_t> number if number >= 0 else 0 - <uint64_t> number
    _put_bytes(text, start)
    while at == 20 or rest > 0:
        at -= 1
        digits[at] = <char> (ZERO + rest % 10)
        rest //= 10
    if number < 0:
        at -= 1
        digits[at] = b"-"
    return _put(text, digits + at, 20 - at)


cdef int _put_strings(Text *text, strings) except -1:
    _put(text, b"[", 1)
    for string in strings:
        _put_string(text, string)
        _put(text, b",", 1)
    return _close(text, b"]")


cdef inline int _close(Text *text, const char *closer) except -1:
    """End an object or array; a comma that came last gives its place."""
    if text.data[text.size - 1] == b",":
        text.size -= 1
    return _put(text, closer, 1)


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


cdef int _put_user(Text *text, user) except -1:
    if type(user) is UserInfo:
        return _put_user_of(
            text,
            slot_value(user, USERNAME),
            slot_value(user, UID),
            slot_value(user, GROUPS),
            slot_value(user, EXTRA),
        )
    return _put_user_of(text, user.username, user.uid, user.groups, user.extra)


cdef int _put_user_of(Text *text, username, uid, groups, extra) except -1:
    _put(text, b"{", 1)
    _put_if(text, b'"username":', username)
    _put_if(text, b'"uid":', uid)
    if groups:
        _put_bytes(text, b'"groups":')
        _put_strings(text, groups)
        _put(text, b",", 1)
    if extra:
        _put_bytes(text, b'"extra":{')
        for key in _sorted_keys(extra):
            _put_string(text, key)
            values = extra[key]
            if values is None:
                _put_bytes(text, b":null,")
            else:
                _put(text, b":", 1)
                _put_strings(text, values)
                _put(text, b",", 1)
        _close(text, b"}")
    return _close(text, b"}")


cdef int _put_reference(Text *text, reference) except -1:
    _put(text, b"{", 1)
    _put_if(text, b'"resource":', reference.resource)
    _put_if(text, b'"namespace":', reference.namespace)
    _put_if(text, b'"name":', reference.name)
    _put_if(text, b'"uid":', reference.uid)
    _put_if(text, b'"apiGroup":', reference.api_group)
    _put_if(text, b'"apiVersion":', reference.api_version)
    _put_if(text, b'"resourceVersion":', reference.resource_version)
    _put_if(text, b'"subresource":', reference.subresource)
    return _close(text, b"}")


cdef int _put_list_meta(Text *text, meta) except -1:
    _put(text, b"{", 1)
    _put_if(text, b'"selfLink":', meta.self_link)
    _put_if(text, b'"resourceVersion":', meta.resource_version)
    _put_if(text, b'"continue":', meta.continue_token)
    if meta.remaining_item_count is not None:
        _put_whole(text, b'"remainingItemCount":', meta.remaining_item_count)
        _put(text, b",", 1)
    if meta.shard_info is not None:
        _put_member(text, b'"shardInfo":{"selector":', meta.shard_info.selector)
        _put(text, b"}", 1)
    return _close(text, b"}")


cdef int _put_details(Text *text, details) except -1:
    _put(text, b"{", 1)
    _put_if(text, b'"name":', details.name)
    _put_if(text, b'"group":', details.group)
    _put_if(text, b'"kind":', details.kind)
    _put_if(text, b'"uid":', details.uid)
    if details.causes:
        _put_bytes(text, b'"causes":[')
        for cause in details.causes:
            _put(text, b"{", 1)
            _put_if(text, b'"reason":', cause.reason)
            _put_if(text, b'"message":', cause.message)
            _put_if(text, b'"field":', cause.field)
            _close(text, b"}")
            _put(text, b",", 1)
        _close(text, b"]")
        _put(text, b",", 1)
    if details.retry_after_seconds:
        _put_whole(text, b'"retryAfterSeconds":', details.retry_after_seconds)
    return _close(text, b"}")


cdef int _put_status(Text *text, status) except -1:
    _put(text, b"{", 1)
    _put_if(text, b'"kind":', status.kind)
    _put_if(text, b'"apiVersion":', status.api_version)
    _put_bytes(text, b'"metadata":')
    _put_list_meta(text, status.metadata)
    _put(text, b",", 1)
    _put_if(text, b'"status":', status.status)
    _put_if(text, b'"message":', status.message)
    _put_if(text, b'"reason":', status.reason)
    if status.details is not None:
        _put_bytes(text, b'"details":')
        _put_details(text, status.details)
        _put(text, b",", 1)
    if status.code:
        _put_whole(text, b'"code":', status.code)
    return _close(text, b"}")


cdef void _write_digits(char *to, uint32_t number, int count) noexcept:
    while count > 0:
        count -= 1
        to[count] = <char> (ZERO + number % 10)
        number //= 10


cdef void _write_second(char *to, int64_t seconds) noexcept:
    """Write the 20 characters of date and time, with the point after them."""
    cdef int64_t day = seconds // DAY_S
    cdef uint32_t second = <uint32_t> (seconds - day * DAY_S)
    cdef int64_t cycle, leap_days, year, month
    day += CYCLE_START_DAY
    cycle = day // CYCLE_DAYS
    day -= cycle * CYCLE_DAYS
    leap_days = day // 1460 - day // 36524 + day // (CYCLE_DAYS - 1)
    year = (day - leap_days) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153  # 0 is March
    day -= (153 * month + 2) // 5
    year += cycle * 400 + (month >= 10)
    month += 3 if month < 10 else -9
    memcpy(to, b"0000-00-00T00:00:00.", SECOND_CHARS)
    _write_digits(to, <uint32_t> year, 4)
    _write_digits(to + 5, <uint32_t> month, 2)
    _write_digits(to + 8, <uint32_t> (day + 1), 2)
    _write_digits(to + 11, second // 3600, 2)
    _write_digits(to + 14, second // 60 % 60, 2)
    _write_digits(to + 17, second % 60, 2)


cdef int _put_microseconds(Text *text, int64_t microseconds) except -1:
    """Put a time of a year of four digits."""
    global last_second
    cdef int64_t seconds = microseconds // SECOND_US
    cdef char *to
    if seconds != last_second:
        _write_second(last_second_text, seconds)
        last_second = seconds
    _reserve(text, SECOND_CHARS + 9)
    to = text.data + text.size
    to[0] = b'"'
    memcpy(to + 1, last_second_text, SECOND_CHARS)
    to += SECOND_CHARS + 1
    _write_digits(to, <uint32_t> (microseconds - seconds * SECOND_US), 6)
    memcpy(to + 6, b'Z"', 2)
    text.size += SECOND_CHARS + 9
    return 0


cdef int _put_time(Text *text, time) except -1:
    cdef object microseconds
    if time is None:
        return _put(text, b"null", 4)
    microseconds = time.microseconds
    if FIRST_US <= microseconds < END_US:
        return _put_microseconds(text, microseconds)
    return _put_string(text, str(time))


cdef int _put_annotations(Text *text, annotations) except -1:
    _put_bytes(text, b',"annotations":{')
    for key in _sorted_keys(annotations):
        _put_string(text, key)
        _put_member(text, b":", annotations[key])
        _put(text, b",", 1)
    return _close(text, b"}")


cdef int _put_event(
    Text *text, event, bytes request, bytes response, annotations
) except -1:
    _put_member(text, b'"level":', event.level)
    _put_member(text, b',"auditID":', event.audit_id)
    _put_member(text, b',"stage":', event.stage)
    _put_member(text, b',"requestURI":', event.request_uri)
    _put_member(text, b',"verb":', event.verb)
    _put_bytes(text, b',"user":')
    _put_user(text, event.user)
    if event.impersonated_user is not None:
        _put_bytes(text, b',"impersonatedUser":')
        _put_user(text, event.impersonated_user)
    if event.authentication_metadata is not None:
        _put_bytes(text, b',"authenticationMetadata":{')
        constraint = event.authentication_metadata.impersonation_constraint
        _put_if(text, b'"impersonationConstraint":', constraint)
        _close(text, b"}")
    if event.source_ips:
        _put_bytes(text, b',"sourceIPs":')
        _put_strings(text, event.source_ips)
    if event.user_agent:
        _put_member(text, b',"userAgent":', event.user_agent)
    if event.object_ref is not None:
        _put_bytes(text, b',"objectRef":')
        _put_reference(text, event.object_ref)
    if event.response_status is not None:
        _put_bytes(text, b',"responseStatus":')
        _put_status(text, event.response_status)
    if request is not None:
        _put_bytes(text, b',"requestObject":')
        _put_bytes(text, request)
    if response is not None:
        _put_bytes(text, b',"responseObject":')
        _put_bytes(text, response)
    _put_bytes(text, b',"requestReceivedTimestamp":')
    _put_time(text, event.request_received_timestamp)
    _put_bytes(text, b',"stageTimestamp":')
    _put_time(text, event.stage_timestamp)
    if annotations:
        _put_annotations(text, annotations)
    return 0


cdef int _put_stage(
    Text *text, attributes, level, stage, int64_t received_us, int64_t stage_us, code
) except -1:
    _put_member(text, b'"level":', level)
    _put_member(text, b',"auditID":', member_of(attributes, AUDIT_ID_MEMBER))
    _put_member(text, b',"stage":', stage)
    _put_member(text, b',"requestURI":', member_of(attributes, REQUEST_URI))
    _put_member(text, b',"verb":', member_of(attributes, VERB))
    user = member_of(attributes, USER)
    if user is None:
        _put_bytes(text, b',"user":{}')
    else:
        _put_bytes(text, b',"user":')
        _put_user(text, user)
    source_ips = member_of(attributes, SOURCE_IPS)
    if source_ips:
        _put_bytes(text, b',"sourceIPs":')
        _put_strings(text, source_ips)
    user_agent = member_of(attributes, USER_AGENT_MEMBER)
    if user_agent:
        _put_member(text, b',"userAgent":', user_agent)
    if member_of(attributes, IS_RESOURCE_REQUEST):
        _put_bytes(text, b',"objectRef":{')
        _put_if(text, b'"resource":', member_of(attributes, RESOURCE))
        _put_if(text, b'"namespace":', member_of(attributes, NAMESPACE))
        _put_if(text, b'"name":', member_of(attributes, NAME))
        _put_if(text, b'"apiGroup":', member_of(attributes, API_GROUP))
        _put_if(text, b'"apiVersion":', member_of(attributes, API_VERSION))
        _put_if(text, b'"subresource":', member_of(attributes, SUBRESOURCE))
        _close(text, b"}")
    if code is not None:
        _put_bytes(text, b',"responseStatus":{"metadata":{},')
        if code:
            _put_whole(text, b'"code":', code)
        _close(text, b"}")
    _put_bytes(text, b',"requestReceivedTimestamp":')
    _put_microseconds(text, received_us)
    _put_bytes(text, b',"stageTimestamp":')
    return _put_microseconds(text, stage_us)


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
    return write_stage(
        attributes, level, stage, received_ns, stage_ns, code, annotations
    )


cdef bytes write_stage(
    attributes, level, stage, int64_t received_ns, int64_t stage_ns, code, annotations
):
    cdef Text text
    _start(&text)
    try:
        _put_bytes(&text, TYPED_START)
        _put_stage(
            &text, attributes, level, stage, received_ns // 1000, stage_ns // 1000, code
        )
        if annotations:
            _put_annotations(&text, annotations)
        _put(&text, b"}\n", 2)
        return PyBytes_FromStringAndSize(text.data, text.size)
    finally:
        _free(&text)


def event_line(event, bytes start not None, bytes request, bytes response, annotations):
    """Write *event* behind *start*, with these bodies and annotations for its own.

    The bodies are JSON text already, and go into the line as they are.

    Raises:
        TypeError: Something that should be a string isn't one.
    """
    cdef Text text
    _start(&text)
    try:
        _put_bytes(&text, start)
        _put_event(&text, event, request, response, annotations)
        _put(&text, b"}\n", 2)
        return PyBytes_FromStringAndSize(text.data, text.size)
    finally:
        _free(&text)
