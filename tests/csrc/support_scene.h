/* support_scene.h - a log without a writer: control block, live file, batch, rings.
 *
 * Everything a leader works with, for tests that are the leader. The rings are files in
 * the current folder, as those of other processes would be; the control block is a
 * private one. Time stands still, all calls go through sys_test.
 */
#ifndef AUDITRING_SUPPORT_SCENE_H
#define AUDITRING_SUPPORT_SCENE_H

#include "batch.h"
#include "ringmap.h"

enum { SCENE_RINGS = 3 };

struct scene {
    struct control control;
    struct logfile file;
    struct batch batch;
    struct ring rings[SCENE_RINGS]; /* of slots 0 to 2 */
    struct ringmap map;             /* a second view of them, as recovery has */
};

extern struct scene scene;

/* The settings are as given, with mode 0600 and no group. */
void scene_open(const struct control_settings *settings);
/* Everything is given back, and no descriptor is left. */
void scene_close(void);

/* The leader dies, another opens the same log. */
void scene_change_leader(void);

/* Removes the log and the rings' files, for the next scene. */
void scene_forget(void);

uint64_t scene_count(enum control_counter counter);
/* Whether there is one, valid or not. */
bool scene_has_intent(void);
bool scene_is_drained(uint32_t ring);

/* Commits "line <text>\n". */
void scene_put(uint32_t ring, const char *text);
void scene_put_gap(uint32_t ring, enum gap_reason reason, uint64_t count);

/* Three lines, one a ring. */
extern const char scene_three[];
void scene_put_three(void);

/* Stages all that the ring holds. */
enum batch_taken scene_take(uint32_t ring, bool owner_gone);

/* Begins a batch of all that the rings hold. */
void scene_stage(void);

/* Writes what was staged, and all of it. */
void scene_write(void);

/* Stages, and writes it, but no more than `bytes` of it: then the disk is full. */
void scene_write_part(uint64_t bytes);

#endif
