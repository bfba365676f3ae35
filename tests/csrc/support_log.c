#include "support_log.h"

#include "rotate.h"
#include "support.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILES_MAX = 4096 };

struct listing {
    char *names[FILES_MAX];
    size_t count;
};

static int
compare_names(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static void
list_files(const char *name, struct listing *listing)
{
    DIR *directory = opendir(".");
    struct dirent *entry;

    listing->count = 0;
    CHECK(directory != NULL);
    while ((entry = readdir(directory)) != NULL) {
        if (rotate_backup_time(name, entry->d_name) != 0) {
            CHECK(listing->count < FILES_MAX - 1);
            listing->names[listing->count] = test_memory(strlen(entry->d_name) + 1);
            strcpy(listing->names[listing->count++], entry->d_name);
        }
    }
    closedir(directory);
    qsort(listing->names, listing->count, sizeof(listing->names[0]), compare_names);
    if (file_exists(name)) {
        listing->names[listing->count] = test_memory(strlen(name) + 1);
        strcpy(listing->names[listing->count++], name);
    }
}

unsigned
log_files(const char *name)
{
    struct listing listing;

    list_files(name, &listing);
    return (unsigned)listing.count;
}

char *
log_text(const char *name)
{
    struct listing listing;
    size_t size = 0, at = 0;
    char *all;

    list_files(name, &listing);
    for (size_t i = 0; i < listing.count; i++) {
        size += file_size(listing.names[i]);
    }
    all = test_memory(size + 1);
    for (size_t i = 0; i < listing.count; i++) {
        const char *text = file_text(listing.names[i]);

        CHECK(at + strlen(text) <= size);
        memcpy(all + at, text, strlen(text));
        at += strlen(text);
    }
    return all;
}

unsigned
log_count(const char *text, const char *line)
{
    size_t size = strlen(line);
    const char *end = text + strlen(text), *next;
    unsigned count = 0;

    /* Not strchr: a sanitizer goes to the end of the text at each call. */
    for (const char *at = text; at < end; at = next + 1) {
        next = memchr(at, '\n', (size_t)(end - at));
        CHECK(next != NULL);
        count += (size_t)(next - at) == size && memcmp(at, line, size) == 0;
    }
    return count;
}

static const char gap_begin[] = "{\"kind\":\"Event\",", gap_end[] = "\"}}";

static bool
starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

bool
log_is_whole(const char *text)
{
    while (*text != '\0') {
        const char *end = strchr(text, '\n');

        if (end == NULL ||
            !(starts_with(text, "line ") ||
              (starts_with(text, gap_begin) && starts_with(end - 3, gap_end)))) {
            return false;
        }
        text = end + 1;
    }
    return true;
}

/* Copies the next gap event at or after *at; moves *at behind it. */
static bool
next_gap(const char **at, char out[2048])
{
    while (**at != '\0') {
        const char *line = *at, *end = strchr(line, '\n');

        *at = end != NULL ? end + 1 : line + strlen(line);
        if (end != NULL && starts_with(line, gap_begin)) {
            snprintf(out, 2048, "%.*s", (int)(end - line), line);
            return true;
        }
    }
    return false;
}

static bool
has_reason(const char *gap, const char *reason)
{
    char wanted[128];

    if (reason == NULL) {
        return true;
    }
    snprintf(wanted, sizeof(wanted), "\"auditring.io/reason\":\"%s\"", reason);
    return strstr(gap, wanted) != NULL;
}

unsigned
log_gaps(const char *text, const char *reason)
{
    unsigned count = 0;
    char gap[2048];

    while (next_gap(&text, gap)) {
        count += has_reason(gap, reason);
    }
    return count;
}

uint64_t
log_gap_sum(const char *text, const char *reason, const char *annotation)
{
    char gap[2048], wanted[128];
    uint64_t sum = 0;

    snprintf(wanted, sizeof(wanted), "\"auditring.io/%s\":\"", annotation);
    while (next_gap(&text, gap)) {
        if (has_reason(gap, reason)) {
            const char *value = strstr(gap, wanted);
            CHECK(value != NULL);
            sum += strtoull(value + strlen(wanted), NULL, 10);
        }
    }
    return sum;
}
