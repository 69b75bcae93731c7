"""What an operator sees: what needs a person, parked webhooks and dead letters."""

from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Literal

import msgspec

from parcelgate.http.answers import copied
from parcelgate.services.operator.attention import AttentionEntry
from parcelgate.services.operator.dead_letters import DeadLetterQueue
from parcelgate.store.inbox import DISMISSED, PARKED, name_of, size_of, was_kept

if TYPE_CHECKING:
    from parcelgate.store.inbox import InboxEntry, ParkedWebhook


class AttentionPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of what needs a person. `next_cursor` leads to the next page; it is null on the last page."""

    data: tuple[AttentionEntry, ...]
    next_cursor: str | None


class ParkedWebhookResource(msgspec.Struct, frozen=True, kw_only=True):
    """A parked webhook. `size` is that of its body in bytes."""

    id: str
    carrier: str
    account: str
    order_id: str | None
    reason: str
    received_at: datetime
    parked_at: datetime | None
    size: int | None


class InboxPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of parked webhooks. `next_cursor` leads to the next page; it is null on the last page."""

    data: tuple[ParkedWebhookResource, ...]
    next_cursor: str | None


class DismissalResource(msgspec.Struct, frozen=True):
    """A person has dealt with a webhook: when, who, and how."""

    at: datetime
    by: str
    reason: str


class WebhookResource(msgspec.Struct, frozen=True, kw_only=True):
    """A carrier's webhook without its body.

    `sha256` is that of the body; it is null where only the size of a very long one is kept. `headers` are the
    names of those that are kept. `dismissed` is set when a person has dealt with it.
    """

    id: str
    carrier: str
    account: str
    order_id: str | None
    state: Literal["received", "processed", "parked", "dismissed"]
    reason: str | None
    received_at: datetime
    parked_at: datetime | None
    size: int
    sha256: str | None
    headers: tuple[str, ...]
    dismissed: DismissalResource | None = None


class DeadLetterList(msgspec.Struct, frozen=True):
    """All dead-letter queues of the stack."""

    data: tuple[DeadLetterQueue, ...]


class RedriveResource(msgspec.Struct, frozen=True):
    """How many messages were sent again, and about how many are left."""

    queue: str
    moved: int
    left: int


def parked_webhook(webhook: "ParkedWebhook") -> ParkedWebhookResource:
    """Show a parked webhook."""
    return copied(ParkedWebhookResource, webhook, id=webhook.name)


def webhook_resource(entry: "InboxEntry") -> WebhookResource:
    """Show a webhook without its body."""
    return copied(
        WebhookResource,
        entry,
        id=name_of(entry.id),
        parked_at=entry.closed_at if entry.state in (PARKED, DISMISSED) else None,
        size=size_of(entry.body),
        sha256=sha256(entry.body).hexdigest() if was_kept(entry.body) else None,
        headers=tuple(sorted(entry.headers)),
        dismissed=DismissalResource(*entry.dismissal) if entry.dismissal else None,
    )
