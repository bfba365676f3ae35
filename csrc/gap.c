#include "gap.h"

#include "clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *
gap_reason_name(enum gap_reason reason)
{
    static const char *const names[GAP_REASONS] = {"dropped",
                                                   "abandoned-reservation",
                                                   "damaged-record",
                                                   "live-file-cut",
                                                   "live-file-unlinked",
                                                   "recovery-conflict",
                                                   "sync-failed",
                                                   "reboot",
                                                   "dropped",
                                                   "removed-unread",
                                                   "lost-ring"};

    return names[reason];
}

/* A random (version 4) UUID, as Kubernetes makes its audit IDs. */
static void
format_audit_id(const uint64_t random[2], char out[37])
{
    snprintf(out, 37, "%08x-%04x-4%03x-%04x-%012" PRIx64, (unsigned)(random[0] >> 32),
             (unsigned)(random[0] >> 16 & 0xffff), (unsigned)(random[0] & 0xfff),
             (unsigned)(0x8000 | (random[1] >> 48 & 0x3fff)),
             random[1] & UINT64_C(0xffffffffffff));
}

size_t
gap_format(const struct gap *gap, char out[sizeof(struct gap_mark) + GAP_LINE_MAX])
{
    struct gap_mark mark = {
        .reason = gap->reason, .count = gap->total_count, .bytes = gap->total_bytes};
    char id[37], time[CLOCK_MICRO_SIZE];
    int size;

    format_audit_id(gap->random, id);
    clock_micro(gap->real_ns, time);
    size = snprintf(
        out + sizeof(mark), GAP_LINE_MAX,
        "{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"level\":\"Metadata\","
        "\"auditID\":\"%s\",\"stage\":\"ResponseComplete\",\"requestURI\":\"/auditring/"
        "gap\",\"verb\":\"gap\",\"user\":{\"username\":\"auditring\"},"
        "\"requestReceivedTimestamp\":\"%s\",\"stageTimestamp\":\"%s\","
        "\"annotations\":{\"auditring.io/bytes\":\"%" PRIu64
        "\",\"auditring.io/count\":\"%" PRIu64
        "\"%s%s%s,\"auditring.io/pid\":\"%" PRIu32
        "\",\"auditring.io/reason\":\"%s\"}}\n",
        id, time, time, gap->bytes, gap->count,
        gap->detail != NULL ? ",\"auditring.io/detail\":\"" : "",
        gap->detail != NULL ? gap->detail : "", gap->detail != NULL ? "\"" : "",
        gap->pid, gap_reason_name(gap->reason));
    mark.line_size = (uint32_t)size;
    memcpy(out, &mark, sizeof(mark));
    return sizeof(mark) + (size_t)size;
}

const uint8_t *
gap_line(const uint8_t *record, size_t size, struct gap_mark *mark)
{
    if (size < sizeof(*mark)) {
        return NULL;
    }
    memcpy(mark, record, sizeof(*mark));
    if (mark->reason >= GAP_REASONS || mark->line_size != size - sizeof(*mark)) {
        return NULL;
    }
    return record + sizeof(*mark);
}
