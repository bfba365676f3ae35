/* support_trial.h - a trial: the whole life of a log, with one fault in it.
 *
 * A log is opened, written, rotated, synced and closed, by steps and with time stopped.
 * Whatever failed: nothing crashes or spins, every line that was acknowledged is in the
 * log exactly once, whole and in order, what was dropped is told exactly, nothing else
 * is told but a sync that failed, no descriptor or file is left behind, no file is
 * synced again after that failed once, and two seconds after the fault ended the log is
 * healthy and does what it is asked to. Opening may fail; then the next one must not.
 */
#ifndef AUDITRING_SUPPORT_TRIAL_H
#define AUDITRING_SUPPORT_TRIAL_H

#include "control.h"
#include "support_fault.h"
#include "support_past.h"

#include <stdbool.h>

/* What becomes of a child that is forked and writes a line. */
enum trial_child { CHILD_NONE, CHILD_DIES, CHILD_STOPS };

struct trial_setting {
    const char *name; /* completes "while ..." */
    enum dialect dialect;
    enum durability durability;
    enum past past;
    enum trial_child child;
    bool has_group;
    bool has_rings_path;
    bool is_stream;
};

/* Runs one in the current folder, which is empty before and after. Tells whether the
 * call that was to fail came at all. */
bool trial_run(const struct trial_setting *setting, const struct fault *fault);

#endif
