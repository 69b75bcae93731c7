"""Between our words and eTower's, both ways. Pure: no network, no clock.

Out: `prepared` fills the account's defaults in and takes out what eTower cannot read, `wire_order` makes
the body. The same `Sourced` values tell `rules` which field of our body each one came from.
Back: `OrderAnswer` and its like become results of the port; everything is matched by `referenceNo`.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from parcelgate.carriers.results import (
    Confirmed,
    LabelFile,
    Mismatch,
    OrderResult,
    ParcelHistory,
    ParcelResult,
    Pending,
)
from parcelgate.carriers.toolkit.comparison import bare
from parcelgate.carriers.toolkit.documents import from_base64, label_file
from parcelgate.carriers.toolkit.times import offset_text, read_time, read_zone
from parcelgate.carriers.ubi.codes import EVENTS, LABEL_FORMATS, LABEL_TYPES
from parcelgate.carriers.ubi.settings import Settings
from parcelgate.carriers.ubi.wire import (
    EventAnswer,
    ExtendData,
    FoundOrder,
    LabelAnswer,
    LabelRequest,
    OrderAnswer,
    TrackAnswer,
    WireItem,
    WireOrder,
    read_each,
)
from parcelgate.domain.addresses import Address, state_name
from parcelgate.domain.measures import LengthUnit, Money, Weight, WeightUnit
from parcelgate.domain.orders import Customs, Item, Order, Parcel
from parcelgate.domain.problems import Notice
from parcelgate.domain.trackings import TrackingEvent

WAREHOUSE_NUMBER_LENGTH = 50
"""The carrier cuts a longer one (given table); so do we, and say so."""

_VERBATIM = frozenset(
    {"reference", "secondary_reference", "tracking_number", "email", "country", "origin_country", "type"}
)
"""Identifiers and words of a list: they go out as they came, or are refused."""

# Format and control characters, and what the pictures on a phone's keyboard are made of.
_PICTURE = re.compile(
    "["
    "\U0001f000-\U0001faff\U000e0000-\U000e007f\u2600-\u27bf\u2b00-\u2bff\u2300-\u23ff"
    "\u200d\ufe0e\ufe0f\u20e3\u3030\u303d\u3297\u3299"
    "]"
)


# To eTower.


class Prepared(msgspec.Struct, frozen=True):
    """An order as it can be written for eTower, and what had to be changed for that."""

    order: Order
    warnings: tuple[Notice, ...]


def unprintable(character: str) -> bool:
    """Whether eTower gets a space in this character's place: control characters and emoji."""
    category = unicodedata.category(character)
    return category[0] == "C" or category in {"Zl", "Zp"} or _PICTURE.match(character) is not None


def prepared(order: Order, settings: Settings) -> Prepared:
    """The order with the account's addresses filled in and every text made printable."""
    tidy = _Tidy()
    ship_from = order.ship_from or settings.ship_from
    return_to = order.return_to or settings.return_to
    parcels = tuple(
        tidy.texts(
            msgspec.structs.replace(
                parcel,
                items=tuple(
                    tidy.item(item, f"/parcels/{place}/items/{number}")
                    for number, item in enumerate(parcel.items)
                ),
            ),
            f"/parcels/{place}",
        )
        for place, parcel in enumerate(order.parcels)
    )
    after = msgspec.structs.replace(
        order,
        ship_to=tidy.texts(order.ship_to, "/ship_to"),
        ship_from=ship_from and tidy.texts(ship_from, "/ship_from"),
        return_to=return_to and tidy.texts(return_to, "/return_to"),
        customs=order.customs and tidy.texts(order.customs, "/customs"),
        options=tidy.texts(order.options, "/options"),
        parcels=parcels,
    )
    return Prepared(after, tuple(tidy.warnings))


