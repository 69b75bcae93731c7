"""The body of a create (and of a rate preview), checked as a whole.

The answer names every mistake, each with a JSON pointer and one of these codes:

=================== ====================================================================
`missing`           a required field is absent (empty strings, nulls and empty lists are)
`unknown_field`     there is no field of this name
`type`              the value has another JSON type than the field
`too_long`          a text has too many characters
`too_many`          a list has too many entries, or an object too many keys
`out_of_range`      a number or a time is too small or too large
`format`            a text does not have the required form
`unknown_value`     the value is not in the list of allowed values
`not_unique`        another parcel, or the order itself, has this reference
`characters`        a text has U+FFFD in place of a letter that was lost before it came here
=================== ====================================================================

`unknown_carrier` and `unknown_account` are used for `/carrier` and `/account` only. Carriers add codes of
their own (`not_supported_by_carrier` and others) when they check the order.
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
from parcelgate.domain import currencies, orders
from parcelgate.domain.measures import Dimensions, LengthUnit, Money, Weight, WeightUnit
from parcelgate.domain.places import addresses, countries
from parcelgate.domain.problems import FieldError, Notice, invalid
from parcelgate.http.requests.formats import reading
from parcelgate.http.requests.formats.reading import WrongValueError, at_pointer, is_absent, pointer
from parcelgate.services.orders.create import Draft

_QUANTITY = re.compile(r"(?P<number>\d+([.,]\d+)?)\s*(?P<unit>[A-Za-z]+)", re.ASCII)
_MEANT_DECIMALS = 6
_SHORTEST_HS_CODE = 6
_PLAIN = frozenset({str, bool, int, Decimal})
_AS_THEY_ARE = ("reference", "secondary_reference", "tracking_number", "metadata")
"""Fields that are kept character by character, without any correction."""
_HEAVIEST_GRAMS = Decimal(1_000_000)
_LONGEST_MILLIMETRES = Decimal(10_000)

Account = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}$")]
# The length stands before the validator. So it belongs to the text's schema, and the validator sees the text
# first.
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
    Field(max_length=50, description="5 to 20 digits; an extension may follow."),
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
    """A JSON object. Its empty fields count as absent, and unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    names: ClassVar[frozenset[str]] = frozenset()
    form: ClassVar[tuple[str, str] | None] = None
    """How a number with a unit is written in a spreadsheet, and in JSON."""

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        cls.names = frozenset(field.alias or name for name, field in cls.model_fields.items())

    @model_validator(mode="before")
    @classmethod
    def _without_the_absent(cls, value: object) -> object:
        if isinstance(value, str) and cls.form and (match := _QUANTITY.fullmatch(value.strip())):
            number, unit = match["number"].replace(",", "."), match["unit"]
            text, form = (each.format(number=number, unit=unit) for each in cls.form)
            raise WrongValueError(
                "type", f"Must be a number with a unit. Write {text} in CSV, {form} in JSON."
            )
        if not isinstance(value, dict):
            return value
        return {key: part for key, part in value.items() if key not in cls.names or not is_absent(part)}


class DomainInput(Input):
    """Input that becomes a domain object, field by field."""

    # Made at the first use: half of the functions that load this module read no order.
    model_config = ConfigDict(defer_build=True)
    domain: ClassVar[type[msgspec.Struct]]
    """The type of the domain object. It has a field of the same name for each field here."""

    def to_domain(self, **others: Any) -> Any:
        """Make the domain object from the client's values; values in `others` replace them."""
        values = {name: _to_domain(value) for name, value in self if name not in others}
        return self.domain(**values, **others)


def _to_domain(value: object) -> object:
    # Most values are these, and pydantic's own isinstance is slow.
    if value is None or type(value) in _PLAIN:
        return value
    if isinstance(value, list):
        return tuple(map(_to_domain, value))
    return value.to_domain() if isinstance(value, DomainInput) else value


