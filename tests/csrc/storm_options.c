#include "storm_options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char usage[] =
    "usage: storm [--kills N] [--seed N] [--dir PATH] [--workers N] [--threads N]\n"
    "    [--ring-bytes N] [--max-bytes N] [--interval-us N] [--pause-us N]\n"
    "    [--durability process|interval|sync] [--dialect lumberjack|stdlib]\n"
    "    [--meddle none|locks|fds] [--tail]\n";

static const struct option known[] = {{"kills", required_argument, NULL, 'k'},
                                      {"seed", required_argument, NULL, 's'},
                                      {"dir", required_argument, NULL, 'd'},
                                      {"workers", required_argument, NULL, 'w'},
                                      {"threads", required_argument, NULL, 't'},
                                      {"ring-bytes", required_argument, NULL, 'r'},
                                      {"max-bytes", required_argument, NULL, 'm'},
                                      {"interval-us", required_argument, NULL, 'i'},
                                      {"pause-us", required_argument, NULL, 'p'},
                                      {"durability", required_argument, NULL, 'D'},
                                      {"dialect", required_argument, NULL, 'L'},
                                      {"meddle", required_argument, NULL, 'M'},
                                      {"tail", no_argument, NULL, 'T'},
                                      {NULL, 0, NULL, 0}};

static bool
read_number(const char *text, uint64_t *out)
{
    char *end;

    errno = 0;
    *out = strtoull(text, &end, 10);
    return errno == 0 && end != text && *end == '\0';
}

static bool
read_count(const char *text, uint32_t most, uint32_t *out)
{
    uint64_t number;

    if (!read_number(text, &number) || number < 1 || number > most) {
        return false;
    }
    *out = (uint32_t)number;
    return true;
}

static bool
read_time(const char *text, uint64_t *out_ns)
{
    bool is_number = read_number(text, out_ns);

    *out_ns *= 1000;
    return is_number;
}

/* The names end with NULL. */
static bool
read_choice(const char *text, const char *const *names, int *out)
{
    for (int i = 0; names[i] != NULL; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

static bool
read_mode(struct options *options, int option, const char *text)
{
    static const char *const durabilities[] = {"process", "interval", "sync", NULL};
    static const char *const dialects[] = {"lumberjack", "stdlib", NULL};
    static const char *const meddlings[] = {"none", "locks", "fds", NULL};
    bool is_known = false;
    int choice = 0;

    switch (option) {
    case 'D':
        is_known = read_choice(text, durabilities, &choice);
        options->durability = (enum durability)choice;
        break;
    case 'L':
        is_known = read_choice(text, dialects, &choice);
        options->dialect = (enum dialect)choice;
        break;
    case 'M':
        is_known = read_choice(text, meddlings, &choice);
        options->meddling = (enum meddling)choice;
        break;
    }
    return is_known;
}

static bool
read_one(struct options *options, int option, const char *text)
{
    switch (option) {
    case 'k':
        return read_number(text, &options->kills);
    case 's':
        return read_number(text, &options->seed) && options->seed != 0;
    case 'd':
        options->dir = text;
        return true;
    case 'w':
        return read_count(text, OPTIONS_WORKERS_MAX, &options->workers);
    case 't':
        return read_count(text, WORKER_THREADS_MAX, &options->threads);
    case 'r':
        return read_number(text, &options->ring_bytes);
    case 'm':
        return read_number(text, &options->max_bytes);
    case 'i':
        return read_time(text, &options->interval_ns);
    case 'p':
        return read_time(text, &options->pause_ns);
    case 'T':
        options->has_tail = true;
        return true;
    default:
        return read_mode(options, option, text);
    }
}

/* A tail takes a moment to follow a rotation: faster ones lose it. */
static void
suit_tail(struct options *options)
{
    if (options->has_tail) {
        options->max_bytes = 16 * 1024 * 1024;
    }
}

bool
options_read(struct options *options, int argc, char **argv)
{
    struct timespec time;
    int option;

    clock_gettime(CLOCK_REALTIME, &time);
    *options = (struct options){.kills = 1000,
                                .seed = (uint64_t)time.tv_nsec + 1,
                                .dir = "/tmp",
                                .workers = 4,
                                .threads = 2,
                                .ring_bytes = 64 * 1024,
                                .max_bytes = 1024 * 1024,
                                .interval_ns = 6 * 1000 * 1000,
                                .pause_ns = 8 * 1000 * 1000};
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (option == '?' || !read_one(options, option, optarg)) {
            fputs(usage, stderr);
            return false;
        }
    }
    suit_tail(options);
    return optind == argc;
}
