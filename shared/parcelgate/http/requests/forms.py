"""What clients may send about carriers, and about orders that exist; `orders` has orders themselves."""

from collections.abc import Collection
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

from parcelgate.domain.addresses import Address
from parcelgate.domain.batches import MOST_ORDERS
from parcelgate.domain.problems import FieldError, Notice, invalid
from parcelgate.http.requests.orders import (
    Account,
    CarrierCode,
    Code,
    Input,
    OrderInput,
    ParcelInput,
    RecipientInput,
    checked,
    cleaned,
    read,
)
from parcelgate.http.requests.reading import WrongValueError, is_absent, lower
from parcelgate.services.orders.manifests import ManifestRequest

MOST_CLOSED = 300
"""Orders that one manifest may name: what the carrier with manifests takes in a call."""

_SAID_OF_AN_ADDRESS = frozenset(
    {"missing", "too_long", "format", "out_of_range", "unknown_value", "characters"}
)
"""What can be wrong with an address. Anything else is wrong with the question."""


class AmendmentInput(BaseModel):
    """A merge patch of an order: what is absent stays, null goes back to the default, lists are replaced."""

    model_config = ConfigDict(extra="forbid")
    ship_to: dict[str, Any] | None = None
    parcels: list[ParcelInput] | None = Field(None, description="All of them, under their references.")
    customs: dict[str, Any] | None = None
    options: dict[str, Any] | None = None
    metadata: dict[str, str | None] | None = None


class BatchInput(BaseModel):
    """Many orders. An entry that is no order spoils only itself."""

    model_config = ConfigDict(extra="forbid")
    orders: Annotated[list[OrderInput | Any], Field(min_length=1, max_length=MOST_ORDERS)]
    validate_only: Annotated[
        bool | None, Field(description="Only check the orders: nothing is stored and nothing is bought.")
    ] = None


class AddressCheckInput(Input):
    """An address to be checked."""

    carrier: CarrierCode
    account: Account = "default"
    address: Annotated[
        RecipientInput,
        WithJsonSchema(
            {"type": "object", "description": "An address as of an order, also one that is wrong."}
        ),
    ]


class ManifestInput(Input):
    """Orders to be closed with their carrier, all of one account. They cannot change afterwards."""

    carrier: CarrierCode
    account: Account = "default"
    order_ids: Annotated[list[Code], Field(min_length=1, max_length=MOST_CLOSED)]

    @model_validator(mode="after")
    def _each_once(self) -> "ManifestInput":
        if len(set(self.order_ids)) < len(self.order_ids):
            raise WrongValueError("not_unique", "order_ids names an order twice.")
        return self


class AddressQuestion(NamedTuple):
    """An address to be checked; None when it cannot be made out for what is `wrong` with it."""

    carrier: str
    account: str
    address: Address | None
    wrong: tuple[FieldError, ...]
    notices: tuple[FieldError, ...]
    """What was read in another way than it is written."""


def read_address(body: object, carriers: Collection[str]) -> AddressQuestion:
    """The address of a body, and what is wrong with that. Raises ProblemError for any other mistake."""
    notices: list[Notice] = []
    body = cleaned(body, "", notices)
    changes = tuple(FieldError(each.pointer, each.code, each.message) for each in notices)
    request, errors = checked(AddressCheckInput, body, carriers)
    wrong = tuple(error for error in errors if _is_about_the_address(error))
    if len(wrong) < len(errors):
        raise invalid(errors)
    if request is not None:
        return AddressQuestion(request.carrier, request.account, request.address.to_domain(), (), changes)
    # With an address that cannot be made out, the carrier and the account are good all the same.
    fields: dict[str, Any] = body if isinstance(body, dict) else {}
    account = fields.get("account")
    return AddressQuestion(
        str(lower(fields["carrier"])), "default" if is_absent(account) else str(account), None, wrong, changes
    )


def read_manifest(body: object, carriers: Collection[str]) -> ManifestRequest:
    """The orders that a body wants closed. Raises ProblemError with everything that is wrong."""
    request = read(ManifestInput, body, carriers)
    return ManifestRequest(
        carrier=request.carrier, account=request.account, order_ids=tuple(request.order_ids)
    )


def _is_about_the_address(error: FieldError) -> bool:
    return error.pointer.startswith("/address/") and error.code in _SAID_OF_AN_ADDRESS
