#include "stake.h"

#include "intent.h"
#include "ownring.h"
#include "recover.h"
#include "ringhead.h"
#include "ringlabel.h"
#include "ringstake.h"
#include "ringwait.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* BATCHES_MAX: of leaders that died one after the other, each with its control file. */
enum { BATCHES_MAX = 16 };

struct stake {
    uint32_t slot; /* both from the file's name */
    uint64_t nonce;
    uint64_t head;
    struct ring_stake said; /* a copy */
    bool is_done;
};

struct search {
    struct writer *writer;
    struct stake *found;
    uint32_t count;
};

static int
read_page(const struct writer *writer, const char *name, struct ring_shared *page)
{
    const struct sys *sys = writer->sys;
    int64_t got;
    int fd = sys->openat(writer->rings_dir, name,
                         O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);

    if (fd < 0) {
        return fd;
    }
    got = sys->pread(fd, page, sizeof(*page), 0);
    sys->close(fd);
    return got == sizeof(*page) ? 0 : -EUCLEAN;
}

/* Those of this control file are its intent's matter. */
static int
note(void *context, const char *name)
{
    struct search *search = context;
    struct stake *stake = &search->found[search->count];
    struct ring_shared page;

    if (!ringlabel_parse(name, &stake->slot, &stake->nonce) ||
        stake->slot >= CONTROL_SLOTS || read_page(search->writer, name, &page) < 0) {
        return 0;
    }
    stake->said = page.stake;
    stake->head = atomic_load_explicit(&page.head, memory_order_relaxed);
    stake->is_done = false;
    if (page.magic == RING_MAGIC && page.version == RING_VERSION &&
        ringstake_is_good(&stake->said) &&
        stake->said.identity != search->writer->control.shared->identity &&
        (stake->head == stake->said.from || stake->head == stake->said.to)) {
        search->count++;
    }
    return search->count == CONTROL_SLOTS;
}

static bool
are_of_one_batch(const struct ring_stake *one, const struct ring_stake *other)
{
    return one->identity == other->identity && one->sequence == other->sequence &&
           one->device == other->device && one->inode == other->inode &&
           one->start == other->start && one->length == other->length &&
           one->digest == other->digest && one->range_count == other->range_count;
}

static struct control_range
range_of(const struct stake *stake)
{
    return (struct control_range){
        .slot = stake->slot,
        .owner_gone = stake->said.owner_gone,
        .nonce = stake->nonce,
        .from = stake->said.from,
        .to = stake->said.to,
        .dropped_count_reported = stake->said.dropped_count_reported,
        .dropped_bytes_reported = stake->said.dropped_bytes_reported};
}

/* Puts the batch together that a stake is in; false: a part is missing. */
static bool
build(struct search *search, const struct ring_stake *sample,
      struct control_intent *intent)
{
    bool has_slot[CONTROL_SLOTS] = {false}, has_range[CONTROL_SLOTS] = {false};
    uint32_t count = 0;

    intent_begin(intent, &search->writer->control, &search->writer->file,
                 sample->gaps_aside != 0);
    intent->device = sample->device;
    intent->inode = sample->inode;
    intent->start = sample->start;
    intent->length = sample->length;
    intent->digest = sample->digest;
    intent->range_count = sample->range_count;
    intent->bytes_after += sample->length;
    for (uint32_t i = 0; i < search->count; i++) {
        struct stake *stake = &search->found[i];

        if (!are_of_one_batch(&stake->said, sample) || has_slot[stake->slot] ||
            has_range[stake->said.index]) {
            continue;
        }
        stake->is_done = true;
        has_slot[stake->slot] = has_range[stake->said.index] = true;
        intent->ranges[stake->said.index] = range_of(stake);
        count++;
    }
    return count == sample->range_count;
}

/* Who wrote with durability sync waits for the disk still. */
static void
make_durable(struct writer *writer, const struct control_intent *intent,
             struct ringmap *map)
{
    struct ring *ring;

    if (writer->sys->fdatasync(writer->file.fd) < 0) {
        return; /* the next sync that succeeds tells them */
    }
    for (uint32_t i = 0; i < intent->range_count; i++) {
        const struct control_range *range = &intent->ranges[i];

        if (ringmap_get(map, range->slot, range->nonce, &ring) == 0 &&
            ring_head(ring) >= range->to) {
            ring_publish_durable(ring, range->to);
        }
    }
}

/* They have moved, and by ourselves. */
static void
forget_heads(struct writer *writer)
{
    ownring_forget_heads(writer);
    for (int slot = 0; slot < CONTROL_SLOTS; slot++) {
        if (writer->map.rings[slot] != NULL) {
            ringhead_forget(writer->map.rings[slot]);
        }
    }
}

static int
finish(struct search *search, const struct ring_stake *sample, struct ringmap *map)
{
    struct writer *writer = search->writer;
    struct control_intent *intent = calloc(1, sizeof(*intent));
    int error = intent != NULL ? 0 : -ENOMEM;

    if (error == 0 && build(search, sample, intent)) {
        error = recover_batch(&writer->control, intent, map, &writer->file,
                              writer->state_dir);
        forget_heads(writer);
        if (error == 0 && sample->must_sync) {
            make_durable(writer, intent, map);
        }
    }
    free(intent);
    return error;
}

static int
finish_all(struct search *search)
{
    struct writer *writer = search->writer;
    struct ringmap *map = calloc(1, sizeof(*map));
    int error = map != NULL ? 0 : -ENOMEM, batches = 0;

    if (map != NULL) {
        map->sys = writer->sys;
        map->dir = writer->rings_dir;
    }
    for (uint32_t i = 0; i < search->count && error == 0 && batches < BATCHES_MAX;
         i++) {
        const struct stake *stake = &search->found[i];

        if (!stake->is_done && stake->head < stake->said.to &&
            leader_misses(&writer->leader, stake->said.leader_slot,
                          &stake->said.leader)) {
            struct ring_stake sample = stake->said;

            error = finish(search, &sample, map);
            batches++;
        }
    }
    if (map != NULL) {
        ringmap_drop_all(map);
    }
    free(map);
    return error;
}

int
stake_finish(struct writer *writer)
{
    struct search search = {.writer = writer};
    int error;

    /* Who leads without the directory adopts no rings either (resting.h): they wait for
     * somebody who has it. */
    if (writer->file.fd < 0 || writer->rings_dir < 0 ||
        leader_begin_adopting(&writer->leader) < 0) {
        return 0;
    }
    search.found = calloc(CONTROL_SLOTS + 1, sizeof(*search.found));
    error = search.found != NULL ? writer->sys->list(writer->rings_dir, note, &search)
                                 : -ENOMEM;
    if (error >= 0) {
        error = finish_all(&search);
    }
    free(search.found);
    leader_end_adopting(&writer->leader);
    return error < 0 ? error : 0;
}
