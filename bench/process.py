"""What this process holds: private memory, mappings, descriptors, threads."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Memory", "descriptor_count", "memory", "thread_count"]

KIB = 1024
MAPPING = re.compile(r"[0-9a-f]+-[0-9a-f]+ (....) ")
PRIVATE = re.compile(r"Private_(?:Clean|Dirty): +(\d+) kB")


@dataclass(frozen=True, slots=True)
class Memory:
    """Pages that no other process has: the unique set size, told apart by mapping.

    `private_bytes` lie in private mappings and would be given back at exit;
    `shared_bytes` are page cache of shared mappings (a ring's file) that just nobody
    else has mapped.
    """

    private_bytes: int
    shared_bytes: int


def memory() -> Memory:
    """Source: proc_pid_smaps(5)."""
    sizes = {"p": 0, "s": 0}
    kind = "p"
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if mapping := MAPPING.match(line):
            kind = mapping[1][3]
        elif private := PRIVATE.match(line):
            sizes[kind] += int(private[1]) * KIB
    return Memory(private_bytes=sizes["p"], shared_bytes=sizes["s"])


def descriptor_count() -> int:
    # One of them is the listing's own.
    return len(os.listdir("/proc/self/fd")) - 1


def thread_count() -> int:
    return len(os.listdir("/proc/self/task"))
