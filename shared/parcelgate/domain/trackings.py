"""How a parcel travels: statuses, events, and whose parcel is furthest behind.

A timeline is a set of events. Whatever is told of a parcel, in whatever order, however often, by webhook or
by poll, is joined to that set; all else (status, times, numbers) follows from the set alone. So a late or a
repeated delivery can change nothing that it should not.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256

import msgspec

from parcelgate.domain.clock import rfc3339


class TrackingStatus(StrEnum):
    """The one vocabulary for a parcel's journey, whichever carrier carries it."""

    PENDING = "pending"
    INFO_RECEIVED = "info_received"
    IN_TRANSIT = "in_transit"
    OUT_FOR_DELIVERY = "out_for_delivery"
    ATTEMPT_FAILED = "attempt_failed"
    AVAILABLE_FOR_PICKUP = "available_for_pickup"
    DELIVERED = "delivered"
    EXCEPTION = "exception"
    RETURNING = "returning"
    RETURNED = "returned"
    LOST = "lost"
    DAMAGED = "damaged"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def final(self) -> bool:
        """Whether nothing more is expected to happen to the parcel, so that nobody asks any more."""
        return self in _FINAL


_FINAL = frozenset(
    {
        TrackingStatus.DELIVERED,
        TrackingStatus.RETURNED,
        TrackingStatus.LOST,
        TrackingStatus.CANCELLED,
        TrackingStatus.EXPIRED,
    }
)

_FURTHEST_BEHIND = (
    TrackingStatus.LOST,
    TrackingStatus.DAMAGED,
    TrackingStatus.EXCEPTION,
    TrackingStatus.ATTEMPT_FAILED,
    TrackingStatus.RETURNING,
    TrackingStatus.RETURNED,
    TrackingStatus.EXPIRED,
    TrackingStatus.CANCELLED,
    TrackingStatus.PENDING,
    TrackingStatus.INFO_RECEIVED,
    TrackingStatus.IN_TRANSIT,
    TrackingStatus.AVAILABLE_FOR_PICKUP,
    TrackingStatus.OUT_FOR_DELIVERY,
    TrackingStatus.DELIVERED,
)


def furthest_behind(statuses: Iterable[TrackingStatus]) -> TrackingStatus:
    """The status an order shows for its parcels: the worst of theirs; `pending` for none."""
    return min(statuses, key=_FURTHEST_BEHIND.index, default=TrackingStatus.PENDING)


class Source(StrEnum):
    """Who told us first."""

    WEBHOOK = "webhook"
    POLL = "poll"


SILENCE = timedelta(days=60)
"""A parcel of which nothing is heard for so long has expired."""
SILENCE_CODE = "parcelgate.silence"
"""The code of the event that says so: the only event that no carrier told us."""
MOST_EVENTS = 800
"""Events kept of one parcel, the newest."""
MOST_BYTES = 320_000
"""Of events kept of one parcel: a stored item has its limits. Only a novel of a parcel comes near."""
_SURELY_FIT = 60
"""So many events are within those bytes, however long their texts."""
_LONGEST = {
    "code": 100,
    "description": 500,
    "city": 60,
    "state": 60,
    "postcode": 60,
    "country": 60,
    "place": 200,
}
"""Characters kept of each text of an event, for the same reason."""


class TrackingEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened to a parcel.

    `at` is the instant in UTC. `utc_offset` (such as `+08:00`) is the local offset where it is known;
    `at_is_local` marks a time that came without any zone. `status` is None when the carrier's `code`
    is in no table: it is shown, and never guessed. `id` and `source` are given when the event joins a
    timeline.
    """

    at: datetime
    code: str
    description: str
    status: TrackingStatus | None = None
    sub_status: str | None = None
    utc_offset: str | None = None
    at_is_local: bool = False
    city: str | None = None
    state: str | None = None
    postcode: str | None = None
    country: str | None = None
    place: str | None = None
    visible_to_recipient: bool = True
    id: str = ""
    source: Source | None = None


class OtherNumber(msgspec.Struct, frozen=True, order=True):
    """A number under which another carrier takes the parcel on; `carrier` where it is known."""

    number: str
    carrier: str | None = None


class ProofOfDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """Pictures of the delivery, at the carrier's own addresses, which open them until `expires_at`."""

    image_url: str | None = None
    address_image_url: str | None = None
    expires_at: datetime | None = None


