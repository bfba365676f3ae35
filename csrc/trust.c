#include "trust.h"

#include <errno.h>
#include <unistd.h>

static bool
is_safe_owner(uid_t uid)
{
    return uid == 0 || uid == geteuid();
}

static bool
is_of_group(const struct writer *writer, const struct stat *log_dir,
            const struct stat *directory)
{
    gid_t named = (gid_t)writer->options.settings.gid;

    if (named != (gid_t)-1 && directory->st_gid == named) {
        return true;
    }
    return (log_dir->st_mode & (S_IWGRP | S_IWOTH | S_ISVTX)) == S_IWGRP &&
           (directory->st_mode & (S_IWGRP | S_IWOTH)) == S_IWGRP &&
           directory->st_gid == log_dir->st_gid;
}

int
trust_directory(const struct writer *writer, const struct stat *log_dir,
                const struct stat *directory)
{
    if ((directory->st_mode & (S_IWOTH | S_ISVTX)) == S_IWOTH) {
        return -EPERM;
    }
    return is_safe_owner(directory->st_uid) || directory->st_uid == log_dir->st_uid ||
                   is_of_group(writer, log_dir, directory)
               ? 0
               : -EPERM;
}

int
trust_files(const struct writer *writer, const struct stat *state)
{
    static const char *const names[] = {"lock", "ctl"};
    bool is_shared = (state->st_mode & (S_IWGRP | S_IWOTH)) != 0;
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
