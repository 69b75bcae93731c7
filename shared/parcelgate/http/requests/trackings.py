"""The bodies of requests about trackings. The error codes are those of `requests.orders`.

A list is read entry by entry. A wrong entry does not stop the others, and the pointers of its errors begin
with its position in the list.
"""

import re
from collections.abc import Callable, Hashable
from datetime import UTC, date, datetime
from typing import Annotated, Any, NamedTuple

import msgspec
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)

from parcelgate.carriers.results import Area, Following, Route, Waybill
from parcelgate.domain.problems import FieldError, ProblemError, invalid
from parcelgate.domain.trackings import Customer, Tracking
from parcelgate.http.requests.formats import reading
from parcelgate.http.requests.formats.reading import WrongValueError, is_absent, pointer
from parcelgate.http.requests.orders import (
    Account,
    Country,
    Input,
    Line,
    Metadata,
    Number,
    Phone,
    Postcode,
    Short,
    Text,
    Time,
    checked,
)
from parcelgate.http.routes import MOST_PARCELS
from parcelgate.services.trackings.subscriptions import Change, Subscription

_DOCUMENTED_TIME = re.compile(r"\d{4}/\d{1,2}/\d{1,2} \d{1,2}:\d{2}", re.ASCII)
_AIR_WAYBILL = re.compile(r"\d{3}[ -]?\d{7,8}", re.ASCII)


def _ordered_at(value: object) -> object:
    """Read a time. The form `2017/8/27 16:51` of the aggregator's document has no zone and is read as UTC."""
    if isinstance(value, str) and _DOCUMENTED_TIME.fullmatch(value):
        try:
            return datetime.strptime(value, "%Y/%m/%d %H:%M").replace(tzinfo=UTC).isoformat()
        except ValueError:
            raise WrongValueError(
                "format", "Must be a time that exists, such as 2026-11-21T09:30:00Z."
            ) from None
    return value


Courier = Annotated[
    str,
    Field(
        max_length=50, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]*$", description="The aggregator's courier code."
    ),
    BeforeValidator(reading.lower),
]
Day = Annotated[date, BeforeValidator(reading.day), WithJsonSchema({"type": "string", "format": "date"})]
OrderedAt = Annotated[Time, BeforeValidator(_ordered_at)]
Language = Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z]{2,4})?$")]
Id = Annotated[str, Field(max_length=80)]


class CustomerInput(Input):
    """The customer whom the parcel is for."""

    name: Line | None = None
    email: Line | None = None
    phone: Phone | None = None

    def to_domain(self) -> Customer | None:
        """Make the customer; None if all fields are empty."""
        facts = self.model_dump(exclude_none=True)
        return Customer(**facts) if facts else None


class SubscriptionInput(Input):
    """A parcel to be followed, of any courier."""

    carrier_code: Courier
    tracking_number: Number
    account: Account = "default"
    destination_country: Country | None = None
    special_destination: Short | None = Field(
        None, description="The destination, for couriers that require it in this field."
    )
    postcode: Postcode | None = None
    ship_date: Day | None = None
    account_number: Short | None = Field(
        None, description="The shipper's account number, which some couriers require."
    )
    auto_correct: bool = Field(
        True, description="Let the aggregator correct the courier if another one has the parcel."
    )
    title: Line | None = None
    logistics_channel: Line | None = None
    customer: CustomerInput = CustomerInput()
    order_reference: Short | None = None
    order_created_at: OrderedAt | None = None
    note: Text | None = None
    lang: Language | None = None
    metadata: Metadata = Field({})

    def to_domain(self) -> Subscription:
        """Make the subscription: the parcel and the account that follows it."""
        own = {"account", "carrier_code", "tracking_number", "customer", "metadata"}
        following = Following(
            waybill=Waybill(self.carrier_code, self.tracking_number),
            customer=self.customer.to_domain(),
            **self.model_dump(exclude=own),
        )
        return Subscription(account=self.account, following=following, metadata=self.metadata)


