"""The bodies of requests about existing orders, batches, prices, addresses, manifests (creates: `orders`)."""

from collections.abc import Collection
from datetime import datetime
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

from parcelgate.domain.batches import MOST_ORDERS
from parcelgate.domain.places.addresses import Address
from parcelgate.domain.problems import FieldError, Notice, invalid
from parcelgate.http.requests.formats.reading import WrongValueError, is_absent, lower
from parcelgate.http.requests.orders import (
    Account,
    CarrierCode,
    Code,
    Input,
    OrderInput,
    ParcelInput,
    RecipientInput,
    Short,
    checked,
    cleaned,
    read,
    read_order,
)
from parcelgate.services.catalogue.rates import RateQuestion
from parcelgate.services.orders.manifests import ManifestRequest

MOST_CLOSED = 300
"""The largest number of orders in one manifest: what UBI, the carrier with manifests, takes in one call."""

_CODES_OF_ADDRESSES = frozenset(
    {"missing", "too_long", "format", "out_of_range", "unknown_value", "characters"}
)
"""Error codes that make an address not valid. Any other error makes the request itself not valid."""


class AmendmentInput(BaseModel):
    """A merge patch. Absent fields keep their values; null sets the default; lists are replaced."""

    model_config = ConfigDict(extra="forbid")
    ship_to: dict[str, Any] | None = None
    parcels: list[ParcelInput] | None = Field(None, description="All parcels, each with its reference.")
    customs: dict[str, Any] | None = None
    options: dict[str, Any] | None = None
    metadata: dict[str, str | None] | None = None


class BatchInput(BaseModel):
    """Many orders. An entry that is not a valid order does not stop the others."""

    model_config = ConfigDict(extra="forbid")
    orders: Annotated[list[OrderInput | Any], Field(min_length=1, max_length=MOST_ORDERS)]
    validate_only: Annotated[
        bool | None, Field(description="Only check the orders: nothing is stored and nothing is bought.")
    ] = None


class RatesInput(OrderInput):
    """An order whose price is asked."""

    carrier: CarrierCode | None = Field(  # type: ignore[assignment] # read as an order's, once one is chosen
        None, description="Default: every carrier that the tenant has an account with."
    )
    account: Account | None = Field(  # type: ignore[assignment] # the same
        None, description="Default: `default`; every account where carrier or service is left out."
    )
    service: Short | None = Field(None, description="Default: every service.")


class AddressCheckInput(Input):
    """An address to be checked."""

    carrier: CarrierCode
    account: Account = "default"
    address: Annotated[
        RecipientInput,
        WithJsonSchema({"type": "object", "description": "An address as in an order. It need not be valid."}),
    ]


class ManifestInput(Input):
    """Orders of one account that the carrier shall close. A closed order cannot be changed."""

    carrier: CarrierCode
    account: Account = "default"
    order_ids: Annotated[list[Code], Field(min_length=1, max_length=MOST_CLOSED)]

    @model_validator(mode="after")
    def _each_once(self) -> "ManifestInput":
        if len(set(self.order_ids)) < len(self.order_ids):
            raise WrongValueError("not_unique", "An order is named twice in order_ids. Name each order once.")
        return self


class AddressQuestion(NamedTuple):
    """An address to be checked. `address` is None if it could not be read; `wrong` then says why."""

    carrier: str
    account: str
    address: Address | None
    wrong: tuple[FieldError, ...]
    notices: tuple[FieldError, ...]
    """Values that were corrected while they were read."""


def read_address(body: object, carriers: Collection[str]) -> AddressQuestion:
    """Read the address in a body, and its mistakes. Raises ProblemError for mistakes outside the address."""
    notices: list[Notice] = []
    body = cleaned(body, (), notices)
    changes = tuple(FieldError(each.pointer, each.code, each.message) for each in notices)
    request, errors = checked(AddressCheckInput, body, carriers)
    wrong = tuple(error for error in errors if _is_about_the_address(error))
    if len(wrong) < len(errors):
        raise invalid(errors)
    if request is not None:
        return AddressQuestion(request.carrier, request.account, request.address.to_domain(), (), changes)
    # Only the address is wrong here, so the carrier and the account can be used.
    fields: dict[str, Any] = body if isinstance(body, dict) else {}
    account = fields.get("account")
    return AddressQuestion(
        str(lower(fields["carrier"])), "default" if is_absent(account) else str(account), None, wrong, changes
    )


def read_rates(body: object, carriers: Collection[str], *, tenant: str, now: datetime) -> RateQuestion:
    """The order of a body, and of whom its price is asked. What is wrong stands in the draft."""
    fields: dict[str, Any] = body if isinstance(body, dict) else {}
    if is_absent(fields.get("carrier")):
        # Each carrier is asked later; what is wrong whoever it is shows with any of them.
        body = {**fields, "carrier": next(iter(carriers))} if isinstance(body, dict) else body
        carrier = None
    else:
        carrier = str(lower(fields["carrier"]))
    draft = read_order(body, carriers=carriers, tenant=tenant, order_id="", now=now)
    account = None if is_absent(fields.get("account")) else str(fields["account"])
    return RateQuestion(draft, carrier, account, draft.order.service if draft.order else None)


def read_manifest(body: object, carriers: Collection[str]) -> ManifestRequest:
    """Read which orders shall be closed. Raises ProblemError with every mistake in the body."""
    request = read(ManifestInput, body, carriers)
    return ManifestRequest(
        carrier=request.carrier, account=request.account, order_ids=tuple(request.order_ids)
    )


def _is_about_the_address(error: FieldError) -> bool:
    return error.pointer.startswith("/address/") and error.code in _CODES_OF_ADDRESSES
