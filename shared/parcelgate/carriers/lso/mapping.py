"""Between our words and the platform's, both ways. Pure: no I/O, no clock."""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from parcelgate.carriers.lso import codes, wire
from parcelgate.carriers.lso.settings import CarrierSettings
from parcelgate.carriers.lso.validation import COUNTRY
from parcelgate.carriers.results import (
    Confirmed,
    Failed,
    Mismatch,
    OrderResult,
    ParcelHistory,
    ParcelResult,
    Pending,
    Rate,
    Submitted,
)
from parcelgate.carriers.toolkit.comparison import plain_details
from parcelgate.carriers.toolkit.times import read_moment
from parcelgate.domain.measures import LengthUnit, Money, Weight, WeightUnit, rounded
from parcelgate.domain.orders import Charge, Order, Parcel
from parcelgate.domain.places.countries import state_code
from parcelgate.domain.problems import CarrierWords, FieldError
from parcelgate.domain.trackings import TrackingEvent, number_key, same_number

CARRIER = "lso"


# Ours to theirs.


def fee_preview(order: Order) -> wire.FeePreview:
    """Return the body of the fee preview: orderCommit without reference and callback address (assumed).

    `order` must have passed `validation.examine`.
    """
    return wire.FeePreview(**_shipment(order))


def order_commit(order: Order, callback_url: str | None) -> wire.OrderCommit:
    """The order itself (documented, lso-order-commit, "request parameters").

    `customerNumber` is the reference, word for word (assumed that this is what it is for). `order` must
    have passed `validation.examine`.
    """
    return wire.OrderCommit(**_shipment(order), customer_number=order.reference, url=callback_url)


def _shipment(order: Order) -> dict[str, Any]:
    to = order.ship_to
    return {
        "province": state_code(COUNTRY, to.state or "") or "",
        "city": to.city,
        "receiver": to.name,
        "receiver_phone": to.phone,
        "postcode": to.postcode,
        "address1": to.line1,
        "address2": to.line2 or None,
        "nation_code": to.country,
        "receive_company": to.company or to.name,
        "system_sender_name": order.options.sender_name or None,
        "lso_service_type": order.service,
        "order_details": tuple(_box(parcel) for parcel in order.parcels),
    }


def _box(parcel: Parcel) -> wire.Box:
    if parcel.dimensions is None:
        raise ValueError(f"parcel {parcel.reference} has no dimensions")
    length, width, height = (rounded(side, 2) for side in parcel.dimensions.to(LengthUnit.IN))
    declared = parcel.declared_value
    return wire.Box(
        pack_weight=rounded(parcel.weight.to(WeightUnit.LB), 2),
        box_length=length,
        box_width=width,
        box_hight=height,
        reference_no1=parcel.reference,
        reference_no2=parcel.secondary_reference or None,
        lso_declared_value=rounded(declared.amount, 2) if declared and declared.amount else None,
    )


# Theirs to ours.


def words(answer: wire.Answer, code: str | None = None) -> CarrierWords:
    """The platform's message, with `code` (None: the reply's own code)."""
    return CarrierWords(CARRIER, code or str(answer.code), answer.message)


def refused_fields(answer: wire.Answer, order: Order) -> tuple[FieldError, ...]:
    """Return the field of the create body that a refusal names, if its words name one."""
    pointer = codes.pointer_in(answer.message, len(order.parcels))
    return () if pointer is None else (FieldError(pointer, "refused_by_carrier", answer.message),)


def rate(answer: wire.Answer, order: Order, settings: CarrierSettings) -> Rate | None:
    """Return the price of a preview; None when it has no price."""
    data = wire.FeeData.model_validate(answer.data)
    price, charges = _price(data, settings)
    if price is None:
        return None
    weight = _pounds(data.close_weight_all)
    return Rate(service=order.service or "", price=price, charges=charges, billable_weight=weight)


