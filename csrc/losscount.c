#include "losscount.h"

/* Lines that can be lost between two looks, and their bytes. */
static const uint64_t lines_max = (uint64_t)1 << 40, bytes_max = (uint64_t)1 << 56;

bool
losscount_is_possible(uint64_t count, uint64_t told)
{
    return count >= told && count - told <= lines_max;
}

bool
losscount_has_bytes(uint64_t bytes, uint64_t told)
{
    return bytes >= told && bytes - told <= bytes_max;
}

uint64_t
losscount_base(uint64_t told)
{
    return told <= bytes_max ? told : 0;
}
