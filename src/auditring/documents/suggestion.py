"""What to say of a name that nobody knows: which one may be meant."""

from collections.abc import Iterable

__all__ = ["closest", "did_you_mean", "unknown"]


def unknown(name: str, known: Iterable[str], what: str, got: str = "") -> str:
    """Return what is said of an unknown *name*, given those that are *known*.

    Args:
        name: What nobody knows.
        known: What it might be.
        what: Of what it is the name.
        got: What it was given as its value, in words.
    """
    if "://" in got:
        got = "an address"  # which may have a password in it
    return f"no such {what}{f', got {got}' if got else ''}{did_you_mean(name, known)}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the question that follows on an unknown *name*; "" if none is like it."""
    meant = closest(name, known)
    return f"; did you mean {meant}?" if meant else ""


def closest(name: str, known: Iterable[str]) -> str:
    """Return the one of *known* that an unknown *name* may stand for; "" for none."""
    import difflib  # Here, as most texts have no such name.

    plain = {_plain(each): each for each in known}
    meant = difflib.get_close_matches(_plain(name), plain, n=1, cutoff=0.75)
    return plain[meant[0]] if meant else ""


def _plain(name: str) -> str:
    """Return *name* without what people get wrong first: case and separators."""
    return name.casefold().replace("-", "").replace("_", "")
