/* storm.c - kills writers and leaders at random while they write, rotate, recover and
 * close; in the end every acknowledged line must be in the log, exactly once.
 *
 * Exit status: 0 all is well; 1 the log is not what the oracle says; 2 no verdict, for
 * a worker failed or hung; 3 no verdict, for a branch of recovery was never taken.
 */
#include "control.h"
#include "storm_accounts.h"
#include "storm_fuse.h"
#include "storm_log.h"
#include "storm_options.h"
#include "storm_oracle.h"
#include "storm_tail.h"
#include "storm_worker.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_FAULT = 1, EXIT_BROKEN = 2, EXIT_WEAK = 3 };
static const unsigned all_at_once_every = 50, leader_every = 3;
static const unsigned backlog_max = 200, orphans_max = 128;
static const uint64_t branches_from_kills = 1000;
static const uint64_t stuck_after_ns = 30000000000U, ms = 1000000U;

struct storm {
    struct options options;
    struct oracle oracle;
    struct storm_log log;
    struct control control;
    bool has_control;
    struct storm_tail tail;
    char root[128];
    pid_t pids[OPTIONS_WORKERS_MAX]; /* 0: killed, not replaced yet */
    uint32_t started;
    uint32_t started_max;
    uint64_t random;
    uint64_t kills;
    uint64_t leader_kills;
    uint64_t fuse_kills;
    uint64_t closed; /* workers that closed the log and ended */
    uint64_t dying; /* killed, and not known to be gone yet */
    bool is_broken;
    uint64_t acknowledged; /* when that was looked at last */
    uint64_t progress_ns;
};

static uint64_t
now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
}

static uint64_t
dice(struct storm *storm, uint64_t sides)
{
    return worker_random(&storm->random) % sides;
}

/* No two workers are alike, so that slow and fast, closing and stubborn ones meet. */
static struct worker
plan_worker(struct storm *storm, uint32_t stream)
{
    const struct options *options = &storm->options;
    struct worker worker = {
        .options =
            worker_options(storm->log.path, options->ring_bytes, options->max_bytes),
        .oracle = &storm->oracle,
        .stream = stream,
        .threads = options->threads,
        .seed = worker_random(&storm->random),
        .records = dice(storm, 6) == 0 ? 1 + dice(storm, 100) : 0,
        .pause_ns = dice(storm, 4) == 0 && !options->has_tail ? 0 : options->pause_ns,
        .drops = dice(storm, 8) == 0,
        /* Two rotations at once are too much for a tail. */
        .asks = dice(storm, 4) == 0 && !options->has_tail,
        .meddling = dice(storm, 2) == 0 ? options->meddling : MEDDLING_NONE};

    if (dice(storm, 2) == 0) {
        worker.options.first_ring_bytes = options->ring_bytes;
        worker.options.ring_bytes = 4 * options->ring_bytes;
    }
    worker.options.durability = options->durability;
    worker.options.settings.dialect = options->dialect;
    return worker;
}

/* Some die by a fuse: anywhere, or in windows that a kill from outside rarely meets. */
static void
set_fuse(struct worker *worker)
{
    static const enum test_point windows[] = {
        TEST_POINT_batch_intent_valid, TEST_POINT_batch_written,
        TEST_POINT_batch_head_published, TEST_POINT_recover_appended};
    uint64_t random = worker->seed;
    uint64_t hit = 1 + worker_random(&random) % (random % 2 == 0 ? 2 : 50);

    switch (worker_random(&random) % 8) {
    case 0:
    case 1:
        fuse_set((enum test_point)(worker_random(&random) % TEST_POINT_COUNT), hit);
        break;
    case 2:
    case 3:
        fuse_set(windows[worker_random(&random) % 4], 1 + hit % 2);
        break;
    case 4:
        worker->cut = 1 + worker_random(&random) % 50000;
        fuse_set(TEST_POINT_batch_part_written, 1);
        break;
    default:
        break;
    }
}

static void
start_worker(struct storm *storm, uint32_t index)
{
    struct worker worker = plan_worker(storm, storm->started * storm->options.threads);

    if (storm->started == storm->started_max) {
        storm->is_broken = true;
        return;
    }
    storm->started++;
    fflush(stdout);
    storm->pids[index] = fork();
    if (storm->pids[index] == 0) {
        set_fuse(&worker);
        worker_run(&worker);
    }
    if (storm->pids[index] < 0) {
        perror("fork");
        storm->pids[index] = 0;
        storm->is_broken = true;
    }
}

