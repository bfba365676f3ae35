/* support.h - what every C test is made of: tests, checks, waiting, a folder, children.
 *
 * A failed check prints where and what, and ends the process with status 1. Each test
 * runs in a folder of its own, which is the current one and is removed after it.
 *
 * Threads:  checks and waits from any; the rest from the thread that runs the test.
 */
#ifndef AUDITRING_SUPPORT_H
#define AUDITRING_SUPPORT_H

#include "testpoint.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct test {
    const char *name;
    void (*run)(void);
};
#define TEST(function) {#function, function}
#define RUN(...)                                                                       \
    int main(int argc, char **argv)                                                    \
    {                                                                                  \
        static const struct test tests[] = {__VA_ARGS__};                              \
        return test_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));         \
    }

/* Runs them all, or the one whose name is the first argument. */
int test_main(int argc, char **argv, const struct test *tests, size_t count);

/* Ends the running test: it can't be run here. */
void test_skip(const char *reason);

_Noreturn void test_fail(const char *file, int line, const char *what);
void test_equal(const char *file, int line, const char *what, int64_t actual,
                int64_t expected);
void test_same_text(const char *file, int line, const char *what, const char *actual,
                    const char *expected);

#define CHECK(condition)                                                               \
    ((condition) ? (void)0 : test_fail(__FILE__, __LINE__, #condition))
#define CHECK_EQUAL(actual, expected)                                                  \
    test_equal(__FILE__, __LINE__, #actual, (int64_t)(actual), (int64_t)(expected))
#define CHECK_TEXT(actual, expected)                                                   \
    test_same_text(__FILE__, __LINE__, #actual, (actual), (expected))

/* Waits until the condition holds; fails after a limit that no test should need. */
#define WAIT_UNTIL(condition)                                                          \
    for (uint64_t begin_ = test_wait_begin(); !(condition);) {                         \
        test_wait(__FILE__, __LINE__, #condition, begin_);                             \
    }
uint64_t test_wait_begin(void);
void test_wait(const char *file, int line, const char *what, uint64_t begin_ns);

/* What is in a file, with a NUL after it; NULL when there is none. Freed after the
 * test. */
char *file_text(const char *path);
size_t file_size(const char *path); /* -1: there is none */
void file_write(const char *path, const char *text);
bool file_exists(const char *path);

/* Removes everything in it. */
void folder_empty(const char *path);

/* Memory that is freed after the test, or when it says so. */
void *test_memory(size_t size);
void test_forget_memory(void);

/* Zeroed memory that children started later share. Kept until the program ends. */
void *shared_memory(size_t size);

/* Runs `run` in a child that exits with 0 unless a check fails in it. */
pid_t child_start(void (*run)(void));
/* Begins and ends a child that was not started so. */
void child_begin(void);
_Noreturn void child_exit(void);
/* Waits for it: its exit status, or the negative number of the signal that ended it. */
int child_wait(pid_t child);

/* Called at every test point, by whatever thread reaches it; NULL: nothing. Set it
 * while no thread runs. */
extern void (*test_point_hook)(enum test_point point);

/* How many descriptors this process has open. */
unsigned open_descriptors(void);

#endif
