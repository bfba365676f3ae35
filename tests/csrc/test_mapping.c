/* A mapped file is cut: whoever has it mapped lives on, and knows.
 *
 * Who may be there: a second thread that faults on the same pages; a handler of SIGBUS
 * that was there before ours, or came after it and hands on by raising the signal, or
 * keeps it; a file that isn't ours; a forked child, in which another file lies where a
 * mapping was; a signal that somebody sent.
 */
#include "mapping.h"

#include "support.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGES = 8 };

static size_t page;

static int
new_file(const char *name)
{
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);

    page = sys_posix.page_size();
    CHECK(fd >= 0);
    CHECK_EQUAL(ftruncate(fd, (off_t)(PAGES * page)), 0);
    return fd;
}

static struct mapping *
map_file(int fd)
{
    struct mapping *mapping;

    CHECK_EQUAL(mapping_open(&mapping, &sys_posix, fd, PAGES * page), 0);
    return mapping;
}

static volatile uint8_t *
byte_of(const struct mapping *mapping, size_t at_page)
{
    return (uint8_t *)mapping_address(mapping) + at_page * page;
}

static void
cut(int fd, size_t pages)
{
    CHECK_EQUAL(ftruncate(fd, (off_t)(pages * page)), 0);
}

static void
pages_that_are_gone_read_as_zeros_and_can_be_written_to(void)
{
    int fd = new_file("cut");
    struct mapping *mapping = map_file(fd);

    *byte_of(mapping, 2) = 7;
    CHECK(!mapping_is_cut(mapping));
    cut(fd, 0);

    CHECK_EQUAL(*byte_of(mapping, 2), 0);
    *byte_of(mapping, 1) = 8;
    *byte_of(mapping, 0) = 9;

    CHECK(mapping_is_cut(mapping));
    CHECK_EQUAL(*byte_of(mapping, 0), 9);
    CHECK_EQUAL(*byte_of(mapping, 1), 8);
    mapping_close(mapping);
    close(fd);
}

static void
what_a_cut_left_stays_the_file_s(void)
{
    int fd = new_file("cut");
    struct mapping *mapping = map_file(fd);
    uint8_t there;

    cut(fd, 3);
    *byte_of(mapping, 5) = 1;
    *byte_of(mapping, 2) = 42;

    CHECK_EQUAL(pread(fd, &there, 1, (off_t)(2 * page)), 1);
    CHECK_EQUAL(there, 42);
    mapping_close(mapping);
    close(fd);
}

static void
who_asked_for_it_is_told(void)
{
    int fd = new_file("cut");
    struct mapping *mapping = map_file(fd);
    _Atomic uint32_t early = 1, late = 0;

    mapping_tell(mapping, &early, 4);
    cut(fd, 0);
    CHECK_EQUAL(early, 1);
    (void)*byte_of(mapping, 0);
    CHECK_EQUAL(early, 5);

    mapping_tell(mapping, &late, 2);
    CHECK_EQUAL(late, 2);
    mapping_close(mapping);
    close(fd);
}

static void
a_probe_finds_a_cut_that_nobody_touched(void)
{
    int fd = new_file("cut");
    struct mapping *mapping = map_file(fd);

    CHECK(!mapping_probe(mapping));
    cut(fd, 7);
    CHECK(!mapping_is_cut(mapping));

    CHECK(mapping_probe(mapping));
    mapping_close(mapping);
    close(fd);
}

/* Stores to each page in turn, and expects to find there what it stored. */
static void *
store_everywhere(void *context)
{
    const struct mapping *mapping = context;

    for (size_t i = 0; i < PAGES; i++) {
        _Atomic uint8_t *at = (_Atomic uint8_t *)byte_of(mapping, PAGES - 1 - i);
        atomic_fetch_add_explicit(at, 1, memory_order_relaxed);
    }
    return NULL;
}

