"""Find secrets in the JSON of a body at the speed of reading it.

`redactedbody` is the door to it, and is asked of all that takes a closer look: texts
with a sign of a secret in them, objects of a kind that a rule names, patches, command
lines. What is secret by its name is masked here. Text is what `rawjson.compact`
returned; each container in it is found once, so that passing one takes no reading.
"""

cimport cython
from cpython.bytes cimport (
    PyBytes_AS_STRING,
    PyBytes_FromStringAndSize,
    PyBytes_GET_SIZE,
)
from libc.stdlib cimport free, realloc
from libc.string cimport memchr, memcmp, memcpy

from ._secretsigns cimport has_sign_in

cdef enum:
    # What is nested deeper is masked whole, if there is a sign of a secret.
    DEPTH_MAX = 64
    # A name that is shorter and of letters can't be a secret by its own look.
    PLAIN_NAME_MAX = 20
    REPEATED_MAX = 256
    # The end of a longer string is looked for with memchr.
    NEAR_BYTES = 32

# More of them nobody looks for.
SECRETS_MAX = 2000

cdef bytes MASK = b'"[redacted]"'
cdef bytes MASKED_BY_KEY = b'"hmac-sha256:'


@cython.final
cdef class BodyWalk:
    """One way through one body."""

    cdef const unsigned char *_text
    cdef Py_ssize_t _size
    # Of each container, in the order that they begin in: where it ends, and which one
    # is the first behind it.
    cdef int *_end
    cdef int *_after
    cdef Py_ssize_t _count
    cdef Py_ssize_t _next
    cdef unsigned char *_out
    cdef Py_ssize_t _out_size
    cdef Py_ssize_t _out_room
    cdef Py_ssize_t _copied  # up to there the text is in what goes out
    cdef object _door
    cdef dict _names
    # Texts that have a sign and no secret; those of a list are much alike.
    cdef set _harmless
    cdef set _kinds
    cdef bint _has_key
    cdef bint _has_pairs
    cdef readonly set secrets

    def __cinit__(self):
        self._end = self._after = NULL
        self._out = NULL

    def __dealloc__(self):
        free(self._end)
        free(self._after)
        free(self._out)

    def __init__(
        self,
        door,
        dict names not None,
        set kinds not None,
        bint has_key,
        bint has_pairs,
    ):
        """Take who is asked.

        Args:
            door: A `BodyRedaction`.
            names: Which names of members are secret, as far as it's known.
            kinds: Names of kinds that a rule is for, as JSON.
            has_key: Whether equal secrets look alike, so that each has its own mask.
            has_pairs: Whether a value is secret by the name beside it.
        """
        self._door = door
        self._names = names
        self._kinds = kinds
        self._has_key = has_key
        self._has_pairs = has_pairs
        self.secrets = set()
        self._harmless = set()

    def walk(self, bytes text not None, int depth=0):
        """Return *text* with what is secret masked; `secrets` has those by name."""
        self._text = <const unsigned char *> PyBytes_AS_STRING(text)
        self._size = PyBytes_GET_SIZE(text)
        self._copied = self._out_size = 0
        self._next = 0
        self._find_containers()
        self._value(0, None, False, depth)
        if self._copied == 0:
            return text
        self._copy(self._size)
        return PyBytes_FromStringAndSize(<const char *> self._out, self._out_size)

    cdef int _find_containers(self) except -1:
        cdef Py_ssize_t at = 0
        cdef Py_ssize_t room = 0
        cdef Py_ssize_t inner = -1
        cdef Py_ssize_t outer
        cdef unsigned char byte
        self._count = 0
        while at < self._size:
            byte = self._text[at]
            if byte == b'"':
                at = self._string_end(at)
                continue
            if byte == b"{" or byte == b"[":
                if self._count == room:
                    room = 2 * room + 64
                    self._grow_index(room)
                # Until its end is found: which one it is in.
                self._end[self._count] = inner
                inner = self._count
                self._count += 1
            elif byte == b"}" or byte == b"]":
                if inner < 0:
                    raise ValueError("not compact JSON")
                outer = self._end[inner]
                self._end[inner] = at + 1
                self._after[inner] = self._count
                inner = outer
            at += 1
        if inner >= 0:
            raise ValueError("not compact JSON")
        return 0

    cdef int _grow_index(self, Py_ssize_t room) except -1:
        cdef int *end = <int *> realloc(self._end, room * sizeof(int))
        if end == NULL:
            raise MemoryError
        self._end = end
        cdef int *after = <int *> realloc(self._after, room * sizeof(int))
        if after == NULL:
            raise MemoryError
        self._after = after
        return 0

    cdef Py_ssize_t _string_end(self, Py_ssize_t at) noexcept:
        """Return where the string ends that begins at *at*."""
        cdef const unsigned char *text = self._text
        cdef Py_ssize_t near = min(self._size, at + NEAR_BYTES)
        at += 1
        while at < near:
            if text[at] == b'"':
                return at + 1
            at += 2 if text[at] == b"\\" else 1
        return self._far_end(at)

    cdef Py_ssize_t _far_end(self, Py_ssize_t at) noexcept:
        """Return where a long string ends, of which *at* is no escaped character."""
        cdef const unsigned char *text = self._text
        cdef const unsigned char *escape
        cdef const unsigned char *quote = NULL
        while at < self._size:
            # Each is looked for once, so that the time is linear.
            if quote == NULL or quote < text + at:
                quote = <const unsigned char *> memchr(
                    text + at, b'"', self._size - at
                )
                if quote == NULL:
                    return self._size
            escape = <const unsigned char *> memchr(
                text + at, b"\\", quote - (text + at)
            )
            if escape == NULL:
                return quote - text + 1
            at = escape - text + 2
        return self._size

    cdef Py_ssize_t _scalar_end(self, Py_ssize_t at) noexcept:
        if self._text[at] == b'"':
            return self._string_end(at)
        while at < self._size and self._text[at] not in b",]}":
            at += 1
        return at

    cdef bytes _piece(self, Py_ssize_t start, Py_ssize_t end):
        return (<const char *> self._text)[start:end]

    # What goes out.

    cdef int _put(self, const void *data, Py_ssize_t size) except -1:
        cdef unsigned char *out
        cdef Py_ssize_t room
        if size > self._out_room - self._out_size:
            room = 2 * self._out_room + size + self._size
            out = <unsigned char *> realloc(self._out, room)
            if out == NULL:
                raise MemoryError
            self._out, self._out_room = out, room
        memcpy(self._out + self._out_size, data, size)
        self._out_size += size
        return 0

    cdef int _copy(self, Py_ssize_t end) except -1:
        self._put(self._text + self._copied, end - self._copied)
        self._copied = end
        return 0

    cdef int _replace(self, Py_ssize_t start, Py_ssize_t end, bytes text) except -1:
        self._copy(start)
        self._put(PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))
        self._copied = end
        return 0

    # The parts of a body.

    cdef bint _is_at(self, Py_ssize_t start, Py_ssize_t end, bytes text) noexcept:
        return end - start == PyBytes_GET_SIZE(text) and (
            memcmp(self._text + start, PyBytes_AS_STRING(text), end - start) == 0
        )

    cdef bint _is_secret_name(self, Py_ssize_t start, Py_ssize_t end) except -1:
        if not has_sign_in(self._text + start, end - start):
            return False
        cdef bytes name = self._piece(start, end)
        known = self._names.get(name)
        if known is None:
            known = self._door.is_secret_key(name)
            self._names[name] = known
        return known

    cdef Py_ssize_t _value(
        self, Py_ssize_t at, bytes name, bint is_secret, int depth
    ) except -1:
        """Redact a value of the member *name*; return where it ends."""
        cdef Py_ssize_t end
        cdef bytes text
        cdef unsigned char byte = self._text[at]
        if byte == b"{" or byte == b"[":
            if depth > DEPTH_MAX:
                return self._deep(at)
            if byte == b"{":
                return self._object(at, depth)
            return self._array(at, name, is_secret, depth)
        end = self._scalar_end(at)
        if is_secret:
            self._mask(at, end)
        elif byte == b'"' and has_sign_in(self._text + at, end - at):
            text = self._piece(at, end)
            if text in self._harmless:
                return end
            changed = self._door.changed_string(text, name, depth)
            if changed is not None:
                self._replace(at, end, changed)
            elif end - at <= REPEATED_MAX and text[1:2] not in b'{["':
                self._harmless.add(text)
        return end

    cdef Py_ssize_t _deep(self, Py_ssize_t at) except -1:
        cdef Py_ssize_t index = self._next
        cdef Py_ssize_t end = self._end[index]
        self._next = self._after[index]
        if has_sign_in(self._text + at, end - at):
            self._replace(at, end, self._door.whole(self._piece(at, end)))
        return end

    cdef int _mask(self, Py_ssize_t start, Py_ssize_t end) except -1:
        """Mask a string or a number."""
        cdef Py_ssize_t size = end - start
        cdef Py_ssize_t key_size = PyBytes_GET_SIZE(MASKED_BY_KEY)
        if self._text[start] in b"tfn" or self._is_at(start, end, b'""'):
            return 0
        if self._is_at(start, end, MASK):
            return 0
        if self._has_key or (
            size > key_size
            and self._is_at(start, start + key_size, MASKED_BY_KEY)
        ):
            self._replace(start, end, self._door.mask_text(self._piece(start, end)))
            return 0
        if len(self.secrets) <= SECRETS_MAX:
            self.secrets.add(self._piece(start, end))
        self._replace(start, end, MASK)
        return 0

    cdef Py_ssize_t _all(self, Py_ssize_t at, int depth) except -1:
        """Mask every string and number in a value; return where it ends."""
        cdef unsigned char byte = self._text[at]
        cdef Py_ssize_t end
        cdef Py_ssize_t index
        if byte != b"{" and byte != b"[":
            end = self._scalar_end(at)
            self._mask(at, end)
            return end
        index = self._next
        end = self._end[index]
        if depth > DEPTH_MAX:
            self._next = self._after[index]
            self._replace(at, end, self._door.whole(self._piece(at, end)))
            return end
        self._next = index + 1
        at += 1
        while at < end - 1:
            if byte == b"{":
                at = self._string_end(at) + 1
            at = self._all(at, depth + 1)
            at += self._text[at] == b","
        return end

    cdef Py_ssize_t _by_door(
        self, Py_ssize_t at, Py_ssize_t index, bytes name, int depth
    ) except -1:
        """Have the door redact a container; return where it ends."""
        cdef Py_ssize_t end = self._end[index]
        cdef bytes text = self._piece(at, end)
        changed = self._door.changed_container(text, name, depth)
        if changed != text:
            self._replace(at, end, changed)
        self._next = self._after[index]
        return end

    cdef Py_ssize_t _object(self, Py_ssize_t at, int depth) except -1:
        cdef Py_ssize_t index = self._next
        cdef Py_ssize_t end = self._end[index]
        cdef Py_ssize_t key
        cdef Py_ssize_t key_end
        cdef bint is_pair = False
        cdef bint is_secret
        cdef bytes name
        if self._needs_door(at, index, &is_pair):
            return self._by_door(at, index, None, depth)
        self._next = index + 1
        at += 1
        while at < end - 1:
            key = at
            key_end = self._string_end(at)
            at = key_end + 1
            name = None
            is_secret = False
            if has_sign_in(self._text + key, key_end - key):
                name = self._piece(key, key_end)
                is_secret = self._is_secret_name(key, key_end)
                self._scrub_key(key, key_end, name)
            if is_pair and (
                self._is_at(key, key_end, b'"value"')
                or self._is_at(key, key_end, b'"values"')
                or self._is_at(key, key_end, b'"Value"')
            ):
                at = self._all(at, depth + 1)
            else:
                if name is None and self._text[at] == b'"':
                    # An annotation may hold an object with a scope of its own.
                    name = self._piece(key, key_end) if key_end - key > 20 else None
                at = self._value(at, name, is_secret, depth + 1)
            at += self._text[at] == b","
        return end

    cdef int _scrub_key(
        self, Py_ssize_t start, Py_ssize_t end, bytes name
    ) except -1:
        cdef Py_ssize_t at
        cdef unsigned char byte
        if end - start <= PLAIN_NAME_MAX:
            for at in range(start + 1, end - 1):
                byte = self._text[at]
                if not (
                    b"a" <= (byte | 32) <= b"z" or b"0" <= byte <= b"9" or byte in b"_-"
                ):
                    break
            else:
                return 0
        changed = self._door.changed_key(name)
        if changed is not None:
            self._replace(start, end, changed)
        return 0

    cdef bint _needs_door(
        self, Py_ssize_t at, Py_ssize_t index, bint *is_pair
    ) except -1:
        """Tell whether an object is of a kind with rules, or spelled oddly.

        Also whether it is a pair of a secret name and a value.
        """
        cdef Py_ssize_t end = self._end[index]
        cdef Py_ssize_t key
        cdef Py_ssize_t key_end
        cdef Py_ssize_t value_end
        index += 1
        at += 1
        while at < end - 1:
            key = at
            key_end = self._string_end(at)
            at = key_end + 1
            if memchr(self._text + key, b"\\", key_end - key) != NULL:
                return True
            if self._text[at] == b"{" or self._text[at] == b"[":
                at = self._end[index]
                index = self._after[index]
            else:
                value_end = self._scalar_end(at)
                if self._text[at] == b'"':
                    if self._is_at(key, key_end, b'"kind"'):
                        if self._is_kind_with_rules(at, value_end):
                            return True
                    elif self._has_pairs and (
                        self._is_at(key, key_end, b'"name"')
                        or self._is_at(key, key_end, b'"key"')
                        or self._is_at(key, key_end, b'"header"')
                        or self._is_at(key, key_end, b'"Name"')
                        or self._is_at(key, key_end, b'"Key"')
                        or self._is_at(key, key_end, b'"field"')
                    ):
                        if self._is_secret_name(at, value_end):
                            is_pair[0] = True
                at = value_end
            at += self._text[at] == b","
        return False

    cdef bint _is_kind_with_rules(self, Py_ssize_t start, Py_ssize_t end) except -1:
        if memchr(self._text + start, b"\\", end - start) != NULL:
            return True
        if self._piece(start, end) in self._kinds:
            return True
        if end - start < 6 or memcmp(self._text + end - 5, b"List", 4) != 0:
            return False
        return self._piece(start, end - 5) + b'"' in self._kinds

    cdef Py_ssize_t _array(
        self, Py_ssize_t at, bytes name, bint is_secret, int depth
    ) except -1:
        cdef Py_ssize_t index = self._next
        cdef Py_ssize_t end = self._end[index]
        if self._is_odd_array(at, index):
            return self._by_door(at, index, name, depth)
        self._next = index + 1
        at += 1
        while at < end - 1:
            if self._text[at] == b"{" or self._text[at] == b"[":
                at = self._value(at, None, False, depth + 1)
            else:
                at = self._value(at, None, is_secret, depth + 1)
            at += self._text[at] == b","
        return end

    cdef bint _is_odd_array(self, Py_ssize_t at, Py_ssize_t index) noexcept:
        """Tell whether an array is a command line, or may be a patch."""
        cdef Py_ssize_t end = self._end[index]
        at += 1
        index += 1
        if self._text[at] == b"{" and self._has_operation(at, index):
            return True
        while at < end - 1:
            if self._text[at] == b'"' and self._text[at + 1] in b"-\\":
                return True
            if self._text[at] == b"{" or self._text[at] == b"[":
                at = self._end[index]
                index = self._after[index]
            else:
                at = self._scalar_end(at)
            at += self._text[at] == b","
        return False

    cdef bint _has_operation(self, Py_ssize_t at, Py_ssize_t index) noexcept:
        cdef Py_ssize_t end = self._end[index]
        cdef Py_ssize_t key
        index += 1
        at += 1
        while at < end - 1:
            key = at
            at = self._string_end(at)
            if self._is_at(key, at, b'"op"'):
                return True
            if memchr(self._text + key, b"\\", at - key) != NULL:
                return True
            at += 1
            if self._text[at] == b"{" or self._text[at] == b"[":
                at = self._end[index]
                index = self._after[index]
            else:
                at = self._scalar_end(at)
            at += self._text[at] == b","
        return False
