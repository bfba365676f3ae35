#include "speaker.h"

#include "drainer.h"
#include "losscount.h"
#include "ownring.h"
#include "wait.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t ms = 1000000U, second = 1000000000U;
static const uint64_t grace_ns = 500 * ms, fine_ns = 1000 * ms;
static const uint64_t repeat_ns = 60 * second;
/* A pass of a leader that gets on begins every 20 ms. */
static const uint64_t stopped_ns = 1000 * ms, slow_ns = 3000 * ms;
static const size_t stack_size = 64 * 1024;
static const int reader_patience_ms = 10000;

/* Of all logs of the process: a word to wait on. */
static _Atomic uint32_t news;

/* The leader. */

static uint64_t
silence(const struct control_shared *shared, uint64_t now)
{
    uint64_t beat = atomic_load_explicit(&shared->heartbeat_ns, memory_order_relaxed);

    return beat != 0 && beat < now ? now - beat : 0;
}

/* Whether it can be told that the process is halted, by a signal or a debugger. */
static bool
is_stopped(const struct writer *writer, const struct control_slot *slot,
           struct sys_process *process)
{
    if (slot->pid_namespace != writer->leader.pid_namespace ||
        writer->sys->process(slot->pid, process) < 0 ||
        process->start_time != slot->start_time) {
        return false;
    }
    return process->state == 'T' || process->state == 't';
}

static enum health
look_at_leader(const struct writer *writer, struct speaker_view *view)
{
    const struct control_shared *shared = writer->control.shared;
    uint32_t leader = atomic_load_explicit(&shared->leader, memory_order_relaxed);
    struct sys_process process = {0};

    if (writer->is_private || leader == 0 || leader > CONTROL_SLOTS) {
        return HEALTH_OK;
    }
    view->leader_pid = shared->slots[leader - 1].pid;
    view->silent_ns = silence(shared, writer->sys->now_mono());
    if (view->silent_ns < stopped_ns) {
        return HEALTH_OK;
    }
    if (is_stopped(writer, &shared->slots[leader - 1], &process)) {
        return HEALTH_LEADER_STOPPED;
    }
    return view->silent_ns < slow_ns ? HEALTH_OK : HEALTH_LEADER_HANGS;
}

void
speaker_view(const struct writer *writer, struct speaker_view *out)
{
    const struct control_shared *shared = writer->control.shared;
    enum health of_leader, of_disk;

    *out = (struct speaker_view){0};
    of_leader = look_at_leader(writer, out);
    of_disk = (enum health)atomic_load_explicit(&shared->health, memory_order_relaxed);
    if ((uint32_t)of_disk >= HEALTH_COUNT) {
        of_disk = HEALTH_DISK_ERROR; /* somebody else wrote there */
    }
    out->health = of_leader != HEALTH_OK ? of_leader : of_disk;
    if (of_leader == HEALTH_OK && of_disk != HEALTH_OK) {
        out->error = atomic_load_explicit(&shared->last_error, memory_order_relaxed);
    }
}

/* Words. */

static void
put_name(char *out, size_t size, const char *name)
{
    size_t i;

    for (i = 0; i + 1 < size && name[i] != '\0'; i++) {
        out[i] = name[i] >= ' ' && name[i] <= '~' ? name[i] : '?';
    }
    out[i] = '\0';
}

static int
name_leader(const struct writer *writer, int32_t pid, char *out, size_t size)
{
    struct sys_process process = {0};
    uint32_t leader =
        atomic_load_explicit(&writer->control.shared->leader, memory_order_relaxed);
    const struct control_slot *slot =
        &writer->control.shared
             ->slots[leader == 0 || leader > CONTROL_SLOTS ? 0 : leader - 1];
    char name[sizeof(process.name)];

    if (pid == writer->leader.pid) {
        return snprintf(out, size, "this process (%d)", (int)pid);
    }
    if (slot->pid_namespace != writer->leader.pid_namespace) {
        return snprintf(out, size, "a process of another container (%d there)",
                        (int)pid);
    }
    if (writer->sys->process(pid, &process) < 0 || !process.running) {
        return snprintf(out, size, "process %d", (int)pid);
    }
    put_name(name, sizeof(name), process.name);
    return snprintf(out, size, "process %d (%s, user %u)", (int)pid, name,
                    (unsigned)process.uid);
}

