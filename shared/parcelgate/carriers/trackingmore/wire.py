"""TrackingMore's bodies, by its own names. What we send is checked strictly; what we read is read tolerantly.

Requests to create are documented (trackingmore-v2-trackings), the others are public (the vendor's pages). The
answer to creating several is documented, the others are public. Items of v4, which renames many fields, are
read too.
"""

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
from pydantic import AliasChoices, BeforeValidator, ConfigDict, Field, StringConstraints

from parcelgate.carriers.toolkit.bodies import UnreadableError, an_object, decoded_as, text
from parcelgate.carriers.toolkit.models import Read, Required, Sent, Text

MAX_PARCELS = 40
"""The largest number of parcels in one call (public; the text of code 4020 says 200)."""

# What we send.

_CountryCode = Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Za-z]{2}$")]


class _Ours(Sent):
    model_config = ConfigDict(alias_generator=None)


class Pair(_Ours):
    """The parcel that a call is about."""

    tracking_number: Required
    carrier_code: Required


class Details(_Ours):
    """The values that TrackingMore stores with a parcel. `comment` is documented for a new parcel alone."""

    destination_code: _CountryCode | None = None
    title: Required | None = None
    logistics_channel: Required | None = None
    customer_name: Required | None = None
    customer_email: Required | None = None
    customer_phone: Required | None = None
    order_id: Required | None = None
    comment: Required | None = None


class NewTracking(Details, Pair):
    """A parcel to be followed. `auto_correct` 1 means that the courier is **not** corrected."""

    order_create_time: Required | None = None
    tracking_ship_date: Annotated[str, StringConstraints(strict=True, pattern=r"^\d{8}$")] | None = None
    tracking_postal_code: Required | None = None
    tracking_account_number: Required | None = None
    special_destination: Required | None = Field(None, serialization_alias="specialNumberDestination")
    lang: Required | None = None
    auto_correct: Literal[1] | None = None


class Changes(Details):
    """The changes of a parcel."""

    archived: Literal["true", "false"] | None = None


class ChangedTracking(Changes, Pair):
    """The changes, with the parcel that they are about."""


class CourierChange(Pair):
    """A parcel, and the courier that really carries it."""

    update_carrier_code: Required


class RouteQuestion(_Ours):
    """A route: two countries and a courier."""

    original: _CountryCode
    destination: _CountryCode
    carrier_code: Required


class AreaQuestion(_Ours):
    """A place that may be remote."""

    country: Required
    postcode: Required
    company: Required | None = None


_AirWaybill = Annotated[str, StringConstraints(strict=True, pattern=r"^[0-9]{3}[ -]?[0-9]{7,8}$")]


class AirWaybills(_Ours):
    """Numbers of three digits and seven or eight, with a blank or a hyphen between them or not."""

    track_number: tuple[_AirWaybill, ...]


class NumberQuestion(_Ours):
    """A number whose courier is not known."""

    tracking_number: Required


# What we read.


def _list(value: Any) -> list[Any]:
    """Return the entries of a list, or of an object, because PHP writes a list with gaps as an object."""
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def number(value: Any) -> int | None:
    """Return a whole number, also when it came as text; None for anything else."""
    word = text(value)
    return int(word) if word is not None and word.isascii() and word.isdecimal() and len(word) < 16 else None


class _Theirs(Read):
    model_config = ConfigDict(alias_generator=None)


def _named(*names: str) -> Any:
    return Field(None, validation_alias=AliasChoices(*names))


class Checkpoint(_Theirs):
    """One event of a journey."""

    date: Text = _named("Date", "checkpoint_date")
    description: Text = _named("StatusDescription", "tracking_detail")
    details: Text = _named("Details", "location")
    status: Text = _named("checkpoint_status", "checkpoint_delivery_status")
    sub_status: Text = _named("substatus", "checkpoint_delivery_substatus")


class Leg(_Theirs):
    """The journey as the courier of one country knows it; the entries of `trackinfo` are read one by one."""

    carrier_code: Text = _named("carrier_code", "courier_code")
    destination_number: Text = _named("destination_track_number")
    exchange_number: Text = _named("exchangeNumber", "exchange_number")
    trackinfo: Annotated[list[Any], BeforeValidator(_list)] = Field(default_factory=list)


