"""LME's bodies, by its own names. What we send is checked strictly; what we read is read tolerantly.

Requests are public (the vendor's SDK and pages); those of `update`, `validate_address` and `label` are
assumed. Decimals are sent as JSON numbers and absent fields are left out, as in the SDK.
"""

from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import msgspec
from pydantic import BeforeValidator, Field, StringConstraints

from parcelgate.carriers.toolkit.bodies import UnreadableError, an_object, decoded, text
from parcelgate.carriers.toolkit.models import Read, Required, Sent, Text, WholeText
from parcelgate.domain.trackings import secure_address

LONGEST_SIDE_METRES = 2
"""The longest length, width or height of a parcel, in metres (public: createOrder's page)."""

# What we send.

Metres = Annotated[Decimal, Field(strict=True, gt=0, le=LONGEST_SIDE_METRES, decimal_places=3)]
Kilograms = Annotated[Decimal, Field(strict=True, gt=0, decimal_places=3)]
Time = Annotated[str, StringConstraints(strict=True, pattern=r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$")]
Country = Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Z]{2}$")]


class Contact(Sent):
    """`poster` or `receiver`, with country and province by their full names and the country's code."""

    contact: Required
    mobile: Required
    company: Required | None = None
    email: Required | None = None
    zone_code: Country
    country: Required
    province: Required | None = None
    city: Required
    address: Required
    post_code: Required | None = None


class OrderCreate(Sent):
    """An order of one parcel: metres and kilograms."""

    out_order_no: Required
    channel: Required
    order_no: Required | None = None
    pre_time_start: Time
    pre_time_end: Time
    cargo_desc: Required | None = None
    remark: Required | None = None
    total_length: Metres | None = None
    total_width: Metres | None = None
    total_height: Metres | None = None
    total_weight: Kilograms
    poster: Contact
    receiver: Contact


class OrderQuery(Sent):
    """The order that a call is about, by either number."""

    out_order_no: Required | None = None
    channel: Required | None = None
    order_no: Required | None = None


class ReturnQuery(Sent):
    """The order to be sent back, by both numbers (public: the vendor's SDK)."""

    order_no: Required
    out_order_no: Required


class AddressQuery(Sent):
    """An address to be checked (assumed)."""

    country: Required
    province: Required | None = None
    city: Required
    post_code: Required | None = None
    address: Required


# What we read.


def _code(value: Any) -> str | None:
    """A code, which may be a number: 0, 0.0 and "0" are the same."""
    word = text(value)
    if word is None:
        return None
    try:
        number = Decimal(word)
    except InvalidOperation:
        return word
    whole = number.is_finite() and number.adjusted() < 12 and number == number.to_integral_value()
    return str(int(number)) if whole else word


def _flag(value: Any) -> bool | None:
    match value:
        case bool():
            return value
        case str() | int():
            return {"true": True, "1": True, "false": False, "0": False}.get(str(value).strip().casefold())
    return None


def _first_address(value: Any) -> str | None:
    """A web address with https. It may come alone, among several in one text, or in a list."""
    if isinstance(value, list):
        value = next((item for item in value if text(item)), None)
    word = text(value)
    return None if word is None else secure_address(word.split(",")[0].strip())


Code = Annotated[str | None, BeforeValidator(_code)]
Flag = Annotated[bool | None, BeforeValidator(_flag)]
Link = Annotated[str | None, BeforeValidator(_first_address)]


class Party(Read):
    """A poster or receiver as a found order has it."""

    contact: Text = None
    address: Text = None
    city: Text = None
    post_code: Text = None


class OrderData(Read):
    """An order in the answers of create, detail and update."""

    order_no: Text = None
    out_order_no: Text = None
    order_stage: Code = None
    receiver: Annotated[Party, BeforeValidator(an_object)] = Party()


class CancelData(Read):
    """The answer to a cancel."""

    order_no: Text = None
    is_true: Flag = None


class AddressData(Read):
    """The answer to an address check (assumed)."""

    is_valid: Flag = None
    message: Text = None
    suggest: Annotated[dict[str, Any], BeforeValidator(an_object)] = Field(default_factory=dict)


class Suggestion(Read):
    """The address that LME prefers (assumed)."""

    country: Text = None
    province: Text = None
    city: Text = None
    post_code: Text = None
    address: Text = None


class LabelData(Read):
    """The label, in the answer itself or at an address (assumed)."""

    order_no: Text = None
    label_type: Text = None
    label_data: WholeText = None
    label_url: WholeText = None


class RouteEvent(Read):
    """One event of a push or a route, version 1 or 2; see `mapping` for which name wins."""

    channel: Text = None
    order_no: Text = None
    out_order_no: Text = None
    event_code: Text = None
    action: Text = None
    event_time: Text = None
    operator_time: Text = None
    utc_operator_time: Text = None
    update_time: Text = None
    updated_time: Text = None
    time_zone: Text = None
    event: Text = None
    routing_description: Text = None
    image_url: Link = None
    image_urls: Link = None
    shipping_address_image_url: Link = None
    order_location: Text = None
    occur_location: Text = None
    event_zip_code: Text = None
    event_city: Text = None
    event_state: Text = None
    event_country: Text = None
    track_no: Text = None


class Answer(msgspec.Struct, frozen=True):
    """The envelope of every answer; its `data` is decrypted if the code is a success."""

    code: str
    message: str
    data: Any = None


class _Envelope(Read):
    code: Code = None
    message: Text = None
    msg: Text = None
    data: Any = None


def read_envelope(content: bytes) -> Answer | None:
    """Return the answer in `content`, its `data` as it came; None if it is not JSON or has no code."""
    try:
        document = decoded(content)
    except UnreadableError:
        return None
    if not isinstance(document, dict):
        return None
    envelope = _Envelope.model_validate(document)
    if envelope.code is None:
        return None
    return Answer(envelope.code, envelope.message or envelope.msg or "", envelope.data)


def objects(data: Any, *names: str) -> list[dict[str, Any]] | None:
    """Return the objects of a list that comes alone or under one of `names`; None when there is no list."""
    if isinstance(data, dict):
        data = next((data[name] for name in names if isinstance(data.get(name), list)), None)
    if not isinstance(data, list):
        return None
    return [item for item in data if isinstance(item, dict)]