static void
put_trouble(const struct writer *writer, const struct speaker_view *view, char *out,
            size_t size)
{
    char who[128], why[128];
    unsigned long long silent_s = view->silent_ns / second;

    switch (view->health) {
    case HEALTH_OK:
        out[0] = '\0';
        return;
    case HEALTH_LEADER_STOPPED:
        name_leader(writer, view->leader_pid, who, sizeof(who));
        snprintf(out, size,
                 "%s writes the file for all and is stopped, for %llu s; lines wait"
                 " until it goes on (kill -CONT %d) or ends",
                 who, silent_s, (int)view->leader_pid);
        return;
    case HEALTH_LEADER_HANGS:
        name_leader(writer, view->leader_pid, who, sizeof(who));
        snprintf(out, size,
                 "%s writes the file for all and has not got on for %llu s; lines wait"
                 " until it does or ends",
                 who, silent_s);
        return;
    case HEALTH_ROTATION_FAILS:
        snprintf(out, size, "it can't be rotated: %s; it goes on growing",
                 strerror_r(-view->error, why, sizeof(why)));
        return;
    case HEALTH_DISK_FULL:
    case HEALTH_DISK_ERROR:
        break;
    }
    snprintf(out, size, "%s; lines wait in the ring",
             strerror_r(-view->error, why, sizeof(why)));
}

static uint64_t
dropped_so_far(struct writer *writer)
{
    struct own_ring *own = ownring_current(writer);

    return own == NULL ? 0
                       : atomic_load_explicit(&own->ring.shared->dropped_count,
                                              memory_order_relaxed);
}

static void
put_numbers(struct writer *writer, uint64_t now, char *out, size_t size)
{
    const struct speaker *speaker = &writer->speaker;
    struct own_ring *own = ownring_current(writer);
    uint64_t dropped = dropped_so_far(writer);
    int used = 0;

    out[0] = '\0';
    if (speaker->view.health == HEALTH_OK || now - speaker->since_ns > 2 * second) {
        used = snprintf(out, size, ", for %llu s",
                        (unsigned long long)((now - speaker->since_ns) / second));
    }
    if (own != NULL && ring_tail(&own->ring) > ring_head(&own->ring)) {
        used += snprintf(
            out + used, size - (size_t)used, "; %llu bytes of this process wait",
            (unsigned long long)(ring_tail(&own->ring) - ring_head(&own->ring)));
    }
    if (dropped > speaker->dropped_before &&
        losscount_is_possible(dropped, speaker->dropped_before)) {
        snprintf(out + used, size - (size_t)used, "; lines dropped: %llu",
                 (unsigned long long)(dropped - speaker->dropped_before));
    }
}

/* Standard error. */

struct line {
    size_t size;
    char text[SPEAKER_TEXT_SIZE + sizeof("auditring: \n")];
};

static void *
print(void *context)
{
    struct line *line = context;

    pthread_detach(pthread_self());
    if (sys_posix.poll_writable(2, reader_patience_ms) > 0) {
        (void)sys_posix.write(2, line->text, line->size);
    }
    free(line);
    return NULL;
}

/* In a thread of its own: nobody may read there, and the log has to go on. */
static void
print_aside(const char *text)
{
    struct line *line;
    pthread_t thread;
    int flags = sys_posix.fd_flags(2);

    if (flags < 0 || (flags & FD_CLOEXEC) != 0 ||
        (line = malloc(sizeof(*line))) == NULL) {
        return;
    }
    line->size =
        (size_t)snprintf(line->text, sizeof(line->text), "auditring: %s\n", text);
    if (sys_posix.thread_start(&thread, stack_size, print, line) < 0) {
        free(line);
    }
}

/* A leader that doesn't get on has none. */
static int
errno_of(const struct speaker_view *view)
{
    if (view->health == HEALTH_OK) {
        return 0;
    }
    return view->error < 0 ? view->error : -EAGAIN;
}

static void
say(struct writer *writer, const char *what, uint64_t now)
{
    struct speaker *speaker = &writer->speaker;
    char text[SPEAKER_TEXT_SIZE], numbers[160];

    put_numbers(writer, now, numbers, sizeof(numbers));
    if (writer->is_private) {
        snprintf(text, sizeof(text), "-: %s%s", what, numbers);
    } else {
        snprintf(text, sizeof(text), "%.200s/%s: %s%s", writer->directory, writer->name,
                 what, numbers);
    }
    print_aside(text);
    pthread_mutex_lock(&writer->mutex);
    memcpy(speaker->said_text, text, sizeof(text));
    speaker->said_error = errno_of(&speaker->view);
    pthread_mutex_unlock(&writer->mutex);
    atomic_fetch_add_explicit(&speaker->said, 1, memory_order_release); /* said:B */
    speaker_wake_news();
}

