"""What merchants are told: the models of events, one for each type, and how their `data` is made.

`type` is written by the models' tags. The event log keeps each event as the JSON that is shown and sent, so
these models describe it (the OpenAPI document, `docs/events`) and are made by nobody.
"""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, Any, Union

import msgspec

from parcelgate.domain.batches import Batch, Progress
from parcelgate.domain.merchants.events import EventType
from parcelgate.domain.orders import Order
from parcelgate.domain.trackings import ProofOfDelivery, Tracking, TrackingStatus
from parcelgate.http.answers import Site, encode
from parcelgate.http.resources.batches import BatchResource, batch_resource
from parcelgate.http.resources.endpoints import EndpointResource
from parcelgate.http.resources.orders import OrderResource, order_resource
from parcelgate.http.resources.trackings import TrackingResource, tracking_resource
from parcelgate.services.events.announcer import Rendering


class EventEnvelope(msgspec.Struct, frozen=True, kw_only=True):
    """What every event has: `sequence` grows within one order, batch, tracking or endpoint."""

    id: str
    timestamp: Annotated[datetime, msgspec.Meta(tz=True)]
    sequence: int


_ORDER, _TRACKING, _BATCH = OrderResource, TrackingResource, BatchResource

WORDS: Mapping[EventType, tuple[type[msgspec.Struct], str]] = MappingProxyType(
    {
        EventType.ORDER_CONFIRMED: (_ORDER, "The carrier has the order, and its parcels have their numbers."),
        EventType.ORDER_FAILED: (_ORDER, "Nothing was bought; `problem` says why. The order is over."),
        EventType.ORDER_CANCELLED: (_ORDER, "The carrier has taken the order back. The order is over."),
        EventType.ORDER_NEEDS_ATTENTION: (
            _ORDER,
            "The order does not go on by itself: `problem` says what a person has to look at.",
        ),
        EventType.ORDER_ATTENTION: (
            _ORDER,
            "Trouble that leaves the order's status alone: `attention` says what. After a cancellation that "
            "the carrier refused, `problem` says why the order is confirmed again.",
        ),
        EventType.LABEL_READY: (_ORDER, "The label can be had; again when a changed order has a new label."),
        EventType.LABEL_UNAVAILABLE: (_ORDER, "The carrier never gave a label that can be used."),
        EventType.BATCH_FINISHED: (_BATCH, "Nothing more is to be expected of any order of the batch."),
        EventType.TRACKING_UPDATED: (
            _TRACKING,
            "There is news of the parcel: its status, something that happened to it, or what the carrier "
            "says of its delivery.",
        ),
        EventType.TRACKING_OUT_FOR_DELIVERY: (_TRACKING, "The parcel is on its way to the door."),
        EventType.TRACKING_ATTEMPT_FAILED: (_TRACKING, "The parcel could not be handed over."),
        EventType.TRACKING_AVAILABLE_FOR_PICKUP: (_TRACKING, "The parcel waits to be collected."),
        EventType.TRACKING_DELIVERED: (_TRACKING, "The parcel was delivered."),
        EventType.TRACKING_EXCEPTION: (
            _TRACKING,
            "The parcel is in trouble; `status` says whether it is an exception, lost or damaged.",
        ),
        EventType.TRACKING_RETURNED: (_TRACKING, "The parcel is back at its sender."),
        EventType.ENDPOINT_DISABLED: (
            EndpointResource,
            "An endpoint gets no more events; `disabled_reason` says why. It goes to your other endpoints.",
        ),
        EventType.PING: (EndpointResource, "The test of an endpoint, sent to it alone."),
    }
)
"""What each type shows as its `data`, and what it means."""


def _model(kind: EventType) -> type[msgspec.Struct]:
    data, meaning = WORDS[kind]
    return msgspec.defstruct(
        kind.title().replace(".", "").replace("_", ""),
        [("data", data)],
        bases=(EventEnvelope,),
        module=__name__,
        namespace={"__doc__": meaning},
        tag_field="type",
        tag=str(kind),
        frozen=True,
        kw_only=True,
    )


EVENTS: Mapping[EventType, type[msgspec.Struct]] = MappingProxyType(
    {kind: _model(kind) for kind in EventType}
)
"""The model of each type."""
MerchantEvent: Any = Union[tuple(EVENTS.values())]  # noqa: UP007 - of as many as there are
"""Any event."""


class MerchantEventList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of events; `next_cursor` leads to the next one, null on the last."""

    data: tuple[MerchantEvent, ...]
    next_cursor: str | None


def rendering(site: Site) -> Rendering:
    """How the `data` of events is made: by what makes the API's answers."""

    def order(order: Order, delivery: Mapping[str, TrackingStatus]) -> bytes:
        return encode(order_resource(order, site, delivery))

    def tracking(tracking: Tracking, next_poll_at: datetime | None) -> bytes:
        if tracking.proof is not None:
            # Links that open pictures would be kept for longer than they open, and sent on.
            proof = ProofOfDelivery(expires_at=tracking.proof.expires_at)
            tracking = msgspec.structs.replace(tracking, proof=proof)
        return encode(tracking_resource(tracking, next_poll_at, site=site))

    def batch(batch: Batch, progress: Progress) -> bytes:
        return encode(batch_resource(batch, progress, site))

    return Rendering(order, tracking, batch)
