/* memory_copy - the limit below all others: memcpy of each line into a buffer.
 *
 * Copies COUNT lines, cycling those of LINES_FILE, one after another into a buffer of
 * BUFFER_BYTES, as a ring would be filled, and begins anew at its end.
 *
 * Usage:   memory_copy LINES_FILE COUNT BUFFER_BYTES
 * Output:  one JSON object; "seconds" is the time of all copies. No file is written.
 * Errors:  exit 2 with a message.
 */
#define _GNU_SOURCE
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { EXIT_ENVIRONMENT = 2, LINES_MAX = 4096 };

struct line {
    char *bytes;
    size_t length;
};

static size_t
load_lines(const char *path, struct line *lines)
{
    FILE *file = fopen(path, "re");
    size_t count = 0;
    size_t capacity = 0;

    if (file == NULL) {
        err(EXIT_ENVIRONMENT, "%s", path);
    }
    while (count < LINES_MAX) {
        lines[count].bytes = NULL;
        capacity = 0;
        ssize_t length = getline(&lines[count].bytes, &capacity, file);
        if (length < 0) {
            break;
        }
        lines[count++].length = (size_t)length;
    }
    fclose(file);
    if (count == 0) {
        errx(EXIT_ENVIRONMENT, "%s: expected lines", path);
    }
    return count;
}

static double
monotonic_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

int
main(int argc, char **argv)
{
    static struct line lines[LINES_MAX];

    if (argc != 4) {
        errx(EXIT_ENVIRONMENT, "usage: %s LINES_FILE COUNT BUFFER_BYTES", argv[0]);
    }
    size_t line_count = load_lines(argv[1], lines);
    uint64_t count = strtoull(argv[2], NULL, 10);
    size_t size = strtoull(argv[3], NULL, 10);
    char *buffer = malloc(size);
    if (buffer == NULL) {
        err(EXIT_ENVIRONMENT, "malloc of %zu bytes", size);
    }
    memset(buffer, 1, size);

    size_t at = 0;
    double start = monotonic_seconds();
    for (uint64_t i = 0; i < count; i++) {
        const struct line *line = &lines[i % line_count];
        if (line->length > size - at) {
            at = 0;
        }
        memcpy(buffer + at, line->bytes, line->length);
        at += line->length;
        /* Or the compiler might leave out what nobody reads. */
        __asm__ volatile("" : : "r"(buffer) : "memory");
    }
    double seconds = monotonic_seconds() - start;

    printf("{\"lines\": %llu, \"seconds\": %.9f}\n", (unsigned long long)count,
           seconds);
    return 0;
}
