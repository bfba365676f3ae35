#include "trust.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { PARENTS_MAX = 256, OTHERS_WRITE = S_IWGRP | S_IWOTH };

static bool
is_safe_owner(uid_t uid)
{
    return uid == 0 || uid == geteuid();
}

/* Whether nobody but us, root and the owner of the log directory could have put that
 * log directory where it is. Looks up to the first directory that only we can write to;
 * what can't be looked at is not ours to judge. */
static bool
was_given(const struct writer *writer, const struct stat *log_dir)
{
    char path[3 * PARENTS_MAX + 1] = "";
    struct stat below = *log_dir, status;

    for (size_t size = 0; size < sizeof(path) - 1; size += 3, below = status) {
        memcpy(path + size, "../", 4);
        if (writer->sys->fstatat(writer->dir, path, &status) < 0 ||
            (status.st_ino == below.st_ino && status.st_dev == below.st_dev)) {
            return true;
        }
        if ((status.st_mode & (S_IWOTH | S_ISVTX)) == S_IWOTH ||
            (!is_safe_owner(status.st_uid) && status.st_uid != log_dir->st_uid)) {
            return false;
        }
        if (is_safe_owner(status.st_uid) && (status.st_mode & OTHERS_WRITE) == 0) {
            return true;
        }
    }
    return false;
}

static bool
is_of_named_group(const struct writer *writer, const struct stat *directory)
{
    gid_t named = (gid_t)writer->options.settings.gid;

    return named != (gid_t)-1 && directory->st_gid == named;
}

static bool
is_of_group(const struct stat *log_dir, const struct stat *directory)
{
    return (log_dir->st_mode & (OTHERS_WRITE | S_ISVTX)) == S_IWGRP &&
           (directory->st_mode & OTHERS_WRITE) == S_IWGRP &&
           directory->st_gid == log_dir->st_gid;
}

int
trust_directory(const struct writer *writer, const struct stat *log_dir,
                const struct stat *directory)
{
    if ((directory->st_mode & (S_IWOTH | S_ISVTX)) == S_IWOTH) {
        return -EPERM;
    }
    if (is_safe_owner(directory->st_uid) || is_of_named_group(writer, directory)) {
        return 0;
    }
    return (directory->st_uid == log_dir->st_uid || is_of_group(log_dir, directory)) &&
                   was_given(writer, log_dir)
               ? 0
               : -EPERM;
}

int
trust_files(const struct writer *writer, const struct stat *state)
{
    static const char *const names[] = {"lock", "ctl"};
    bool is_shared = (state->st_mode & OTHERS_WRITE) != 0;
    struct stat status;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (writer->sys->fstatat(writer->state_dir, names[i], &status) < 0) {
            continue; /* who opens it is told */
        }
        if (S_ISLNK(status.st_mode) || (!is_shared && !is_safe_owner(status.st_uid) &&
                                        status.st_uid != state->st_uid)) {
            return -EPERM;
        }
    }
    return 0;
}
