"""What is known for as long as somebody else uses it: open logs, threads, batches."""

import weakref
from typing import Generic, TypeVar

__all__ = ["Known"]

T = TypeVar("T")


class Known(Generic[T]):
    """A set of things that it doesn't keep alive.

    A WeakSet can't be looked through while another thread adds to it, as fork hooks and
    the end of the process have to.

    Thread-safety: any thread, whatever it holds; each step is one of a dict.
    """

    def __init__(self) -> None:
        """Begin empty."""
        self._references: dict[int, weakref.ref[T]] = {}

    def add(self, thing: T) -> None:
        """Know *thing* from now on."""
        references, key = self._references, id(thing)

        def forget(reference: "weakref.ref[T]") -> None:
            # Another one may have the same place by now.
            if references.get(key) is reference:
                references.pop(key, None)

        references[key] = weakref.ref(thing, forget)

    def discard(self, thing: T) -> None:
        """Forget *thing*, if it is known."""
        self._references.pop(id(thing), None)

    def all(self) -> list[T]:
        """Return what is known and used at this moment."""
        found = (reference() for reference in list(self._references.values()))
        return [thing for thing in found if thing is not None]
