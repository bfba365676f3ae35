/* storm_points.c - kills a process at every test point of csrc, at its first, second
 * and seventeenth hit, and sees what the processes after it make of the log.
 *
 * A scene is a row of processes, each with one way to live or to die, over a log of
 * either dialect. Somewhere in it the fuse blows; the rest of the row goes on, and in
 * the end the oracle must be content. A scene in which the fuse doesn't blow is
 * followed by another one in new logs, and the count goes on.
 *
 * Exit status: 0 all is well; 1 a log is not what it must be; 2 a process failed or
 * hung; 3 a point was never reached.
 */
#include "resting.h"
#include "storm_accounts.h"
#include "storm_fuse.h"
#include "storm_log.h"
#include "storm_oracle.h"
#include "storm_worker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_FAULT = 1, EXIT_BROKEN = 2, EXIT_UNREACHED = 3 };
enum { LOGS = 2, STREAMS = 64, THREADS = 2, SCENES_MAX = 200, OPENERS_MAX = 4 };
static const unsigned process_limit_s = 30;
static const uint64_t ring_bytes = 64 * 1024, max_bytes = 48 * 1024;
static const uint64_t hits[] = {1, 2, 17};

/* What one process of the row does, and how it dies, if it does. */
struct life {
    enum dialect dialect; /* and so which log */
    uint64_t records;     /* of each thread; 0 with `drops`: until it dies */
    enum durability durability;
    enum test_point dies_at;
    uint64_t dies_at_hit; /* 0: it closes the log */
    uint64_t cut;
    enum sys_call fails;
    int fail_error;
    uint32_t fail_from;
    bool dies_of_drop;
    bool has_company; /* another process writes to the same log meanwhile */
    bool rests;       /* it doesn't close the log before that rests */
    bool finds_wiped; /* the slots of the dead are wiped before it comes */
};

/* Each death leaves to the next process what only it leaves. */
static const struct life lives[] = {
    {.records = 60},
    {.records = 60,
     .dies_at = TEST_POINT_batch_part_written,
     .dies_at_hit = 1,
     .cut = 1500},
    {.records = 60},
    {.records = 60, .dies_at = TEST_POINT_batch_intent_valid, .dies_at_hit = 2},
    {.records = 60},
    {.records = 60, .dies_at = TEST_POINT_batch_written, .dies_at_hit = 2},
    {.records = 60,
     .dies_at = TEST_POINT_emit_before_commit,
     .dies_at_hit = 30,
     .has_company = true},
    {.dies_of_drop = true},
    {.records = 60, .has_company = true},
    {.records = 60, .dies_at = TEST_POINT_emit_after_commit, .dies_at_hit = 40},
    {.records = 60, .has_company = true, .finds_wiped = true},
    {.records = 60, .rests = true},
    {.records = 12, .durability = DURABILITY_SYNC},
    {.records = 6,
     .durability = DURABILITY_SYNC,
     .fails = CALL_fdatasync,
     .fail_error = EIO,
     .fail_from = 3},
    {.records = 40,
     .fails = CALL_writev,
     .fail_error = EFBIG,
     .fail_from = 2,
     .cut = 700},
    {.dialect = DIALECT_STDLIB, .records = 100},
    {.dialect = DIALECT_STDLIB,
     .records = 100,
     .dies_at = TEST_POINT_rotate_shifted,
     .dies_at_hit = 2},
    {.dialect = DIALECT_STDLIB, .records = 100},
    {.dialect = DIALECT_STDLIB, .dies_of_drop = true},
};

struct scene {
    char root[64];
    struct oracle oracles[LOGS];
    struct storm_log logs[LOGS];
    uint32_t streams[LOGS]; /* used so far */
    uint64_t deaths;
    bool is_broken;
};

static struct worker
plan(struct scene *scene, const struct life *life)
{
    uint32_t log = (uint32_t)life->dialect;
    struct worker worker = {
        .options = worker_options(scene->logs[log].path, ring_bytes, max_bytes),
        .oracle = &scene->oracles[log],
        .stream = scene->streams[log],
        .threads = THREADS,
        .seed = scene->streams[log] + 1,
        .records = life->records,
        .drops = life->dies_of_drop,
        .rests = life->rests,
        .dies_of_drop = life->dies_of_drop,
        .cut = life->cut,
        .fails = life->fails,
        .fail_error = life->fail_error,
        .fail_from = life->fail_from};

    worker.options.settings.dialect = life->dialect;
    worker.options.durability = life->durability;
    scene->streams[log] += THREADS;
    return worker;
}

static pid_t
start(struct scene *scene, const struct worker *worker, const struct life *life)
{
    pid_t pid;

    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        alarm(process_limit_s);
        fuse_set(life->dies_at, life->dies_at_hit);
        worker_run(worker);
    }
    scene->is_broken |= pid < 0;
    return pid;
}

/* Whether it ended well, or as kill -9 ends it. */
static bool
finish(struct scene *scene, pid_t pid)
{
    int status = 0;

    if (pid <= 0 || waitpid(pid, &status, 0) != pid) {
        scene->is_broken = true;
    } else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
        scene->deaths++;
        return false;
    } else if (status != 0) {
        printf("a process ended with status 0x%x\n", (unsigned)status);
        scene->is_broken = true;
    }
    return true;
}

/* Damages the slot table while nobody runs: no slot names a ring any more. */
static void
wipe_slots(struct scene *scene, uint32_t log)
{
    struct control control;

    if (!storm_log_control(&scene->logs[log], &control)) {
        scene->is_broken = true;
        return;
    }
    for (uint32_t slot = 0; slot < CONTROL_SLOTS; slot++) {
        enum slot_state state = control_slot_state(&control, slot);
        if (state == SLOT_LIVE || state == SLOT_CLOSING) {
            control.shared->slots[slot].nonce = 0;
            control_set_slot(&control, slot, SLOT_FREE);
        }
    }
    control_close(&control);
}

