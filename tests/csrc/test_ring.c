/* The record protocol of one ring, step by step, in one thread. */
#include "ring.h"
#include "ringreader.h"
#include "ringwait.h"
#include "support.h"
#include "support_sys.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint64_t nonce = UINT64_C(0x9e3779b97f4a7c15);
static const uint64_t capacity = 64 * 1024;

/* Around the wrap of the ring, of 32 bits, and far away. */
static const uint64_t firsts[] = {0,
                                  64 * 1024 - 33,
                                  64 * 1024 - 64,
                                  UINT64_C(0xffffffe0),
                                  UINT64_C(0x100000000) - 64 * 1024,
                                  UINT64_C(0x4000000000000000) - 96};
enum { FIRSTS = sizeof(firsts) / sizeof(firsts[0]) };

static struct ring
open_ring(uint64_t first_position)
{
    struct ring_options options = {
        .capacity = capacity, .nonce = nonce, .first_position = first_position};
    struct ring ring;

    sys_test_reset();
    CHECK_EQUAL(ring_create_private(&ring, &sys_test, &options), 0);
    return ring;
}

static int
put(struct ring *ring, const char *text)
{
    struct ring_reservation reservation;

    return ring_write(ring, RING_DATA, text, strlen(text), false, &reservation);
}

/* Takes the next record and gives its room back; its text is good until the next call.
 */
static const char *
take(struct ring *ring)
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

static bool
is_record(struct ring *ring, uint64_t from, bool owner_gone, const char *text,
          struct ring_record *record)
{
    return ring_next(ring, from, ring_tail(ring), owner_gone, record) == 1 &&
           record->size == strlen(text) &&
           memcmp(record->data, text, record->size) == 0;
}

static void
records_are_read_in_order_and_whole(void)
{
    for (int i = 0; i < FIRSTS; i++) {
        struct ring ring = open_ring(firsts[i]);

        CHECK_EQUAL(put(&ring, "one"), 0);
        CHECK_EQUAL(put(&ring, "two, which is longer than one unit of the ring: "
                               "sixty-four bytes and more"),
                    0);
        CHECK_EQUAL(put(&ring, ""), 0);

        CHECK_TEXT(take(&ring), "one");
        CHECK_TEXT(take(&ring), "two, which is longer than one unit of the ring: "
                                "sixty-four bytes and more");
        CHECK_TEXT(take(&ring), "");
        CHECK(take(&ring) == NULL);
        CHECK_EQUAL(ring_head(&ring), ring_tail(&ring));
        ring_close(&ring);
    }
}

static void
a_newline_is_added_when_asked_for(void)
{
    struct ring ring = open_ring(0);
    struct ring_reservation reservation;

    CHECK_EQUAL(ring_write(&ring, RING_DATA, "line", 4, true, &reservation), 0);

    CHECK_TEXT(take(&ring), "line\n");
    ring_close(&ring);
}

static void
a_record_knows_its_type_and_place(void)
{
    struct ring ring = open_ring(firsts[3]);
    struct ring_reservation reservation;
    struct ring_record record;

    CHECK_EQUAL(ring_write(&ring, RING_GAP, "gap", 3, false, &reservation), 0);

    CHECK(is_record(&ring, firsts[3], false, "gap", &record));
    CHECK_EQUAL(record.type, RING_GAP);
    CHECK_EQUAL(record.position, reservation.position);
    CHECK_EQUAL(record.next, reservation.end);
    ring_close(&ring);
}

static void
payloads_stand_back_to_back(void)
{
    for (int i = 0; i < FIRSTS; i++) {
        struct ring ring = open_ring(firsts[i]);
        const uint8_t *expected = NULL;
        struct ring_record record;
        char text[200] = {0};

        for (size_t size = RING_UNIT; size < sizeof(text); size++) {
            memset(text, 'x', size);
            CHECK_EQUAL(put(&ring, text), 0);
            CHECK_EQUAL(
                ring_next(&ring, ring_head(&ring), ring_tail(&ring), false, &record),
                1);
            CHECK(record.data == expected || record.data == ring.data ||
                  expected == NULL);
            expected = record.data + size;
            ring_publish(&ring, record.next);
        }
        ring_close(&ring);
    }
}

