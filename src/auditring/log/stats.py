"""What a log and its writer counted, at one moment."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ..backups.space import SpaceState

__all__ = ["HEALTH", "Stats"]

HEALTH: Final = (
    "ok",
    "disk-full",
    "disk-error",
    "rotation-fails",
    "leader-stopped",
    "leader-hangs",
)
"""What `Stats.health` may be, in the order of csrc/control.h."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """The counters of a log, of all its processes since its control file was made.

    Attributes:
        records_written: Records in the file, gap events not counted.
        bytes_written: Bytes in the file, gap events included.
        batches_written: Appends that carried them.
        gap_events: Gap events in the file.
        rotations: Backups made.
        leader_changes: Times that a process took over draining.
        recovered_records: Records written for a process that had ended.
        batches_forwarded: Batches of a dead leader that were in the file whole.
        batches_completed: Batches of a dead leader that were torn and completed.
        batches_redone: Batches of a dead leader that were begun anew.
        batches_settled: Batches cut at a whole line because the file failed.
        recovery_conflicts: Recoveries that found other bytes than they expected.
        abandoned_reservations: Writes that a death of their process cut short.
        damaged_records: Records whose checksum was wrong.
        dropped_records: Records dropped because the ring was full.
        dropped_bytes: Their bytes.
        refused_records: Records refused with an exception.
        blocked_ns: Nanoseconds that writes waited for room.
        block_timeouts: Waits that ran out.
        oversize_records: Records larger than max_bytes, each in a file of its own.
        false_deaths: Rings left because somebody took their process for dead.
        stalled_slots: Rings left because a thread stopped in the middle of a write.
        retired_slots: Rings drained to their end and removed.
        live_file_moved: Times the live file was renamed by somebody else.
        live_file_unlinked: Times it was removed or replaced.
        live_file_cut: Times it was truncated.
        foreign_bytes: Bytes that others appended to it.
        foreign_lines_completed: Newlines added after others' unfinished last lines.
        short_writes: Writes that the kernel cut short and that were continued.
        write_errors: Failed appends.
        sync_errors: Failed syncs.
        rotate_errors: Failed rotations.
        syncs: Syncs.
        locks_reopened: Times the lock file was closed or replaced under us.
        handovers: Times a leader let another process try.
        salvaged_records: Records saved after a reboot, in a file of their own.
        settings_changes: Times an opener changed the settings.
        unread_backups_removed: Backups removed that a registered follower had not read.
        adopted_rings: Rings that were found by their files, as the control file didn't
            name them.
        ring_capacity: Bytes of this process's ring.
        ring_used: Bytes of it that wait to be drained.
        live_slots: Rings of all processes.
        health: One of `HEALTH`. With "rotation-fails" lines get to the file all the
            same; "leader-stopped" and "leader-hangs" are of the process that writes
            the file for all.
        trouble: What is wrong, in words, "" if nothing is.
        last_error: errno of the last trouble in the background, 0 for none.
        leads: This process drains the rings of all.
        leader_pid: The process that does, by its number in its own container, 0 for
            none.
        leader_silent_s: Whole seconds since it began its last round; 0 while it gets
            on.
        coerced_values: Values that this writer made JSON-able.
        backups_compressed: Backups compressed by this process.
        backups_removed: Backups removed by this process.
        mill_errors: Failures with backups in this process.
        mill_last_error: Text of the last of them, "" for none.
        space: State of the disk, "ok" if it isn't watched.
    """

    records_written: int
    bytes_written: int
    batches_written: int
    gap_events: int
    rotations: int
    leader_changes: int
    recovered_records: int
    batches_forwarded: int
    batches_completed: int
    batches_redone: int
    batches_settled: int
    recovery_conflicts: int
    abandoned_reservations: int
    damaged_records: int
    dropped_records: int
    dropped_bytes: int
    refused_records: int
    blocked_ns: int
    block_timeouts: int
    oversize_records: int
    false_deaths: int
    stalled_slots: int
    retired_slots: int
    live_file_moved: int
    live_file_unlinked: int
    live_file_cut: int
    foreign_bytes: int
    foreign_lines_completed: int
    short_writes: int
    write_errors: int
    sync_errors: int
    rotate_errors: int
    syncs: int
    locks_reopened: int
    handovers: int
    salvaged_records: int
    settings_changes: int
    unread_backups_removed: int
    adopted_rings: int
    ring_capacity: int
    ring_used: int
    live_slots: int
    health: str
    trouble: str
    last_error: int
    leads: bool
    leader_pid: int
    leader_silent_s: int
    coerced_values: int
    backups_compressed: int
    backups_removed: int
    mill_errors: int
    mill_last_error: str
    space: "SpaceState"
