"""Texts that request after request has: one object for all of them.

It isn't made and thrown away each time, and its hash is known.
"""

from .._native.ascii cimport ascii_text

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>

    #define SHARED_SLOT_BITS 9
    #define SHARED_MAX_BYTES 32
    #define KNUTH_MULTIPLIER 0x9E3779B97F4A7C15u /* 2^64 through the golden ratio */

    struct shared_key {
        uint64_t first;
        uint64_t second;
        uint64_t third;
        uint64_t fourth;
    };

    /* The bytes of a text of 1 to 32, with zeros behind it. */
    static inline struct shared_key
    shared_key_of(const char *text, size_t size)
    {
        struct shared_key key = {0, 0, 0, 0};

        memcpy(&key, text, size);
        return key;
    }

    static inline int
    shared_key_equals(const struct shared_key *key, const struct shared_key *other)
    {
        return ((key->first ^ other->first) | (key->second ^ other->second) |
                (key->third ^ other->third) | (key->fourth ^ other->fourth)) == 0;
    }

    static inline size_t
    shared_slot_of(const struct shared_key *key)
    {
        uint64_t mixed = key->first ^ key->second * 3 ^ key->third * 5 ^
                         key->fourth * 7;

        return (size_t)(mixed * KNUTH_MULTIPLIER >> (64 - SHARED_SLOT_BITS));
    }
    """
    enum:
        SHARED_SLOT_BITS
        SHARED_MAX_BYTES

    struct shared_key:
        pass

    shared_key shared_key_of(const char *text, size_t size) noexcept
    bint shared_key_equals(const shared_key *key, const shared_key *other) noexcept
    size_t shared_slot_of(const shared_key *key) noexcept


# What came last of those that have a slot in common; guarded by the GIL. No text that
# is looked for has a zero in it, so that its bytes tell its size, too.
cdef shared_key keys[1 << SHARED_SLOT_BITS]
cdef list texts = [None] * (1 << SHARED_SLOT_BITS)


cdef str shared_text(const char *data, Py_ssize_t size):
    """Return bytes of ASCII, none of them zero, as a text."""
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
