/* write_loop - the limit for a writer of lines: a C loop around write(2).
 *
 * Writes COUNT lines, cycling those of LINES_FILE, in batches of whole lines of at
 * most BATCH_BYTES, and rotates (rename + create) before a line that would make the
 * file larger than MAX_BYTES. The lines stand ready in memory in the order they are
 * written in, so a batch costs one write(2) and no copy: a writer that takes lines
 * one at a time from a caller can't beat this, only come near.
 *
 * Usage:   write_loop PATH LINES_FILE COUNT MAX_BYTES BATCH_BYTES
 * Output:  one JSON object. "seconds" runs from before the first write to after the
 *          last one, rotations included; bytes are with the kernel, not on the disk.
 * Errors:  exit 2 with a message; whatever was written is left behind.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_ENVIRONMENT = 2 };

/* The lines of a file, repeated until a batch that starts in the first copy fits. */
struct cycle {
    char *bytes;
    size_t *length; /* of each line, final newline included */
    size_t *offset; /* of each line in the first copy */
    size_t line_count;
};

/* The live file and how it is rotated. */
struct live_file {
    const char *path;
    int fd;
    size_t size;
    size_t max_bytes;
    unsigned backup_count;
};

static void *
allocate(size_t size)
{
    void *memory = malloc(size);

    if (memory == NULL) {
        err(EXIT_ENVIRONMENT, "malloc of %zu bytes", size);
    }
    return memory;
}

static char *
read_whole(const char *path, size_t *size)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &status) != 0) {
        err(EXIT_ENVIRONMENT, "%s", path);
    }
    *size = (size_t)status.st_size;
    char *bytes = allocate(*size + 1);
    if (read(fd, bytes, *size) != (ssize_t)*size) {
        err(EXIT_ENVIRONMENT, "read %s", path);
    }
    close(fd);
    return bytes;
}

static void
cycle_index_lines(struct cycle *cycle, const char *bytes, size_t size)
{
    size_t capacity = 0;

    for (size_t i = 0; i < size; i++) {
        capacity += bytes[i] == '\n';
    }
    if (capacity == 0 || bytes[size - 1] != '\n') {
        errx(EXIT_ENVIRONMENT, "expected lines, each with its newline");
    }
    cycle->length = allocate(capacity * sizeof *cycle->length);
    cycle->offset = allocate(capacity * sizeof *cycle->offset);
    cycle->line_count = 0;
    for (size_t start = 0; start < size;) {
        const char *end = memchr(bytes + start, '\n', size - start);
        size_t length = (size_t)(end - (bytes + start)) + 1;
        cycle->offset[cycle->line_count] = start;
        cycle->length[cycle->line_count] = length;
        cycle->line_count++;
        start += length;
    }
}

static void
cycle_load(struct cycle *cycle, const char *path, size_t batch_bytes)
{
    size_t size;
    char *once = read_whole(path, &size);

    cycle_index_lines(cycle, once, size);
    size_t copies = batch_bytes / size + 2;
    cycle->bytes = allocate(copies * size);
    for (size_t i = 0; i < copies; i++) {
        memcpy(cycle->bytes + i * size, once, size);
    }
    free(once);
}

static void
live_file_create(struct live_file *file)
{
    file->fd =
        open(file->path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    if (file->fd < 0) {
        err(EXIT_ENVIRONMENT, "create %s", file->path);
    }
    file->size = 0;
}

static void
live_file_rotate(struct live_file *file)
{
    char backup[4096];
    int length =
        snprintf(backup, sizeof backup, "%s.%06u", file->path, ++file->backup_count);

    if (length < 0 || (size_t)length >= sizeof backup) {
        errx(EXIT_ENVIRONMENT, "path too long: %s", file->path);
    }
    close(file->fd);
    if (rename(file->path, backup) != 0) {
        err(EXIT_ENVIRONMENT, "rename %s", file->path);
    }
    live_file_create(file);
}

static void
live_file_append(struct live_file *file, const char *bytes, size_t size)
{
    file->size += size;
    while (size > 0) {
        ssize_t written = write(file->fd, bytes, size);
        if (written < 0 && errno != EINTR) {
            err(EXIT_ENVIRONMENT, "write %s", file->path);
        }
        if (written > 0) {
            bytes += written;
            size -= (size_t)written;
        }
    }
}

/* Write one batch that starts with line *next; return the number of its lines. */
static uint64_t
write_batch(struct live_file *file, const struct cycle *cycle, size_t *next,
            uint64_t lines_left, size_t batch_bytes)
{
    size_t line = *next;
    size_t size = 0;
    uint64_t lines = 0;

    if (file->size > 0 && file->size + cycle->length[line] > file->max_bytes) {
        live_file_rotate(file);
    }
    while (lines < lines_left) {
        size_t grown = size + cycle->length[line];
        if (lines > 0 &&
            (grown > batch_bytes || file->size + grown > file->max_bytes)) {
            break;
        }
        size = grown;
        lines++;
        line = line + 1 == cycle->line_count ? 0 : line + 1;
    }
    live_file_append(file, cycle->bytes + cycle->offset[*next], size);
    *next = line;
    return lines;
}

static double
monotonic_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static size_t
parse_size(const char *name, const char *text)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);

    if (*end != '\0' || value == 0) {
        errx(EXIT_ENVIRONMENT, "%s: expected a positive number, got '%s'", name, text);
    }
    return (size_t)value;
}

int
main(int argc, char **argv)
{
    if (argc != 6) {
        errx(EXIT_ENVIRONMENT, "usage: %s PATH LINES_FILE COUNT MAX_BYTES BATCH_BYTES",
             argv[0]);
    }
    uint64_t line_count = parse_size("COUNT", argv[3]);
    size_t batch_bytes = parse_size("BATCH_BYTES", argv[5]);
    struct live_file file = {
        .path = argv[1],
        .max_bytes = parse_size("MAX_BYTES", argv[4]),
    };
    struct cycle cycle;
    cycle_load(&cycle, argv[2], batch_bytes);
    live_file_create(&file);

    size_t next = 0;
    uint64_t batches = 0;
    double start = monotonic_seconds();
    for (uint64_t written = 0; written < line_count; batches++) {
        written += write_batch(&file, &cycle, &next, line_count - written, batch_bytes);
    }
    double seconds = monotonic_seconds() - start;

    close(file.fd);
    printf(
        "{\"lines\": %llu, \"seconds\": %.9f, \"batches\": %llu, \"rotations\": %u}\n",
        (unsigned long long)line_count, seconds, (unsigned long long)batches,
        file.backup_count);
    return 0;
}
