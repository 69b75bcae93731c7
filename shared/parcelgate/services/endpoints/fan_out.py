"""From an event to its deliveries: one for each endpoint that asks for it, put on the queue."""

from collections.abc import Sequence
from datetime import datetime
from itertools import batched
from typing import TYPE_CHECKING

import msgspec

from parcelgate.domain.clock import Clock, now
from parcelgate.domain.merchants.endpoints import NOT_STORED, Delivery, Endpoint, delivery_id
from parcelgate.domain.merchants.events import Event, EventType

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from parcelgate.store.merchant_events.table import EventsTable

_AT_ONCE = 10
"""What SendMessageBatch takes in one call."""


class DeliveryJob(msgspec.Struct, frozen=True, kw_only=True):
    """A message of the delivery queue: whose delivery, and which."""

    tenant: str
    delivery_id: str


class FirstDeliveryJob(msgspec.Struct, frozen=True, kw_only=True):
    """A message of the delivery queue: a delivery that is not stored before its first attempt.

    `made_at` is when it was put on the queue.
    """

    tenant: str
    endpoint_id: str
    event_id: str
    event_type: EventType
    event_at: datetime
    made_at: datetime

    def delivery(self) -> Delivery:
        """The delivery, as nobody has stored it."""
        return Delivery(
            id=delivery_id(self.endpoint_id, self.event_id, at=self.event_at),
            tenant=self.tenant,
            endpoint_id=self.endpoint_id,
            event_id=self.event_id,
            event_type=self.event_type,
            event_at=self.event_at,
            created_at=self.made_at,
            next_attempt_at=self.made_at,
            version=NOT_STORED,
        )


def read_job(body: str) -> DeliveryJob | FirstDeliveryJob:
    """Read a message of the delivery queue."""
    try:
        return msgspec.json.decode(body, type=FirstDeliveryJob)
    except msgspec.ValidationError:
        return msgspec.json.decode(body, type=DeliveryJob)


class DeliveryQueue(msgspec.Struct, frozen=True, kw_only=True):
    """The queue of events on their way. Each endpoint is a group of its own, so that queueing is fair."""

    sqs: "SQSClient"
    url: str

    def send(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        """Put deliveries on the queue. Returns those that it did not take. Raises what the client raises."""
        refused: list[Delivery] = []
        for batch in batched(deliveries, _AT_ONCE, strict=False):
            answer = self.sqs.send_message_batch(
                QueueUrl=self.url,
                Entries=[
                    {
                        "Id": str(place),
                        "MessageBody": _job(each),
                        "MessageGroupId": each.endpoint_id,
                    }
                    for place, each in enumerate(batch)
                ],
            )
            refused += [batch[int(entry["Id"])] for entry in answer.get("Failed", [])]
        return refused


class EventFanOut(msgspec.Struct, frozen=True, kw_only=True):
    """Makes the deliveries of events."""

    events: "EventsTable"
    queue: DeliveryQueue
    clock: Clock = now

    def fan_out(self, tenant: str, events: Sequence[Event], *, but: str | None = None) -> set[str]:
        """Have a tenant's events delivered. Returns the ids of those that must be given here again.

        A repeat sends nothing again that was sent already, unless that is under way. `but` is an endpoint
        that gets none. Raises StoreError, and what the queue's client raises: then all of them must be given
        here again.
        """
        own = self.events.tenant(tenant)
        endpoints = [each for each in own.endpoints.all() if each.enabled and each.id != but]
        made = [
            new_delivery(endpoint, event, self.clock)
            for event in events
            for endpoint in endpoints
            if endpoint.wants(event.type)
        ]
        return {each.event_id for each in self.queue.send(made)}


def new_delivery(endpoint: Endpoint, event: Event, clock: Clock) -> Delivery:
    """The delivery of an event to an endpoint, with its first attempt now. Nobody has stored it."""
    return FirstDeliveryJob(
        tenant=endpoint.tenant,
        endpoint_id=endpoint.id,
        event_id=event.id,
        event_type=event.type,
        event_at=event.at,
        made_at=clock(),
    ).delivery()


def _job(delivery: Delivery) -> str:
    job: DeliveryJob | FirstDeliveryJob
    if delivery.version == NOT_STORED:
        job = FirstDeliveryJob(
            tenant=delivery.tenant,
            endpoint_id=delivery.endpoint_id,
            event_id=delivery.event_id,
            event_type=delivery.event_type,
            event_at=delivery.event_at,
            made_at=delivery.created_at,
        )
    else:
        job = DeliveryJob(tenant=delivery.tenant, delivery_id=delivery.id)
    return msgspec.json.encode(job).decode()
