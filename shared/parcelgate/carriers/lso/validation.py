"""What LSO takes: every field of the create body in one table, then the platform's own limits. Pure."""

import re
from collections.abc import Iterator

from parcelgate.carriers.accounts import AccountConfig
from parcelgate.carriers.results import Examination
from parcelgate.carriers.toolkit import fields
from parcelgate.carriers.toolkit.fields import Place
from parcelgate.domain.countries import postcode, state_code
from parcelgate.domain.measures import Money
from parcelgate.domain.orders import Order
from parcelgate.domain.problems import FieldError, Notice

SERVICE = "GroundBasic"
"""The only service (documented, lso-order-commit, note 8)."""

COUNTRY = "US"
"""The only country (documented, lso-order-commit, `nationCode`)."""

MAX_PARCELS = 50
"""The contract's own limit; the document gives none."""
_PO_BOX = re.compile(r"\b(P\.?\s*O\.?\s*B(ox)?|Post\s+Office\s+Box)\.?\s*(#|No\.?)?\s*\d", re.IGNORECASE)
"""A box at a post office, whose number follows. Nobody has written down whether LSO takes one (assumed)."""

SHIP_FROM = "/ship_from"

SENT, OURS, REFUSED, NOT_SENT = Place.SENT, Place.OURS, Place.REFUSED, Place.NOT_SENT

FIELDS: fields.Fields = {
    "/carrier": (OURS, "chooses this adapter"),
    "/account": (OURS, "chooses the login"),
    "/service": (SENT, "lsoServiceType"),
    "/reference": (SENT, "customerNumber, word for word"),
    "/ship_to/name": (SENT, "receiver"),
    "/ship_to/company": (SENT, "receiveCompany; the name when there is none"),
    "/ship_to/phone": (SENT, "receiverPhone"),
    "/ship_to/email": (NOT_SENT, "LSO takes no e-mail address"),
    "/ship_to/line1": (SENT, "address1"),
    "/ship_to/line2": (SENT, "address2"),
    "/ship_to/line3": (REFUSED, "LSO takes two address lines, and a parcel needs all of its address"),
    "/ship_to/city": (SENT, "city"),
    "/ship_to/state": (SENT, "province, as a code"),
    "/ship_to/postcode": (SENT, "postcode"),
    "/ship_to/country": (SENT, "nationCode"),
    "/ship_to/tax_id": (NOT_SENT, "LSO delivers inside the US and takes no tax number"),
    SHIP_FROM: (REFUSED, "LSO ships from a site of the account, chosen by options.sender_name"),
    "/return_to": (REFUSED, "LSO returns parcels to the site they came from"),
    "/parcels/*/weight": (SENT, "packWeight, pounds"),
    "/parcels/*/dimensions": (SENT, "boxLength, boxWidth, boxHight, inches"),
    "/parcels/*/volume": (NOT_SENT, "LSO goes by the dimensions"),
    "/parcels/*/reference": (SENT, "orderDetails.referenceNo1, which wins over the order's"),
    "/parcels/*/secondary_reference": (SENT, "orderDetails.referenceNo2"),
    "/parcels/*/tracking_number": (REFUSED, "LSO gives the numbers itself"),
    "/parcels/*/description": (NOT_SENT, "LSO takes no description"),
    "/parcels/*/native_description": (NOT_SENT, "LSO takes no description"),
    "/parcels/*/sku_on_label": (NOT_SENT, "LSO's label has no room for it"),
    "/parcels/*/declared_value": (SENT, "lsoDeclaredValue, in the account's currency"),
    "/parcels/*/items": (NOT_SENT, "LSO takes no list of contents"),
    "/customs/description": (NOT_SENT, "LSO delivers inside the US"),
    "/customs/native_description": (NOT_SENT, "LSO delivers inside the US"),
    "/customs/value": (NOT_SENT, "LSO delivers inside the US"),
    "/customs/incoterm": (NOT_SENT, "LSO delivers inside the US, with no duties to be paid by anybody"),
    "/customs/battery": (REFUSED, "LSO cannot be told of batteries"),
    "/customs/dangerous_goods": (REFUSED, "LSO cannot be told of dangerous goods"),
    "/customs/vendor_id": (NOT_SENT, "LSO delivers inside the US"),
    "/customs/gst_exemption_code": (NOT_SENT, "LSO delivers inside the US, without GST to be exempt from"),
    "/customs/abn": (NOT_SENT, "LSO delivers inside the US"),
    "/customs/sender_tax_id": (NOT_SENT, "LSO delivers inside the US"),
    "/customs/inject_port": (NOT_SENT, "LSO delivers inside the US"),
    "/options/authority_to_leave": (REFUSED, "LSO cannot be told to leave a parcel"),
    "/options/locker": (REFUSED, "LSO cannot be told to deliver to a locker"),
    "/options/pick_up": (REFUSED, "the platform does not order collections"),
    "/options/instruction": (NOT_SENT, "LSO takes no instruction"),
    "/options/sender_name": (SENT, "systemSenderName"),
    "/options/facility": (REFUSED, "LSO's site is chosen by options.sender_name"),
    "/options/platform": (NOT_SENT, "LSO does not ask where something was sold"),
    "/options/service_option": (REFUSED, "GroundBasic has no options"),
    "/options/return_option": (REFUSED, "LSO cannot be told what to do with a return"),
    "/options/delivery_window": (REFUSED, "LSO cannot be told when to deliver"),
    "/options/max_price": (OURS, "held against the fee preview"),
    "/label/format": (SENT, "checked: LSO's labels are PDF (assumed)"),
    "/label/size": (SENT, "checked: 4x5, padded to 4x6 (documented, note 3)"),
    "/label/dpi": (NOT_SENT, "a PDF has no dots"),
    "/metadata": (OURS, "kept with the order"),
}
"""The create body, field by field. The word after SENT is the platform's name for it (documented)."""


