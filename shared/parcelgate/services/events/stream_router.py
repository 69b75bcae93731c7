"""The router of the table's stream: it sends on what must follow from a change of the table.

=============================================  ======================================================
change                                         what follows
=============================================  ======================================================
a webhook came in, or came again unprocessed   a message in the inbox queue
an order waits for its label, and no workflow  a message in the label queue
fetches it any more
an order has a new status, or its label        an event on the bus
a parcel moved                                 an event on the bus
an order got into trouble                      a metric and a log line; alarms ring by the metric
=============================================  ======================================================

Events hold ids only. They may repeat and may come out of order. Consumers order them by `sequence`, the
version of the order or the tracking.

A record that cannot be read is set aside with its keys and the reason, and the other records go on. What
AWS did not take is reported back, so that the stream brings it again.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import batched
from typing import TYPE_CHECKING, Any

import msgspec

from parcelgate.carriers import registry
from parcelgate.domain.orders import Label, LabelStatus, OrderStatus
from parcelgate.domain.trackings import TrackingStatus
from parcelgate.observability.logs import bind_log_keys, log, own_log_keys, safe_error_fields
from parcelgate.observability.metrics import count
from parcelgate.services.settings import Settings
from parcelgate.store import keys
from parcelgate.store.calls import Item, plain

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_sqs import SQSClient

SOURCE = "parcelgate"
"""The `source` of every event on the bus."""

_ANNOUNCED = {
    OrderStatus.CONFIRMED: "order.confirmed",
    OrderStatus.FAILED: "order.failed",
    OrderStatus.CANCELLED: "order.cancelled",
    OrderStatus.NEEDS_ATTENTION: "order.needs_attention",
}
_MOVES = {
    TrackingStatus.OUT_FOR_DELIVERY: "tracking.out_for_delivery",
    TrackingStatus.DELIVERED: "tracking.delivered",
    TrackingStatus.EXCEPTION: "tracking.exception",
    TrackingStatus.ATTEMPT_FAILED: "tracking.exception",
    TrackingStatus.LOST: "tracking.exception",
    TrackingStatus.DAMAGED: "tracking.exception",
}
"""What is announced besides `tracking.updated` when a parcel gets to one of these statuses."""
_AT_ONCE = 10
"""What SendMessageBatch and PutEvents take in one call."""

type Record = dict[str, Any]


class _Reason(msgspec.Struct, frozen=True):
    code: str


class _Origin(msgspec.Struct, frozen=True):
    correlation_id: str | None = None


class _Order(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a stored order that is published or counted."""

    id: str
    tenant: str
    carrier: str
    status: OrderStatus
    version: int
    updated_at: datetime
    correlation_id: str | None = None
    label: Label = Label()
    problem: _Reason | None = None
    attention: _Reason | None = None


class _Seen(msgspec.Struct, frozen=True):
    """The part of an event of a parcel that is needed."""

    id: str
    visible_to_recipient: bool = True


