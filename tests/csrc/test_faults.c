/* Every system call fails in turn: the N-th of its kind, for N = 1, 2, 3 … until a life
 * of a log has no N-th one, with every error that the kernel can give; once, and again
 * and again until the trouble ends. What must hold all the same: support_trial.h.
 */
#include "support.h"
#include "support_trial.h"

#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

/* Where everything is many times slower, of what a call is tried with each number gets
 * one, in turn. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||                   \
    !defined(__OPTIMIZE__)
static const bool is_slow = true;
#else
static const bool is_slow = false;
#endif

static uint32_t
count_errors(const int *errors)
{
    uint32_t count = 0;

    while (errors[count] != 0) {
        count++;
    }
    return count;
}

/* With every error, once and on and on. Tells whether there is a call of that number.
 */
static bool
fail_call(const struct trial_setting *setting, enum sys_call call, uint32_t number)
{
    const int *errors = fault_errors(call);
    uint32_t ways = 2 * count_errors(errors);
    bool comes = false;

    for (uint32_t i = 0; i < ways; i++) {
        struct fault fault = {.call = call,
                              .error = errors[i / 2],
                              .number = number,
                              .is_sticky = i % 2 == 1};
        if (!is_slow || i == number % ways) {
            comes |= trial_run(setting, &fault);
        }
    }
    return comes;
}

/* Parent and child take turns: waking another processor each time costs more. */
static void
stay_on_one_processor(void)
{
    cpu_set_t one;
    int current = sched_getcpu();

    CPU_ZERO(&one);
    if (current >= 0) {
        CPU_SET((size_t)current, &one);
        (void)sched_setaffinity(0, sizeof(one), &one);
    }
}

static void
fail_each_call(const struct trial_setting *setting)
{
    char folder[] = "/dev/shm/auditring-XXXXXX";

    /* So many small files: in memory they cost little. */
    CHECK(mkdtemp(folder) == NULL || chdir(folder) == 0);
    stay_on_one_processor();
    for (int call = 0; call < CALL_COUNT; call++) {
        uint32_t number = 1;
        while (fail_call(setting, (enum sys_call)call, number)) {
            number++;
        }
    }
    (void)rmdir(folder);
}

static void
a_new_log_survives_every_failing_call(void)
{
    static const struct trial_setting setting = {.name = "writing a new log",
                                                 .has_group = true};

    fail_each_call(&setting);
}

static void
a_torn_log_survives_every_failing_call(void)
{
    static const struct trial_setting setting = {.name = "finishing what the dead left",
                                                 .past = PAST_TORN};

    fail_each_call(&setting);
}

static void
a_log_of_an_earlier_boot_survives_every_failing_call(void)
{
    static const struct trial_setting setting = {
        .name = "saving what an earlier boot left", .past = PAST_BOOT};

    fail_each_call(&setting);
}

static void
a_log_with_numbered_backups_survives_every_failing_call(void)
{
    static const struct trial_setting setting = {.name = "numbering backups",
                                                 .dialect = DIALECT_STDLIB,
                                                 .durability = DURABILITY_INTERVAL,
                                                 .child = CHILD_STOPS};

    fail_each_call(&setting);
}

static void
a_synced_log_survives_every_failing_call(void)
{
    static const struct trial_setting setting = {.name = "syncing every batch",
                                                 .durability = DURABILITY_SYNC,
                                                 .past = PAST_MOVED,
                                                 .has_rings_path = true};

    fail_each_call(&setting);
}

static void
a_synced_log_with_numbered_backups_survives_every_failing_call(void)
{
    static const struct trial_setting setting = {
        .name = "syncing every batch and numbering backups",
        .dialect = DIALECT_STDLIB,
        .durability = DURABILITY_SYNC,
        .past = PAST_TORN,
        .child = CHILD_DIES};

    fail_each_call(&setting);
}

static void
a_stream_survives_every_failing_call(void)
{
    static const struct trial_setting setting = {.name = "writing to a pipe",
                                                 .is_stream = true};

    fail_each_call(&setting);
}

RUN(TEST(a_new_log_survives_every_failing_call),
    TEST(a_torn_log_survives_every_failing_call),
    TEST(a_log_of_an_earlier_boot_survives_every_failing_call),
    TEST(a_log_with_numbered_backups_survives_every_failing_call),
    TEST(a_synced_log_survives_every_failing_call),
    TEST(a_synced_log_with_numbered_backups_survives_every_failing_call),
    TEST(a_stream_survives_every_failing_call))