def examine(order: Order, account: AccountConfig, currency: str) -> Examination:
    """What LSO would say of `order` on `account`, whose prices are in `currency`."""
    errors = [*_refused(order, account), *_limits(order, currency)]
    return Examination(errors=tuple(errors), warnings=tuple(_warnings(order, account)))


def _refused(order: Order, account: AccountConfig) -> Iterator[FieldError]:
    for pointer, reason in fields.given(order, account, FIELDS, REFUSED):
        if not (pointer == SHIP_FROM and order.options.sender_name):
            yield FieldError(pointer, "not_supported_by_carrier", f"{reason}.")
    if order.label.format != "pdf":
        yield FieldError("/label/format", "not_supported_by_carrier", "LSO's labels are PDF.")
    if order.label.size != "4x6":
        yield FieldError("/label/size", "not_supported_by_carrier", "LSO's labels are 4x6 inches.")


def _warnings(order: Order, account: AccountConfig) -> Iterator[Notice]:
    if not order.ship_to.company:
        message = "LSO wants a company: the name is sent in its place."
        yield Notice("/ship_to/company", "defaulted", message)
    for line in ("line1", "line2"):
        if _PO_BOX.search(getattr(order.ship_to, line) or ""):
            message = "This looks like a PO box, and LSO delivers by hand: give the street where you can."
            yield Notice(f"/ship_to/{line}", "po_box", message)
    for pointer, reason in fields.given(order, account, FIELDS, NOT_SENT):
        yield Notice(pointer, "not_sent", f"{reason}.")
    # Whoever has chosen the site has said where the parcel is shipped from.
    if order.options.sender_name and order.ship_from not in (None, account.ship_from):
        yield Notice(SHIP_FROM, "not_sent", f"{FIELDS[SHIP_FROM][1]}.")


def _limits(order: Order, currency: str) -> Iterator[FieldError]:
    if not order.service:
        yield FieldError("/service", "missing", f"LSO needs a service: {SERVICE}.")
    elif order.service != SERVICE:
        yield FieldError(
            "/service",
            "unknown_value",
            f"Must be {SERVICE}, LSO's only service here: see GET /v1/carriers/lso/services.",
        )
    yield from _address(order)
    if len(order.parcels) > MAX_PARCELS:
        yield FieldError("/parcels", "too_many", f"LSO takes at most {MAX_PARCELS} parcels.")
    for index, parcel in enumerate(order.parcels):
        at = f"/parcels/{index}"
        if parcel.weight.value <= 0:
            yield FieldError(f"{at}/weight/value", "out_of_range", "A parcel weighs more than nothing.")
        if parcel.dimensions is None:
            yield FieldError(f"{at}/dimensions", "missing", "LSO needs length, width and height.")
        else:
            for side in ("length", "width", "height"):
                if getattr(parcel.dimensions, side) <= 0:
                    yield FieldError(f"{at}/dimensions/{side}", "out_of_range", "It must be above 0.")
        yield from _money(parcel.declared_value, f"{at}/declared_value", currency)
    yield from _money(order.options.max_price, "/options/max_price", currency)


def _address(order: Order) -> Iterator[FieldError]:
    to = order.ship_to
    if to.country != COUNTRY:
        yield FieldError("/ship_to/country", "unknown_value", "Must be US: LSO delivers nowhere else.")
    for name in ("phone", "state", "postcode"):
        if not getattr(to, name):
            yield FieldError(f"/ship_to/{name}", "missing", f"LSO needs the {name}.")
    if to.country != COUNTRY:
        return
    if to.state and state_code(COUNTRY, to.state) is None:
        yield FieldError("/ship_to/state", "unknown_value", "Must be a US state's code or name.")
    if to.postcode and to.postcode != postcode(COUNTRY, to.postcode):
        yield FieldError("/ship_to/postcode", "format", "Must be like 12345 or 12345-6789.")


def _money(money: Money | None, pointer: str, currency: str) -> Iterator[FieldError]:
    if money is None:
        return
    if money.currency != currency:
        message = f"This account's prices are in {currency}; nothing is converted."
        yield FieldError(f"{pointer}/currency", "currency_mismatch", message)
    if money.amount < 0:
        yield FieldError(f"{pointer}/amount", "out_of_range", "It must not be below 0.")