class Customer(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a followed parcel is for."""

    name: str | None = None
    email: str | None = None
    phone: str | None = None


class Tracking(msgspec.Struct, frozen=True, kw_only=True):
    """One followed parcel.

    `carrier_code` is the courier an aggregator follows it with; `courier_fixed` when the aggregator was told
    not to look for another; `wrong_couriers`, in small letters, are those that the client has corrected.
    """

    id: str
    tenant: str
    carrier: str
    account: str
    tracking_number: str
    order_id: str | None = None
    parcel_reference: str | None = None
    carrier_code: str | None = None
    courier_fixed: bool = False
    wrong_couriers: tuple[str, ...] = ()
    status: TrackingStatus = TrackingStatus.PENDING
    sub_status: str | None = None
    events: tuple[TrackingEvent, ...] = ()
    other_numbers: tuple[OtherNumber, ...] = ()
    proof: ProofOfDelivery | None = None
    title: str | None = None
    customer: Customer | None = None
    order_reference: str | None = None
    order_created_at: datetime | None = None
    note: str | None = None
    destination_country: str | None = None
    destination_state: str | None = None
    archived: bool = False
    paused: bool = False
    metadata: dict[str, str] = {}
    version: int = 1
    created_at: datetime
    updated_at: datetime

    @property
    def last_event_at(self) -> datetime | None:
        """When the newest thing happened that a carrier told us."""
        return max((event.at for event in self.events if event.code != SILENCE_CODE), default=None)

    @property
    def delivered_at(self) -> datetime | None:
        """When the parcel was delivered, if that is how it stands."""
        newest = _newest(self.events)
        return newest.at if newest is not None and newest.status is TrackingStatus.DELIVERED else None

    @property
    def is_pushed(self) -> bool:
        """Whether its carrier tells us of it unasked: it has done so before."""
        return any(event.source is Source.WEBHOOK for event in self.events)


def merge(
    tracking: Tracking,
    events: Iterable[TrackingEvent],
    *,
    source: Source,
    at: datetime,
    other_numbers: Sequence[OtherNumber] = (),
    proof: ProofOfDelivery | None = None,
) -> Tracking:
    """`tracking` with what was told of it joined in; the very same object when nothing of it is new.

    Joining is free of order and of repeats: the result (save `source`, `version` and `updated_at`) depends
    on what was told and not on when, how often or by whom.
    """
    known = {event.id: event for event in tracking.events}
    for event in events:
        told = _entry(tracking, event, source)
        known[told.id] = _joined(known[told.id], told) if told.id in known else told
    timeline = _kept(known.values())
    newest = _newest(timeline)
    after = msgspec.structs.replace(
        tracking,
        events=timeline,
        status=newest.status if newest and newest.status else TrackingStatus.PENDING,
        sub_status=newest.sub_status if newest else None,
        other_numbers=_numbers(tracking, {*tracking.other_numbers, *other_numbers}),
        proof=_proof(tracking.proof, proof),
    )
    if after == tracking:
        return tracking
    return msgspec.structs.replace(after, version=tracking.version + 1, updated_at=at)


def given_to(tracking: Tracking, carrier_code: str) -> Tracking:
    """The parcel with another courier. What the wrong one told was about another parcel."""
    return msgspec.structs.replace(
        tracking,
        carrier_code=carrier_code,
        status=TrackingStatus.PENDING,
        sub_status=None,
        events=(),
        other_numbers=(),
        proof=None,
    )


def corrected_to(tracking: Tracking, carrier_code: str) -> Tracking:
    """The parcel with the courier that its client names. It does not go back to the wrong one by itself."""
    before = (tracking.carrier_code or "").casefold()
    wrong = {*tracking.wrong_couriers, before} - {carrier_code.casefold(), ""}
    return msgspec.structs.replace(given_to(tracking, carrier_code), wrong_couriers=tuple(sorted(wrong)))


def silence(tracking: Tracking, *, now: datetime) -> TrackingEvent | None:
    """The event that ends a parcel of which nothing was heard for `SILENCE`; None while it is not due."""
    since = max(tracking.last_event_at or tracking.created_at, tracking.created_at)
    if tracking.status.final or now - since < SILENCE:
        return None
    return TrackingEvent(
        at=since + SILENCE,
        code=SILENCE_CODE,
        description=f"Nothing was heard of the parcel for {SILENCE.days} days.",
        status=TrackingStatus.EXPIRED,
    )


def _entry(tracking: Tracking, event: TrackingEvent, source: Source) -> TrackingEvent:
    """The event as it stands in a timeline: its time in whole milliseconds, its texts of a sane length."""
    texts = {
        name: text[:longest]
        for name, longest in _LONGEST.items()
        if (text := getattr(event, name)) and len(text) > longest
    }
    return msgspec.structs.replace(
        event,
        **texts,
        at=event.at.replace(microsecond=event.at.microsecond // 1000 * 1000),
        id=_identity(tracking, event),
        source=source,
    )


def _identity(tracking: Tracking, event: TrackingEvent) -> str:
    """What makes an event the same event: carrier, number, instant, code and place.

    The place is the carrier's own text where there is one. Capitals and spaces do not make another.
    """
    place = event.place or "|".join(
        part or "" for part in (event.city, event.state, event.postcode, event.country)
    )
    parts = (
        tracking.carrier,
        tracking.tracking_number,
        rfc3339(event.at),
        _plain(event.code),
        _plain(place),
    )
    return "evt_" + sha256(msgspec.json.encode(parts)).hexdigest()[:26]


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _joined(one: TrackingEvent, other: TrackingEvent) -> TrackingEvent:
    """Two tellings of one event: everything that either tells, the fuller text of both.

    It is told by whoever was first, hidden where either hides it, and local only while no zone is known.
    A status goes with its own sub-status; of two, that further along. Each fact is joined by itself, so that
    any number of tellings comes to the same in any order.
    """
    stands = max(one, other, key=_standing)
    zoned = max(one, other, key=_zoning)
    return msgspec.structs.replace(
        one,
        **{name: _fuller(getattr(one, name), getattr(other, name)) for name in _LONGEST},
        status=stands.status,
        sub_status=stands.sub_status,
        utc_offset=zoned.utc_offset,
        at_is_local=zoned.at_is_local,
        visible_to_recipient=one.visible_to_recipient and other.visible_to_recipient,
    )


def _standing(event: TrackingEvent) -> tuple[int, str]:
    return _rank(event.status), event.sub_status or ""


def _zoning(event: TrackingEvent) -> tuple[bool, str]:
    return not event.at_is_local, event.utc_offset or ""


def _fuller(one: str | None, other: str | None) -> str | None:
    return max(one, other, key=lambda text: (len(text or ""), text or "", text is not None))


def _kept(events: Iterable[TrackingEvent]) -> tuple[TrackingEvent, ...]:
    """The timeline, oldest first: the newest events there are room for, and no silence that was none."""
    ordered = _ordered(events)
    told = [event for event in ordered if event.code != SILENCE_CODE][-MOST_EVENTS:]
    cut = len(told) == MOST_EVENTS
    while len(told) > _SURELY_FIT and len(msgspec.json.encode(told)) > MOST_BYTES:
        told, cut = told[_SURELY_FIT // 4 :], True
    kept = {event.id for event in told}
    since = told[0].at if cut else None
    return tuple(
        event
        for event in ordered
        if event.id in kept or (event.code == SILENCE_CODE and _was_silent(event.at, told, since))
    )


def _was_silent(until: datetime, told: Sequence[TrackingEvent], since: datetime | None) -> bool:
    """Whether nothing happened for so long `until` then, as far back as is known (`since`)."""
    happened = any(until - SILENCE < event.at <= until for event in told)
    return not happened and (since is None or since <= until)


def _ordered(events: Iterable[TrackingEvent]) -> list[TrackingEvent]:
    """Oldest first, so that the last one that has a status counts.

    Of equal times that is the status further along, then the code that comes first in the alphabet.
    """
    by_code = sorted(events, key=lambda event: (event.code, event.id), reverse=True)
    return sorted(by_code, key=lambda event: (event.at, _rank(event.status)))


def _newest(timeline: Sequence[TrackingEvent]) -> TrackingEvent | None:
    """The event that says how the parcel stands: the newest by its own time that has a status.

    That nothing is known, `pending`, is no news of a parcel of which something is: an aggregator says so when
    it begins to look, and what it finds is older.
    """
    told = [event for event in timeline if event.status is not None]
    known = [event for event in told if event.status is not TrackingStatus.PENDING]
    return next(reversed(known or told), None)


def _rank(status: TrackingStatus | None) -> int:
    return -1 if status is None else _FURTHEST_BEHIND.index(status)


def _numbers(tracking: Tracking, numbers: Iterable[OtherNumber]) -> tuple[OtherNumber, ...]:
    """The other numbers, each with its carriers, where any is known."""
    others = {other for other in numbers if other.number and other.number != tracking.tracking_number}
    named = {other.number for other in others if other.carrier}
    found = [other for other in others if other.carrier or other.number not in named]
    return tuple(sorted(found, key=lambda other: (other.number, other.carrier or "")))


def _proof(one: ProofOfDelivery | None, other: ProofOfDelivery | None) -> ProofOfDelivery | None:
    """The later of two proofs: its pictures open longer."""
    found = [proof for proof in (one, other) if proof is not None]
    return max(found, key=_lasting, default=None)


def _lasting(proof: ProofOfDelivery) -> tuple[str, str, str]:
    return (
        rfc3339(proof.expires_at) if proof.expires_at else "",
        proof.image_url or "",
        proof.address_image_url or "",
    )