class _Tracking(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a stored tracking that is needed."""

    id: str
    tenant: str
    carrier: str
    status: TrackingStatus
    version: int
    updated_at: datetime
    order_id: str | None = None
    events: tuple[_Seen, ...] = ()


class _Message(msgspec.Struct, frozen=True):
    """What is to be sent because of one record of the stream."""

    sequence: str
    body: dict[str, Any]


class _Outbox(msgspec.Struct):
    """Everything to be sent because of a batch of records."""

    webhooks: list[_Message]
    labels: list[_Message]
    events: list[_Message]
    rejects: list[_Message]


class StreamRouter(msgspec.Struct, frozen=True, kw_only=True):
    """Sends on what follows from changes of the table."""

    sqs: "SQSClient"
    events: "EventBridgeClient"
    settings: Settings

    def route(self, records: Sequence[Record]) -> list[str]:
        """Send on what follows from `records`. Returns the sequence numbers of those that must come again."""
        outbox = _Outbox([], [], [], [])
        for record in records:
            with own_log_keys():
                try:
                    self._read(record, outbox)
                except Exception as error:
                    # A change that no request made is found by the id that the stream gives it.
                    bind_log_keys(correlation_id=record.get("eventID"))
                    log.error(
                        "a change of the table cannot be read; it is set aside",
                        extra=safe_error_fields(error),
                    )
                    count("ChangesSetAside")
                    outbox.rejects.append(_reject(record, error))
        ways = (
            (outbox.webhooks, lambda messages: self._queue(self.settings.inbox_queue_url, messages)),
            (outbox.labels, lambda messages: self._queue(self.settings.label_queue_url, messages)),
            (outbox.events, self._announce),
            (outbox.rejects, lambda messages: self._queue(self.settings.changes_dead_letter_url, messages)),
        )
        failed = {sequence for messages, send in ways for sequence in self._in_batches(messages, send)}
        return sorted(failed, key=lambda sequence: (len(sequence), sequence))

    def _read(self, record: Record, outbox: _Outbox) -> None:
        change = record["dynamodb"]
        if "NewImage" not in change:
            return
        after = plain(change["NewImage"])
        before = plain(change["OldImage"]) if "OldImage" in change else None
        name = keys.parse(after["pk"])
        if name is None:
            return
        bind_log_keys(tenant=name.tenant)
        sequence = change["SequenceNumber"]
        if name.kind == keys.INBOX:
            if "due_pk" in after and _sent_on_its_way(before, after):
                message = {"tenant": name.tenant, "id": name.id}
                if "correlation_id" in after:
                    message["correlation_id"] = after["correlation_id"]
                outbox.webhooks.append(_Message(sequence, message))
        elif name.kind == after["sk"] == keys.TRACKING:
            outbox.events += [_Message(sequence, event) for event in self._tracking_events(before, after)]
        elif name.kind == after["sk"] == keys.ORDER:
            bind_log_keys(order_id=name.id, correlation_id=_correlation_id(after["doc"]))
            order = msgspec.json.decode(after["doc"], type=_Order)
            bind_log_keys(carrier=order.carrier)
            old = None if before is None else msgspec.json.decode(before["doc"], type=_Order)
            outbox.events += [_Message(sequence, event) for event in self._order_events(old, order)]
            if _label_is_due(old, order):
                job = {
                    "tenant": order.tenant,
                    "order_id": order.id,
                    "since": order.updated_at,
                    "correlation_id": order.correlation_id,
                }
                outbox.labels.append(_Message(sequence, job))
            for kind in _troubles(old, order):
                log.warning("an order needs a person", extra={"trouble": kind})
                count("OrdersInTrouble", kind=kind)

    def _order_events(self, old: _Order | None, order: _Order) -> Iterable[dict[str, Any]]:
        """The events that follow from a change of an order."""
        if (old is None or old.status is not order.status) and order.status in _ANNOUNCED:
            yield self._event(_ANNOUNCED[order.status], order, order_id=order.id)
        if (old is None or old.label.status is not order.label.status) and order.label.status == "ready":
            yield self._event("label.ready", order, order_id=order.id)

    def _tracking_events(self, before: Item | None, after: Item) -> Iterable[dict[str, Any]]:
        """The events that follow from a change of a tracking. Only what the recipient may see counts."""
        if before is not None and before["version"] == after["version"]:
            return  # Only its next poll was planned. No event is published for that.
        tracking = msgspec.json.decode(after["doc"], type=_Tracking)
        old = None if before is None else msgspec.json.decode(before["doc"], type=_Tracking)
        known = {event.id for event in old.events} if old else set()
        moved = tracking.status is not (old.status if old else TrackingStatus.PENDING)
        kinds = []
        if moved or any(one.visible_to_recipient and one.id not in known for one in tracking.events):
            kinds.append("tracking.updated")
        if moved and tracking.status in _MOVES:
            kinds.append(_MOVES[tracking.status])
        for kind in kinds:
            yield self._event(kind, tracking, tracking_id=tracking.id, order_id=tracking.order_id)

    def _event(self, kind: str, subject: _Order | _Tracking, **ids: str | None) -> dict[str, Any]:
        detail = {
            "tenant": subject.tenant,
            **ids,
            "sequence": subject.version,
            "status": subject.status,
            "carrier": subject.carrier,
        }
        return {
            "Source": SOURCE,
            "DetailType": kind,
            "Detail": msgspec.json.encode(detail).decode(),
            "Time": subject.updated_at,
            "EventBusName": self.settings.event_bus,
        }

    def _in_batches(
        self, messages: list[_Message], send: Callable[[Sequence[_Message]], list[_Message]]
    ) -> list[str]:
        failed: list[str] = []
        for batch in batched(messages, _AT_ONCE, strict=False):
            try:
                refused = send(batch)
            except Exception as error:
                log.warning(
                    "messages were not sent on; the stream brings their changes again",
                    extra=safe_error_fields(error),
                )
                refused = list(batch)
            failed += [message.sequence for message in refused]
        return failed

    def _queue(self, url: str, messages: Sequence[_Message]) -> list[_Message]:
        answer = self.sqs.send_message_batch(
            QueueUrl=url,
            Entries=[
                {"Id": str(place), "MessageBody": msgspec.json.encode(message.body).decode()}
                for place, message in enumerate(messages)
            ],
        )
        return [messages[int(entry["Id"])] for entry in answer.get("Failed", [])]

    def _announce(self, messages: Sequence[_Message]) -> list[_Message]:
        answer = self.events.put_events(Entries=[message.body for message in messages])  # type: ignore[misc]
        results = answer["Entries"]
        return [message for message, result in zip(messages, results, strict=True) if "ErrorCode" in result]


def _correlation_id(document: str) -> str | None:
    """The id of the request that made a stored order, also of one that cannot be read as an order."""
    try:
        return msgspec.json.decode(document, type=_Origin).correlation_id
    except msgspec.DecodeError:
        return None


def _sent_on_its_way(old: Item | None, webhook: Item) -> bool:
    """Whether this change says that a webhook came in, came again, or is to be processed again."""
    return old is None or old.get("again_at") != webhook.get("again_at")


def _label_is_due(old: _Order | None, order: _Order) -> bool:
    """Whether the order waits for a label since this change, and no workflow fetches it."""
    if not _waits(order) or (old is not None and _waits(old) and old.label.revision == order.label.revision):
        return False
    if order.carrier not in registry.CARRIERS:
        return False
    # A workflow fetches the label of what it confirms; but it may have ended while the order was being
    # cancelled, and the carrier would not have that.
    kept = old is not None and old.status is OrderStatus.CANCELLING
    return kept or not registry.profile(order.carrier).confirms_later


def _waits(order: _Order) -> bool:
    return order.status is OrderStatus.CONFIRMED and order.label.status is LabelStatus.PENDING


_ATTENTION = {
    _Reason("late_success"): "late_success",
    _Reason("carrier_unavailable"): "credentials_refused",
}


def _troubles(old: _Order | None, order: _Order) -> Iterable[str]:
    """The kinds of trouble that the order has since this change, and that a person must look at."""
    stranded = order.status is OrderStatus.NEEDS_ATTENTION
    if stranded and (old is None or old.status is not order.status):
        yield "needs_attention"
        if order.problem == _Reason("refund_failed"):
            yield "refund_given_up"
    for reason, kind in _ATTENTION.items():
        if order.attention == reason and (old is None or old.attention != reason):
            yield kind
    missing = order.label.status is LabelStatus.UNAVAILABLE
    if missing and (old is None or old.label.status is not order.label.status):
        yield "label_unavailable"


def _reject(record: Record, error: Exception) -> _Message:
    change = record.get("dynamodb") or {}
    body = {
        "keys": {name: value.get("S") for name, value in (change.get("Keys") or {}).items()},
        "sequence": change.get("SequenceNumber", ""),
        "reason": type(error).__name__,
    }
    return _Message(str(change.get("SequenceNumber", "")), body)
