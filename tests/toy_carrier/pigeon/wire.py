"""The post's bodies, by its own names."""

from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator

from parcelgate.carriers.toolkit.bodies import UnreadableError, an_object, decoded
from parcelgate.carriers.toolkit.models import Read, Required, Sent, Text, WholeText


class Bag(Sent):
    """A parcel; grams (documented)."""

    bag_ref: Required
    grams: Decimal


class Flight(Sent):
    """An order (documented)."""

    ref: Required
    name: Required
    roof: Required
    city: Required
    postcode: Required | None = None
    bags: tuple[Bag, ...]


def _objects(value: Any) -> Any:
    return [an_object(item) for item in value] if isinstance(value, list) else []


class Ring(Read):
    """A bag's number."""

    bag_ref: Text = None
    ring: Text = None
    label: WholeText = None


class Report(Read):
    """Where a pigeon was."""

    at: Text = None
    word: Text = None


class Answer(Read):
    """Every answer of the post: a flight, a journey, or a refusal."""

    code: Text = None
    message: Text = None
    field: Text = None
    flight: Text = None
    name: Text = None
    rings: Annotated[tuple[Ring, ...], BeforeValidator(_objects)] = ()
    reports: Annotated[tuple[Report, ...], BeforeValidator(_objects)] = ()


def read(content: bytes) -> Answer | None:
    """The answer in `content`; None when it is none."""
    try:
        value = decoded(content)
    except UnreadableError:
        return None
    return Answer.model_validate(value) if isinstance(value, dict) else None