/* Every size in turn, so that the end of the ring is met at every distance. */
static void
nothing_crosses_the_wrap(void)
{
    for (int i = 0; i < FIRSTS; i++) {
        struct ring ring = open_ring(firsts[i]);
        char text[700];

        for (size_t size = 0; size < sizeof(text) - 1; size++) {
            memset(text, 'a' + (int)(size % 26), size);
            text[size] = '\0';
            CHECK_EQUAL(put(&ring, text), 0);
            CHECK_TEXT(take(&ring), text);
        }
        CHECK(ring_tail(&ring) - firsts[i] > 3 * capacity);
        ring_close(&ring);
    }
}

static void
a_pad_before_the_wrap_is_never_seen(void)
{
    struct ring ring = open_ring(capacity - 64);
    struct ring_record record;

    CHECK_EQUAL(
        put(&ring,
            "this record does not fit into 64 bytes, as it is of more than these"),
        0);

    CHECK(
        is_record(&ring, capacity - 64, false,
                  "this record does not fit into 64 bytes, as it is of more than these",
                  &record));
    CHECK_EQUAL(record.position, capacity);
    CHECK_EQUAL(record.skipped + record.damaged, 0);
    ring_close(&ring);
}

static void
the_largest_record_fits_and_a_larger_one_is_refused(void)
{
    for (int i = 0; i < FIRSTS; i++) {
        struct ring ring = open_ring(firsts[i]);
        uint64_t limit = ring_record_limit(capacity);
        struct ring_reservation reservation;

        CHECK_EQUAL(limit, capacity / 2 - 64);
        CHECK_EQUAL(ring_reserve(&ring, limit + 1, &reservation), -EMSGSIZE);
        CHECK_EQUAL(ring_tail(&ring), firsts[i]);
        CHECK_EQUAL(ring_reserve(&ring, limit, &reservation), 0);
        memset(ring_payload(&ring, &reservation), 'x', limit);
        ring_commit(&ring, &reservation, (uint32_t)limit, RING_DATA);
        CHECK_EQUAL(strlen(take(&ring)), limit);
        ring_close(&ring);
    }
}

static void
a_full_ring_refuses_and_reserves_nothing(void)
{
    for (int i = 0; i < FIRSTS; i++) {
        struct ring ring = open_ring(firsts[i]);
        uint64_t tail;
        int error = 0;

        while (error == 0) {
            tail = ring_tail(&ring);
            error = put(&ring, "a record of forty bytes or a little more");
        }

        CHECK_EQUAL(error, -EAGAIN);
        CHECK_EQUAL(ring_tail(&ring), tail);
        CHECK(tail - ring_head(&ring) <= capacity);
        CHECK(tail - ring_head(&ring) > capacity - 200);
        take(&ring);
        take(&ring);
        CHECK_EQUAL(put(&ring, "a record of forty bytes or a little more"), 0);
        ring_close(&ring);
    }
}

static void
a_ring_can_be_filled_to_its_last_byte(void)
{
    struct ring ring = open_ring(0);

    for (uint64_t used = 0; used < capacity; used += 64) {
        CHECK_EQUAL(put(&ring, "exactly thirty-two bytes of text"), 0);
    }

    CHECK_EQUAL(ring_tail(&ring) - ring_head(&ring), capacity);
    CHECK_EQUAL(put(&ring, ""), -EAGAIN);
    ring_close(&ring);
}

static void
crossing_the_middle_is_told_once(void)
{
    struct ring ring = open_ring(0);
    struct ring_reservation reservation;
    char text[1000] = {0};
    int crossed = 0;

    while (ring_write(&ring, RING_DATA, text, sizeof(text), false, &reservation) == 0) {
        crossed += reservation.crossed_half;
    }

    CHECK_EQUAL(crossed, 1);
    ring_close(&ring);
}

