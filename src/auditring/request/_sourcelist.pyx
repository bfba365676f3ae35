"""The addresses of most requests: IPv4 in its one canonical form.

`sourceips` reads all others, and what it said of them is remembered.
"""

from libc.string cimport memchr, memcmp

from .._native.ascii cimport ascii_text
from .._native.line cimport PyUnicode_GET_LENGTH, ascii_of

import functools

from .sourceips import source_ips

cdef enum:
    REMEMBERED_MAX = 4096
    IPV4_MAX_BYTES = 15
    ZERO = 0x30  # the digit

cdef object remembered_sources = functools.lru_cache(REMEMBERED_MAX)(source_ips)


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
