#include "support_scene.h"

#include "ring.h"
#include "support.h"
#include "support_sys.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct scene scene;

static const uint64_t nonce = UINT64_C(0xabcdef0123456789);

static void
create_ring(uint32_t slot)
{
    /* Not far from the wrap, so that it is met. */
    struct ring_options options = {.capacity = RING_CAPACITY_MIN,
                                   .nonce = nonce + slot,
                                   .slot = slot,
                                   .first_position = RING_CAPACITY_MIN - 160};

    CHECK_EQUAL(
        ring_create(&scene.rings[slot], &sys_test, AT_FDCWD, &options, 0600, (gid_t)-1),
        0);
    scene.control.shared->slots[slot].nonce = nonce + slot;
    control_set_slot(&scene.control, slot, SLOT_LIVE);
}

static void
open_file(void)
{
    scene.file = (struct logfile){
        .sys = &sys_test, .dir = AT_FDCWD, .name = "audit.log", .fd = -1};
    CHECK_EQUAL(logfile_open(&scene.file, 0600, (gid_t)-1), 0);
    CHECK_EQUAL(batch_open(&scene.batch, &sys_test, &scene.control, &scene.file), 0);
}

void
scene_open(const struct control_settings *settings)
{
    struct control_settings stored = *settings;

    stored.mode = 0600;
    stored.gid = (uint32_t)-1;
    sys_test_reset();
    sys_test_stop_time();
    CHECK_EQUAL(control_open_private(&scene.control, &sys_test), 0);
    control_store_settings(&scene.control, &stored);
    scene.map = (struct ringmap){.sys = &sys_test, .dir = AT_FDCWD};
    for (uint32_t slot = 0; slot < SCENE_RINGS; slot++) {
        create_ring(slot);
    }
    open_file();
    scene.control.shared->live_device = scene.file.device;
    scene.control.shared->live_inode = scene.file.inode;
}

static void
close_file(void)
{
    batch_close(&scene.batch);
    logfile_close(&scene.file);
    ringmap_drop_all(&scene.map);
}

void
scene_close(void)
{
    close_file();
    for (uint32_t slot = 0; slot < SCENE_RINGS; slot++) {
        ring_close(&scene.rings[slot]);
    }
    control_close(&scene.control);
    CHECK_EQUAL(sys_test_descriptors(), 0);
}

void
scene_change_leader(void)
{
    sys_test_heal();
    close_file();
    open_file();
}

void
scene_forget(void)
{
    CHECK_EQUAL(unlink("audit.log"), 0);
    for (uint32_t slot = 0; slot < SCENE_RINGS; slot++) {
        char name[RING_NAME_SIZE];

        ring_name(slot, scene.rings[slot].nonce, name);
        CHECK_EQUAL(unlink(name), 0);
    }
}

uint64_t
scene_count(enum control_counter counter)
{
    return control_count(&scene.control, counter);
}

bool
scene_has_intent(void)
{
    const struct control_intent *said = scene.control.shared->intents;

    return said[0].valid != 0 || said[1].valid != 0;
}

bool
scene_is_drained(uint32_t ring)
{
    return ring_head(&scene.rings[ring]) == ring_tail(&scene.rings[ring]);
}

void
scene_put(uint32_t ring, const char *text)
{
    struct ring_reservation at;
    char line[4096];

    CHECK(snprintf(line, sizeof(line), "line %s", text) < (int)sizeof(line));
    CHECK_EQUAL(
        ring_write(&scene.rings[ring], RING_DATA, line, strlen(line), true, &at), 0);
}

void
scene_put_gap(uint32_t ring, enum gap_reason reason, uint64_t count)
{
    struct gap gap = {.reason = reason,
                      .count = count,
                      .bytes = 100 * count,
                      .total_count = count,
                      .total_bytes = 100 * count};
    char record[sizeof(struct gap_mark) + GAP_LINE_MAX];
    struct ring_reservation at;

    CHECK_EQUAL(ring_write(&scene.rings[ring], RING_GAP, record,
                           gap_format(&gap, record), false, &at),
                0);
}

const char scene_three[] = "line one\nline two, a bit longer\nline three\n";

void
scene_put_three(void)
{
    scene_put(0, "one");
    scene_put(1, "two, a bit longer");
    scene_put(2, "three");
}

enum batch_taken
scene_take(uint32_t ring, bool owner_gone)
{
    struct batch_source source = {.ring = &scene.rings[ring],
                                  .slot = ring,
                                  .end = ring_tail(&scene.rings[ring]),
                                  .owner_gone = owner_gone};

    return batch_take(&scene.batch, &source, UINT64_MAX);
}

void
scene_stage(void)
{
    batch_begin(&scene.batch);
    for (uint32_t ring = 0; ring < SCENE_RINGS; ring++) {
        CHECK_EQUAL(scene_take(ring, false), BATCH_TOOK_ALL);
    }
}

void
scene_write(void)
{
    CHECK_EQUAL(batch_write(&scene.batch), 0);
    CHECK(!scene.batch.is_outstanding);
    CHECK(!scene_has_intent());
}

void
scene_write_part(uint64_t bytes)
{
    scene_stage();
    if (bytes > 0) {
        sys_test_cut_write(bytes);
    }
    sys_test_fail(CALL_writev, ENOSPC, bytes > 0 ? 2 : 1, UINT32_MAX);
    CHECK_EQUAL(batch_write(&scene.batch), -ENOSPC);
    CHECK_EQUAL(scene.batch.written, bytes);
}
