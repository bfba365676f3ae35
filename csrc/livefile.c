#include "livefile.h"

#include "appending.h"
#include "departed.h"
#include "durability.h"
#include "generation.h"
#include "keptfile.h"
#include "rotate.h"
#include "trouble.h"
#include "yielding.h"

#include <errno.h>

static const uint64_t rotate_pause_ns = 1000U * 1000 * 1000;
static const uint64_t busy_pause_ns = 25U * 1000 * 1000;
/* Somebody else's unfinished line is left to him for so long since it last grew, and
 * for so long in all: then ours have waited enough. */
static const uint64_t unfinished_pause_ns = 50U * 1000 * 1000,
                      unfinished_limit_ns = 1000U * 1000 * 1000,
                      unfinished_poll_ns = 2U * 1000 * 1000;

/* Without its directories a process can't get on for the reason that it has none: one
 * that others may not have. */
static int
find_reason(const struct writer *writer, int error)
{
    return error == -EBADF && writer->state_dir < 0 && writer->wake_error < 0
               ? writer->wake_error
               : error;
}

int
livefile_open(struct writer *writer)
{
    struct control_settings settings;
    int error;

    control_load_settings(&writer->control, &settings);
    error = logfile_open(&writer->file, settings.mode, (gid_t)settings.gid);
    if (error < 0) {
        error = keptfile_take(writer, error);
    }
    if ((error == -ENOENT || (error == -EBADF && writer->dir < 0)) &&
        generation_follow_path(writer) == 0) {
        error = logfile_open(&writer->file, settings.mode, (gid_t)settings.gid);
    }
    return find_reason(writer, error);
}

static int
open_by_name(struct writer *writer)
{
    struct control_shared *shared = writer->control.shared;
    int error = livefile_open(writer);

    if (error < 0) {
        return error;
    }
    if (shared->live_inode != writer->file.inode ||
        shared->live_device != writer->file.device) {
        shared->live_lines = 0;
        shared->live_since_ns = writer->file.since_ns;
    }
    shared->live_device = writer->file.device;
    shared->live_size = writer->file.size;
    shared->live_inode = writer->file.inode;
    writer->synced_size = 0; /* nobody knows what an earlier leader synced */
    writer->rotation_failures = 0; /* whatever kept the file before from going */
    return 0;
}

static void
note_moved(struct writer *writer)
{
    control_add(&writer->control, COUNTER_live_file_moved, 1);
    atomic_store_explicit(&writer->control.shared->unsynced_rotation, 1,
                          memory_order_relaxed);
}

static void
note_cut(struct writer *writer, uint64_t size_now)
{
    struct control_shared *shared = writer->control.shared;

    control_add_loss(&writer->control, GAP_CUT, size_now == 0 ? shared->live_lines : 1,
                     writer->file.size - size_now);
    control_add(&writer->control, COUNTER_live_file_cut, 1);
    writer->file.size = size_now;
    writer->synced_size = 0;
    shared->live_size = size_now;
    shared->live_lines = 0;
}

static void
note_grown(struct writer *writer, uint64_t size_now)
{
    control_add(&writer->control, COUNTER_foreign_bytes, size_now - writer->file.size);
    writer->file.size = size_now;
    writer->control.shared->live_size = size_now;
}

/* A large write shows in the file's size before it is whole. */
static int
await_last_line(struct writer *writer)
{
    const struct sys *sys = writer->sys;
    uint64_t begin = sys->now_mono(), grown = begin, now = begin;
    _Atomic uint32_t never = 0;
    struct logfile_look look;
    int unfinished;

    while ((unfinished = logfile_is_unfinished(&writer->file)) > 0 &&
           now - grown < unfinished_pause_ns && now - begin < unfinished_limit_ns) {
        int error;

        wait_word(sys, &never, 0, unfinished_poll_ns);
        now = sys->now_mono();
        error = logfile_look(&writer->file, &look);
        if (error < 0 || (look.change != LOGFILE_SAME && look.change != LOGFILE_GREW)) {
            return error; /* the next look tells what it is now */
        }
        if (look.change == LOGFILE_GREW) {
            note_grown(writer, look.size_now);
            grown = now;
        }
    }
    return unfinished < 0 ? unfinished : 0;
}

