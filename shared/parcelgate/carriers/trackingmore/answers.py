"""Read TrackingMore's refusals, and match them to parcels. Pure.

Every answer may be a success as a whole and a failure for each of its parcels (documented: 201 with nothing
added). Parcels are matched by number and courier, never by their place in a list.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from parcelgate.carriers.errors import (
    AuthenticationError,
    CarrierError,
    Refusal,
    RefusedError,
    TooManyRequestsError,
    TransientError,
)
from parcelgate.carriers.results import Waybill
from parcelgate.carriers.trackingmore import codes
from parcelgate.carriers.trackingmore.codes import Kind
from parcelgate.carriers.trackingmore.wire import Answer, Item, items
from parcelgate.domain.problems import CarrierWords, FieldError
from parcelgate.domain.trackings import courier_key, number_key

CARRIER = "trackingmore"

_COUNTS = ("change", "changed", "update", "updated", "delete", "deleted", "added")


def error(code: str, message: str) -> CarrierError:
    """Return the error for a code, of an answer or of one parcel; pointers lead into one parcel's body."""
    words = CarrierWords(CARRIER, code, message)
    match codes.kind(code):
        case Kind.AUTHENTICATION:
            return AuthenticationError("TrackingMore does not accept the key", words=words)
        case Kind.TOO_MANY:
            return TooManyRequestsError("TrackingMore limits the rate of calls; try again later", words=words)
        case Kind.TRANSIENT:
            return TransientError("TrackingMore has a failure of its own; try again later", words=words)
        case Kind.NOT_FOLLOWED:
            reason: Refusal | None = Refusal.UNKNOWN_ORDER
        case _:
            reason = None
    meaning = codes.MEANINGS.get(code, "TrackingMore refused the call")
    pointer = codes.POINTERS.get(code)
    errors = [] if pointer is None else [FieldError(pointer, "refused_by_carrier", message or meaning)]
    return RefusedError(meaning, words=words, errors=errors, reason=reason)


def done(answer: Answer) -> bool:
    """Whether the reply as a whole is a success."""
    return codes.kind(answer.code) is Kind.DONE


def not_mentioned() -> CarrierError:
    """The answer does not mention this parcel. Every call may be made again without harm."""
    return TransientError("TrackingMore's reply does not mention this parcel")


def followed(corrected: Mapping[Waybill, bool], answer: Answer) -> dict[Waybill, Item | CarrierError | None]:
    """Return the result of each parcel to follow: an item, an error, or None if it was followed before.

    `corrected` says for each parcel whether TrackingMore may find that another courier has it. Raises the
    error of a refusal that is about all parcels.
    """
    kind = codes.kind(answer.code)
    if len(corrected) == 1 and kind is Kind.FOLLOWED:
        return dict.fromkeys(corrected)
    if kind is not Kind.DONE and not (answer.data and kind in {Kind.PARTLY, Kind.FOLLOWED}):
        trouble = error(answer.code, answer.message)
        if len(corrected) > 1:
            raise trouble
        return dict.fromkeys(corrected, trouble)
    refused = matched(corrected, _refused(answer.data))
    added = matched(
        {waybill: may for waybill, may in corrected.items() if waybill not in refused},
        [item for item in items(answer.data, "trackings") if item.code is None],
    )
    results: dict[Waybill, Item | CarrierError | None] = {waybill: not_mentioned() for waybill in corrected}
    for waybill, item in refused.items():
        code = item.code or ""
        results[waybill] = None if codes.kind(code) is Kind.FOLLOWED else error(code, item.message or "")
    return results | added


def changed(
    waybills: Collection[Waybill], answer: Answer, *, forgotten: bool = False
) -> dict[Waybill, CarrierError | None]:
    """Return the result of each parcel to change: an error, or None.

    With `forgotten`, a parcel that is not followed is no error. An answer without lists counts for all
    parcels (the reply to a deletion is assumed), and so does one that counts all of them and lists none.
    Raises the error of a refusal that is about all parcels.
    """
    if not done(answer):
        trouble = _trouble(answer.code, answer.message, forgotten)
        if trouble is not None and len(waybills) > 1:
            raise trouble
        return dict.fromkeys(waybills, trouble)
    data = answer.data if isinstance(answer.data, dict) else {}
    refused = matched(dict.fromkeys(waybills, False), _refused(data))
    results = {
        waybill: _trouble(item.code or "", item.message or "", forgotten) for waybill, item in refused.items()
    }
    rest = [waybill for waybill in waybills if waybill not in results]
    listed = items(data, "trackings") if "trackings" in data else None
    if listed is None or (not listed and _count(data) == len(rest)):
        return dict.fromkeys(rest) | results
    by_waybill = matched(dict.fromkeys(rest, False), listed)
    return {waybill: None if waybill in by_waybill else not_mentioned() for waybill in rest} | results


def _trouble(code: str, message: str, forgotten: bool) -> CarrierError | None:
    if forgotten and codes.kind(code) is Kind.NOT_FOLLOWED:
        return None
    return error(code, message)


def _refused(data: Any) -> list[Item]:
    return items(data, "errors") if isinstance(data, dict) and "errors" in data else []


def _count(data: Mapping[str, Any]) -> int | None:
    counts = [data[name] for name in _COUNTS if isinstance(data.get(name), int)]
    return counts[0] if counts else None


def matched(waybills: Mapping[Waybill, bool], entries: Iterable[Item]) -> dict[Waybill, Item]:
    """Return which item is about which parcel, by number and courier.

    The rest is matched by the number, if only one parcel has it and the item names no courier, or may name
    another one (True in `waybills`). The spelling of number and courier makes no difference.
    """
    by_waybill: dict[Waybill, Item] = {}
    rest = []
    by_key = {_key(*waybill): waybill for waybill in waybills}
    for item in entries:
        waybill = by_key.get(_key(item.carrier_code, item.tracking_number))
        if waybill is None:
            rest.append(item)
        else:
            by_waybill[waybill] = item
    numbers = [number_key(waybill.tracking_number) for waybill in waybills]
    left = {
        number_key(waybill.tracking_number): (waybill, may)
        for waybill, may in waybills.items()
        if waybill not in by_waybill and numbers.count(number_key(waybill.tracking_number)) == 1
    }
    for item in rest:
        waybill, may = left.get(number_key(item.tracking_number or ""), (None, False))
        if waybill is not None and (may or item.carrier_code is None):
            by_waybill[waybill] = item
    return by_waybill


def _key(carrier_code: str | None, number: str | None) -> tuple[str, str]:
    return courier_key(carrier_code), number_key(number or "")
