/* support_verdict.h - what must be true of a log after a trial.
 *
 * Reads the files as a reader of the log would, none of csrc's counters.
 */
#ifndef AUDITRING_SUPPORT_VERDICT_H
#define AUDITRING_SUPPORT_VERDICT_H

#include "support_trial.h"

#include <stdbool.h>

enum { TRIAL_LINES = 16, TRIAL_MODE = 0640 };

/* What a trial did, as far as the log has to show it. */
struct account {
    const struct trial_setting *setting;
    const struct fault *fault;
    bool is_written[TRIAL_LINES]; /* "line <number>": acknowledged */
    int lines;
    bool is_childs_written; /* "line of the child" */
    unsigned drops;
    bool has_sync_failed;
    bool is_out_of_order; /* the log counted that its order broke */
};

/* Ends the test, naming setting and fault, unless the condition holds. */
void verdict_expect(const struct account *account, bool condition, const char *what,
                    const char *file, int line);

/* Whether the files hold every line that was acknowledged so far. */
bool verdict_is_all_there(const struct account *account);

/* Judges `text` (NULL: what stands in the files of the current folder). */
void verdict_check(const struct account *account, char *text);

#endif
