"""JSON text, checked and taken apart by its bytes; what it means is left alone.

`rawjson` is the door to it. tests/support/plain_rawjson.py does the same in plain
Python, and a property test compares the two. Every index is checked against the end of
the text, so text that isn't JSON can give an error but nothing else.
"""

from cpython.bytes cimport (
    PyBytes_AS_STRING,
    PyBytes_FromStringAndSize,
    PyBytes_GET_SIZE,
)
from libc.string cimport memcmp, memcpy

# As deep as Go's decoder goes.
cdef enum:
    DEPTH_MAX = 10000
    # What takes a byte's place when it is escaped: \u003c and its like.
    ESCAPE_BYTES = 6

# What a byte is inside of a string.
cdef enum Kind:
    PLAIN
    QUOTE
    BACKSLASH
    CONTROL  # may not stand there
    MARKUP   # < > &
    LEAD_E2  # may begin U+2028 or U+2029

# What may come next, blanks aside.
cdef enum Expected:
    A_VALUE
    A_VALUE_OR_END
    A_KEY
    A_KEY_OR_END
    A_COLON
    A_COMMA_OR_END

cdef unsigned char KIND[256]
cdef const char *HEX_DIGITS = b"0123456789abcdef"


cdef int _fill_kinds() except -1:
    cdef int byte
    for byte in range(256):
        KIND[byte] = CONTROL if byte < 0x20 else PLAIN
    KIND[b'"'] = QUOTE
    KIND[b"\\"] = BACKSLASH
    for byte in b"<>&":
        KIND[byte] = MARKUP
    KIND[0xE2] = LEAD_E2
    return 0

_fill_kinds()


cdef struct Scan:
    const unsigned char *text
    Py_ssize_t size
    Py_ssize_t at
    Py_ssize_t blanks   # bytes that compacting drops
    Py_ssize_t escapes  # bytes that escaping adds


cdef inline bint _is_separator(const unsigned char *at) noexcept nogil:
    """Tell whether U+2028 or U+2029 stands here; three bytes must be there."""
    return at[0] == 0xE2 and at[1] == 0x80 and (at[2] & 0xFE) == 0xA8


cdef inline bint _is_digit(unsigned char byte) noexcept nogil:
    return b"0" <= byte <= b"9"


cdef inline bint _is_hex(unsigned char byte) noexcept nogil:
    return _is_digit(byte) or b"a" <= (byte | 0x20) <= b"f"


cdef inline bint _is_blank(unsigned char byte) noexcept nogil:
    return byte == b" " or byte == b"\t" or byte == b"\n" or byte == b"\r"


cdef bint _scan_escape(Scan *scan) noexcept nogil:
    """Pass what follows a backslash; False if it can't."""
    cdef unsigned char byte
    cdef Py_ssize_t digit
    if scan.at >= scan.size:
        return False
    byte = scan.text[scan.at]
    scan.at += 1
    if byte != b"u":
        return byte in b'"\\/bfnrt'
    if scan.size - scan.at < 4:
        return False
    for digit in range(4):
        if not _is_hex(scan.text[scan.at + digit]):
            return False
    scan.at += 4
    return True


cdef bint _scan_string(Scan *scan) noexcept nogil:
    """Pass a string whose first quote has been passed; False if it isn't one."""
    cdef const unsigned char *text = scan.text
    cdef Py_ssize_t size = scan.size
    cdef Py_ssize_t at = scan.at
    cdef unsigned char kind
    while True:
        while at < size and KIND[text[at]] == PLAIN:
            at += 1
        if at >= size:
            break
        kind = KIND[text[at]]
        at += 1
        if kind == QUOTE:
            scan.at = at
            return True
        if kind == BACKSLASH:
            scan.at = at
            if not _scan_escape(scan):
                return False
            at = scan.at
        elif kind == MARKUP:
            scan.escapes += ESCAPE_BYTES - 1
        elif kind == LEAD_E2:
            if size - at >= 2 and _is_separator(text + at - 1):
                scan.escapes += ESCAPE_BYTES - 3
                at += 2
        else:
            at -= 1
            break
    scan.at = at
    return False


cdef bint _scan_digits(Scan *scan) noexcept nogil:
    """Pass one digit or more; False if there is none."""
    cdef Py_ssize_t start = scan.at
    while scan.at < scan.size and _is_digit(scan.text[scan.at]):
        scan.at += 1
    return scan.at > start


