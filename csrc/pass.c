/* pass.c - one pass is: recover, once; find the sources; drain; retire; answer; tell.
 */
#include "pass.h"

#include "adoption.h"
#include "appending.h"
#include "departed.h"
#include "drain.h"
#include "durability.h"
#include "generation.h"
#include "heir.h"
#include "intentblock.h"
#include "keptfile.h"
#include "livefile.h"
#include "losses.h"
#include "recover.h"
#include "rotate.h"
#include "sources.h"
#include "stake.h"
#include "testpoint.h"
#include "trouble.h"
#include "yielding.h"

#include <errno.h>

static const uint64_t ms = 1000000U;
static const uint64_t orphans_every_ns = 50 * ms, look_every_ns = 500 * ms;
static const uint64_t adopt_every_ns = 5000 * ms;
static const uint64_t busy_bytes = 128 * 1024;

static bool
is_asked(const struct writer *writer, enum request request, uint64_t *ticket)
{
    const struct control_request *asked = &writer->control.shared->requests[request];

    *ticket = atomic_load_explicit(&asked->requested, memory_order_acquire); /* ask:A */
    return *ticket != atomic_load_explicit(&asked->done, memory_order_relaxed);
}

bool
pass_is_asked_for(const struct writer *writer)
{
    uint64_t ticket;

    for (int request = 0; request < REQUEST_COUNT; request++) {
        if (is_asked(writer, (enum request)request, &ticket)) {
            return true;
        }
    }
    return false;
}

static bool
collect_tickets(struct writer *writer, uint64_t tickets[REQUEST_COUNT])
{
    bool asked = false;

    for (int request = 0; request < REQUEST_COUNT; request++) {
        uint64_t ticket;
        bool is_open = is_asked(writer, (enum request)request, &ticket);

        tickets[request] = is_open ? ticket : 0;
        asked |= is_open;
    }
    return asked;
}

static int
rotate_on_request(struct writer *writer)
{
    int error = generation_is_past(writer) ? -ESTALE : livefile_rotate(writer, false);

    /* Without backups RotatingFileHandler only opens the same file again. */
    return error == -ENOTSUP ? livefile_reopen(writer) : error;
}

static int
answer(struct writer *writer, enum request request)
{
    switch (request) {
    case REQUEST_FLUSH:
        return 0;
    case REQUEST_SYNC:
        return durability_sync(writer);
    case REQUEST_ROTATE:
        return rotate_on_request(writer);
    case REQUEST_REOPEN:
        return livefile_reopen(writer);
    }
    return -EINVAL;
}

/* Answers what was asked before the tails were read. Only a flush and a sync promise
 * that every record was drained. */
static void
serve(struct writer *writer, const uint64_t tickets[REQUEST_COUNT], bool complete)
{
    for (int request = 0; request < REQUEST_COUNT; request++) {
        bool needs_all = request == REQUEST_FLUSH || request == REQUEST_SYNC;

        if (tickets[request] != 0 && (complete || !needs_all)) {
            control_fulfil(&writer->control, (enum request)request, tickets[request],
                           answer(writer, (enum request)request));
        }
    }
}

/* It led before, and what it still has open lost its last name: a new file may have the
 * same number. */
static void
note_departed(struct writer *writer)
{
    struct control_shared *shared = writer->control.shared;
    const struct logfile *file = &writer->file;
    struct stat status;

    if (file->fd >= 0 && shared->live_inode == file->inode &&
        shared->live_device == file->device &&
        writer->sys->fstat(file->fd, &status) == 0 && status.st_nlink == 0 &&
        status.st_ino == file->inode && status.st_dev == file->device) {
        departed_begin(writer);
        shared->live_inode = 0;
    }
}

/* The file that this process led with last, if it kept it, is known by it to be the
 * live file's: it may be the only one that it can open. */
static int
open_anew(struct writer *writer)
{
    if (writer->file.fd < 0) {
        keptfile_restore(writer);
    }
    note_departed(writer);
    appending_end(&writer->file);
    keptfile_keep(writer);
    return livefile_open(writer);
}

/* It may not be the live file any more. */
static int
open_once_more(struct writer *writer, bool is_kept)
{
    appending_end(&writer->file);
    if (is_kept) {
        keptfile_keep(writer);
    }
    logfile_close(&writer->file);
    return livefile_prepare(writer);
}

/* Nobody made backups meanwhile, or nobody can tell: whoever can't list the directory
 * can't rename in it either. */
static int
note_newest(struct writer *writer)
{
    uint64_t newest_ms = 0;
    int error = 0;

    if (!writer->leader.goes_on && writer->dir >= 0) {
        error = rotate_newest(writer->sys, writer->dir, writer->name, &newest_ms);
    }
    if (newest_ms > writer->control.shared->last_backup_ms) {
        writer->control.shared->last_backup_ms = newest_ms;
    }
    return error;
}

/* Who leads with what it kept may not look into its directories: it can do without. */
static int
forgive(const struct writer *writer, int error)
{
    return error == -EACCES && writer->file.is_kept ? 0 : error;
}