static void
note_end(struct storm *storm, pid_t pid, int status)
{
    uint32_t index = 0;

    if (storm->options.has_tail && pid == storm->tail.pid) {
        printf("tail ended: status %d\n", status);
        storm->is_broken = true;
        return;
    }
    while (index < storm->options.workers && storm->pids[index] != pid) {
        index++;
    }
    if (WIFSIGNALED(status) ? WTERMSIG(status) != SIGKILL : WEXITSTATUS(status) != 0) {
        printf("worker %d ended with status 0x%x\n", (int)pid, (unsigned)status);
        storm->is_broken = true;
    }
    if (index == storm->options.workers) {
        storm->dying--; /* one that we killed */
        return;
    }
    storm->pids[index] = 0;
    if (WIFSIGNALED(status)) {
        storm->kills++;
        storm->fuse_kills++;
    } else {
        storm->closed++;
    }
}

static void
reap(struct storm *storm)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        note_end(storm, pid, status);
    }
}

static void
kill_worker(struct storm *storm, uint32_t index)
{
    if (storm->pids[index] > 0) {
        kill(storm->pids[index], SIGKILL);
        storm->pids[index] = 0;
        storm->kills++;
        storm->dying++;
    }
}

/* Kills all, and waits until the last of them is gone: also of those that were killed
 * one by one before. A process that is dying still has its locks, so that nobody takes
 * its ring for an orphan. */
static void
kill_all(struct storm *storm)
{
    int status;
    pid_t pid;

    for (uint32_t i = 0; i < storm->options.workers; i++) {
        kill_worker(storm, i);
    }
    while (storm->dying > 0 && (pid = waitpid(-1, &status, 0)) > 0) {
        note_end(storm, pid, status);
    }
}

static uint32_t
choose_victim(struct storm *storm)
{
    uint32_t workers = storm->options.workers, chosen = (uint32_t)dice(storm, workers);
    int32_t leader = storm->has_control ? storm_log_leader(&storm->control) : 0;

    for (uint32_t i = 0; leader > 0 && i < workers; i++) {
        if (storm->pids[i] != leader) {
            continue;
        }
        if (dice(storm, leader_every) == 0) {
            chosen = i;
        }
        storm->leader_kills += chosen == i;
    }
    return chosen;
}

/* Meanwhile backups are judged; the storm stands still while too many are left. */
static void
let_pass(struct storm *storm, uint64_t ns)
{
    uint64_t until = now() + ns, at;
    unsigned left;

    do {
        left = storm_log_read(&storm->log, 4);
        at = now();
    } while ((left > 0 && at < until) || left > backlog_max);
    if (at < until) {
        struct timespec time = {.tv_nsec = (long)(until - at)};
        nanosleep(&time, NULL);
    }
}

static bool
is_stuck(struct storm *storm)
{
    uint64_t acknowledged;

    if (now() - storm->progress_ns < stuck_after_ns) {
        return false;
    }
    acknowledged = oracle_acknowledged(&storm->oracle);
    storm->progress_ns = now();
    if (acknowledged != storm->acknowledged) {
        storm->acknowledged = acknowledged;
        return false;
    }
    printf("nothing was acknowledged for %" PRIu64 " s\n", stuck_after_ns / 1000 / ms);
    return true;
}

/* On a busy machine leaders may be killed faster than they can clear up after the dead:
 * that only fills the slot table. */
static bool
has_many_orphans(const struct storm *storm)
{
    unsigned taken = 0;

    for (uint32_t slot = 0; storm->has_control && slot < CONTROL_SLOTS; slot++) {
        enum slot_state state = control_slot_state(&storm->control, slot);
        taken += state != SLOT_FREE && state != SLOT_RETIRED;
    }
    return taken > orphans_max;
}

static void
strike(struct storm *storm)
{
    if (has_many_orphans(storm)) {
        return;
    }
    if (dice(storm, all_at_once_every) == 0) {
        kill_all(storm);
    } else {
        kill_worker(storm, choose_victim(storm));
    }
}

static void
rage(struct storm *storm)
{
    storm->progress_ns = now();
    while (storm->kills < storm->options.kills && !storm->is_broken &&
           !oracle_has_doubts(&storm->oracle)) {
        reap(storm);
        for (uint32_t i = 0; i < storm->options.workers; i++) {
            if (storm->pids[i] == 0) {
                start_worker(storm, i);
            }
        }
        if (!storm->has_control) {
            storm->has_control = storm_log_control(&storm->log, &storm->control);
        }
        let_pass(storm, dice(storm, storm->options.interval_ns + 1));
        strike(storm);
        storm->is_broken |= is_stuck(storm);
    }
    kill_all(storm);
}

/* A fresh process opens and closes the log, nothing else. */
static void
settle(struct storm *storm)
{
    struct worker worker = plan_worker(storm, 0);
    int status;
    pid_t pid;

    worker.threads = 0;
    worker.asks = false;
    worker.meddling = MEDDLING_NONE;
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        alarm((unsigned)(stuck_after_ns / 1000 / ms));
        worker_run(&worker);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
        printf("the last opener failed\n");
        storm->is_broken = true;
    }
    while (waitpid(-1, &status, WNOHANG) > 0) {
    }
}

