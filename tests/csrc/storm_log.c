#include "storm_log.h"

#include "rotate.h"
#include "sys.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char live_name[] = "audit.log", state_name[] = ".audit.log.ring";

bool
storm_log_open(struct storm_log *log, const char *directory, struct oracle *oracle)
{
    *log = (struct storm_log){.oracle = oracle, .dialect = DIALECT_LUMBERJACK};
    snprintf(log->directory, sizeof(log->directory), "%s", directory);
    snprintf(log->path, sizeof(log->path), "%s/%s", log->directory, live_name);
    if (mkdir(directory, 0700) < 0) {
        return false;
    }
    log->dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return log->dir >= 0;
}

void
storm_log_close(struct storm_log *log)
{
    close(log->dir);
    free(log->text);
}

/* Backups of the stdlib dialect have a number, larger ones are older. */
static unsigned long
number_of(const char *name)
{
    size_t size = sizeof(live_name) - 1;

    return strncmp(name, live_name, size) == 0 && name[size] == '.'
               ? strtoul(name + size + 1, NULL, 10)
               : 0;
}

static int
is_backup(const struct dirent *entry)
{
    return rotate_backup_time(live_name, entry->d_name) != 0 ||
           number_of(entry->d_name) != 0;
}

static int
compare_age(const struct dirent **a, const struct dirent **b)
{
    unsigned long number_a = number_of((*a)->d_name),
                  number_b = number_of((*b)->d_name);

    if (number_a != number_b) {
        return number_a > number_b ? -1 : 1;
    }
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* Reads the file, with a NUL after it. */
static bool
load(struct storm_log *log, const char *name, size_t *size)
{
    int fd = openat(log->dir, name, O_RDONLY | O_CLOEXEC);
    struct stat status;
    ssize_t got = -1;

    if (fd >= 0 && fstat(fd, &status) == 0) {
        if (log->text_size < (size_t)status.st_size + 1) {
            log->text_size = (size_t)status.st_size + 1;
            log->text = realloc(log->text, log->text_size);
        }
        got = read(fd, log->text, (size_t)status.st_size);
    }
    if (fd >= 0) {
        close(fd);
    }
    if (got < 0) {
        return false;
    }
    log->text[got] = '\0';
    *size = (size_t)got;
    return true;
}

static void
judge(struct storm_log *log, const char *name)
{
    const char *newline;
    size_t size;

    if (!load(log, name, &size)) {
        printf("%s: can't be read\n", name);
        log->oracle->findings.torn++;
        return;
    }
    newline = memchr(log->text, '\n', size);
    if (log->max_bytes > 0 && size > log->max_bytes && newline != NULL &&
        newline + 1 < log->text + size) {
        printf("%s: %zu bytes are more than a file may have\n", name, size);
        log->overfull++;
    }
    oracle_judge(log->oracle, name, log->text, size);
    log->files++;
}

static void
judge_and_remove(struct storm_log *log, const char *name)
{
    judge(log, name);
    unlinkat(log->dir, name, 0);
}

static void
free_names(struct dirent **names, int count)
{
    for (int i = 0; i < count; i++) {
        free(names[i]);
    }
    free(names);
}

/* Takes the names of the oldest, but not of the newest, to which whoever recovers may
 * still append. Returns how many it took. */
static unsigned
take_numbered(const struct storm_log *log, unsigned limit, unsigned *left)
{
    struct dirent **names;
    int count = scandir(log->directory, &names, is_backup, compare_age);
    unsigned taken = 0;
    char name[32];

    for (int i = 0; i < count - 1 && taken < limit; i++) {
        snprintf(name, sizeof(name), "taken.%u", taken++);
        renameat(log->dir, names[i]->d_name, log->dir, name);
    }
    *left = count > 1 ? (unsigned)count - 1 - taken : 0;
    if (count >= 0) {
        free_names(names, count);
    }
    return taken;
}

/* Numbers change while somebody rotates: the lock is the one of rotate.c, which does
 * not wait for it, so nothing is judged under it. */
static unsigned
read_numbered(struct storm_log *log, unsigned limit)
{
    int lock = openat(log->dir, state_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    unsigned taken = 0, left = 0;
    char name[32];

    if (lock >= 0 && flock(lock, LOCK_EX) == 0) {
        taken = take_numbered(log, limit, &left);
    }
    if (lock >= 0) {
        close(lock);
    }
    for (unsigned i = 0; i < taken; i++) {
        snprintf(name, sizeof(name), "taken.%u", i);
        judge_and_remove(log, name);
    }
    return left;
}

/* A listing may miss files that come while it is made, so only those are read that are
 * older than the newest of the listing before. */
static unsigned
read_timed(struct storm_log *log, unsigned limit)
{
    struct dirent **names;
    int count = scandir(log->directory, &names, is_backup, compare_age);
    unsigned done = 0, left = 0;

    for (int i = 0; i < count && strcmp(names[i]->d_name, log->newest) < 0; i++) {
        if (done < limit) {
            judge_and_remove(log, names[i]->d_name);
            done++;
        } else {
            left++;
        }
    }
    if (count > 0) {
        snprintf(log->newest, sizeof(log->newest), "%s", names[count - 1]->d_name);
    }
    if (count >= 0) {
        free_names(names, count);
    }
    return left;
}

unsigned
storm_log_read(struct storm_log *log, unsigned limit)
{
    return log->dialect == DIALECT_STDLIB ? read_numbered(log, limit)
                                          : read_timed(log, limit);
}

void
storm_log_read_all(struct storm_log *log)
{
    struct dirent **names;
    int count = scandir(log->directory, &names, is_backup, compare_age);

    for (int i = 0; i < count; i++) {
        judge_and_remove(log, names[i]->d_name);
    }
    if (count >= 0) {
        free_names(names, count);
    }
    judge(log, live_name);
}

unsigned
storm_log_left(const struct storm_log *log, const char *prefix)
{
    char path[300];
    struct dirent *entry;
    unsigned count = 0;
    DIR *names;

    snprintf(path, sizeof(path), "%s/%s", log->directory, state_name);
    names = opendir(path);
    while (names != NULL && (entry = readdir(names)) != NULL) {
        count += strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
    }
    if (names != NULL) {
        closedir(names);
    }
    return count;
}

bool
storm_log_control(const struct storm_log *log, struct control *out)
{
    int state = openat(log->dir, state_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_open;

    if (state < 0 || faccessat(state, "ctl", F_OK, 0) < 0) {
        if (state >= 0) {
            close(state);
        }
        return false;
    }
    is_open = control_open(out, &sys_posix, state, "", 0600, (gid_t)-1) == 0;
    close(state);
    return is_open;
}

int32_t
storm_log_leader(const struct control *control)
{
    uint32_t leader =
        atomic_load_explicit(&control->shared->leader, memory_order_acquire);

    return leader > 0 && leader <= CONTROL_SLOTS
               ? control->shared->slots[leader - 1].pid
               : 0;
}

static int
remove_one(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)status, (void)type, (void)place;
    return remove(path);
}

void
storm_log_remove(struct storm_log *log)
{
    nftw(log->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}
