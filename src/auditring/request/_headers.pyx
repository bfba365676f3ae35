"""What the headers of most requests say: `headers` and `sourceips` read all others.

Values are short and ASCII, addresses IPv4 in its one canonical form. Who asked for no
audit ID gets a random UUID, in a tenth of the time that the uuid module takes: random
bytes are read many at a time, since a system call takes as long as the rest of a
request's way. A child of a fork throws away what its parent may use.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.tuple cimport PyTuple_GET_ITEM, PyTuple_GET_SIZE
from libc.string cimport memchr, memcmp

from .._native.ascii cimport ascii_text
from .._native.line cimport PyUnicode_GET_LENGTH, ascii_of
from .._native.octets cimport octets_are_ascii

import functools
import os

from .sourceips import source_ips

cdef enum:
    # A longer User-Agent has to be cut.
    PLAIN_VALUE_MAX_BYTES = 1024

    REMEMBERED_MAX = 4096
    IPV4_MAX_BYTES = 15
    ZERO = 0x30  # the digit
    POOL_BYTES = 4096
    UUID_BYTES = 16

cdef object remembered_sources = functools.lru_cache(REMEMBERED_MAX)(source_ips)
cdef bytes pool = b""
cdef Py_ssize_t pool_used = 0
cdef const char *DIGITS = b"0123456789abcdef"


def _forget_pool():
    global pool, pool_used
    pool = b""
    pool_used = 0


os.register_at_fork(after_in_child=_forget_pool)


cdef str _plain_value(value):
    """Return a header's value as text; None if it isn't short and plain."""
    cdef const char *text
    cdef Py_ssize_t size
    if type(value) is bytes:
        text = PyBytes_AS_STRING(value)
        size = PyBytes_GET_SIZE(value)
    elif type(value) is str:
        text = ascii_of(value)
        size = PyUnicode_GET_LENGTH(value)
        if text == NULL:
            return None
    else:
        return None
    if size > PLAIN_VALUE_MAX_BYTES:
        return None
    # Space around it is no part of it, which is for others to see to.
    if size and (
        <unsigned char> text[0] <= 0x20 or <unsigned char> text[size - 1] <= 0x20
    ):
        return None
    if type(value) is str:
        return <str> value
    if not octets_are_ascii(text, <size_t> size):
        return None
    return ascii_text(text, size)


cdef inline bint _is_name(
    const char *name, const char *wanted, Py_ssize_t size
) noexcept:
    # Most often it's in lower case as it is.
    return not memcmp(name, wanted, <size_t> size) or is_lower_name(name, size, wanted)


cdef inline Py_ssize_t _which(const char *name, Py_ssize_t size) noexcept:
    """Return the `Header` that a name stands for; -1 for none that matters."""
    if size == 10:
        return USER_AGENT if _is_name(name, b"user-agent", 10) else -1
    if size == 15:
        return FORWARDED_FOR if _is_name(name, b"x-forwarded-for", 15) else -1
    if size == 8:
        return AUDIT_ID if _is_name(name, b"audit-id", 8) else -1
    if size == 9:
        return REAL_IP if _is_name(name, b"x-real-ip", 9) else -1
    return -1


cdef bint _read_header(list found, key, value) except -1:
    """Read one if it matters; False if it isn't plain."""
    cdef const char *name
    cdef Py_ssize_t size, which
    cdef str text
    if type(key) is bytes:
        name = PyBytes_AS_STRING(key)
        size = PyBytes_GET_SIZE(key)
    elif type(key) is str:
        name = ascii_of(key)
        size = PyUnicode_GET_LENGTH(key)
        if name == NULL:
            return False
    else:
        return False
    which = _which(name, size)
    if which < 0:
        return size < 12 or not is_lower_name(name, 12, b"impersonate-")
    if found[which] is None:  # the first line counts
        text = _plain_value(value)
        if text is None:
            return False
        found[which] = text
    return True


cdef bint read_headers(list found, headers) except -1:
    """Read those that matter into *found*; False if one of them isn't plain.

    Names and values are all bytes, or all text.
    """
    for pair in headers:
        if type(pair) is tuple and PyTuple_GET_SIZE(pair) == 2:
            key = <object> PyTuple_GET_ITEM(pair, 0)
            value = <object> PyTuple_GET_ITEM(pair, 1)
        else:
            key, value = pair
        if not _read_header(found, key, value):
            return False
    return True


