#include "rotate.h"

#include "clock.h"
#include "testpoint.h"
#include "wait.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

/* Of the forms of a backup: ours, and those that cron and logrotate make. */
static const char *const suffixes[] = {"", ".gz", ".zst", ".lz4", ".bz2", ".xz"};
static const uint64_t names_pause_ns = 1000 * 1000;
enum {
    SUFFIXES = sizeof(suffixes) / sizeof(suffixes[0]),
    COLLISIONS_MAX = 100000,
    NAMES_PATIENCE = 50
};

/* The latest time that a clock counting nanoseconds can tell, in the year 2554. A name
 * that tells a later one is no work of ours, whoever says so: names that go on from
 * there would come to the end of what four digits can tell. */
static const uint64_t time_max_ms = UINT64_MAX / 1000000U;

/* The extension as Go's filepath.Ext sees it: from the last dot. */
static size_t
stem_size(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot != NULL ? (size_t)(dot - name) : strlen(name);
}

void
rotate_backup_name(const char *name, uint64_t real_ms, char out[ROTATE_NAME_SIZE])
{
    char time[CLOCK_NAME_SIZE];
    int stem = (int)stem_size(name);

    clock_name(real_ms, time);
    snprintf(out, ROTATE_NAME_SIZE, "%.*s-%s%s", stem, name, time, name + stem);
}

static int
is_suffix(const char *text)
{
    for (int i = 0; i < SUFFIXES; i++) {
        if (strcmp(text, suffixes[i]) == 0) {
            return 1;
        }
    }
    return 0;
}

uint64_t
rotate_backup_time(const char *name, const char *candidate)
{
    size_t stem = stem_size(name), extension = strlen(name) - stem;
    uint64_t real_ms;

    if (strlen(candidate) < stem + 1 + (CLOCK_NAME_SIZE - 1) + extension ||
        memcmp(candidate, name, stem) != 0 || candidate[stem] != '-') {
        return 0;
    }
    candidate += stem + 1;
    if (!clock_parse_name(candidate, &real_ms)) {
        return 0;
    }
    candidate += CLOCK_NAME_SIZE - 1;
    if (memcmp(candidate, name + stem, extension) != 0 ||
        !is_suffix(candidate + extension)) {
        return 0;
    }
    return real_ms;
}

struct newest {
    const char *name;
    uint64_t real_ms;
};

static int
note_newest(void *context, const char *candidate)
{
    struct newest *newest = context;
    uint64_t real_ms = rotate_backup_time(newest->name, candidate);

    if (real_ms > newest->real_ms && real_ms <= time_max_ms) {
        newest->real_ms = real_ms;
    }
    return 0;
}

int
rotate_newest(const struct sys *sys, int dir, const char *name, uint64_t *newest_ms)
{
    struct newest newest = {.name = name};
    int error = sys->list(dir, note_newest, &newest);

    if (error == 0) {
        *newest_ms = newest.real_ms;
    }
    return error;
}

/* A plain or compressed file of that name exists. */
static int
is_taken(const struct sys *sys, int dir, const char *backup)
{
    char path[ROTATE_NAME_SIZE + 8];
    struct stat status;

    for (int i = 1; i < SUFFIXES; i++) {
        snprintf(path, sizeof(path), "%s%s", backup, suffixes[i]);
        int error = sys->fstatat(dir, path, &status);
        if (error != -ENOENT) {
            return error < 0 ? error : 1;
        }
    }
    return 0;
}

static int
rotate_by_time(const struct sys *sys, int dir, const char *name, uint64_t *last_ms)
{
    char backup[ROTATE_NAME_SIZE];
    uint64_t real_ms = sys->now_real() / 1000000U;
    int error = -EEXIST;

    if (real_ms <= *last_ms && *last_ms <= time_max_ms) {
        real_ms = *last_ms + 1; /* two in a millisecond, or a clock that went back */
    }
    for (int i = 0; i < COLLISIONS_MAX && error == -EEXIST; i++, real_ms++) {
        rotate_backup_name(name, real_ms, backup);
        int taken = is_taken(sys, dir, backup);
        if (taken <= 0) {
            error = taken < 0 ? taken : sys->rename_noreplace(dir, name, backup);
        }
    }
    if (error == 0) {
        *last_ms = real_ms - 1;
    }
    return error;
}

