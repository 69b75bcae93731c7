"""Whatever order LSO's rules let through maps to bodies the document allows, and answers map back."""

import json
import random
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from parcelgate.carriers.errors import TransientError
from parcelgate.carriers.lso import mapping, wire
from parcelgate.carriers.lso.settings import CarrierSettings
from parcelgate.carriers.lso.validation import FIELDS, examine
from parcelgate.carriers.results import Confirmed, Failed, Mismatch, NotFound, Pending
from parcelgate.carriers.toolkit.fields import Place
from parcelgate.domain.measures import Dimensions, LengthUnit, Money, Weight, WeightUnit
from parcelgate.domain.orders import Item, Options, Order, Parcel
from parcelgate.domain.places.addresses import Address
from tests.support.adapters import NOON, FakeTransport, lso, lso_account

REQUEST_TABLE: dict[str, tuple[type, bool]] = {
    "token": (str, True),
    "customerNumber": (str, True),
    "referenceNo1": (str, False),
    "referenceNo2": (str, False),
    "appId": (str, True),
    "province": (str, True),
    "city": (str, True),
    "receiver": (str, True),
    "receiverPhone": (str, True),
    "postcode": (str, True),
    "address1": (str, True),
    "address2": (str, False),
    "nationCode": (str, True),
    "receiveCompany": (str, True),
    "systemSenderName": (str, False),
    "lsoServiceType": (str, True),
    "url": (str, False),
    "orderDetails": (list, True),
}
"""The document's table of request parameters: type, and whether it is required."""

BOX_TABLE: dict[str, tuple[type, bool]] = {
    "packWeight": (Decimal, True),
    "boxLength": (Decimal, True),
    "boxWidth": (Decimal, True),
    "boxHight": (Decimal, True),
    "referenceNo1": (str, True),
    "referenceNo2": (str, False),
    "lsoDeclaredValue": (Decimal, False),
}

texts = st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=60).filter(str.strip)
some = st.one_of(st.none(), texts)
amounts = st.decimals(0, 100_000, places=4)
sizes = st.decimals(Decimal("0.0001"), 10_000, places=4)
states = st.sampled_from(["TX", "tx", "Texas", "new mexico", "DC", "OK", "Puerto Rico"])
postcodes = st.from_regex(r"\A[0-9]{5}(-[0-9]{4})?\Z")

items = st.builds(
    Item,
    number=texts,
    sku=texts,
    description=texts,
    quantity=st.integers(1, 99),
    unit_value=st.builds(Money, amounts, st.sampled_from(["USD", "EUR"])),
)
addresses = st.builds(
    Address,
    name=texts,
    company=some,
    phone=texts,
    email=some,
    line1=texts,
    line2=some,
    city=texts,
    state=states,
    postcode=postcodes,
    country=st.just("US"),
    tax_id=some,
)


@st.composite
def orders(draw: st.DrawFn) -> Order:
    references = draw(st.lists(texts, min_size=1, max_size=50, unique_by=str.strip))
    parcels = [
        Parcel(
            reference=reference,
            weight=Weight(draw(sizes), draw(st.sampled_from(WeightUnit))),
            dimensions=Dimensions(draw(sizes), draw(sizes), draw(sizes), draw(st.sampled_from(LengthUnit))),
            secondary_reference=draw(some),
            description=draw(some),
            declared_value=draw(st.one_of(st.none(), st.builds(Money, amounts, st.just("USD")))),
            items=tuple(draw(st.lists(items, max_size=2))),
        )
        for reference in references
    ]
    return Order(
        id="ord_01",
        tenant="acme",
        carrier="lso",
        account="default",
        service="GroundBasic",
        reference=draw(texts),
        ship_to=draw(addresses),
        parcels=tuple(parcels),
        options=Options(sender_name=draw(some), instruction=draw(some)),
        created_at=NOON,
        updated_at=NOON,
    )


def check(fields: dict[str, Any], table: dict[str, tuple[type, bool]]) -> None:
    assert set(fields) <= set(table)
    for name, (kind, required) in table.items():
        assert name in fields or not required
        if name in fields:
            assert type(fields[name]) is kind
            assert fields[name]


@given(orders())
def test_an_order_that_the_rules_let_through_is_one_that_the_document_takes(order: Order) -> None:
    """Promise of the adapter: strict in what is sent."""
    assert examine(order, lso_account(), "USD").errors == ()
    transport = FakeTransport({"lso.order_commit": [{"code": 200, "data": {"orderNumber": "1"}}]})
    lso(transport).create(order, callback_url="https://api.example/hook")
    (sent,) = transport.bodies("lso.order_commit")
    check(sent, REQUEST_TABLE)
    assert (sent["customerNumber"], sent["nationCode"]) == (order.reference, "US")
    assert len(sent["province"]) == 2
    assert [box["referenceNo1"] for box in sent["orderDetails"]] == [
        parcel.reference for parcel in order.parcels
    ]
    for box in sent["orderDetails"]:
        check(box, BOX_TABLE)
        for name in ("packWeight", "boxLength", "boxWidth", "boxHight"):
            assert box[name] >= Decimal("0.01")
            assert box[name].as_tuple().exponent == -2


