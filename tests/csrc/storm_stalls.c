/* storm_stalls.c - stops the leader, and kills it, while others write.
 *
 * While it is stopped nobody else may lead or touch the file; when it goes on, nothing
 * may be missing. When it dies, another one must lead soon: within 200 ms in nine of
 * ten cases, for a busy machine may keep the heir itself waiting.
 *
 * Exit status: 0 all is well; 1 it is not; 2 a process failed or hung.
 */
#include "storm_accounts.h"
#include "storm_log.h"
#include "storm_oracle.h"
#include "storm_worker.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_FAULT = 1, EXIT_BROKEN = 2 };
enum { WORKERS = 3, THREADS = 2, STOPS = 3, DEATHS = 50, STREAMS = 1000 };
static const uint64_t ms = 1000000U, stop_ns = 1000 * ms, heir_limit_ns = 200 * ms,
                      patience_ns = 20000 * ms, ring_bytes = 64 * 1024,
                      max_bytes = 1024 * 1024;

struct stalls {
    char root[64];
    struct oracle oracle;
    struct storm_log log;
    struct control control;
    pid_t pids[WORKERS];
    uint32_t started;
    uint64_t handover_ns[DEATHS];
    unsigned wrong;
};

static uint64_t
now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
}

static void
nap(uint64_t ns)
{
    const struct timespec time = {.tv_nsec = (long)ns};

    nanosleep(&time, NULL);
}

static _Noreturn void
give_up(const char *what)
{
    printf("waited in vain: %s\n", what);
    exit(EXIT_BROKEN);
}

static pid_t
start(struct stalls *stalls, uint32_t threads)
{
    struct worker worker = {.options =
                                worker_options(stalls->log.path, ring_bytes, max_bytes),
                            .oracle = &stalls->oracle,
                            .stream = stalls->started * THREADS,
                            .threads = threads,
                            .seed = stalls->started + 1,
                            .pause_ns = 2 * ms};
    pid_t pid;

    stalls->started++;
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        worker_run(&worker);
    }
    return pid;
}

static void
bury(struct stalls *stalls, uint32_t index)
{
    int status;

    kill(stalls->pids[index], SIGKILL);
    if (waitpid(stalls->pids[index], &status, 0) < 0 || !WIFSIGNALED(status)) {
        give_up("the end of a worker");
    }
}

static uint64_t
records(const struct stalls *stalls)
{
    return control_count(&stalls->control, COUNTER_records_written);
}

static void
wait_for_records(const struct stalls *stalls, uint64_t more_than)
{
    uint64_t begin = now();

    while (records(stalls) <= more_than) {
        if (now() - begin > patience_ns) {
            give_up("records in the log");
        }
        nap(ms / 10);
    }
}

/* The worker that leads, while records come. */
static uint32_t
find_leader(const struct stalls *stalls)
{
    uint64_t begin = now();

    wait_for_records(stalls, records(stalls));
    while (now() - begin < patience_ns) {
        int32_t leader = storm_log_leader(&stalls->control);

        for (uint32_t i = 0; i < WORKERS; i++) {
            if (stalls->pids[i] == leader) {
                return i;
            }
        }
        nap(ms / 10);
    }
    give_up("a leader");
}

static void
begin(struct stalls *stalls)
{
    uint64_t since = now();

    for (uint32_t i = 0; i < WORKERS; i++) {
        stalls->pids[i] = start(stalls, THREADS);
    }
    while (!storm_log_control(&stalls->log, &stalls->control)) {
        if (now() - since > patience_ns) {
            give_up("a control file");
        }
        nap(ms);
    }
}

static uint64_t
live_size(const struct stalls *stalls)
{
    struct stat status;

    return stat(stalls->log.path, &status) == 0 ? (uint64_t)status.st_size : 0;
}