/* Moves backup `index`, in whatever compression, to `index + 1`. */
static int
shift_one(const struct sys *sys, int dir, const char *name, uint64_t index)
{
    char from[ROTATE_NAME_SIZE], to[ROTATE_NAME_SIZE];
    int error, result = 0;

    for (int i = 0; i < SUFFIXES; i++) {
        snprintf(from, sizeof(from), "%.280s.%" PRIu64 "%s", name, index, suffixes[i]);
        snprintf(to, sizeof(to), "%.280s.%" PRIu64 "%s", name, index + 1, suffixes[i]);
        /* The place was free a moment ago; whoever took it keeps it. */
        error = sys->rename_noreplace(dir, from, to);
        if (error < 0 && error != -ENOENT) {
            result = error;
        }
    }
    return result;
}

static int
index_exists(const struct sys *sys, int dir, const char *name, uint64_t index)
{
    char backup[ROTATE_NAME_SIZE];
    struct stat status;
    int error;

    snprintf(backup, sizeof(backup), "%.280s.%" PRIu64, name, index);
    error = sys->fstatat(dir, backup, &status);
    if (error != -ENOENT) {
        return error < 0 ? error : 1;
    }
    return is_taken(sys, dir, backup);
}

static int
remove_index(const struct sys *sys, int dir, const char *name, uint64_t index)
{
    char backup[ROTATE_NAME_SIZE];
    int error, result = 0;

    for (int i = 0; i < SUFFIXES; i++) {
        snprintf(backup, sizeof(backup), "%.280s.%" PRIu64 "%s", name, index,
                 suffixes[i]);
        error = sys->unlinkat(dir, backup);
        if (error < 0 && error != -ENOENT) {
            result = error;
        }
    }
    return result;
}

/* A name that can't be looked at is not free: a rename would replace what has it. */
static int
first_free_index(const struct sys *sys, int dir, const char *name, uint64_t limit,
                 uint64_t *index)
{
    int exists = 1;

    for (*index = 1; *index <= limit; ++*index) {
        exists = index_exists(sys, dir, name, *index);
        if (exists <= 0) {
            return exists;
        }
    }
    return 0;
}

/* Shifts .1 … up to the first free number only: when a crash left the shift half done,
 * the hole takes what moves and no backup is pushed out for it. */
static int
shift(const struct sys *sys, int dir, const char *name, uint64_t max_backups)
{
    uint64_t index;
    int error = first_free_index(sys, dir, name, max_backups, &index);

    if (error == 0 && index > max_backups) {
        error = remove_index(sys, dir, name, max_backups);
        index = max_backups;
    }
    while (error == 0 && --index >= 1) {
        error = shift_one(sys, dir, name, index);
        TEST_POINT(rotate_shifted);
    }
    return error;
}

static int
rename_to_index(const struct sys *sys, int dir, const char *name, uint64_t max_backups)
{
    char backup[ROTATE_NAME_SIZE];
    uint64_t index = 1;

    if (max_backups > 0) {
        int error = shift(sys, dir, name, max_backups);
        if (error < 0) {
            return error;
        }
    } else {
        int error = first_free_index(sys, dir, name, COLLISIONS_MAX, &index);
        if (error < 0) {
            return error;
        }
    }
    snprintf(backup, sizeof(backup), "%.280s.%" PRIu64, name, index);
    return sys->rename_noreplace(dir, name, backup);
}

static int
is_follower(void *context, const char *name)
{
    bool *found = context;

    *found = name[0] != '.';
    return *found;
}

/* A follower is registered, or may be. It keeps its cursor in a file of that directory
 * (followers.py). */
static bool
has_followers(const struct sys *sys, int state_dir)
{
    bool found = false;
    int error, dir = sys->openat(state_dir, "followers",
                                 O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);

    if (dir < 0) {
        return dir != -ENOENT;
    }
    error = sys->list(dir, is_follower, &found);
    sys->close(dir);
    return found || error < 0;
}

