"""Sixteen octets at once, as the vector extensions of GCC and Clang have them."""

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>

    #define BLOCK_SIZE 16
    #define EACH_BYTE(byte) (0x0101010101010101u * (uint64_t)(byte))
    #define EACH_LANE(byte) ((block){EACH_BYTE(byte), EACH_BYTE(byte)})

    typedef uint64_t block __attribute__((vector_size(BLOCK_SIZE)));
    typedef unsigned char block_lanes __attribute__((vector_size(BLOCK_SIZE)));
    typedef signed char signed_lanes __attribute__((vector_size(BLOCK_SIZE)));

    static inline block
    block_at(const char *text)
    {
        block found;

        memcpy(&found, text, BLOCK_SIZE);
        return found;
    }

    /* What these return has all bits of an octet set, or none of them. */

    static inline block
    lanes_equal(block words, block wanted)
    {
        return (block)((block_lanes)words == (block_lanes)wanted);
    }

    /* An octet that isn't ASCII is less than any other. */
    static inline block
    lanes_less(block words, block limit)
    {
        return (block)((signed_lanes)words < (signed_lanes)limit);
    }

    static inline int
    block_is_empty(block found)
    {
        return (found[0] | found[1]) == 0;
    }

    /* Marks the octets that are of a kind. */
    typedef block (*block_kind)(block octets);
    """
    enum:
        BLOCK_SIZE

    ctypedef struct block:
        pass

    ctypedef block (*block_kind)(block octets) noexcept