static void
a_sealed_ring_takes_nothing_and_gives_all(void)
{
    struct ring ring = open_ring(firsts[5]);
    uint64_t tail;

    CHECK_EQUAL(put(&ring, "before"), 0);
    tail = ring_tail(&ring);
    CHECK(!ring_is_sealed(&ring));

    CHECK_EQUAL(ring_seal(&ring), tail);

    CHECK(ring_is_sealed(&ring));
    CHECK_EQUAL(put(&ring, "after"), -ESTALE);
    CHECK_EQUAL(ring_tail(&ring), tail);
    CHECK_EQUAL(ring_seal(&ring), tail);
    CHECK_TEXT(take(&ring), "before");
    CHECK(take(&ring) == NULL);
    ring_close(&ring);
}

static void
a_reservation_made_before_the_seal_may_still_be_committed(void)
{
    struct ring ring = open_ring(0);
    struct ring_reservation reservation;

    CHECK_EQUAL(ring_reserve(&ring, 4, &reservation), 0);
    ring_seal(&ring);
    memcpy(ring_payload(&ring, &reservation), "late", 4);
    ring_commit(&ring, &reservation, 4, RING_DATA);

    CHECK_TEXT(take(&ring), "late");
    ring_close(&ring);
}

static void
a_hole_of_a_live_owner_holds_up_what_follows(void)
{
    struct ring ring = open_ring(0);
    struct ring_reservation hole;
    struct ring_record record;

    CHECK_EQUAL(put(&ring, "before"), 0);
    CHECK_EQUAL(ring_reserve(&ring, 100, &hole), 0);
    CHECK_EQUAL(put(&ring, "after"), 0);

    CHECK_TEXT(take(&ring), "before");
    CHECK_EQUAL(ring_next(&ring, ring_head(&ring), ring_tail(&ring), false, &record),
                0);
    CHECK_EQUAL(record.next, hole.position);
    ring_commit(&ring, &hole, 0, RING_DATA);
    CHECK_TEXT(take(&ring), "");
    ring_close(&ring);
}

static void
a_hole_of_a_dead_owner_is_passed_over_and_counted(void)
{
    for (int i = 0; i < FIRSTS; i++) {
        struct ring ring = open_ring(firsts[i]);
        struct ring_reservation hole;
        struct ring_record record;

        CHECK_EQUAL(ring_reserve(&ring, 1000, &hole), 0);
        CHECK_EQUAL(put(&ring, "after"), 0);
        CHECK_EQUAL(ring_reserve(&ring, 50, &hole), 0);

        CHECK(is_record(&ring, firsts[i], true, "after", &record));
        CHECK_EQUAL(record.skipped, 1);
        CHECK_EQUAL(record.damaged, 0);
        CHECK_EQUAL(ring_next(&ring, record.next, ring_tail(&ring), true, &record), 0);
        CHECK_EQUAL(record.next, ring_tail(&ring));
        CHECK_EQUAL(record.skipped, 1);
        ring_close(&ring);
    }
}

/* The place of an uncommitted record still shows what stood there a lap ago. */
static void
a_record_of_an_earlier_lap_is_no_record(void)
{
    struct ring ring = open_ring(0);
    struct ring_reservation hole;
    struct ring_record record;
    char text[129] = {0}; /* whose span divides the ring's capacity */

    memset(text, 'x', sizeof(text) - 1);

    for (uint64_t used = 0; used < capacity; used += 128) {
        CHECK_EQUAL(put(&ring, text), 0);
        CHECK_TEXT(take(&ring), text);
    }
    CHECK_EQUAL(ring_tail(&ring), capacity);
    CHECK_EQUAL(ring_reserve(&ring, strlen(text), &hole), 0);

    CHECK_EQUAL(ring_next(&ring, capacity, ring_tail(&ring), false, &record), 0);
    CHECK_EQUAL(ring_next(&ring, capacity, ring_tail(&ring), true, &record), 0);
    CHECK_EQUAL(record.skipped, 1);
    CHECK_EQUAL(record.next, ring_tail(&ring));
    ring_close(&ring);
}

/* Somebody who can choose the payload of a record that is never committed, but does
 * not know the nonce. */
