"""Tells merchants what happened: each event goes into the event log first, and then onto the event bus.

An event's id follows from the tenant, its subject, the subject's version and the type. So a record that the
stream brings again writes nothing a second time, and what was told stays as it was told. On the bus it may
come again, under the same id: the bus promises no more than that by itself either.

The log has what a merchant is shown, by the very code that answers API calls, which is handed in as a
`Rendering`. On the bus are ids alone.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from parcelgate.domain.batches import Batch, Progress, progress
from parcelgate.domain.clock import Clock, now
from parcelgate.domain.merchants.events import Event, EventType, envelope, event_id
from parcelgate.domain.orders import Order
from parcelgate.domain.trackings import Tracking, TrackingStatus
from parcelgate.observability.logs import bind_log_keys, log, own_log_keys, safe_error_fields
from parcelgate.services.endpoints.fan_out import EventFanOut
from parcelgate.services.event_bus import Announcement, EventBus
from parcelgate.services.side_by_side import WORKERS, side_by_side
from parcelgate.services.trackings import delivery_status
from parcelgate.store.errors import BatchNotFoundError, ItemTooLargeError, StoreError

if TYPE_CHECKING:
    from parcelgate.store.merchant_events.table import EventsTable
    from parcelgate.store.table import Table

_AGAIN = "events were not announced; the stream brings their changes again"
_ASIDE = "an event cannot be written; its change is set aside"
_FINISHED = 1
"""The sequence of a batch's only event."""

type Record = dict[str, Any]


class Rendering(NamedTuple):
    """How merchants are shown a thing: as JSON, in the form of the API's own answers."""

    order: Callable[[Order, Mapping[str, TrackingStatus]], bytes]
    """An order, and how its parcels stand, by their tracking ids."""
    tracking: Callable[[Tracking, datetime | None], bytes]
    """A tracking, and when it is asked about next."""
    batch: Callable[[Batch, Progress], bytes]


class SettledEntry(NamedTuple):
    """An entry of a batch of which nothing more is expected."""

    tenant: str
    batch_id: str


class Change(NamedTuple):
    """A record of the table's stream that merchants are to hear of, as these types of events.

    Whether a batch is finished, its `SettledEntry` does not know.
    """

    record: Record
    subject: Order | Tracking | SettledEntry
    types: tuple[EventType, ...]

    @property
    def sequence(self) -> str:
        """The record's place in the stream."""
        return str(self.record["dynamodb"]["SequenceNumber"])


class Outcome(NamedTuple):
    """The places in the stream of what must come again, and records of no use with the reason for each."""

    failed: list[str]
    unusable: list[tuple[Record, Exception]]


class _Told(NamedTuple):
    """An event, what the bus is told of it, and the change that it comes from."""

    change: Change
    event: Event
    detail: dict[str, str]

    @property
    def thing(self) -> str:
        """The id of what the event is about; of an order's parcel, that of the order."""
        return self.event.order_id or self.event.tracking_id or self.event.id


class _Ids(NamedTuple):
    """Whom an event is about."""

    order_id: str | None = None
    tracking_id: str | None = None
    batch_id: str | None = None


class _Facts(NamedTuple):
    """What a thing is shown with that does not stand in it: read once for all changes of a tenant."""

    statuses: Mapping[str, TrackingStatus]
    polls: Mapping[str, datetime | None]


