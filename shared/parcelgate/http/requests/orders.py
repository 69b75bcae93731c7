"""What clients may send: the body of a create (and of a rate preview), checked whole.

An answer names everything that is wrong, each thing with a JSON pointer and one of these codes:

=================== ====================================================================
`missing`           a required field is absent (empty strings, nulls and empty lists are)
`unknown_field`     there is no field of this name
`type`              the value has another JSON type than the field
`too_long`          a text has too many characters
`too_many`          a list has too many entries, or an object too many keys
`out_of_range`      a number or a time is outside what can be meant
`format`            a text does not look as it must
`unknown_value`     the value is none of those that there are
`not_unique`        another parcel, or the order itself, has this reference
`characters`        a letter of a text was lost before it came here (U+FFFD)
=================== ====================================================================

`unknown_carrier` and `unknown_account` speak of `/carrier` and `/account` alone. Carriers add codes of their
own (`not_supported_by_carrier` and others) when they examine the order.
"""

import re
from collections.abc import Collection, Iterable
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from parcelgate.carriers import registry
from parcelgate.domain import addresses, countries, currencies, orders
from parcelgate.domain.measures import Dimensions, LengthUnit, Money, Weight, WeightUnit
from parcelgate.domain.problems import FieldError, Notice, invalid
from parcelgate.http.requests import reading
from parcelgate.http.requests.reading import WrongValueError, at_pointer, is_absent, pointer
from parcelgate.services.orders.create import Draft

_QUANTITY = re.compile(r"(?P<number>\d+([.,]\d+)?)\s*(?P<unit>[A-Za-z]+)", re.ASCII)
_MEANT_DECIMALS = 6
_SHORTEST_HS_CODE = 6
_AS_THEY_ARE = ("reference", "secondary_reference", "tracking_number", "metadata")
"""Fields whose every character counts."""
_HEAVIEST_GRAMS = Decimal(1_000_000)
_LONGEST_MILLIMETRES = Decimal(10_000)

Account = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}$")]
# The length stands before the validator: so it is the text's own, and the validator sees the text first.
Code = Annotated[str, Field(max_length=50), BeforeValidator(reading.line)]
Short = Annotated[str, Field(max_length=100), BeforeValidator(reading.line)]
_Long = Annotated[str, Field(max_length=128), BeforeValidator(reading.line)]
Line = Annotated[str, Field(max_length=255), BeforeValidator(reading.line)]
Text = Annotated[str, Field(max_length=1000), BeforeValidator(reading.lines)]
_Reference = Annotated[str, Field(max_length=80), BeforeValidator(reading.reference)]
CarrierCode = Annotated[str, Field(max_length=50), BeforeValidator(reading.lower)]
Number = Annotated[str, Field(max_length=100), BeforeValidator(reading.tracking_number)]
Phone = Annotated[
    str,
    Field(max_length=50, description="5 to 20 digits, and an extension."),
    BeforeValidator(reading.phone),
]
Postcode = Annotated[str, Field(max_length=50), BeforeValidator(reading.upper)]
Country = Annotated[
    str,
    Field(description="A country's two letters (ISO 3166-1), such as US."),
    BeforeValidator(reading.country),
]
_Origin = Annotated[
    str,
    Field(max_length=60, description="A country's two letters (ISO 3166-1), or its name."),
    BeforeValidator(reading.origin),
]
Time = Annotated[
    datetime, BeforeValidator(reading.time), WithJsonSchema({"type": "string", "format": "date-time"})
]


def _numeric(name: str, **bounds: int) -> WithJsonSchema:
    """Describe a number that may also be given as a decimal string."""
    texts = {"type": "string", "pattern": r"^\s*-?\d+(\.\d+)?\s*$"}
    return WithJsonSchema({"title": name, "anyOf": [{"type": "number", **bounds}, texts]})