static void
suffer(struct writer *writer, const struct speaker_view *view, uint64_t now)
{
    struct speaker *speaker = &writer->speaker;
    char what[512];

    if (speaker->view.health == HEALTH_OK) {
        speaker->since_ns = now;
        speaker->next_ns = now + grace_ns;
        speaker->dropped_before = dropped_so_far(writer);
    } else if (speaker->view.health != view->health && speaker->next_ns > now) {
        speaker->next_ns = now + grace_ns; /* another trouble is news */
    }
    speaker->view = *view;
    speaker->fine_since_ns = 0;
    if (now < speaker->next_ns) {
        return;
    }
    put_trouble(writer, view, what, sizeof(what));
    say(writer, what, now);
    speaker->is_told = true;
    speaker->next_ns = now + repeat_ns;
}

static void
be_fine(struct writer *writer, uint64_t now)
{
    struct speaker *speaker = &writer->speaker;

    if (speaker->view.health == HEALTH_OK) {
        return;
    }
    if (speaker->fine_since_ns == 0) {
        speaker->fine_since_ns = now;
    }
    if (!speaker->is_told || now - speaker->fine_since_ns >= fine_ns) {
        speaker->view.health = HEALTH_OK;
        if (speaker->is_told) {
            say(writer, "it gets on again", now);
        }
        speaker->is_told = false;
    }
}

/* Whoever waits for standard output hears by himself that nobody reads it. */
static bool
is_for_others(const struct writer *writer, const struct speaker_view *view)
{
    return writer->is_private && view->error == -EPIPE;
}

void
speaker_look(struct writer *writer)
{
    struct speaker *speaker = &writer->speaker;
    struct speaker_view view;
    uint64_t now = writer->sys->now_mono();

    if (writer->control.shared == NULL ||
        /* looking:A */
        atomic_exchange_explicit(&speaker->is_looking, 1, memory_order_acquire) != 0) {
        return;
    }
    speaker_view(writer, &view);
    if (view.health != HEALTH_OK && !is_for_others(writer, &view)) {
        suffer(writer, &view, now);
    } else {
        be_fine(writer, now);
    }
    /* looking:B */
    atomic_store_explicit(&speaker->is_looking, 0, memory_order_release);
}

void
speaker_forget(struct writer *writer)
{
    struct speaker *speaker = &writer->speaker;

    atomic_store_explicit(&speaker->is_looking, 0, memory_order_relaxed);
    speaker->view = (struct speaker_view){0};
    speaker->is_told = false;
    speaker->fine_since_ns = 0;
}

uint32_t
speaker_news(void)
{
    return atomic_load_explicit(&news, memory_order_acquire); /* wake:A */
}

void
speaker_wait_news(uint32_t seen, uint64_t limit_ns)
{
    wait_word(&sys_posix, &news, seen, limit_ns);
}

void
speaker_wake_news(void)
{
    wait_wake(&sys_posix, &news);
}

void
speaker_describe(struct writer *writer, char text[SPEAKER_TEXT_SIZE])
{
    struct speaker_view view;

    speaker_view(writer, &view);
    put_trouble(writer, &view, text, SPEAKER_TEXT_SIZE);
}

void
writer_describe(struct writer *writer, char *text, size_t size)
{
    char whole[SPEAKER_TEXT_SIZE];

    speaker_describe(writer, whole);
    snprintf(text, size, "%s", whole);
}

void
writer_look(struct writer *writer)
{
    speaker_look(writer);
}

uint32_t
writer_said(struct writer *writer, char *text, size_t size, int *error)
{
    /* said:A */
    uint32_t said = atomic_load_explicit(&writer->speaker.said, memory_order_acquire);

    pthread_mutex_lock(&writer->mutex);
    snprintf(text, size, "%s", writer->speaker.said_text);
    *error = writer->speaker.said_error;
    pthread_mutex_unlock(&writer->mutex);
    return said;
}
