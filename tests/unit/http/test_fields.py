"""A field of the create body has its place everywhere; what is missing is said in words.

See `docs/adding-a-field.md`.
"""

from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any, NamedTuple, get_args

from pydantic import create_model
from pydantic.fields import FieldInfo

from local.command import order_files
from parcelgate.carriers import registry
from parcelgate.domain.measures import Dimensions, Money, Weight
from parcelgate.http.openapi import schemas
from parcelgate.http.requests.orders import DomainInput, OptionsInput, OrderInput

MEASURES = (Money, Weight, Dimensions)
"""Fields of one value, which carriers take whole."""


class Field(NamedTuple):
    """One field of the create body."""

    place: tuple[str, ...]
    """The way to it; `*` for the place in a list."""
    model: type[DomainInput]
    """The input model that has it."""
    info: FieldInfo

    def __str__(self) -> str:
        return ".".join(part for part in self.place if part != "*")


def test_every_field_has_all_its_places() -> None:
    found = [sentence for field in fields(OrderInput) for sentence in missing(field)]
    assert found == [], "\n".join(["", *found])


def test_a_field_that_is_nowhere_else_is_told_with_each_missing_place() -> None:
    wider = create_model("Wider", __base__=OptionsInput, signature_required=(bool, False))

    (added,) = [field for field in fields(wider, ("options",)) if field.place[-1] == "signature_required"]

    assert list(missing(added)) == [
        "options.signature_required is in the create body but not in domain.orders.Options: add it there",
        "options.signature_required is in the create body but not in Options of the answer: add it there",
        *(
            f"options.signature_required has no place with {carrier}: say in FIELDS of "
            f'carriers.{carrier}.validation what becomes of "/options/signature_required"'
            for carrier in registry.names()
        ),
        "options.signature_required is a flag, and local/command/order_files.py reads its column as text",
    ]


def test_all_of_the_body_is_looked_at() -> None:
    places = set(map(str, fields(OrderInput)))
    assert {"carrier", "options.locker", "parcels.items.hs_code", "options.delivery_window.from"} <= places


def fields(model: type[DomainInput], start: tuple[str, ...] = ()) -> Iterator[Field]:
    """Every field of a model and of the models in it, measures taken as one."""
    for name, info in model.model_fields.items():
        field = Field((*start, info.alias or name), model, info)
        yield field
        for inner in models(info.annotation):
            if inner.domain not in MEASURES:
                is_list = "list" in str(info.annotation)
                yield from fields(inner, (*field.place, "*") if is_list else field.place)


def models(annotation: Any) -> list[type[DomainInput]]:
    if isinstance(annotation, type) and issubclass(annotation, DomainInput):
        return [annotation]
    return [model for part in get_args(annotation) for model in models(part)]


def missing(field: Field) -> Iterable[str]:
    """What the field lacks, a sentence for each place."""
    domain = field.model.domain
    if field.place[-1] not in domain.__struct_encode_fields__:
        kind = f"{domain.__module__.removeprefix('parcelgate.')}.{domain.__name__}"
        yield f"{field} is in the create body but not in {kind}: add it there"
    shown = {"$ref": "#/components/schemas/OrderResource"}
    for part in field.place:
        holder = behind(shown)
        shown = holder["items"] if part == "*" else holder.get("properties", {}).get(part)
        if not shown:
            yield f"{field} is in the create body but not in {holder['title']} of the answer: add it there"
            break
    if not [inner for inner in models(field.info.annotation) if inner.domain not in MEASURES]:
        ways = {f"/{'/'.join(field.place[:length])}" for length in range(1, len(field.place) + 1)}
        for carrier in registry.names():
            if not ways & set(import_module(f"{registry.CARRIERS[carrier]}.validation").FIELDS):
                yield (
                    f"{field} has no place with {carrier}: say in FIELDS of carriers.{carrier}.validation "
                    f'what becomes of "/{"/".join(field.place)}"'
                )
    if field.info.annotation is bool and order_files._value(str(field), "yes") is not True:
        yield f"{field} is a flag, and local/command/order_files.py reads its column as text"


SCHEMAS = schemas()


def behind(schema: dict[str, Any]) -> dict[str, Any]:
    """What a schema leads to, null aside."""
    (one, *_) = [each for each in schema.get("anyOf", [schema]) if each.get("type") != "null"]
    found: dict[str, Any] = SCHEMAS[one["$ref"].rpartition("/")[2]] if "$ref" in one else one
    return found