cdef bint _is_ipv4(const char *text, Py_ssize_t size) noexcept:
    """Tell whether an address is written in the one way that isn't changed."""
    cdef unsigned int digit, number = 0, digits = 0, dots = 0
    cdef Py_ssize_t at
    if size > IPV4_MAX_BYTES:
        return False
    for at in range(size):
        digit = <unsigned int> <unsigned char> text[at] - ZERO
        if digit <= 9:
            if digits and number == 0:  # a zero in front
                return False
            number = number * 10 + digit
            digits += 1
            if number > 255:
                return False
        elif text[at] == b"." and digits:
            dots += 1
            number = digits = 0
        else:
            return False
    return dots == 3 and digits > 0


cdef inline bint _is_one_ipv4(str address) noexcept:
    cdef const char *text = ascii_of(address)
    return text != NULL and _is_ipv4(text, PyUnicode_GET_LENGTH(address))


cdef inline bint _are_equal(str address, str other) noexcept:
    """Compare addresses that are ASCII."""
    cdef Py_ssize_t size = PyUnicode_GET_LENGTH(address)
    return size == PyUnicode_GET_LENGTH(other) and not memcmp(
        ascii_of(address), ascii_of(other), <size_t> size
    )


cdef list _ipv4_list(str joined):
    """Return the addresses of a header; None if one is of another form."""
    cdef const char *text = ascii_of(joined)
    cdef Py_ssize_t at = 0, end, size = PyUnicode_GET_LENGTH(joined)
    cdef list found = []
    if text == NULL:
        return None
    while at < size:
        end = at
        while end < size and text[end] != b",":
            end += 1
        if not _is_ipv4(text + at, end - at):
            return None
        found.append(joined if end - at == size else ascii_text(text + at, end - at))
        at = end + 1
        if at < size and text[at] == b" ":
            at += 1
    return found


cdef str _nearest(str peer):
    """Return the address of a *peer* with or without a port; None for another form."""
    cdef const char *text = ascii_of(peer)
    cdef const char *colon
    cdef Py_ssize_t index, size = PyUnicode_GET_LENGTH(peer)
    if text == NULL:
        return None
    if _is_ipv4(text, size):
        return peer
    colon = <const char *> memchr(text, b":", <size_t> size)
    if colon == NULL or not _is_ipv4(text, colon - text):
        return None
    # A port is digits; what else may stand there is for others to judge.
    for index in range(colon + 1 - text, size):
        if not b"0" <= text[index] <= b"9":
            return None
    return ascii_text(text, colon - text)


cdef tuple source_list(str forwarded_for, str real_ip, str peer):
    """Return what `sourceips.source_ips` returns."""
    cdef str nearest
    cdef list found
    if PyUnicode_GET_LENGTH(real_ip) == 0:
        nearest = _nearest(peer)
        if nearest is not None:
            if PyUnicode_GET_LENGTH(forwarded_for) == 0:
                return (nearest,)
            if _is_one_ipv4(forwarded_for) and not _are_equal(forwarded_for, nearest):
                return (forwarded_for, nearest)
            found = _ipv4_list(forwarded_for)
            if found is not None:
                if found[len(found) - 1] != nearest:
                    found.append(nearest)
                return tuple(found)
    return remembered_sources(forwarded_for, real_ip, peer)


cpdef str random_uuid():
    """Return a random version-4 UUID."""
    global pool, pool_used
    cdef char text[36]
    cdef unsigned char octets[UUID_BYTES]
    cdef const unsigned char *source
    cdef int index, at = 0
    if PyBytes_GET_SIZE(pool) - pool_used < UUID_BYTES:
        fresh = os.urandom(POOL_BYTES)
        # Only now: meanwhile, other threads were here.
        pool = fresh
        pool_used = 0
    source = <const unsigned char *> PyBytes_AS_STRING(pool) + pool_used
    pool_used += UUID_BYTES
    for index in range(UUID_BYTES):
        octets[index] = source[index]
    octets[6] = (octets[6] & 0x0F) | 0x40
    octets[8] = (octets[8] & 0x3F) | 0x80
    for index in range(UUID_BYTES):
        if index in (4, 6, 8, 10):
            text[at] = b"-"
            at += 1
        text[at] = DIGITS[octets[index] >> 4]
        text[at + 1] = DIGITS[octets[index] & 15]
        at += 2
    return ascii_text(text, 36)
