#include "support_trial.h"

#include "support.h"
#include "support_log.h"
#include "support_verdict.h"
#include "support_writer.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const uint64_t s = 1000000000, ms = 1000000;

/* Steps in a row that find more to do at once, before it is a thread that spins. */
enum { STEPS_MAX = 200 };
/* Two lines a file; more where every rotation renames every backup. */
enum { MAX_BYTES = 20, MAX_BYTES_NUMBERED = 50, MAX_BACKUPS = 30 };
/* Seconds; a trial takes milliseconds. */
enum { TRIAL_LIMIT = 20 };

/* What a child tells its parent. */
struct news {
    bool is_written;
    uint32_t failed;
};

static struct trial {
    const struct trial_setting *setting;
    const struct fault *fault;
    struct account account;
    struct writer_options options;
    struct writer *writer;
    struct writer_ticket tickets[TRIAL_LINES];
    pid_t child; /* one that is stopped */
    uint32_t failed_openings; /* calls that failed in an opening that failed */
    int ends[2]; /* of a stream */
} trial;

static struct news *news;

#define EXPECT(condition)                                                              \
    verdict_expect(&trial.account, (condition), #condition, __FILE__, __LINE__)

static void
note_alarm(int signal)
{
    (void)signal;
    verdict_expect(&trial.account, false, "it comes to an end", __FILE__, __LINE__);
}

static void
try_open(void)
{
    uint32_t failed = sys_test_failed();
    int error = writer_open(&trial.writer, &sys_test, &trial.options);

    EXPECT(error <= 0);
    EXPECT((error == 0) == (trial.writer != NULL));
    if (error < 0) {
        trial.failed_openings += sys_test_failed() - failed;
    }
}

/* The one failure may come as late as here. */
static void
open_at_last(void)
{
    if (trial.writer == NULL) {
        try_open();
        EXPECT(trial.writer != NULL || !trial.fault->is_sticky);
    }
    if (trial.writer == NULL) {
        try_open();
        EXPECT(trial.writer != NULL);
    }
}

static void
put(void)
{
    struct account *account = &trial.account;
    char line[24];
    int size = snprintf(line, sizeof(line), "line %02d", account->lines);

    CHECK(account->lines < TRIAL_LINES);
    if (trial.writer != NULL) {
        account->is_written[account->lines] =
            writer_write(trial.writer, line, (size_t)size, true,
                         &trial.tickets[account->lines]) == 0;
    }
    account->lines++;
}

/* What the thread would do until it sleeps, and the sleep; if there is a thread. */
static void
work(void)
{
    uint64_t sleep_ns = 0;

    for (int i = 0; trial.writer != NULL && sleep_ns < ms / 10; i++) {
        if (!trial.writer->has_thread) {
            sys_test_advance(10 * ms);
            return;
        }
        EXPECT(i < STEPS_MAX);
        sleep_ns = drainer_step(trial.writer);
        sys_test_advance(sleep_ns > 1000 ? sleep_ns : 1000);
    }
}

static void
work_after(uint64_t ns)
{
    sys_test_advance(ns);
    work();
}

/* The answer, or -ETIMEDOUT when none came within the limit. */
static int
ask(enum request request, uint64_t limit_ns)
{
    uint64_t ticket, deadline = sys_test.now_mono() + limit_ns;
    int error = writer_ask(trial.writer, request, &ticket);

    if (error < 0) {
        return error;
    }
    do {
        work();
        if (control_is_done(&trial.writer->control, request, ticket)) {
            return control_answer(&trial.writer->control, request, ticket);
        }
    } while (sys_test.now_mono() < deadline);
    return -ETIMEDOUT;
}

/* While a call fails an answer may not come; nobody waits for it. */
static void
try_ask(enum request request)
{
    int error;

    if (trial.writer == NULL) {
        return;
    }
    error = ask(request, 0);
    EXPECT(error <= 0);
    if (request == REQUEST_SYNC && error == 0 && !trial.setting->is_stream) {
        EXPECT(verdict_is_all_there(&trial.account));
    }
}

static void
drop(void)
{
    if (trial.writer != NULL) {
        writer_drop(trial.writer, 10);
        trial.account.drops++;
    }
}

static void
live_as_child(void)
{
    struct writer_ticket ticket;
    static const char line[] = "line of the child";
    uint32_t failed = sys_test_failed();

    child_begin();
    writer_after_fork_child();
    news->is_written =
        writer_write(trial.writer, line, sizeof(line) - 1, true, &ticket) == 0;
    news->failed = sys_test_failed() - failed;
    if (trial.setting->child == CHILD_STOPS) {
        raise(SIGSTOP);
    }
    child_exit();
}

static void
fork_child(void)
{
    int status;

    if (trial.setting->child == CHILD_NONE || trial.writer == NULL) {
        return;
    }
    writer_before_fork();
    trial.child = fork();
    CHECK(trial.child >= 0);
    if (trial.child == 0) {
        live_as_child();
    }
    writer_after_fork_parent();
    CHECK_EQUAL(waitpid(trial.child, &status, WUNTRACED), trial.child);
    if (!WIFSTOPPED(status)) {
        EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        trial.child = 0;
    }
    trial.account.is_childs_written = news->is_written;
}

static void
end_child(void)
{
    if (trial.child > 0) {
        CHECK_EQUAL(kill(trial.child, SIGKILL), 0);
        CHECK_EQUAL(child_wait(trial.child), -SIGKILL);
        trial.child = 0;
    }
}

/* Opened, written, rotated by size and by request, synced, forked, left alone. */
static void
live(void)
{
    try_open();
    for (int i = 0; i < 3; i++) {
        put();
        work();
    }
    try_ask(REQUEST_ROTATE);
    put();
    fork_child();
    put();
    try_ask(REQUEST_SYNC);
    put();
    try_ask(REQUEST_REOPEN);
    drop();
    put();
    put();
    work_after(60 * ms);  /* the dead are looked for */
    work_after(600 * ms); /* and the live file */
}

static struct writer_stats
stats(void)
{
    struct writer_stats out;

    writer_stats(trial.writer, &out);
    return out;
}

static bool
is_healthy(void)
{
    return trial.writer->has_thread && stats().health == HEALTH_OK &&
           stats().ring_used == 0;
}

/* The one failure may come just now: then not a second time. */
static void
insist(enum request request)
{
    int error = ask(request, 2 * s);

    EXPECT(error == 0 || !trial.fault->is_sticky);
    EXPECT(error == 0 || ask(request, 2 * s) == 0);
}

static void
check_durable(void)
{
    for (int i = 0; i < trial.account.lines; i++) {
        EXPECT(!trial.account.is_written[i] ||
               writer_wait_durable(trial.writer, &trial.tickets[i], 0));
    }
}

/* Interruptions aside, whether a call failed that the log can know of. */
static bool
has_trouble(void)
{
    return trial.writer != NULL && trial.fault->error != EINTR &&
           sys_test_failed() > trial.failed_openings;
}

/* The trouble is over: two seconds later everything works. */
static void
recover(void)
{
    uint64_t deadline;

    if (trial.fault->is_sticky) {
        EXPECT(trial.fault->call != CALL_writev || !has_trouble() ||
               stats().health != HEALTH_OK);
        sys_test_heal();
    }
    open_at_last();
    put();
    EXPECT(trial.account.is_written[trial.account.lines - 1] ||
           !trial.fault->is_sticky);
    deadline = sys_test.now_mono() + 2 * s;
    work();
    while (!is_healthy() && sys_test.now_mono() < deadline) {
        work();
    }
    EXPECT(is_healthy());
    insist(REQUEST_ROTATE);
    insist(REQUEST_SYNC);
    insist(REQUEST_FLUSH);
    if (trial.setting->durability == DURABILITY_SYNC) {
        check_durable();
    }
    put();
}

/* A failure is never silent. One of a call that is not listed here shows elsewhere. */
static void
check_counters(void)
{
    const struct writer_stats now = stats();
    const uint64_t *counters = now.counters;

    trial.account.is_out_of_order = counters[COUNTER_false_deaths] > 0;
    if (!has_trouble()) {
        return;
    }
    switch (trial.fault->call) {
    case CALL_writev:
        EXPECT(counters[COUNTER_write_errors] > 0 || now.last_error != 0);
        break;
    case CALL_fdatasync:
    case CALL_syncfs:
        EXPECT(counters[COUNTER_sync_errors] > 0);
        trial.account.has_sync_failed = true;
        break;
    case CALL_rename:
    case CALL_rename_noreplace:
        EXPECT(counters[COUNTER_rotate_errors] > 0);
        break;
    default:
        break;
    }
}

/* The one failure may come while closing: then the next opener finishes. */
static void
end(void)
{
    int error = writer_close(trial.writer, 0);

    EXPECT(error == 0 || (error == -EBUSY && !trial.fault->is_sticky));
    sys_test_heal();
    end_child();
    trial.writer = NULL;
    try_open();
    EXPECT(trial.writer != NULL);
    work();
    check_counters();
    EXPECT(writer_close(trial.writer, 0) == 0);
}

/* Nobody reads the ring of a stream after us, so nothing may fail any more. */
static void
end_stream(void)
{
    sys_test_heal();
    check_counters();
    EXPECT(writer_close(trial.writer, 0) == 0);
}

static char *
stream_text(void)
{
    char *text = test_memory(65536);

    close(trial.ends[1]);
    CHECK(read(trial.ends[0], text, 65535) >= 0);
    close(trial.ends[0]);
    return text;
}

static void
set_options(void)
{
    const struct trial_setting *setting = trial.setting;

    trial.options = log_options();
    trial.options.durability = setting->durability;
    trial.options.settings.mode = TRIAL_MODE;
    trial.options.settings.dialect = setting->dialect;
    trial.options.settings.max_bytes = MAX_BYTES;
    trial.options.settings.sync_interval_ns = 10 * ms;
    if (setting->dialect == DIALECT_STDLIB) {
        trial.options.settings.max_bytes = MAX_BYTES_NUMBERED;
        trial.options.settings.max_backups = MAX_BACKUPS;
    }
    if (setting->has_group) {
        trial.options.settings.gid = getegid();
    }
    if (setting->has_rings_path) {
        CHECK_EQUAL(mkdir("rings", 0700), 0);
        trial.options.rings_path = "rings";
    }
    if (setting->is_stream) {
        CHECK_EQUAL(pipe(trial.ends), 0);
        trial.options.path = NULL;
        trial.options.stream_fd = trial.ends[1];
    }
}

static void
begin(const struct trial_setting *setting, const struct fault *fault)
{
    if (news == NULL) {
        news = shared_memory(sizeof(*news));
        CHECK(signal(SIGALRM, note_alarm) != SIG_ERR);
    }
    memset(news, 0, sizeof(*news));
    trial = (struct trial){.setting = setting,
                           .fault = fault,
                           .account = {.setting = setting, .fault = fault}};
    alarm(TRIAL_LIMIT);
    set_options();
    sys_test_reset();
    sys_test_stop_time();
    past_leave(setting->past, &trial.options);
}

bool
trial_run(const struct trial_setting *setting, const struct fault *fault)
{
    bool has_failed;

    begin(setting, fault);
    fault_begin(fault);
    live();
    recover();
    if (setting->is_stream) {
        end_stream();
    } else {
        end();
    }
    has_failed = sys_test_failed() + news->failed > 0;
    /* A descriptor that looks as if it were closed is forgotten, never closed. */
    EXPECT(sys_test_descriptors() == 0 ||
           (fault->call == CALL_fstat && fault->error == EBADF));
    /* While sync after sync fails, the next one is tried on the same file. */
    EXPECT(!sys_test_synced_after_failure() ||
           (fault->is_sticky && setting->durability == DURABILITY_INTERVAL));
    verdict_check(&trial.account, setting->is_stream ? stream_text() : NULL);
    test_forget_memory();
    folder_empty(".");
    alarm(0);
    return has_failed;
}
