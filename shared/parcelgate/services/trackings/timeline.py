"""Histories of parcels join their timelines here, whoever told them; and here a parcel is nudged.

Webhooks and polls are both stored by `take`. A nudge changes nothing but the next poll: now.
"""

from typing import TYPE_CHECKING

import msgspec

from parcelgate.carriers.results import ParcelHistory
from parcelgate.domain import trackings as timeline
from parcelgate.domain.clock import Clock, now
from parcelgate.domain.polling import next_poll
from parcelgate.domain.trackings import Source, Tracking, courier_key
from parcelgate.observability.logs import bound_correlation_id, log
from parcelgate.observability.metrics import count
from parcelgate.services.settings import Settings
from parcelgate.store.errors import AlreadyFollowedError, VersionConflictError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from parcelgate.store.table import Table

_ATTEMPTS = 8
"""How often a tracking is read and written anew that others are writing too."""


class Timelines(msgspec.Struct, frozen=True, kw_only=True):
    """Joins histories to the timelines of parcels.

    Parameters
    ----------
    table
        The store.
    sqs
        Where nudged parcels queue up to be asked about together.
    """

    table: "Table"
    sqs: "SQSClient"
    settings: Settings
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
        """Join a history of the parcel to its timeline; the tracking as it then stands.

        `known` is the tracking as the caller has read it, which spares a reading: a timeline only grows, so
        what is no news to an old one is none to the new, and news are written over no other version. The
        caller plans the next poll. Raises TrackingNotFoundError, and VersionConflictError when there is no
        end of others who write.

        A history from a courier that the parcel was taken from meanwhile is not its story, nor is that of a
        later parcel of the same number. When the aggregator has found another courier, the parcel is
        followed with that one from now on, unless it was not to look for one, the client has said that this
        is not the one, or we follow that courier's parcel as another tracking.
        """
        store = self.table.tenant(tenant).trackings
        before = known or store.get(tracking_id)
        courier = before.carrier_code
        for attempt in range(1, _ATTEMPTS + 1):
            if attempt > 1:
                before = store.get(tracking_id)
            if before.carrier_code != courier or before.replaced_by is not None:
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
            return after
        raise AssertionError("unreachable")

    def believe(self, tenant: str, tracking_id: str, history: ParcelHistory) -> Tracking:
        """Take a history that a webhook proved to be the carrier's, and plan the next poll by it.

        A poll that is due already stands: the parcel may have been nudged for other news than these.
        """
        after = self.take(tenant, tracking_id, history, Source.WEBHOOK)
        if history.next_carrier is not None and history.next_carrier.followed and not after.status.final:
            self.nudge(tenant, tracking_id)  # So that the next carrier is asked, now.
            return after
        at = self.clock()
        planned = next_poll(after, now=at, pace=self.settings.poll_pace)
        self.table.tenant(tenant).trackings.reschedule(tracking_id, planned, now=at)
        return after

    def nudge(self, tenant: str, tracking_id: str) -> None:
        """Have the carrier asked about the parcel at once, together with others that are nudged."""
        self.table.tenant(tenant).trackings.schedule(tracking_id, self.clock())
        message = {
            "tenant": tenant,
            "tracking_id": tracking_id,
            "correlation_id": bound_correlation_id(),
        }
        self.sqs.send_message(
            QueueUrl=self.settings.poll_queue_url, MessageBody=msgspec.json.encode(message).decode()
        )


def _with_its_courier(tracking: Tracking, history: ParcelHistory) -> Tracking | None:
    """The parcel with the courier of its history; None when that is the history of another parcel."""
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
