"""Checking an address before anything is bought: by the carrier itself where it does that."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from parcelgate.carriers.accounts import AccountName
from parcelgate.carriers.port import Carrier, ValidatesAddresses
from parcelgate.carriers.results import AddressCheck
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.measures import Weight, WeightUnit
from parcelgate.domain.orders import Order, Parcel
from parcelgate.domain.places.addresses import Address
from parcelgate.domain.problems import FieldError
from parcelgate.observability.logs import bind_log_keys
from parcelgate.services import carrier_problems

if TYPE_CHECKING:
    from parcelgate.services.accounts.carriers import Carriers
    from parcelgate.store.table import Table


class CheckedAddress(NamedTuple):
    """The result, and who checked: `carrier` or `parcelgate`."""

    check: AddressCheck
    by: str


class AddressChecker(msgspec.Struct, frozen=True):
    """Checks addresses."""

    table: "Table"
    carriers: "Carriers"

    def check(
        self,
        tenant: str,
        carrier: str,
        account: str,
        address: Address | None,
        wrong: tuple[FieldError, ...],
        deadline: Deadline,
    ) -> CheckedAddress:
        """Check an address: our own field checks, then the carrier's limits, then the carrier itself.

        `wrong` is what the field checks found. If they found anything, the carrier is not asked.
        Raises ProblemError: `validation_failed` for an unknown carrier or account, `refused_by_carrier`
        or `carrier_unavailable`.
        """
        bind_log_keys(tenant=tenant, carrier=carrier)
        adapter = self.carriers.of(AccountName(tenant, carrier, account), deadline)
        if address is not None and not wrong:
            wrong = _limits(adapter, tenant, carrier, account, address)
        if address is None or wrong:
            return CheckedAddress(AddressCheck(valid=False, messages=wrong), "parcelgate")
        if not isinstance(adapter, ValidatesAddresses):
            return CheckedAddress(AddressCheck(valid=True), "parcelgate")
        with carrier_problems.raised():
            return CheckedAddress(adapter.validate_address(address), "carrier")


def _limits(
    carrier: Carrier, tenant: str, code: str, account: str, address: Address
) -> tuple[FieldError, ...]:
    """The address's errors by the carrier's own limits, as an order would have them."""
    moment = datetime.now(UTC)
    order = Order(
        id="",
        tenant=tenant,
        carrier=code,
        account=account,
        reference="address",
        ship_to=address,
        parcels=(Parcel(reference="address-1", weight=Weight(Decimal(1), WeightUnit.KG)),),
        created_at=moment,
        updated_at=moment,
    )
    return tuple(
        msgspec.structs.replace(error, pointer=error.pointer.replace("/ship_to", "/address", 1))
        for error in carrier.examine(order).errors
        if error.pointer.startswith("/ship_to")
    )
