"""Check an order for LSO: a table of every field of the create body, then the platform's limits. Pure."""

import re
from collections.abc import Iterator

from parcelgate.carriers.accounts import AccountConfig
from parcelgate.carriers.results import Examination
from parcelgate.carriers.toolkit import fields
from parcelgate.carriers.toolkit.fields import Place
from parcelgate.domain.measures import Money
from parcelgate.domain.orders import Order
from parcelgate.domain.places.countries import postcode, state_code
from parcelgate.domain.problems import FieldError, Notice

SERVICE = "GroundBasic"
"""The only service (documented, lso-order-commit, note 8)."""
_LISTED = "see GET /v1/carriers/lso/services"

COUNTRY = "US"
"""The only country (documented, lso-order-commit, `nationCode`)."""

MAX_PARCELS = 50
"""The contract's own limit; the document gives none."""
_PO_BOX = re.compile(r"\b(P\.?\s*O\.?\s*B(ox)?|Post\s+Office\s+Box)\.?\s*(#|No\.?)?\s*\d", re.IGNORECASE)
"""Matches a box at a post office with its number. No source says whether LSO takes one (assumed)."""

SHIP_FROM = "/ship_from"

SENT, OURS, REFUSED, NOT_SENT = Place.SENT, Place.OURS, Place.REFUSED, Place.NOT_SENT

FIELDS: fields.Fields = {
    "/carrier": (OURS, "chooses the carrier"),
    "/account": (OURS, "chooses the account"),
    "/service": (SENT, "lsoServiceType"),
    "/reference": (SENT, "customerNumber, word for word"),
    "/ship_to/name": (SENT, "receiver"),
    "/ship_to/company": (SENT, "receiveCompany; the name if there is none"),
    "/ship_to/phone": (SENT, "receiverPhone"),
    "/ship_to/email": (NOT_SENT, "LSO has no field for an e-mail address"),
    "/ship_to/line1": (SENT, "address1"),
    "/ship_to/line2": (SENT, "address2"),
    "/ship_to/line3": (REFUSED, "LSO has fields for two address lines only, and the third must not get lost"),
    "/ship_to/city": (SENT, "city"),
    "/ship_to/state": (SENT, "province, as a code"),
    "/ship_to/postcode": (SENT, "postcode"),
    "/ship_to/country": (SENT, "nationCode"),
    "/ship_to/tax_id": (NOT_SENT, "LSO delivers inside the US only and has no field for a tax number"),
    SHIP_FROM: (REFUSED, "LSO ships from a site of the account; choose it with options.sender_name"),
    "/return_to": (REFUSED, "LSO always returns a parcel to the site it came from"),
    "/parcels/*/weight": (SENT, "packWeight, pounds"),
    "/parcels/*/dimensions": (SENT, "boxLength, boxWidth, boxHight, inches"),
    "/parcels/*/volume": (NOT_SENT, "LSO uses the dimensions instead"),
    "/parcels/*/reference": (SENT, "orderDetails.referenceNo1, which replaces the order's"),
    "/parcels/*/secondary_reference": (SENT, "orderDetails.referenceNo2"),
    "/parcels/*/tracking_number": (REFUSED, "LSO assigns the numbers itself"),
    "/parcels/*/description": (NOT_SENT, "LSO has no field for a description"),
    "/parcels/*/native_description": (NOT_SENT, "LSO has no field for a description"),
    "/parcels/*/sku_on_label": (NOT_SENT, "LSO does not print it on the label"),
    "/parcels/*/declared_value": (SENT, "lsoDeclaredValue, in the account's currency"),
    "/parcels/*/items": (NOT_SENT, "LSO has no field for a list of contents"),
    "/customs/description": (NOT_SENT, "LSO delivers inside the US only"),
    "/customs/native_description": (NOT_SENT, "LSO delivers inside the US only"),
    "/customs/value": (NOT_SENT, "LSO delivers inside the US only"),
    "/customs/incoterm": (NOT_SENT, "LSO delivers inside the US only, where no duties are due"),
    "/customs/battery": (REFUSED, "LSO has no field for batteries"),
    "/customs/dangerous_goods": (REFUSED, "LSO has no field for dangerous goods"),
    "/customs/vendor_id": (NOT_SENT, "LSO delivers inside the US only"),
    "/customs/gst_exemption_code": (NOT_SENT, "LSO delivers inside the US only, where there is no GST"),
    "/customs/abn": (NOT_SENT, "LSO delivers inside the US only"),
    "/customs/sender_tax_id": (NOT_SENT, "LSO delivers inside the US only"),
    "/customs/inject_port": (NOT_SENT, "LSO delivers inside the US only"),
    "/options/authority_to_leave": (REFUSED, "LSO has no field for permission to leave the parcel"),
    "/options/locker": (REFUSED, "LSO has no field for delivery to a locker"),
    "/options/pick_up": (REFUSED, "LSO offers no collection through this platform"),
    "/options/instruction": (NOT_SENT, "LSO has no field for an instruction"),
    "/options/sender_name": (SENT, "systemSenderName"),
    "/options/facility": (REFUSED, "LSO's site is chosen with options.sender_name"),
    "/options/platform": (NOT_SENT, "LSO has no field for the sales platform"),
    "/options/service_option": (REFUSED, "GroundBasic has no service options"),
    "/options/return_option": (REFUSED, "LSO has no field for the treatment of returns"),
    "/options/delivery_window": (REFUSED, "LSO has no field for a delivery time"),
    "/options/max_price": (OURS, "compared with the fee preview"),
    "/label/format": (SENT, "checked: LSO's labels are PDF (assumed)"),
    "/label/size": (SENT, "checked: 4x5, padded to 4x6 (documented, note 3)"),
    "/label/dpi": (NOT_SENT, "LSO's labels are PDF, which has no resolution"),
    "/metadata": (OURS, "kept with the order"),
}
"""The create body, field by field. For SENT, the text is the platform's name (documented)."""