static int
complete_last_line(struct writer *writer)
{
    int error = await_last_line(writer);
    int result = error < 0 ? error : logfile_complete_last_line(&writer->file);

    if (result > 0) {
        control_add(&writer->control, COUNTER_foreign_lines_completed, 1);
        writer->control.shared->live_size = writer->file.size;
    }
    return result < 0 ? result : 0;
}

static int
react(struct writer *writer, const struct logfile_look *look)
{
    switch (look->change) {
    case LOGFILE_SAME:
        return 0;
    case LOGFILE_GREW:
        note_grown(writer, look->size_now);
        return complete_last_line(writer);
    case LOGFILE_CUT:
        note_cut(writer, look->size_now);
        return complete_last_line(writer);
    case LOGFILE_MOVED:
        note_moved(writer);
        durability_begin_file(writer);
        logfile_close(&writer->file);
        return 0;
    case LOGFILE_UNLINKED:
        durability_begin_file(writer);
        departed_begin(writer);
        /* It is counted: not once more by whoever leads after a failure to open. */
        writer->control.shared->live_inode = 0;
        return 0;
    case LOGFILE_LOST:
        /* The number was closed and may show somebody else's file: left alone. */
        writer->file.fd = -1;
        return 0;
    }
    return 0;
}

int
livefile_prepare(struct writer *writer)
{
    struct logfile_look look;
    int error;

    if (writer->file.is_stream) {
        return 0;
    }
    if (writer->file.fd >= 0) {
        appending_begin(&writer->file);
        error = logfile_look(&writer->file, &look);
        if (error == 0) {
            error = react(writer, &look);
        }
        if (error < 0 || writer->file.fd >= 0) {
            return error;
        }
    }
    error = open_by_name(writer);
    if (error < 0) {
        return error;
    }
    appending_begin(&writer->file);
    return complete_last_line(writer);
}

int
livefile_reopen(struct writer *writer)
{
    if (writer->file.is_stream) {
        return 0;
    }
    atomic_store_explicit(&writer->control.shared->unsynced_rotation, 1,
                          memory_order_relaxed);
    logfile_close(&writer->file);
    return livefile_prepare(writer);
}

int
livefile_renew(struct writer *writer)
{
    durability_begin_file(writer);
    return rotate_reopen(&writer->file, &writer->control);
}

static int
rotate(struct writer *writer, bool forced)
{
    int error = writer->file.fd < 0 ? livefile_prepare(writer) : 0;
    bool must_sync;

    if (writer->file.is_stream || error < 0) {
        return error;
    }
    appending_begin(
        &writer->file); /* nobody writes a line to what isn't live any more */
    must_sync = durability_leave_file(writer);
    error = rotate_away(&writer->file, &writer->control, writer->state_dir, forced);
    if (error == -ENOENT) {
        error = 0; /* somebody else took the name away first */
    }
    if (error == 0) {
        error = livefile_renew(writer);
    }
    if (error == 0 && must_sync) {
        error = writer->sys->fsync(writer->dir); /* the names */
    }
    return find_reason(writer, error);
}

/* Whoever holds the names of the backups is through in a moment. If not, because it is
 * stopped, each try is a wait that holds up the log: so they become fewer. */
static uint64_t
pause_after(struct writer *writer, int error)
{
    uint64_t pause_ns = busy_pause_ns << writer->busy_rotations;

    if (error != -EWOULDBLOCK || pause_ns >= rotate_pause_ns) {
        return rotate_pause_ns;
    }
    writer->busy_rotations++;
    return pause_ns;
}

int
livefile_rotate(struct writer *writer, bool forced)
{
    int error = rotate(writer, forced);

    if (error >= 0) {
        writer->busy_rotations = 0;
        trouble_note_rotation(writer, 0);
    } else if (error != -ENOTSUP) {
        trouble_note_rotation(writer, error);
        yielding_note(writer, error);
        writer->next_rotate_ns = writer->sys->now_mono() + pause_after(writer, error);
    }
    return error;
}
