"""How fast a log is read and printed, next to the commands that only copy bytes.

What comes out of the pipe is compared with what was written: a run that lost, doubled
or changed anything makes this program exit with 1.

Usage: bench_follow.py [--quick] [--rounds N] [--only NAME ...] [--dir DIR]
"""

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from time import perf_counter

import report
from lines import Account, load_lines
from measuring import measured, told
from options import chosen_parameters, made_folder, workload_parser
from printing import MB, print_log
from rounds import Result, Run, fresh_folder, run_rounds
from targets import Target

from auditring import LogWriter, follow
from auditring.follow import follow_chunks

SIDECAR = [sys.executable, "-m", "auditring", "sidecar"]
SPEED_LIMIT_MB_PER_S = 300
IDLE_LIMIT_PERCENT = 0.5

COMMANDS = {
    "gzip": ("zcat",),
    "zstd": ("zstd", "-dcq"),
    "lz4": ("lz4", "-dcqm"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """How much each workload does; sizes in bytes."""

    rounds: int = 5
    size_bytes: int = 1000 * MB
    max_bytes: int = 100 * 1024 * 1024
    small_max_bytes: int = 1024 * 1024
    idle_s: float = 10


QUICK = Parameters(rounds=3, size_bytes=300 * MB, idle_s=2)


@dataclass(frozen=True, slots=True)
class Stand:
    """What every workload works with: where the log is, how much, and which lines."""

    folder: Path
    parameters: Parameters
    once: bytes

    @property
    def path(self) -> Path:
        return self.folder / "logs" / "audit.log"

    def write(self, max_bytes: int, compress: str | None) -> tuple[list[Path], int]:
        """Write a log anew; return its files, the oldest first, and its bytes."""
        folder = fresh_folder(self.path.parent)
        turns = self.parameters.size_bytes // len(self.once)
        chunk_turns = 4 * MB // len(self.once) + 1
        written = 0
        with LogWriter(
            self.path,
            max_bytes=max_bytes,
            compress=compress,  # type: ignore[arg-type]
        ) as log:
            while written < turns:
                part = min(chunk_turns, turns - written)
                log.write_lines(self.once * part)
                written += part
            log.flush()
            while compress is not None and list(folder.glob("audit-*.log")):
                time.sleep(0.05)
        # Read once, so that nobody pays for the disk.
        files = [*sorted(folder.glob("audit-*")), self.path]
        for file in files:
            file.read_bytes()
        return files, turns * len(self.once)

    def sidecar(self, size_bytes: int, *, has_cursor: bool = True) -> Run:
        cursor = self.folder / "cursor"
        cursor.unlink(missing_ok=True)
        options = ["--cursor", cursor] if has_cursor else []
        command = [*SIDECAR, self.path, "--from-start", *options]
        return print_log(command, self.once, size_bytes)

    def rounds(
        self, workload: str, contenders: dict[str, Callable[[], Run]]
    ) -> list[Result]:
        return run_rounds(workload, contenders, self.parameters.rounds)


def print_plain_backups(stand: Stand) -> list[Result]:
    files, size = stand.write(stand.parameters.max_bytes, None)
    contenders = {
        "sidecar": partial(stand.sidecar, size),
        "sidecar, no cursor": partial(stand.sidecar, size, has_cursor=False),
        "cat": partial(print_log, ["cat", *files], stand.once, size),
    }
    return stand.rounds("print_plain_backups", contenders)


def print_one_live_file(stand: Stand) -> list[Result]:
    _, size = stand.write(0, None)
    command = ["tail", "-n", "+1", "-F", str(stand.path)]
    contenders = {
        "sidecar": partial(stand.sidecar, size),
        "tail -F": partial(print_log, command, stand.once, size),
    }
    return stand.rounds("print_one_live_file", contenders)


def _print_compressed(stand: Stand, compress: str) -> list[Result]:
    files, size = stand.write(stand.parameters.max_bytes, compress)
    contenders = {"sidecar": partial(stand.sidecar, size)}
    command = COMMANDS[compress]
    if shutil.which(command[0]):
        # These commands take no plain file, so the live one is left to cat.
        packed = " ".join(map(str, files[:-1]))
        shell = f"{' '.join(command)} {packed}; cat {files[-1]}"
        arguments = ["sh", "-c", shell]
        contenders[command[0]] = partial(print_log, arguments, stand.once, size)
    return stand.rounds(f"print_{compress}_backups", contenders)


def print_gzip_backups(stand: Stand) -> list[Result]:
    return _print_compressed(stand, "gzip")


def print_zstd_backups(stand: Stand) -> list[Result]:
    return _print_compressed(stand, "zstd")


def print_lz4_backups(stand: Stand) -> list[Result]:
    return _print_compressed(stand, "lz4")


def print_many_small_backups(stand: Stand) -> list[Result]:
    """Have the directory looked at again and again: a file a MiB."""
    files, size = stand.write(stand.parameters.small_max_bytes, "gzip")
    contenders = {"sidecar": partial(stand.sidecar, size)}
    results = stand.rounds("print_many_small_backups", contenders)
    print(f"{len(files)} files", file=sys.stderr)
    return results


def read_in_a_program(stand: Stand) -> list[Result]:
    """Read plain backups through the functions, in this process."""
    _, size = stand.write(stand.parameters.max_bytes, None)

    def run(read: Callable[[], int]) -> Run:
        start = perf_counter()
        done = read()
        seconds = perf_counter() - start
        account = Account(lost=size - done, duplicated=0, foreign=0, in_order=None)
        return Run(size // MB, seconds, account)

    def chunks() -> int:
        return sum(len(chunk) for chunk, _ in follow_chunks(stand.path, wait=False))

    def lines() -> int:
        return sum(len(line) for line, _ in follow(stand.path, wait=False))

    contenders = {
        "follow_chunks": partial(run, chunks),
        "follow": partial(run, lines),
    }
    return stand.rounds("read_in_a_program", contenders)


def wait_for_lines(stand: Stand) -> list[Result]:
    """Measure the CPU time of a sidecar that has nothing to print."""
    fresh_folder(stand.path.parent)
    stand.path.write_bytes(stand.once)

    def sidecar_run() -> Run:
        command = [*SIDECAR, stand.path, "--from-start", "--cursor", "cursor"]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, cwd=stand.folder
        ) as process:
            (stand.folder / "cursor").unlink(missing_ok=True)
            assert process.stdout is not None
            process.stdout.read(len(stand.once))
            time.sleep(1)  # until its pauses are as long as they get
            before, start = _cpu_s(process.pid), perf_counter()
            time.sleep(stand.parameters.idle_s)
            seconds = perf_counter() - start
            percent = 100 * (_cpu_s(process.pid) - before) / seconds
            process.kill()
        return Run(0, seconds, figures={"cpu_percent": percent})

    return stand.rounds("wait_for_lines", {"sidecar": sidecar_run})


WORKLOADS = (
    print_plain_backups,
    print_one_live_file,
    print_gzip_backups,
    print_zstd_backups,
    print_lz4_backups,
    print_many_small_backups,
    read_in_a_program,
    wait_for_lines,
)


def _cpu_s(pid: int) -> float:
    """Source: proc_pid_schedstat, the time on a core in nanoseconds."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def _targets(results: Sequence[Result]) -> list[Target]:
    targets = []
    for result in results:
        if result.contender != "sidecar":
            continue
        if result.workload == "wait_for_lines":
            shares = [run.figures["cpu_percent"] for run in result.runs]
            targets.append(
                Target(
                    name="idle cost, % of a core",
                    figure=result.median_figure("cpu_percent"),
                    lowest=min(shares),
                    highest=max(shares),
                    relation="<=",
                    limit=IDLE_LIMIT_PERCENT,
                )
            )
            continue
        speeds = [run.per_s for run in result.runs]
        targets.append(
            Target(
                name=f"sidecar, {result.workload}, MB/s",
                figure=result.median_per_s,
                lowest=min(speeds),
                highest=max(speeds),
                relation=">=",
                limit=SPEED_LIMIT_MB_PER_S,
            )
        )
    return targets


def main() -> int:
    options = _parse_options()
    parameters = chosen_parameters(options, Parameters())
    folder = made_folder(options)
    stand = Stand(folder, parameters, b"".join(load_lines()))
    facts = report.conditions(folder, asdict(parameters))
    facts["unit"] = "MB/s, a MB being 1,000,000 bytes of lines that come out of a pipe"
    results = measured(WORKLOADS, stand, options.only, facts)
    shutil.rmtree(stand.path.parent, ignore_errors=True)

    targets = _targets(results)
    return told(options.results, "follow", "Following a log", facts, results, targets)


def _parse_options() -> argparse.Namespace:
    names = [workload.__name__ for workload in WORKLOADS]
    results = "follow.json and follow.md"
    return workload_parser(__doc__, names, quick=QUICK, results=results).parse_args()


if __name__ == "__main__":
    sys.exit(main())