class _Tidy:
    """Makes texts printable and remembers where that changed anything."""

    def __init__(self) -> None:
        self.warnings: list[Notice] = []

    def texts[T: (Address, Customs, Parcel, Item, Any)](self, struct: T, pointer: str) -> T:
        changes = {}
        for name in struct.__struct_fields__:
            value = getattr(struct, name)
            if isinstance(value, str) and name not in _VERBATIM:
                changes[name] = self._text(value, f"{pointer}/{name}")
        return msgspec.structs.replace(struct, **changes)

    def item(self, item: Item, pointer: str) -> Item:
        item = self.texts(item, pointer)
        number = item.warehouse_number
        if number is None or len(number) <= WAREHOUSE_NUMBER_LENGTH:
            return item
        self._warn(f"{pointer}/warehouse_number", "cut", f"Cut to {WAREHOUSE_NUMBER_LENGTH} characters.")
        return msgspec.structs.replace(item, warehouse_number=number[:WAREHOUSE_NUMBER_LENGTH])

    def _text(self, value: str, pointer: str) -> str:
        text = unicodedata.normalize("NFC", value).strip(" ")
        if not any(unprintable(character) for character in text):
            return text
        self._warn(pointer, "characters_replaced", "Control characters and emoji were replaced by spaces.")
        spaced = "".join(" " if unprintable(character) else character for character in text)
        return re.sub(" {2,}", " ", spaced).strip()

    def _warn(self, pointer: str, code: str, message: str) -> None:
        self.warnings.append(Notice(pointer, code, message))


class Sourced[T](NamedTuple):
    """A value for the wire, and the pointer to where it stands (or is missing) in our body."""

    value: T | None
    pointer: str


def description(order: Order, place: int | None = None) -> Sourced[str]:
    """The description of the order, or of the piece at `place`.

    The order's own is the customs declaration's, else its first item's; a piece's is the parcel's own,
    else its first item's. What one lacks it takes from the other.
    """
    return _described(order, place, "description")


def native_description(order: Order, place: int | None = None) -> Sourced[str]:
    """The same for the description in the sender's language."""
    return _described(order, place, "native_description")


def _described(order: Order, place: int | None, field: str) -> Sourced[str]:
    customs = Sourced(getattr(order.customs, field, None), f"/customs/{field}")
    places = range(len(order.parcels)) if place is None else [place]
    own = [Sourced(getattr(order.parcels[n], field), f"/parcels/{n}/{field}") for n in places]
    goods = [
        Sourced(getattr(item, field), f"/parcels/{n}/items/{m}/{field}")
        for n in places
        for m, item in enumerate(order.parcels[n].items[:1])
    ]
    if place is not None:
        candidates = [*own, *goods, customs]
    elif len(order.parcels) > 1:
        candidates = [customs, *goods, *own]
    elif field == "description" and goods and goods[0].value == customs.value:
        # The contract's default (the first item's), not the client's own word.
        candidates = [*own, customs]
    else:
        candidates = [customs, *own, *goods]
    return next((candidate for candidate in candidates if candidate.value), customs)


def parcel_value(order: Order, place: int) -> Sourced[Money]:
    """What a parcel is worth: the sum of its items; without items, its declared value."""
    parcel = order.parcels[place]
    if parcel.items:
        return Sourced(_sum(item.unit_value for item in _each(parcel.items)), f"/parcels/{place}/items")
    return Sourced(parcel.declared_value, f"/parcels/{place}/declared_value")


def order_value(order: Order) -> Sourced[Money]:
    """What the whole order is worth: the customs value, else the sum of its parcels."""
    parts = [parcel_value(order, place) for place in range(len(order.parcels))]
    lacking = next((part for part in parts if part.value is None), None)
    pointer = parts[0].pointer if len(parts) == 1 else "/parcels"
    total = Sourced(_sum(part.value for part in parts if part.value), pointer)
    given = order.customs.value if order.customs is not None else None
    if given is None or given == total.value:
        return lacking or total
    return Sourced(given, "/customs/value")


def _each(items: Iterable[Item]) -> Iterable[Item]:
    return (
        msgspec.structs.replace(
            item, unit_value=Money(item.unit_value.amount * item.quantity, item.unit_value.currency)
        )
        for item in items
    )


