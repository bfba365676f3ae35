"""The order in which the past files of a log were written.

Names of one scheme, which differ in digits only, are in order among themselves. Where
several schemes are mixed, because the rotation was changed at some time, the times at
which the files were written to last say how they follow each other.
"""

import heapq
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

from .beginning import prefix_of
from .cursor import PREFIX_BYTES
from .generation import Generation
from .rotated import RotatedName

__all__ = ["in_order"]

# When summer time ends a local time comes twice.
_HOUR_MS: Final = 3_600_000


def in_order(files: Iterable[Generation]) -> Sequence[Generation]:
    """Return past files, the oldest first; of one in two forms the plain one.

    Raises:
        FileNotFoundError: One isn't there any more.
        OSError: One can't be examined.
    """
    rows: dict[str, list[Generation]] = {}
    for file in _one_form_each(files):
        rows.setdefault(_name_of(file).scheme, []).append(file)
    ordered = [_in_order_of_names(row) for row in rows.values()]
    if len(ordered) == 1:
        return ordered[0]
    return list(heapq.merge(*ordered, key=_written_ns))


def _one_form_each(files: Iterable[Generation]) -> Iterable[Generation]:
    """Leave out the compressed form of what is plain, too: it may be half-made.

    Another file that only has the name of that form stays.
    """
    forms: dict[str, list[Generation]] = {}
    for file in sorted(files, key=lambda file: _name_of(file).name):
        forms.setdefault(_name_of(file).plain, []).append(file)
    for plain, *packed in forms.values():
        yield plain
        if not plain.suffix:
            yield from (file for file in packed if _is_another(file, plain))


def _is_another(packed: Generation, plain: Generation) -> bool:
    """Tell whether a file begins with something else than what *plain* begins with."""
    begins = _beginning(packed)
    return not _beginning(plain).startswith(begins)


def _beginning(file: Generation) -> bytes:
    with file.opened() as fd:
        return prefix_of(fd, file.suffix, PREFIX_BYTES)


def _in_order_of_names(row: list[Generation]) -> list[Generation]:
    """Sort files of one scheme."""
    name = _name_of(row[0])
    if name.index is None and name.time_ms is None:
        return sorted(row, key=_written_ns)
    by_name = sorted(row, key=_rank)
    if name.is_exact or not _has_close_times(by_name):
        return by_name
    by_time = sorted(by_name, key=_written_ns)
    # Else somebody touched them: names are what is left to go by.
    return by_time if _agrees_within_an_hour(by_time) else by_name


def _rank(file: Generation) -> tuple[int, int, bool]:
    name = _name_of(file)
    # A plain file came to a name that a compressed one had already.
    if name.index is not None:
        return -name.index, 0, not name.suffix
    return name.time_ms or 0, name.tie, not name.suffix


def _has_close_times(row: Sequence[Generation]) -> bool:
    times = [_time_ms(file) for file in row]
    return any(later - earlier <= _HOUR_MS for earlier, later in pairwise(times))


def _agrees_within_an_hour(row: Sequence[Generation]) -> bool:
    latest = 0
    for file in row:
        if _time_ms(file) < latest - _HOUR_MS:
            return False
        latest = max(latest, _time_ms(file))
    return True


def _time_ms(file: Generation) -> int:
    return _name_of(file).time_ms or 0


def _name_of(file: Generation) -> RotatedName:
    assert file.backup is not None
    return file.backup


def _written_ns(file: Generation) -> int:
    return file.status().st_mtime_ns
