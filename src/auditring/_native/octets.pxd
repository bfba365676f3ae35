"""Octets of texts, many at once: csrc/octets.h, which says what is read and written."""

cdef extern from "octets.h":
    enum:
        BLOCK_SIZE

    ctypedef struct block:
        pass

    ctypedef block (*block_kind)(block octets) noexcept

    block outside_string(block octets) noexcept
    block outside_json(block octets) noexcept
    bint word_is_outside_string(unsigned long long word) noexcept

    bint octets_are_ascii(const char *text, size_t size) noexcept
    bint octets_are_plain_path(const char *text, size_t size) noexcept
    bint octets_are_plain_query(const char *text, size_t size) noexcept
    bint octets_copy_unless(
        block_kind kind, char *to, const char *text, size_t size
    ) noexcept
