#include "storm_worker.h"

#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const uint64_t slice_ns = 10 * 1000 * 1000, close_limit_ns = 5000000000U;
static const uint64_t burst_max = 200;
static const uint64_t ask_pause_ns = 8 * 1000 * 1000, ask_limit_ns = 1000000000U;

struct producer {
    const struct worker *worker;
    struct writer *writer;
    uint32_t stream;
    uint64_t random;
};

static _Atomic bool has_ended;

uint64_t
worker_random(uint64_t *state)
{
    uint64_t x = *state;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    *state = x;
    return x * UINT64_C(0x2545f4914f6cdd1d) >> 16;
}

struct writer_options
worker_options(const char *path, uint64_t ring_bytes, uint64_t max_bytes)
{
    return (struct writer_options){.path = path,
                                   .ring_bytes = ring_bytes,
                                   .settings = {.max_bytes = max_bytes,
                                                .max_backups = 100000,
                                                .dialect = DIALECT_LUMBERJACK,
                                                .mode = 0600,
                                                .gid = (uint32_t)-1,
                                                .sync_interval_ns = 20 * 1000 * 1000},
                                   .durability = DURABILITY_PROCESS};
}

static _Noreturn void
fail(const char *what, int error)
{
    printf("worker %d: %s: %s\n", (int)getpid(), what, strerror(-error));
    fflush(stdout);
    _exit(WORKER_FAILED);
}

static void
rest(uint64_t *random, uint64_t longest_ns)
{
    uint64_t ns = longest_ns > 0 ? worker_random(random) % longest_ns : 0;
    struct timespec time = {.tv_sec = (time_t)(ns / 1000000000U),
                            .tv_nsec = (long)(ns % 1000000000U)};

    if (ns > 0) {
        nanosleep(&time, NULL);
    }
}

static void
drop(struct producer *producer, struct oracle_stream *stream, size_t size)
{
    atomic_fetch_add_explicit(&stream->drops_begun, 1, memory_order_relaxed);
    writer_drop(producer->writer, size);
    atomic_fetch_add_explicit(&stream->drops_done, 1, memory_order_relaxed);
    if (producer->worker->dies_of_drop) {
        kill(getpid(), SIGKILL);
    }
}

static void
write_line(struct producer *producer, struct oracle_stream *stream, const char *line,
           size_t size)
{
    struct writer *writer = producer->writer;
    struct writer_ticket ticket;
    int error;

    while ((error = writer_write(writer, line, size, false, &ticket)) == -EAGAIN) {
        if (producer->worker->drops) {
            drop(producer, stream, size);
        }
        writer_wait_space(writer, size, slice_ns);
    }
    if (error < 0) {
        fail("writer_write", error);
    }
    while (producer->worker->options.durability == DURABILITY_SYNC &&
           !writer_wait_durable(writer, &ticket, slice_ns)) {
    }
}

static void *
produce(void *context)
{
    struct producer *producer = context;
    const struct worker *worker = producer->worker;
    struct oracle_stream *stream = &worker->oracle->streams[producer->stream];
    char line[ORACLE_LINE_MAX];
    uint64_t burst = 0;

    for (uint64_t i = 1; worker->records == 0 || i <= worker->records; i++) {
        size_t size = oracle_line(producer->stream, i, line);

        atomic_store_explicit(&stream->attempted, i, memory_order_release);
        write_line(producer, stream, line, size);
        atomic_store_explicit(&stream->acknowledged, i, memory_order_release);
        if (worker->pause_ns > 0 && burst-- == 0) {
            burst = worker_random(&producer->random) % burst_max;
            rest(&producer->random, worker->pause_ns);
        }
    }
    return NULL;
}

/* Closing any descriptor of the lock file drops all of the process's locks on it. */
static void
touch_lock_file(const struct worker *worker)
{
    const char *slash = strrchr(worker->options.path, '/');
    char path[300];
    int fd;

    snprintf(path, sizeof(path), "%.*s/.%s.ring/lock",
             (int)(slash - worker->options.path), worker->options.path, slash + 1);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        close(fd);
    }
}

