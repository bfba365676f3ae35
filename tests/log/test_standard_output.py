"""Path "-": standard output, through the same ring, unrotated."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

LIMIT_S = 30.0
RING_BYTES = 64 * 1024
PREAMBLE = """\
import os, signal, sys
from auditring import LogWriter

"""


@contextmanager
def program(text: str, **options: object) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program that may use LogWriter; kill it if it still runs at the end."""
    process = subprocess.Popen(
        [sys.executable, "-c", PREAMBLE + text],
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},  # type: ignore[call-overload]
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def output_of(text: str, **options: object) -> tuple[bytes, bytes]:
    """Run a program to its end and return what it printed, standard error last."""
    with program(text, **options) as process:
        out, err = process.communicate(timeout=LIMIT_S)
        return out or b"", err


def test_standard_output_gets_the_very_bytes() -> None:
    lines = b"".join(b"%06d\n" % number for number in range(100_000))

    out, err = output_of(
        f"""\
with LogWriter("-", ring_bytes={RING_BYTES}) as log:
    for number in range(100_000):
        log.write(b"%06d" % number)
"""
    )

    assert out == lines
    assert err == b""


def test_a_path_object_means_standard_output_too() -> None:
    out, _ = output_of("from pathlib import Path\nLogWriter(Path('-')).write(b'one')")

    assert out == b"one\n"


def test_a_file_as_standard_output_is_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"before\n")

    with path.open("ab") as file:
        output_of('LogWriter("-", max_bytes=1).write_lines(b"1\\n2\\n3")', stdout=file)

    assert path.read_bytes() == b"before\n1\n2\n3\n"
    assert os.listdir(tmp_path) == ["out"]


def test_standard_output_is_neither_rotated_nor_opened_again() -> None:
    out, err = output_of(
        """\
with LogWriter("-", max_bytes=4) as log:
    log.write(b"one")
    log.rotate()
    log.reopen()
    assert log.sync()
    log.write(b"two")
    assert log.flush()
    assert log.stats().rotations == 0
"""
    )

    assert (out, err) == (b"one\ntwo\n", b"")


def test_flushed_lines_stand_before_what_is_printed_afterwards() -> None:
    out, _ = output_of(
        """\
log = LogWriter("-")
log.write(b"logged")
log.flush()
os.write(1, b"printed\\n")
"""
    )

    assert out == b"logged\nprinted\n"


def test_a_forked_child_writes_to_standard_output_too() -> None:
    out, err = output_of(
        """\
import warnings
log = LogWriter("-")
log.write(b"parent")
log.flush()
child = os.fork()
log.write(b"child" if child == 0 else b"parent again")
log.flush()
if child:
    os.waitpid(child, 0)
"""
    )

    assert err == b""
    assert out.startswith(b"parent\n")
    assert sorted(out.splitlines()) == [b"child", b"parent", b"parent again"]


@pytest.mark.parametrize(
    "act", ["log.flush()", "log.close()", "while True: log.write(bytes(1000))"]
)
def test_a_reader_that_left_is_a_broken_pipe_and_no_hang(act: str) -> None:
    with program(
        f"""\
log = LogWriter("-", ring_bytes={RING_BYTES})
sys.stdin.read()
log.write(b"one")
try:
    {act}
except BrokenPipeError:
    print("broken", file=sys.stderr)
os._exit(0)
""",
        stdin=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.close()

        _, err = process.communicate(timeout=5)

    assert err == b"broken\n"


def test_a_reader_that_left_does_not_hold_up_the_end_of_the_program() -> None:
    with program(
        'log = LogWriter("-"); sys.stdin.read(); log.write(b"one")',
        stdin=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.close()

        # Less than what close() would wait for a disk.
        _, err = process.communicate(timeout=4)

    assert b"Broken pipe" in err


def test_a_write_waits_for_a_slow_reader() -> None:
    with program(
        f"""\
import threading, time

def tell_when_blocked():
    while not log.stats().blocked_ns:
        time.sleep(0.001)
    print("blocked", file=sys.stderr, flush=True)

log = LogWriter("-", ring_bytes={RING_BYTES})
threading.Thread(target=tell_when_blocked).start()
for number in range(5000):
    log.write(b"%0999d" % number)
"""
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stderr.readline() == b"blocked\n"

        out = process.stdout.read()

    assert out.splitlines() == [b"%0999d" % number for number in range(5000)]


def test_drops_on_standard_output_leave_a_gap_event() -> None:
    with program(
        f"""\
log = LogWriter("-", ring_bytes={RING_BYTES}, on_full="drop")
while log.stats().dropped_records < 10:
    log.write(b"%0999d" % 0)
print(log.stats().dropped_records, file=sys.stderr, flush=True)
log.close()
"""
    ) as process:
        assert process.stderr is not None
        assert process.stdout is not None
        dropped = process.stderr.readline()
        out = process.stdout.read()

    lines = [line for line in out.splitlines() if line.startswith(b"{")]
    assert len(lines) == 1
    assert b'"auditring.io/count":"%s"' % dropped.strip() in lines[0]


def test_a_reader_that_left_does_not_kill_the_program_by_sigpipe() -> None:
    with program(
        """\
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
log = LogWriter("-")
sys.stdin.read()
log.write(b"one")
try:
    log.flush()
except BrokenPipeError:
    os._exit(7)
""",
        stdin=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        process.communicate(timeout=LIMIT_S)

    assert process.returncode == 7
