"""Tell at the speed of reading it that a text holds nothing like a secret.

`secrettext` is the door to it, and looks closer where there is a sign. Most texts have
none.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_Check, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_AsUTF8AndSize

cdef enum:
    SIGNS_MAX = 128
    PAIR_COUNT = 1024  # of two bytes, five bits of each
    NONE = 255
    # A bootstrap token is 6 characters, a point and 16 more.
    TOKEN_START = 6
    TOKEN_END = 16

# What comes before "key" where a key is secret, and between the two.
KEY_WORDS = (
    *("api", "access", "secret", "private", "signing", "encryption", "client", "tls"),
    *("ca", "ssh", "shared"),
)
JOINTS = ("", "-", "_", ".", " ")
# In lower case. The last ones are for JSON: a letter or a slash may be spelled as an
# escape, and a patch sets values without their names.
SIGNS = (
    *("pass", "pwd", "secret", "token", "credential", "authoriz", "cookie"),
    *("connection", "kubeconfig", "dockerc", "bearer", "basic", "eyj", "://"),
    ".value: ",
    *("gho_", "ghp_", "ghs_", "ghu_", "ghr_", "github_pat_", "glpat-", "xox", "sk-"),
    *(f"{word}{joint}key" for word in KEY_WORDS for joint in JOINTS),
    *("\\u", "\\/", '"op"', '"auth"'),
)

# The signs by the pair of bytes that they begin with: the first of them, and for each
# the next that begins alike.
cdef unsigned char FIRST[PAIR_COUNT]
cdef unsigned char NEXT[SIGNS_MAX]
cdef const unsigned char *SIGN[SIGNS_MAX]
cdef Py_ssize_t SIZE[SIGNS_MAX]
cdef unsigned char LOWER[256]
cdef unsigned char IS_TOKEN_BYTE[256]
cdef list _kept = [sign.encode() for sign in SIGNS]


cdef inline unsigned int _pair(const unsigned char *at) noexcept:
    # These bits are the same for a letter in either case.
    return (at[0] & 31) << 5 | (at[1] & 31)


cdef int _fill_tables() except -1:
    cdef int i
    cdef bytes sign
    cdef unsigned int pair
    for i in range(256):
        LOWER[i] = i + 32 if 65 <= i <= 90 else i
        IS_TOKEN_BYTE[i] = 48 <= i <= 57 or 97 <= i <= 122
    for i in range(PAIR_COUNT):
        FIRST[i] = NONE
    if len(_kept) > SIGNS_MAX:
        raise ValueError(f"{len(_kept)} signs")
    for i, sign in enumerate(_kept):
        SIGN[i] = <const unsigned char *> PyBytes_AS_STRING(sign)
        SIZE[i] = len(sign)
        pair = _pair(SIGN[i])
        NEXT[i] = FIRST[pair]
        FIRST[pair] = i
    return 0

_fill_tables()


cdef bint _is_sign(const unsigned char *at, Py_ssize_t size, int sign) noexcept:
    cdef Py_ssize_t i
    if size < SIZE[sign]:
        return False
    for i in range(SIZE[sign]):
        if LOWER[at[i]] != SIGN[sign][i]:
            return False
    return True


cdef bint _is_token(
    const unsigned char *text, Py_ssize_t size, Py_ssize_t point
) noexcept:
    cdef Py_ssize_t at
    if point < TOKEN_START or size - point <= TOKEN_END:
        return False
    for at in range(point - TOKEN_START, point + TOKEN_END + 1):
        if at != point and not IS_TOKEN_BYTE[text[at]]:
            return False
    return True


cdef bint _has_sign(const unsigned char *text, Py_ssize_t size) noexcept:
    cdef Py_ssize_t at
    cdef int sign
    for at in range(size - 1):
        sign = FIRST[_pair(text + at)]
        while sign != NONE:
            if _is_sign(text + at, size - at, sign):
                return True
            sign = NEXT[sign]
        if text[at] == b"." and _is_token(text, size, at):
            return True
    return False


def has_sign(text not None):
    """Tell whether *text*, a string or UTF-8, has a sign of a secret in it.

    Raises:
        TypeError: It is something else.
    """
    cdef const char *data
    cdef Py_ssize_t size = 0
    if PyBytes_Check(text):
        data, size = PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text)
    else:
        try:
            data = PyUnicode_AsUTF8AndSize(text, &size)
        except UnicodeEncodeError:  # bytes that aren't UTF-8
            return True
    return _has_sign(<const unsigned char *> data, size)