static void
meddle(const struct worker *worker)
{
    switch (worker->meddling) {
    case MEDDLING_NONE:
        break;
    case MEDDLING_LOCKS:
        touch_lock_file(worker);
        break;
    case MEDDLING_FDS:
        syscall(SYS_close_range, 3, ~0U, 0);
        break;
    }
}

static void
ask(struct writer *writer, uint64_t *random)
{
    static const enum request requests[] = {REQUEST_FLUSH,  REQUEST_FLUSH,
                                            REQUEST_FLUSH,  REQUEST_SYNC,
                                            REQUEST_ROTATE, REQUEST_REOPEN};
    enum request request = requests[worker_random(random) % 6];
    uint64_t ticket;
    int answer, error = writer_ask(writer, request, &ticket);

    if (error < 0) {
        fail("writer_ask", error);
    }
    if (!writer_wait_answer(writer, request, ticket, ask_limit_ns, &answer)) {
        return; /* the next one asks again */
    }
}

/* Besides the producers: asks and meddles until they are done. */
static void *
bother(void *context)
{
    struct producer *self = context;
    const struct worker *worker = self->worker;

    while (!atomic_load_explicit(&has_ended, memory_order_acquire)) {
        rest(&self->random, ask_pause_ns);
        if (worker->asks) {
            ask(self->writer, &self->random);
        }
        meddle(worker);
    }
    return NULL;
}

static void
start(pthread_t *thread, void *(*run)(void *), struct producer *producer)
{
    int error = pthread_create(thread, NULL, run, producer);

    if (error != 0) {
        fail("pthread_create", -error);
    }
}

static void
write_all(const struct worker *worker, struct writer *writer)
{
    struct producer producers[WORKER_THREADS_MAX + 1];
    pthread_t threads[WORKER_THREADS_MAX + 1];
    uint32_t count = worker->threads;
    bool bothers = worker->asks || worker->meddling != MEDDLING_NONE;

    for (uint32_t i = 0; i <= count; i++) {
        producers[i] = (struct producer){.worker = worker,
                                         .writer = writer,
                                         .stream = worker->stream + i,
                                         .random = worker->seed * 31 + i + 1};
        if (i < count || bothers) {
            start(&threads[i], i < count ? produce : bother, &producers[i]);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
    }
    atomic_store_explicit(&has_ended, true, memory_order_release);
    if (bothers) {
        pthread_join(threads[count], NULL);
    }
}

static void
set_faults(const struct worker *worker)
{
    sys_test_reset();
    if (worker->cut > 0) {
        sys_test_cut_write(worker->cut);
    }
    if (worker->fail_error != 0) {
        sys_test_fail(worker->fails, worker->fail_error, worker->fail_from, 1);
    }
}

/* A rest comes with a log that nobody writes to; the alarm of who started this process
 * ends it, should none come. */
static void
wait_for_rest(const struct writer *writer)
{
    static const struct timespec pause = {.tv_nsec = 1000 * 1000};

    while (!keeper_has(writer)) {
        nanosleep(&pause, NULL);
    }
}

void
worker_run(const struct worker *worker)
{
    bool has_fault = worker->cut > 0 || worker->fail_error != 0;
    struct writer *writer;
    int error;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    set_faults(worker);
    error = writer_open(&writer, has_fault ? &sys_test : &sys_posix, &worker->options);

    if (error < 0) {
        fail("writer_open", error);
    }
    write_all(worker, writer);
    if (worker->rests) {
        wait_for_rest(writer);
    }
    /* -EBUSY: somebody else will write what is left. */
    error = writer_close(writer, close_limit_ns);
    if (error < 0 && error != -EBUSY) {
        fail("writer_close", error);
    }
    _exit(0);
}