_Measure = Annotated[
    Decimal,
    BeforeValidator(partial(reading.number, below=1_000_000_000, places=6)),
    _numeric("Measure", exclusiveMinimum=0, exclusiveMaximum=1_000_000_000),
]
_Volume = Annotated[
    Decimal,
    BeforeValidator(partial(reading.number, below=1000, places=9)),
    _numeric("Volume", exclusiveMinimum=0, exclusiveMaximum=1000),
]
_Amount = Annotated[
    Decimal,
    BeforeValidator(partial(reading.number, below=1_000_000_000_000, places=20, positive=False)),
    _numeric("Amount", minimum=0, exclusiveMaximum=1_000_000_000_000),
]


class Input(BaseModel):
    """A JSON object whose empty fields count as absent, and whose every name must be known."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    names: ClassVar[frozenset[str]] = frozenset()
    form: ClassVar[tuple[str, str] | None] = None
    """Of a number with a unit: how a spreadsheet has it, and how JSON does."""

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        cls.names = frozenset(field.alias or name for name, field in cls.model_fields.items())

    @model_validator(mode="before")
    @classmethod
    def _without_the_absent(cls, value: object) -> object:
        if isinstance(value, str) and cls.form and (match := _QUANTITY.fullmatch(value.strip())):
            number, unit = match["number"].replace(",", "."), match["unit"]
            text, form = (each.format(number=number, unit=unit) for each in cls.form)
            raise WrongValueError("type", f"Write it as {text}, which is {form} in JSON.")
        if not isinstance(value, dict):
            return value
        return {key: part for key, part in value.items() if key not in cls.names or not is_absent(part)}


class DomainInput(Input):
    """What becomes a thing of the domain, field by field."""

    domain: ClassVar[type[msgspec.Struct]]
    """A type with a field for each of the fields here, of the same name."""

    def to_domain(self, **others: Any) -> Any:
        """Make the thing of the domain, of what the client said and of `others`, which come first."""
        values = {name: getattr(self, name) for name in type(self).model_fields if name not in others}
        return self.domain(**{name: _to_domain(value) for name, value in values.items()}, **others)


def _to_domain(value: object) -> object:
    if isinstance(value, DomainInput):
        return value.to_domain()
    return tuple(map(_to_domain, value)) if isinstance(value, list) else value


class MoneyInput(DomainInput):
    """An amount of one currency, with no more decimals than that has."""

    domain = Money
    form = ("{number} {unit}", '{{"amount": "{number}", "currency": "{unit}"}}')

    # Before the amount, whose decimals it bounds.
    currency: Annotated[str, Field(description="ISO 4217, such as USD."), BeforeValidator(reading.currency)]
    amount: _Amount

    @field_validator("amount")
    @classmethod
    def _has_the_currency_s_decimals(cls, amount: Decimal, info: ValidationInfo) -> Decimal:
        currency = info.data.get("currency", "")
        decimals = currencies.decimals(currency)
        if decimals is None or reading.decimals_of(amount) <= decimals:
            return amount
        written = amount.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
        # More than six decimals are a float's, which nobody means.
        if written != amount and reading.decimals_of(amount) <= _MEANT_DECIMALS:
            raise WrongValueError("out_of_range", f"Must have at most {decimals} decimals: it is {currency}.")
        return written


class WeightInput(DomainInput):
    """A weight, at most 1000 kg."""

    domain = Weight
    form = ("{number} {unit}", '{{"value": {number}, "unit": "{unit}"}}')

    value: _Measure
    unit: Annotated[WeightUnit, Field(strict=False)]

    @model_validator(mode="after")
    def _is_not_too_heavy(self) -> "WeightInput":
        if self.to_domain().to(WeightUnit.G) > _HEAVIEST_GRAMS:
            raise WrongValueError("out_of_range", "Must not be more than 1000 kg.")
        return self


class DimensionsInput(DomainInput):
    """The sides of a parcel, each at most 10 m."""

    domain = Dimensions

    length: _Measure
    width: _Measure
    height: _Measure
    unit: Annotated[LengthUnit, Field(strict=False)]

    @model_validator(mode="after")
    def _is_not_too_long(self) -> "DimensionsInput":
        if max(self.to_domain().to(LengthUnit.MM)) > _LONGEST_MILLIMETRES:
            raise WrongValueError("out_of_range", "No side may be longer than 10 m.")
        return self


class AddressInput(DomainInput):
    """A postal address. States of the US, Canada and Australia may be given as code or name."""

    domain = addresses.Address
    must_be_found: ClassVar[bool] = False
    """Whether a postcode that its country does not have is refused: a sender's leads no parcel astray."""

    name: Line
    line1: Line
    city: Short
    country: Country
    company: Line | None = None
    phone: Phone | None = None
    email: Annotated[Line, Field(pattern=r"^[^@\s]+@[^@\s]+$")] | None = None
    line2: Line | None = None
    line3: Line | None = None
    state: Annotated[Short, BeforeValidator(reading.compatible)] | None = None
    postcode: Postcode | None = None
    tax_id: Short | None = None

    @model_validator(mode="before")
    @classmethod
    def _second_line_moved(cls, value: object) -> object:
        """Move what stands on a second line of `line1` to `line2`, if that is free."""
        line1 = value.get("line1") if isinstance(value, dict) else None
        if isinstance(value, dict) and isinstance(line1, str) and is_absent(value.get("line2")):
            first, *others = [part for part in line1.splitlines() if part.strip()] or [line1]
            if others:
                return {**value, "line1": first, "line2": " ".join(others)}
        return value

    @field_validator("country")
    @classmethod
    def _is_no_state(cls, country: str) -> str:
        if country in countries.US_TERRITORIES:
            message = f"Write it as country US, state {country}: the post treats it as a state."
            raise WrongValueError("format", message)
        return country

    @field_validator("state")
    @classmethod
    def _is_a_state(cls, state: str | None, info: ValidationInfo) -> str | None:
        country = info.data.get("country", "")
        if state and countries.has_known_states(country) and countries.state_code(country, state) is None:
            likely = countries.likely_state(country, state)
            hint = f": {likely} is likely." if likely else "."
            raise WrongValueError("unknown_value", f"Must be the code or name of a state of {country}{hint}")
        return state

    @field_validator("postcode")
    @classmethod
    def _as_its_country_writes_it(cls, postcode: str | None, info: ValidationInfo) -> str | None:
        country = info.data.get("country", "")
        written = countries.postcode(country, postcode) if postcode else None
        if postcode and written is None and cls.must_be_found:
            likely = countries.likely_postcode(country, postcode)
            hint = f"; {likely} is likely." if likely else "."
            examples = countries.postcode_examples(country)
            raise WrongValueError("format", f"A postcode of {country} looks like {examples}{hint}")
        return written or postcode


