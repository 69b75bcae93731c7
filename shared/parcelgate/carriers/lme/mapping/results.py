"""Read replies about an order into results. Pure."""

from typing import Any

from parcelgate.carriers.lme import wire
from parcelgate.carriers.lme.mapping.address import lines
from parcelgate.carriers.lme.settings import CarrierSettings
from parcelgate.carriers.results import (
    Confirmed,
    Failed,
    Mismatch,
    OrderResult,
    ParcelResult,
    Pending,
)
from parcelgate.carriers.toolkit.comparison import bare, plain_details
from parcelgate.domain.orders import Order
from parcelgate.domain.problems import CarrierWords
from parcelgate.domain.trackings import same_number

CARRIER = "lme"


def words(answer: wire.Answer) -> CarrierWords:
    """LME's code and message."""
    return CarrierWords(CARRIER, answer.code, answer.message)


def order_data(answer: wire.Answer) -> wire.OrderData | None:
    """The order in an answer; None when there is none."""
    data = answer.data
    if isinstance(data, list):
        data = data[0] if len(data) == 1 else None
    return wire.OrderData.model_validate(data) if isinstance(data, dict) and data else None


def confirmed(order: Order, data: wire.OrderData) -> Confirmed | Mismatch | Pending:
    """An order with its number, which is the parcel's tracking number too."""
    if data.out_order_no not in {None, order.reference.strip()}:
        detail = "LME's reply is about another reference."
        return Mismatch(detail=detail, carrier_order_number=order.carrier_order_number)
    number = data.order_no
    if number is None:
        return Pending(
            reason="LME has given no order number yet", carrier_order_number=order.carrier_order_number
        )
    known = order.carrier_order_number
    if known is not None and not same_number(known, number):
        return Mismatch(
            detail="LME's reply is about another order number.",
            carrier_order_number=order.carrier_order_number,
        )
    return Confirmed(
        carrier_order_number=number,
        parcels=(ParcelResult(reference=order.parcels[0].reference, tracking_number=number),),
        details=_rest(data),
    )


def found(order: Order, data: wire.OrderData, settings: CarrierSettings) -> OrderResult:
    """Return what LME has under our reference.

    Only our own order is adopted, and only if it is not cancelled.
    """
    result = confirmed(order, data)
    if not isinstance(result, Confirmed):
        return result
    if data.order_stage is not None and data.order_stage in settings.cancelled_stages:
        cancelled = CarrierWords(CARRIER, data.order_stage, "LME has the order as cancelled.")
        return Failed(words=cancelled, carrier_order_number=result.carrier_order_number)
    if not _is_ours(order, data.receiver):
        return Mismatch(
            detail="LME has another parcel with this reference.",
            carrier_order_number=result.carrier_order_number,
        )
    return result


def _is_ours(order: Order, receiver: wire.Party) -> bool:
    """Return whether the receiver is ours; fields that LME leaves out or masks do not count (assumed)."""
    to = order.ship_to
    pairs = ((receiver.contact, to.name), (receiver.address, lines(to)), (receiver.post_code, to.postcode))
    return all(
        theirs is None or "*" in theirs or not ours or bare(theirs) == bare(ours) for theirs, ours in pairs
    )


_ELSEWHERE = {
    "orderNo", "outOrderNo", "channel", "preTimeStart", "preTimeEnd", "totalLength", "totalWidth",
    "totalHeight", "totalWeight", "cargoDesc", "cargoDetail", "remark",
}  # fmt: skip


def _rest(data: wire.OrderData) -> dict[str, Any]:
    """Return what LME added, by its own names: only plain values, decimals as text."""
    fields = {**data.model_dump(by_alias=True, exclude={"receiver"}), **(data.model_extra or {})}
    return plain_details(fields, _ELSEWHERE)
