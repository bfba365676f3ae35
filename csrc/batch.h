/* batch.h - takes records from rings and appends them to the live file, exactly once.
 *
 * One batch: stage the records of any rings, say in the control file's intent which
 * they are and where they go, write them with one call, give the room back to the
 * rings, clear the intent. Whoever dies in between leaves an intent that recover.h
 * completes. A write that stops half way (a full disk) leaves the batch outstanding:
 * batch_write continues it.
 *
 * Ownership:  the struct owns its staging buffer, its intent and its gap events; rings,
 *             file and control are borrowed and must outlive an outstanding batch.
 * Threads:    the leader's only.
 * Errors:     0 or a negative errno.
 */
#ifndef AUDITRING_BATCH_H
#define AUDITRING_BATCH_H

#include "control.h"
#include "gapfile.h"
#include "logfile.h"
#include "ringfile.h"
#include "sys.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    BATCH_SIZE_LIMIT = 1024 * 1024, /* but always one record */
    BATCH_STAGING_SIZE = BATCH_SIZE_LIMIT + 64 * 1024 /* it grows for a larger record */
};

struct batch {
    const struct sys *sys;
    struct control *control;
    struct logfile *file;
    struct control_settings settings; /* as of batch_begin */
    uint8_t *staging; /* what is written, back to back */
    uint64_t staging_size;
    uint64_t size; /* bytes used of it */
    struct iovec rest; /* of an outstanding batch: what is missing in the file */
    struct logfile_parts missing; /* that, as it is appended */
    uint64_t written; /* how much of it is in the file */
    struct gapfile gaps; /* gap events for the file beside the log */
    bool must_sync; /* a slot of durability sync takes part */
    uint64_t file_limit; /* the largest file that this process could write when it
                            began to lead */
    bool is_at_limit; /* it is reached */
    bool may_exceed; /* rotating failed a moment ago: better too large than stuck */
    bool is_outstanding; /* the intent is valid */
    int sync_error; /* of an outstanding batch that could not be synced */
    struct control_intent *intent; /* ours alone; what is said is a copy */
    struct control_intent *part; /* of an outstanding one that is settled */
    struct ring *rings[CONTROL_SLOTS]; /* of the intent's ranges */
    uint64_t ends[CONTROL_SLOTS]; /* of the ranges, in what is staged */
    struct ring_owner leader; /* this process, and the slot that it leads under */
    uint32_t leader_slot;
};

/* A ring to take from. */
struct batch_source {
    struct ring *ring;
    uint32_t slot;
    uint64_t end; /* take no record beyond: the tail as the pass began */
    bool owner_gone;
    bool is_final; /* nobody reserves beyond `end` any more */
};

enum batch_taken {
    BATCH_TOOK_ALL, /* everything up to `end`, or up to the source's quota */
    BATCH_AT_HOLE, /* a reservation of a live owner that is not committed */
    BATCH_FULL, /* write what was staged */
    BATCH_FILE_FULL /* write what was staged; if nothing was, rotate */
};

int batch_open(struct batch *batch, const struct sys *sys, struct control *control,
               struct logfile *file);
void batch_close(struct batch *batch);

/* Starts an empty batch with the settings in force. */
void batch_begin(struct batch *batch);

/* Stages records of one ring; at most `quota` bytes, but always one record. */
enum batch_taken batch_take(struct batch *batch, const struct batch_source *source,
                            uint64_t quota);

/* Whether there is anything to write or to give back. */
bool batch_is_empty(const struct batch *batch);

/* Says the intent, writes, syncs if a slot wants it, publishes, clears. On failure the
 * batch stays outstanding; call it again to continue at the remainder. -ESTALE: the
 * file is not as we left it, recovery has to look. -EREMOTEIO: the sync failed, and it
 * will not be tried again; the batch has to be settled, keeping nothing. */
int batch_write(struct batch *batch);

#endif
