"""Lines of what comes in chunks: none longer than a limit, each byte looked at once."""

import time

from hypothesis import given
from hypothesis import strategies as st

from auditring.documents.linesplitter import LineSplitter

MIB = 2**20


@given(
    st.lists(st.binary(max_size=6).map(lambda data: data.replace(b"a", b"\n"))),
    st.integers(0, 8),
)
def test_lines_are_those_of_the_whole_but_for_long_ones(
    chunks: list[bytes], limit_bytes: int
) -> None:
    long: list[tuple[int, int]] = []
    splitter = LineSplitter(lambda *told: long.append(told), limit_bytes)

    lines = list(splitter.lines_of(chunks))

    expected = b"".join(chunks).split(b"\n")
    if not expected[-1]:
        expected.pop()
    assert lines == [line for line in expected if len(line) <= limit_bytes]
    assert long == [
        (number, len(line))
        for number, line in enumerate(expected, 1)
        if len(line) > limit_bytes
    ]
    assert splitter.number == len(expected)


def test_a_number_is_that_of_the_line_that_was_given_last() -> None:
    splitter = LineSplitter(lambda number, size: None)

    numbers = [splitter.number for _ in splitter.lines_of([b"a\nb", b"\n\nc"])]

    assert numbers == [1, 2, 3, 4]


def seconds_for(size: int) -> float:
    """Return how long a line of that size takes, in chunks of 4 KiB."""
    splitter = LineSplitter(lambda number, size: None)
    chunks = [b"x" * 4096] * (size // 4096)
    start_s = time.thread_time()
    (line,) = splitter.lines_of(chunks)
    assert len(line) == size
    return time.thread_time() - start_s


def test_four_times_the_line_takes_four_times_as_long() -> None:
    pairs = [(seconds_for(8 * MIB), seconds_for(32 * MIB)) for _ in range(10)]

    # Sixteen, if what there is of a line were copied with each chunk.
    assert min(long_s / short_s for short_s, long_s in pairs) < 9
