#include "trouble.h"

#include "yielding.h"

#include <errno.h>

static const uint64_t ms = 1000000U;
const uint64_t trouble_pause_ns = 50 * ms;
static const uint64_t retry_max_ns = 1000 * ms;

bool
trouble_is_full_disk(int error)
{
    return error == -ENOSPC || error == -EDQUOT;
}

void
trouble_note(struct writer *writer, int error)
{
    uint64_t pause = trouble_pause_ns << (writer->failures < 5 ? writer->failures : 5);

    writer->failures++;
    writer->next_retry_ns =
        writer->sys->now_mono() + (pause < retry_max_ns ? pause : retry_max_ns);
    control_note_error(&writer->control, error);
    yielding_note(writer, error);
    atomic_store_explicit(&writer->control.shared->health,
                          trouble_is_full_disk(error) ? HEALTH_DISK_FULL
                                                      : HEALTH_DISK_ERROR,
                          memory_order_relaxed);
}

void
trouble_note_rotation(struct writer *writer, int error)
{
    writer->rotation_failures = error < 0 ? writer->rotation_failures + 1 : 0;
    writer->rotation_settings = atomic_load_explicit(
        &writer->control.shared->settings_version, memory_order_relaxed);
    if (error < 0) {
        control_note_error(&writer->control, error);
    }
    if (writer->failures == 0) {
        trouble_end(writer);
    }
}

/* What is left once lines get to the file: a rotation that failed again, and was not
 * made needless by other settings. */
static uint32_t
health_of_rotation(const struct writer *writer)
{
    return writer->rotation_failures > 1 &&
                   writer->rotation_settings ==
                       atomic_load_explicit(&writer->control.shared->settings_version,
                                            memory_order_relaxed)
               ? HEALTH_ROTATION_FAILS
               : HEALTH_OK;
}

void
trouble_end(struct writer *writer)
{
    _Atomic uint32_t *health = &writer->control.shared->health;
    uint32_t now = health_of_rotation(writer);

    if (writer->failures > 0) {
        writer->failures = 0;
        writer->next_retry_ns = 0;
    }
    /* It may also be the trouble of an earlier leader that is over. */
    if (atomic_load_explicit(health, memory_order_relaxed) != now) {
        atomic_store_explicit(health, now, memory_order_relaxed);
    }
}