static void
a_payload_can_not_pass_for_a_record(void)
{
    struct ring ring = open_ring(0);
    struct ring_reservation forged, hole;
    struct ring_record record;
    uint64_t guess; /* of a commit word: the position alone */

    CHECK_EQUAL(put(&ring, "x"), 0);
    CHECK_EQUAL(ring_reserve(&ring, 512, &hole), 0);
    forged = hole;
    memset(ring_payload(&ring, &forged), 0, 512);
    for (size_t at = 0; at < 512; at += 32) {
        guess = hole.position + 32 + at;
        memcpy(ring_payload(&ring, &forged) + at, &guess, sizeof(guess));
    }
    CHECK_EQUAL(put(&ring, "after"), 0);

    CHECK(is_record(&ring, hole.position, true, "after", &record));
    CHECK_EQUAL(record.skipped, 1);
    CHECK_EQUAL(record.damaged, 0);
    ring_close(&ring);
}

static uint8_t *
entry_of(struct ring *ring, uint64_t position)
{
    return (uint8_t *)ring->index + (position & (capacity - 1)) / RING_UNIT * 32;
}

/* The byte at `offset` of a committed record's entry is changed by `mask`, or of its
 * payload, if that is where it begins. */
static void
check_damaged(size_t offset, bool of_payload, uint8_t mask)
{
    struct ring ring = open_ring(0);
    struct ring_record record;

    CHECK_EQUAL(put(&ring, "this one will be damaged"), 0);
    CHECK_EQUAL(put(&ring, "this one is whole"), 0);
    (of_payload ? ring.data : entry_of(&ring, 0))[offset] ^= mask;

    CHECK(is_record(&ring, 0, false, "this one is whole", &record));
    CHECK_EQUAL(record.damaged, 1);
    CHECK_EQUAL(record.skipped, 0);
    ring_close(&ring);
}

static void
a_damaged_record_is_passed_over_and_counted(void)
{
    check_damaged(0, true, 0x01);      /* payload, first byte */
    check_damaged(23, true, 0x80); /* payload, last byte */
    check_damaged(8, false, 0x01);       /* size: one off */
    check_damaged(11, false, 0x80);      /* size: above any limit */
    check_damaged(9, false, 0x20);       /* size: beyond the tail */
    check_damaged(12, false, 0x03);      /* type: a gap event */
    check_damaged(12, false, 0x01);      /* type: a pad with a payload */
    check_damaged(13, false, 0x10);      /* type: unknown */
    check_damaged(16, false, 0x01);      /* CRC */
}

static void
a_committed_size_can_not_reach_beyond_the_ring(void)
{
    struct ring ring = open_ring(capacity - 128);
    struct ring_record record;
    uint32_t size = 30000;

    CHECK_EQUAL(put(&ring, "at the end of the ring"), 0);
    CHECK_EQUAL(put(&ring, "and one more"), 0);
    CHECK_EQUAL(put(&ring, "at its beginning"), 0);
    memcpy(entry_of(&ring, capacity - 128) + 8, &size, sizeof(size));

    CHECK_EQUAL(ring_next(&ring, capacity - 128, ring_tail(&ring), false, &record), 1);
    CHECK_EQUAL(record.damaged, 1);
    CHECK_EQUAL(record.position, capacity - 64);
    ring_close(&ring);
}

static void
a_head_that_passed_the_tail_is_damage(void)
{
    struct ring ring = open_ring(0);

    CHECK_EQUAL(put(&ring, "one"), 0);
    ring_publish(&ring, ring_tail(&ring) + 64);

    CHECK_EQUAL(put(&ring, "two"), -EUCLEAN);
    ring_close(&ring);
}

static void
a_head_too_far_behind_is_damage(void)
{
    struct ring ring = open_ring(4 * capacity);

    ring_publish(&ring, 2 * capacity);

    CHECK_EQUAL(put(&ring, "one"), -EUCLEAN);
    ring_close(&ring);
}

static void
fill_ring(struct ring *ring)
{
    while (put(ring, "exactly thirty-two bytes of text") == 0) {
    }
}

