"""What says who a recipient is goes from an order and a tracking; everything else is on a list."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from parcelgate.domain import erasure
from parcelgate.domain.orders import Actor, Order, OrderEvent, OrderStatus
from parcelgate.domain.problems import CarrierWords
from parcelgate.domain.trackings import Tracking

MARK = "Zqperson"
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)

STAYS_OF_AN_ORDER = """
    id tenant carrier account reference service correlation_id manifest_id earlier_tracking_ids[]
    carrier_order_number master_tracking_numbers[] ship_to.country
    parcels[].reference parcels[].tracking_number parcels[].master_tracking_number
    parcels[].carrier_parcel_number parcels[].tracking_id
    parcels[].items[].number parcels[].items[].sku parcels[].items[].hs_code
    parcels[].items[].origin_country parcels[].items[].warehouse_number
    parcels[].declared_value.currency parcels[].items[].unit_value.currency
    parcels[].problem.code parcels[].problem.detail parcels[].problem.carrier.name
    parcels[].problem.carrier.code
    customs.value.currency customs.incoterm customs.battery.type customs.battery.packing customs.inject_port
    options.facility options.platform options.service_option options.return_option options.max_price.currency
    price.currency charges[].type charges[].amount.currency refund.status refund.amount.currency
    label.format label.size batch.id
    problem.code problem.detail problem.carrier.name problem.carrier.code
    attention.code attention.detail attention.carrier.name attention.carrier.code
    submission.sender submission.task_token submission.callback_hash
"""
"""Numbers, codes and our own words. A new text that is not on this list must be erased (`domain.erasure`)."""
STAYS_OF_A_TRACKING = """
    id tenant carrier account tracking_number order_id parcel_reference carrier_number service replaced_by
    carrier_code wrong_couriers[] sub_status order_reference destination_country
    events[].code events[].sub_status events[].utc_offset events[].country events[].carrier events[].id
    other_numbers[].number other_numbers[].carrier next_carrier.carrier_code next_carrier.tracking_number
"""


def marked(kind: Any) -> Any:
    """A value of this type in JSON, with the mark in every text."""
    match kind:
        case msgspec.inspect.StructType(fields=fields):
            return {field.encode_name: marked(field.type) for field in fields}
        case msgspec.inspect.VarTupleType(item_type=each) | msgspec.inspect.ListType(item_type=each):
            return [marked(each)]
        case msgspec.inspect.DictType():
            return {MARK: MARK}
        case msgspec.inspect.UnionType(types=types):
            return marked(next(each for each in types if not isinstance(each, msgspec.inspect.NoneType)))
        case msgspec.inspect.EnumType(cls=cls):
            return next(iter(cls)).value
        case msgspec.inspect.DateTimeType():
            return NOON.isoformat()
        case msgspec.inspect.DecimalType():
            return "1.5"
        case msgspec.inspect.BoolType():
            return True
        case msgspec.inspect.IntType() | msgspec.inspect.FloatType():
            return 1
        case msgspec.inspect.StrType() | msgspec.inspect.AnyType():
            return MARK
    raise TypeError(f"a {kind} is no type of a stored document")


def everything[T](of: type[T]) -> T:
    return msgspec.convert(marked(msgspec.inspect.type_info(of)), of, strict=False)


def where_marked(value: Any, at: str = "") -> Iterator[str]:
    match value:
        case dict():
            for name, each in value.items():
                yield from [f"{at}.(name)"] if MARK in name else []
                yield from where_marked(each, f"{at}.{name}" if at else name)
        case list() | tuple():
            for each in value:
                yield from where_marked(each, f"{at}[]")
        case str() if MARK in value:
            yield at


@pytest.mark.parametrize(("of", "stays"), [(Order, STAYS_OF_AN_ORDER), (Tracking, STAYS_OF_A_TRACKING)])
def test_every_text_goes_that_is_not_on_the_list(of: Any, stays: str) -> None:
    whole = everything(of)
    if isinstance(whole, Order):
        bare: Any = whole.changed(at=NOON, **erasure.erased_facts(whole, at=NOON))
    else:
        bare = erasure.erased_tracking(whole, at=NOON)
    left = set(where_marked(msgspec.to_builtins(bare)))
    assert left - set(stays.split()) == set(), "this still says who it is"
    assert set(stays.split()) - left == set(), "this is on the list for nothing"


def test_an_erased_order_keeps_its_money_and_loses_its_label() -> None:
    order = everything(Order)
    bare = order.changed(at=NOON, **erasure.erased_facts(order, at=NOON))
    assert (bare.price, bare.refund, bare.status) == (order.price, order.refund, order.status)
    assert (bare.label.document, bare.label.parcels) == (None, ())
    assert bare.label.revision == order.label.revision + 1
    assert (bare.watch_at, bare.waiting) == (None, None)
    assert bare.ship_to.country == order.ship_to.country


def test_erasing_again_changes_nothing() -> None:
    order = erasure.without_person(everything(Order))
    assert erasure.without_person(order) == order
    tracking = erasure.tracking_without_person(everything(Tracking))
    assert erasure.tracking_without_person(tracking) == tracking


def test_a_field_that_a_document_does_not_have_is_not_added() -> None:
    """What the API showed in an earlier release, or a batch's entry, has fewer fields."""
    assert erasure.order_document({"ship_to": {"name": "Ada", "country": "US"}, "parcels": [{}]}) == {
        "ship_to": {"name": "erased", "country": "US"},
        "parcels": [{}],
    }
    assert erasure.tracking_document({"title": "Ada"}) == {"title": None, "events": []}


def test_the_audit_trail_keeps_the_carriers_code_alone() -> None:
    words = CarrierWords("fake", "77", "Ada does not live there")
    event = OrderEvent(
        at=NOON, type="order.failed", actor=Actor.CARRIER, to=OrderStatus.FAILED, carrier=words
    )
    bare = erasure.event_without_words(event)
    assert bare.carrier == CarrierWords("fake", "77", "")
    assert erasure.event_without_words(bare) is bare
