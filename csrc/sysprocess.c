#include "sysprocess.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

uint64_t
sysprocess_namespace(void)
{
    struct stat status;

    return stat("/proc/self/ns/pid", &status) == 0 ? (uint64_t)status.st_ino : 0;
}

static void
keep_name(const char *text, const char *end, struct sys_process *out)
{
    const char *begin = strchr(text, '(');
    size_t size = begin != NULL && begin < end ? (size_t)(end - begin - 1) : 0;

    size = size < sizeof(out->name) ? size : sizeof(out->name) - 1;
    memcpy(out->name, begin != NULL ? begin + 1 : "", size);
    out->name[size] = '\0';
}

/* Fields of /proc/PID/stat after the last ')' of the name: 3 is the state, 22 the
 * start time, 28 the start of the stack (proc(5)). */
static int
parse_process(const char *text, struct sys_process *out)
{
    const char *cursor = strrchr(text, ')');
    unsigned long long value;
    char state;
    int field = 3;

    if (cursor == NULL || sscanf(cursor + 1, " %c", &state) != 1) {
        return -EPROTO;
    }
    cursor = strchr(cursor, state);
    out->running = state != 'Z' && state != 'X' && state != 'x';
    out->state = state;
    keep_name(text, strrchr(text, ')'), out);
    out->start_time = 0;
    out->start_stack = 0;
    while (field < 28 && (cursor = strchr(cursor + 1, ' ')) != NULL) {
        field++;
        value = strtoull(cursor + 1, NULL, 10);
        if (field == 22) {
            out->start_time = value;
        } else if (field == 28) {
            out->start_stack = value;
        }
    }
    return field == 28 ? 0 : -EPROTO;
}

int
sysprocess_look(pid_t pid, struct sys_process *out)
{
    char path[32], text[1024];
    struct stat status;
    ssize_t size;
    int fd;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        /* With hidepid others' processes look like none. */
        if (errno != ENOENT || kill(pid, 0) == 0 || errno != ESRCH) {
            return -EACCES;
        }
        out->running = false;
        return 0;
    }
    size = read(fd, text, sizeof(text) - 1);
    if (size < 0) {
        /* ESRCH: the process ended between open and read. */
        int error = errno;
        close(fd);
        out->running = false;
        return error == ESRCH ? 0 : -error;
    }
    out->uid = fstat(fd, &status) == 0 ? status.st_uid : (uid_t)-1;
    close(fd);
    text[size] = '\0';
    return parse_process(text, out);
}
