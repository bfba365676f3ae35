"""Tell at the speed of reading it that a text holds nothing like a secret.

`secrettext` is the door to it, and looks closer where there is a sign. Most texts have
none.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_Check, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_AsUTF8AndSize

cdef enum:
    SIGNS_MAX = 240
    PAIR_COUNT = 1024  # of two bytes, five bits of each
    NONE = 255
    # A bootstrap token is 6 characters, a point and 16 more.
    TOKEN_START = 6
    TOKEN_END = 16

# What comes before "key" where a key is secret, and between the two.
KEY_WORDS = (
    *("api", "access", "secret", "private", "signing", "encryption", "client", "tls"),
    *("ca", "ssh", "shared", "account", "master", "storage", "license"),
)
# The same before "code", where a code lets somebody in.
CODE_WORDS = (
    *("pin", "otp", "mfa", "2fa", "sms", "verification", "security", "recovery"),
    *("backup", "device", "access", "passe"),
)
JOINTS = ("", "-", "_", ".", " ")
# In lower case. The last ones are for JSON: a letter or a slash may be spelled as an
# escape, and a patch sets values without their names.
WORD_SIGNS = (
    *("pass", "pwd", "secret", "token", "credential", "authoriz", "cookie", "jwt"),
    *("connection", "kubeconfig", "dockerc", "bearer"),
    *("pswd", "kennwort", "wachtwoord", "contrase", "mnemonic"),
    *("sessionid", "session_id", "sessid", "sess_id"),
    *("samlresponse", "assertion", "code_verifier"),
    *("codeverifier", "securityanswer", "security_answer", "seedphrase"),
    *("seed_phrase", "oauth_verifier"),
    *(f"{word}{joint}key" for word in KEY_WORDS for joint in JOINTS),
    *(f"{word}{joint}code" for word in CODE_WORDS for joint in ("", "-", "_")),
)
# Signs only where no letter or digit stands on either side.
WHOLE_WORDS = ("otp", "totp", "pin", "cvv", "cvc", "cvv2", "cvc2", "senha")
SELF_SIGNS = (
    *("eyj", "gho_", "ghp_", "ghs_", "ghu_", "ghr_", "github_pat_", "glpat-", "xox"),
    "sk-",
)
OTHER_SIGNS = ("://", "basic", ".value: ", "signature=", "sig=")
SIGNS = (
    *(*WORD_SIGNS, *WHOLE_WORDS, *SELF_SIGNS, *OTHER_SIGNS),
    *("\\u", "\\/", '"op"', '"auth"', 'auth\\"'),
)

# What `sign_places` says of a place.
PLACE_BITS = 3
WORD, SELF, USER_INFO, SCHEME, VALUE, SIGNATURE = range(6)

# The signs by the pair of bytes that they begin with: the first of them, and for each
# the next that begins alike.
cdef unsigned char FIRST[PAIR_COUNT]
cdef unsigned char NEXT[SIGNS_MAX]
cdef const unsigned char *SIGN[SIGNS_MAX]
cdef Py_ssize_t SIZE[SIGNS_MAX]
cdef unsigned char SORT[SIGNS_MAX]
cdef unsigned char IS_WHOLE[SIGNS_MAX]
cdef unsigned char LOWER[256]
cdef unsigned char IS_TOKEN_BYTE[256]
cdef unsigned char IS_OF_WORD[256]
cdef list _kept = [sign.encode() for sign in SIGNS]


cdef inline unsigned int _pair(const unsigned char *at) noexcept:
    # These bits are the same for a letter in either case.
    return (at[0] & 31) << 5 | (at[1] & 31)


def _sort_of(sign):
    sorts = {"://": USER_INFO, "basic": SCHEME, ".value: ": VALUE}
    sorts |= dict.fromkeys(WORD_SIGNS + WHOLE_WORDS, WORD)
    sorts |= dict.fromkeys(SELF_SIGNS, SELF)
    sorts |= {"sig=": SIGNATURE, "signature=": SIGNATURE}
    return sorts.get(sign, NONE)


cdef int _fill_tables() except -1:
    cdef int i
    cdef bytes sign
    cdef unsigned int pair
    for i in range(256):
        LOWER[i] = i + 32 if 65 <= i <= 90 else i
        IS_TOKEN_BYTE[i] = 48 <= i <= 57 or 97 <= i <= 122
        IS_OF_WORD[i] = IS_TOKEN_BYTE[LOWER[i]] or i >= 128
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
        SORT[i] = _sort_of(sign.decode())
        IS_WHOLE[i] = sign.decode() in WHOLE_WORDS
    return 0


_fill_tables()


cdef bint _is_sign(
    const unsigned char *text, Py_ssize_t size, Py_ssize_t place, int sign
) noexcept:
    cdef Py_ssize_t i
    cdef Py_ssize_t end = place + SIZE[sign]
    if size < end:
        return False
    for i in range(SIZE[sign]):
        if LOWER[text[place + i]] != SIGN[sign][i]:
            return False
    if not IS_WHOLE[sign]:
        return True
    return not (place > 0 and IS_OF_WORD[text[place - 1]]) and not (
        end < size and IS_OF_WORD[text[end]]
    )


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


cdef bint has_sign_in(const unsigned char *text, Py_ssize_t size) noexcept:
    cdef Py_ssize_t at
    cdef int sign
    for at in range(size - 1):
        sign = FIRST[_pair(text + at)]
        while sign != NONE:
            if _is_sign(text, size, at, sign):
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
    return has_sign_in(<const unsigned char *> data, size)


cdef int _sort_at(const unsigned char *text, Py_ssize_t size, Py_ssize_t at) noexcept:
    """Return of which sort the sign is that begins here; NONE if none does."""
    cdef int sign = FIRST[_pair(text + at)]
    while sign != NONE:
        if SORT[sign] != NONE and _is_sign(text, size, at, sign):
            return SORT[sign]
        sign = NEXT[sign]
    return NONE


def sign_places(str text not None, Py_ssize_t limit):
    """Return where in *text* the signs are that are worth a closer look.

    Each is a place, shifted by `PLACE_BITS`, with its sort; a bootstrap token's is its
    first character. It ends with the first after *limit* of them.
    """
    cdef bytes kept
    cdef const unsigned char *data
    cdef Py_ssize_t size = 0
    cdef Py_ssize_t at
    cdef Py_ssize_t place = 0
    cdef int sort
    cdef list places = []
    try:
        data = <const unsigned char *> PyUnicode_AsUTF8AndSize(text, &size)
    except UnicodeEncodeError:  # a surrogate is three bytes, and one character
        kept = text.encode("utf-8", "surrogatepass")
        data, size = <const unsigned char *> PyBytes_AS_STRING(kept), len(kept)
    for at in range(size - 1):
        if data[at] & 0xC0 == 0x80:
            continue
        sort = _sort_at(data, size, at)
        if sort != NONE:
            places.append(place << 3 | sort)
        elif data[at] == b"." and _is_token(data, size, at):
            places.append((place - TOKEN_START) << 3 | 1)
        if len(places) > limit:
            break
        place += 1
    return places