cdef bint _scan_number(Scan *scan) noexcept nogil:
    """Pass a number; False if there is none. What follows it isn't looked at."""
    if scan.at < scan.size and scan.text[scan.at] == b"-":
        scan.at += 1
    if scan.at < scan.size and scan.text[scan.at] == b"0":
        scan.at += 1
    elif not _scan_digits(scan):
        return False
    if scan.at < scan.size and scan.text[scan.at] == b".":
        scan.at += 1
        if not _scan_digits(scan):
            return False
    if scan.at < scan.size and (scan.text[scan.at] | 0x20) == b"e":
        scan.at += 1
        if scan.at < scan.size and scan.text[scan.at] in b"+-":
            scan.at += 1
        return _scan_digits(scan)
    return True


cdef inline bint _scan_word(
    Scan *scan, const char *word, Py_ssize_t size
) noexcept nogil:
    if scan.size - scan.at < size or memcmp(scan.text + scan.at, word, size) != 0:
        return False
    scan.at += size
    return True


cdef bint _scan_scalar(Scan *scan) noexcept nogil:
    """Pass a string, a number or a word; False if there is none."""
    cdef unsigned char byte = scan.text[scan.at]
    if byte == b'"':
        scan.at += 1
        return _scan_string(scan)
    if byte == b"t":
        return _scan_word(scan, b"true", 4)
    if byte == b"f":
        return _scan_word(scan, b"false", 5)
    if byte == b"n":
        return _scan_word(scan, b"null", 4)
    return _scan_number(scan)


cdef bint _scan_document(Scan *scan) noexcept nogil:
    """Pass one value and the blanks around it; False, and where, if it isn't JSON."""
    cdef unsigned char closers[DEPTH_MAX]
    cdef Py_ssize_t depth = 0
    cdef Expected expected = A_VALUE
    cdef unsigned char byte
    while True:
        while scan.at < scan.size and _is_blank(scan.text[scan.at]):
            scan.at += 1
            scan.blanks += 1
        if scan.at >= scan.size:
            return expected == A_COMMA_OR_END and depth == 0
        byte = scan.text[scan.at]
        if expected == A_COMMA_OR_END:
            if depth == 0:
                return False
            if byte == b",":
                expected = A_KEY if closers[depth - 1] == b"}" else A_VALUE
            elif byte == closers[depth - 1]:
                depth -= 1
            else:
                return False
            scan.at += 1
        elif expected == A_COLON:
            if byte != b":":
                return False
            scan.at += 1
            expected = A_VALUE
        elif expected == A_KEY or expected == A_KEY_OR_END:
            if byte == b'"':
                scan.at += 1
                if not _scan_string(scan):
                    return False
                expected = A_COLON
            elif byte == b"}" and expected == A_KEY_OR_END:
                scan.at += 1
                depth -= 1
                expected = A_COMMA_OR_END
            else:
                return False
        elif byte == b"{" or byte == b"[":
            if depth == DEPTH_MAX:
                return False
            closers[depth] = b"}" if byte == b"{" else b"]"
            depth += 1
            scan.at += 1
            expected = A_KEY_OR_END if byte == b"{" else A_VALUE_OR_END
        elif byte == b"]" and expected == A_VALUE_OR_END:
            depth -= 1
            scan.at += 1
            expected = A_COMMA_OR_END
        elif _scan_scalar(scan):
            expected = A_COMMA_OR_END
        else:
            return False


cdef void _write_compact(Scan *scan, unsigned char *out) noexcept nogil:
    """Copy a text that has been passed, without blanks and with the escapes."""
    cdef const unsigned char *text = scan.text
    cdef Py_ssize_t at = 0
    cdef Py_ssize_t start
    cdef bint is_inside = False
    while at < scan.size:
        start = at
        if not is_inside:
            while at < scan.size and text[at] != b'"' and not _is_blank(text[at]):
                at += 1
        else:
            while at < scan.size and KIND[text[at]] == PLAIN:
                at += 1
        memcpy(out, text + start, at - start)
        out += at - start
        if at >= scan.size:
            return
        if _is_blank(text[at]) and not is_inside:
            at += 1
        elif text[at] == b'"':
            is_inside = not is_inside
            out[0] = text[at]
            out += 1
            at += 1
        elif text[at] == b"\\":
            memcpy(out, text + at, 2)
            out += 2
            at += 2
        elif KIND[text[at]] == MARKUP:
            memcpy(out, b"\\u00", 4)
            out[4] = HEX_DIGITS[text[at] >> 4]
            out[5] = HEX_DIGITS[text[at] & 15]
            out += ESCAPE_BYTES
            at += 1
        elif scan.size - at >= 3 and _is_separator(text + at):
            memcpy(out, b"\\u202", 5)
            out[5] = HEX_DIGITS[text[at + 2] & 15]
            out += ESCAPE_BYTES
            at += 3
        else:  # a 0xE2 that begins another character
            out[0] = text[at]
            out += 1
            at += 1


