"""Checking the entries of a batch without buying anything: the errors and warnings of each."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from parcelgate.domain.batches import CheckedEntry
from parcelgate.domain.problems import FieldError, ProblemError
from parcelgate.services.batches.batches import shortened
from parcelgate.services.orders.create import Draft, examined

if TYPE_CHECKING:
    from parcelgate.services.accounts.carriers import Carriers


def check(drafts: Iterable[Draft], carriers: "Carriers") -> list[CheckedEntry]:
    """Check each draft against its carrier's limits, as a create does, and store nothing.

    A reference that an earlier entry of the same carrier account has is `reference_in_use`. References of
    orders that are stored are not looked up.
    """
    seen: set[tuple[str, str, str]] = set()
    checked = []
    for draft in drafts:
        entry = _checked(draft, carriers)
        order = draft.order
        if order is not None:
            key = (order.carrier, order.account, order.reference)
            if key in seen:
                twice = FieldError(
                    "/reference", "reference_in_use", "An earlier entry has this reference already."
                )
                entry = msgspec.structs.replace(entry, errors=(*entry.errors, twice))
            seen.add(key)
        checked.append(entry)
    return checked


def _checked(draft: Draft, carriers: "Carriers") -> CheckedEntry:
    try:
        order = examined(draft, carriers)
    except ProblemError as error:
        problem = error.problem
        errors = problem.errors or (FieldError("", problem.code, problem.detail),)
        return CheckedEntry(errors=shortened(errors))
    return CheckedEntry(warnings=order.warnings)
