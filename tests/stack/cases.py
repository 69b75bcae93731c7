"""Every way LSO can behave, and how the order has to end. Posted at once when the tests begin."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.stack.shop import Body, Shop


@dataclass(frozen=True)
class Case:
    """One steering reference and its promised end."""

    reference: str
    status: str
    boxes: int = 1
    commits: int = 1
    label: str | None = "ready"
    problem: str | None = None
    changes: tuple[tuple[str, Any], ...] = ()


CASES = [
    Case("stack-one-box", "confirmed"),
    Case("stack-three-boxes", "confirmed", boxes=3),
    Case("stack-SBX-PENDING-5", "confirmed"),
    Case("stack-SBX-NOLABEL-3", "confirmed"),
    Case("stack-SBX-NOCALLBACK", "confirmed"),
    Case("stack-SBX-FAIL", "failed", label=None, problem="refused_by_carrier"),
    Case("stack-SBX-REJECT", "failed", commits=0, label=None, problem="refused_by_carrier"),
    Case("stack-SBX-LOST", "confirmed"),
    # The look-up that finds nothing is assumed, so nothing is sent again unless the account allows it.
    Case("stack-SBX-5XX-2", "needs_attention", commits=0, label=None, problem="outcome_unknown"),
    Case("stack-SBX-5XX-1", "needs_attention", commits=0, label=None, problem="outcome_unknown"),
    Case("stack-SBX-BADLABEL", "confirmed", label="unavailable"),
    Case("stack-SBX-GARBAGE", "confirmed"),
    Case("stack-SBX-EARLYCALLBACK", "confirmed"),
    Case(
        "stack-max-price",
        "failed",
        commits=0,
        label=None,
        problem="price_above_max",
        changes=(("options", {"max_price": {"amount": "0.01", "currency": "USD"}}),),
    ),
]

type Orders = Callable[[str], Body]
"""Waits for the order of a reference to end, and gives it."""


def posted(shop: Shop) -> Orders:
    """Post every case's order now: they go their ways while other tests run."""
    ids = {
        case.reference: shop.post(case.reference, boxes=case.boxes, **dict(case.changes))["id"]
        for case in CASES
    }
    return lambda reference: shop.settled(ids[reference])