class RecipientInput(AddressInput):
    """Where a parcel goes: an address whose postcode is one of its country."""

    must_be_found = True


def _item_number(value: object) -> object:
    """Take a whole number for the text that it is written as."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else reading.line(value)


class ItemInput(DomainInput):
    """One line of a parcel's contents; value and weight are for one piece."""

    domain = orders.Item

    description: Text
    quantity: Annotated[int, Field(ge=1, le=1_000_000), BeforeValidator(reading.whole)]
    unit_value: MoneyInput
    number: (
        Annotated[
            str,
            Field(max_length=128),
            BeforeValidator(_item_number),
            WithJsonSchema({"type": ["string", "integer"], "maxLength": 128}),
        ]
        | None
    ) = Field(None, description="Default: its place in the parcel, from 1.")
    sku: _Long | None = Field(None, description="Default: the number.")
    native_description: Text | None = None
    hs_code: (
        Annotated[
            str,
            Field(max_length=50, description="6 to 14 digits; dots and blanks may stand between them."),
            BeforeValidator(reading.hs_code),
        ]
        | None
    ) = None
    origin_country: _Origin | None = None
    weight: WeightInput | None = None
    url: Annotated[str, Field(max_length=2000), BeforeValidator(reading.web_address)] | None = None
    warehouse_number: Line | None = None

    def at(self, place: int) -> orders.Item:
        """The line, with defaults for its place in the parcel."""
        number = self.number or str(place)
        item: orders.Item = self.to_domain(number=number, sku=self.sku or number)
        return item