class Item(_Theirs):
    """A parcel in an answer or in a webhook, or what is wrong with one (`code`, `message`)."""

    tracking_number: Text = None
    carrier_code: Text = _named("carrier_code", "courier_code")
    code: Text = None
    message: Text = None
    status: Text = _named("status", "delivery_status")
    sub_status: Text = _named("substatus")
    created_at: Text = None
    updated_at: Text = _named("updated_at", "update_date")
    last_event: Text = _named("lastEvent", "latest_event")
    last_update_time: Text = _named("lastUpdateTime", "latest_checkpoint_time")
    signed_by: Text = _named("singed_by", "signed_by")
    destination_number: Text = _named("destination_track_number")
    exchange_number: Text = _named("exchangeNumber", "exchange_number")
    origin_info: Annotated[Leg, BeforeValidator(an_object)] = Leg()
    destination_info: Annotated[Leg, BeforeValidator(an_object)] = Leg()


class Page(_Theirs):
    """What an answer with a page of parcels says of the whole."""

    limit: Annotated[int | None, BeforeValidator(number)] = None
    total: Annotated[int | None, BeforeValidator(number)] = None


class Range(_Theirs):
    """How long parcels take on a route; the ranges are in `model_extra`."""

    original: Text = None
    destination: Text = None
    carrier_code: Text = None
    total: Annotated[int | None, BeforeValidator(number)] = None
    delivered: Annotated[int | None, BeforeValidator(number)] = None


def _link(value: Any) -> str | None:
    """A web address that may be shown as a link; it may come without its scheme (assumed)."""
    word = text(value) or ""
    try:
        parts = urlsplit(word)
        is_one = parts.scheme in ("http", "https", "") and bool(parts.hostname)
    except ValueError:
        return None
    return word if is_one and not any(mark.isspace() for mark in word) else None


Link = Annotated[str | None, BeforeValidator(_link)]


class CourierEntry(_Theirs):
    """A courier whose parcels can be followed."""

    code: Text = _named("code", "courier_code")
    name: Text = _named("name", "courier_name")
    type: Text = None
    phone: Text = None
    homepage: Link = None
    picture: Link = None


class Answer(msgspec.Struct, frozen=True):
    """The outside of every answer: `meta`, and `data` as it came."""

    code: str
    message: str
    data: Any = None


class _Meta(msgspec.Struct):
    code: int | str | None = None
    message: Any = None


class _Outside(msgspec.Struct):
    meta: _Meta
    data: Any = None


class _MetaAlone(msgspec.Struct):
    meta: _Meta


def read_answer(content: bytes) -> Answer:
    """An answer of TrackingMore's. Raises UnreadableError for everything else, half of one included."""
    outside = decoded_as(_Outside, content)
    return Answer(_code(outside.meta), text(outside.meta.message) or "", outside.data)


def read_code(content: bytes) -> str | None:
    """The code of an answer, which alone says how it went; None when the answer cannot be read."""
    try:
        return _code(decoded_as(_MetaAlone, content).meta)
    except UnreadableError:
        return None


def _code(meta: _Meta) -> str:
    if (code := text(meta.code)) is None:
        raise UnreadableError("an answer without a code")
    if not (code.isascii() and code.isdecimal()):
        raise UnreadableError("an answer whose code is no number")
    return code


def objects(data: Any, *names: str) -> list[dict[str, Any]]:
    """The objects of a list that comes bare or under one of `names`; an object under none is one itself."""
    if isinstance(data, dict):
        listed = next((data[name] for name in names if name in data), None)
        data = [data] if listed is None else _list(listed)
    return [entry for entry in data if isinstance(entry, dict)] if isinstance(data, list) else []


def items(data: Any, *names: str) -> list[Item]:
    """The same, read as parcels; those without a number are left out."""
    read = [Item.model_validate(entry) for entry in objects(data, *names)]
    return [item for item in read if item.tracking_number]