static void
live(struct scene *scene, const struct life *life)
{
    static const struct life plain = {.records = 60};
    struct worker worker = plan(scene, life), other = plan(scene, &plain);
    pid_t pid;

    if (life->finds_wiped) {
        wipe_slots(scene, (uint32_t)life->dialect);
    }
    pid = start(scene, &worker, life);
    pid_t company = life->has_company ? start(scene, &other, &plain) : 0;

    finish(scene, pid);
    if (company != 0) {
        finish(scene, company);
    }
}

/* Somebody opens the log and closes it; the fuse may still blow in his hands. */
static void
settle(struct scene *scene, enum dialect dialect)
{
    struct life life = {.dialect = dialect};
    struct worker worker = plan(scene, &life);

    worker.threads = 0;
    for (int i = 0; i < OPENERS_MAX && !scene->is_broken; i++) {
        if (finish(scene, start(scene, &worker, &life))) {
            return;
        }
    }
    scene->is_broken = true;
}

/* Whether the log is as it must be. */
static bool
judge(struct scene *scene, uint32_t index)
{
    /* Of the failed sync, which is one of the ways to live. */
    const uint32_t allowed = 1U << GAP_SUSPECT;
    struct storm_log *log = &scene->logs[index];
    struct control control;
    unsigned wrong;

    if (!storm_log_control(log, &control)) {
        scene->is_broken = true;
        return false;
    }
    storm_log_read_all(log);
    oracle_finish(&scene->oracles[index]);
    wrong = accounts_check(log, &control, scene->deaths * (THREADS + 1), allowed);
    if (wrong > 0) {
        accounts_print(&scene->oracles[index]);
        accounts_print_counters(&control);
    }
    control_close(&control);
    return wrong == 0;
}

static bool
open_scene(struct scene *scene)
{
    char path[128];

    *scene = (struct scene){.root = "/tmp/auditring-points.XXXXXX"};
    if (mkdtemp(scene->root) == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < LOGS; i++) {
        snprintf(path, sizeof(path), "%s/%u", scene->root, i);
        if (!oracle_open(&scene->oracles[i], STREAMS) ||
            !storm_log_open(&scene->logs[i], path, &scene->oracles[i])) {
            return false;
        }
        scene->logs[i].dialect = (enum dialect)i;
        scene->logs[i].max_bytes = max_bytes;
    }
    return true;
}

static void
close_scene(struct scene *scene, bool is_well)
{
    for (uint32_t i = 0; i < LOGS; i++) {
        storm_log_close(&scene->logs[i]);
        oracle_close(&scene->oracles[i]);
        if (is_well) {
            storm_log_remove(&scene->logs[i]);
        }
    }
    if (is_well) {
        rmdir(scene->root);
    } else {
        printf("what is left stands in %s\n", scene->root);
    }
}

static int
play(void)
{
    static struct scene scene;
    bool is_well = true;

    if (!open_scene(&scene)) {
        perror(scene.root);
        return EXIT_BROKEN;
    }
    for (size_t i = 0; i < sizeof(lives) / sizeof(lives[0]); i++) {
        live(&scene, &lives[i]);
    }
    for (uint32_t i = 0; i < LOGS; i++) {
        settle(&scene, (enum dialect)i);
        is_well &= judge(&scene, i);
    }
    is_well &= !scene.is_broken;
    close_scene(&scene, is_well);
    if (scene.is_broken) {
        return EXIT_BROKEN;
    }
    return is_well ? 0 : EXIT_FAULT;
}

static int
try_point(enum test_point point, uint64_t hit)
{
    int verdict = 0;

    fuse_set_shared(point, hit);
    for (int i = 0; i < SCENES_MAX && verdict == 0 && !fuse_has_blown(); i++) {
        verdict = play();
    }
    if (verdict != 0) {
        printf("%s, hit %d: failed\n", fuse_point_name(point), (int)hit);
    } else if (!fuse_has_blown()) {
        printf("%s, hit %d: never reached\n", fuse_point_name(point), (int)hit);
        verdict = EXIT_UNREACHED;
    }
    fflush(stdout);
    return verdict;
}

/* The points given by name, or all of them. */
static bool
is_wanted(enum test_point point, char **names)
{
    bool is_wanted = *names == NULL;

    for (; *names != NULL; names++) {
        is_wanted |= strcmp(*names, fuse_point_name(point)) == 0;
    }
    return is_wanted;
}

int
main(int argc, char **argv)
{
    resting_quiet_ns = 20U * 1000 * 1000;
    unsigned tried = 0, failed = 0;
    int worst = 0;

    (void)argc;
    if (!fuse_share()) {
        perror("fuse");
        return EXIT_BROKEN;
    }
    for (int point = 0; point < TEST_POINT_COUNT; point++) {
        for (size_t i = 0; i < sizeof(hits) / sizeof(hits[0]); i++) {
            int verdict;

            if (!is_wanted((enum test_point)point, argv + 1)) {
                continue;
            }
            verdict = try_point((enum test_point)point, hits[i]);
            tried++;
            failed += verdict != 0;
            /* A wrong log says more than a point that nobody reached. */
            if (worst == 0 || (verdict > 0 && verdict < worst)) {
                worst = verdict;
            }
        }
    }
    printf("%u deaths at %d test points, %u failed\n", tried, TEST_POINT_COUNT, failed);
    return worst;
}