static void
print_table(const struct storm *storm, double seconds)
{
    const struct options *options = &storm->options;

    printf("seed %" PRIu64 ", %" PRIu32 " workers x %" PRIu32 " threads, %.1f s\n",
           options->seed, options->workers, options->threads, seconds);
    accounts_row("kills", storm->kills);
    accounts_row("  of the leader", storm->leader_kills);
    accounts_row("  at a test point", storm->fuse_kills);
    accounts_row("workers", storm->started);
    accounts_row("  that closed", storm->closed);
    accounts_row("files", storm->log.files);
    accounts_print(&storm->oracle);
    accounts_print_counters(&storm->control);
}

static unsigned
check_tail(struct storm *storm)
{
    tail_end(&storm->tail, storm->oracle.findings.bytes, stuck_after_ns);
    printf("tail -F printed\n");
    accounts_print(&storm->tail.oracle);
    return accounts_expect(!oracle_has_doubts(&storm->tail.oracle) &&
                               storm->tail.oracle.findings.lines ==
                                   storm->oracle.findings.lines,
                           "tail -F didn't print every line once");
}

/* A storm that never took a branch of recovery says nothing about it. Writers that wait
 * for the disk after each line make batches too small to be torn. */
static bool
took_all_branches(const struct storm *storm)
{
    static const enum control_counter branches[] = {
        COUNTER_batches_forwarded, COUNTER_batches_redone,
        COUNTER_abandoned_reservations, COUNTER_retired_slots,
        COUNTER_batches_completed};
    size_t due = storm->options.durability == DURABILITY_SYNC ? 4 : 5;
    bool all = true;

    for (size_t i = 0; i < due; i++) {
        if (control_count(&storm->control, branches[i]) == 0) {
            printf("never happened: %s\n", control_counter_name(branches[i]));
            all = false;
        }
    }
    return all || storm->kills < branches_from_kills;
}

static int
judge(struct storm *storm, double seconds)
{
    unsigned wrong;

    if (!storm->has_control) {
        return EXIT_BROKEN;
    }
    storm_log_read_all(&storm->log);
    oracle_finish(&storm->oracle);
    print_table(storm, seconds);
    /* One for each producer, and one for the gap event of the leader. */
    wrong = accounts_check(&storm->log, &storm->control,
                           storm->kills * (storm->options.threads + 1), 0);
    if (storm->options.has_tail) {
        wrong += check_tail(storm);
    }
    if (storm->is_broken) {
        return EXIT_BROKEN;
    }
    if (wrong > 0) {
        return EXIT_FAULT;
    }
    return took_all_branches(storm) ? 0 : EXIT_WEAK;
}

static bool
open_storm(struct storm *storm)
{
    const struct options *options = &storm->options;
    char path[160];

    snprintf(storm->root, sizeof(storm->root), "%s/auditring-storm.XXXXXX",
             options->dir);
    if (mkdtemp(storm->root) == NULL) {
        return false;
    }
    snprintf(path, sizeof(path), "%s/log", storm->root);
    /* Workers that close the log are replaced too. */
    storm->started_max = (uint32_t)(4 * (options->kills + options->workers));
    storm->random = options->seed;
    if (!oracle_open(&storm->oracle, storm->started_max * options->threads) ||
        !storm_log_open(&storm->log, path, &storm->oracle)) {
        return false;
    }
    storm->log.dialect = options->dialect;
    storm->log.max_bytes = options->max_bytes;
    snprintf(path, sizeof(path), "%s/tail.out", storm->root);
    return !options->has_tail ||
           tail_start(&storm->tail, storm->log.path, path, &storm->oracle);
}

static void
close_storm(struct storm *storm, bool is_well)
{
    char path[160];

    storm_log_close(&storm->log);
    if (!is_well) {
        printf("what is left stands in %s\n", storm->root);
        return;
    }
    storm_log_remove(&storm->log);
    snprintf(path, sizeof(path), "%s/tail.out", storm->root);
    unlink(path);
    rmdir(storm->root);
}

int
main(int argc, char **argv)
{
    static struct storm storm;
    uint64_t begin = now();
    int verdict;

    if (!options_read(&storm.options, argc, argv)) {
        return EXIT_BROKEN;
    }
    if (!open_storm(&storm)) {
        perror(storm.root);
        return EXIT_BROKEN;
    }
    rage(&storm);
    settle(&storm);
    verdict = judge(&storm, (double)(now() - begin) / 1e9);
    close_storm(&storm, verdict == 0);
    return verdict;
}
