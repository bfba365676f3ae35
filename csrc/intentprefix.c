#include "intentprefix.h"

#include "intent.h"
#include "ringreader.h"

#include <errno.h>
#include <string.h>

/* Walks the bytes of the batch along the file. */
struct comparison {
    const struct logfile *file;
    uint64_t position; /* in the file, of what is compared next */
    uint64_t end;      /* of the file as the walk began */
    bool is_same;
};

static size_t
count_same(const uint8_t *one, const uint8_t *other, size_t size)
{
    size_t count = 0;

    while (count < size && one[count] == other[count]) {
        count++;
    }
    return count;
}

static int
compare(void *context, const uint8_t *data, uint64_t size)
{
    struct comparison *at = context;
    uint8_t there[4096];

    while (size > 0 && at->position < at->end && at->is_same) {
        uint64_t left = at->end - at->position;
        size_t part = size < sizeof(there) ? (size_t)size : sizeof(there), same;
        int64_t got;

        part = part < left ? part : (size_t)left;
        got = at->file->sys->pread(at->file->fd, there, part, at->position);
        if (got <= 0) {
            return got < 0 ? (int)got : -EIO;
        }
        same = count_same(there, data, (size_t)got);
        at->is_same = same == (size_t)got;
        at->position += same;
        data += got;
        size -= (uint64_t)got;
    }
    return 0;
}

int
intentprefix_measure(const struct control_intent *intent, struct ring *const *rings,
                     const struct logfile *file, uint64_t *bytes)
{
    struct comparison at = {
        .file = file, .position = intent->start, .end = file->size, .is_same = true};
    int error = intent_walk(intent, rings, compare, &at);

    *bytes = at.position - intent->start;
    return error;
}

/* Adds the records of one range that are whole within `limit` bytes; false at the
 * first that is not. */
static bool
extend(struct control_intent *part, const struct control_range *whole,
       struct ring *ring, uint64_t limit)
{
    struct control_range *range = &part->ranges[part->range_count++];
    struct ring_record record;

    *range = intent_range(whole->slot, whole->owner_gone != 0, ring);
    while (ring_next(ring, range->to, whole->to, range->owner_gone != 0, &record)) {
        struct gap_mark mark;
        const uint8_t *data;
        uint64_t size;

        intent_line(part, &record, &data, &size);
        if (part->length + size > limit) {
            return false;
        }
        part->length += size;
        if (record.type == RING_GAP &&
            gap_line(record.data, record.size, &mark) != NULL) {
            intent_report(part, range, &mark);
        }
        intent_add(part, range, &record);
    }
    intent_skip(part, &record);
    range->to = record.next;
    return true;
}

void
intentprefix_say(struct control_intent *part, const struct control_intent *whole,
                 const struct control *control, const struct logfile *file,
                 struct ring *const *rings, uint64_t limit)
{
    intent_begin(part, control, file, whole->gaps_aside != 0);
    part->device = whole->device;
    part->inode = whole->inode;
    part->start = whole->start;
    part->sequence = whole->sequence + 1;
    part->block = 1 - whole->block;
    for (uint32_t i = 0; i < whole->range_count; i++) {
        if (!extend(part, &whole->ranges[i], rings[i], limit)) {
            break;
        }
    }
    part->bytes_after += part->length;
}
