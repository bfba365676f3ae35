"""Many texts looked for at once, each replaced by what stands for it.

`echoes` is the door to it. Texts are found by their first eight bytes; how often a
closer look is taken has a bound, since both the texts and what they are looked for in
come from clients. Who reaches it is told, and must mask all.
"""

cimport cython
import os

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memchr, memcmp, memcpy

cdef enum:
    START_BYTES = 8
    # A comparison is one step and one more for each 16 bytes; a find costs some.
    BYTES_A_STEP = 16
    STEPS_A_FIND = 8
    STEPS_AN_ODD_STRING = 128
    NOBODY = -1

# Of this process alone, so that nobody can choose texts that fall together.
cdef uint64_t SPREAD = int.from_bytes(os.urandom(8), "little") | 1

STEPS_MAX = 500_000


cdef struct Echo:
    const unsigned char *text
    Py_ssize_t size
    int next  # another that begins alike and isn't longer


@cython.final
cdef class EchoTable:
    """What to look for. Thread-safety: may be used by several threads."""

    cdef Echo *_echoes
    cdef int *_slots
    cdef int _shift
    cdef Py_ssize_t _mask
    cdef list _texts
    cdef list _shown

    def __cinit__(self):
        self._echoes = NULL
        self._slots = NULL

    def __init__(self, dict shown not None):
        """Take what is shown for each text; a text has eight bytes or more."""
        # Shortest first: each is put before those that begin alike.
        self._texts = sorted(shown, key=len)
        self._shown = [shown[text] for text in self._texts]
        cdef Py_ssize_t count = len(self._texts)
        cdef int bits = 4
        while (1 << bits) < 4 * count:
            bits += 1
        self._shift = 64 - bits
        self._mask = (1 << bits) - 1
        self._echoes = <Echo *> malloc((count + 1) * sizeof(Echo))
        self._slots = <int *> malloc((1 << bits) * sizeof(int))
        if self._echoes == NULL or self._slots == NULL:
            raise MemoryError
        cdef Py_ssize_t i
        for i in range(1 << bits):
            self._slots[i] = NOBODY
        for i in range(count):
            self._put(i, self._texts[i])

    def __dealloc__(self):
        free(self._echoes)
        free(self._slots)

    cdef int _put(self, int index, bytes text) except -1:
        cdef Echo *echo = &self._echoes[index]
        echo.text = <const unsigned char *> PyBytes_AS_STRING(text)
        echo.size = PyBytes_GET_SIZE(text)
        if echo.size < START_BYTES:
            raise ValueError("shorter than eight bytes")
        cdef Py_ssize_t slot = self._slot_of(echo.text)
        echo.next = self._slots[slot]
        self._slots[slot] = index
        return 0

    cdef inline Py_ssize_t _slot_of(self, const unsigned char *at) noexcept:
        """Return where those are that begin as *at*, or where they would be."""
        cdef uint64_t start
        memcpy(&start, at, START_BYTES)
        cdef Py_ssize_t slot = <Py_ssize_t> ((start * SPREAD) >> self._shift)
        while (
            self._slots[slot] != NOBODY
            and memcmp(self._echoes[self._slots[slot]].text, at, START_BYTES) != 0
        ):
            slot = (slot + 1) & self._mask
        return slot

    cdef int _find(
        self, const unsigned char *at, Py_ssize_t size, Py_ssize_t *steps
    ) noexcept:
        """Return the longest that begins here; NOBODY if none does."""
        cdef int index = self._slots[self._slot_of(at)]
        cdef Echo *echo
        while index != NOBODY and steps[0] > 0:
            echo = &self._echoes[index]
            steps[0] -= 1 + echo.size // BYTES_A_STEP
            if echo.size <= size and memcmp(echo.text, at, echo.size) == 0:
                return index
            index = echo.next
        return NOBODY

    cdef Py_ssize_t _replace(
        self,
        const unsigned char *text,
        Py_ssize_t start,
        Py_ssize_t end,
        Py_ssize_t copied,
        list parts,
        Py_ssize_t *steps,
    ) except -1:
        """Replace between *start* and *end*; return to where *parts* has it all."""
        cdef Py_ssize_t at = start
        cdef int index
        while end - at >= START_BYTES and steps[0] > 0:
            index = self._find(text + at, end - at, steps)
            if index == NOBODY:
                at += 1
                continue
            parts.append((<const char *> text)[copied:at])
            parts.append(self._shown[index])
            at += self._echoes[index].size
            copied = at
            steps[0] -= STEPS_A_FIND
        return copied

    def replace(self, bytes text not None, Py_ssize_t steps_max=STEPS_MAX):
        """Return *text* with all found replaced; None if that costs too much."""
        cdef const unsigned char *data = <const unsigned char *> PyBytes_AS_STRING(text)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(text)
        cdef Py_ssize_t steps = steps_max
        cdef list parts = []
        cdef Py_ssize_t copied = self._replace(data, 0, size, 0, parts, &steps)
        if steps <= 0:
            return None
        return _joined(parts, text, copied)

    def replace_in_json(
        self, bytes text not None, change, Py_ssize_t steps_max=STEPS_MAX
    ):
        """Do so in each string of a JSON text.

        *change* is called with those strings that are spelled with escapes; it returns
        another or None for the same.
        """
        cdef const unsigned char *data = <const unsigned char *> PyBytes_AS_STRING(text)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(text)
        cdef Py_ssize_t steps = steps_max
        cdef list parts = []
        cdef Py_ssize_t copied = 0
        cdef Py_ssize_t start = 0
        cdef Py_ssize_t end
        cdef bint is_odd
        cdef const void *quote_mark
        while steps > 0:
            quote_mark = memchr(data + start, b'"', size - start)
            if quote_mark == NULL:
                return _joined(parts, text, copied)
            start = (<const unsigned char *> quote_mark) - data + 1
            end = start
            is_odd = False
            while end < size and data[end] != b'"':
                if data[end] == b"\\":
                    is_odd = True
                    end += 1
                end += 1
            if end >= size:
                return _joined(parts, text, copied)
            if not is_odd:
                copied = self._replace(data, start, end, copied, parts, &steps)
            elif end - start >= START_BYTES:
                steps -= STEPS_AN_ODD_STRING + (end - start) // BYTES_A_STEP
                changed = change(text[start - 1 : end + 1])
                if changed is not None:
                    parts.append(text[copied : start - 1])
                    parts.append(changed)
                    copied = end + 1
            start = end + 1
        return None


cdef bytes _joined(list parts, bytes text, Py_ssize_t copied):
    if not parts:
        return text
    parts.append(text[copied:])
    return b"".join(parts)
