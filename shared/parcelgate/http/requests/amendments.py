"""Apply a JSON merge patch (RFC 7396) to the body with which an order was created. Pure."""

import json
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any

from parcelgate.domain.orders import Order
from parcelgate.domain.problems import FieldError, invalid
from parcelgate.http.answers import Site, encode
from parcelgate.http.requests.formats.reading import pointer
from parcelgate.http.requests.orders import OrderInput, ParcelInput, customs_of_items, read_order
from parcelgate.http.resources.orders import order_resource
from parcelgate.services.orders.change import Amendment
from parcelgate.services.orders.create import Draft

CHANGEABLE = ("ship_to", "parcels", "customs", "options", "metadata")

_PATCHED_PARCEL_FIELDS = ParcelInput.names - {"tracking_number"}
"""The fields of a parcel that a patch is merged into. A patch cannot change tracking numbers."""


def read_amendment(body: object, *, carriers: Collection[str]) -> Amendment:
    """Read a patch of an order. Raises ProblemError for a body that has fixed or unknown fields."""
    if not isinstance(body, dict):
        raise invalid([FieldError("", "type", "Must be an object.")])
    wrong = [_not_to_be_changed(name) for name in body if name not in CHANGEABLE]
    if wrong:
        raise invalid(wrong)

    def draft(order: Order) -> Draft:
        patched = merged(create_body(order, body), body)
        return read_order(
            patched, carriers=carriers, tenant=order.tenant, order_id=order.id, now=order.created_at
        )

    return Amendment(draft, metadata_only=set(body) <= {"metadata"})


def merged(target: Any, patch: Any) -> Any:
    """Apply a merge patch to a target, as RFC 7396 defines it.

    >>> merged({"a": {"b": 1, "c": 2}}, {"a": {"b": None}})
    {'a': {'c': 2}}
    """
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def create_body(order: Order, patch: Mapping[str, Any]) -> dict[str, Any]:
    """Make the create body of a stored order, without the fields that must be derived again after the patch.

    The value and the description of the customs declaration are derived from the items, unless the client
    gave others.
    """
    shown = json.loads(encode(order_resource(order, Site())), parse_float=Decimal)
    body: dict[str, Any] = {name: shown[name] for name in OrderInput.names if name in shown}
    body["label"] = {name: shown["label"][name] for name in ("format", "size", "dpi")}
    body["parcels"] = [
        {name: value for name, value in parcel.items() if name in _PATCHED_PARCEL_FIELDS}
        for parcel in shown["parcels"]
    ]
    if body["customs"] and "parcels" in patch:
        derived = customs_of_items(order.parcels)
        body["customs"] = {
            name: value
            for name, value in body["customs"].items()
            if getattr(order.customs, name, None) != derived.get(name, ...)
        }
    return body


def _not_to_be_changed(name: str) -> FieldError:
    if name in OrderInput.names:
        return FieldError(pointer([name]), "cannot_change", "Cannot be changed after the order is created.")
    return FieldError(pointer([name]), "unknown_field", "There is no such field. Leave it out.")
