/* logfile.h - the live file of a log: opened, appended to, watched for meddling.
 *
 * It only ever grows through us. A failed or short append leaves an unfinished last
 * line, which is continued later and never cut.
 *
 * Ownership:  the struct owns its descriptor; `dir` is borrowed.
 * Threads:    one at a time (the leader's).
 * Errors:     0 or a negative errno.
 * Units:      bytes.
 */
#ifndef AUDITRING_LOGFILE_H
#define AUDITRING_LOGFILE_H

#include "sys.h"

#include <stdbool.h>
#include <stdint.h>

struct logfile {
    const struct sys *sys;
    int dir; /* -1: it can't be opened now; the file stays as it is */
    const char *name;
    int fd; /* -1: closed */
    bool is_stream; /* standard output: no size, no name, no rotation */
    bool may_block; /* a stream that is no regular file */
    uint64_t device;
    uint64_t inode;
    uint64_t size;     /* as our last look or append left it */
    uint64_t since_ns; /* its mtime when we opened it */
    uint64_t
        reserved; /* there are blocks up to here; UINT64_MAX: no more are asked for */
    bool is_kept; /* it was open before and not opened by its name (keptfile.h) */
    bool is_adopted; /* it was there with content, and we have not written to it yet */
    bool is_locked; /* against others who append (appending.h) */
    bool is_contended; /* the last try to lock it was in vain */
};

enum logfile_change {
    LOGFILE_SAME,
    LOGFILE_GREW, /* somebody else appended */
    LOGFILE_CUT, /* it is shorter than we left it */
    LOGFILE_MOVED, /* it has another name now, or its name shows another file */
    LOGFILE_UNLINKED, /* it has no name any more */
    LOGFILE_LOST /* our descriptor was closed, or is another file now */
};

struct logfile_look {
    enum logfile_change change;
    uint64_t size_now; /* GREW, CUT */
};

/* Opens the file, or creates it with mode and group. -EINVAL: no regular file;
 * -EMLINK: somebody else's file, with a second name (a hard link may be planted). */
int logfile_open(struct logfile *file, mode_t mode, gid_t gid);

/* The same, but -ENOENT when there is none. */
int logfile_open_existing(struct logfile *file);

/* Creates the file after a rotation, like the one that was `before` (mode, owner).
 * NULL: with mode and gid. -EEXIST: somebody made one. */
int logfile_create(struct logfile *file, const struct stat *before, mode_t mode,
                   gid_t gid);

/* Takes a descriptor of a live file that is open already. */
void logfile_adopt(struct logfile *file, int fd, const struct stat *status);

/* Takes standard output, or another stream, as the live file. */
void logfile_adopt_stream(struct logfile *file, const struct sys *sys, int fd);

void logfile_close(struct logfile *file);

/* Compares descriptor, name and size with what we left. Two system calls, if they are
 * as we left them. */
int logfile_look(struct logfile *file, struct logfile_look *look);

/* What is still to be appended: parts anywhere in memory, in order. */
struct logfile_parts {
    struct iovec *next;
    uint32_t count; /* at most IOV_MAX */
};

/* Appends with one call for all parts. EINTR and short writes are continued. A pipe
 * gets no more at a time than it takes without blocking; -EAGAIN: it is full. Also on
 * failure *parts is what is missing from the file, and *written is increased by what
 * got there. */
int logfile_append(struct logfile *file, struct logfile_parts *parts, uint64_t *written,
                   uint64_t *short_writes);

/* Makes room for an append of `size` bytes and for those after it, as long as the file
 * stays within `limit` bytes (0: any), where that makes appending cheaper. */
void logfile_reserve(struct logfile *file, uint64_t size, uint64_t limit);

/* 1: the last line lacks its newline; 0: it has it, or there is none. */
int logfile_is_unfinished(const struct logfile *file);

/* Adds the newline that the last line of an adopted file lacks; 1 when it did. */
int logfile_complete_last_line(struct logfile *file);

#endif
