"""Check an order for LME: a table of every field of the create body, then LME's own limits. Pure."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime

from parcelgate.carriers.accounts import AccountConfig
from parcelgate.carriers.lme.mapping.create import cargo
from parcelgate.carriers.lme.settings import CarrierSettings
from parcelgate.carriers.lme.wire import LONGEST_SIDE_METRES
from parcelgate.carriers.results import Examination
from parcelgate.carriers.toolkit import fields
from parcelgate.carriers.toolkit.fields import Place
from parcelgate.domain.measures import LengthUnit
from parcelgate.domain.orders import Order
from parcelgate.domain.places.addresses import Address
from parcelgate.domain.places.countries import has_known_states, is_country, state_code
from parcelgate.domain.problems import FieldError, Notice

SERVICE = "STANDARD"
"""LME has one service without a code. This is our name for it; it is not sent."""

_ORDER_NUMBER = re.compile(r"[A-Za-z][A-Za-z0-9]*?\d{14}", re.ASCII)
"""Pre-allocated numbers: a vendor code and 14 digits (public: createOrder's page)."""

SENT, OURS, REFUSED, NOT_SENT = Place.SENT, Place.OURS, Place.REFUSED, Place.NOT_SENT

FIELDS: fields.Fields = {
    "/carrier": (OURS, "chooses the carrier"),
    "/account": (OURS, "chooses the account"),
    "/service": (OURS, "LME has one service, which needs no name"),
    "/reference": (SENT, "outOrderNo, word for word"),
    "/ship_to/name": (SENT, "receiver.contact"),
    "/ship_to/company": (SENT, "receiver.company"),
    "/ship_to/phone": (SENT, "receiver.mobile; 123456789 if there is none"),
    "/ship_to/email": (SENT, "receiver.email"),
    "/ship_to/line1": (SENT, "receiver.address, all lines in one"),
    "/ship_to/line2": (SENT, "receiver.address"),
    "/ship_to/line3": (SENT, "receiver.address"),
    "/ship_to/city": (SENT, "receiver.city"),
    "/ship_to/state": (SENT, "receiver.province, in full"),
    "/ship_to/postcode": (SENT, "receiver.postCode"),
    "/ship_to/country": (SENT, "receiver.country in full, receiver.zoneCode"),
    "/ship_to/tax_id": (NOT_SENT, "LME has no field for a tax number"),
    "/ship_from/name": (SENT, "poster.contact"),
    "/ship_from/company": (SENT, "poster.company"),
    "/ship_from/phone": (SENT, "poster.mobile; 123456789 if there is none"),
    "/ship_from/email": (SENT, "poster.email"),
    "/ship_from/line1": (SENT, "poster.address, all lines in one"),
    "/ship_from/line2": (SENT, "poster.address"),
    "/ship_from/line3": (SENT, "poster.address"),
    "/ship_from/city": (SENT, "poster.city"),
    "/ship_from/state": (SENT, "poster.province, in full"),
    "/ship_from/postcode": (SENT, "poster.postCode"),
    "/ship_from/country": (SENT, "poster.country in full, poster.zoneCode"),
    "/ship_from/tax_id": (NOT_SENT, "LME has no field for a tax number"),
    "/return_to": (REFUSED, "LME has no field for a return address"),
    "/parcels/*/weight": (SENT, "totalWeight, kilograms"),
    "/parcels/*/dimensions": (SENT, "totalLength, totalWidth, totalHeight, metres"),
    "/parcels/*/volume": (NOT_SENT, "LME uses the dimensions instead"),
    "/parcels/*/reference": (NOT_SENT, "LME uses the order's reference only"),
    "/parcels/*/secondary_reference": (NOT_SENT, "LME has a field for one reference only"),
    "/parcels/*/tracking_number": (SENT, "orderNo, if LME has allocated it before"),
    "/parcels/*/description": (SENT, "cargoDesc, if customs has no description (assumed)"),
    "/parcels/*/native_description": (NOT_SENT, "LME has a field for one description only"),
    "/parcels/*/sku_on_label": (NOT_SENT, "LME does not print it on the label"),
    "/parcels/*/declared_value": (NOT_SENT, "LME has no field for a parcel's value"),
    "/parcels/*/items": (NOT_SENT, "LME has no field for a list of contents"),
    "/customs/description": (SENT, "cargoDesc"),
    "/customs/native_description": (NOT_SENT, "LME has a field for one description only"),
    "/customs/value": (NOT_SENT, "LME has no field for a customs value"),
    "/customs/incoterm": (REFUSED, "LME has no field for who pays the duties"),
    "/customs/battery": (REFUSED, "LME has no field for batteries"),
    "/customs/dangerous_goods": (REFUSED, "LME has no field for dangerous goods"),
    "/customs/vendor_id": (NOT_SENT, "LME has no field for a tax number"),
    "/customs/gst_exemption_code": (REFUSED, "LME has no field for an exemption from GST"),
    "/customs/abn": (NOT_SENT, "LME has no field for a tax number"),
    "/customs/sender_tax_id": (NOT_SENT, "LME has no field for a tax number"),
    "/customs/inject_port": (REFUSED, "LME has no field for a port"),
    "/options/authority_to_leave": (REFUSED, "LME has no field for permission to leave the parcel"),
    "/options/locker": (REFUSED, "LME has no field for delivery to a locker"),
    "/options/pick_up": (REFUSED, "LME offers no collection"),
    "/options/instruction": (SENT, "remark (assumed)"),
    "/options/sender_name": (NOT_SENT, "LME uses the name in ship_from"),
    "/options/facility": (REFUSED, "LME chooses the warehouse itself"),
    "/options/platform": (NOT_SENT, "LME has no field for the sales platform"),
    "/options/service_option": (REFUSED, "LME has no service options"),
    "/options/return_option": (REFUSED, "LME has no field for the treatment of returns"),
    "/options/delivery_window": (SENT, "preTimeStart, preTimeEnd"),
    "/options/max_price": (REFUSED, "LME gives no price to compare it with"),
    "/label/format": (OURS, "checked: LME's labels are PDF (assumed)"),
    "/label/size": (OURS, "checked: LME's labels are 4x6 (assumed)"),
    "/label/dpi": (NOT_SENT, "LME's labels are PDF, which has no resolution"),
    "/metadata": (OURS, "kept with the order"),
}
"""The create body, field by field. For SENT, the text is LME's name; otherwise it is the reason."""


def examine(order: Order, account: AccountConfig, settings: CarrierSettings, now: datetime) -> Examination:
    """Check `order` against LME's fields and limits, for `account` and at this moment."""
    errors = [*_refused(order, account), *_limits(order, account, settings, now)]
    return Examination(errors=tuple(errors), warnings=tuple(_warnings(order, account, settings)))


def _refused(order: Order, account: AccountConfig) -> Iterator[FieldError]:
    for pointer, reason in fields.given(order, account, FIELDS, REFUSED):
        yield FieldError(pointer, "not_supported_by_carrier", f"{reason}. Leave it out.")
    if order.label.format != "pdf":
        yield FieldError("/label/format", "not_supported_by_carrier", "LME's labels are PDF. Ask for pdf.")
    if order.label.size != "4x6":
        yield FieldError(
            "/label/size", "not_supported_by_carrier", "LME's labels are 4x6 inches. Ask for 4x6."
        )


def _warnings(order: Order, account: AccountConfig, settings: CarrierSettings) -> Iterator[Notice]:
    sides = {"/ship_to": order.ship_to}
    if order.ship_from is not None and order.ship_from != account.ship_from:
        sides["/ship_from"] = order.ship_from
    for side, address in sides.items():
        if not address.phone:
            message = f"LME requires a phone number, so {settings.missing_phone} is sent. Give the real one."
            yield Notice(f"{side}/phone", "defaulted", message)
    for pointer, reason in fields.given(order, account, FIELDS, NOT_SENT):
        yield Notice(pointer, "not_sent", f"Not sent: {reason}.")
    for index, parcel in enumerate(order.parcels):
        if parcel.description and parcel.description != cargo(order):
            message = "Not sent: LME has a field for one description only, and gets customs.description."
            yield Notice(f"/parcels/{index}/description", "not_sent", message)


def _limits(
    order: Order, account: AccountConfig, settings: CarrierSettings, now: datetime
) -> Iterator[FieldError]:
    if order.service and order.service != SERVICE:
        yield FieldError(
            "/service",
            "unknown_service",
            f"LME has one service. Leave this out, or send {SERVICE}: see GET /v1/carriers/lme/services.",
        )
    yield from _destination(order.ship_to, settings)
    sender = order.ship_from or account.ship_from
    if sender is None:
        yield FieldError(
            "/ship_from", "missing", "LME requires a sender. Give ship_from, or store one in the account."
        )
    else:
        yield from _sender(sender)
    if len(order.parcels) != 1:
        yield FieldError(
            "/parcels", "too_many", "LME takes one parcel per order. Create an order for each parcel."
        )
    for index, parcel in enumerate(order.parcels):
        at = f"/parcels/{index}"
        if parcel.weight.value <= 0:
            yield FieldError(f"{at}/weight/value", "out_of_range", "Must be greater than 0.")
        sides = parcel.dimensions.to(LengthUnit.M) if parcel.dimensions else ()
        for name, metres in zip(("length", "width", "height"), sides, strict=False):
            if not 0 < metres <= LONGEST_SIDE_METRES:
                message = f"Must be greater than 0 and at most {LONGEST_SIDE_METRES} m for LME."
                yield FieldError(f"{at}/dimensions/{name}", "out_of_range", message)
        if parcel.tracking_number and not _ORDER_NUMBER.fullmatch(parcel.tracking_number):
            message = "Must be one of LME's numbers: a vendor code and 14 digits, such as FHE16753011400000."
            yield FieldError(f"{at}/tracking_number", "format", message)
    window = order.options.delivery_window
    if window is not None and window.from_ <= now:
        yield FieldError("/options/delivery_window/from", "out_of_range", "Must be a time in the future.")


def _sender(sender: Address) -> Iterator[FieldError]:
    """Check the sender. The account's own sender was not checked by the contract's rules before."""
    for name in ("name", "line1", "city"):
        if not getattr(sender, name):
            yield FieldError(
                f"/ship_from/{name}",
                "missing",
                f"LME requires the sender's {name}. Give it in ship_from, or in the account.",
            )
    if not is_country(sender.country):
        yield FieldError(
            "/ship_from/country", "unknown_value", "Must be the two letters of a country (ISO 3166-1)."
        )
    yield from _state(sender, "/ship_from")


def _destination(to: Address, settings: CarrierSettings) -> Iterator[FieldError]:
    if to.country not in settings.countries:
        message = f"LME delivers to these countries only: {', '.join(settings.countries)}."
        yield FieldError("/ship_to/country", "unsupported_country", message)
        return
    yield from _state(to, "/ship_to")
    error = undeliverable(to, settings)
    if error:
        yield FieldError("/ship_to/postcode", *error)


def undeliverable(to: Address, settings: CarrierSettings) -> tuple[str, str] | None:
    """Check the postcode against the account's list for the country. Gives code and message, or None."""
    patterns = settings.deliverable_postcodes.get(to.country)
    if not patterns:
        return None
    if not to.postcode:
        return "missing", "Is required: LME delivers to certain postcodes of this country only."
    if is_listed(to.postcode, patterns):
        return None
    return "not_deliverable", "LME does not deliver to this postcode. Choose another carrier."


def is_listed(postcode: str, patterns: Iterable[str]) -> bool:
    """Whether a postcode matches a pattern such as `3000`, `2000-2234` or `V5*`. Blanks are ignored.

    A nine-digit US postcode (12345-6789) is compared by its first five digits.
    """
    bare = _bare(postcode)
    whole = bare[:5] if re.fullmatch(r"\d{9}", bare, re.ASCII) else bare
    for pattern in patterns:
        text = pattern.strip()
        first, dash, last = text.partition("-")
        if text.endswith("*"):
            matches = whole.startswith(_bare(text))
        elif dash:
            lowest, highest = _bare(first), _bare(last)
            matches = len(lowest) == len(whole) == len(highest) and lowest <= whole <= highest
        else:
            matches = whole == _bare(text)
        if matches:
            return True
    return False


def _bare(text: str) -> str:
    return "".join(character for character in text.upper() if character.isalnum())


def _state(address: Address, side: str) -> Iterator[FieldError]:
    known = not has_known_states(address.country) or state_code(address.country, address.state or "")
    if address.state and not known:
        yield FieldError(
            f"{side}/state", "unknown_state", "Must be the code or name of a state of the country."
        )