static int
recover(struct writer *writer)
{
    int error = open_anew(writer);
    bool is_kept = writer->file.is_kept;

    appending_begin(&writer->file);
    if (error == 0) {
        error = forgive(writer, note_newest(writer));
    }
#if defined(AUDITRING_MUTANT) && AUDITRING_MUTANT == 2
    intentblock_clear_all(&writer->control);
#else
    if (error == 0) {
        if (generation_is_past(writer)) {
            heir_relieve(writer);
        }
        error = recover_intent(&writer->control, &writer->map, &writer->file,
                               writer->state_dir, writer->failures >= DRAIN_PATIENCE);
    }
    if (error == 0) {
        error = forgive(writer, stake_finish(writer));
    }
#endif
    if (error == 0 && writer->file.fd >= 0) {
        error = recover_live_file(&writer->control, &writer->file);
    }
    if (error == 0) {
        error = open_once_more(writer, is_kept);
    } else if (!is_kept) {
        logfile_close(&writer->file);
    }
    if (error < 0) {
        if (error == -EFBIG) {
            writer->failures = DRAIN_PATIENCE;
        }
        trouble_note(writer, error);
        return error;
    }
    keptfile_drop(writer);
    writer->batch.file_limit = writer->sys->file_size_limit();
    sources_finish_inheritance(writer);
    TEST_POINT(lead_recovered);
    trouble_end(writer);
    writer->must_recover = false;
    return 0;
}

/* What follows a pass, also one that a stopped thread kept from completing. Returns
 * whether it made new work. */
static bool
end_pass(struct writer *writer, const uint64_t tickets[REQUEST_COUNT], bool complete,
         uint64_t now)
{
    bool all_retired, is_looking;

    if (complete) {
        yielding_unmark(writer);
    }
    all_retired = sources_retire(writer);
    serve(writer, tickets, complete && !writer->has_unread && !writer->has_more);
    if (!writer->is_private) {
        durability_sync_at_interval(writer, now);
    }
    /* Before the event that tells of it, which should be in a file that is sound. */
    if (writer->wants_rotation && now >= writer->next_rotate_ns) {
        (void)livefile_rotate(writer, true); /* else it still wants it */
    }
    if (all_retired && !writer->has_more && !writer->is_settled) {
        losses_learn_told(writer);
    }
    losses_tell_own_drops(writer);
    is_looking = departed_look(writer, now);
    return (writer->is_settled && losses_tell(writer)) || is_looking;
}

/* Looks at the live file although there is nothing to write: now and then, and after a
 * failure, because nothing else may tell that it is over. */
static int
look_while_idle(struct writer *writer, uint64_t now)
{
    int error;

    if (now < writer->next_look_ns && writer->failures == 0) {
        return 0;
    }
    writer->next_look_ns = now + look_every_ns;
    error = livefile_prepare(writer);
    if (error < 0) {
        trouble_note(writer, error);
    } else if (!drain_has_anything(writer)) {
        trouble_end(writer);
    }
    return error;
}

static uint64_t
remaining(uint64_t until, uint64_t now)
{
    return until > now ? until - now : 1;
}

/* Which rings nobody names, and which nobody owns any more. */
static void
look_for_owners(struct writer *writer, bool asked, uint64_t now)
{
    if (now >= writer->next_adopt_ns) {
        adoption_run(writer);
        writer->next_adopt_ns = writer->has_more ? now : now + adopt_every_ns;
    }
    if (asked || now >= writer->next_orphans_ns) {
        sources_find_orphans(writer);
        writer->next_orphans_ns = writer->has_more ? now : now + orphans_every_ns;
    }
}

uint64_t
pass_run(struct writer *writer, uint64_t now)
{
    uint64_t tickets[REQUEST_COUNT], bytes;
    bool complete, asked, has_told;

    atomic_store_explicit(&writer->control.shared->heartbeat_ns, now,
                          memory_order_relaxed);
    if (now < writer->next_retry_ns) {
        return remaining(writer->next_retry_ns, now);
    }
    if (writer->must_recover && !writer->is_private && recover(writer) < 0) {
        return remaining(writer->next_retry_ns, now);
    }
    if (writer->batch.is_outstanding && !drain_outstanding(writer)) {
        return remaining(writer->next_retry_ns, now);
    }
    writer->has_unread = false;
    writer->has_more = false;
    asked = collect_tickets(writer, tickets);
    if (!writer->is_private) {
        look_for_owners(writer, asked, now);
    }
    sources_find(writer);
    if (look_while_idle(writer, now) < 0) {
        return remaining(writer->next_retry_ns, now);
    }
    bytes = drain_sources(writer, &complete);
    if (!writer->is_private && !writer->leader.leads) {
        return 1; /* stepped down: try again at once */
    }
    if (writer->failures > 0) {
        return remaining(writer->next_retry_ns, now);
    }
    has_told = end_pass(writer, tickets, complete, now);
    if (bytes >= busy_bytes || has_told || writer->has_more) {
        return 0;
    }
    return wait_backoff_next(&writer->backoff, bytes > 0, now);
}