class ParcelInput(DomainInput):
    """One piece of the order."""

    domain = orders.Parcel

    weight: WeightInput
    dimensions: DimensionsInput | None = None
    volume: _Volume | None = Field(None, description="In cubic metres.")
    reference: _Reference | None = Field(
        None, description="Default: the order's reference, a dash, its place."
    )
    secondary_reference: _Reference | None = None
    tracking_number: Number | None = Field(None, description="A number that you already hold.")
    description: Text | None = None
    native_description: Text | None = None
    sku_on_label: _Long | None = None
    declared_value: MoneyInput | None = None
    items: Annotated[list[ItemInput], Field(max_length=500)] = []

    def under(self, reference: str) -> orders.Parcel:
        """The piece, under its given or default reference."""
        items = tuple(item.at(place) for place, item in enumerate(self.items, 1))
        parcel: orders.Parcel = self.to_domain(reference=reference, items=items)
        return parcel


class BatteryInput(DomainInput):
    """What battery travels along, and how it is packed."""

    domain = orders.Battery

    type: Short
    packing: Short | None = None


class CustomsInput(DomainInput):
    """What customs wants to know of the whole order."""

    domain = orders.Customs

    description: Text | None = Field(None, description="Default: the first item's.")
    native_description: Text | None = None
    value: MoneyInput | None = Field(None, description="Default: the sum of the items.")
    incoterm: Literal["DDU", "DDP"] | None = None
    battery: BatteryInput | None = None
    dangerous_goods: bool = False
    vendor_id: Code | None = None
    gst_exemption_code: Code | None = None
    abn: Code | None = None
    sender_tax_id: Line | None = None
    inject_port: Annotated[str, Field(max_length=256), BeforeValidator(reading.line)] | None = None


class DeliveryWindowInput(DomainInput):
    """When the parcel should come."""

    domain = orders.DeliveryWindow

    from_: Time = Field(alias="from")
    to: Time

    @model_validator(mode="after")
    def _forwards(self) -> "DeliveryWindowInput":
        if self.to <= self.from_:
            raise WrongValueError("out_of_range", "Must end after it begins.")
        return self


class OptionsInput(DomainInput):
    """What the carrier should do beyond the plain service."""

    domain = orders.Options

    authority_to_leave: bool = False
    locker: bool = False
    pick_up: bool = False
    instruction: Text | None = None
    sender_name: Line | None = None
    facility: Short | None = None
    platform: Short | None = None
    service_option: Short | None = None
    return_option: Short | None = None
    delivery_window: DeliveryWindowInput | None = None
    max_price: MoneyInput | None = None


class LabelInput(DomainInput):
    """The format, the size and the resolution of the label."""

    domain = orders.Label

    format: Literal["pdf", "jpg", "zpl"] = "pdf"
    size: Literal["4x6", "a4", "4x4"] = "4x6"
    dpi: Annotated[Literal[203, 300], BeforeValidator(reading.whole)] | None = None


def _without_absent_values(value: object) -> object:
    if isinstance(value, dict):
        return {key: text for key, text in value.items() if not is_absent(text)}
    return value


_Key = Annotated[str, Field(max_length=100), BeforeValidator(reading.own_text)]
_OwnText = Annotated[str, Field(max_length=1000), BeforeValidator(reading.own_text)]
Metadata = Annotated[dict[_Key, _OwnText], Field(max_length=50), BeforeValidator(_without_absent_values)]


class OrderInput(DomainInput):
    """An order to be bought from a carrier. Carriers narrow further what they take."""

    domain = orders.Order

    carrier: CarrierCode
    account: Account = "default"
    service: Short | None = Field(None, description="The carrier's service code.")
    reference: _Reference = Field(description="Your own, sent to the carrier word for word.")
    ship_to: RecipientInput
    ship_from: AddressInput | None = Field(None, description="Default: the account's.")
    return_to: AddressInput | None = Field(None, description="Default: the account's.")
    parcels: Annotated[list[ParcelInput], Field(min_length=1, max_length=50)]
    customs: CustomsInput | None = None
    options: OptionsInput = OptionsInput()
    label: LabelInput = LabelInput()
    metadata: Metadata = {}


