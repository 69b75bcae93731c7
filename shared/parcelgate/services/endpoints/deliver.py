"""Delivering events to endpoints: what becomes of one message of the delivery queue.

A message is good for one delivery, and comes again until that is over: at the time of its next attempt, when
an endpoint that is busy or down may be called again, or when an attempt may have died. It may also come
twice: an attempt is made by whoever begins it by a conditional write, so that one is made at a time. Only the
first attempt is not begun by a write: its delivery is stored with what came of it, and a message that comes
again before that says that the attempt may have been cut off. What waits for an endpoint makes no attempt and
takes no worker's time, so that one slow endpoint delays no other. Who calls an endpoint takes a place first,
or has a pass (`passes`) while the endpoint is quick.
"""

import random
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from parcelgate.domain.clock import Clock, now
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.merchants.endpoints import (
    FAILS_FOR,
    NOT_STORED,
    Attempt,
    Delivery,
    DeliveryState,
    DisabledReason,
    Endpoint,
)
from parcelgate.domain.merchants.events import Event, EventType
from parcelgate.observability.logs import bind_log_keys, log
from parcelgate.observability.metrics import count
from parcelgate.services.accounts.places import until_given_back
from parcelgate.services.endpoints.calls import SECONDS, EndpointCaller, Result
from parcelgate.services.endpoints.fan_out import DeliveryJob, EventFanOut, FirstDeliveryJob, read_job
from parcelgate.services.endpoints.keeper import EndpointRendering, announce, endpoint_event
from parcelgate.services.endpoints.passes import Passes
from parcelgate.services.endpoints.secrets import SecretBox
from parcelgate.services.event_bus import EventBus
from parcelgate.services.redelivery import LONGEST_STEP, ReceivedMessage, backoff, come_again
from parcelgate.services.settings import Settings
from parcelgate.store.errors import (
    DeliveryNotFoundError,
    EndpointNotFoundError,
    EventNotFoundError,
    StoreUnavailableError,
    VersionConflictError,
)
from parcelgate.store.merchant_events.endpoints import Admission, Busy, StoredEndpoint

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from parcelgate.store.merchant_events.table import EventsTable, TenantEvents

LEASE = timedelta(seconds=30)
"""Longer than an attempt can take with all that is written for it."""
SAVE_SECONDS = 5.0
"""What is kept of an invocation's time for writing what came of the attempt."""
JITTER = 0.1
"""The share of a pause that is added to it by chance."""
_FIRST_WAIT = timedelta(seconds=2)
_LONGEST_WAIT = timedelta(minutes=10)
_SPREAD = timedelta(seconds=30)
"""Over this time those come back that wait for the same endpoint."""
_SENT_ANEW_AFTER = 500
"""SQS itself gives a message up after 1000 receives: before that it is replaced by a new one."""
_LONGEST_DELAY = 900
_GONE = 410

DELETED = "Its endpoint was deleted."
DISABLED = "Its endpoint is disabled."
EXPIRED = "Its event is older than 30 days."
LAST_DIED = "Its last attempt was cut off on our side."