class Patch(BaseModel):
    """A JSON object of changes. Absent fields keep their values; null or an empty text removes the value."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _taken_back(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {name: None if is_absent(part) else part for name, part in value.items()}


class CustomerPatch(Patch):
    """Changes of the customer."""

    name: Line | None = None
    email: Line | None = None
    phone: Phone | None = None


class TrackingPatch(Patch):
    """Changes of a tracking."""

    title: Line | None = None
    customer: CustomerPatch | None = None
    order_reference: Short | None = None
    note: Text | None = None
    destination_country: Country | None = None
    destination: Country | None = Field(None, description="The same as `destination_country`.")
    archived: bool | None = None
    metadata: Annotated[dict[Short, Text | None], Field(max_length=50)] | None = None
    carrier_code: Courier | None = Field(
        None, description="The courier that really has the parcel, by the aggregator's code."
    )
    paused: bool | None = Field(None, description="False resumes the polls of an order's parcel.")

    def to_domain(self) -> Change:
        """Make the domain's change."""
        return Change(edit=self._edit, carrier_code=self.carrier_code, paused=self.paused)

    def _edit(self, tracking: Tracking) -> Tracking:
        fields = self.model_fields_set
        texts = {"title", "order_reference", "note", "destination_country"} & fields
        facts: dict[str, Any] = {name: getattr(self, name) for name in texts}
        if "destination" in fields:
            facts["destination_country"] = self.destination
        if "archived" in fields:
            facts["archived"] = bool(self.archived)
        if "customer" in fields:
            facts["customer"] = self._customer(tracking.customer)
        if "metadata" in fields:
            facts["metadata"] = self._metadata(tracking.metadata)
        return msgspec.structs.replace(tracking, **facts)

    def _customer(self, before: Customer | None) -> Customer | None:
        if self.customer is None:
            return None
        changes = {name: getattr(self.customer, name) for name in self.customer.model_fields_set}
        after = msgspec.structs.replace(before or Customer(), **changes)
        return None if after == Customer() else after

    def _metadata(self, before: dict[str, str]) -> dict[str, str]:
        if self.metadata is None:
            return {}
        return {name: text for name, text in {**before, **self.metadata}.items() if text}


class TrackingChange(TrackingPatch):
    """Changes of one of several trackings."""

    id: Id


class TrackingName(Input):
    """One of several trackings. It may also be given as a text with the id."""

    id: Id


class RefreshInput(Input):
    """How a tracking is refreshed."""

    realtime: bool = Field(
        False, description="Let the aggregator ask the courier while you wait, at most once in two hours."
    )


class RouteInput(Input):
    """A route: a courier, an origin and a destination."""

    origin: Country
    destination: Country
    carrier_code: Courier
    account: Account = "default"

    def to_domain(self) -> Route:
        """Make the domain's route."""
        return Route(origin=self.origin, destination=self.destination, carrier_code=self.carrier_code)


class AreaInput(Input):
    """A place that a courier may call remote."""

    country: Country
    postcode: Postcode
    company: Short | None = Field(
        None, description="The courier, by the aggregator's code. Default: all couriers."
    )


class NumberInput(Input):
    """A tracking number whose courier is not known."""

    tracking_number: Number
    account: Account = "default"


class Several[T](NamedTuple):
    """The entries of a list. A wrong entry is held as its problem."""

    entries: list[T | ProblemError]

    @property
    def good(self) -> list[T]:
        """The valid entries."""
        return [entry for entry in self.entries if not isinstance(entry, ProblemError)]

    def answered[R](self, results: "list[R | ProblemError]") -> "list[R | ProblemError]":
        """Put the results of the valid entries in their positions, and make their pointers begin there."""
        left = iter(results)
        answers: list[R | ProblemError] = []
        for place, entry in enumerate(self.entries):
            if isinstance(entry, ProblemError):
                answers.append(entry)
                continue
            result = next(left)
            answers.append(_placed(result, place) if isinstance(result, ProblemError) else result)
        return answers