def read_order(
    body: object, *, carriers: Collection[str], tenant: str, order_id: str, now: datetime
) -> Draft:
    """The order that `body` describes, and everything that is wrong with it.

    An order may come along with errors, as far as one can be made out of the rest: then the carrier can
    be asked too, and the client hears of all mistakes at once. Such an order is never kept.
    """
    notices: list[Notice] = []
    body = cleaned(body, "", notices)
    request, mistakes = _validate(OrderInput, body)
    errors = [*carrier_errors(body, carriers), *(error for _, error in mistakes)]
    if request is None:
        # Without a list that is too long the carrier would miss what is in it: no mistake of the client's.
        if any(error.code == "too_many" for _, error in mistakes):
            return Draft(None, errors)
        request, remaining = _validate(OrderInput, _pruned(body, [place for place, _ in mistakes]))
        if request is None or remaining:
            return Draft(None, errors)
    order, more = _to_order(request, tenant=tenant, order_id=order_id, now=now)
    order = msgspec.structs.replace(order, warnings=(*notices, *_short_hs_codes(order)))
    return Draft(
        order if request.carrier in carriers else None,
        [*errors, *more],
        lambda place: not is_absent(at_pointer(body, place)),
    )


def cleaned(value: object, place: str, notices: list[Notice]) -> object:
    """A copy of a body without HTML's entities and characters that cannot be seen, each with a notice."""
    if isinstance(value, dict):
        return {
            name: part if name in _AS_THEY_ARE else cleaned(part, f"{place}{pointer([name])}", notices)
            for name, part in value.items()
        }
    if isinstance(value, list):
        return [cleaned(part, f"{place}/{index}", notices) for index, part in enumerate(value)]
    if not isinstance(value, str):
        return value
    text = reading.without_entities(value)
    if text != value:
        notices.append(Notice(place, "html_entities", f"HTML's entities were read as letters: {text}"))
    visible = reading.without_invisible(text)
    if visible != text:
        message = "Characters that cannot be seen were replaced by blanks."
        notices.append(Notice(place, "characters_replaced", message))
    return visible


def _short_hs_codes(order: orders.Order) -> Iterable[Notice]:
    for at, parcel in enumerate(order.parcels):
        for place, item in enumerate(parcel.items):
            if item.hs_code and sum(map(str.isdigit, item.hs_code)) < _SHORTEST_HS_CODE:
                message = (
                    f"A code of fewer than {_SHORTEST_HS_CODE} digits names many goods; customs may ask."
                )
                yield Notice(f"/parcels/{at}/items/{place}/hs_code", "short_hs_code", message)


def carrier_errors(body: object, carriers: Collection[str]) -> list[FieldError]:
    """What is wrong with the carrier that a body names, if it names one."""
    carrier = reading.lower(body.get("carrier")) if isinstance(body, dict) else None
    if not isinstance(carrier, str) or is_absent(carrier) or carrier in carriers:
        return []
    if carrier in registry.AGGREGATORS:
        message = "It carries nothing, and follows anybody's parcels: see /v1/trackings."
        return [FieldError("/carrier", "not_supported_by_carrier", message)]
    return [FieldError("/carrier", "unknown_carrier", f"Must be one of: {', '.join(carriers)}.")]


type _Place = tuple[int | str, ...]


def checked[T: BaseModel](
    model: type[T], body: object, carriers: Collection[str] | None = None
) -> tuple[T | None, list[FieldError]]:
    """What `body` says in the form of `model`, or everything that is wrong with it, its carrier included."""
    request, mistakes = _validate(model, body)
    errors = [] if carriers is None else carrier_errors(body, carriers)
    return request, errors + [error for _, error in mistakes]


def read[T: BaseModel](model: type[T], body: object, carriers: Collection[str] | None = None) -> T:
    """What `body` says in the form of `model`. Raises ProblemError with everything that is wrong with it."""
    request, errors = checked(model, body, carriers)
    if request is None or errors:
        raise invalid(errors)
    return request


def _validate[T: BaseModel](model: type[T], body: object) -> tuple[T | None, list[tuple[_Place, FieldError]]]:
    try:
        return model.model_validate(body), []
    except ValidationError as error:
        return None, [_mistake(details) for details in error.errors(include_url=False, include_input=False)]


