/* literal.h - whether a line of JSON may hold a null.
 *
 * orjson writes null for NaN and infinities, which are counted (write_json). Hardly any
 * line has one, and looking for it must cost less than the line did: as nothing depends
 * on what was found before, the compiler compares 16 or 32 bytes at a time, where
 * memmem() takes ten times as long.
 */
#ifndef AUDITRING_LITERAL_H
#define AUDITRING_LITERAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* True if "null" stands anywhere in `text`, in a string of it, too. */
static inline bool
literal_has_null(const char *text, size_t size)
{
    uint8_t found = 0;

    for (size_t i = 0; i + 4 <= size; i++) {
        found |= (uint8_t)((text[i] == 'n') & (text[i + 1] == 'u') &
                           (text[i + 2] == 'l') & (text[i + 3] == 'l'));
    }
    return found != 0;
}

#endif
