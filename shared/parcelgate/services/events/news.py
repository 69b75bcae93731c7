"""Which events a change means to a merchant. Pure: from a thing before and after to what is told of it.

| a change of an order | is told as |
|---|---|
| to `confirmed`, `failed`, `cancelled`, `needs_attention` | `order.<status>` |
| from `cancelling` back to `confirmed`: the carrier keeps it | `order.attention` |
| `attention` is set, or says something else | `order.attention` |
| the label is ready, also one that was fetched anew | `label.ready` |
| the label never came | `label.unavailable` |

| a change of a tracking | is told as |
|---|---|
| its status, an event that its recipient may see, the carrier's words on delivery | `tracking.updated` |
| its status became one of those that others wait for | besides `tracking.<that>` |

Whatever leaves all of this alone is no news: a poll that brings nothing, a note, an attempt that waits. That
a recipient's data was erased is no news either: the label and the words that are gone were told of before.
"""

from collections.abc import Iterator

from parcelgate.domain.batches import BatchRow
from parcelgate.domain.merchants.events import EventType
from parcelgate.domain.orders import LabelStatus, Order, OrderStatus
from parcelgate.domain.trackings import Tracking, TrackingStatus

_REACHED = {
    OrderStatus.CONFIRMED: EventType.ORDER_CONFIRMED,
    OrderStatus.FAILED: EventType.ORDER_FAILED,
    OrderStatus.CANCELLED: EventType.ORDER_CANCELLED,
    OrderStatus.NEEDS_ATTENTION: EventType.ORDER_NEEDS_ATTENTION,
}
_MOVED = {
    TrackingStatus.OUT_FOR_DELIVERY: EventType.TRACKING_OUT_FOR_DELIVERY,
    TrackingStatus.ATTEMPT_FAILED: EventType.TRACKING_ATTEMPT_FAILED,
    TrackingStatus.AVAILABLE_FOR_PICKUP: EventType.TRACKING_AVAILABLE_FOR_PICKUP,
    TrackingStatus.DELIVERED: EventType.TRACKING_DELIVERED,
    TrackingStatus.EXCEPTION: EventType.TRACKING_EXCEPTION,
    TrackingStatus.LOST: EventType.TRACKING_EXCEPTION,
    TrackingStatus.DAMAGED: EventType.TRACKING_EXCEPTION,
    TrackingStatus.RETURNED: EventType.TRACKING_RETURNED,
}
_LABELS = {
    LabelStatus.READY: EventType.LABEL_READY,
    LabelStatus.UNAVAILABLE: EventType.LABEL_UNAVAILABLE,
}
_OPEN = (OrderStatus.ACCEPTED, OrderStatus.PROCESSING)


def of_order(before: Order | None, after: Order) -> Iterator[EventType]:
    """The events that a change of an order means; `before` is None when it is new."""
    moved = before is None or before.status is not after.status
    kept = before is not None and before.status is OrderStatus.CANCELLING
    troubled = after.attention is not None and (
        before is None or before.attention is None or before.attention.code != after.attention.code
    )
    if moved and after.status is OrderStatus.CONFIRMED and kept:
        # It was told as confirmed before, and whoever wanted it cancelled must hear that it is not.
        troubled = True
    elif moved and after.status in _REACHED:
        yield _REACHED[after.status]
    if troubled:
        yield EventType.ORDER_ATTENTION
    label, earlier = after.label, None if before is None else before.label
    same = earlier is not None and (earlier.status, earlier.revision) == (label.status, label.revision)
    if label.status in _LABELS and not same and after.erased_at is None:
        yield _LABELS[label.status]


def of_tracking(before: Tracking | None, after: Tracking) -> Iterator[EventType]:
    """The events that a change of a tracking means: by what its recipient may see of it."""
    if after.erased_at is not None:
        return
    moved = after.status is not (before.status if before else TrackingStatus.PENDING)
    known = {event.id for event in before.events} if before else set()
    seen = any(event.visible_to_recipient and event.id not in known for event in after.events)
    said = before is not None and _words(before) != _words(after)
    if moved or seen or said:
        yield EventType.TRACKING_UPDATED
    if moved and after.status in _MOVED:
        yield _MOVED[after.status]


def settles(before: BatchRow | None, after: BatchRow) -> bool:
    """Whether an entry of a batch is settled by this very change, and the batch perhaps with it."""
    return after.status not in _OPEN and (before is None or before.status in _OPEN)


def _words(tracking: Tracking) -> tuple[object, ...]:
    said, taken_on = (tracking.estimated_delivery, tracking.signed_by), tracking.next_carrier
    return (
        *(each.text if each else None for each in said),
        (taken_on.carrier_code, taken_on.tracking_number) if taken_on else None,
    )