def _sum(amounts: Iterable[Money]) -> Money | None:
    """The sum under the first one's currency; `rules` refuses a mixture."""
    total: Money | None = None
    for amount in amounts:
        total = amount if total is None else Money(total.amount + amount.amount, total.currency)
    return total


def wire_order(order: Order, settings: Settings, *, update: bool = False) -> WireOrder:
    """The body for an order that was `prepared`. Total: what is missing is left out, `rules` says so.

    One parcel goes out as a plain order. Several are `pieces` under a master, which carries the order's
    reference, all items and the sums, or repeats the first piece where the account wants it so. An
    update names the order and its pieces by the carrier's numbers.
    """
    shared = _shared(order)
    if len(order.parcels) == 1:
        parcel = order.parcels[0]
        return WireOrder(
            **shared,
            **_parcel(order, 0, update=update),
            order_id=order.carrier_order_number if update else None,
            reference_no=order.reference,
            description=description(order).value,
            native_description=native_description(order).value,
            **_valued(order_value(order).value),
            order_items=_items(parcel.items),
        )
    pieces = tuple(
        WireOrder(
            **shared,
            **_parcel(order, place, update=update),
            order_id=parcel.carrier_parcel_number if update else None,
            reference_no=parcel.reference,
            description=description(order, place).value,
            native_description=native_description(order, place).value,
            **_valued(parcel_value(order, place).value),
            order_items=_items(parcel.items),
        )
        for place, parcel in enumerate(order.parcels)
    )
    master_number = order.carrier_order_number if update else None
    if settings.master_repeats_first_piece:
        repeated = {"order_id": master_number, "reference_no": order.reference, "pieces": pieces}
        return pieces[0].model_copy(update=repeated)
    volumes = [parcel.volume for parcel in order.parcels]
    return WireOrder(
        **shared,
        **_weighed(_total_weight(order.parcels)),
        order_id=master_number,
        reference_no=order.reference,
        description=description(order).value,
        native_description=native_description(order).value,
        volume=sum((volume for volume in volumes if volume), Decimal(0)) if all(volumes) else None,
        **_valued(order_value(order).value),
        order_items=_items(item for parcel in order.parcels for item in parcel.items),
        pieces=pieces,
    )


def _shared(order: Order) -> dict[str, Any]:
    """What an order and each of its pieces say alike: service, options, customs and addresses."""
    options, customs, ship_to = order.options, order.customs or Customs(), order.ship_to
    ship_from, return_to = order.ship_from, order.return_to
    battery = customs.battery
    return {
        "service_code": order.service,
        "incoterm": customs.incoterm,
        "pick_up": "Y" if options.pick_up else None,
        "authority_to_leave": options.authority_to_leave or None,
        "locker_service": options.locker or None,
        "battery_type": battery and battery.type,
        "battery_packing": battery and battery.packing,
        "dangerous_goods": customs.dangerous_goods or None,
        "service_option": options.service_option or None,
        "instruction": options.instruction or None,
        "facility": options.facility or None,
        "platform": options.platform or None,
        "recipient_name": ship_to.name or None,
        "recipient_tax_id": ship_to.tax_id or None,
        "recipient_company": ship_to.company or None,
        "phone": ship_to.phone or None,
        "email": ship_to.email or None,
        "address_line1": ship_to.line1 or None,
        "address_line2": ship_to.line2 or None,
        "address_line3": ship_to.line3 or None,
        "city": ship_to.city or None,
        "state": _state(ship_to),
        "postcode": ship_to.postcode or None,
        "country": ship_to.country or None,
        **_sender(ship_from),
        "return_option": options.return_option or None,
        **_returns(return_to),
        "vendorid": customs.vendor_id or None,
        "gstexemptioncode": customs.gst_exemption_code or None,
        "abnnumber": customs.abn or None,
        "sender_tax_id": sender_tax_id(order).value,
        "extend_data": ExtendData(inject_port=customs.inject_port) if customs.inject_port else None,
    }


