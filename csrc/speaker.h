/* speaker.h - what a process says on standard error of a log that does not get on.
 *
 * One speaker a log and process. Trouble that lasts is said within two seconds, once a
 * minute while it goes on, and once when it is over: also while only the background
 * suffers and no write waits yet. What there may be: a disk that is full or fails, a
 * rotation that fails, a leader that is stopped or hangs.
 *
 * A stopped leader is told of and not led away. It may have been halted between taking
 * leadership for sure and its write, and no lock of the kernel makes that write fail
 * when it wakes: whoever finished its intent meanwhile would have the lines twice.
 *
 * Who else may be there: a standard error that nobody reads, which holds up a thread of
 * its own and nothing else; a number 2 that is some file of the program, which never
 * lets it through execve, and is left alone; a signal handler, a fork or another thread
 * that comes while one speaks, and goes on without; a leader of another container or
 * user, of which less can be told; a clock of another time namespace, ahead of ours.
 *
 * Threads:  speaker_look from any thread: one looks, the others go on. The rest, too.
 */
#ifndef AUDITRING_SPEAKER_H
#define AUDITRING_SPEAKER_H

#include "control.h"
#include "sys.h"

#include <stdatomic.h>
#include <stdint.h>

enum { SPEAKER_TEXT_SIZE = 768 };

struct writer;

/* How a log gets on, at one moment. */
struct speaker_view {
    enum health health;
    int error;          /* a negative errno; 0 for a leader */
    int32_t leader_pid; /* 0: nobody leads */
    uint64_t silent_ns; /* since the leader's last pass began */
};

struct speaker {
    _Atomic uint32_t is_looking;
    _Atomic uint32_t said; /* messages so far */
    struct speaker_view view; /* of the trouble that is going on */
    bool is_told;
    uint64_t since_ns;
    uint64_t fine_since_ns; /* 0: it isn't */
    uint64_t next_ns;
    uint64_t dropped_before;
    /* under the writer's mutex */
    int said_error; /* -EAGAIN: of a leader; 0: it was that trouble is over */
    char said_text[SPEAKER_TEXT_SIZE];
};

void speaker_view(const struct writer *writer, struct speaker_view *out);

/* Looks, and says what has to be said. */
void speaker_look(struct writer *writer);

/* In a forked child: the parent's trouble is its own to tell. */
void speaker_forget(struct writer *writer);

/* Counts what speakers of this process said, of all logs, and waits until it is more.
 */
uint32_t speaker_news(void);
void speaker_wait_news(uint32_t seen, uint64_t limit_ns);
void speaker_wake_news(void);

/* What is wrong now, in words; empty for nothing. */
void speaker_describe(struct writer *writer, char text[SPEAKER_TEXT_SIZE]);

#endif