def submitted(answer: wire.Answer, order: Order) -> Submitted | None:
    """Return the numbers of an accepted order; None when the answer has no order number."""
    data = wire.CommittedData.model_validate(answer.data)
    if data.order_number is None:
        return None
    parcels: tuple[ParcelResult, ...] = ()
    if len(data.order_details) == len(order.parcels):
        boxes = _matched(order.parcels, data.order_details)
        parcels = tuple(
            ParcelResult(reference=parcel.reference, carrier_parcel_number=box.detail_number)
            for parcel, box in zip(order.parcels, boxes, strict=True)
        )
    return Submitted(carrier_order_number=data.order_number, parcels=parcels)


def order_number(answer: wire.Answer) -> str | None:
    """Return the order number of a result, whatever its code is."""
    return wire.ResultData.model_validate(answer.data).order_number


def stranger(answer: wire.Answer, order: Order) -> Mismatch | None:
    """Return a mismatch if a result names another order than the one that was asked for."""
    data = wire.ResultData.model_validate(answer.data)
    known = order.carrier_order_number
    if known and data.order_number is not None and not same_number(data.order_number, known):
        return Mismatch(detail="the reply is about another order number", carrier_order_number=known)
    if data.customer_number not in {None, order.reference.strip()}:
        return Mismatch(detail="the reply is about another reference", carrier_order_number=known)
    return None


def failed(answer: wire.Answer, order: Order) -> Failed:
    """An order that the platform accepted and that then failed."""
    number = order_number(answer) or order.carrier_order_number
    return Failed(words=words(answer), carrier_order_number=number)


def result(answer: wire.Answer, order: Order, settings: CarrierSettings) -> OrderResult:
    """Return what code 200 means: confirmed when every box has its number, or failed by its status word.

    Boxes are matched by `referenceNo1`, else by position (assumed).
    """
    data = wire.ResultData.model_validate(answer.data)
    number = data.order_number or order.carrier_order_number
    if data.status and codes.plain(data.status) in {codes.plain(word) for word in settings.failure_statuses}:
        return Failed(words=CarrierWords(CARRIER, data.status, answer.message), carrier_order_number=number)
    if number is None:
        return Pending(reason="the order is finished, but has no order number")
    if not data.details or not all(box.service_number for box in data.details):
        return Pending(reason="not every box has a service number", carrier_order_number=number)
    if len(data.details) != len(order.parcels):
        detail = f"the reply has {len(data.details)} boxes for {len(order.parcels)} parcels"
        return Mismatch(detail=detail, carrier_order_number=number)
    if len({number_key(box.service_number or "") for box in data.details}) != len(data.details):
        return Mismatch(detail="two boxes have the same service number", carrier_order_number=number)
    boxes = _matched(order.parcels, data.details)
    numbers = {parcel.reference: parcel.carrier_parcel_number for parcel in order.parcels}
    price, charges = _price(data, settings)
    return Confirmed(
        carrier_order_number=number,
        parcels=tuple(
            ParcelResult(
                reference=parcel.reference,
                tracking_number=box.service_number,
                master_tracking_number=box.master_service_number,
                carrier_parcel_number=numbers[parcel.reference],
            )
            for parcel, box in zip(order.parcels, boxes, strict=True)
        ),
        master_tracking_numbers=data.master_service_numbers,
        price=price,
        charges=charges,
        billable_weight=_billable(data),
        details=_details(answer, boxes, priced=data.prepaid_price is not None),
    )


def _details(answer: wire.Answer, boxes: Sequence[wire.ResultBox], *, priced: bool) -> dict[str, Any]:
    """Return the values without another place: averages, and each box's measures, in parcel order."""
    elsewhere = _ELSEWHERE if priced else _ELSEWHERE - {"commission"}
    details = plain_details(answer.data, elsewhere)
    measures = [plain_details(box.model_dump(by_alias=True), _ELSEWHERE_OF_A_BOX) for box in boxes]
    return details | {"boxes": measures} if any(measures) else details