static void
waiting_for_space_ends_at_its_limit(void)
{
    struct ring ring = open_ring(0);
    uint64_t begin;

    sys_test_stop_time();
    fill_ring(&ring);
    begin = sys_test.now_mono();

    ring_wait_space(&ring, 10, 7000);

    CHECK_EQUAL(sys_test.now_mono() - begin, 7000);
    CHECK_EQUAL(ring.shared->space_waiters, 0);
    ring_close(&ring);
}

static void
waiting_for_space_that_is_there_does_not_wait(void)
{
    struct ring ring = open_ring(0);

    fill_ring(&ring);
    take(&ring);
    ring_wait_space(&ring, 10, UINT64_C(3600000000000));
    ring_seal(&ring);
    ring_wait_space(&ring, 10000, UINT64_C(3600000000000));

    CHECK_EQUAL(sys_test_calls(CALL_futex_wait), 0);
    ring_close(&ring);
}

static void
a_pad_that_is_in_the_way_counts_as_used(void)
{
    struct ring ring = open_ring(capacity - 64);

    sys_test_stop_time();
    CHECK_EQUAL(put(&ring, "exactly thirty-two bytes of text"), 0);
    fill_ring(&ring);
    take(&ring);
    take(&ring);
    CHECK_EQUAL(put(&ring, "exactly thirty-two bytes of text"), 0);

    /* 64 bytes are free, at the very end; a larger record needs the beginning too. */
    ring_wait_space(&ring, 65, 1000);

    CHECK_EQUAL(sys_test_calls(CALL_futex_wait), 1);
    ring_close(&ring);
}

static void
publishing_wakes_only_those_who_wait(void)
{
    struct ring ring = open_ring(0);

    CHECK_EQUAL(put(&ring, "one"), 0);
    take(&ring);
    CHECK_EQUAL(sys_test_calls(CALL_futex_wake), 0);

    CHECK_EQUAL(put(&ring, "two"), 0);
    ring.shared->space_waiters = 1;
    take(&ring);
    CHECK_EQUAL(sys_test_calls(CALL_futex_wake), 1);
    ring_close(&ring);
}

static void
nobody_is_woken_before_half_the_ring_is_free(void)
{
    struct ring ring = open_ring(0);

    fill_ring(&ring);
    ring.shared->space_waiters = 1;
    while (ring_tail(&ring) - ring_head(&ring) > capacity / 2) {
        CHECK_EQUAL(sys_test_calls(CALL_futex_wake), 0);
        take(&ring);
    }

    CHECK_EQUAL(sys_test_calls(CALL_futex_wake), 1);
    ring_close(&ring);
}

static void
what_is_durable_is_told(void)
{
    struct ring ring = open_ring(firsts[4]);
    struct ring_reservation one, two;

    sys_test_stop_time();
    CHECK_EQUAL(ring_write(&ring, RING_DATA, "one", 3, false, &one), 0);
    CHECK_EQUAL(ring_write(&ring, RING_DATA, "two", 3, false, &two), 0);
    CHECK(!ring_wait_durable(&ring, one.end, 1000));

    ring_publish_durable(&ring, one.end);

    CHECK(ring_wait_durable(&ring, one.end, 1000));
    CHECK(!ring_wait_durable(&ring, two.end, 1000));
    ring_close(&ring);
}

static const struct ring_options file_options = {
    .capacity = 64 * 1024, .nonce = UINT64_C(0x9e3779b97f4a7c15), .slot = 7};
static const char file_name[] = "ring.7.9e3779b97f4a7c15";

static void
create_file(struct ring *ring)
{
    sys_test_reset();
    CHECK_EQUAL(ring_create(ring, &sys_test, AT_FDCWD, &file_options, 0600, (gid_t)-1),
                0);
}

static void
a_file_is_named_by_slot_and_nonce_and_private(void)
{
    struct ring ring;
    struct stat status;

    create_file(&ring);

    CHECK_EQUAL(stat(file_name, &status), 0);
    CHECK_EQUAL(status.st_mode & 07777, 0600);
    CHECK_EQUAL(status.st_size, ring_file_size(capacity));
    CHECK(status.st_blocks * 512 >= (int64_t)capacity);
    ring_close(&ring);
    CHECK_EQUAL(sys_test_descriptors(), 0);
}

