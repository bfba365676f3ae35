"""What begins anew in a forked child.

None of the parent's threads are there, and what they held locked stays locked.
"""

import functools
import os
from typing import Protocol

from .known import Known

__all__ = ["ForkAware", "renew_after_fork"]


class ForkAware(Protocol):
    """What has threads or locks."""

    def begin_in_child(self) -> None:
        """Make threads and locks anew, in a child that has no other thread yet."""
        ...


_aware: Known[ForkAware] = Known()


def renew_after_fork(thing: ForkAware) -> None:
    """Have *thing* begin anew in each forked child, for as long as it is used."""
    _aware.add(thing)
    _tie_to_fork()


@functools.cache
def _tie_to_fork() -> None:
    os.register_at_fork(after_in_child=_begin_in_child)


def _begin_in_child() -> None:
    first: BaseException | None = None
    for thing in _aware.all():
        try:
            thing.begin_in_child()
        except BaseException as error:
            first = first or error
    if first is not None:
        raise first  # CPython prints it