def sender_tax_id(order: Order) -> Sourced[str]:
    """The customs declaration's, else the sender's own."""
    if order.customs is not None and order.customs.sender_tax_id:
        return Sourced(order.customs.sender_tax_id, "/customs/sender_tax_id")
    if order.ship_from is not None and order.ship_from.tax_id:
        return Sourced(order.ship_from.tax_id, "/ship_from/tax_id")
    return Sourced(None, "/customs/sender_tax_id")


def _state(address: Address) -> str | None:
    """The state's name where a code was given: the samples have names (VICTORIA, Ontario)."""
    if not address.state:
        return None
    name = state_name(address.country, address.state)
    given = address.state.strip()
    return given if name is None or name.casefold() == given.casefold() else name


def _sender(address: Address | None) -> dict[str, Any]:
    if address is None:
        return {}
    return {
        "shipper_name": address.name or None,
        "shipper_phone": address.phone or None,
        "shipper_address_line1": address.line1 or None,
        "shipper_address_line2": address.line2 or None,
        "shipper_address_line3": address.line3 or None,
        "shipper_city": address.city or None,
        "shipper_state": address.state or None,
        "shipper_postcode": address.postcode or None,
        "shipper_country": address.country or None,
    }


def _returns(address: Address | None) -> dict[str, Any]:
    if address is None:
        return {}
    return {
        "return_name": address.name or None,
        "return_address_line1": address.line1 or None,
        "return_address_line2": address.line2 or None,
        "return_address_line3": address.line3 or None,
        "return_city": address.city or None,
        "return_state": address.state or None,
        "return_postcode": address.postcode or None,
        "return_country": address.country or None,
    }


def _parcel(order: Order, place: int, *, update: bool) -> dict[str, Any]:
    """What belongs to one parcel alone. An update leaves the tracking number to the carrier."""
    parcel = order.parcels[place]
    return {
        **_weighed(parcel.weight),
        **_measured(parcel),
        "reference_no1": parcel.secondary_reference or None,
        "tracking_no": None if update else parcel.tracking_number,
        "volume": parcel.volume,
        "sku": parcel.sku_on_label or None,
    }


def _weighed(weight: Weight) -> dict[str, Any]:
    """Weight in the unit it came in; ounces, which eTower has not, as pounds."""
    unit = WeightUnit.LB if weight.unit is WeightUnit.OZ else weight.unit
    # Divided by 16, not by way of grams: an ounce is 0.0625 lb to the last digit.
    value = weight.value / 16 if weight.unit is WeightUnit.OZ else weight.value
    return {"weight": value, "weight_unit": unit.value.upper()}


def _total_weight(parcels: Sequence[Parcel]) -> Weight:
    units = {parcel.weight.unit for parcel in parcels}
    unit = parcels[0].weight.unit if len(units) == 1 else WeightUnit.KG
    return Weight(sum((parcel.weight.to(unit) for parcel in parcels), Decimal(0)), unit)


def _measured(parcel: Parcel) -> dict[str, Any]:
    """Dimensions in metres if they came so, else in centimetres: eTower has no other."""
    if parcel.dimensions is None:
        return {}
    unit = LengthUnit.M if parcel.dimensions.unit is LengthUnit.M else LengthUnit.CM
    length, width, height = parcel.dimensions.to(unit)
    return {"length": length, "width": width, "height": height, "dimension_unit": unit.value.upper()}


def _valued(value: Money | None) -> dict[str, Any]:
    if value is None:
        return {}
    return {"invoice_value": value.amount, "invoice_currency": value.currency}


def _items(items: Iterable[Item]) -> tuple[WireItem, ...] | None:
    goods = tuple(
        WireItem(
            item_no=item.number or None,
            sku=item.sku or None,
            description=item.description or None,
            native_description=item.native_description or None,
            hs_code=item.hs_code or None,
            origin_country=item.origin_country or None,
            item_count=item.quantity,
            unit_value=item.unit_value.amount,
            warehouse_no=item.warehouse_number or None,
            product_url=item.url or None,
            weight=item.weight.to(WeightUnit.KG) if item.weight else None,
        )
        for item in items
    )
    return goods or None