static void
an_umask_does_not_change_the_mode(void)
{
    struct ring ring;
    struct stat status;
    mode_t before = umask(0777);

    sys_test_reset();
    CHECK_EQUAL(ring_create(&ring, &sys_test, AT_FDCWD, &file_options, 0660, getgid()),
                0);
    umask(before);

    CHECK_EQUAL(stat(file_name, &status), 0);
    CHECK_EQUAL(status.st_mode & 07777, 0660);
    ring_close(&ring);
}

static bool
is_resident(const uint8_t *address, size_t size)
{
    unsigned char pages[1024] = {0};

    CHECK(size / 4096 <= sizeof(pages));
    CHECK_EQUAL(mincore((void *)(uintptr_t)address, size, pages), 0);
    for (size_t i = 0; i < size / 4096; i++) {
        if ((pages[i] & 1) == 0) {
            return false;
        }
    }
    return true;
}

/* An idle ring has the pages of a MiB, a busy one all of them. */
static void
pages_are_given_before_they_are_written_to(void)
{
    struct ring_options options = {.capacity = 4 * 1024 * 1024, .nonce = nonce};
    struct ring ring;
    char text[4096];

    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    sys_test_reset();
    CHECK_EQUAL(ring_create_private(&ring, &sys_test, &options), 0);

    ring_populate(&ring);
    ring_populate(&ring);
    CHECK(is_resident((uint8_t *)ring.index, 512 * 1024));
    CHECK(is_resident(ring.data, 1024 * 1024));
    CHECK(!is_resident(ring.data + 1024 * 1024, 4096));
    CHECK_EQUAL(sys_test_calls(CALL_populate), 2);

    while (ring_tail(&ring) <= 512 * 1024) {
        CHECK_EQUAL(put(&ring, text), 0);
    }
    ring_populate(&ring);
    ring_populate(&ring);
    CHECK(is_resident((uint8_t *)ring.index, 2 * 1024 * 1024));
    CHECK(is_resident(ring.data, 4 * 1024 * 1024));
    CHECK_EQUAL(sys_test_calls(CALL_populate), 4);
    ring_close(&ring);
}

static void
a_kernel_that_does_not_give_pages_is_no_harm(void)
{
    struct ring ring = open_ring(0);

    sys_test_fail(CALL_populate, EINVAL, 1, 1000);
    ring_populate(&ring);

    CHECK_EQUAL(put(&ring, "one"), 0);
    CHECK_TEXT(take(&ring), "one");
    ring_close(&ring);
}

static void
what_one_process_wrote_another_reads(void)
{
    struct ring ring, other;
    struct ring_record record;

    create_file(&ring);
    CHECK_EQUAL(put(&ring, "from one to another"), 0);
    ring_close(&ring);
    ring_close(&ring);

    CHECK_EQUAL(ring_open(&other, &sys_test, AT_FDCWD, 7, nonce), 0);

    CHECK(is_record(&other, 0, false, "from one to another", &record));
    ring_close(&other);
}

static void
a_file_that_exists_is_not_touched(void)
{
    struct ring ring, other;

    create_file(&ring);
    CHECK_EQUAL(put(&ring, "mine"), 0);

    CHECK_EQUAL(
        ring_create(&other, &sys_test, AT_FDCWD, &file_options, 0600, (gid_t)-1),
        -EEXIST);

    CHECK_TEXT(take(&ring), "mine");
    ring_close(&ring);
}

static void
a_creation_that_fails_leaves_nothing_behind(void)
{
    static const enum sys_call calls[] = {CALL_openat, CALL_fchmod, CALL_fchown,
                                          CALL_fallocate, CALL_mmap_shared};
    struct ring ring;

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        sys_test_reset();
        sys_test_fail(calls[i], ENOSPC, 1, 1);

        CHECK_EQUAL(
            ring_create(&ring, &sys_test, AT_FDCWD, &file_options, 0600, getgid()),
            -ENOSPC);

        CHECK(!file_exists(file_name));
        CHECK_EQUAL(sys_test_descriptors(), 0);
    }
}

