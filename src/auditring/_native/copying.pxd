"""Copy a text, and tell whether an octet of a kind is in it, many octets at once."""

from .block cimport block, block_kind

cdef extern from *:
    """
    #define PAGE_MIN_BYTES 4096

    __attribute__((always_inline)) static inline int
    copy_blocks_unless(block_kind kind, char *to, const char *from, size_t size)
    {
        block bytes;
        block found = {0, 0};
        size_t at;

        for (at = 0; at + BLOCK_SIZE < size; at += BLOCK_SIZE) {
            bytes = block_at(from + at);
            memcpy(to + at, &bytes, BLOCK_SIZE);
            found |= kind(bytes);
        }
        /* The last ones; some of them may be there by now. */
        bytes = block_at(from + size - BLOCK_SIZE);
        memcpy(to + size - BLOCK_SIZE, &bytes, BLOCK_SIZE);
        found |= kind(bytes);
        return block_is_empty(found);
    }

    __attribute__((cold, noinline, unused)) static block
    padded_at(const char *text, size_t size)
    {
        char padded[BLOCK_SIZE] = {0};

        memcpy(padded, text, size);
        return block_at(padded);
    }

    /* The block that begins with a text of less than one: what is behind the text is
     * anything. A load that doesn't leave the page of the text can't fault.
     */
    static inline block
    short_at(const char *text, size_t size)
    {
    #ifndef __SANITIZE_ADDRESS__
        if (((uintptr_t)text & (PAGE_MIN_BYTES - 1)) <= PAGE_MIN_BYTES - BLOCK_SIZE) {
            return block_at(text);
        }
    #endif
        return padded_at(text, size);
    }

    /* All bits of the first octets. */
    static inline block
    first_lanes(size_t count)
    {
        static const unsigned char window[2 * BLOCK_SIZE] = {
            255, 255, 255, 255, 255, 255, 255, 255,
            255, 255, 255, 255, 255, 255, 255, 255,
        };

        return block_at((const char *)window + BLOCK_SIZE - count);
    }

    /* Copies a text; 0 if an octet of the kind is in it. Up to BLOCK_SIZE octets behind
     * its copy are anything afterwards.
     */
    __attribute__((always_inline)) static inline int
    copy_unless(block_kind kind, char *to, const char *from, size_t size)
    {
        block octets;

        if (size >= BLOCK_SIZE) {
            return copy_blocks_unless(kind, to, from, size);
        }
        octets = short_at(from, size);
        memcpy(to, &octets, BLOCK_SIZE);
        return block_is_empty(kind(octets) & first_lanes(size));
    }
    """
    bint copy_unless(
        block_kind kind, char *to, const char *text, size_t size
    ) noexcept
