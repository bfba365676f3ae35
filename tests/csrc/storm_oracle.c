#include "storm_oracle.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { small_min = 30, small_max = 3000, large_size = 20000, block_size = 56 * 1024 };
static const uint32_t large_every = 256;
static const uint32_t reports_max = 20;
static const char event_begin[] = "{\"kind\":\"Event\",", event_end[] = "\"}}";

/* Payloads are windows of this. */
static char block[block_size];

static uint64_t
mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static void
fill_block(void)
{
    static const char letters[] =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";

    for (uint64_t i = 0; i < block_size; i++) {
        block[i] = letters[mix(i + 1) % 64];
    }
}

static void *
map_zeros(size_t size)
{
    void *address = mmap(NULL, size, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return address == MAP_FAILED ? NULL : address;
}

bool
oracle_open(struct oracle *oracle, uint32_t streams)
{
    memset(oracle, 0, sizeof(*oracle));
    fill_block();
    oracle->stream_count = streams;
    oracle->streams = map_zeros(streams * sizeof(*oracle->streams));
    oracle->next = map_zeros(streams * sizeof(*oracle->next));
    return oracle->streams != NULL && oracle->next != NULL;
}

bool
oracle_open_beside(struct oracle *oracle, const struct oracle *first)
{
    memset(oracle, 0, sizeof(*oracle));
    oracle->stream_count = first->stream_count;
    oracle->streams = first->streams;
    oracle->next = map_zeros(first->stream_count * sizeof(*oracle->next));
    return oracle->next != NULL;
}

void
oracle_close(struct oracle *oracle)
{
    munmap(oracle->streams, oracle->stream_count * sizeof(*oracle->streams));
    munmap(oracle->next, oracle->stream_count * sizeof(*oracle->next));
}

/* The line up to its payload, and which part of the block that is. */
static size_t
line_head(uint32_t stream, uint64_t sequence, char *out, const char **payload,
          size_t *payload_size)
{
    uint64_t random = mix((uint64_t)stream << 40 ^ sequence);
    size_t size = small_min + (random >> 16) % (small_max - small_min);

    if (random % large_every == 0) {
        size = large_size;
    } else if (random % 4 != 0) {
        size = small_min + (size - small_min) / 8;
    }
    *payload = block + (random >> 32) % (block_size - large_size);
    *payload_size = size;
    return (size_t)sprintf(out,
                           "{\"stream\":%" PRIu32 ",\"sequence\":%" PRIu64
                           ",\"size\":%zu,\"bytes\":\"",
                           stream, sequence, size);
}

size_t
oracle_line(uint32_t stream, uint64_t sequence, char out[ORACLE_LINE_MAX])
{
    const char *payload;
    size_t size, head = line_head(stream, sequence, out, &payload, &size);

    memcpy(out + head, payload, size);
    memcpy(out + head + size, "\"}\n", 3);
    return head + size + 3;
}

static void
report(struct oracle *oracle, const char *what, uint32_t stream, uint64_t sequence)
{
    if (oracle->reports++ < reports_max) {
        printf("%s: %s: stream %" PRIu32 ", sequence %" PRIu64 "\n", oracle->place,
               what, stream, sequence);
    }
}

static void
pass_over(struct oracle *oracle, uint32_t stream, uint64_t first, uint64_t last)
{
    report(oracle, "missing so far", stream, first);
    if (oracle->missing_count == ORACLE_MISSING_MAX) {
        oracle->findings.lost += last - first + 1;
        return;
    }
    oracle->missing[oracle->missing_count++] =
        (struct oracle_missing){.stream = stream, .first = first, .last = last};
}

/* A line that comes after a later one of its stream: late, or a second time. */
static void
judge_late(struct oracle *oracle, uint32_t stream, uint64_t sequence)
{
    for (uint32_t i = 0; i < oracle->missing_count; i++) {
        struct oracle_missing *missing = &oracle->missing[i];
        struct oracle_missing after = *missing;

        if (missing->stream != stream || sequence < missing->first ||
            sequence > missing->last) {
            continue;
        }
        oracle->findings.disordered++;
        report(oracle, "out of order", stream, sequence);
        after.first = sequence + 1;
        missing->last = sequence - 1;
        if (missing->first > missing->last) {
            *missing = oracle->missing[--oracle->missing_count];
        }
        if (after.first <= after.last) {
            pass_over(oracle, stream, after.first, after.last);
        }
        return;
    }
    oracle->findings.duplicated++;
    report(oracle, "duplicated", stream, sequence);
}

static void
judge_sequence(struct oracle *oracle, uint32_t stream, uint64_t sequence)
{
    uint64_t next = oracle->next[stream] + 1;

    if (sequence < next) {
        judge_late(oracle, stream, sequence);
        return;
    }
    if (sequence > next) {
        pass_over(oracle, stream, next, sequence - 1);
    }
    oracle->next[stream] = sequence;
}

/* Reads a number after `name`; false when there is none. */
static bool
read_number(const char **at, const char *name, uint64_t *out)
{
    size_t size = strlen(name);
    char *end;

    if (strncmp(*at, name, size) != 0) {
        return false;
    }
    *out = strtoull(*at + size, &end, 10);
    *at = end;
    return true;
}

/* Whether the line is what its stream and sequence say. */
static bool
is_whole(const struct oracle *oracle, const char *line, size_t size, uint32_t *stream,
         uint64_t *sequence)
{
    const char *at = line, *payload;
    char head[128];
    size_t head_size, payload_size;
    uint64_t number;

    if (size < small_min || size > ORACLE_LINE_MAX ||
        !read_number(&at, "{\"stream\":", &number) || number >= oracle->stream_count ||
        !read_number(&at, ",\"sequence\":", sequence)) {
        return false;
    }
    *stream = (uint32_t)number;
    head_size = line_head(*stream, *sequence, head, &payload, &payload_size);
    return size == head_size + payload_size + 3 && memcmp(line, head, head_size) == 0 &&
           memcmp(line + head_size, payload, payload_size) == 0 &&
           memcmp(line + head_size + payload_size, "\"}\n", 3) == 0 && *sequence >= 1 &&
           *sequence <= atomic_load_explicit(&oracle->streams[*stream].attempted,
                                             memory_order_acquire);
}

static int
gap_reason(const char *name, size_t size)
{
    for (int reason = 0; reason < GAP_REASONS; reason++) {
        const char *known = gap_reason_name((enum gap_reason)reason);
        if (strlen(known) == size && memcmp(known, name, size) == 0) {
            return reason;
        }
    }
    return -1;
}

/* A gap event: whole, of one line, with a count and a reason that we know. */
static bool
judge_gap(struct oracle *oracle, const char *line, size_t size)
{
    static const char count_name[] = "\"auditring.io/count\":\"";
    static const char reason_name[] = "\"auditring.io/reason\":\"";
    char text[GAP_LINE_MAX + 1];
    const char *count, *reason;
    int which;

    if (size >= sizeof(text) || size < sizeof(event_begin) + sizeof(event_end) ||
        memcmp(line, event_begin, sizeof(event_begin) - 1) != 0 ||
        memcmp(line + size - sizeof(event_end), event_end, sizeof(event_end) - 1) !=
            0) {
        return false;
    }
    memcpy(text, line, size);
    text[size] = '\0';
    count = strstr(text, count_name);
    reason = strstr(text, reason_name);
    if (count == NULL || reason == NULL || strstr(text, "\"verb\":\"gap\"") == NULL) {
        return false;
    }
    reason += sizeof(reason_name) - 1;
    which = gap_reason(reason, strcspn(reason, "\""));
    if (which < 0) {
        return false;
    }
    oracle->findings.gap_events++;
    oracle->findings.gap_counts[which] +=
        strtoull(count + sizeof(count_name) - 1, NULL, 10);
    return true;
}

static void
judge_line(struct oracle *oracle, const char *line, size_t size)
{
    uint32_t stream = 0;
    uint64_t sequence = 0;

    oracle->findings.bytes += size;
    if (is_whole(oracle, line, size, &stream, &sequence)) {
        oracle->findings.lines++;
        judge_sequence(oracle, stream, sequence);
    } else if (!judge_gap(oracle, line, size)) {
        oracle->findings.torn++;
        report(oracle, "torn", stream, sequence);
        printf("    %.*s\n", size > 400 ? 400 : (int)size, line);
    }
}

void
oracle_judge(struct oracle *oracle, const char *place, const char *text, size_t size)
{
    oracle->place = place;
    while (size > 0) {
        const char *newline = memchr(text, '\n', size);
        size_t line = newline != NULL ? (size_t)(newline - text) + 1 : size;

        judge_line(oracle, text, line);
        text += line;
        size -= line;
    }
}

bool
oracle_has_doubts(const struct oracle *oracle)
{
    const struct oracle_findings *found = &oracle->findings;

    return oracle->missing_count > 0 || found->lost > 0 || found->duplicated > 0 ||
           found->torn > 0 || found->disordered > 0;
}

void
oracle_finish(struct oracle *oracle)
{
    oracle->place = "at the end";
    for (uint32_t i = 0; i < oracle->missing_count; i++) {
        const struct oracle_missing *missing = &oracle->missing[i];

        oracle->findings.lost += missing->last - missing->first + 1;
    }
    oracle->missing_count = 0;
    for (uint32_t stream = 0; stream < oracle->stream_count; stream++) {
        uint64_t acknowledged = atomic_load_explicit(
            &oracle->streams[stream].acknowledged, memory_order_acquire);

        if (acknowledged > oracle->next[stream]) {
            report(oracle, "lost from here on", stream, oracle->next[stream] + 1);
            oracle->findings.lost += acknowledged - oracle->next[stream];
        }
    }
}

uint64_t
oracle_acknowledged(const struct oracle *oracle)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < oracle->stream_count; i++) {
        sum += atomic_load_explicit(&oracle->streams[i].acknowledged,
                                    memory_order_relaxed);
    }
    return sum;
}

uint64_t
oracle_unacknowledged(const struct oracle *oracle)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < oracle->stream_count; i++) {
        sum +=
            atomic_load_explicit(&oracle->streams[i].attempted, memory_order_relaxed) -
            atomic_load_explicit(&oracle->streams[i].acknowledged,
                                 memory_order_relaxed);
    }
    return sum;
}

uint64_t
oracle_drops_min(const struct oracle *oracle)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < oracle->stream_count; i++) {
        sum +=
            atomic_load_explicit(&oracle->streams[i].drops_done, memory_order_relaxed);
    }
    return sum;
}

uint64_t
oracle_drops_max(const struct oracle *oracle)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < oracle->stream_count; i++) {
        sum +=
            atomic_load_explicit(&oracle->streams[i].drops_begun, memory_order_relaxed);
    }
    return sum;
}