/* A mapping of the parent's ring in a child would be a second writer to it. */
static void
look_for_the_mapping(void *address)
{
    unsigned char resident;

    CHECK_EQUAL(mincore(address, RING_HEADER_SIZE, &resident), -1);
    CHECK_EQUAL(errno, ENOMEM);
}

static void
a_child_does_not_have_the_ring(void)
{
    struct ring ring;
    pid_t child;

    create_file(&ring);
    child = fork();
    if (child == 0) {
        look_for_the_mapping(ring.shared);
        child_exit();
    }

    CHECK_EQUAL(child_wait(child), 0);
    ring_close(&ring);
}

static void
change_file(size_t offset, const void *data, size_t size)
{
    int fd = open(file_name, O_RDWR | O_CLOEXEC);

    CHECK(fd >= 0);
    CHECK_EQUAL(pwrite(fd, data, size, (off_t)offset), (ssize_t)size);
    close(fd);
}

static void
new_file(void)
{
    struct ring ring;

    unlink(file_name);
    create_file(&ring);
    ring_close(&ring);
}

static void
check_refused(int error)
{
    struct ring ring;

    CHECK_EQUAL(ring_open(&ring, &sys_test, AT_FDCWD, 7, nonce), error);
    CHECK_EQUAL(sys_test_descriptors(), 0);
}

static void
check_field_refused(size_t offset, uint64_t value, size_t size)
{
    new_file();
    change_file(offset, &value, size);
    check_refused(-EUCLEAN);
}

static void
a_forged_header_is_refused(void)
{
    check_field_refused(offsetof(struct ring_shared, magic), 0, 8);
    check_field_refused(offsetof(struct ring_shared, magic), 42, 8);
    check_field_refused(offsetof(struct ring_shared, version), 0, 4);
    check_field_refused(offsetof(struct ring_shared, version), RING_VERSION + 1, 4);
    check_field_refused(offsetof(struct ring_shared, slot), 8, 4);
    check_field_refused(offsetof(struct ring_shared, nonce), 1, 8);
    check_field_refused(offsetof(struct ring_shared, capacity), 0, 8);
    check_field_refused(offsetof(struct ring_shared, capacity), capacity / 2, 8);
    check_field_refused(offsetof(struct ring_shared, capacity), capacity * 2, 8);
    check_field_refused(offsetof(struct ring_shared, capacity), capacity - 32, 8);
    check_field_refused(offsetof(struct ring_shared, capacity), UINT64_MAX, 8);
    check_field_refused(offsetof(struct ring_shared, capacity), (uint64_t)1 << 63, 8);
}

static void
a_file_of_another_size_is_refused(void)
{
    static const off_t sizes[] = {0,
                                  1,
                                  RING_HEADER_SIZE - 1,
                                  RING_HEADER_SIZE,
                                  RING_HEADER_SIZE + 96 * 1024 - 1,
                                  RING_HEADER_SIZE + 96 * 1024 + 1};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        new_file();
        CHECK_EQUAL(truncate(file_name, sizes[i]), 0);
        check_refused(-EUCLEAN);
    }
}

/* A capacity that is no power of two, or too small, with a file to match. */
static void
a_capacity_that_is_none_is_refused(void)
{
    static const uint64_t capacities[] = {32 * 1024, 96 * 1024, 0};

    for (size_t i = 0; i < sizeof(capacities) / sizeof(capacities[0]); i++) {
        new_file();
        change_file(offsetof(struct ring_shared, capacity), &capacities[i], 8);
        CHECK_EQUAL(truncate(file_name, (off_t)ring_file_size(capacities[i])), 0);
        check_refused(-EUCLEAN);
    }
}

static void
what_is_no_file_of_ours_is_refused(void)
{
    new_file();
    CHECK_EQUAL(link(file_name, "second"), 0);
    check_refused(-EUCLEAN);
    CHECK_EQUAL(unlink(file_name), 0);
    check_refused(-ENOENT);
    CHECK_EQUAL(symlink("second", file_name), 0);
    check_refused(-ELOOP);
    CHECK_EQUAL(unlink(file_name), 0);
    CHECK_EQUAL(mkfifo(file_name, 0600), 0);
    check_refused(-EUCLEAN);
    CHECK_EQUAL(unlink(file_name), 0);
    CHECK_EQUAL(mkdir(file_name, 0700), 0);
    check_refused(-EISDIR);
}