/* The mill renames numbered backups too, when it has compressed one, and is through in
 * a moment. A stopped mill must not stop the log, so this does not wait for long. */
static int
lock_names(const struct sys *sys, int names)
{
    _Atomic uint32_t never = 0;
    int error = sys->flock(names, LOCK_EX | LOCK_NB);

    for (int i = 0; i < NAMES_PATIENCE && error == -EWOULDBLOCK; i++) {
        wait_word(sys, &never, 0, names_pause_ns);
        error = sys->flock(names, LOCK_EX | LOCK_NB);
    }
    return error;
}

static int
rotate_by_index(const struct sys *sys, int dir, int state_dir, const char *name,
                uint64_t max_backups)
{
    int error, names;

    if (max_backups > 0 && has_followers(sys, state_dir)) {
        /* Nothing is pushed out: the mill removes what is too much, once it was read.
         */
        max_backups = COLLISIONS_MAX;
    }
    names = sys->openat(state_dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (names < 0) {
        return names;
    }
    error = lock_names(sys, names);
    if (error == 0) {
        error = rename_to_index(sys, dir, name, max_backups);
        sys->flock(names, LOCK_UN);
    }
    sys->close(names);
    return error;
}

static int
rename_live(struct logfile *file, struct control *control, int state_dir, bool forced)
{
    struct control_settings settings;

    control_load_settings(control, &settings);
    if (settings.dialect == DIALECT_STDLIB) {
        if (settings.max_backups == 0 && !forced) {
            return -ENOTSUP;
        }
        return rotate_by_index(file->sys, file->dir, state_dir, file->name,
                               settings.max_backups);
    }
    return rotate_by_time(file->sys, file->dir, file->name,
                          &control->shared->last_backup_ms);
}

int
rotate_away(struct logfile *file, struct control *control, int state_dir, bool forced)
{
    uint64_t inode = control->shared->live_inode;
    int error;

    TEST_POINT(rotate_start);
    /* Before the rename: a leader that finds the old inode under no name would take it
     * for removed, and the mill may well have replaced it by then. */
    control->shared->live_inode = 0;
    error = rename_live(file, control, state_dir, forced);
    TEST_POINT(rotate_renamed);
    if (error < 0) {
        control->shared->live_inode = inode;
        if (error != -ENOTSUP) {
            control_add(control, COUNTER_rotate_errors, 1);
        }
        return error;
    }
    atomic_store_explicit(&control->shared->unsynced_rotation, 1, memory_order_relaxed);
    control_add(control, COUNTER_rotations, 1);
    return 0;
}

int
rotate_discard(struct logfile *file, struct control *control, int state_dir)
{
    uint64_t inode = control->shared->live_inode;
    struct logfile_look look;
    int error = logfile_look(file, &look);

    if (error < 0 || look.change == LOGFILE_MOVED || look.change == LOGFILE_UNLINKED) {
        return error;
    }
    if (look.change != LOGFILE_SAME) {
        return rotate_away(file, control, state_dir, true);
    }
    control->shared->live_inode = 0; /* as in rotate_away */
    error = file->sys->unlinkat(file->dir, file->name);
    if (error < 0) {
        control->shared->live_inode = inode;
        control_add(control, COUNTER_rotate_errors, 1);
    }
    return error;
}

int
rotate_reopen(struct logfile *file, struct control *control)
{
    struct control_settings settings;
    struct stat before;
    bool is_known = file->fd >= 0 && file->sys->fstat(file->fd, &before) == 0;
    int error;

    control_load_settings(control, &settings);
    logfile_close(file);
    error = logfile_create(file, is_known ? &before : NULL, settings.mode,
                           (gid_t)settings.gid);
    TEST_POINT(rotate_created);
    if (error == -EEXIST) {
        error = logfile_open(file, settings.mode, (gid_t)settings.gid);
    }
    if (error == 0) {
        control->shared->live_lines = 0;
        control->shared->live_since_ns = file->since_ns;
        control->shared->live_device = file->device;
        control->shared->live_size = file->size;
        control->shared->live_inode = file->inode;
    }
    TEST_POINT(rotate_done);
    wait_wake(control->sys, &control->shared->rotation_word);
    return error;
}
