"""Instants as audit events hold them: microseconds, in UTC.

Wider than `datetime`: a time zone may carry a year of 0001 or 9999 over the edge, and
such an event is still an event. Source: Kubernetes v1.36, meta/v1 MicroTime, and Go's
time.Parse.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

__all__ = ["ZERO_TIME", "MicroTime"]

_SECOND_US = 1_000_000
_DAY_S = 24 * 60 * 60
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CYCLE_DAYS = 146_097  # 400 years, after which the calendar repeats itself
_EPOCH_DAY = 719_468  # 1970-01-01, counted from 0000-03-01

# Go reads an hour of one digit, a comma for the point and a sign in the fraction.
_MICRO = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{1,2}):([0-9]{2}):([0-9]{2})"
    r"[.,]([0-9]{6}|\+[0-9]{5}|-0{5})(?:Z|([+-])([0-9]{2}):([0-9]{2}))"
)
_RFC3339 = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})"
    r"(?:[.,]([0-9]+))?(?:Z|([+-])([0-9]{2}):([0-9]{2}))"
)


@dataclass(frozen=True, slots=True, order=True)
class MicroTime:
    """An instant.

    Attributes:
        microseconds: Since 1970-01-01T00:00:00Z; negative before.
    """

    microseconds: int

    @classmethod
    def from_ns(cls, ns: int) -> Self:
        """Take nanoseconds since the epoch; what is below a microsecond is cut."""
        return cls(ns // 1000)

    @classmethod
    def from_datetime(cls, moment: datetime) -> Self:
        """Take an aware *moment*; ValueError for a naive one, which names no instant.

        Raises:
            ValueError: *moment* has no time zone.
        """
        if moment.utcoffset() is None:
            raise ValueError(f"a time without a zone: {moment.isoformat()}")
        return cls((moment - _EPOCH) // timedelta(microseconds=1))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read *text*, which must have exactly six digits after the point.

        Raises:
            ValueError: It hasn't, or names no instant.
        """
        return cls(_microseconds(_MICRO.fullmatch(text), text))

    @classmethod
    def parse_rfc3339(cls, text: str) -> Self:
        """Read *text* with any fraction or none; digits after the sixth are cut.

        Raises:
            ValueError: It isn't an RFC 3339 time.
        """
        return cls(_microseconds(_RFC3339.fullmatch(text), text))

    def to_datetime(self) -> datetime:
        """Return the same instant in UTC.

        Raises:
            OverflowError: It lies outside the years 1 to 9999.
        """
        return _EPOCH + timedelta(microseconds=self.microseconds)

    def seconds_text(self) -> str:
        """Return date and time to the second, without the zone: always 19 characters.

        More for years outside 0 to 9999.
        """
        seconds = self.microseconds // _SECOND_US
        day, second = divmod(seconds, _DAY_S)
        year, month, day_of_month = _civil(day)
        sign = "-" if year < 0 else ""
        hour, second = divmod(second, 3600)
        return (
            f"{sign}{abs(year):04}-{month:02}-{day_of_month:02}"
            f"T{hour:02}:{second // 60:02}:{second % 60:02}"
        )

    def __str__(self) -> str:
        """Return RFC 3339 with exactly six digits after the point and a Z."""
        return f"{self.seconds_text()}.{self.microseconds % _SECOND_US:06}Z"


ZERO_TIME = MicroTime(-62_135_596_800 * _SECOND_US)
"""0001-01-01T00:00:00Z, which Kubernetes takes for "no time" and writes as null."""


def _microseconds(match: re.Match[str] | None, text: str) -> int:
    if match is None:
        raise ValueError(f"not a time of the form wanted here: {text!r}")
    year, month, day, hour, minute, second = map(int, match.group(1, 2, 3, 4, 5, 6))
    fraction, sign, zone_hour, zone_minute = match.group(7, 8, 9, 10)
    offset_s = _offset_s(sign, int(zone_hour or 0), int(zone_minute or 0))
    if (
        not 1 <= month <= 12
        or not 1 <= day <= _days_in(year, month)
        or hour > 23
        or minute > 59
        or second > 59
        or offset_s is None
    ):
        raise ValueError(f"no such time: {text!r}")
    days = _days(year, month, day)
    seconds = days * _DAY_S + hour * 3600 + minute * 60 + second - offset_s
    # A sign takes a digit's place, so the number of characters says the scale.
    return seconds * _SECOND_US + int((fraction or "0")[:6].ljust(6, "0"))


def _offset_s(sign: str | None, hours: int, minutes: int) -> int | None:
    # Go allows offsets of 24 hours and of 60 minutes.
    if hours > 24 or minutes > 60:
        return None
    offset_s = hours * 3600 + minutes * 60
    return -offset_s if sign == "-" else offset_s


def _days_in(year: int, month: int) -> int:
    if month == 2:
        is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        return 29 if is_leap else 28
    return 30 if month in (4, 6, 9, 11) else 31


def _days(year: int, month: int, day: int) -> int:
    """Return the days from 1970-01-01; years begin in March, so leap days end them."""
    if month <= 2:
        year -= 1
        month += 12
    cycle, year_of_cycle = divmod(year, 400)
    leap_days = year_of_cycle // 4 - year_of_cycle // 100
    day_of_year = (153 * (month - 3) + 2) // 5 + day - 1
    return (
        cycle * _CYCLE_DAYS + year_of_cycle * 365 + leap_days + day_of_year
    ) - _EPOCH_DAY


def _civil(days: int) -> tuple[int, int, int]:
    """Return year, month and day of what is *days* after 1970-01-01."""
    cycle, day = divmod(days + _EPOCH_DAY, _CYCLE_DAYS)
    leap_days = day // 1460 - day // 36_524 + day // (_CYCLE_DAYS - 1)
    year_of_cycle = (day - leap_days) // 365
    day -= 365 * year_of_cycle + year_of_cycle // 4 - year_of_cycle // 100
    month = (5 * day + 2) // 153  # 0 is March
    day_of_month = day - (153 * month + 2) // 5 + 1
    year = cycle * 400 + year_of_cycle + (month >= 10)
    return year, month + 3 if month < 10 else month - 9, day_of_month
