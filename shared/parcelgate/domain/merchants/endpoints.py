"""Webhook endpoints of merchants: which events each asks for, and how a delivery of one to it stands.

A *delivery* is one event on its way to one endpoint. An *attempt* is one call of the endpoint. Attempts go by
a plan (`Settings.delivery_plan`), and a replay begins the plan anew for the same delivery.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from parcelgate.domain.merchants.events import EventType

MOST_ENDPOINTS = 30
"""How many endpoints a tenant may have."""
MOST_FILTERS = 50
"""How many filters an endpoint may have: more than there are types."""
NOT_STORED = 0
"""The version of a delivery that nobody has stored yet."""
SECRET_OVERLAP = timedelta(hours=24)
"""How long a secret signs beside the one that has taken its place."""
FAILS_FOR = timedelta(days=5)
"""An endpoint without a success for so long is disabled at its next failure."""


class DisabledReason(StrEnum):
    """Why an endpoint gets no events."""

    BY_CLIENT = "disabled_by_client"
    GONE = "gone"
    """It answered 410."""
    FAILING = "failing"
    """All attempts of five days failed."""


class DeliveryState(StrEnum):
    """How a delivery stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where a merchant's events go. `version` grows with each change, and is the sequence of its events."""

    id: str
    tenant: str
    url: str
    events: tuple[str, ...]
    description: str | None
    created_at: datetime
    updated_at: datetime
    version: int = 1
    disabled_reason: DisabledReason | None = None
    disabled_at: datetime | None = None

    @property
    def enabled(self) -> bool:
        """Whether it gets events."""
        return self.disabled_reason is None

    def wants(self, kind: EventType) -> bool:
        """Whether one of its filters matches events of this type."""
        return any(matches(pattern, kind) for pattern in self.events)


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One call of an endpoint.

    Parameters
    ----------
    status
        The HTTP status of the answer; None without one.
    ms
        How long it took, in milliseconds; None for an attempt whose function died.
    body
        The beginning of the answer's body.
    error
        Why it is no success, in words; None for a success.
    """

    at: datetime
    status: int | None = None
    ms: int | None = None
    body: str | None = None
    error: str | None = None


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One event on its way to one endpoint.

    Parameters
    ----------
    attempts
        The latest attempts, oldest first.
    of_plan
        How many attempts of the plan were begun since the delivery or its latest replay began.
    next_attempt_at
        None once it is delivered or failed.
    began_at, lease_until
        Of the attempt that is under way: when it began, and how long it may last.
    reason
        Why it failed without its last attempt.
    """

    id: str
    tenant: str
    endpoint_id: str
    event_id: str
    event_type: EventType
    event_at: datetime
    created_at: datetime
    state: DeliveryState = DeliveryState.PENDING
    attempts: tuple[Attempt, ...] = ()
    of_plan: int = 0
    next_attempt_at: datetime | None = None
    began_at: datetime | None = None
    lease_until: datetime | None = None
    reason: str | None = None
    version: int = 1


def matches(pattern: str, kind: EventType) -> bool:
    """Whether a filter matches a type: `*`, a group such as `order.*`, or the type itself.

    >>> matches("order.*", EventType.ORDER_FAILED), matches("order.failed", EventType.ORDER_CONFIRMED)
    (True, False)
    """
    if pattern == "*":
        return True
    return kind.startswith(pattern[:-1]) if pattern.endswith(".*") else kind == pattern


def unknown_filters(patterns: Iterable[str]) -> list[int]:
    """The places of filters that match no type of event."""
    return [
        place
        for place, pattern in enumerate(patterns)
        if not any(matches(pattern, kind) for kind in EventType) or pattern == ".*"
    ]


def delivery_id(endpoint_id: str, event_id: str, *, at: datetime) -> str:
    """The id of the delivery of an event of the time `at`: the same one, however often it is made."""
    from parcelgate.domain.ids import fixed_id

    return fixed_id("whd", at, endpoint_id, event_id)
