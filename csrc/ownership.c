#include "ownership.h"

#include <unistd.h>

int
ownership_of(const struct sys *sys, int dir, uid_t *uid)
{
    struct stat status;
    int error = geteuid() == 0 ? sys->fstatat(dir, ".", &status) : 0;

    *uid = (uid_t)-1;
    if (error == 0 && geteuid() == 0 && status.st_uid != 0) {
        *uid = status.st_uid;
    }
    return error;
}

int
ownership_give(const struct sys *sys, int fd, int dir, gid_t gid)
{
    uid_t uid;
    int error = ownership_of(sys, dir, &uid);

    if (error < 0 || (uid == (uid_t)-1 && gid == (gid_t)-1)) {
        return error;
    }
    return sys->fchown(fd, uid, gid);
}
