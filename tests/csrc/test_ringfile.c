/* The file of a ring: made, found again, and refused when it is not ours. */
#include "ring.h"
#include "ringfile.h"
#include "ringreader.h"
#include "support.h"
#include "support_ring.h"
#include "support_sys.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

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

static void
what_one_process_wrote_another_reads(void)
{
    struct ring ring, other;
    struct ring_record record;

    create_file(&ring);
    CHECK_EQUAL(put_text(&ring, "from one to another"), 0);
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
    CHECK_EQUAL(put_text(&ring, "mine"), 0);

    CHECK_EQUAL(
        ring_create(&other, &sys_test, AT_FDCWD, &file_options, 0600, (gid_t)-1),
        -EEXIST);

    CHECK_TEXT(take_text(&ring), "mine");
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

RUN(TEST(a_file_is_named_by_slot_and_nonce_and_private),
    TEST(an_umask_does_not_change_the_mode), TEST(what_one_process_wrote_another_reads),
    TEST(a_file_that_exists_is_not_touched),
    TEST(a_creation_that_fails_leaves_nothing_behind),
    TEST(a_child_does_not_have_the_ring), TEST(a_forged_header_is_refused),
    TEST(a_file_of_another_size_is_refused), TEST(a_capacity_that_is_none_is_refused),
    TEST(what_is_no_file_of_ours_is_refused),
    TEST(an_opening_that_fails_keeps_nothing_open),
    TEST(a_capacity_is_the_next_power_of_two_within_the_limits),
    TEST(a_span_is_the_payload_but_a_unit_at_least))