def label_request(order: Order, numbers: Sequence[str]) -> LabelRequest:
    """The body that asks for one label for each of the numbers, not merged.

    The resolution is always named: the vendor's own pages disagree about the default.
    """
    return LabelRequest(
        order_ids=tuple(numbers),
        label_type=LABEL_TYPES.get(order.label.size, 0),
        label_format=order.label.format.upper(),
        dpi=order.label.dpi or 300,
    )


# From eTower.


def notices(order: Order, answer: OrderAnswer) -> tuple[Notice, ...]:
    """The carrier's warnings, of the order and of its pieces, with pointers to the parcels."""
    places = {parcel.reference: place for place, parcel in enumerate(order.parcels)}
    found = [Notice("", w.code or "", w.message or "", source="carrier") for w in answer.warnings]
    for piece in answer.pieces_result:
        place = places.get(piece.reference_no or "")
        pointer = "" if place is None else f"/parcels/{place}"
        found += [Notice(pointer, w.code or "", w.message or "", source="carrier") for w in piece.warnings]
    return tuple(found)


def details(answer: OrderAnswer) -> dict[str, Any]:
    """What else the carrier answered, by its own names; nothing that is empty."""
    kept: dict[str, Any] = {}
    if answer.connote_id:
        kept["connoteId"] = answer.connote_id
    if extra := {name: value for name, value in answer.extra_property.items() if value is not None}:
        kept["extraProperty"] = extra
    pieces = [
        {"referenceNo": piece.reference_no, **found}
        for piece in answer.pieces_result
        if (found := details(piece))
    ]
    if pieces:
        kept["piecesResult"] = pieces
    return kept


def result(order: Order, answer: OrderAnswer) -> Confirmed | Pending | Mismatch:
    """What an answer without errors makes of an order.

    Every parcel is matched by its `referenceNo` (a parcel alone by the order's), never by position.
    Mismatch when the pieces are not the order's; Pending while a number is missing.
    """
    if answer.order_id is None:
        return Pending(reason="no order number yet")
    if len(order.parcels) == 1:
        if answer.pieces_result and [p.reference_no for p in answer.pieces_result] != [order.reference]:
            found = len(answer.pieces_result)
            return Mismatch(detail=f"{found} pieces for one parcel", carrier_order_number=answer.order_id)
        numbers: list[tuple[str | None, str | None]] = [(answer.tracking_no, answer.order_id)]
        masters: tuple[str, ...] = ()
    else:
        expected = Counter(parcel.reference for parcel in order.parcels)
        if Counter(piece.reference_no for piece in answer.pieces_result) != expected:
            found = len(answer.pieces_result)
            text = f"{found} pieces in the answer, {len(order.parcels)} parcels in the order, or not the same"
            return Mismatch(detail=text, carrier_order_number=answer.order_id)
        pieces = {piece.reference_no: piece for piece in answer.pieces_result}
        ours = [pieces[parcel.reference] for parcel in order.parcels]
        numbers = [(piece.tracking_no, piece.order_id) for piece in ours]
        masters = (answer.tracking_no,) if answer.tracking_no else ()
    if not all(tracking for tracking, _ in numbers):
        return Pending(reason="no tracking number yet", carrier_order_number=answer.order_id)
    return Confirmed(
        carrier_order_number=answer.order_id,
        parcels=tuple(
            ParcelResult(
                reference=parcel.reference,
                tracking_number=tracking,
                master_tracking_number=masters[0] if masters else None,
                carrier_parcel_number=number,
            )
            for parcel, (tracking, number) in zip(order.parcels, numbers, strict=True)
        ),
        master_tracking_numbers=masters,
        warnings=notices(order, answer),
        details=details(answer),
    )


def found_order(entry: Any) -> Any:
    """The order inside an entry of `queryorders`, wherever clients have seen it: `order`, `data.order`."""
    if not isinstance(entry, Mapping):
        return entry
    inner = entry.get("order")
    if inner is None and isinstance(entry.get("data"), Mapping):
        inner = entry["data"].get("order")
    if not isinstance(inner, Mapping):
        return entry
    outer = {name: entry[name] for name in ("orderId", "referenceNo", "trackingNo", "piecesResult")
             if entry.get(name) is not None}  # fmt: skip
    return {**outer, **inner}


