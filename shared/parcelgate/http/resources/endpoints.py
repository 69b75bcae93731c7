"""Webhook endpoints and deliveries, as merchants are shown them."""

from datetime import datetime

import msgspec

from parcelgate.domain.merchants.endpoints import Attempt, Delivery, DeliveryState, DisabledReason, Endpoint
from parcelgate.domain.merchants.events import EventType
from parcelgate.http.answers import copied, encode


class EndpointResource(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook endpoint. `disabled_reason` and `disabled_at` are null while it is enabled."""

    id: str
    url: str
    events: tuple[str, ...]
    description: str | None
    enabled: bool
    disabled_reason: DisabledReason | None
    disabled_at: datetime | None
    created_at: datetime
    updated_at: datetime


class NewSecretResource(EndpointResource, frozen=True, kw_only=True):
    """A webhook endpoint with its new secret, which is shown this once."""

    secret: str


class EndpointList(msgspec.Struct, frozen=True, kw_only=True):
    """All webhook endpoints of the tenant, oldest first."""

    data: tuple[EndpointResource, ...]


class DeliveryResource(msgspec.Struct, frozen=True, kw_only=True):
    """An event on its way to an endpoint. Each attempt says in `error` why it was no success.

    `reason` says why it failed where that was not its last attempt.
    """

    id: str
    endpoint_id: str
    event_id: str
    type: EventType
    state: DeliveryState
    attempts: tuple[Attempt, ...]
    next_attempt_at: datetime | None
    reason: str | None
    created_at: datetime


class DeliveryPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of deliveries; `next_cursor` leads to the next one, null on the last."""

    data: tuple[DeliveryResource, ...]
    next_cursor: str | None


def endpoint_resource(endpoint: Endpoint) -> EndpointResource:
    """Show an endpoint."""
    return copied(EndpointResource, endpoint)


def delivery_resource(delivery: Delivery) -> DeliveryResource:
    """Show a delivery."""
    return copied(DeliveryResource, delivery, type=delivery.event_type)


def endpoint_json(endpoint: Endpoint) -> bytes:
    """Show an endpoint as the `data` of an event."""
    return encode(endpoint_resource(endpoint))
