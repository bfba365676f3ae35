/* The rings of a log by slot: each mapped once, and anew when its slot was reused. */
#include "ringmap.h"
#include "support.h"
#include "support_sys.h"

#include <errno.h>

static struct ringmap map;

static void
open_map(void)
{
    sys_test_reset();
    map = (struct ringmap){.sys = &sys_test, .dir = AT_FDCWD};
}

static void
create_ring(uint32_t slot, uint64_t nonce)
{
    struct ring_options options = {
        .capacity = RING_CAPACITY_MIN, .nonce = nonce, .slot = slot};
    struct ring ring;

    CHECK_EQUAL(ring_create(&ring, &sys_test, AT_FDCWD, &options, 0600, (gid_t)-1), 0);
    ring_close(&ring);
}

static void
a_ring_is_mapped_on_first_use_and_once(void)
{
    struct ring *first, *second;

    open_map();
    create_ring(3, 33);

    CHECK_EQUAL(ringmap_get(&map, 3, 33, &first), 0);
    CHECK_EQUAL(ringmap_get(&map, 3, 33, &second), 0);

    CHECK(first == second);
    CHECK_EQUAL(first->nonce, 33);
    ringmap_drop_all(&map);
}

static void
a_reused_slot_gives_the_new_ring(void)
{
    struct ring *ring;

    open_map();
    create_ring(3, 33);
    create_ring(3, 34);

    CHECK_EQUAL(ringmap_get(&map, 3, 33, &ring), 0);
    CHECK_EQUAL(ringmap_get(&map, 3, 34, &ring), 0);

    CHECK_EQUAL(ring->nonce, 34);
    ringmap_drop(&map, 3);
    ringmap_drop(&map, 3);
}

static void
a_ring_that_is_not_there_is_an_error(void)
{
    struct ring *ring = NULL;

    open_map();

    CHECK_EQUAL(ringmap_get(&map, 3, 33, &ring), -ENOENT);
    CHECK_EQUAL(ringmap_get(&map, CONTROL_SLOTS, 33, &ring), -EUCLEAN);

    CHECK(ring == NULL);
    ringmap_drop_all(&map);
}

RUN(TEST(a_ring_is_mapped_on_first_use_and_once),
    TEST(a_reused_slot_gives_the_new_ring), TEST(a_ring_that_is_not_there_is_an_error))
