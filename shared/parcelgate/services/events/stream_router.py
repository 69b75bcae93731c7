"""The router of the table's stream: it sends on what must follow from a change of the table.

=============================================  ======================================================
change                                         what follows
=============================================  ======================================================
a webhook came in, or came again unprocessed   a message in the inbox queue
an order waits for its label, and no workflow  a message in the label queue
fetches it any more
there is news of an order, a parcel, a batch   events in the event log and on the bus (`Announcer`)
an order, a parcel or a webhook adds another   figures by day, carrier and service (`StatsCounter`)
number to the figures than before
an order got into trouble                      a metric and a log line; alarms ring by the metric
=============================================  ======================================================

A record that cannot be read is set aside with its keys and the reason, and the other records go on. What
AWS did not take is reported back, so that the stream brings it again.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import batched
from typing import TYPE_CHECKING, Any

import msgspec

from parcelgate.carriers import registry
from parcelgate.domain.batches import BatchRow
from parcelgate.domain.merchants.events import EventType
from parcelgate.domain.orders import LabelStatus, Order, OrderStatus
from parcelgate.domain.trackings import Tracking
from parcelgate.observability.logs import bind_log_keys, log, own_log_keys, safe_error_fields
from parcelgate.observability.metrics import count
from parcelgate.services.events import news
from parcelgate.services.events.announcer import Announcer, Change, Record, SettledEntry
from parcelgate.services.redelivery import message_group
from parcelgate.services.settings import Settings
from parcelgate.services.side_by_side import WORKERS, side_by_side
from parcelgate.services.stats import figures
from parcelgate.services.stats.counting import Seen, StatsCounter, by_tenant
from parcelgate.store import keys
from parcelgate.store.calls import Item, plain
from parcelgate.store.errors import ItemTooLargeError, StoreError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

_A_YEAR = 366 * 24 * 3600
_AT_ONCE = 10
"""What SendMessageBatch takes in one call."""

_orders = msgspec.json.Decoder(Order)
_trackings = msgspec.json.Decoder(Tracking)
_rows = msgspec.json.Decoder(BatchRow)


class _Origin(msgspec.Struct, frozen=True):
    correlation_id: str | None = None


class _Message(msgspec.Struct, frozen=True):
    """What is to be sent because of one record of the stream."""

    sequence: str
    body: dict[str, Any]
    group: str | None = None
    """The message group; None for a dead letter."""


class _Outbox(msgspec.Struct):
    """Everything to be sent because of a batch of records."""

    webhooks: list[_Message]
    labels: list[_Message]
    changes: list[Change]
    seen: list[Seen]
    rejects: list[_Message]


class StreamRouter(msgspec.Struct, frozen=True, kw_only=True):
    """Sends on what follows from changes of the table."""

    sqs: "SQSClient"
    announcer: Announcer
    counter: StatsCounter
    settings: Settings
    workers: int = WORKERS
    """For how many tenants changes are counted side by side."""

    def route(self, records: Sequence[Record]) -> list[str]:
        """Send on what follows from `records`. Returns the sequence numbers of those that must come again."""
        outbox = _Outbox([], [], [], [], [])
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
        outcome = self.announcer.announce(outbox.changes)
        for record, reason in outcome.unusable:
            count("ChangesSetAside")
            outbox.rejects.append(_reject(record, reason))
        uncounted = self._count(records, outbox)
        ways = (
            (outbox.webhooks, lambda messages: self._queue(self.settings.inbox_queue_url, messages)),
            (outbox.labels, lambda messages: self._queue(self.settings.label_queue_url, messages)),
            (outbox.rejects, lambda messages: self._queue(self.settings.changes_dead_letter_url, messages)),
        )
        failed = {sequence for messages, send in ways for sequence in self._in_batches(messages, send)}
        return sorted(failed | {*outcome.failed, *uncounted}, key=lambda sequence: (len(sequence), sequence))

    def _count(self, records: Sequence[Record], outbox: _Outbox) -> list[str]:
        """Count what changes figures. Returns the sequence numbers of the changes that must come again."""

        def tried(tenant: str, changes: Sequence[Seen]) -> list[tuple[Sequence[Seen], Exception]]:
            try:
                self.counter.count(tenant, changes)
            except Exception as error:
                if _passes(error) or len(changes) == 1:
                    return [(changes, error)]
                # Perhaps only one of them can never be counted.
                return [wrong for change in changes for wrong in tried(tenant, [change])]
            return []

        tenants = by_tenant(outbox.seen).items()
        return [
            sequence
            for uncounted in side_by_side(lambda each: tried(*each), tenants, workers=self.workers)
            for changes, error in uncounted
            for sequence in self._uncounted(records, outbox, changes, error)
        ]

    def _uncounted(
        self, records: Sequence[Record], outbox: _Outbox, changes: Sequence[Seen], error: Exception
    ) -> list[str]:
        sequences = [seen.sequence for seen in changes]
        if _passes(error):
            log.warning(
                "changes are not counted; the stream brings them again", extra=safe_error_fields(error)
            )
            return sequences
        # The next change of each of these things counts them whole.
        log.error("changes cannot be counted; they are set aside", extra=safe_error_fields(error))
        count("ChangesSetAside", len(sequences))
        outbox.rejects += [
            _reject(record, error)
            for record in records
            if (record.get("dynamodb") or {}).get("SequenceNumber") in sequences
        ]
        return []

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
                outbox.webhooks.append(_Message(sequence, message, message_group(name.tenant)))
            if before is None:
                adds = figures.of_webhook(after["carrier"], datetime.fromisoformat(after["received_at"]))
                outbox.seen.append(Seen(sequence, name.tenant, after["pk"], 1, adds, after["expires_at"]))
        elif name.kind == after["sk"] == keys.TRACKING:
            if before is not None and before["version"] == after["version"]:
                return  # Its next poll was planned, which is nobody's news.
            tracking = _trackings.decode(after["doc"])
            earlier = None if before is None else _trackings.decode(before["doc"])
            _note(outbox, record, tracking, news.of_tracking(earlier, tracking))
            if earlier is None or _arrival(earlier) != _arrival(tracking):
                outbox.seen.append(
                    Seen(sequence, name.tenant, after["pk"], tracking.version, tracking, _outlived(after))
                )
        elif name.kind == keys.BATCH and after["sk"] != keys.BATCH:
            row = None if before is None else _rows.decode(before["doc"])
            if news.settles(row, _rows.decode(after["doc"])):
                entry = SettledEntry(name.tenant, name.id)
                _note(outbox, record, entry, [EventType.BATCH_FINISHED])
        elif name.kind == after["sk"] == keys.ORDER:
            bind_log_keys(order_id=name.id, correlation_id=_correlation_id(after["doc"]))
            order = _orders.decode(after["doc"])
            bind_log_keys(carrier=order.carrier)
            old = None if before is None else _orders.decode(before["doc"])
            _note(outbox, record, order, news.of_order(old, order))
            if old is None or figures.of_order(old) != figures.of_order(order):
                outbox.seen.append(
                    Seen(sequence, name.tenant, after["pk"], order.version, order, _outlived(after))
                )
            if _label_is_due(old, order):
                job = {
                    "tenant": order.tenant,
                    "order_id": order.id,
                    "since": order.updated_at,
                    "carrier": order.carrier,
                    "account": order.account,
                    "correlation_id": order.correlation_id,
                }
                group = message_group(order.tenant, order.carrier, order.account)
                outbox.labels.append(_Message(sequence, job, group))
            for kind in _troubles(old, order):
                log.warning("an order needs a person", extra={"trouble": kind})
                count("OrdersInTrouble", kind=kind)

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
        entries: list[SendMessageBatchRequestEntryTypeDef] = []
        for place, message in enumerate(messages):
            body = msgspec.json.encode(message.body).decode()
            entries.append({"Id": str(place), "MessageBody": body})
            if message.group is not None:
                entries[-1]["MessageGroupId"] = message.group
        answer = self.sqs.send_message_batch(QueueUrl=url, Entries=entries)
        return [messages[int(entry["Id"])] for entry in answer.get("Failed", [])]


def _passes(error: Exception) -> bool:
    """Whether counting may succeed later. What DynamoDB finds wrong with a write stays wrong."""
    if isinstance(error, ItemTooLargeError) or str(error).startswith("Validation"):
        return False
    return isinstance(error, StoreError)


def _outlived(item: Item) -> int | None:
    """By when an order or a parcel is certainly gone, even if it was kept longer; None while it must stay."""
    return item["expires_at"] + _A_YEAR if "expires_at" in item else None


def _arrival(tracking: Tracking) -> tuple[object, ...]:
    """What of a parcel is counted."""
    return figures.outcome(tracking), tracking.delivered_at


def _note(
    outbox: _Outbox, record: Record, subject: Order | Tracking | SettledEntry, types: Iterable[EventType]
) -> None:
    if types := tuple(types):
        outbox.changes.append(Change(record, subject, types))


def _correlation_id(document: str) -> str | None:
    """The id of the request that made a stored order, also of one that cannot be read as an order."""
    try:
        return msgspec.json.decode(document, type=_Origin).correlation_id
    except msgspec.DecodeError:
        return None


def _sent_on_its_way(old: Item | None, webhook: Item) -> bool:
    """Whether this change says that a webhook came in, came again, or is to be processed again."""
    return old is None or old.get("again_at") != webhook.get("again_at")


def _label_is_due(old: Order | None, order: Order) -> bool:
    """Whether the order waits for a label since this change, and no workflow fetches it."""
    if not _waits(order) or (old is not None and _waits(old) and old.label.revision == order.label.revision):
        return False
    if order.carrier not in registry.CARRIERS:
        return False
    # A workflow fetches the label of what it confirms; but it may have ended while the order was being
    # cancelled, and the carrier would not have that.
    kept = old is not None and old.status is OrderStatus.CANCELLING
    return kept or not registry.profile(order.carrier).confirms_later


def _waits(order: Order) -> bool:
    return order.status is OrderStatus.CONFIRMED and order.label.status is LabelStatus.PENDING


_ATTENTION = {"late_success": "late_success", "carrier_unavailable": "credentials_refused"}
"""What is counted of an order whose `attention` has this code."""


def _troubles(old: Order | None, order: Order) -> Iterable[str]:
    """The kinds of trouble that the order has since this change, and that a person must look at."""
    stranded = order.status is OrderStatus.NEEDS_ATTENTION
    if stranded and (old is None or old.status is not order.status):
        yield "needs_attention"
        if order.problem is not None and order.problem.code == "refund_failed":
            yield "refund_given_up"
    code = order.attention.code if order.attention else None
    earlier = old.attention.code if old and old.attention else None
    if code in _ATTENTION and code != earlier:
        yield _ATTENTION[code]
    missing = order.label.status is LabelStatus.UNAVAILABLE and order.erased_at is None
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
