/* testpoint.h - places where a test may stop or kill the process.
 *
 * Between any two stores or system calls that a crash could separate stands a
 * TEST_POINT(name). Release builds compile it to nothing. A build with
 * AUDITRING_TEST_POINTS calls the hook that the test program defines.
 */
#ifndef AUDITRING_TESTPOINT_H
#define AUDITRING_TESTPOINT_H

#define TEST_POINTS(X)                                                                 \
    X(emit_reserved)                                                                   \
    X(emit_copied)                                                                     \
    X(emit_before_commit)                                                              \
    X(emit_after_commit)                                                               \
    X(open_state_dir)                                                                  \
    X(open_founding)                                                                   \
    X(open_founded)                                                                    \
    X(slot_locked)                                                                     \
    X(slot_claimed)                                                                    \
    X(slot_ring_created)                                                               \
    X(slot_live)                                                                       \
    X(slot_sealing)                                                                    \
    X(slot_closing)                                                                    \
    X(lead_locked)                                                                     \
    X(lead_named)                                                                      \
    X(lead_recovered)                                                                  \
    X(recover_rebuilt)                                                                 \
    X(recover_appended)                                                                \
    X(recover_cleared)                                                                 \
    X(orphan_found)                                                                    \
    X(orphan_sealed)                                                                   \
    X(adopt_moved)                                                                     \
    X(adopt_named)                                                                     \
    X(retire_drained)                                                                  \
    X(retire_unlinked)                                                                 \
    X(retire_done)                                                                     \
    X(batch_staged)                                                                    \
    X(batch_intent_filled)                                                             \
    X(batch_intent_valid)                                                              \
    X(batch_part_written)                                                              \
    X(batch_written)                                                                   \
    X(batch_synced)                                                                    \
    X(batch_settled)                                                                   \
    X(batch_head_published)                                                            \
    X(batch_heads_published)                                                           \
    X(batch_counted)                                                                   \
    X(batch_cleared)                                                                   \
    X(gap_counted)                                                                     \
    X(gap_written)                                                                     \
    X(rotate_start)                                                                    \
    X(rotate_renamed)                                                                  \
    X(rotate_shifted)                                                                  \
    X(rotate_created)                                                                  \
    X(rotate_done)                                                                     \
    X(request_served)                                                                  \
    X(step_down)                                                                       \
    X(rest_begun)

enum test_point {
#define AS_NUMBER(name) TEST_POINT_##name,
    TEST_POINTS(AS_NUMBER)
#undef AS_NUMBER
        TEST_POINT_COUNT
};

#ifdef AUDITRING_TEST_POINTS
void test_point_reached(enum test_point point);
#define TEST_POINT(name) test_point_reached(TEST_POINT_##name)
#else
#define TEST_POINT(name) ((void)0)
#endif

#endif
