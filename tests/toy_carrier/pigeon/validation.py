"""What Pigeon Post takes: every field of the create body in one table, then its own limits. Pure."""

from collections.abc import Iterator

from parcelgate.carriers.accounts import AccountConfig
from parcelgate.carriers.results import Examination
from parcelgate.carriers.toolkit import fields
from parcelgate.carriers.toolkit.fields import Place
from parcelgate.domain.measures import WeightUnit
from parcelgate.domain.orders import Order
from parcelgate.domain.problems import FieldError, Notice
from tests.toy_carrier.pigeon.settings import CarrierSettings

MAX_BAGS = 3

SENT, REFUSED, NOT_SENT = Place.SENT, Place.REFUSED, Place.NOT_SENT

# A real carrier's table has every field of the body, and a test that says so.
FIELDS: fields.Fields = {
    "/reference": (SENT, "ref, word for word"),
    "/ship_to/name": (SENT, "name"),
    "/ship_to/line1": (SENT, "roof"),
    "/ship_to/email": (NOT_SENT, "A pigeon cannot read e-mail"),
    "/parcels/*/reference": (SENT, "bagRef"),
    "/parcels/*/weight": (SENT, "grams"),
    "/parcels/*/tracking_number": (REFUSED, "A pigeon has its ring already"),
    "/options/locker": (REFUSED, "A pigeon cannot open a locker"),
}


def examine(order: Order, account: AccountConfig, settings: CarrierSettings) -> Examination:
    """What the post would say of `order`."""
    unsent = fields.given(order, account, FIELDS, NOT_SENT)
    return Examination(
        errors=tuple(_errors(order, account, settings)),
        warnings=tuple(Notice(pointer, "not_sent", f"{reason}.") for pointer, reason in unsent),
    )


def _errors(order: Order, account: AccountConfig, settings: CarrierSettings) -> Iterator[FieldError]:
    for pointer, reason in fields.given(order, account, FIELDS, REFUSED):
        yield FieldError(pointer, "not_supported_by_carrier", f"{reason}.")
    if order.ship_to.country != "GB":
        yield FieldError("/ship_to/country", "unsupported_country", "Pigeons stay on the island.")
    if len(order.parcels) > MAX_BAGS:
        yield FieldError("/parcels", "too_many", f"A flight has at most {MAX_BAGS} bags.")
    for place, parcel in enumerate(order.parcels):
        if parcel.weight.to(WeightUnit.G) > settings.max_grams:
            text = f"A pigeon lifts {settings.max_grams} g."
            yield FieldError(f"/parcels/{place}/weight/value", "out_of_range", text)
