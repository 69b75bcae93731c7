"""What clients may send about parcels that are followed, ours or not. Codes as in `requests.orders`.

A list is read entry by entry: an entry that is wrong spoils only itself, and the pointers of its errors
begin with its place in the list.
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
from parcelgate.http.requests import reading
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
from parcelgate.http.requests.reading import WrongValueError, is_absent, pointer
from parcelgate.http.routes import MOST_PARCELS
from parcelgate.services.trackings.subscriptions import Change, Subscription

_DOCUMENTED_TIME = re.compile(r"\d{4}/\d{1,2}/\d{1,2} \d{1,2}:\d{2}", re.ASCII)
_AIR_WAYBILL = re.compile(r"\d{3}[ -]?\d{7,8}", re.ASCII)


def _ordered_at(value: object) -> object:
    """`2017/8/27 16:51` is how the aggregator's own document has it: a time without a zone, read as UTC."""
    if isinstance(value, str) and _DOCUMENTED_TIME.fullmatch(value):
        try:
            return datetime.strptime(value, "%Y/%m/%d %H:%M").replace(tzinfo=UTC).isoformat()
        except ValueError:
            raise WrongValueError("format", "Must be a time that there is.") from None
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
    """Whom the parcel is for."""

    name: Line | None = None
    email: Line | None = None
    phone: Phone | None = None

    def to_domain(self) -> Customer | None:
        """The customer; None where no field of him is filled."""
        facts = self.model_dump(exclude_none=True)
        return Customer(**facts) if facts else None


class FollowingInput(Input):
    """A parcel to be followed, whoever carries it."""

    carrier_code: Courier
    tracking_number: Number
    account: Account = "default"
    destination_country: Country | None = None
    special_destination: Short | None = Field(
        None, description="The destination, for couriers that want it in a field of its own."
    )
    postcode: Postcode | None = None
    ship_date: Day | None = None
    account_number: Short | None = Field(None, description="The shipper's, which some couriers want.")
    auto_correct: bool = Field(True, description="Let the aggregator find the right courier.")
    title: Line | None = None
    logistics_channel: Line | None = None
    customer: CustomerInput = CustomerInput()
    order_reference: Short | None = None
    order_created_at: OrderedAt | None = None
    note: Text | None = None
    lang: Language | None = None
    metadata: Metadata = Field({})

    def to_domain(self) -> Subscription:
        """The parcel, and the account that is to follow it."""
        own = {"account", "carrier_code", "tracking_number", "customer", "metadata"}
        following = Following(
            waybill=Waybill(self.carrier_code, self.tracking_number),
            customer=self.customer.to_domain(),
            **self.model_dump(exclude=own),
        )
        return Subscription(account=self.account, following=following, metadata=self.metadata)


