"""Which backups may stay, as the settings say: by number, by age, by what they take."""

from collections.abc import Sequence

from .backups import Backup
from .millsettings import MillSettings

__all__ = ["within_limits"]

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
        kept -= {backup.plain for backup in backups if backup.written_ms() < cutoff_ms}
    if settings.max_total_bytes:
        kept = _within_total(backups, kept, settings.max_total_bytes)
    return kept


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