static void
an_opening_that_fails_keeps_nothing_open(void)
{
    static const enum sys_call calls[] = {CALL_openat, CALL_fstat, CALL_mmap_shared};

    new_file();
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        sys_test_fail(calls[i], ENOMEM, 1, 1);
        check_refused(-ENOMEM);
    }
}

static void
a_capacity_is_the_next_power_of_two_within_the_limits(void)
{
    CHECK_EQUAL(ring_capacity_for(0), RING_CAPACITY_MIN);
    CHECK_EQUAL(ring_capacity_for(RING_CAPACITY_MIN), RING_CAPACITY_MIN);
    CHECK_EQUAL(ring_capacity_for(RING_CAPACITY_MIN + 1), 2 * RING_CAPACITY_MIN);
    CHECK_EQUAL(ring_capacity_for(8 * 1024 * 1024), 8 * 1024 * 1024);
    CHECK_EQUAL(ring_capacity_for(RING_CAPACITY_MAX), RING_CAPACITY_MAX);
    CHECK_EQUAL(ring_capacity_for(UINT64_MAX), RING_CAPACITY_MAX);
}

static void
a_span_is_the_payload_but_a_unit_at_least(void)
{
    CHECK_EQUAL(ring_span(0), 64);
    CHECK_EQUAL(ring_span(1), 64);
    CHECK_EQUAL(ring_span(64), 64);
    CHECK_EQUAL(ring_span(65), 65);
}

RUN(TEST(records_are_read_in_order_and_whole), TEST(a_newline_is_added_when_asked_for),
    TEST(a_record_knows_its_type_and_place), TEST(payloads_stand_back_to_back),
    TEST(nothing_crosses_the_wrap), TEST(a_pad_before_the_wrap_is_never_seen),
    TEST(the_largest_record_fits_and_a_larger_one_is_refused),
    TEST(a_full_ring_refuses_and_reserves_nothing),
    TEST(a_ring_can_be_filled_to_its_last_byte), TEST(crossing_the_middle_is_told_once),
    TEST(a_sealed_ring_takes_nothing_and_gives_all),
    TEST(a_reservation_made_before_the_seal_may_still_be_committed),
    TEST(a_hole_of_a_live_owner_holds_up_what_follows),
    TEST(a_hole_of_a_dead_owner_is_passed_over_and_counted),
    TEST(a_record_of_an_earlier_lap_is_no_record),
    TEST(a_payload_can_not_pass_for_a_record),
    TEST(a_damaged_record_is_passed_over_and_counted),
    TEST(a_committed_size_can_not_reach_beyond_the_ring),
    TEST(a_head_that_passed_the_tail_is_damage), TEST(a_head_too_far_behind_is_damage),
    TEST(waiting_for_space_ends_at_its_limit),
    TEST(waiting_for_space_that_is_there_does_not_wait),
    TEST(a_pad_that_is_in_the_way_counts_as_used),
    TEST(publishing_wakes_only_those_who_wait),
    TEST(nobody_is_woken_before_half_the_ring_is_free), TEST(what_is_durable_is_told),
    TEST(a_file_is_named_by_slot_and_nonce_and_private),
    TEST(an_umask_does_not_change_the_mode),
    TEST(pages_are_given_before_they_are_written_to),
    TEST(a_kernel_that_does_not_give_pages_is_no_harm),
    TEST(what_one_process_wrote_another_reads), TEST(a_file_that_exists_is_not_touched),
    TEST(a_creation_that_fails_leaves_nothing_behind),
    TEST(a_child_does_not_have_the_ring), TEST(a_forged_header_is_refused),
    TEST(a_file_of_another_size_is_refused), TEST(a_capacity_that_is_none_is_refused),
    TEST(what_is_no_file_of_ours_is_refused),
    TEST(an_opening_that_fails_keeps_nothing_open),
    TEST(a_capacity_is_the_next_power_of_two_within_the_limits),
    TEST(a_span_is_the_payload_but_a_unit_at_least))
