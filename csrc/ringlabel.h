/* ringlabel.h - whose ring a file is, as it says itself.
 *
 * The control file names every ring. Once that is lost, the files speak for themselves:
 * a name (ring_name) proposes, the label in the first page decides.
 *
 * Errors:  0 or a negative errno. -EUCLEAN: the label or the size is damaged;
 *          -EPROTO: the layout is a later one.
 */
#ifndef AUDITRING_RINGLABEL_H
#define AUDITRING_RINGLABEL_H

#include "ringfile.h"

struct ringlabel {
    uint32_t slot; /* both from the name */
    uint64_t nonce;
    struct ring_owner owner; /* all 0: not known */
    char boot_id[40];        /* "": not known */
};

/* Slot and nonce of a ring's name; false: it is no such name. */
bool ringlabel_parse(const char *name, uint32_t *slot, uint64_t *nonce);

/* Reads owner and boot id from the file that slot and nonce name. */
int ringlabel_read(const struct sys *sys, int dir, struct ringlabel *label);

/* Writes a damaged label again, from the file's size and name, where the cursors still
 * agree with each other. -EUCLEAN: they don't. */
int ringlabel_mend(const struct sys *sys, int dir, const struct ringlabel *label);

#endif
