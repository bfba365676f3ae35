"""Times are read as strictly as Kubernetes reads them, and written exactly."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditring.event.microtime import ZERO_TIME, MicroTime


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_is_that_of_the_calendar(moment: datetime) -> None:
    time = MicroTime.from_datetime(moment)

    text = moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
    assert str(time) == text
    assert MicroTime.parse(text) == time
    assert time.to_datetime() == moment


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2026-11-22T00:41:36.000120Z", "2026-11-22T00:41:36.000120Z"),
        ("2026-11-22T00:41:36.000120+02:00", "2026-11-21T22:41:36.000120Z"),
        ("2026-11-22T00:41:36.000120-11:30", "2026-11-22T12:11:36.000120Z"),
        # What Go's parser lets pass.
        ("2026-11-22T5:41:36,000120Z", "2026-11-22T05:41:36.000120Z"),
        ("2026-11-22T05:41:36.+00120Z", "2026-11-22T05:41:36.000120Z"),
        ("2026-11-22T05:41:36.-00000Z", "2026-11-22T05:41:36.000000Z"),
        ("2026-11-22T05:41:36.000000+24:60", "2026-11-21T04:41:36.000000Z"),
        # Years that datetime doesn't know.
        ("0001-01-01T00:00:00.000001+02:00", "0000-12-31T22:00:00.000001Z"),
        ("0000-01-01T00:00:00.000001+02:00", "-0001-12-31T22:00:00.000001Z"),
        ("9999-12-31T23:00:00.999999-11:30", "10000-01-01T10:30:00.999999Z"),
        ("2024-02-29T00:00:00.000000Z", "2024-02-29T00:00:00.000000Z"),
    ],
)
def test_a_time_is_read_and_written(text: str, written: str) -> None:
    assert str(MicroTime.parse(text)) == written


@pytest.mark.parametrize(
    "text",
    [
        *("", "now", "2026-11-22T00:41:36Z", "2026-11-22T00:41:36.123Z"),
        *("2026-11-22T00:41:36.1234567Z", "2026-11-22T00:41:36.123456"),
        *("2026-11-22T00:41:36.123456+0200", "2026-11-22T00:41:36.123456z"),
        *("2026-11-22t00:41:36.123456Z", "2026-11-22 00:41:36.123456Z"),
        *("2026-13-22T00:41:36.123456Z", "2026-00-22T00:41:36.123456Z"),
        *("2026-02-29T00:41:36.123456Z", "2100-02-29T00:41:36.123456Z"),
        *("2026-04-31T00:41:36.123456Z", "2026-04-00T00:41:36.123456Z"),
        *("2026-11-22T24:41:36.123456Z", "2026-11-22T00:60:36.123456Z"),
        *("2026-11-22T00:41:60.123456Z", "2026-11-22T00:41:36.-00001Z"),
        *("2026-11-22T00:41:36.123456+25:00", "2026-11-22T00:41:36.123456+00:61"),
        *("2026-11-22T00:41:36.123456Z\n", "٢026-11-22T00:41:36.123456Z"),
        *("+026-11-22T00:41:36.123456Z", "2026-11-22T00:41:36.123456Z "),
    ],
)
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"time"):
        MicroTime.parse(text)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2026-11-22T00:41:36Z", "2026-11-22T00:41:36.000000Z"),
        ("2026-11-22T00:41:36.1Z", "2026-11-22T00:41:36.100000Z"),
        ("2026-11-22T00:41:36.123456789+01:00", "2026-11-21T23:41:36.123456Z"),
    ],
)
def test_other_precisions_can_be_read_too(text: str, written: str) -> None:
    assert str(MicroTime.parse_rfc3339(text)) == written


@given(st.text(max_size=40))
def test_whatever_is_no_time_gives_a_value_error(text: str) -> None:
    for parse in (MicroTime.parse, MicroTime.parse_rfc3339):
        with pytest.raises(ValueError, match="time"):
            parse(text)


def test_nanoseconds_are_cut_not_rounded() -> None:
    assert str(MicroTime.from_ns(1_999_999_999)) == "1970-01-01T00:00:01.999999Z"
    assert str(MicroTime.from_ns(-1)) == "1969-12-31T23:59:59.999999Z"


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="without a zone: 2026-01-01T00:00:00"):
        MicroTime.from_datetime(datetime(2026, 1, 1))


def test_the_same_instant_is_the_same_time_in_every_zone() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    elsewhere = moment.astimezone(timezone(timedelta(hours=-11, minutes=-30)))

    assert MicroTime.from_datetime(moment) == MicroTime.from_datetime(elsewhere)


def test_zero_is_the_first_instant_of_year_one() -> None:
    assert str(ZERO_TIME) == "0001-01-01T00:00:00.000000Z"