static void
threads_that_fault_at_once_lose_nothing_that_was_stored_after(void)
{
    for (int round = 0; round < 50; round++) {
        int fd = new_file("cut");
        struct mapping *mapping = map_file(fd);
        pthread_t threads[4];

        cut(fd, 0);
        for (int i = 0; i < 4; i++) {
            CHECK_EQUAL(pthread_create(&threads[i], NULL, store_everywhere, mapping),
                        0);
        }
        for (int i = 0; i < 4; i++) {
            pthread_join(threads[i], NULL);
        }
        for (size_t i = 0; i < PAGES; i++) {
            CHECK_EQUAL(*byte_of(mapping, i), 4);
        }
        mapping_close(mapping);
        close(fd);
    }
}

struct race {
    const struct mapping *mapping;
    _Atomic bool begins;
};

static void *
touch_the_first(void *context)
{
    struct race *race = context;

    while (!atomic_load_explicit(&race->begins, memory_order_acquire)) {
    }
    (void)*byte_of(race->mapping, 0);
    return NULL;
}

/* told:SC: the one marks and then looks whom to tell, the other says whom to tell and
 * then looks for the mark. */
static void
who_asks_while_it_is_cut_is_told(void)
{
    for (int round = 0; round < 2000; round++) {
        int fd = new_file("cut");
        struct mapping *mapping = map_file(fd);
        struct race race = {.mapping = mapping};
        _Atomic uint32_t word = 0;
        pthread_t thread;

        cut(fd, 0);
        CHECK_EQUAL(pthread_create(&thread, NULL, touch_the_first, &race), 0);
        atomic_store_explicit(&race.begins, true, memory_order_release);
        for (volatile int i = 0; i < round; i++) {
        }
        mapping_tell(mapping, &word, 2);
        pthread_join(thread, NULL);
        CHECK_EQUAL(word, 2);
        mapping_close(mapping);
        close(fd);
    }
}

static void
many_mappings_are_all_known(void)
{
    enum { MANY = 200 };
    struct mapping *mappings[MANY];
    int fd = new_file("cut");

    for (int i = 0; i < MANY; i++) {
        mappings[i] = map_file(fd);
    }
    cut(fd, 0);
    for (int i = 0; i < MANY; i++) {
        CHECK_EQUAL(*byte_of(mappings[i], 3), 0);
        CHECK(mapping_is_cut(mappings[i]));
    }
    for (int i = 0; i < MANY; i++) {
        mapping_close(mappings[i]);
    }
    close(fd);
}

/* The wait status of a child that does it, then ends by exit(0). */
static int
ending_of(void (*act)(void))
{
    int status;
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0) {
        alarm(60);
        act();
        _exit(0);
    }
    CHECK_EQUAL(waitpid(pid, &status, 0), pid);
    return status;
}

/* A sanitizer makes an exit code of it. */
static bool
is_killed(int status)
{
    return status != 0 && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM);
}

