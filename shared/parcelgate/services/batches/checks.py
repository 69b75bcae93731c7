"""Checking the entries of a batch without buying anything: the errors and warnings of each."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from parcelgate.domain.batches import CheckedEntry
from parcelgate.domain.orders import Order
from parcelgate.domain.problems import FieldError, ProblemError
from parcelgate.services.batches.batches import shortened
from parcelgate.services.orders.create import Draft, examined

if TYPE_CHECKING:
    from parcelgate.services.accounts.carriers import Carriers
    from parcelgate.store.table import TenantTable

type _Account = tuple[str, str]


def check(drafts: Iterable[Draft], carriers: "Carriers", table: "TenantTable") -> list[CheckedEntry]:
    """Check each draft against its carrier's limits, as a create does, and store nothing.

    A reference that an earlier entry or a living order of the same carrier account has is
    `reference_in_use`. A reference that only the carrier itself still holds is not noticed here.
    """
    every = list(drafts)
    named = {_name(draft.order) for draft in every if draft.order is not None}
    holders = table.orders.by_references(sorted(named))
    missing: dict[_Account, tuple[FieldError, ...]] = {}
    seen: set[tuple[str, str, str]] = set()
    checked = []
    for draft in every:
        entry = _checked(draft, carriers, missing)
        if draft.order is not None:
            name = _name(draft.order)
            if name in seen:
                entry = _in_use(entry, "An earlier entry has this reference already.")
            elif holder := holders.get(name):
                entry = _in_use(entry, f"The order {holder} of this carrier account uses this reference.")
            seen.add(name)
        checked.append(entry)
    return checked


def _checked(
    draft: Draft, carriers: "Carriers", missing: dict[_Account, tuple[FieldError, ...]]
) -> CheckedEntry:
    """Check one draft. `missing` remembers accounts that do not exist, so each is looked up only once."""
    order = draft.order
    account = (order.carrier, order.account) if order is not None else None
    if account in missing:
        return CheckedEntry(errors=shortened((*draft.errors, *missing[account])))
    try:
        found = examined(draft, carriers)
    except ProblemError as error:
        problem = error.problem
        if account is not None and (no_account := _unknown_account(problem.errors)):
            missing[account] = no_account
        return CheckedEntry(
            errors=shortened(problem.errors or (FieldError("", problem.code, problem.detail),))
        )
    return CheckedEntry(warnings=found.warnings)


def _unknown_account(errors: Iterable[FieldError]) -> tuple[FieldError, ...]:
    return tuple(error for error in errors if error.code == "unknown_account")


def _in_use(entry: CheckedEntry, message: str) -> CheckedEntry:
    taken = FieldError("/reference", "reference_in_use", message)
    return msgspec.structs.replace(entry, errors=(*entry.errors, taken))


def _name(order: Order) -> tuple[str, str, str]:
    return order.carrier, order.account, order.reference
