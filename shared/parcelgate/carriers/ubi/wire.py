"""What goes over the wire to eTower and back, in eTower's own names.

What is sent has one model per object of the given table. What is read is read tolerantly: a null is an
empty list, an error may be a list, an object or a bare string, and each entry of a list is read by itself,
so that a bad one does not spoil its neighbours.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from parcelgate.carriers.toolkit.bodies import UnreadableError, encoded, mended
from parcelgate.carriers.toolkit.models import Read, Sent, Text, an_object

MAX_ORDERS = 300
"""Orders in one create (public)."""
MAX_TRACKED = 30
"""Numbers in one tracking call (public: error 950003)."""


# Sent.


class WireItem(Sent):
    """One of `orderItems` (given table; the samples' name, not `items`). `weight` is in kilograms."""

    item_no: str | None = None
    sku: str | None = None
    description: str | None = None
    native_description: str | None = None
    hs_code: str | None = None
    origin_country: str | None = None
    item_count: int | None = None
    unit_value: Decimal | None = None
    warehouse_no: str | None = None
    product_url: str | None = Field(default=None, serialization_alias="productURL")
    weight: Decimal | None = None


class ExtendData(Sent):
    """`extendData` as the samples have it."""

    inject_port: str | None = None


class WireOrder(Sent):
    """An order, or one of its `pieces`: the table says that both have the same fields."""

    order_id: str | None = None
    reference_no: str | None = None
    reference_no1: str | None = None
    tracking_no: str | None = None
    service_code: str | None = None
    incoterm: str | None = None
    description: str | None = None
    native_description: str | None = None
    weight: Decimal | None = None
    weight_unit: str | None = None
    length: Decimal | None = None
    width: Decimal | None = None
    height: Decimal | None = None
    volume: Decimal | None = None
    dimension_unit: str | None = None
    invoice_value: Decimal | None = None
    invoice_currency: str | None = None
    pick_up: str | None = None
    authority_to_leave: bool | None = None
    locker_service: bool | None = None
    battery_type: str | None = None
    battery_packing: str | None = None
    dangerous_goods: bool | None = None
    sku: str | None = None
    service_option: str | None = None
    instruction: str | None = None
    facility: str | None = None
    platform: str | None = None
    recipient_name: str | None = None
    recipient_tax_id: str | None = None
    recipient_company: str | None = None
    phone: str | None = None
    email: str | None = None
    address_line1: str | None = None
    address_line2: str | None = None
    address_line3: str | None = None
    city: str | None = None
    state: str | None = None
    postcode: str | None = None
    country: str | None = None
    shipper_name: str | None = None
    shipper_phone: str | None = None
    shipper_address_line1: str | None = None
    shipper_address_line2: str | None = None
    shipper_address_line3: str | None = None
    shipper_city: str | None = None
    shipper_state: str | None = None
    shipper_postcode: str | None = None
    shipper_country: str | None = None
    return_option: str | None = None
    return_name: str | None = None
    return_address_line1: str | None = None
    return_address_line2: str | None = None
    return_address_line3: str | None = None
    return_city: str | None = None
    return_state: str | None = None
    return_postcode: str | None = None
    return_country: str | None = None
    vendorid: str | None = None
    gstexemptioncode: str | None = None
    abnnumber: str | None = None
    sender_tax_id: str | None = None
    extend_data: ExtendData | None = None
    order_items: tuple[WireItem, ...] | None = None
    pieces: tuple["WireOrder", ...] | None = None


class LabelRequest(Sent):
    """The body of a label call (public, "Print Label")."""

    order_ids: tuple[str, ...]
    label_type: int
    label_format: str
    dpi: int
    packinglist: bool = False
    merged: bool = False


class HoldRequest(Sent):
    """The body of a hold; type 1 holds, type 2 (release) is not enabled (public, "Hold")."""

    order_ids: tuple[str, ...]
    hold_type: int = 1


def encode(body: Sent | Iterable[Sent | str]) -> bytes:
    """The JSON of a body, its decimals as numbers digit by digit."""
    if isinstance(body, Sent):
        return encoded(body.fields())
    return encoded([part.fields() if isinstance(part, Sent) else part for part in body])


# Read.


def _list(value: Any) -> Any:
    return [] if value is None else value if isinstance(value, list | tuple) else [value]


def _objects(value: Any) -> Any:
    return [part for part in _list(value) if isinstance(part, dict | BaseModel)]


def _troubles(value: Any) -> Any:
    spelt = [{"message": part} if isinstance(part, str) else part for part in _list(value)]
    return [part for part in spelt if isinstance(part, dict | BaseModel)]


class Trouble(Read):
    """One entry of `errors` or `warnings`."""

    code: Text = None
    message: Text = None


Troubles = Annotated[tuple[Trouble, ...], BeforeValidator(_troubles)]


class OrderAnswer(Read):
    """What became of one order or one piece."""

    status: Text = None
    errors: Troubles = ()
    warnings: Troubles = ()
    order_id: Text = None
    reference_no: Text = None
    tracking_no: Text = None
    connote_id: Text = None
    pieces_result: Annotated[tuple["OrderAnswer", ...], BeforeValidator(_objects)] = ()
    extra_property: Annotated[dict[str, Any], BeforeValidator(an_object)] = Field(default_factory=dict)


class FoundOrder(Read):
    """An order as `queryorders` tells it (assumed: the fields of the create, and the numbers)."""

    status: Text = None
    order_id: Text = None
    reference_no: Text = None
    tracking_no: Text = None
    connote_id: Text = None
    service_code: Text = None
    recipient_name: Text = None
    address_line1: Text = None
    city: Text = None
    postcode: Text = None
    country: Text = None
    pieces: Annotated[tuple[OrderAnswer, ...], BeforeValidator(_objects)] = ()
    pieces_result: Annotated[tuple[OrderAnswer, ...], BeforeValidator(_objects)] = ()
    extra_property: Annotated[dict[str, Any], BeforeValidator(an_object)] = Field(default_factory=dict)


class LabelAnswer(Read):
    """One label, in Base64."""

    status: Text = None
    errors: Troubles = ()
    order_id: Text = None
    reference_no: Text = None
    tracking_no: Text = None
    label_content: Text = None
    label_contents: Annotated[tuple[Text, ...], BeforeValidator(_list)] = ()


class EventAnswer(Read):
    """One event of a journey; `event_time` has no offset, `time_zone` may."""

    tracking_no: Text = None
    reference_tracking_no: Text = None
    event_time: Text = None
    event_code: Text = None
    activity: Text = None
    location: Text = None
    dest_country: Text = None
    country: Text = None
    time_zone: Text = None


class ServiceAnswer(Read):
    """One service of the catalogue."""

    service_code: Text = None
    service_name: Text = None
    native_name: Text = None


class TrackAnswer(Read):
    """The journey of one number; its events are read one by one."""

    status: Text = None
    errors: Troubles = ()
    order_id: Text = None
    reference_no: Text = None
    tracking_no: Text = None
    events: Annotated[tuple[Any, ...], BeforeValidator(_list)] = ()


class ChangeAnswer(Read):
    """What became of one order in a manifest, a hold or a deletion."""

    status: Text = None
    errors: Troubles = ()
    order_id: Text = None
    reference_no: Text = None
    tracking_no: Text = None


class Envelope(Read):
    """The outside of every answer. The entries of `data` are read one by one."""

    status: Text = None
    errors: Troubles = ()
    warnings: Troubles = ()
    data: Annotated[tuple[Any, ...], BeforeValidator(_list)] = ()


def read_envelope(body: bytes) -> Envelope:
    """The outside of an answer; a bare list (the older calls) counts as its `data`.

    Raises UnreadableError for everything that is not eTower's, an answer of half its length included.
    """
    try:
        content: Any = msgspec.json.decode(mended(body))
        if isinstance(content, list):
            return Envelope.model_validate({"status": "Success", "data": content})
        envelope = Envelope.model_validate(content)
    except (msgspec.DecodeError, RecursionError, ValidationError) as error:
        raise UnreadableError(f"not an answer of eTower ({type(error).__name__})") from None
    if envelope.status is None and not envelope.errors:
        raise UnreadableError("an answer without a status")
    return envelope


def read_each[T: BaseModel](model: type[T], entries: Iterable[Any]) -> list[T]:
    """The entries that can be read as `model`; the others are left out."""
    found = []
    for entry in entries:
        try:
            found.append(model.model_validate(entry))
        except ValidationError:
            continue
    return found