_WORDS = {
    "missing": ("missing", "Is required."),
    "extra_forbidden": ("unknown_field", "There is no such field."),
    "string_too_long": ("too_long", "Must have at most {max_length} characters."),
    "too_long": ("too_many", "Must have at most {max_length} entries."),
    "enum": ("unknown_value", "Must be {expected}."),
    "literal_error": ("unknown_value", "Must be {expected}."),
    "string_pattern_mismatch": ("format", "Must match {pattern}"),
    "greater_than_equal": ("out_of_range", "Must be at least {ge}."),
    "less_than_equal": ("out_of_range", "Must be at most {le}."),
    "string_type": ("type", "Must be a text."),
    "int_type": ("type", "Must be a whole number."),
    "bool_type": ("type", "Must be true or false."),
    "list_type": ("type", "Must be a list."),
    "dict_type": ("type", "Must be an object."),
    "model_type": ("type", "Must be an object."),
}


def _mistake(details: ErrorDetails) -> tuple[_Place, FieldError]:
    # The place of a wrong key of an object ends with this mark.
    place = tuple(part for part in details["loc"] if part != "[key]")
    context = details.get("ctx", {})
    if isinstance(error := context.get("error"), WrongValueError):
        return place, FieldError(pointer(place), error.code, error.message)
    code, words = _WORDS.get(details["type"], (details["type"], details["msg"]))
    return place, FieldError(pointer(place), code, words.format_map(context))


def _pruned(body: object, places: Iterable[_Place]) -> object:
    """A copy of the body without what is wrong in it."""
    pruned = _copied(body)
    for *way, last in filter(None, places):
        holder: Any = pruned
        try:
            for part in way:
                holder = holder[part]
        except (KeyError, IndexError, TypeError):
            continue
        # A list keeps its length, or the pointers into it would no longer fit.
        if isinstance(holder, dict):
            holder.pop(last, None)
    return pruned


def _copied(value: object) -> object:
    if isinstance(value, dict):
        return {key: _copied(part) for key, part in value.items()}
    return [_copied(part) for part in value] if isinstance(value, list) else value


def _to_order(
    request: OrderInput, *, tenant: str, order_id: str, now: datetime
) -> tuple[orders.Order, list[FieldError]]:
    parcels = tuple(
        parcel.under(parcel.reference or orders.default_parcel_reference(request.reference, place))
        for place, parcel in enumerate(request.parcels, 1)
    )
    order: orders.Order = request.to_domain(
        id=order_id,
        tenant=tenant,
        parcels=parcels,
        customs=_customs(request.customs, parcels),
        created_at=now,
        updated_at=now,
    )
    return order, list(_reference_errors(request.reference, [parcel.reference for parcel in parcels]))


def _reference_errors(order: str, parcels: list[str]) -> Iterable[FieldError]:
    seen: set[str] = set()
    for index, reference in enumerate(parcels):
        if reference in seen:
            message = "Another parcel of the order has this reference."
        elif reference == order and len(parcels) > 1:
            message = "Several parcels need references other than the order's."
        else:
            seen.add(reference)
            continue
        yield FieldError(f"/parcels/{index}/reference", "not_unique", message)


def customs_of_items(parcels: Iterable[orders.Parcel]) -> dict[str, Any]:
    """What customs take from the items: the first description, and the sum where that is of one currency."""
    items = [item for parcel in parcels for item in parcel.items]
    values = [Money(item.unit_value.amount * item.quantity, item.unit_value.currency) for item in items]
    of_one_currency = len({value.currency for value in values}) == 1
    return {
        "description": items[0].description if items else None,
        "value": sum(values[1:], values[0]) if of_one_currency else None,
    }


def _customs(stated: CustomsInput | None, parcels: tuple[orders.Parcel, ...]) -> orders.Customs | None:
    if stated is None and not any(parcel.items for parcel in parcels):
        return None
    customs: orders.Customs = (stated or CustomsInput.model_validate({})).to_domain()
    defaults = {
        name: value for name, value in customs_of_items(parcels).items() if not getattr(customs, name)
    }
    return msgspec.structs.replace(customs, **defaults)