def result_of_found(order: Order, found: FoundOrder) -> OrderResult:
    """What an order that was found under our reference makes of ours: only our own is adopted."""
    if not is_ours(order, found):
        return Mismatch(
            detail="another order stands under this reference", carrier_order_number=found.order_id
        )
    answer = OrderAnswer.model_validate(
        {
            "orderId": found.order_id,
            "trackingNo": found.tracking_no,
            "connoteId": found.connote_id,
            "piecesResult": found.pieces or found.pieces_result,
            "extraProperty": found.extra_property,
        }
    )
    return result(order, answer)


def is_ours(order: Order, found: FoundOrder) -> bool:
    """Whether service and address of a found order are those of ours (assumed to be enough).

    Compared by letters and digits alone, as the carrier removes special characters; a field that the
    carrier does not tell is passed over, save the service and the first line.
    """
    if found.service_code is None or found.address_line1 is None:
        return False
    address = order.ship_to
    pairs = (
        (found.service_code, order.service),
        (found.recipient_name, address.name),
        (found.address_line1, address.line1),
        (found.city, address.city),
        (found.postcode, address.postcode),
        (found.country, address.country),
    )
    return all(told is None or bare(told) == bare(ours or "") for told, ours in pairs)


def label_files(order: Order, numbers: Sequence[str], answers: Sequence[LabelAnswer]) -> list[LabelFile]:
    """The labels that can be read, in parcel order; matched by order, tracking or reference number."""
    by_number: dict[str, LabelAnswer] = {}
    for answer in answers:
        for number in (answer.order_id, answer.tracking_no, answer.reference_no):
            if number is not None:
                by_number.setdefault(number, answer)
    files = []
    for parcel, number in zip(order.parcels, numbers, strict=True):
        found = by_number.get(number) or by_number.get(parcel.tracking_number or "")
        file = None if found is None else label_file(parcel.reference, _content(found))
        if file is not None and file.format in LABEL_FORMATS:
            files.append(file)
    return files


def _content(answer: LabelAnswer) -> bytes | None:
    contents = [content for content in answer.label_contents if content]
    return from_base64(answer.label_content or (contents[0] if len(contents) == 1 else None))


def histories(
    asked: Sequence[str], answers: Sequence[TrackAnswer], settings: Settings
) -> list[ParcelHistory]:
    """The journey of every number asked about, oldest event first; what cannot be read is left out."""
    events: dict[str, list[TrackingEvent]] = {number: [] for number in asked}
    for answer in answers:
        for told in read_each(EventAnswer, answer.events):
            numbers = (told.tracking_no, told.reference_tracking_no, answer.tracking_no)
            number = next((number for number in numbers if number in events), None)
            found = event(told, settings)
            if number is not None and found is not None:
                events[number].append(found)
    return [
        ParcelHistory(tracking_number=number, events=tuple(sorted(found, key=lambda event: event.at)))
        for number, found in events.items()
    ]


def event(answer: EventAnswer, settings: Settings) -> TrackingEvent | None:
    """One event, its time read in its own zone; None when it has no readable time or code."""
    moment = read_time(answer.event_time)
    if moment is None or answer.event_code is None:
        return None
    local = False
    if moment.tzinfo is None:
        zone = read_zone(answer.time_zone)
        local = zone is None
        moment = moment.replace(tzinfo=zone or ZoneInfo(settings.default_time_zone))
    offset = moment.utcoffset()
    status, sub_status = EVENTS.get(answer.event_code.upper(), (None, None))
    return TrackingEvent(
        at=moment.astimezone(UTC),
        code=answer.event_code,
        description=answer.activity or "",
        status=status,
        sub_status=sub_status,
        utc_offset=None if local or offset is None else offset_text(offset),
        at_is_local=local,
        country=answer.country,
        place=answer.location,
    )
