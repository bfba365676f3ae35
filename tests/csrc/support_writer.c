#include "support_writer.h"

#include "support.h"
#include "support_sys.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const uint64_t limit_ns = UINT64_C(20000000000);
static const uint64_t slice_ns = 10 * 1000 * 1000;

struct writer_options
log_options(void)
{
    return (struct writer_options){.path = "audit.log",
                                   .ring_bytes = RING_CAPACITY_MIN,
                                   .settings = {.mode = 0600, .gid = (uint32_t)-1}};
}

struct writer *
log_open(const struct writer_options *options)
{
    struct writer *writer = NULL;

    CHECK_EQUAL(writer_open(&writer, &sys_test, options), 0);
    return writer;
}

struct writer *
log_open_default(void)
{
    struct writer_options options = log_options();

    return log_open(&options);
}

struct writer *
log_open_stepped(const struct writer_options *options)
{
    sys_test_reset();
    sys_test_stop_time();
    return options != NULL ? log_open(options) : log_open_default();
}

int
log_try(struct writer *writer, const char *text)
{
    struct writer_ticket ticket;
    char line[65536];
    int size = snprintf(line, sizeof(line), "line %s", text);

    CHECK(size < (int)sizeof(line));
    return writer_write(writer, line, (size_t)size, true, &ticket);
}

void
log_put(struct writer *writer, const char *text)
{
    CHECK_EQUAL(log_try(writer, text), 0);
}

/* One step, and the sleep after it. */
static uint64_t
step_once(struct writer *writer)
{
    uint64_t sleep_ns = drainer_step(writer);

    sys_test_advance(sleep_ns);
    return sleep_ns;
}

void
log_step(struct writer *writer, uint64_t ns)
{
    uint64_t end = sys_test.now_mono() + ns;

    CHECK(sys_test_is_stopped());
    while (sys_test.now_mono() < end) {
        if (step_once(writer) == 0) {
            sys_test_advance(1000); /* there is more to do, and that takes time */
        }
    }
}

int
log_ask(struct writer *writer, enum request request, uint64_t within_ns)
{
    uint64_t ticket, deadline;
    int error = writer_ask(writer, request, &ticket);

    if (error < 0) {
        return error;
    }
    deadline = sys_test.now_mono() + within_ns;
    do {
        if (sys_test_is_stopped()) {
            step_once(writer);
        }
        if (writer_wait_answer(writer, request, ticket, slice_ns, &error) == 1) {
            return error;
        }
    } while (sys_test.now_mono() < deadline);
    return -ETIMEDOUT;
}

void
log_flush(struct writer *writer)
{
    CHECK_EQUAL(log_ask(writer, REQUEST_FLUSH, limit_ns), 0);
}

void
log_close(struct writer *writer)
{
    uint64_t patience_ns = sys_test_is_stopped() ? 0 : limit_ns;

    CHECK_EQUAL(writer_close(writer, patience_ns), 0);
    CHECK_EQUAL(sys_test_descriptors(), 0);
}

uint32_t
log_health(struct writer *writer)
{
    struct writer_stats stats;

    writer_stats(writer, &stats);
    return stats.health;
}

uint64_t
log_counter(struct writer *writer, enum control_counter counter)
{
    struct writer_stats stats;

    writer_stats(writer, &stats);
    return stats.counters[counter];
}
