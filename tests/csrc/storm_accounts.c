#include "storm_accounts.h"

#include "storm_left.h"

#include <inttypes.h>
#include <stdio.h>

unsigned
accounts_expect(bool is_so, const char *what)
{
    if (!is_so) {
        printf("wrong: %s\n", what);
    }
    return !is_so;
}

static unsigned
check_files(const struct storm_log *log, const struct control *control)
{
    unsigned wrong = 0;

    /* A rotation that failed is tried again a second later. */
    wrong +=
        accounts_expect(log->overfull <= control_count(control, COUNTER_rotate_errors),
                        "files are larger than they may be");
    wrong +=
        accounts_expect(left_print_rings(log, control) == 0, "rings were left behind");
    wrong += accounts_expect(storm_log_left(log, "ctl.tmp") == 0,
                             "a temporary file was left behind");
    return wrong;
}

static unsigned
check_gaps(const struct oracle *oracle, const struct control *control,
           uint64_t abandoned_max, uint32_t allowed)
{
    const uint64_t *told = oracle->findings.gap_counts;
    uint64_t abandoned = told[GAP_ABANDONED], dropped = told[GAP_DROPPED];
    unsigned wrong = 0;

    wrong += accounts_expect(control_count(control, COUNTER_gap_events) ==
                                 oracle->findings.gap_events,
                             "gap_events isn't the number of gap events");
    wrong += accounts_expect(control_count(control, COUNTER_abandoned_reservations) ==
                                 abandoned,
                             "abandoned reservations were not told as counted");
    wrong += accounts_expect(abandoned <= abandoned_max,
                             "more reservations were abandoned than producers killed");
    wrong += accounts_expect(dropped >= oracle_drops_min(oracle) &&
                                 dropped <= oracle_drops_max(oracle),
                             "drops were not told as they happened");
    for (int reason = GAP_DAMAGED; reason < GAP_REASONS; reason++) {
        wrong += accounts_expect(told[reason] == 0 || (allowed >> reason & 1) != 0,
                                 gap_reason_name((enum gap_reason)reason));
    }
    return wrong;
}

unsigned
accounts_check(const struct storm_log *log, const struct control *control,
               uint64_t abandoned_max, uint32_t allowed)
{
    const struct oracle *oracle = log->oracle;
    unsigned wrong = check_files(log, control);

    wrong +=
        accounts_expect(!oracle_has_doubts(oracle), "the log isn't what it must be");
    wrong += accounts_expect(control_count(control, COUNTER_recovery_conflicts) == 0,
                             "there were recovery conflicts");
    wrong += accounts_expect(control_count(control, COUNTER_records_written) ==
                                 oracle->findings.lines,
                             "records_written isn't the number of lines");
    if (log->dialect == DIALECT_STDLIB) {
        return wrong; /* gap events stand beside the log */
    }
    wrong += accounts_expect(control_count(control, COUNTER_bytes_written) ==
                                 oracle->findings.bytes,
                             "bytes_written isn't the size of the log");
    return wrong + check_gaps(oracle, control, abandoned_max, allowed);
}

void
accounts_row(const char *name, uint64_t value)
{
    printf("  %-24s %12" PRIu64 "\n", name, value);
}

void
accounts_print(const struct oracle *oracle)
{
    const struct oracle_findings *found = &oracle->findings;

    accounts_row("acknowledged", oracle_acknowledged(oracle));
    accounts_row("not acknowledged", oracle_unacknowledged(oracle));
    accounts_row("lines", found->lines);
    accounts_row("lost", found->lost);
    accounts_row("duplicated", found->duplicated);
    accounts_row("torn", found->torn);
    accounts_row("out of order", found->disordered);
    accounts_row("drops, at least", oracle_drops_min(oracle));
    accounts_row("drops, at most", oracle_drops_max(oracle));
    accounts_row("gap events", found->gap_events);
    accounts_row("  of drops", found->gap_counts[GAP_DROPPED]);
    accounts_row("  of reservations", found->gap_counts[GAP_ABANDONED]);
}

void
accounts_print_counters(const struct control *control)
{
    printf("counters of the log\n");
    for (int i = 0; i < COUNTER_COUNT; i++) {
        enum control_counter counter = (enum control_counter)i;

        if (control_count(control, counter) > 0) {
            accounts_row(control_counter_name(counter),
                         control_count(control, counter));
        }
    }
}
