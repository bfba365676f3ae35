/* literal.h - whether a line of JSON may hold a null.
 *
 * orjson writes null for NaN and infinities, which are counted (write_json). Hardly any
 * line has one, and looking for it must cost less than the line did.
 *
 * Threads:  any.
 */
#ifndef AUDITRING_LITERAL_H
#define AUDITRING_LITERAL_H

#include <stdbool.h>
#include <stddef.h>

/* True if "null" stands anywhere in `text`, in a string of it, too. */
bool literal_has_null(const char *text, size_t size);

#endif