@given(orders())
def test_the_preview_is_of_the_very_order(order: Order) -> None:
    preview = mapping.fee_preview(order).fields()
    commit = mapping.order_commit(order, "https://api.example/hook").fields()
    assert {key: commit[key] for key in commit if key not in {"url", "customerNumber"}} == preview


@given(orders())
def test_what_is_not_sent_is_told(order: Order) -> None:
    """Every field given that the table marks as not sent has its warning, and no other field has one."""
    told = {warning.pointer for warning in examine(order, lso_account(), "USD").warnings}
    expected = {"/ship_to/company"} if not order.ship_to.company else set()
    expected |= {f"/ship_to/{name}" for name in ("email", "tax_id") if getattr(order.ship_to, name)}
    expected |= {"/options/instruction"} if order.options.instruction else set()
    for index, parcel in enumerate(order.parcels):
        expected |= {f"/parcels/{index}/{name}" for name in ("description", "items") if getattr(parcel, name)}
    assert told == expected
    assert all(FIELDS[f"/ship_to/{name}"][0] is Place.NOT_SENT for name in ("email", "tax_id"))


@given(orders(), st.randoms(use_true_random=False), st.booleans())
def test_results_map_back_to_the_same_parcels_in_the_same_order(
    order: Order, chance: random.Random, named: bool
) -> None:
    """Boxes come in any order when they carry their references, and in ours when they do not."""
    boxes = [
        {
            "serviceNumber": f"ZQ{index}",
            "masterServiceNumber": f"ZM{index // 2}",
            **({"referenceNo1": parcel.reference} if named else {}),
        }
        for index, parcel in enumerate(order.parcels)
    ]
    if named:
        chance.shuffle(boxes)
    answer = wire.read(json.dumps({"code": 200, "data": {"orderNumber": "SYCO1", "details": boxes}}).encode())
    assert answer is not None
    found = mapping.result(answer, order, CarrierSettings())
    assert isinstance(found, Confirmed)
    assert [(parcel.reference, parcel.tracking_number) for parcel in found.parcels] == [
        (parcel.reference, f"ZQ{index}") for index, parcel in enumerate(order.parcels)
    ]


finite = st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
names = sorted(
    {"orderNumber", "customerNumber", "status", "prepaidPrice", "commission", "closeWeightAll", "details"}
    | {"masterServiceNumbers", "serviceNumber", "referenceNo1", "labels", "tracks", "events", "time", "token"}
)
odd_data = st.dictionaries(st.sampled_from(names), json_values, max_size=8)


@given(orders(), st.one_of(st.sampled_from([200, 404, 500, 1001, 1024, 1115]), json_values), odd_data)
def test_no_answer_however_odd_is_more_than_a_result(order: Order, code: Any, data: Any) -> None:
    """Tolerant in what is read: asked again at worst, and success only with a number for every parcel."""
    answer = {"code": code, "data": data}
    found = None
    with suppress(TransientError):
        found = (
            lso(FakeTransport({"lso.order_result": [answer]})).order_result(order) if code != 401 else None
        )
    assert isinstance(found, Confirmed | Pending | Failed | NotFound | Mismatch | None)
    if isinstance(found, Confirmed):
        assert [parcel.reference for parcel in found.parcels] == [
            parcel.reference for parcel in order.parcels
        ]
        assert all(parcel.tracking_number for parcel in found.parcels)


@given(st.binary(max_size=200))
def test_any_bytes_are_an_answer_or_none(content: bytes) -> None:
    assert wire.read(content) is None or isinstance(wire.read(content), wire.Answer)


@given(odd_data, st.lists(st.text(max_size=5), max_size=3, unique=True))
def test_odd_journeys_spoil_nothing(data: Any, numbers: list[str]) -> None:
    good = {"serviceNumber": "ZQ", "events": [{"time": "2026-11-22 08:15:00", "status": "delivered"}]}
    tracks = data.get("tracks")
    data["tracks"] = [*(tracks if isinstance(tracks, list) else [tracks]), good]
    answer = wire.read(json.dumps({"code": 200, "data": data}).encode())
    assert answer is not None
    histories, _ = mapping.histories(answer, [*numbers, "ZQ"], CarrierSettings())
    assert [history.tracking_number for history in histories[: len(numbers) + 1]] == [*numbers, "ZQ"]
    assert histories[len(numbers)].events[-1].at == datetime(2026, 11, 22, 8, 15, tzinfo=UTC)
