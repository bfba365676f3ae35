"""Names that a file of a log has once it isn't the live one, whoever gave them.

Readers aren't told who rotates: our handlers of all dialects, with their own suffix,
too, or logrotate, with numbers or ``dateext`` and any ``dateformat``, behind the whole
name or before its ``extension``; and both in turn. A number, or a date that can be one,
makes a name ours; any other word makes it somebody else's. What is done to backups goes
by the narrow grammar in backups.py.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

__all__ = ["RotatedName", "read_name"]

_PACKED: Final = re.compile(r"\.(?:gz|zst|lz4|bz2|xz)\Z")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
# [0-9], not \d: digits of other scripts are no part of the grammar.
_INDEX: Final = re.compile(r"\.([1-9][0-9]*)")
_DATE: Final = re.compile(
    r"""[-_.]
    (?P<year>[0-9]{4}) (?P<dash>[-_.]?) (?P<month>[0-9]{2})
    (?: (?P=dash) (?P<day>[0-9]{2})
        (?: (?! \.[0-9]+\Z ) [-_.T]? (?P<hour>[0-9]{2})
            (?: [-_.:]? (?P<minute>[0-9]{2})
                (?: [-_.:]? (?P<second>[0-9]{2}) (?: \.(?P<fraction>[0-9]{3,9}) )? )?
            )?
        )?
    )?
    (?: [-_.] (?P<epoch>[0-9]{9,11}) )?
    (?: \. (?P<tie>[0-9]{1,5}) )?
    """,
    re.VERBOSE,
)
_SECONDS: Final = re.compile(
    r"[-_.](?P<epoch>[0-9]{9,11})(?:\.(?P<tie>[1-9][0-9]{0,4}))?"
)
# A date whose order nobody knows who doesn't know how it was written.
_RIDDLE: Final = re.compile(
    r"[-_.](?:[0-9]|[-_.:TW]"
    r"|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec|Mon|Tue|Wed|Thu|Fri|Sat|Sun)+"
    r"(?<![-_.:TW])"
)
_RIDDLE_DIGITS: Final = 6
_DAY_FIRST: Final = re.compile(
    r"[-_.](?:[0-3][0-9][01][0-9]|[01][0-9][0-3][0-9])(?:19|20|21)[0-9]{2}"
)
# What our timed handler's own suffix may end with.
_ENDINGS: Final = (".log", ".txt", ".json", ".jsonl", ".out")
_LUMBERJACK: Final = "-dddd-dd-ddTdd-dd-dd.ddd"


@dataclass(frozen=True, slots=True)
class RotatedName:
    """What the name of one file says.

    Attributes:
        name: The file name.
        plain: It without the suffix of compression; a plain file and the compressed
            form of it share this.
        suffix: ``""`` (plain), ``".gz"``, ``".zst"``, ``".lz4"``, ``".bz2"`` or
            ``".xz"``.
        scheme: How it is named; names of one scheme differ in digits only.
        index: Place in the row, 1 is the newest; None: it has none.
        time_ms: Its date in milliseconds since the epoch, in what zone the name
            doesn't tell; None: nobody can say.
        tie: Tells files of one date apart, a higher one is newer.
    """

    name: str
    plain: str
    suffix: str
    scheme: str
    index: int | None = None
    time_ms: int | None = None
    tie: int = 0

    @property
    def is_exact(self) -> bool:
        """Whether names of this scheme are in order whatever the clocks did.

        So are numbers, and times in UTC that our writers never give twice.
        """
        return self.index is not None or self.scheme == f"stem{_LUMBERJACK}"


def read_name(file_name: str, log_name: str) -> RotatedName | None:
    """Read a file's name as that of a past file of the log *log_name*.

    Returns:
        None if it is somebody else's, or the live file's.
    """
    packed = _PACKED.search(file_name)
    suffix = packed[0] if packed else ""
    plain = file_name.removesuffix(suffix)
    stem, extension = _split(log_name)
    if plain.startswith(log_name):
        told = _behind_name(plain[len(log_name) :], extension)
    elif extension and plain.startswith(stem) and plain.endswith(extension):
        told = _before_extension(plain[len(stem) : -len(extension)])
    else:
        told = None
    if told is None:
        return None
    return RotatedName(file_name, plain, suffix, *told)


# Scheme, index, time_ms and tie of a name.
_Told = tuple[str, int | None, int | None, int]


def _split(log_name: str) -> tuple[str, str]:
    """Split off the extension, which starts at the last dot, be it the first character.

    So do lumberjack and logrotate.
    """
    dot = log_name.rfind(".")
    return (log_name, "") if dot < 0 else (log_name[:dot], log_name[dot:])


def _behind_name(text: str, extension: str) -> _Told | None:
    told = _read_date(text) or _read_index(text) or _read_riddle(text)
    if told is not None:
        # Without an extension lumberjack's time stands at the end, too.
        return _named("" if extension else "stem", told)
    for ending in dict.fromkeys((extension, *_ENDINGS)):
        if ending and text.endswith(ending):
            inner = text.removesuffix(ending)
            told = _read_date(inner) or _read_riddle(inner)
            if told is not None:
                return _named(ending, told)
    return None


def _before_extension(text: str) -> _Told | None:
    told = _read_date(text) or _read_index(text)
    return None if told is None else _named("stem", told)


def _named(place: str, told: _Told) -> _Told:
    """Tell schemes apart that have their number or date at other places."""
    return (place + told[0], *told[1:])


def _read_index(text: str) -> _Told | None:
    match = _INDEX.fullmatch(text)
    return None if match is None else (".N", int(match[1]), None, 0)


@lru_cache(maxsize=4096)
def _read_date(text: str) -> _Told | None:
    for grammar in (_DATE, _SECONDS):
        match = grammar.fullmatch(text)
        time_ms = None if match is None else _time_of(match.groupdict())
        if match is not None and time_ms is not None:
            tie = match["tie"]
            dated = text if tie is None else text[: -len(tie) - 1]
            return re.sub("[0-9]", "d", dated), None, time_ms, int(tie or 0)
    return None


def _time_of(parts: dict[str, str | None]) -> int | None:
    """Return milliseconds since the epoch, None if there is no such date."""
    if parts["epoch"] is not None:
        return int(parts["epoch"]) * 1000
    year = int(parts["year"] or 0)
    if not parts["dash"] and not 1970 <= year < 2200:
        return None  # Else many a number of six digits, or seconds, were a date.
    month, day = (int(parts[name] or 1) for name in ("month", "day"))
    hour, minute = (int(parts[name] or 0) for name in ("hour", "minute"))
    try:
        time = datetime(
            year, month, day, hour, minute, int(parts["second"] or 0), tzinfo=UTC
        )
    except ValueError:
        return None
    return (time - _EPOCH) // _MILLISECOND + int(f"{parts['fraction'] or '':0<3.3}")


@lru_cache(maxsize=4096)
def _read_riddle(text: str) -> _Told | None:
    scheme = re.sub("[0-9]", "d", text)
    if scheme.count("d") < _RIDDLE_DIGITS or not _RIDDLE.fullmatch(text):
        return None
    is_number = text[1:].isdigit() and not _DAY_FIRST.fullmatch(text)
    begins_as_date = _DATE.match(text)
    if is_number or (
        begins_as_date and begins_as_date["dash"] and begins_as_date["day"]
    ):
        return None  # any number, or a day that no calendar has
    return scheme, None, None, 0