class Announcer(msgspec.Struct, frozen=True, kw_only=True):
    """Writes the event log, and puts events on the bus."""

    table: "Table"
    events: "EventsTable"
    bus: EventBus
    rendering: Rendering
    fan_out: EventFanOut
    clock: Clock = now
    workers: int = WORKERS
    """How many tenants, or orders and parcels, are worked for side by side."""

    def announce(self, changes: Sequence[Change]) -> Outcome:
        """Tell of `changes`, which are in the order of the stream."""
        outcome = Outcome([], [])
        of_tenant: dict[str, list[Change]] = defaultdict(list)
        for change in _once_for_each_batch(changes):
            of_tenant[change.subject.tenant].append(change)
        told: list[_Told] = []
        read = side_by_side(lambda each: self._facts(*each), of_tenant.items(), workers=self.workers)
        for theirs, facts in zip(of_tenant.values(), read, strict=True):
            if isinstance(facts, StoreError):
                log.warning(_AGAIN, extra=safe_error_fields(facts))
                outcome.failed.extend(change.sequence for change in theirs)
                continue
            for change in theirs:
                told += self._prepared(change, facts, outcome)
        logged = self._written(told, outcome)
        self._deliver(logged, outcome)
        refused, trouble = self.bus.put([Announcement(each.event, each.detail) for each in logged])
        if trouble is not None:
            log.warning(_AGAIN, extra=safe_error_fields(trouble))
        outcome.failed.extend(logged[place].change.sequence for place in refused)
        return outcome

    def _facts(self, tenant: str, changes: Iterable[Change]) -> _Facts | StoreError:
        own = self.table.tenant(tenant)
        subjects = [change.subject for change in changes]
        orders = [subject for subject in subjects if isinstance(subject, Order)]
        trackings = [subject.id for subject in subjects if isinstance(subject, Tracking)]
        try:
            polls = own.trackings.polls(trackings, now=self.clock()) if trackings else {}
            return _Facts(delivery_status.statuses(own, orders), polls)
        except StoreError as error:
            return error

    def _prepared(self, change: Change, facts: _Facts, outcome: Outcome) -> list[_Told]:
        """What is to be told of one change, ready to be written; nothing where that cannot be done."""
        with own_log_keys():
            bind_log_keys(tenant=change.subject.tenant)
            try:
                return self._tell(change, facts)
            except StoreError as error:
                log.warning(_AGAIN, extra=safe_error_fields(error))
                outcome.failed.append(change.sequence)
            except Exception as error:
                log.error(_ASIDE, extra=safe_error_fields(error))
                outcome.unusable.append((change.record, error))
        return []

    def _tell(self, change: Change, facts: _Facts) -> list[_Told]:
        match change.subject:
            case Order() as order:
                data = self.rendering.order(order, facts.statuses)
                return self._of_each_type(change, order, data, _Ids(order_id=order.id))
            case Tracking() as tracking:
                data = self.rendering.tracking(tracking, facts.polls.get(tracking.id))
                ids = _Ids(tracking_id=tracking.id, order_id=tracking.order_id)
                return self._of_each_type(change, tracking, data, ids)
            case SettledEntry() as entry:
                return self._finished(change, entry)

    def _of_each_type(self, change: Change, subject: Order | Tracking, data: bytes, ids: _Ids) -> list[_Told]:
        detail = {"status": subject.status, "carrier": subject.carrier}
        at, sequence = subject.updated_at, subject.version
        return [
            _told(
                change,
                event_id(subject.tenant, subject.id, sequence, kind, at=at),
                kind,
                data,
                at=at,
                sequence=sequence,
                ids=ids,
                detail=detail,
            )
            for kind in change.types
        ]

    def _finished(self, change: Change, entry: SettledEntry) -> list[_Told]:
        try:
            state = self.table.tenant(entry.tenant).batches.read(entry.batch_id)
        except BatchNotFoundError:
            return []  # Its time was over.
        result = progress(*state)
        if not result.finished:
            return []
        batch, kind = state.batch, EventType.BATCH_FINISHED
        seconds = change.record["dynamodb"].get("ApproximateCreationDateTime")
        return [
            _told(
                change,
                # Which of its entries finds the batch finished is chance, so the id does not stand on that.
                event_id(batch.tenant, batch.id, _FINISHED, kind, at=batch.created_at),
                kind,
                self.rendering.batch(batch, result),
                at=self.clock() if seconds is None else datetime.fromtimestamp(float(seconds), UTC),
                sequence=_FINISHED,
                ids=_Ids(batch_id=batch.id),
                detail={"status": "finished"},
            )
        ]

    def _written(self, told: Sequence[_Told], outcome: Outcome) -> list[_Told]:
        """Write the event log, the events of one thing in turn; what of it is there now."""
        of_thing: dict[str, list[int]] = defaultdict(list)
        for place, each in enumerate(told):
            of_thing[each.thing].append(place)
        stored: dict[int, Event] = {}
        too_large: dict[int, ItemTooLargeError] = {}
        trouble: list[StoreError] = []

        def write(places: Sequence[int]) -> None:
            for place in places:
                if len(trouble) >= self.workers:
                    return  # The log takes nothing just now.
                event = told[place].event
                try:
                    # As it is stored: a batch is found finished at several times, and a delivery's id stands
                    # on the event's time.
                    stored[place] = self.events.tenant(event.tenant).log.add(event)
                except ItemTooLargeError as error:
                    too_large[place] = error
                except StoreError as error:
                    trouble.append(error)
                    return

        side_by_side(write, of_thing.values(), workers=self.workers)
        written = []
        for place, each in enumerate(told):
            if place in stored:
                written.append(each._replace(event=stored[place]))
            elif place in too_large:
                log.error(_ASIDE, extra=safe_error_fields(too_large[place]))
                outcome.unusable.append((each.change.record, too_large[place]))
            else:
                outcome.failed.append(each.change.sequence)
        if trouble:
            log.warning(_AGAIN, extra=safe_error_fields(trouble[0]))
        return written

    def _deliver(self, logged: Sequence[_Told], outcome: Outcome) -> None:
        """Have what is in the log delivered to the merchants' endpoints."""
        of_tenant: dict[str, list[_Told]] = defaultdict(list)
        for each in logged:
            of_tenant[each.event.tenant].append(each)

        def deliver(tenant: str, theirs: Sequence[_Told]) -> None:
            try:
                refused = self.fan_out.fan_out(tenant, [each.event for each in theirs])
            except Exception as error:
                log.warning(_AGAIN, extra=safe_error_fields(error))
                refused = {each.event.id for each in theirs}
            outcome.failed.extend(each.change.sequence for each in theirs if each.event.id in refused)

        side_by_side(lambda each: deliver(*each), of_tenant.items(), workers=self.workers)


def _told(
    change: Change,
    own_id: str,
    kind: EventType,
    data: bytes,
    *,
    at: datetime,
    sequence: int,
    ids: _Ids,
    detail: Mapping[str, str],
) -> _Told:
    tenant = change.subject.tenant
    event = Event(
        id=own_id,
        tenant=tenant,
        type=kind,
        at=at,
        sequence=sequence,
        body=envelope(own_id, kind, at=at, sequence=sequence, data=data),
        order_id=ids.order_id,
        tracking_id=ids.tracking_id,
    )
    named = {name: value for name, value in ids._asdict().items() if value is not None}
    return _Told(change, event, {**named, **detail})


def _once_for_each_batch(changes: Sequence[Change]) -> list[Change]:
    """The changes, and of all settled entries of a batch the last one, which is as good as all of them."""
    last = {change.subject: change for change in changes if isinstance(change.subject, SettledEntry)}
    return [
        change
        for change in changes
        if not isinstance(change.subject, SettledEntry) or last[change.subject] is change
    ]