def compact(bytes text not None):
    """Check that *text* is one JSON value and drop the blanks around its tokens.

    Raises:
        ValueError: It isn't JSON, or is nested deeper than 10,000 levels.
    """
    cdef Scan scan
    cdef bytes result
    scan.text = <const unsigned char *> PyBytes_AS_STRING(text)
    scan.size = PyBytes_GET_SIZE(text)
    scan.at = scan.blanks = scan.escapes = 0
    if not _scan_document(&scan):
        raise ValueError(f"not JSON: byte {scan.at} of {scan.size}")
    if scan.blanks == 0 and scan.escapes == 0:
        return text
    result = PyBytes_FromStringAndSize(NULL, scan.size - scan.blanks + scan.escapes)
    _write_compact(&scan, <unsigned char *> PyBytes_AS_STRING(result))
    return result


cdef bint _pass_string(Scan *scan) noexcept nogil:
    """Pass a string of checked text whose first quote has been passed."""
    cdef unsigned char byte
    while scan.at < scan.size:
        byte = scan.text[scan.at]
        scan.at += 1
        if byte == b'"':
            return True
        if byte == b"\\":
            scan.at += 1
    return False


cdef bint _pass_value(Scan *scan) noexcept nogil:
    """Pass a value of checked, compact text, whatever is in it."""
    cdef Py_ssize_t depth = 0
    cdef unsigned char byte
    while scan.at < scan.size:
        byte = scan.text[scan.at]
        if byte == b'"':
            scan.at += 1
            if not _pass_string(scan):
                return False
            continue
        if byte == b"{" or byte == b"[":
            depth += 1
        elif byte == b"}" or byte == b"]":
            if depth == 0:
                return True
            depth -= 1
        elif byte == b"," and depth == 0:
            return True
        scan.at += 1
    return depth == 0


cdef _open(Scan *scan, bytes text, unsigned char opener, unsigned char closer):
    """Begin to take *text* apart; its last byte is left out of what is scanned."""
    scan.text = <const unsigned char *> PyBytes_AS_STRING(text)
    scan.size = PyBytes_GET_SIZE(text) - 1
    scan.at = 1
    if scan.size < 1 or scan.text[0] != opener or scan.text[scan.size] != closer:
        raise ValueError("not a compact JSON object or array")


cdef bytes _piece(Scan *scan, Py_ssize_t start):
    return (<const char *> scan.text)[start:scan.at]


def members(bytes text not None):
    """Return the members of the object *text*: each key and value as their JSON text.

    In their order, with duplicates. *text* is what `compact` returned, or a part of it.

    Raises:
        ValueError: It is no object.
    """
    cdef Scan scan
    cdef Py_ssize_t start
    cdef bytes key
    cdef list result = []
    _open(&scan, text, b"{", b"}")
    while scan.at < scan.size:
        start = scan.at
        scan.at += 1
        if not _pass_string(&scan) or scan.at >= scan.size:
            raise ValueError("not a compact JSON object")
        key = _piece(&scan, start)
        scan.at += 1
        start = scan.at
        if not _pass_value(&scan) or scan.at > scan.size:
            raise ValueError("not a compact JSON object")
        result.append((key, _piece(&scan, start)))
        scan.at += 1
    return result


def elements(bytes text not None):
    """Return the elements of the array *text*, each as its JSON text.

    *text* is what `compact` returned, or a part of it.

    Raises:
        ValueError: It is no array.
    """
    cdef Scan scan
    cdef Py_ssize_t start
    cdef list result = []
    _open(&scan, text, b"[", b"]")
    while scan.at < scan.size:
        start = scan.at
        if not _pass_value(&scan) or scan.at > scan.size:
            raise ValueError("not a compact JSON array")
        result.append(_piece(&scan, start))
        scan.at += 1
    return result