static volatile uint8_t *
map_foreign(int fd)
{
    return mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

static void
touch_cut_file_of_somebody_else(void)
{
    int own = new_file("own"), fd = new_file("foreign");
    volatile uint8_t *foreign = map_foreign(fd);

    map_file(own);
    cut(fd, 0);
    foreign[0] = 1;
}

static void
a_fault_that_is_not_ours_still_kills(void)
{
    CHECK(is_killed(ending_of(touch_cut_file_of_somebody_else)));
}

static volatile sig_atomic_t handled;
static volatile uint8_t *mended;

static void
mend_own(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)context;
    handled++;
    if (info->si_addr == (void *)mended) {
        mmap((void *)mended, page, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    }
}

static void
install(void (*handler)(int, siginfo_t *, void *), struct sigaction *before)
{
    struct sigaction action = {.sa_sigaction = handler,
                               .sa_flags = SA_SIGINFO | SA_NODEFER};

    CHECK_EQUAL(sigaction(SIGBUS, &action, before), 0);
}

static void
fault_on_both(void)
{
    int own_fd = new_file("own"), fd = new_file("foreign");
    struct mapping *mapping;

    mended = map_foreign(fd);
    mapping = map_file(own_fd);
    mapping_watch();
    cut(fd, 0);
    cut(own_fd, 0);

    mended[0] = 5;
    *byte_of(mapping, 0) = 6;

    CHECK_EQUAL(handled, 1);
    CHECK(mapping_is_cut(mapping));
}

static void
handler_before(void)
{
    install(mend_own, NULL);
    fault_on_both();
}

static void
handler_after(void)
{
    close(new_file("first"));
    map_file(open("first", O_RDWR));
    install(mend_own, NULL);
    fault_on_both();
}

static void
handlers_of_others_get_what_is_theirs(void)
{
    CHECK_EQUAL(ending_of(handler_before), 0);
    CHECK_EQUAL(ending_of(handler_after), 0);
}

static struct sigaction restored;

/* As Python's faulthandler does it. */
static void
restore_and_raise(int signal, siginfo_t *info, void *context)
{
    (void)info, (void)context;
    handled++;
    sigaction(signal, &restored, NULL);
    raise(signal);
}

static void
raised_again(void)
{
    int fd = new_file("own");
    struct mapping *mapping = map_file(fd);

    install(restore_and_raise, &restored);
    cut(fd, 2);
    *byte_of(mapping, 4) = 6;

    CHECK_EQUAL(handled, 1);
    CHECK(mapping_is_cut(mapping));
    CHECK_EQUAL(*byte_of(mapping, 4), 6);
}

static void
a_handler_that_raises_the_signal_again_comes_to_ours(void)
{
    CHECK_EQUAL(ending_of(raised_again), 0);
}

static void
raised_in_a_circle(void)
{
    int own = new_file("own"), fd = new_file("foreign");
    volatile uint8_t *foreign = map_foreign(fd);

    map_file(own);
    install(restore_and_raise, &restored);
    mapping_watch(); /* each of the two hands on to the other now */
    cut(fd, 0);
    foreign[0] = 1;
}

static void
handlers_that_hand_on_to_each_other_still_kill(void)
{
#ifdef __SANITIZE_THREAD__
    test_skip("the sanitizer's own handler does not raise again");
#endif
    CHECK(is_killed(ending_of(raised_in_a_circle)));
}

static void
send_to_self(void)
{
    map_file(new_file("own"));
    kill(getpid(), SIGBUS);
    pause();
}

static void
ignore_and_send_to_self(void)
{
    signal(SIGBUS, SIG_IGN);
    map_file(new_file("own"));
    kill(getpid(), SIGBUS);
}

static void
a_signal_that_somebody_sent_does_what_it_did(void)
{
    CHECK(is_killed(ending_of(send_to_self)));
    CHECK_EQUAL(ending_of(ignore_and_send_to_self), 0);
}

static struct mapping *parents;

static void
fault_where_a_mapping_was(void)
{
    int fd = new_file("foreign");
    volatile uint8_t *at = (uint8_t *)mapping_address(parents);

    mapping_after_fork();
    CHECK(mmap((void *)at, PAGES * page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
               fd, 0) == at);
    cut(fd, 0);
    at[0] = 1;
}

static void
touch_inherited(void)
{
    mapping_after_fork();
    *byte_of(parents, 0) = 1;
    CHECK(mapping_is_cut(parents));
}

static void
a_child_has_the_mappings_that_are_not_kept_from_it(void)
{
    int fd = new_file("own");

    parents = map_file(fd);
    cut(fd, 0);
    CHECK_EQUAL(ending_of(touch_inherited), 0);
    mapping_keep_from_children(parents);
    CHECK(is_killed(ending_of(fault_where_a_mapping_was)));
    mapping_close(parents);
    close(fd);
}

RUN(TEST(pages_that_are_gone_read_as_zeros_and_can_be_written_to),
    TEST(what_a_cut_left_stays_the_file_s), TEST(who_asked_for_it_is_told),
    TEST(a_probe_finds_a_cut_that_nobody_touched),
    TEST(threads_that_fault_at_once_lose_nothing_that_was_stored_after),
    TEST(who_asks_while_it_is_cut_is_told), TEST(many_mappings_are_all_known),
    TEST(a_fault_that_is_not_ours_still_kills),
    TEST(handlers_of_others_get_what_is_theirs),
    TEST(a_handler_that_raises_the_signal_again_comes_to_ours),
    TEST(handlers_that_hand_on_to_each_other_still_kill),
    TEST(a_signal_that_somebody_sent_does_what_it_did),
    TEST(a_child_has_the_mappings_that_are_not_kept_from_it))
