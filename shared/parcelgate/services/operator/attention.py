"""What needs a person, the worst first.

=================  ====================================================================  ====================
kind               what it is                                                            since
=================  ====================================================================  ====================
account            a carrier account whose calls are stopped or paused, or whose login   the trouble began
                   is refused
refund             money that the carrier did not give back in time                      the order stopped
order              `needs_attention`, then orders with `attention`                       the trouble began
dead_letter        a dead-letter queue of the stack with messages in it                  its oldest message
endpoint           a webhook endpoint that was disabled: it is gone, or failed for days  it was disabled
refund             a refund that was taken a week ago, and nobody saw the money          it was asked for
delivery           a carrier's webhook that could not be used                            it came
=================  ====================================================================  ====================

Everything stands in lists of its own, so nothing is searched and pages are full. Within a kind the longest
waiting comes first.
"""

import base64
import binascii
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from parcelgate.domain.clock import Clock, now
from parcelgate.domain.merchants.endpoints import DisabledReason
from parcelgate.domain.orders import Concern, Order, OrderStatus
from parcelgate.services.operator.dead_letters import DeadLetters
from parcelgate.store import keys, lists
from parcelgate.store.errors import BadCursorError
from parcelgate.store.lists import Page

if TYPE_CHECKING:
    from parcelgate.store.merchant_events.table import EventsTable, TenantEvents
    from parcelgate.store.table import Table, TenantTable

REFUND_PATIENCE = timedelta(days=7)
"""How long after a carrier took a refund a person is asked to see whether the money came."""
_CHECKSUM = 12


class AttentionProblem(msgspec.Struct, frozen=True):
    """What is wrong, in a code and a sentence."""

    code: str
    detail: str


class AttentionEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that needs a person, and what a person can do about it."""

    kind: str
    id: str
    since: datetime | None
    carrier: str | None
    problem: AttentionProblem
    actions: tuple[str, ...]


class _Placed(NamedTuple):
    place: str
    entry: AttentionEntry


type _Section = Callable[[str | None, int], list[_Placed]]
"""Entries behind a place, at most so many. Fewer are the last ones."""


class AttentionList(msgspec.Struct, frozen=True):
    """Reads what needs a person of a tenant."""

    table: "Table"
    events: "EventsTable"
    dead_letters: DeadLetters
    clock: Clock = now

    def page(self, tenant: str, *, limit: int, cursor: str | None) -> Page[AttentionEntry]:
        """One page, full unless it is the last. Raises BadCursorError for a cursor of another list."""
        sections = self._sections(tenant)
        first, after = (0, None) if cursor is None else _position(cursor, tenant, len(sections))
        found: list[tuple[int, _Placed]] = []
        for number, section in enumerate(sections):
            if number < first or len(found) > limit:
                continue
            behind = after if number == first else None
            found += [(number, placed) for placed in section(behind, limit + 1 - len(found))]
        entries = [placed.entry for _, placed in found[:limit]]
        if len(found) <= limit:
            return Page(entries, None)
        number, last = found[limit - 1]
        return Page(entries, _cursor(number, last.place, tenant))

    def _sections(self, tenant: str) -> list[_Section]:
        own = self.table.tenant(tenant)
        at = self.clock()
        return [
            lambda after, limit: _behind(_accounts(own), after, limit),
            partial(_orders, own, Concern.REFUND_GIVEN_UP, at),
            partial(_orders, own, Concern.NEEDS_ATTENTION, at),
            partial(_orders, own, Concern.ATTENTION, at),
            lambda after, limit: _behind(self._dead_letters(tenant), after, limit),
            lambda after, limit: _behind(_endpoints(self.events.tenant(tenant)), after, limit),
            partial(_orders, own, Concern.REFUND_OUTSTANDING, at - REFUND_PATIENCE),
            partial(_webhooks, own, at),
        ]

    def _dead_letters(self, tenant: str) -> Iterable[_Placed]:
        for queue in self.dead_letters.all(tenant):
            if queue.messages:
                messages = "1 message" if queue.messages == 1 else f"{queue.messages} messages"
                detail = f"About {messages} of the stack could not be processed."
                entry = AttentionEntry(
                    kind="dead_letter",
                    id=queue.queue,
                    since=queue.oldest,
                    carrier=None,
                    problem=AttentionProblem("dead_letters", detail),
                    actions=("redrive",) if queue.redrivable else (),
                )
                yield _Placed(queue.queue, entry)


def _accounts(own: "TenantTable") -> Iterable[_Placed]:
    for carrier, account in own.account_names.all():
        record = own.limits(carrier, account).record()
        actions: tuple[str, ...] = ("check",)
        if record.pause is not None:
            since: datetime | None = record.pause.since
            problem = AttentionProblem(
                "account_paused",
                f"No calls are made: {record.pause.by} has paused them. {record.pause.reason}",
            )
            actions = ("resume",)
        elif record.down_until is not None:
            since = record.failing_since
            problem = AttentionProblem(
                "carrier_down", f"No calls are made. The last error: {record.failure}."
            )
        elif record.refused_at is not None:
            since = record.refused_at
            detail = "The carrier does not accept the account's login."
            problem = AttentionProblem("credentials_refused", detail)
        else:
            continue
        name = f"{carrier}/{account}"
        entry = AttentionEntry(
            kind="account", id=name, since=since, carrier=carrier, problem=problem, actions=actions
        )
        yield _Placed(name, entry)


_DISABLED = {
    DisabledReason.GONE: "Events are not sent any more: it answered 410, which says that it is gone.",
    DisabledReason.FAILING: "Events are not sent any more: all attempts of five days failed.",
}


def _endpoints(own: "TenantEvents") -> Iterable[_Placed]:
    """Endpoints that were disabled, save by the merchant itself; the longest disabled first."""
    placed = [
        _Placed(
            keys.list_position(endpoint.disabled_at, endpoint.id),
            AttentionEntry(
                kind="endpoint",
                id=endpoint.id,
                since=endpoint.disabled_at,
                carrier=None,
                problem=AttentionProblem("endpoint_disabled", _DISABLED[endpoint.disabled_reason]),
                actions=("check",),
            ),
        )
        for endpoint in own.endpoints.all()
        if endpoint.disabled_reason in _DISABLED and endpoint.disabled_at is not None
    ]
    return sorted(placed, key=lambda each: each.place)


_UNKNOWN = (
    "Nobody can tell whether the carrier has the order. Look it up with the carrier by its reference: "
    "if the carrier has it, reread it; if not, close it."
)


def _orders(
    own: "TenantTable", concern: Concern, until: datetime, after: str | None, limit: int
) -> list[_Placed]:
    found = own.orders.concerning(concern, until=until, after=after, limit=limit)
    return [_Placed(place, _order(order, concern, lists.moment_at(place))) for place, order in found]


def _order(order: Order, concern: Concern, since: datetime) -> AttentionEntry:
    is_refund = concern in (Concern.REFUND_GIVEN_UP, Concern.REFUND_OUTSTANDING)
    problem = order.attention if concern is Concern.ATTENTION else order.problem
    if concern is Concern.REFUND_OUTSTANDING:
        shown = AttentionProblem("refund_outstanding", "See whether the carrier has given back the money.")
    elif problem is None or (concern is Concern.NEEDS_ATTENTION and problem.code == "outcome_unknown"):
        # The order's own words are for the client, and tell it to ask the operator.
        shown = AttentionProblem("outcome_unknown", _UNKNOWN)
    else:
        shown = AttentionProblem(problem.code, problem.detail)
    return AttentionEntry(
        kind="refund" if is_refund else "order",
        id=order.id,
        since=since,
        carrier=order.carrier,
        problem=shown,
        actions=_actions(order, concern),
    )


def _actions(order: Order, concern: Concern) -> tuple[str, ...]:
    if concern is Concern.REFUND_OUTSTANDING:
        return ("close",)
    if order.status in (OrderStatus.NEEDS_ATTENTION, OrderStatus.FAILED):
        return ("reread", "close")
    if order.status is OrderStatus.CONFIRMED:
        return ("reread",)
    # It goes on by itself once its account is mended.
    return ("check",)


def _webhooks(own: "TenantTable", until: datetime, after: str | None, limit: int) -> list[_Placed]:
    return [
        _Placed(
            webhook.place,
            AttentionEntry(
                kind="delivery",
                id=webhook.name,
                since=webhook.received_at,
                carrier=webhook.carrier,
                problem=AttentionProblem("webhook_parked", f"It could not be used: {webhook.reason}."),
                actions=("replay",),
            ),
        )
        for webhook in own.inbox.longest_parked(until=until, after=after, limit=limit)
    ]


def _behind(placed: Iterable[_Placed], after: str | None, limit: int) -> list[_Placed]:
    """Those of a short list, in the sequence of their places, that are behind a place."""
    return [each for each in placed if after is None or each.place > after][:limit]


def _cursor(section: int, place: str, tenant: str) -> str:
    text = f"{section}#{place}".encode()
    return base64.urlsafe_b64encode(_checksum(text, tenant) + text).decode().rstrip("=")


def _position(cursor: str, tenant: str, sections: int) -> tuple[int, str]:
    """A forged cursor can only begin the caller's own list at another place."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        section, _, place = raw[_CHECKSUM:].decode().partition("#")
        number = int(section)
    except (binascii.Error, ValueError) as error:
        raise BadCursorError("the cursor cannot be read") from error
    if not 0 <= number < sections or _cursor(number, place, tenant) != cursor:
        raise BadCursorError("the cursor belongs to another list")
    return number, place


def _checksum(text: bytes, tenant: str) -> bytes:
    return sha256(b"attention\0" + tenant.encode() + b"\0" + text).digest()[:_CHECKSUM]
