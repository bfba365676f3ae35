"""What is to be done with the backups of a log: compressing, and how many to keep."""

from dataclasses import dataclass
from typing import get_args

from ..files.formats import FORMATS, Compression
from ..files.names import Dialect

__all__ = ["MillSettings", "wrong_level"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MillSettings:
    """What to do with backups; the defaults keep every one as it is.

    Attributes:
        compress: The format, or None for none.
        compress_level: gzip 1 to 9, zstd 1 to 22, lz4 0 to 16; None is the fastest
            that still compresses well: 1, 1 and 0.
        max_backups: How many to keep; 0 is all. Both forms of one count as one.
        max_age_days: How long to keep them, in days of 24 hours; 0 and None are for
            ever.
        max_total_bytes: What all of them together may take on disk, the live file not
            counted; 0 and None are any amount. The newest is kept in any case.
        dialect: How they are named.
        keep_for_followers: Whether those that a registered follower has not read are
            kept in spite of all limits.

    Raises:
        ValueError: A value that no setting can have; the text says which.
    """

    compress: Compression | None = None
    compress_level: int | None = None
    max_backups: int = 0
    max_age_days: float | None = None
    max_total_bytes: int | None = None
    dialect: Dialect = "lumberjack"
    keep_for_followers: bool = True

    def __post_init__(self) -> None:
        if self.compress is not None and self.compress not in get_args(Compression):
            raise ValueError(
                f"compress: expected None, 'gzip', 'zstd' or 'lz4', "
                f"got {self.compress!r}"
            )
        if self.dialect not in get_args(Dialect):
            raise ValueError(
                f"dialect: expected 'lumberjack', 'stdlib' or 'dated', "
                f"got {self.dialect!r}"
            )
        reason = wrong_level(self.compress, self.compress_level)
        if reason:
            raise ValueError(f"compress_level: {reason}")
        for name in ("max_backups", "max_age_days", "max_total_bytes"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise ValueError(f"{name}: expected 0 or more, got {value!r}")

    @property
    def has_work(self) -> bool:
        """Tell whether anything at all is to be done with backups."""
        return bool(
            self.compress
            or self.max_backups
            or self.max_age_days
            or self.max_total_bytes
        )


def wrong_level(compress: Compression | None, level: int | None) -> str:
    """Return what is wrong with a level for this format; empty if nothing is."""
    if level is None:
        return ""
    if compress is None:
        return f"{level!r} without a compression"
    levels = FORMATS[compress].levels
    if level in levels:
        return ""
    return f"expected {levels[0]} to {levels[-1]} for {compress}, got {level!r}"