static void
stop_leader(struct stalls *stalls)
{
    pid_t leader = stalls->pids[find_leader(stalls)];
    uint64_t size, before, changes, begin;
    bool is_same = true;
    int status;

    kill(leader, SIGSTOP);
    if (waitpid(leader, &status, WUNTRACED) < 0 || !WIFSTOPPED(status)) {
        give_up("the stop of the leader");
    }
    size = live_size(stalls);
    before = records(stalls);
    changes = control_count(&stalls->control, COUNTER_leader_changes);
    for (begin = now(); now() - begin < stop_ns; nap(5 * ms)) {
        is_same &= storm_log_leader(&stalls->control) == leader &&
                   live_size(stalls) == size && records(stalls) == before;
    }
    is_same &= control_count(&stalls->control, COUNTER_leader_changes) == changes;
    kill(leader, SIGCONT);
    wait_for_records(stalls, before);
    stalls->wrong +=
        accounts_expect(is_same, "somebody led or wrote while the leader was stopped");
}

static uint64_t
kill_leader(struct stalls *stalls)
{
    uint32_t index = find_leader(stalls);
    pid_t leader = stalls->pids[index];
    uint64_t begin = now(), took, before;

    kill(leader, SIGKILL);
    do {
        if (now() - begin > patience_ns) {
            give_up("another leader");
        }
        nap(ms / 5);
        before = records(stalls);
    } while (storm_log_leader(&stalls->control) == leader ||
             storm_log_leader(&stalls->control) == 0);
    wait_for_records(stalls, before);
    took = now() - begin;
    bury(stalls, index);
    stalls->pids[index] = start(stalls, THREADS);
    return took;
}

static int
compare(const void *a, const void *b)
{
    const uint64_t *left = a, *right = b;

    return *left < *right ? -1 : *left > *right;
}

static void
kill_leaders(struct stalls *stalls)
{
    uint64_t *times = stalls->handover_ns;

    for (int i = 0; i < DEATHS; i++) {
        times[i] = kill_leader(stalls);
        (void)storm_log_read(&stalls->log, 100);
    }
    qsort(times, DEATHS, sizeof(times[0]), compare);
    printf("after the leader's death the next line was written within\n");
    printf("  median %.1f ms, 90 %% %.1f ms, longest %.1f ms\n",
           (double)times[DEATHS / 2] / 1e6, (double)times[DEATHS * 9 / 10] / 1e6,
           (double)times[DEATHS - 1] / 1e6);
    stalls->wrong += accounts_expect(times[DEATHS * 9 / 10] <= heir_limit_ns,
                                     "it takes too long to find another leader");
}

static void
settle(struct stalls *stalls)
{
    int status;
    pid_t pid;

    for (uint32_t i = 0; i < WORKERS; i++) {
        bury(stalls, i);
    }
    pid = start(stalls, 0);
    if (waitpid(pid, &status, 0) != pid || status != 0) {
        give_up("the last opener");
    }
    storm_log_read_all(&stalls->log);
    oracle_finish(&stalls->oracle);
    accounts_print(&stalls->oracle);
    accounts_print_counters(&stalls->control);
    stalls->wrong += accounts_check(&stalls->log, &stalls->control,
                                    stalls->started * (THREADS + 1), 0);
}

static bool
open_stalls(struct stalls *stalls)
{
    char path[128];

    *stalls = (struct stalls){.root = "/tmp/auditring-stalls.XXXXXX"};
    if (mkdtemp(stalls->root) == NULL) {
        return false;
    }
    snprintf(path, sizeof(path), "%s/log", stalls->root);
    if (!oracle_open(&stalls->oracle, STREAMS) ||
        !storm_log_open(&stalls->log, path, &stalls->oracle)) {
        return false;
    }
    stalls->log.max_bytes = max_bytes;
    return true;
}

int
main(void)
{
    static struct stalls stalls;

    if (!open_stalls(&stalls)) {
        perror(stalls.root);
        return EXIT_BROKEN;
    }
    begin(&stalls);
    for (int i = 0; i < STOPS; i++) {
        stop_leader(&stalls);
    }
    kill_leaders(&stalls);
    settle(&stalls);
    storm_log_close(&stalls.log);
    if (stalls.wrong > 0) {
        printf("what is left stands in %s\n", stalls.root);
        return EXIT_FAULT;
    }
    storm_log_remove(&stalls.log);
    rmdir(stalls.root);
    return 0;
}
