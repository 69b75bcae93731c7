"""Joining histories to the timelines of parcels, and nudging parcels.

Histories from webhooks and from polls are both stored by `take`. A nudge only sets the next poll to now.
"""

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from parcelgate.carriers.results import ParcelHistory
from parcelgate.domain import trackings as timeline
from parcelgate.domain.clock import Clock, now
from parcelgate.domain.polling import next_poll
from parcelgate.domain.timetables import Timetable
from parcelgate.domain.trackings import Source, Tracking, courier_key
from parcelgate.observability.logs import bound_correlation_id, log
from parcelgate.observability.metrics import count
from parcelgate.services.redelivery import message_group
from parcelgate.services.settings import Settings
from parcelgate.services.trackings.habits import HabitBook
from parcelgate.store.errors import AlreadyFollowedError, VersionConflictError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from parcelgate.store.table import Table

_ATTEMPTS = 8
"""How often a tracking is read and written again when others write it too."""


class Timelines(msgspec.Struct, frozen=True, kw_only=True):
    """Joins histories to the timelines of parcels.

    Parameters
    ----------
    table
        The store.
    sqs
        For the queue in which nudged parcels wait to be asked about together.
    habits
        Learns from what joins timelines when news of a corridor is likely; None where parcels travel faster
        than real ones.
    """

    table: "Table"
    sqs: "SQSClient"
    settings: Settings
    habits: HabitBook | None = None
    clock: Clock = now

    def take(
        self,
        tenant: str,
        tracking_id: str,
        history: ParcelHistory,
        source: Source,
        *,
        known: Tracking | None = None,
    ) -> Tracking:
        """Join a history of the parcel to its timeline. Returns the tracking as it is then.

        `known` is the tracking as the caller has read it; it spares a read. That is safe: a timeline only
        grows, so what is not new to an old version is not new to the present one, and news are written only
        over the version they were joined to. The caller plans the next poll. Raises TrackingNotFoundError,
        and VersionConflictError when others write the tracking again and again.

        Two histories are ignored: that of a courier which the client has corrected meanwhile, and that of a
        later parcel of the same number. When the aggregator has found another courier, the parcel is followed
        with that courier from now on. Nothing joins a timeline of which the recipient's data was erased.
        The parcel is not moved to another courier if the courier is fixed, if the client has said that
        this courier is wrong, or if another tracking follows the parcel with that courier.
        """
        store = self.table.tenant(tenant).trackings
        before = known or store.get(tracking_id)
        courier = before.carrier_code
        for attempt in range(1, _ATTEMPTS + 1):
            if attempt > 1:
                before = store.get(tracking_id)
            if before.carrier_code != courier or before.replaced_by is not None:
                return before
            if before.erased_at is not None:
                return before
            start = _with_its_courier(before, history)
            if start is None:
                return before
            at = self.clock()
            after = timeline.merge(
                start,
                history.events,
                source=source,
                at=at,
                other_numbers=history.other_numbers,
                next_carrier=history.next_carrier,
                estimated_delivery=history.estimated_delivery,
                signed_by=history.signed_by,
                proof=history.proof,
            )
            if after is before:
                return before
            after = msgspec.structs.replace(after, version=before.version + 1, updated_at=at)
            try:
                store.recode(before, after)
            except AlreadyFollowedError:
                return before
            except VersionConflictError:
                if attempt == _ATTEMPTS:
                    raise
                continue
            _count(before, after)
            if self.habits is not None:
                self.habits.learn(start, after)
            return after
        raise AssertionError("unreachable")

    def believe(self, tenant: str, tracking_id: str, history: ParcelHistory) -> Tracking:
        """Join a history from a webhook that was proven, and plan the next poll by it.

        A poll that is due already stays due: the parcel may have been nudged for other news.
        """
        after = self.take(tenant, tracking_id, history, Source.WEBHOOK)
        if history.next_carrier is not None and history.next_carrier.followed and not after.status.final:
            self.nudge(tenant, tracking_id)  # So that the next carrier is asked, now.
            return after
        at = self.clock()
        self.table.tenant(tenant).trackings.reschedule(tracking_id, self.timetable(after, at), now=at)
        return after

    def next_poll(self, tracking: Tracking, at: datetime, misses: int = 0) -> datetime | None:
        """When to ask about the parcel next, by the plan and the habit of its corridor."""
        habit = self.habits.habit_of(tracking) if self.habits else None
        return next_poll(tracking, now=at, misses=misses, pace=self.settings.poll_pace, habit=habit)

    def timetable(self, tracking: Tracking, at: datetime) -> Timetable | None:
        """When to ask about the parcel after `at`, as long as nothing is heard of it. None: not any more."""
        return Timetable.of(lambda moment: self.next_poll(tracking, moment), at)

    def save_habits(self) -> None:
        """Store what was learned. To be called once, at the end of an invocation."""
        if self.habits is not None:
            self.habits.save()

    def nudge(self, tenant: str, tracking_id: str) -> None:
        """Set the next poll to now, and queue the parcel to be asked about with other nudged ones."""
        self.table.tenant(tenant).trackings.schedule(tracking_id, self.clock())
        message = {
            "tenant": tenant,
            "tracking_id": tracking_id,
            "correlation_id": bound_correlation_id(),
        }
        self.sqs.send_message(
            QueueUrl=self.settings.poll_queue_url,
            MessageBody=msgspec.json.encode(message).decode(),
            MessageGroupId=message_group(tenant),
        )


def _with_its_courier(tracking: Tracking, history: ParcelHistory) -> Tracking | None:
    """The parcel with the courier of the history; None when the history is of another parcel."""
    if tracking.carrier_code is None or history.carrier_code is None:
        return tracking
    courier = courier_key(history.carrier_code)
    if courier == courier_key(tracking.carrier_code):
        return tracking
    if tracking.courier_fixed or courier in tracking.wrong_couriers:
        return None
    return timeline.given_to(tracking, history.carrier_code)


def _count(before: Tracking, after: Tracking) -> None:
    known = {event.id for event in before.events}
    new = [event for event in after.events if event.id not in known]
    for event in new:
        if event.status is None and not event.is_housekeeping:
            names = {"carrier": after.carrier, "carrier_code": after.carrier_code, "code": event.code[:64]}
            log.warning("a code of the carrier is in no table; its event gets no status", extra=names)
            count("CodesUnmapped", carrier=after.carrier)
    if new:
        count("TrackingEvents", len(new), carrier=after.carrier, source=new[0].source or "")
    if after.status is not before.status:
        count("ParcelsMoved", carrier=after.carrier, status=after.status)