def read[T: BaseModel](model: type[T], body: object) -> T:
    """Read a body as `model`. Raises ProblemError with every mistake in the body."""
    request, errors = checked(model, body)
    if request is None:
        raise invalid([_named_as_fixed(error, model) for error in errors])
    return request


def read_subscriptions(body: object) -> Several[Subscription]:
    """Read a list of parcels to be followed. Raises ProblemError if the body is not such a list.

    A parcel may be named twice. The second entry then gets the tracking of the first, without an error.
    """
    return _several(body, lambda entry: read(SubscriptionInput, entry).to_domain())


def read_changes(body: object) -> Several[tuple[str, Change]]:
    """Read the changes of several trackings, by their ids. Raises ProblemError if the body is not a list."""

    def change(entry: object) -> tuple[str, Change]:
        change = read(TrackingChange, entry)
        return change.id, change.to_domain()

    return _several(body, change, lambda named: named[0], "/id")


def read_names(body: object) -> Several[str]:
    """Read the ids of several trackings. Raises ProblemError if the body is not a list."""

    def name(entry: object) -> str:
        return read(TrackingName, {"id": entry} if isinstance(entry, str) else entry).id

    return _several(body, name, lambda named: named, "")


def read_areas(body: object) -> list[Area]:
    """Read a list of places. Raises ProblemError with every mistake in any of them."""
    several = _several(body, lambda entry: Area(**read(AreaInput, entry).model_dump()))
    wrong = [entry for entry in several.entries if isinstance(entry, ProblemError)]
    if wrong:
        raise invalid([error for entry in wrong for error in entry.problem.errors])
    return several.good


def read_air_waybill(text: str) -> str:
    """Read an air waybill: three digits, then seven or eight. Raises ProblemError."""
    if not _AIR_WAYBILL.fullmatch(text):
        message = "Must be three digits, then seven or eight digits, such as 016-10354966."
        raise invalid([FieldError("/awb", "format", message)])
    return text


def _named_as_fixed(error: FieldError, model: type[BaseModel]) -> FieldError:
    """Replace `unknown_field` by `cannot_change` for a field that exists but is fixed."""
    name = error.pointer.removeprefix("/")
    if error.code == "unknown_field" and issubclass(model, TrackingPatch) and name in SubscriptionInput.names:
        return FieldError(error.pointer, "cannot_change", "Cannot be changed once the parcel is followed.")
    return error


def _several[T](
    body: object,
    read: Callable[[object], T],
    name: Callable[[T], Hashable] | None = None,
    named_at: str = "",
) -> Several[T]:
    if not isinstance(body, list):
        raise invalid([FieldError("", "type", "Must be a list.")])
    if not body:
        raise invalid([FieldError("", "missing", "Must have at least one entry.")])
    if len(body) > MOST_PARCELS:
        raise invalid([FieldError("", "too_many", f"Must have at most {MOST_PARCELS} entries.")])
    entries: list[T | ProblemError] = []
    seen: set[Hashable] = set()
    for place, part in enumerate(body):
        try:
            entry = read(part)
        except ProblemError as error:
            entries.append(_placed(error, place))
            continue
        if name is not None and name(entry) in seen:
            message = "An earlier entry names the same parcel. Name it once."
            entries.append(_placed(invalid([FieldError(named_at, "not_unique", message)]), place))
            continue
        if name is not None:
            seen.add(name(entry))
        entries.append(entry)
    return Several(entries)


def _placed(error: ProblemError, place: int) -> ProblemError:
    """Make the pointers of an entry's problem begin at the list."""
    problem = error.problem
    errors = tuple(
        msgspec.structs.replace(each, pointer=f"{pointer([place])}{each.pointer}") for each in problem.errors
    )
    placed = msgspec.structs.replace(problem, errors=errors)
    return ProblemError.of(placed, order_id=error.order_id, retry_after=error.retry_after)