def _matched[T: (wire.CommittedBox, wire.ResultBox)](
    parcels: Sequence[Parcel], boxes: Sequence[T]
) -> list[T]:
    """Return the boxes in the order of the parcels: by reference if it is unique, else by position."""
    times = Counter(box.reference_no1 for box in boxes)
    by_reference = {box.reference_no1: box for box in boxes if times[box.reference_no1] == 1}
    named = [by_reference.pop(parcel.reference.strip(), None) for parcel in parcels]
    taken = {id(box) for box in named if box is not None}
    others = iter([box for box in boxes if id(box) not in taken])
    return [next(others) if box is None else box for box in named]


def _price(data: wire.FeeData, settings: CarrierSettings) -> tuple[Money | None, tuple[Charge, ...]]:
    """Return `prepaidPrice` + `commission`, in the account's currency (assumed), with both as charges."""
    if data.prepaid_price is None:
        return None, ()
    charges = [Charge("freight", Money(data.prepaid_price, settings.currency))]
    if data.commission is not None:
        charges.append(Charge("commission", Money(data.commission, settings.currency)))
    return Money(data.prepaid_price + (data.commission or 0), settings.currency), tuple(charges)


def _billable(data: wire.ResultData) -> Weight | None:
    pounds = _pounds(data.close_weight_all) or _pounds(data.total_weight_lbs)
    if pounds is None and data.total_weight_kg is not None:
        return Weight(data.total_weight_kg, WeightUnit.KG)
    return pounds


def _pounds(value: Decimal | None) -> Weight | None:
    return None if value is None else Weight(value, WeightUnit.LB)


_ELSEWHERE_OF_A_BOX = {"serviceNumber", "masterServiceNumber"}
_ELSEWHERE = {
    "orderNumber",
    "customerNumber",
    "prepaidPrice",
    "commission",
    "masterServiceNumbers",
    "details",
}


def label_entries(answer: wire.Answer, order: Order) -> list[wire.LabelEntry] | None:
    """Return one entry for each parcel, in parcel order, by service number; None when they do not fit.

    Entries that all lack a service number are taken by position.
    """
    entries = wire.LabelData.model_validate(answer.data).labels
    if len(entries) != len(order.parcels):
        return None
    if not any(entry.service_number for entry in entries):
        return list(entries)
    by_number = {number_key(entry.service_number): entry for entry in entries if entry.service_number}
    keys = [number_key(parcel.tracking_number or "") for parcel in order.parcels]
    matching = [by_number[key] for key in keys if key in by_number]
    return matching if len(matching) == len(entries) else None


def histories(
    answer: wire.Answer, numbers: Sequence[str], settings: CarrierSettings
) -> tuple[list[ParcelHistory], int]:
    """Return one history for each of `numbers`, and how many events or tracks could not be read.

    Histories of other numbers come after those.
    """
    aside = 0
    events: dict[str, list[TrackingEvent]] = {number: [] for number in numbers}
    spelt = {number_key(number): number for number in numbers}
    for track in wire.TrackingData.model_validate(answer.data).tracks:
        if track.service_number is None:
            aside += 1
            continue
        number = spelt.setdefault(number_key(track.service_number), track.service_number)
        read = [_event(event, settings) for event in track.events]
        aside += read.count(None)
        events.setdefault(number, []).extend(event for event in read if event is not None)
    return [ParcelHistory(tracking_number=number, events=tuple(own)) for number, own in events.items()], aside


def _event(event: wire.TrackEvent, settings: CarrierSettings) -> TrackingEvent | None:
    """Return one event; None without a readable time. A status in no table stays None (never guessed)."""
    moment = read_moment(event.time, ZoneInfo(settings.default_time_zone))
    if moment is None:
        return None
    code = event.status or ""
    return TrackingEvent(
        at=moment.at,
        code=code,
        description=event.description or code,
        status=codes.tracking_status(code, settings.tracking_statuses),
        utc_offset=moment.utc_offset,
        at_is_local=moment.at_is_local,
        city=event.city,
        state=event.state,
        country=COUNTRY if event.city or event.state else None,
        place=", ".join(part for part in (event.city, event.state) if part) or None,
    )
