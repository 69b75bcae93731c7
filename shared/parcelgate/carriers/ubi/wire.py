"""The bodies of eTower's calls and replies, by eTower's own names.

What is sent has one row per field of the given table (ubi-create-order): `mapping` fills the rows in, and
`validation` checks the body against them. What is read is read tolerantly: a null is an empty list, an
error may be a list, an object or a bare string, and each entry of a list is read by itself, so that a
wrong one does not hide the others.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any

import msgspec
from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from parcelgate.carriers.toolkit.bodies import UnreadableError, an_object, decoded, encoded
from parcelgate.carriers.toolkit.fields import NO_BATTERY
from parcelgate.carriers.toolkit.models import Read, Sent, Text, WholeText

MAX_ORDERS = 300
"""Orders in one create (public)."""
MAX_TRACKED = 30
"""Numbers in one tracking call (public: error 950003)."""
WAREHOUSE_NUMBER_LENGTH = 50
"""The carrier cuts a longer number (given table); so do we, with a warning."""
SMALLEST_VOLUME = Decimal("0.01")
"""The smallest volume, in cubic metres (given table)."""


# Sent.


class Letters(Enum):
    """Which letters a text may have. Punctuation goes out as it is: the carrier removes it itself."""

    ANY = "any"
    ENGLISH_OR_FRENCH = "English and French letters, not digits alone"
    ENGLISH_FRENCH_OR_DIGITS = "English and French letters or digits"


class Row(msgspec.Struct, frozen=True):
    """One row of the given table.

    Parameters
    ----------
    name
        The field on the wire, in the samples' spelling where they and the table differ.
    source
        Where its value stands in our body; `{parcel}` and `{item}` stand for those it belongs to.
    mandatory
        Whether the table says M. The return address is mandatory only once there is one (assumed).
    longest
        Characters at most.
    least, above
        The smallest value a number may have, and the one it must exceed.
    one_of
        The words it may be.
    letters
        Which letters its text may have.
    copied
        Whether our value goes out as it is. Otherwise `mapping.create` makes it.
    """

    name: str
    source: str
    mandatory: bool = False
    longest: int | None = None
    least: Decimal | None = None
    above: Decimal | None = None
    one_of: tuple[str, ...] = ()
    letters: Letters = Letters.ANY
    copied: bool = True


_LATIN = Letters.ENGLISH_OR_FRENCH
_BATTERIES = (NO_BATTERY, "Lithium Ion Polymer", "Lithium Ion Alloy")
_PACKINGS = (NO_BATTERY, "Inside Equipment", "Packaged with Equipment", "Battery Only", "Other")

_TAX_NUMBERS = (
    Row("vendorid", "/customs/vendor_id", longest=12),
    Row("gstexemptioncode", "/customs/gst_exemption_code", longest=4),
    # In the sample, not in the table: there is no limit to hold it to.
    Row("abnnumber", "/customs/abn"),
    Row("senderTaxId", "{sender_tax_id}", longest=255, copied=False),
)
"""At the top of an order in the sample, in `extendData` in the table: they are sent in both."""

SHARED: tuple[Row, ...] = (
    Row("serviceCode", "/service", True, 64),
    Row("incoterm", "/customs/incoterm", longest=3, one_of=("DDU", "DDP")),
    Row("pickUp", "/options/pick_up", longest=1, one_of=("Y", "N"), copied=False),
    Row("authorityToLeave", "/options/authority_to_leave"),
    Row("lockerService", "/options/locker"),
    Row("batteryType", "/customs/battery/type", longest=64, one_of=_BATTERIES),
    Row("batteryPacking", "/customs/battery/packing", longest=64, one_of=_PACKINGS),
    Row("dangerousGoods", "/customs/dangerous_goods"),
    Row("serviceOption", "/options/service_option", longest=60),
    Row("instruction", "/options/instruction", longest=255),
    Row("facility", "/options/facility", longest=20),
    Row("platform", "/options/platform", longest=20),
    Row("recipientName", "/ship_to/name", True, 50, letters=_LATIN),
    Row("recipientTaxId", "/ship_to/tax_id", longest=100),
    Row("recipientCompany", "/ship_to/company", longest=50),
    Row("phone", "/ship_to/phone", longest=20),
    Row("email", "/ship_to/email", longest=50),
    Row("addressLine1", "/ship_to/line1", True, 200, letters=_LATIN),
    Row("addressLine2", "/ship_to/line2", longest=200),
    Row("addressLine3", "/ship_to/line3", longest=80),
    Row("city", "/ship_to/city", True, 80),
    Row("state", "/ship_to/state", True, 80, letters=_LATIN, copied=False),
    Row("postcode", "/ship_to/postcode", longest=16),
    Row("country", "/ship_to/country", True, 2),
    Row("shipperName", "/ship_from/name", True, 50, letters=_LATIN),
    Row("shipperPhone", "/ship_from/phone", longest=20),
    Row("shipperAddressLine1", "/ship_from/line1", longest=200),
    Row("shipperAddressLine2", "/ship_from/line2", longest=200),
    Row("shipperAddressLine3", "/ship_from/line3", longest=80),
    Row("shipperCity", "/ship_from/city", longest=80),
    Row("shipperState", "/ship_from/state", longest=80),
    Row("shipperPostcode", "/ship_from/postcode", longest=16),
    Row("shipperCountry", "/ship_from/country", longest=2),
    Row("returnOption", "/options/return_option", longest=100),
    *_TAX_NUMBERS,
)
"""The fields that an order and each of its pieces share: service, options, customs and addresses."""

RETURN: tuple[Row, ...] = (
    Row("returnName", "/return_to/name", True, 50),
    Row("returnAddressLine1", "/return_to/line1", True, 200),
    Row("returnAddressLine2", "/return_to/line2", longest=200),
    Row("returnAddressLine3", "/return_to/line3", longest=80),
    Row("returnCity", "/return_to/city", True, 80),
    Row("returnState", "/return_to/state", True, 80),
    Row("returnPostcode", "/return_to/postcode", longest=16),
    Row("returnCountry", "/return_to/country", True, 2),
)
"""The return address, all of it or none of it."""

EXTEND: tuple[Row, ...] = (*_TAX_NUMBERS, Row("injectPort", "/customs/inject_port", longest=256))
"""`extendData`."""

PARCEL: tuple[Row, ...] = (
    Row("referenceNo", "{reference}", True, 80, copied=False),
    Row("referenceNo1", "{parcel}/secondary_reference", longest=80),
    Row("trackingNo", "{parcel}/tracking_number", longest=40, copied=False),
    Row("description", "{description}", True, 60, copied=False),
    Row("nativeDescription", "{native_description}", longest=255, copied=False),
    Row("weight", "{parcel}/weight", True, least=Decimal("0.000001"), copied=False),
    Row("weightUnit", "{parcel}/weight", longest=3, one_of=("G", "KG", "LB"), copied=False),
    Row("length", "{parcel}/dimensions/length", above=Decimal(0), copied=False),
    Row("width", "{parcel}/dimensions/width", above=Decimal(0), copied=False),
    Row("height", "{parcel}/dimensions/height", above=Decimal(0), copied=False),
    Row("volume", "{parcel}/volume", least=SMALLEST_VOLUME),
    Row("dimensionUnit", "{parcel}/dimensions", longest=3, one_of=("M", "CM"), copied=False),
    Row("invoiceValue", "{value}", True, least=Decimal("0.01"), copied=False),
    Row("invoiceCurrency", "{value}", True, 3, copied=False),
    Row("sku", "{parcel}/sku_on_label", longest=128),
)
"""The fields that each piece has of its own. The table gives an order and its pieces the same fields."""

ITEM: tuple[Row, ...] = (
    Row("itemNo", "{item}/number", True, 128),
    Row("sku", "{item}/sku", True, 128),
    Row("description", "{item}/description", True, 60, letters=Letters.ENGLISH_FRENCH_OR_DIGITS),
    Row("nativeDescription", "{item}/native_description", longest=255),
    Row("hsCode", "{item}/hs_code", longest=60),
    Row("originCountry", "{item}/origin_country", True, 60),
    Row("itemCount", "{item}/quantity", True, above=Decimal(0)),
    Row("unitValue", "{item}/unit_value", True, above=Decimal(0), copied=False),
    Row("warehouseNo", "{item}/warehouse_number", longest=WAREHOUSE_NUMBER_LENGTH),
    Row("productURL", "{item}/url", longest=512),
    # In kilograms, whatever `weightUnit` says (given table, `itemWeight`).
    Row("weight", "{item}/weight", copied=False),
)
"""One of `orderItems` (the samples' name, not `items`)."""


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


def encode(body: Sent | Mapping[str, Any] | Iterable[Mapping[str, Any] | str]) -> bytes:
    """Return the JSON of a body, decimals as numbers with all their digits."""
    if isinstance(body, Sent):
        body = body.fields()
    return encoded(body if isinstance(body, Mapping) else [*body])


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


class Answer(Read):
    """The fields that every answer, and every entry of one, has."""

    status: Text = None
    errors: Troubles = ()


class Entry(Answer):
    """An entry of `data` that names its order; in a manifest, a hold or a deletion it has nothing else."""

    order_id: Text = None
    reference_no: Text = None
    tracking_no: Text = None


class OrderAnswer(Entry):
    """The result of one order or one piece."""

    warnings: Troubles = ()
    connote_id: Text = None
    pieces_result: Annotated[tuple["OrderAnswer", ...], BeforeValidator(_objects)] = ()
    extra_property: Annotated[dict[str, Any], BeforeValidator(an_object)] = Field(default_factory=dict)


class FoundOrder(OrderAnswer):
    """An order in the answer of `queryorders` (assumed: the fields of the create, and the numbers)."""

    service_code: Text = None
    recipient_name: Text = None
    address_line1: Text = None
    city: Text = None
    postcode: Text = None
    country: Text = None
    pieces: Annotated[tuple[OrderAnswer, ...], BeforeValidator(_objects)] = ()


class LabelAnswer(Entry):
    """One label, in Base64."""

    label_content: WholeText = None
    label_contents: Annotated[tuple[WholeText, ...], BeforeValidator(_list)] = ()


class TrackAnswer(Entry):
    """The journey of one number; its events are read one by one."""

    events: Annotated[tuple[Any, ...], BeforeValidator(_list)] = ()


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


class Envelope(Answer):
    """The envelope of every answer. The entries of `data` are read one by one."""

    warnings: Troubles = ()
    data: Annotated[tuple[Any, ...], BeforeValidator(_list)] = ()


def read_envelope(body: bytes) -> Envelope:
    """Return the envelope of an answer; a list alone (the older calls) counts as its `data`.

    Raises UnreadableError for everything that is not eTower's answer, also for half an answer.
    """
    try:
        content: Any = decoded(body)
        if isinstance(content, list):
            return Envelope.model_validate({"status": "Success", "data": content})
        envelope = Envelope.model_validate(content)
    except ValidationError as error:
        raise UnreadableError(f"not an answer of eTower ({type(error).__name__})") from None
    if envelope.status is None and not envelope.errors:
        raise UnreadableError("an answer without a status")
    return envelope


def read_each[T: BaseModel](model: type[T], entries: Iterable[Any]) -> list[T]:
    """Return the entries that can be read as `model`; the others are left out."""
    read = []
    for entry in entries:
        try:
            read.append(model.model_validate(entry))
        except ValidationError:
            continue
    return read
