#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const uint64_t wait_limit_ns = 20000000000U;
static const long wait_nap_ns = 200000;

struct block {
    struct block *next;
    char data[];
};

static const char *test_name = "";
static struct block *blocks;
static jmp_buf skipped;

static _Noreturn void
end(void)
{
    fflush(stderr);
    _exit(1);
}

void
test_fail(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: in %s: not so: %s\n", file, line, test_name, what);
    end();
}

void
test_equal(const char *file, int line, const char *what, int64_t actual,
           int64_t expected)
{
    if (actual != expected) {
        fprintf(stderr, "%s:%d: in %s: %s is %" PRId64 ", not %" PRId64 "\n", file,
                line, test_name, what, actual, expected);
        end();
    }
}

void
test_same_text(const char *file, int line, const char *what, const char *actual,
               const char *expected)
{
    if (actual == NULL || strcmp(actual, expected) != 0) {
        fprintf(stderr, "%s:%d: in %s: %s is\n%s\nnot\n%s\n", file, line, test_name,
                what, actual != NULL ? actual : "NULL", expected);
        end();
    }
}

uint64_t
test_wait_begin(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

void
test_wait(const char *file, int line, const char *what, uint64_t begin_ns)
{
    struct timespec nap = {.tv_nsec = wait_nap_ns};

    if (test_wait_begin() - begin_ns > wait_limit_ns) {
        fprintf(stderr, "%s:%d: in %s: waited in vain for: %s\n", file, line, test_name,
                what);
        end();
    }
    nanosleep(&nap, NULL);
}

void
test_skip(const char *reason)
{
    printf("%s: skipped: %s\n", test_name, reason);
    longjmp(skipped, 1);
}

void *
test_memory(size_t size)
{
    struct block *block = calloc(1, sizeof(*block) + size);

    CHECK(block != NULL);
    block->next = blocks;
    blocks = block;
    return block->data;
}

void
test_forget_memory(void)
{
    while (blocks != NULL) {
        struct block *block = blocks;
        blocks = block->next;
        free(block);
    }
}

size_t
file_size(const char *path)
{
    struct stat status;

    return lstat(path, &status) == 0 ? (size_t)status.st_size : (size_t)-1;
}

bool
file_exists(const char *path)
{
    return file_size(path) != (size_t)-1;
}

char *
file_text(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    char *text;

    if (fd < 0) {
        return NULL;
    }
    CHECK_EQUAL(fstat(fd, &status), 0);
    text = test_memory((size_t)status.st_size + 1);
    CHECK_EQUAL(read(fd, text, (size_t)status.st_size), status.st_size);
    close(fd);
    return text;
}

void
file_write(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    CHECK(fd >= 0);
    CHECK_EQUAL(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

unsigned
open_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    unsigned count = 0;

    CHECK(directory != NULL);
    while (readdir(directory) != NULL) {
        count++;
    }
    closedir(directory);
    return count - 3; /* ".", "..", and the directory itself */
}

void *
shared_memory(size_t size)
{
    void *address =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    CHECK(address != MAP_FAILED);
    return address;
}

/* Under gcov only: a process that ends with _exit would lose its counts, and one that
 * begins with those of its parent would add them once more. */
extern void __gcov_dump(void) __attribute__((weak));
extern void __gcov_reset(void) __attribute__((weak));

void
child_begin(void)
{
    if (__gcov_reset != NULL) {
        __gcov_reset();
    }
}

void
child_exit(void)
{
    if (__gcov_dump != NULL) {
        __gcov_dump();
    }
    _exit(0);
}

pid_t
child_start(void (*run)(void))
{
    pid_t child = fork();

    CHECK(child >= 0);
    if (child == 0) {
        child_begin();
        run();
        child_exit();
    }
    return child;
}

int
child_wait(pid_t child)
{
    int status;

    while (waitpid(child, &status, 0) < 0) {
        CHECK_EQUAL(errno, EINTR);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static bool
is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

void
folder_empty(const char *path)
{
    DIR *directory = opendir(path);
    struct dirent *entry;

    CHECK(directory != NULL);
    while ((entry = readdir(directory)) != NULL) {
        int at = dirfd(directory);
        char inner[512];

        if (is_dots(entry->d_name) || unlinkat(at, entry->d_name, 0) == 0) {
            continue;
        }
        snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
        folder_empty(inner);
        CHECK_EQUAL(rmdir(inner), 0);
    }
    closedir(directory);
}

static void
run_test(const struct test *test)
{
    char folder[] = "/tmp/auditring-XXXXXX";

    test_name = test->name;
    CHECK(mkdtemp(folder) != NULL);
    CHECK_EQUAL(chdir(folder), 0);
    if (setjmp(skipped) == 0) {
        test->run();
    }
    test_point_hook = NULL;
    test_forget_memory();
    CHECK_EQUAL(chdir("/"), 0);
    folder_empty(folder);
    CHECK_EQUAL(rmdir(folder), 0);
}

int
test_main(int argc, char **argv, const struct test *tests, size_t count)
{
    bool is_known = false;

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < count; i++) {
        if (argc < 2 || strcmp(argv[1], tests[i].name) == 0) {
            is_known = true;
            run_test(&tests[i]);
        }
    }
    return is_known ? 0 : 2;
}
