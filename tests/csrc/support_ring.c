#include "support_ring.h"

#include "ring.h"
#include "ringwait.h"
#include "support.h"
#include "support_sys.h"

#include <string.h>

const uint64_t nonce = UINT64_C(0x9e3779b97f4a7c15);
const uint64_t capacity = 64 * 1024;

const uint64_t firsts[FIRSTS] = {0,
                                 64 * 1024 - 33,
                                 64 * 1024 - 64,
                                 UINT64_C(0xffffffe0),
                                 UINT64_C(0x100000000) - 64 * 1024,
                                 UINT64_C(0x4000000000000000) - 96};

struct ring
open_ring(uint64_t first_position)
{
    struct ring_options options = {
        .capacity = capacity, .nonce = nonce, .first_position = first_position};
    struct ring ring;

    sys_test_reset();
    CHECK_EQUAL(ring_create_private(&ring, &sys_test, &options), 0);
    return ring;
}

int
put_text(struct ring *ring, const char *text)
{
    struct ring_reservation reservation;

    return ring_write(ring, RING_DATA, text, strlen(text), false, &reservation);
}

const char *
take_text(struct ring *ring)
{
    static char text[64 * 1024];
    struct ring_record record;

    if (!ring_next(ring, ring_head(ring), ring_tail(ring), false, &record)) {
        return NULL;
    }
    memcpy(text, record.data, record.size);
    text[record.size] = '\0';
    ring_publish(ring, record.next);
    return text;
}

bool
is_record(struct ring *ring, uint64_t from, bool owner_gone, const char *text,
          struct ring_record *record)
{
    return ring_next(ring, from, ring_tail(ring), owner_gone, record) == 1 &&
           record->size == strlen(text) &&
           memcmp(record->data, text, record->size) == 0;
}
