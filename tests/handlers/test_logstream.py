"""The text stream of a handler."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from auditring import LogWriter
from auditring.handlers.stream import LogStream


@pytest.fixture
def log(tmp_path: Path) -> Iterator[LogWriter]:
    """Open app.log."""
    with LogWriter(
        tmp_path / "app.log", dialect="stdlib", max_backups=1, ring_bytes=64 * 1024
    ) as log:
        yield log


@pytest.fixture
def stream(log: LogWriter) -> Iterator[LogStream]:
    """Return a stream of app.log."""
    stream = LogStream(log, str(log.path), encoding="utf-8", errors="strict")
    yield stream
    stream.close()


def test_what_is_written_is_in_the_log_once_flushed(
    log: LogWriter, stream: LogStream
) -> None:
    assert stream.write("ä\n") == 2
    stream.flush()

    assert log.path.read_text(encoding="utf-8") == "ä\n"


def test_parts_of_a_line_become_one_record(log: LogWriter, stream: LogStream) -> None:
    for part in ("a", "b", "c\n"):
        stream.write(part)
    stream.flush()

    assert log.path.read_bytes() == b"abc\n"
    assert log.stats().records_written == 1


def test_print_works(log: LogWriter, stream: LogStream) -> None:
    print("one", 2, file=stream, flush=True)

    assert log.path.read_bytes() == b"one 2\n"


def test_closing_ends_the_last_line(log: LogWriter, stream: LogStream) -> None:
    stream.write("end")

    stream.close()

    assert log.path.read_bytes() == b"end\n"


def test_a_closed_stream_is_as_any_other(stream: LogStream) -> None:
    stream.close()

    assert stream.closed
    with pytest.raises(ValueError, match="closed file"):
        stream.write("x\n")
    with pytest.raises(ValueError, match="closed file"):
        stream.fileno()
    stream.close()


def test_bytes_are_refused(stream: LogStream) -> None:
    with pytest.raises(TypeError, match="expected str, got b'x'"):
        stream.write(b"x")  # type: ignore[arg-type]


def test_its_position_is_the_size_of_the_file(stream: LogStream) -> None:
    stream.write("12345\n")

    assert stream.seek(0, 2) == stream.tell() == 6


def test_its_position_is_0_without_a_file(log: LogWriter, stream: LogStream) -> None:
    log.flush()
    log.path.unlink()

    assert stream.tell() == 0


def test_its_descriptor_is_one_of_the_live_file(
    log: LogWriter, stream: LogStream
) -> None:
    stream.write("one\n")
    before = stream.fileno()
    log.rotate()

    after = stream.fileno()
    os.write(after, b"two\n")

    assert after == before
    assert log.path.read_bytes() == b"two\n"
    assert not os.get_inheritable(after)


def test_it_says_what_it_is(log: LogWriter, stream: LogStream) -> None:
    assert stream.name == str(log.path)
    assert (stream.mode, stream.encoding, stream.errors) == ("a", "utf-8", "strict")
    assert stream.writable()
    assert not stream.readable()
    assert not stream.isatty()


def test_dropping_it_closes_its_descriptor(log: LogWriter) -> None:
    stream = LogStream(log, str(log.path), encoding="utf-8", errors="strict")
    fd = stream.fileno()

    del stream

    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives rights up")
@pytest.mark.parametrize("had_one", [True, False])
def test_a_process_that_gave_up_its_rights_still_has_a_descriptor(
    log: LogWriter, stream: LogStream, had_one: bool
) -> None:
    for parent in log.path.parents[:3]:
        parent.chmod(0o711)
    log.path.chmod(0o600)
    before = stream.fileno() if had_one else None
    log.rotate()

    os.seteuid(65534)
    try:
        fd = stream.fileno()
    finally:
        os.seteuid(0)

    assert before in (fd, None)
    assert os.get_inheritable(fd) is False
