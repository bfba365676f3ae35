"""Which backups may stay, as the settings say: by number, by age, by what they take."""

from collections.abc import Sequence

from ..files.names import Backup
from .settings import MillSettings

__all__ = ["misdated", "within_limits"]

_DAY_MS = 86_400_000


def within_limits(
    backups: Sequence[Backup], settings: MillSettings, now_ms: int
) -> set[str]:
    """Return the plain names of those of *backups* (newest first) that may stay."""
    names = list(dict.fromkeys(backup.plain for backup in backups))
    if settings.max_backups:
        names = names[: settings.max_backups]
    kept = set(names)
    if settings.max_age_days:
        cutoff_ms = now_ms - int(settings.max_age_days * _DAY_MS)
        kept -= _written_before(cutoff_ms, backups, now_ms)
    if settings.max_total_bytes:
        kept = _within_total(backups, kept, settings.max_total_bytes)
    return kept


def _written_before(cutoff_ms: int, backups: Sequence[Backup], now_ms: int) -> set[str]:
    """Return the plain names of those of *backups* that are older.

    Where a clock was wrong, so that nobody can tell when one was written, it is no
    younger than the next newer one.
    """
    older: set[str] = set()
    newer_ms = now_ms
    for backup in backups:
        written_ms = backup.written_ms(now_ms)
        newer_ms = newer_ms if written_ms is None else written_ms
        if newer_ms < cutoff_ms:
            older.add(backup.plain)
    return older


def misdated(backups: Sequence[Backup], now_ms: int) -> Sequence[Backup]:
    """Return those of *backups* whose name tells a time that has not come yet."""
    # A date is of some zone or other, so a day is no matter.
    latest_ms = now_ms + _DAY_MS
    return [each for each in backups if (each.time_ms or 0) > latest_ms]


def _within_total(
    backups: Sequence[Backup], kept: set[str], total_max_bytes: int
) -> set[str]:
    """Return what of *kept* fits: the newest, and older ones up to the first excess."""
    sizes: dict[str, int] = {}
    for backup in backups:
        if backup.plain in kept:
            sizes[backup.plain] = sizes.get(backup.plain, 0) + backup.size_bytes()
    total = 0
    fitting: set[str] = set()
    for plain, size in sizes.items():
        total += size
        if total > total_max_bytes and fitting:
            break
        fitting.add(plain)
    return fitting