class EventDeliverer(msgspec.Struct, frozen=True, kw_only=True):
    """Works the delivery queue off. `rendering` is how an endpoint is shown in `endpoint.disabled`."""

    events: "EventsTable"
    sqs: "SQSClient"
    box: SecretBox
    fan_out: EventFanOut
    bus: EventBus
    caller: EndpointCaller
    settings: Settings
    rendering: EndpointRendering
    passes: Passes
    clock: Clock = now
    roll: Callable[[], float] = random.random

    def work(self, message: ReceivedMessage, deadline: Deadline) -> None:
        """Take one delivery a step further. Raises NotYetError if its message must come again."""
        job = read_job(message.body)
        bind_log_keys(tenant=job.tenant)
        own, moment = self.events.tenant(job.tenant), self.clock()
        delivery = self._delivery(own, job, message, moment)
        if delivery is None or delivery.state is not DeliveryState.PENDING:
            return None
        waits_until = max(delivery.next_attempt_at or moment, delivery.lease_until or moment)
        if waits_until > moment and delivery.version != NOT_STORED:
            return self._later(message, delivery, waits_until - moment)
        try:
            stored = own.endpoints.get(delivery.endpoint_id)
            if stored.untold:
                self._tell_disabled(own, stored.endpoint)
            if not stored.endpoint.enabled and delivery.event_type is not EventType.PING:
                return self._end(own, delivery, DISABLED)
            event = own.log.get(delivery.event_id, at=moment)
        except EndpointNotFoundError:
            return self._end(own, delivery, DELETED)
        except EventNotFoundError:
            return self._end(own, delivery, EXPIRED)
        if delivery.of_plan >= len(self.settings.delivery_plan):
            return self._end(own, delivery, LAST_DIED)
        if deadline.minus(SAVE_SECONDS).remaining() < SECONDS:
            return self._later(message, delivery, _FIRST_WAIT)
        return self._attempt(message, own, stored, delivery, event)

    def _delivery(
        self,
        own: "TenantEvents",
        job: DeliveryJob | FirstDeliveryJob,
        message: ReceivedMessage,
        moment: datetime,
    ) -> Delivery | None:
        """The delivery that a message is about; None where there is none."""
        fresh: Delivery | None = None
        if isinstance(job, DeliveryJob):
            delivery_id = job.delivery_id
        else:
            fresh = job.delivery()
            delivery_id = fresh.id
        log.append_keys(delivery_id=delivery_id)
        try:
            return own.deliveries.get(delivery_id, at=moment)
        except DeliveryNotFoundError:
            if fresh is None or message.receive_count == 1:
                return fresh
        try:
            return own.deliveries.cut_off(fresh)
        except VersionConflictError:
            # Another message of it was quicker, or it has expired and is not deleted yet.
            with suppress(DeliveryNotFoundError):
                return own.deliveries.get(delivery_id, at=moment)
        return None

    def _attempt(
        self,
        message: ReceivedMessage,
        own: "TenantEvents",
        stored: StoredEndpoint,
        delivery: Delivery,
        event: Event,
    ) -> None:
        moment = self.clock()
        if stored.quick(moment):
            with self.passes.use(own, self.settings.tenant_passes, moment, LEASE) as has_pass:
                if has_pass:
                    return self._call(message, own, stored, delivery, event, None)
        admission = own.endpoints.admit(stored, moment, LEASE)
        if isinstance(admission, Busy):
            return self._later(message, delivery, self._wait(message, admission, moment))
        places = own.places(self.settings.tenant_places)
        place = places.take(moment, moment + LEASE)
        if place is None:
            own.endpoints.release(stored.endpoint.id, admission)
            return self._later(message, delivery, self._wait(message, Busy(None), moment))
        with until_given_back(places, place):
            return self._call(message, own, stored, delivery, event, admission)

    def _call(
        self,
        message: ReceivedMessage,
        own: "TenantEvents",
        stored: StoredEndpoint,
        delivery: Delivery,
        event: Event,
        admission: Admission | None,
    ) -> None:
        moment, endpoint = self.clock(), stored.endpoint
        headers = self.box.signatures(own.tenant, endpoint.id, stored.secrets, event, moment)
        is_first = delivery.version == NOT_STORED
        try:
            begun = delivery if is_first else own.deliveries.begin(delivery, moment, LEASE)
        except VersionConflictError:
            if admission is not None:
                own.endpoints.release(endpoint.id, admission)
            return self._later(message, delivery, LEASE)
        result = self.caller.post(endpoint.url, headers, event.body)
        attempt = Attempt(at=moment, status=result.status, ms=result.ms, body=result.body, error=result.error)
        log.info(
            "an event was sent to an endpoint",
            extra={
                "endpoint_id": endpoint.id,
                "event_id": event.id,
                "status": result.status,
                "ms": result.ms,
            },
        )
        next_at = self._next(max(begun.of_plan, 1), result)
        if result.error is not None and not self._failed(own, stored, admission, result):
            next_at = None
        try:
            store = own.deliveries.first if is_first else own.deliveries.finish
            after = store(begun, attempt, next_at)
        except VersionConflictError:
            # It took longer than its lease, or its message came twice, and another attempt is under way.
            return self._later(message, delivery, LEASE, stored=True)
        if result.error is None:
            took = timedelta(milliseconds=result.ms)
            own.endpoints.succeeded(endpoint.id, admission, self.clock(), took)
        if after.state is DeliveryState.FAILED:
            _count_failed(after)
        if next_at is not None:
            self._later(message, after, next_at - self.clock())
        return None

    def _next(self, of_plan: int, result: Result) -> datetime | None:
        """When the next attempt is to be made; None after a success and after the last one."""
        plan = self.settings.delivery_plan
        if result.error is None or of_plan >= len(plan):
            return None
        pause = plan[of_plan] * (1 + JITTER * self.roll())
        return self.clock() + max(pause, timedelta(seconds=result.retry_after or 0))

    def _failed(
        self, own: "TenantEvents", stored: StoredEndpoint, admission: Admission | None, result: Result
    ) -> bool:
        """Note a failure with the endpoint. Returns whether it is still called."""
        moment = self.clock()
        since = own.endpoints.failed(stored.endpoint.id, admission, moment)
        if not stored.endpoint.enabled:
            return True  # It was tested.
        if result.status == _GONE:
            reason = DisabledReason.GONE
        elif since is not None and moment - since >= FAILS_FOR:
            reason = DisabledReason.FAILING
        else:
            return True
        return not self._disable(own, stored, reason)

    def _disable(self, own: "TenantEvents", stored: StoredEndpoint, reason: DisabledReason) -> bool:
        """Disable an endpoint and tell of it; False if it was changed meanwhile."""
        moment = self.clock()
        disabled = msgspec.structs.replace(
            stored.endpoint,
            disabled_reason=reason,
            disabled_at=moment,
            updated_at=moment,
            version=stored.endpoint.version + 1,
        )
        try:
            own.endpoints.save(disabled, was=stored.endpoint.version, untold=True)
        except VersionConflictError:
            return False
        self._tell_disabled(own, disabled)
        return True

    def _tell_disabled(self, own: "TenantEvents", endpoint: Endpoint) -> None:
        """Tell the tenant's other endpoints. Whoever dies here leaves a mark, and the next message tells."""
        kind = EventType.ENDPOINT_DISABLED
        event = endpoint_event(endpoint, kind, endpoint.version, self.rendering(endpoint), self.clock)
        own.log.add(event)
        if self.fan_out.fan_out(own.tenant, [event], but=endpoint.id):
            raise StoreUnavailableError("the queue did not take an event")
        announce(self.bus, endpoint, event)
        own.endpoints.told(endpoint.id)
        log.warning("an endpoint was disabled", extra={"endpoint_id": endpoint.id})
        count("WebhooksFailed", kind="endpoint")

    def _end(self, own: "TenantEvents", delivery: Delivery, reason: str) -> None:
        try:
            # Of an endpoint that was deleted nobody can see deliveries.
            if delivery.version != NOT_STORED or reason == DISABLED:
                own.deliveries.end(delivery, reason)
        except VersionConflictError:
            return  # Another message of this delivery has done so.
        _count_failed(delivery)

    def _wait(self, message: ReceivedMessage, busy: Busy, moment: datetime) -> timedelta:
        if busy.until is not None:
            return busy.until - moment + _SPREAD * self.roll()
        wait = backoff(message.receive_count, first=_FIRST_WAIT, cap=_LONGEST_WAIT, roll=self.roll())
        return wait + timedelta(seconds=1)

    def _later(
        self, message: ReceivedMessage, delivery: Delivery, after: timedelta, *, stored: bool = False
    ) -> None:
        """Have the message come again. Raises NotYetError, or puts a new message in its place.

        A delivery that waits is stored, so that it can be seen.
        """
        if delivery.version == NOT_STORED and not stored:
            with suppress(VersionConflictError):
                self.events.tenant(delivery.tenant).deliveries.add(delivery)
        url = self.settings.delivery_queue_url
        if message.receive_count >= _SENT_ANEW_AFTER:
            self.sqs.send_message(
                QueueUrl=url,
                MessageBody=message.body,
                MessageGroupId=delivery.endpoint_id,
                DelaySeconds=min(int(after.total_seconds()) + 1, _LONGEST_DELAY),
            )
            return
        age = self.clock() - delivery.created_at
        come_again(self.sqs, url, message, max(min(after, LONGEST_STEP), timedelta(seconds=1)), age=age)


def _count_failed(delivery: Delivery) -> None:
    log.warning("an event was not delivered", extra={"endpoint_id": delivery.endpoint_id})
    count("WebhooksFailed", kind="delivery")
