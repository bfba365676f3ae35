#include "support_past.h"

#include "ownring.h"
#include "support.h"
#include "support_sys.h"
#include "support_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

static const uint64_t ms = 1000000;

static const struct writer_options *with;

/* A process with two rings that is gone in the middle of a batch. */
static void
live_as_dead(void)
{
    struct writer *writer = log_open(with);

    log_put(writer, "of the dead");
    log_step(writer, 10 * ms);
    log_put(writer, "of the dead, torn");
    sys_test_cut_write(7);
    sys_test_fail(CALL_writev, ENOSPC, 2, UINT32_MAX);
    log_step(writer, 10 * ms);
    log_put(writer, "of the dead, in its ring");
    CHECK_EQUAL(ownring_attach(writer, writer->current, COUNTER_COUNT), 0);
    log_put(writer, "of the dead, in another ring");
    child_exit();
}

static void
restart_machine(void)
{
    static const char boot_id[] = "0badb007-0000-4000-8000-000000000000";
    int fd = open(".audit.log.ring/ctl", O_WRONLY | O_CLOEXEC);

    CHECK(fd >= 0);
    CHECK_EQUAL(
        pwrite(fd, boot_id, sizeof(boot_id), offsetof(struct control_shared, boot_id)),
        sizeof(boot_id));
    close(fd);
}

void
past_leave(enum past past, const struct writer_options *options)
{
    if (past != PAST_NONE) {
        with = options;
        CHECK_EQUAL(child_wait(child_start(live_as_dead)), 0);
    }
    if (past == PAST_MOVED) {
        /* Younger than the backup that the dead made, if any. */
        CHECK_EQUAL(rename("audit.log", "audit-2100-01-02T03-04-05.678.log"), 0);
    }
    if (past == PAST_BOOT) {
        restart_machine();
    }
}