def examine(order: Order, account: AccountConfig, currency: str) -> Examination:
    """Check `order` against LSO's fields and limits, for `account`, whose prices are in `currency`."""
    errors = [*_refused(order, account), *_limits(order, currency)]
    return Examination(errors=tuple(errors), warnings=tuple(_warnings(order, account)))


def _refused(order: Order, account: AccountConfig) -> Iterator[FieldError]:
    for pointer, reason in fields.given(order, account, FIELDS, REFUSED):
        if not (pointer == SHIP_FROM and order.options.sender_name):
            yield FieldError(pointer, "not_supported_by_carrier", f"{reason}. Leave it out.")
    if order.label.format != "pdf":
        yield FieldError("/label/format", "not_supported_by_carrier", "LSO's labels are PDF. Ask for pdf.")
    if order.label.size != "4x6":
        yield FieldError(
            "/label/size", "not_supported_by_carrier", "LSO's labels are 4x6 inches. Ask for 4x6."
        )


def _warnings(order: Order, account: AccountConfig) -> Iterator[Notice]:
    if not order.ship_to.company:
        message = "LSO requires a company, so the name is sent as the company."
        yield Notice("/ship_to/company", "defaulted", message)
    for line in ("line1", "line2"):
        if _PO_BOX.search(getattr(order.ship_to, line) or ""):
            message = "This looks like a PO box. LSO delivers to a person: give the street if you can."
            yield Notice(f"/ship_to/{line}", "po_box", message)
    for pointer, reason in fields.given(order, account, FIELDS, NOT_SENT):
        yield Notice(pointer, "not_sent", f"Not sent: {reason}.")
    # options.sender_name already says where the parcel is shipped from.
    if order.options.sender_name and order.ship_from not in (None, account.ship_from):
        yield Notice(SHIP_FROM, "not_sent", f"Not sent: {FIELDS[SHIP_FROM][1]}.")


def _limits(order: Order, currency: str) -> Iterator[FieldError]:
    if not order.service:
        yield FieldError("/service", "missing", f"Is required by LSO: send {SERVICE}; {_LISTED}.")
    elif order.service != SERVICE:
        yield FieldError(
            "/service",
            "unknown_value",
            f"Must be {SERVICE}, LSO's only service here; {_LISTED}.",
        )
    yield from _address(order)
    if len(order.parcels) > MAX_PARCELS:
        yield FieldError(
            "/parcels",
            "too_many",
            f"LSO takes at most {MAX_PARCELS} parcels per order. Create several orders.",
        )
    for index, parcel in enumerate(order.parcels):
        at = f"/parcels/{index}"
        if parcel.weight.value <= 0:
            yield FieldError(f"{at}/weight/value", "out_of_range", "Must be greater than 0.")
        if parcel.dimensions is None:
            yield FieldError(
                f"{at}/dimensions", "missing", "Is required by LSO: give length, width and height."
            )
        else:
            for side in ("length", "width", "height"):
                if getattr(parcel.dimensions, side) <= 0:
                    yield FieldError(f"{at}/dimensions/{side}", "out_of_range", "Must be greater than 0.")
        yield from _money(parcel.declared_value, f"{at}/declared_value", currency)
    yield from _money(order.options.max_price, "/options/max_price", currency)


def _address(order: Order) -> Iterator[FieldError]:
    to = order.ship_to
    if to.country != COUNTRY:
        yield FieldError("/ship_to/country", "unknown_value", "Must be US: LSO delivers inside the US only.")
    for name in ("phone", "state", "postcode"):
        if not getattr(to, name):
            yield FieldError(f"/ship_to/{name}", "missing", f"Is required by LSO: give the {name}.")
    if to.country != COUNTRY:
        return
    if to.state and state_code(COUNTRY, to.state) is None:
        yield FieldError("/ship_to/state", "unknown_value", "Must be the code or name of a US state.")
    if to.postcode and to.postcode != postcode(COUNTRY, to.postcode):
        yield FieldError("/ship_to/postcode", "format", "Must have the form 12345 or 12345-6789.")


def _money(money: Money | None, pointer: str, currency: str) -> Iterator[FieldError]:
    if money is None:
        return
    if money.currency != currency:
        message = f"Must be {currency}, the currency of this account. Amounts are not converted."
        yield FieldError(f"{pointer}/currency", "currency_mismatch", message)
    if money.amount < 0:
        yield FieldError(f"{pointer}/amount", "out_of_range", "Must be 0 or more.")