class MoneyInput(DomainInput):
    """An amount in one currency, with at most as many decimals as the currency has."""

    domain = Money
    form = ("{number} {unit}", '{{"amount": "{number}", "currency": "{unit}"}}')

    # It stands before the amount, because it limits the amount's decimals.
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
        # More than six decimals come from float arithmetic and are rounded.
        if written != amount and reading.decimals_of(amount) <= _MEANT_DECIMALS:
            raise WrongValueError(
                "out_of_range", f"Must have at most {decimals} decimals, as {currency} has."
            )
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
    """Whether a postcode that the country does not have is refused. It is, for recipients only."""

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
        """Move the second line of a `line1` with several lines to `line2`, if that is empty."""
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
            message = f"Write country US, state {country}: the US post treats it as a state."
            raise WrongValueError("format", message)
        return country

    @field_validator("state")
    @classmethod
    def _is_a_state(cls, state: str | None, info: ValidationInfo) -> str | None:
        country = info.data.get("country", "")
        if state and countries.has_known_states(country) and countries.state_code(country, state) is None:
            likely = countries.likely_state(country, state)
            hint = f". Do you mean {likely}?" if likely else "."
            raise WrongValueError("unknown_value", f"Must be the code or name of a state of {country}{hint}")
        return state

    @field_validator("postcode")
    @classmethod
    def _as_its_country_writes_it(cls, postcode: str | None, info: ValidationInfo) -> str | None:
        country = info.data.get("country", "")
        written = countries.postcode(country, postcode) if postcode else None
        if postcode and written is None and cls.must_be_found:
            likely = countries.likely_postcode(country, postcode)
            hint = f". Do you mean {likely}?" if likely else "."
            examples = countries.postcode_examples(country)
            raise WrongValueError("format", f"A postcode of {country} looks like {examples}{hint}")
        return written or postcode


class RecipientInput(AddressInput):
    """The recipient's address. Its postcode must have the form that its country uses."""

    must_be_found = True


def _item_number(value: object) -> object:
    """Read a whole number as the text with the same digits."""
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
    ) = Field(None, description="Default: its position in the parcel, from 1.")
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
        """Make the line. Missing values get the defaults for this position in the parcel."""
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
        None, description="Default: the order's reference, a dash, and its position."
    )
    secondary_reference: _Reference | None = None
    tracking_number: Number | None = Field(None, description="A number that you already hold.")
    description: Text | None = None
    native_description: Text | None = None
    sku_on_label: _Long | None = None
    declared_value: MoneyInput | None = None
    items: Annotated[list[ItemInput], Field(max_length=500)] = []

    def under(self, reference: str) -> orders.Parcel:
        """Make the parcel with this reference."""
        items = tuple(item.at(place) for place, item in enumerate(self.items, 1))
        parcel: orders.Parcel = self.to_domain(reference=reference, items=items)
        return parcel


class BatteryInput(DomainInput):
    """The type of a battery in the order, and how it is packed."""

    domain = orders.Battery

    type: Short
    packing: Short | None = None


class CustomsInput(DomainInput):
    """The customs declaration of the whole order."""

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
    """The time in which the parcel should be delivered."""

    domain = orders.DeliveryWindow

    from_: Time = Field(alias="from")
    to: Time

    @model_validator(mode="after")
    def _forwards(self) -> "DeliveryWindowInput":
        if self.to <= self.from_:
            raise WrongValueError("out_of_range", "Must end later than it begins: `to` must be after `from`.")
        return self


class OptionsInput(DomainInput):
    """What the carrier should do in addition to the plain service."""

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
    """An order to be bought from a carrier. Each carrier has further limits of its own."""

    domain = orders.Order

    carrier: CarrierCode
    account: Account = "default"
    service: Short | None = Field(None, description="The carrier's service code.")
    reference: _Reference = Field(description="Your own name for the order. The carrier gets it unchanged.")
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
    """Read the order that `body` describes, and every mistake in it.

    Despite errors there may be an order, made from the valid fields. The carrier can then check it too, so
    the client gets all mistakes in one answer. Such an order is never stored.
    """
    notices: list[Notice] = []
    body = cleaned(body, (), notices)
    request, mistakes = _validate(OrderInput, body)
    errors = [*carrier_errors(body, carriers), *(error for _, error in mistakes)]
    if request is None:
        # A list that is too long was dropped. The carrier would call its fields missing, which the client did
        # not omit.
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


