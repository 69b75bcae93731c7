"""Which events a change means: exactly these, and none for what is no news."""

import msgspec
import pytest

from parcelgate.domain.batches import BatchRow
from parcelgate.domain.orders import Label, LabelStatus, Order, OrderStatus
from parcelgate.domain.problems import Problem
from parcelgate.domain.trackings import NextCarrier, Saying, Source, Tracking, TrackingEvent, merge
from parcelgate.services.events import news
from tests.support.orders import NOON, an_order
from tests.support.trackings import a_tracking, seen

LATE, UNKNOWN = (Problem(code=code, detail="-") for code in ("late_success", "change_unknown"))
READY, NEVER = Label(status=LabelStatus.READY), Label(status=LabelStatus.UNAVAILABLE)


def order(status: str = "confirmed", **facts: object) -> Order:
    return an_order(id="ord_1", status=OrderStatus(status), **facts)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (None, order("accepted"), []),
        (order("accepted"), order("processing"), []),
        (order("processing"), order("confirmed"), ["order.confirmed"]),
        (order("needs_attention"), order("confirmed"), ["order.confirmed"]),
        (order("confirmed"), order("cancelling"), []),
        (order("cancelling"), order("cancelled"), ["order.cancelled"]),
        (order("cancelling"), order("confirmed", problem=LATE), ["order.attention"]),
        (order("processing"), order("failed"), ["order.failed"]),
        (order("processing"), order("needs_attention"), ["order.needs_attention"]),
        (order(), order(metadata={"a": "b"}), []),
        (order(), order(attention=LATE), ["order.attention"]),
        (order(attention=LATE), order(attention=UNKNOWN), ["order.attention"]),
        (order(attention=LATE), order(attention=LATE), []),
        (order(attention=LATE), order(), []),
        (order("cancelling"), order("confirmed", attention=LATE), ["order.attention"]),
        (order(), order(label=READY), ["label.ready"]),
        (order(label=READY), order(label=READY), []),
        (order(label=READY), order(label=READY.thrown_away()), []),
        (order(label=READY), order(label=msgspec.structs.replace(READY, revision=1)), ["label.ready"]),
        (order(), order(label=NEVER, attention=LATE), ["order.attention", "label.unavailable"]),
        (order("processing"), order(label=READY), ["order.confirmed", "label.ready"]),
    ],
)
def test_promise_11_a_change_of_an_order_is_told_as(
    before: Order | None, after: Order, told: list[str]
) -> None:
    assert list(news.of_order(before, after)) == told


def heard(parcel: Tracking, *events: TrackingEvent, **more: object) -> Tracking:
    return merge(parcel, events, source=Source.POLL, at=NOON, **more)  # type: ignore[arg-type]


NEW = a_tracking(id="trk_1")
DELIVERED = heard(NEW, seen("in_transit"), seen("delivered", hours=2))


def test_promise_11_a_poll_without_news_is_no_news() -> None:
    again = heard(DELIVERED, seen("in_transit"), seen("delivered", hours=2))
    assert list(news.of_tracking(DELIVERED, again)) == []


def test_promise_11_an_old_event_that_joins_is_an_update_and_no_second_delivery() -> None:
    for late in (seen("out_for_delivery", hours=1), seen("delivered", hours=1), seen("in_transit", hours=3)):
        after = heard(DELIVERED, late)
        assert after.status == "delivered"
        assert list(news.of_tracking(DELIVERED, after)) == ["tracking.updated"]


def test_what_the_carrier_says_of_the_delivery_is_an_update() -> None:
    noon = Saying(NOON, "tomorrow")
    promised = heard(NEW, estimated_delivery=noon)
    handed = heard(NEW, next_carrier=NextCarrier(NOON, "australia-post", "AP1"))
    for before, after in ((NEW, promised), (DELIVERED, heard(DELIVERED, signed_by=noon)), (NEW, handed)):
        assert list(news.of_tracking(before, after)) == ["tracking.updated"]
    assert list(news.of_tracking(promised, heard(promised, estimated_delivery=noon))) == []


def test_an_entry_is_settled_once() -> None:
    rows = {
        status: BatchRow(index=0, status=OrderStatus(status))
        for status in ("accepted", "processing", "confirmed", "failed")
    }
    assert not news.settles(None, rows["accepted"])
    assert not news.settles(rows["accepted"], rows["processing"])
    assert news.settles(rows["processing"], rows["confirmed"])
    assert news.settles(None, rows["failed"])
    assert not news.settles(rows["confirmed"], msgspec.structs.replace(rows["confirmed"], reference="x"))
