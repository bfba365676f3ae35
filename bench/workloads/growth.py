"""How speed changes with threads, processes, the size of a line and of the ring."""

from catalogue import LINE_SIZES_BYTES, PROCESS_COUNTS, RING_SIZES_KIB, THREAD_COUNTS
from workloads.shared_file import SharedFile
from workloads.workload import Workload
from workloads.writing import WRITE_LOOP, Writing

__all__ = ["WORKLOADS"]

KIB = 1024
# Ours, the one that is replaced, the fastest and the one made for processes.
FEW = ("auditring", "RotatingFileHandler", "spdlog", "concurrent-log-handler")


def _threads(count: int) -> Workload:
    title = f"ready lines of 1 KB from {count} threads"
    return Writing(f"growth_threads_{count}", title, "bytes", threads=count, only=FEW)


def _line_size(size: int) -> Workload:
    return Writing(
        f"growth_line_{size}",
        f"ready lines of {size:,} bytes",
        "bytes",
        limits=[WRITE_LOOP],
        only=(*FEW, WRITE_LOOP),
        line_bytes=size,
    )


def _ring_size(size_kib: int) -> Workload:
    return Writing(
        f"growth_ring_{size_kib}",
        f"ready lines of 1 KB through a ring of {size_kib:,} KiB",
        "bytes",
        limits=[WRITE_LOOP],
        only=("auditring", WRITE_LOOP),
        ring_bytes=size_kib * KIB,
    )


WORKLOADS: list[Workload] = [
    *map(_threads, THREAD_COUNTS),
    *(SharedFile(f"growth_processes_{each}", each, FEW) for each in PROCESS_COUNTS),
    *map(_line_size, LINE_SIZES_BYTES),
    *map(_ring_size, RING_SIZES_KIB),
]
