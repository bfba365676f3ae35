#include "storm_tail.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const long poll_ns = 10 * 1000 * 1000;

static _Noreturn void
become_tail(const char *path, const char *output)
{
    int fd = open(output, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);

    dup2(fd, STDOUT_FILENO);
    dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
    execlp("tail", "tail", "-n", "+1", "-F", path, (char *)NULL);
    _exit(127);
}

bool
tail_start(struct storm_tail *tail, const char *path, const char *output,
           const struct oracle *log)
{
    snprintf(tail->output, sizeof(tail->output), "%s", output);
    if (!oracle_open_beside(&tail->oracle, log)) {
        return false;
    }
    tail->pid = fork();
    if (tail->pid == 0) {
        become_tail(path, output);
    }
    return tail->pid > 0;
}

static uint64_t
output_size(const struct storm_tail *tail)
{
    struct stat status;

    return stat(tail->output, &status) == 0 ? (uint64_t)status.st_size : 0;
}

static void
judge_output(struct storm_tail *tail)
{
    uint64_t size = output_size(tail);
    char *text = calloc(1, size + 1);
    FILE *file = fopen(tail->output, "re");

    if (text != NULL && file != NULL && fread(text, 1, size, file) == size) {
        oracle_judge(&tail->oracle, "tail", text, size);
    }
    if (file != NULL) {
        fclose(file);
    }
    free(text);
    oracle_finish(&tail->oracle);
}

void
tail_end(struct storm_tail *tail, uint64_t bytes, uint64_t limit_ns)
{
    const struct timespec nap = {.tv_nsec = poll_ns};

    for (uint64_t waited = 0; waited < limit_ns && output_size(tail) < bytes;
         waited += (uint64_t)poll_ns) {
        nanosleep(&nap, NULL);
    }
    kill(tail->pid, SIGTERM);
    waitpid(tail->pid, NULL, 0);
    judge_output(tail);
}