class Patch(BaseModel):
    """A JSON object of changes: what is absent stays, null or an empty text takes a thing back."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _taken_back(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {name: None if is_absent(part) else part for name, part in value.items()}


class CustomerPatch(Patch):
    """Changes of whom the parcel is for."""

    name: Line | None = None
    email: Line | None = None
    phone: Phone | None = None


class TrackingPatch(Patch):
    """Changes of a followed parcel."""

    title: Line | None = None
    customer: CustomerPatch | None = None
    order_reference: Short | None = None
    note: Text | None = None
    destination_country: Country | None = None
    destination: Country | None = Field(None, description="The same as `destination_country`.")
    archived: bool | None = None
    metadata: Annotated[dict[Short, Text | None], Field(max_length=50)] | None = None
    carrier_code: Courier | None = Field(None, description="The courier that really has the parcel.")
    paused: bool | None = Field(None, description="False: ask about it again, where that can be.")

    def to_domain(self) -> Change:
        """The change."""
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
    """Changes of one of several followed parcels."""

    id: Id


class TrackingName(Input):
    """One of several followed parcels, which may also be given as its bare id."""

    id: Id


class RefreshInput(Input):
    """How a parcel is to be asked about."""

    realtime: bool = Field(False, description="Have the courier itself asked, once in two hours.")


class RouteInput(Input):
    """From where to where, with which courier."""

    origin: Country
    destination: Country
    carrier_code: Courier
    account: Account = "default"

    def to_domain(self) -> Route:
        """The route."""
        return Route(origin=self.origin, destination=self.destination, carrier_code=self.carrier_code)


class AreaInput(Input):
    """A place that a courier may call remote."""

    country: Country
    postcode: Postcode
    company: Short | None = Field(None, description="The courier; default: all that are known.")


class NumberInput(Input):
    """A number of an unknown courier."""

    tracking_number: Number
    account: Account = "default"


class Several[T](NamedTuple):
    """What the entries of a list say, or what is wrong with each."""

    entries: list[T | ProblemError]

    @property
    def good(self) -> list[T]:
        """The entries with which nothing is wrong."""
        return [entry for entry in self.entries if not isinstance(entry, ProblemError)]

    def answered[R](self, results: "list[R | ProblemError]") -> "list[R | ProblemError]":
        """The results of the good entries, each in its place, with pointers that lead there."""
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
    """What a body says in the form of `model`. Raises ProblemError with everything that is wrong with it."""
    request, errors = checked(model, body)
    if request is None:
        raise invalid([_named_as_fixed(error, model) for error in errors])
    return request


def read_subscriptions(body: object) -> Several[Subscription]:
    """The parcels to be followed that a list names. Raises ProblemError for what is no list of them.

    One may be named twice: it is followed already by then, which is no error.
    """
    return _several(body, lambda entry: read(FollowingInput, entry).to_domain())


def read_changes(body: object) -> Several[tuple[str, Change]]:
    """The changes of several followed parcels, by their ids. Raises ProblemError for what is no list."""

    def change(entry: object) -> tuple[str, Change]:
        change = read(TrackingChange, entry)
        return change.id, change.to_domain()

    return _several(body, change, lambda named: named[0], "/id")


def read_names(body: object) -> Several[str]:
    """Which followed parcels are meant. Raises ProblemError for what is no list of them."""

    def name(entry: object) -> str:
        return read(TrackingName, {"id": entry} if isinstance(entry, str) else entry).id

    return _several(body, name, lambda named: named, "")


def read_areas(body: object) -> list[Area]:
    """Which places are meant. Raises ProblemError with all that is wrong with any."""
    several = _several(body, lambda entry: Area(**read(AreaInput, entry).model_dump()))
    wrong = [entry for entry in several.entries if isinstance(entry, ProblemError)]
    if wrong:
        raise invalid([error for entry in wrong for error in entry.problem.errors])
    return several.good


def read_air_waybill(text: str) -> str:
    """Which air waybill is meant: three digits, then seven or eight. Raises ProblemError."""
    if not _AIR_WAYBILL.fullmatch(text):
        message = "Must be three digits, a hyphen or a blank or nothing, and seven or eight digits."
        raise invalid([FieldError("/awb", "format", message)])
    return text


def _named_as_fixed(error: FieldError, model: type[BaseModel]) -> FieldError:
    """Say of a field that can be given and not be changed that it is fixed, not that it is unknown."""
    name = error.pointer.removeprefix("/")
    if error.code == "unknown_field" and issubclass(model, TrackingPatch) and name in FollowingInput.names:
        return FieldError(error.pointer, "cannot_change", "Is fixed once the parcel is followed.")
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
            message = "Another entry of the list names the same parcel."
            entries.append(_placed(invalid([FieldError(named_at, "not_unique", message)]), place))
            continue
        if name is not None:
            seen.add(name(entry))
        entries.append(entry)
    return Several(entries)


def _placed(error: ProblemError, place: int) -> ProblemError:
    """The same problem, with pointers from the list that the entry stands in."""
    problem = error.problem
    errors = tuple(
        msgspec.structs.replace(each, pointer=f"{pointer([place])}{each.pointer}") for each in problem.errors
    )
    placed = msgspec.structs.replace(problem, errors=errors)
    return ProblemError.of(placed, order_id=error.order_id, retry_after=error.retry_after)
