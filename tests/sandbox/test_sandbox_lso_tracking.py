"""The parcel's way, as the platform tells it."""

import pytest

A_WEEK = 7 * 24 * 3600


@pytest.fixture
def number(lso):
    return lso.finished(lso.order("shop-1"))["data"]["serviceNumber"]


def events(lso, number):
    (track,) = lso.track(number)["data"]["tracks"]
    assert track["serviceNumber"] == number
    return track["events"]


def test_a_parcel_moves_from_label_to_door(lso, http, number):
    assert [event["status"] for event in events(lso, number)] == ["Label Created"]
    http.post("/_sandbox/advance", json={"seconds": A_WEEK / 1440})
    told = events(lso, number)
    assert [event["status"] for event in told] == [
        "Label Created",
        "Picked Up",
        *["In Transit"] * 5,
        "Out for Delivery",
        "Delivered",
    ]
    assert set(told[-1]) == {"time", "status", "description", "city", "state"}
    towns = [event["city"] for event in told]
    assert towns == ["Houston"] * 4 + ["Waco"] * 2 + ["Austin"] * 3
    times = [event["time"] for event in told]
    assert times == sorted(set(times))


def test_disorder_tells_all_in_the_end_but_late_twice_and_shuffled(lso, http):
    reference = "SBX-DISORDER"
    number = lso.finished(lso.order(reference))["data"]["serviceNumber"]
    http.post("/_sandbox/advance", json={"seconds": A_WEEK / 1440})
    told = events(lso, number)
    times = [event["time"] for event in told]
    assert times != sorted(times)
    assert (len(times), len(set(times))) == (14, 9)
    assert told != events(lso, number)


def test_a_refunded_parcel_stops(lso, http, number):
    lso.refund(lso.entry("shop-1")["order_number"])
    http.post("/_sandbox/advance", json={"seconds": A_WEEK})
    lso.renew()
    assert [event["status"] for event in events(lso, number)] == ["Label Created"]


def test_an_unknown_or_foreign_number_has_no_events(lso, other_lso, number):
    assert events(lso, "ZQ0000000000") == []
    assert events(other_lso, number) == []


@pytest.mark.parametrize("numbers", [[], ["x"] * 31, "ZQ1", [1], None])
def test_one_to_thirty_numbers_are_asked_at_once(lso, numbers):
    assert lso.post("lso/tracking", serviceNumbers=numbers).json()["code"] == 1002
    assert len(lso.track(*["x"] * 30)["data"]["tracks"]) == 30
