"""Times and zones as carriers write them."""

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parcelgate.carriers.toolkit.times import offset_text, read_time, read_zone

EAST = timezone(timedelta(hours=8))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2017/8/27 16:51", datetime(2017, 8, 27, 16, 51)),
        ("2017-08-27 16:51:09", datetime(2017, 8, 27, 16, 51, 9)),
        ("2017.08.27", datetime(2017, 8, 27)),
        ("20181001", datetime(2018, 10, 1)),
        ("2018-04-18T07:26:14+00:00", datetime(2018, 4, 18, 7, 26, 14, tzinfo=UTC)),
        ("2018-04-18T07:26:14Z", datetime(2018, 4, 18, 7, 26, 14, tzinfo=UTC)),
        ("2018-04-18 07:26 +0800", datetime(2018, 4, 18, 7, 26, tzinfo=EAST)),
        ("2018-04-18 07:26:14 GMT+8", datetime(2018, 4, 18, 7, 26, 14, tzinfo=EAST)),
        ("2026-11-20T08:15:30.1234567", datetime(2026, 11, 20, 8, 15, 30, 123456)),
        ("2026-11-20T08:15:30.5+08:00", datetime(2026, 11, 20, 8, 15, 30, 500000, tzinfo=EAST)),
        ("2026-11-20 08:15:30 PM", datetime(2026, 11, 20, 20, 15, 30)),
        ("2026-11-20 12:05 am", datetime(2026, 11, 20, 0, 5)),
        ("2026-11-20 08:15 EST", datetime(2026, 11, 20, 8, 15)),
        ("1795162530", datetime(2026, 11, 20, 8, 15, 30, tzinfo=UTC)),
        ("1795162530123", datetime(2026, 11, 20, 8, 15, 30, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_in_every_form_that_carriers_use(text: str, moment: datetime) -> None:
    found = read_time(text)
    assert found == moment
    assert found.utcoffset() == moment.utcoffset()


@pytest.mark.parametrize(
    "text",
    [None, "", "soon", "0001-01-01T00:00:00", "9999-12-31 23:59", "2026-13-01", "2026-11-20 25:00", "13:00",
     "2026-11-20 13:05 PM", "99999999999999999999", "2026-11/20"],
)  # fmt: skip
def test_a_time_that_cannot_be_meant_is_none(text: str | None) -> None:
    assert read_time(text) is None


@given(st.text() | st.from_regex(r"\d{4}[-/]\d{1,2}[-/]\d{1,2}.{0,20}"))
def test_whatever_is_written_reading_a_time_raises_nothing(text: str) -> None:
    found = read_time(text)
    assert found is None or found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC).year >= 1999


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("UTC+10", timezone(timedelta(hours=10))),
        ("GMT+08:00", EAST),
        ("+0530", timezone(timedelta(hours=5, minutes=30))),
        ("UTC-3.5", timezone(-timedelta(hours=3, minutes=30))),
        ("Australia/Sydney", ZoneInfo("Australia/Sydney")),
        ("Z", UTC),
        ("EST", None),
        ("Mars/Olympus", None),
        ("GMT+99", None),
        ("", None),
    ],
)
def test_a_zone_is_read_in_every_form_that_carriers_use(text: str, zone: tzinfo | None) -> None:
    found = read_zone(text)
    moment = datetime(2026, 7, 1)
    assert (found is None) is (zone is None)
    if zone is not None:
        assert moment.replace(tzinfo=found).utcoffset() == moment.replace(tzinfo=zone).utcoffset()


def test_an_offset_is_told_as_the_contract_does() -> None:
    assert offset_text(timedelta(hours=-3, minutes=-30)) == "-03:30"
    assert offset_text(timedelta(hours=10)) == "+10:00"