type _Place = tuple[int | str, ...]


def cleaned(value: object, place: _Place, notices: list[Notice]) -> object:
    """Copy a body without HTML entities and invisible characters; each correction adds a notice."""
    if isinstance(value, dict):
        return {
            name: part if name in _AS_THEY_ARE else cleaned(part, (*place, name), notices)
            for name, part in value.items()
        }
    if isinstance(value, list):
        return [cleaned(part, (*place, index), notices) for index, part in enumerate(value)]
    if not isinstance(value, str):
        return value
    text = reading.without_entities(value)
    if text != value:
        notices.append(
            Notice(
                pointer(place), "html_entities", f"HTML entities were replaced by their characters: {text}"
            )
        )
    visible = reading.without_invisible(text)
    if visible != text:
        message = "Invisible characters were replaced by blanks."
        notices.append(Notice(pointer(place), "characters_replaced", message))
    return visible


def _short_hs_codes(order: orders.Order) -> Iterable[Notice]:
    for at, parcel in enumerate(order.parcels):
        for place, item in enumerate(parcel.items):
            if item.hs_code and sum(map(str.isdigit, item.hs_code)) < _SHORTEST_HS_CODE:
                message = (
                    f"The code has fewer than {_SHORTEST_HS_CODE} digits, so it covers many goods. "
                    "Customs may ask for a longer one."
                )
                yield Notice(f"/parcels/{at}/items/{place}/hs_code", "short_hs_code", message)


def carrier_errors(body: object, carriers: Collection[str]) -> list[FieldError]:
    """Check the carrier that a body names. None if it is valid or absent."""
    carrier = reading.lower(body.get("carrier")) if isinstance(body, dict) else None
    if not isinstance(carrier, str) or is_absent(carrier) or carrier in carriers:
        return []
    if carrier in registry.AGGREGATORS:
        message = "It is an aggregator and takes no orders. Use /v1/trackings to follow parcels with it."
        return [FieldError("/carrier", "not_supported_by_carrier", message)]
    return [FieldError("/carrier", "unknown_carrier", f"Must be one of: {', '.join(carriers)}.")]


def checked[T: BaseModel](
    model: type[T], body: object, carriers: Collection[str] | None = None
) -> tuple[T | None, list[FieldError]]:
    """Read `body` as `model`. Gives the model, or every mistake, a wrong carrier included."""
    request, mistakes = _validate(model, body)
    errors = [] if carriers is None else carrier_errors(body, carriers)
    return request, errors + [error for _, error in mistakes]


def read[T: BaseModel](model: type[T], body: object, carriers: Collection[str] | None = None) -> T:
    """Read `body` as `model`. Raises ProblemError with every mistake in the body."""
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
    "extra_forbidden": ("unknown_field", "There is no such field. Leave it out."),
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
    # pydantic ends the location of a wrong key with this mark.
    place = tuple(part for part in details["loc"] if part != "[key]")
    context = details.get("ctx", {})
    if isinstance(error := context.get("error"), WrongValueError):
        return place, FieldError(pointer(place), error.code, error.message)
    code, words = _WORDS.get(details["type"], (details["type"], details["msg"]))
    return place, FieldError(pointer(place), code, words.format_map(context))


def _pruned(body: object, places: Iterable[_Place]) -> object:
    """Copy the body without the values that are wrong."""
    pruned = _copied(body)
    for *way, last in filter(None, places):
        holder: Any = pruned
        try:
            for part in way:
                holder = holder[part]
        except (KeyError, IndexError, TypeError):
            continue
        # A list keeps its length, so that pointers into it stay correct.
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
            message = (
                "An order of several parcels needs a reference for each parcel that differs from the order's."
            )
        else:
            seen.add(reference)
            continue
        yield FieldError(f"/parcels/{index}/reference", "not_unique", message)


def customs_of_items(parcels: Iterable[orders.Parcel]) -> dict[str, Any]:
    """Derive customs values from the items: the first description, and the sum if all have one currency."""
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
