#include "intentprefix.h"

#include "intent.h"
#include "ringreader.h"

#include <errno.h>
#include <stdlib.h>
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

int
intentprefix_read(const struct control_intent *intent, const struct logfile *file,
                  uint64_t size, uint8_t **out)
{
    uint64_t done = 0;
    uint8_t *bytes = malloc(size);

    *out = bytes;
    while (bytes != NULL && done < size) {
        int64_t got =
            file->sys->pread(file->fd, bytes + done, size - done, intent->start + done);
        if (got <= 0 && got != -EINTR) {
            return got < 0 ? (int)got : -EIO;
        }
        done += got > 0 ? (uint64_t)got : 0;
    }
    return bytes != NULL ? 0 : -ENOMEM;
}

/* How far a part has come. */
struct growth_of_part {
    struct control_intent *part;
    const struct intentprefix_known *known;
    struct intent_copy copied;
};

/* Adds a record, if it is in the known bytes where it belongs. */
static bool
add_record(struct growth_of_part *at, struct control_range *range,
           const struct ring_record *record)
{
    struct control_intent *part = at->part;
    const struct intentprefix_known *known = at->known;
    struct gap_mark mark;
    const uint8_t *data;
    uint64_t size;

    intent_line(part, record, &data, &size);
    if (size > known->size - part->length ||
        (size > 0 && memcmp(known->bytes + part->length, data, size) != 0)) {
        return false;
    }
    part->length += size;
    if (record->type == RING_GAP &&
        gap_line(record->data, record->size, &mark) != NULL) {
        intent_report(part, range, &mark);
    }
    intent_add(part, range, record);
    return true;
}

/* Adds the records of one range that are whole in the known bytes: 1 if that is all of
 * them, 0 at the first that is not, or -ENOMEM. */
static int
extend(struct growth_of_part *at, const struct control_range *whole,
       const struct ring *ring)
{
    struct control_range *range = &at->part->ranges[at->part->range_count++];
    struct control_range wanted = *whole;
    struct ring_record record;
    int found;

    *range = intent_range(whole->slot, whole->owner_gone != 0, ring);
    while ((found = intent_next(&at->copied, ring, range->to, &wanted, &record)) > 0) {
        if (!add_record(at, range, &record)) {
            return 0;
        }
    }
    if (found < 0) {
        return found;
    }
    intent_skip(at->part, &record);
    range->to = record.next;
    return 1;
}

static uint64_t
count_lines(const uint8_t *bytes, uint64_t size)
{
    uint64_t count = 0;

    for (uint64_t i = 0; i < size; i++) {
        count += bytes[i] == '\n';
    }
    return count;
}

/* All of a range is in the file, whatever its ring holds by now: somebody wrote over
 * it, which is no reason to lose count of what others have behind it. */
static void
take_as_said(struct growth_of_part *at, const struct control_range *whole, uint64_t end)
{
    struct control_intent *part = at->part;
    struct control_range *range = &part->ranges[part->range_count - 1];
    uint64_t lines = count_lines(at->known->bytes + part->length, end - part->length);

    part->lines_after += lines;
    part->records_after += lines;
    part->recovered_after += range->owner_gone * lines;
    part->length = end;
    *range = *whole;
}

/* Adds what is known of one range; as `extend`. */
static int
add_range(struct growth_of_part *at, const struct control_intent *whole, uint32_t i,
          const struct ring *ring)
{
    const uint64_t *ends = at->known->ends;
    struct control_intent *part = at->part;
    bool is_at_its_place = ends == NULL || part->length == (i > 0 ? ends[i - 1] : 0);
    int all = is_at_its_place ? extend(at, &whole->ranges[i], ring) : 0;

    if (ends == NULL) {
        return all;
    }
    if (ends[i] > at->known->size) {
        return 0;
    }
    if (all <= 0 || part->length != ends[i]) {
        take_as_said(at, &whole->ranges[i], ends[i]);
    }
    return 1;
}

int
intentprefix_say(struct control_intent *part, const struct control_intent *whole,
                 const struct control *control, const struct logfile *file,
                 struct ring *const *rings, const struct intentprefix_known *known)
{
    struct growth_of_part at = {.part = part, .known = known};
    int all = 1;

    intent_begin(part, control, file, whole->gaps_aside != 0);
    part->device = whole->device;
    part->inode = whole->inode;
    part->start = whole->start;
    part->sequence = whole->sequence + 1;
    part->block = 1 - whole->block;
    for (uint32_t i = 0; i < whole->range_count && all > 0; i++) {
        all = add_range(&at, whole, i, rings[i]);
    }
    part->bytes_after += part->length;
    free(at.copied.bytes);
    return all < 0 ? all : 0;
}
