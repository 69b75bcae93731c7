"""How a parcel travels: statuses, events, and whose parcel is furthest behind.

A timeline is a set of events. Whatever is told of a parcel, in whatever order, however often, by webhook or
by poll, is joined to that set; all else (status, times, numbers) follows from the set alone. So a late or a
repeated delivery can change nothing that it should not.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import urlsplit

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


def _statuses(words: str) -> tuple[TrackingStatus, ...]:
    return tuple(TrackingStatus(word) for word in words.replace(",", " ").split())


_FINAL = frozenset(_statuses("delivered, returned, lost, cancelled, expired"))
_BEFORE_MOVING = frozenset(_statuses("pending, info_received, exception, expired"))
"""How a parcel may stand that nobody has carried anywhere yet."""
_BOOKED_LATE = frozenset(_statuses("info_received, in_transit, out_for_delivery, available_for_pickup"))
"""Scans that are often booked after the door: of a delivered parcel they say nothing new."""
_TO_A_DOOR = frozenset(_statuses("out_for_delivery, attempt_failed, available_for_pickup"))
"""What shows that a parcel on its way back was sent to its recipient once more."""
_KEPT_IN_SILENCE = frozenset(_statuses("damaged, returning, exception, available_for_pickup"))
"""How a parcel goes on standing of which nothing is heard any more. Any other one on its way has expired."""
_FIRST_OF_EQUAL_TIMES = _statuses(
    "delivered, returned, lost, damaged, returning, exception, attempt_failed, available_for_pickup, "
    # The contract does not name cancelled and expired: a scan shows that a parcel is neither.
    "out_for_delivery, in_transit, cancelled, info_received, expired, pending"
)
"""Which status counts of several at one time (contract, Trackings)."""
_FURTHEST_BEHIND = _statuses(
    "lost, damaged, exception, attempt_failed, returning, returned, expired, cancelled, pending, "
    "info_received, in_transit, available_for_pickup, out_for_delivery, delivered"
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
"""The code of the event that says so. No carrier told us."""
CANCELLED_CODE = "parcelgate.cancelled"
"""The code of the event that ends a parcel whose order came to nothing. No carrier told us."""
USED_AGAIN = timedelta(days=90)
"""So long after the end of a parcel its courier may have given its number to another one."""
BEFORE_ITS_ORDER = timedelta(days=2)
"""What happened so long before a parcel's order was created is another parcel's, of the same number.

Not at the order's own second: carriers' clocks and zones are not always right.
"""
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
    is in no table: it is shown, and never guessed. So it is of housekeeping (`is_housekeeping`), which says
    nothing of how the parcel stands. `leaves`: a parcel that stands so goes on standing so. `carrier` is who
    carried the parcel, where that was not the carrier of its tracking. Where a carrier tells the place of one
    event in several ways it is no part of its identity (`is_known_by_place`). `id` and `source` are given
    when the event joins a timeline.
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
    is_housekeeping: bool = False
    leaves: tuple[TrackingStatus, ...] = ()
    carrier: str | None = None
    is_known_by_place: bool = True
    id: str = ""
    source: Source | None = None


class OtherNumber(msgspec.Struct, frozen=True, order=True):
    """A number under which another carrier takes the parcel on; `carrier` where it is known."""

    number: str
    carrier: str | None = None


class NextCarrier(msgspec.Struct, frozen=True, order=True):
    """Who takes the parcel on, by an aggregator's name for him, under which number, since when.

    `followed` when that courier is to be asked about the parcel from then on.
    """

    at: datetime
    carrier_code: str
    tracking_number: str
    followed: bool = False


class Saying(msgspec.Struct, frozen=True, order=True):
    """Something in a carrier's own words, and when it was so: the latest counts."""

    at: datetime
    text: str


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
    `carrier_number` is the carrier's own number of the parcel or its order, which is not on the label. What
    happened before `since` is the story of an earlier parcel of the same number. `replaced_by` is the
    tracking of a later parcel of that number, which the aggregator follows in this one's place.
    """

    id: str
    tenant: str
    carrier: str
    account: str
    tracking_number: str
    order_id: str | None = None
    parcel_reference: str | None = None
    carrier_number: str | None = None
    since: datetime | None = None
    replaced_by: str | None = None
    carrier_code: str | None = None
    courier_fixed: bool = False
    wrong_couriers: tuple[str, ...] = ()
    status: TrackingStatus = TrackingStatus.PENDING
    sub_status: str | None = None
    events: tuple[TrackingEvent, ...] = ()
    other_numbers: tuple[OtherNumber, ...] = ()
    next_carrier: NextCarrier | None = None
    estimated_delivery: Saying | None = None
    signed_by: Saying | None = None
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
        """When the parcel was first delivered to its recipient; a later correction does not move that."""
        return _standing(self.events).delivered_at

    @property
    def has_moved(self) -> bool:
        """Whether anybody has carried the parcel anywhere."""
        return any(
            event.status is not None
            and event.status not in _BEFORE_MOVING
            and event.status is not TrackingStatus.CANCELLED
            for event in self.events
        )

    @property
    def is_pushed(self) -> bool:
        """Whether its carrier tells us of it unasked: it has done so before, and has not handed it on."""
        return self.next_carrier is None and any(event.source is Source.WEBHOOK for event in self.events)

    def ended_at(self, now: datetime) -> datetime | None:
        """When the parcel came to its end, by its status or in silence; None while it has not."""
        if self.status.final:
            newest = _standing(self.events).event
            return newest.at if newest else self.updated_at
        return self.heard_of + SILENCE if self.is_over(now) else None

    def number_free_since(self, now: datetime) -> datetime | None:
        """Since when the parcel's number may be another parcel's; None while it is this one's.

        That is `USED_AGAIN` after the end of the parcel, or after it was followed where it had ended before.
        """
        ended_at = self.ended_at(now)
        free_at = None if ended_at is None else max(ended_at, self.created_at) + USED_AGAIN
        return free_at if free_at is not None and free_at < now else None

    def replaced(self, *, by: "Tracking") -> "Tracking":
        """The parcel once a later one of the same number is followed in its place."""
        return msgspec.structs.replace(
            self, replaced_by=by.id, version=self.version + 1, updated_at=by.created_at
        )

    def is_over(self, now: datetime) -> bool:
        """Whether nothing more is expected to happen to the parcel, so that nobody asks any more.

        So it is too when it stands still, and nothing was heard of it for `SILENCE`.
        """
        return self.status.final or (self.status in _KEPT_IN_SILENCE and self.is_silent(now))

    def is_silent(self, now: datetime) -> bool:
        """Whether nothing was heard of the parcel for `SILENCE`."""
        return now - self.heard_of >= SILENCE

    @property
    def heard_of(self) -> datetime:
        """When anything was last heard of the parcel: since it is followed, at the earliest."""
        return max(self.last_event_at or self.created_at, self.created_at)


def number_key(number: str) -> str:
    """What a tracking number is compared by: capitals, blanks and full-width letters make no other one.

    >>> number_key("rp 123 456 789 au")
    'RP123456789AU'
    """
    return "".join(unicodedata.normalize("NFKC", number).upper().split())


def same_number(one: str, other: str) -> bool:
    """Whether two spellings are of one tracking number."""
    return number_key(one) == number_key(other)


def courier_key(carrier_code: str | None) -> str:
    """What a courier's code is compared by; empty for none.

    >>> courier_key("China-EMS")
    'china-ems'
    """
    return "".join((carrier_code or "").casefold().split())


def merge(
    tracking: Tracking,
    events: Iterable[TrackingEvent],
    *,
    source: Source,
    at: datetime,
    other_numbers: Sequence[OtherNumber] = (),
    next_carrier: NextCarrier | None = None,
    estimated_delivery: Saying | None = None,
    signed_by: Saying | None = None,
    proof: ProofOfDelivery | None = None,
) -> Tracking:
    """`tracking` with what was told of it joined in; the very same object when nothing of it is new.

    Joining is free of order and of repeats: the result (save `source`, `version` and `updated_at`) depends
    on what was told and not on when, how often or by whom.
    """
    events = tuple(events)
    known = {event.id: event for event in tracking.events}
    for event in events:
        entry = _entry(tracking, event, source)
        if tracking.since is None or entry.at >= tracking.since:
            known[entry.id] = _joined(known[entry.id], entry) if entry.id in known else entry
    # Numbers and pictures bear no time of their own: they are as old as what is told along with them.
    if _are_earlier(tracking, events):
        other_numbers, proof = (), None
    elif _are_earlier(tracking, [event for event in events if event.status is TrackingStatus.DELIVERED]):
        proof = None
    timeline = _kept(known.values())
    stands = _standing(timeline)
    after = msgspec.structs.replace(
        tracking,
        events=timeline,
        status=stands.status,
        sub_status=stands.event.sub_status if stands.event else None,
        other_numbers=_numbers(tracking, {*tracking.other_numbers, *other_numbers}),
        next_carrier=_latest(tracking, tracking.next_carrier, next_carrier),
        estimated_delivery=_latest(tracking, tracking.estimated_delivery, estimated_delivery),
        signed_by=_latest(tracking, tracking.signed_by, signed_by),
        proof=_proof(tracking.proof, proof),
    )
    if after == tracking:
        return tracking
    return msgspec.structs.replace(after, version=tracking.version + 1, updated_at=at)


def _are_earlier(tracking: Tracking, events: Sequence[TrackingEvent]) -> bool:
    """Whether all of these things, if any, happened to an earlier parcel of the number."""
    since = tracking.since
    return since is not None and bool(events) and all(event.at < since for event in events)


def given_to(tracking: Tracking, carrier_code: str) -> Tracking:
    """The parcel with another courier. What the wrong one told was about another parcel."""
    return msgspec.structs.replace(
        tracking,
        carrier_code=carrier_code,
        status=TrackingStatus.PENDING,
        sub_status=None,
        events=(),
        other_numbers=(),
        next_carrier=None,
        estimated_delivery=None,
        signed_by=None,
        proof=None,
    )


def corrected_to(tracking: Tracking, carrier_code: str) -> Tracking:
    """The parcel with the courier that its client names. It does not go back to the wrong one by itself."""
    wrong = {*tracking.wrong_couriers, courier_key(tracking.carrier_code)} - {courier_key(carrier_code), ""}
    return msgspec.structs.replace(given_to(tracking, carrier_code), wrong_couriers=tuple(sorted(wrong)))


def silence(tracking: Tracking, *, now: datetime) -> TrackingEvent | None:
    """The event that ends a parcel on its way of which nothing was heard for `SILENCE`; None otherwise.

    One that is damaged, returning, in exception or waiting for collection goes on standing so.
    """
    if tracking.status.final or tracking.status in _KEPT_IN_SILENCE or not tracking.is_silent(now):
        return None
    return TrackingEvent(
        at=tracking.heard_of + SILENCE,
        code=SILENCE_CODE,
        description=f"Nothing was heard of the parcel for {SILENCE.days} days.",
        status=TrackingStatus.EXPIRED,
    )


def withdrawal(tracking: Tracking, *, at: datetime) -> TrackingEvent | None:
    """The event that ends a parcel that never moved and whose order came to nothing, `at` that time.

    None where it stands there already.
    """
    if tracking.status is TrackingStatus.CANCELLED:
        return None
    return TrackingEvent(
        at=max(at, tracking.last_event_at or at),
        code=CANCELLED_CODE,
        description="The order ended before the parcel was handed over.",
        status=TrackingStatus.CANCELLED,
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
    if not event.is_known_by_place:
        place = ""
    parts = (
        tracking.carrier,
        tracking.tracking_number,
        rfc3339(event.at),
        _plain(event.code),
        _plain(place),
        *((event.carrier,) if event.carrier else ()),
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
    stands = min(one, other, key=_by_rank)
    zoned = max(one, other, key=_zoning)
    return msgspec.structs.replace(
        one,
        **{name: _fuller(getattr(one, name), getattr(other, name)) for name in _LONGEST},
        status=stands.status,
        sub_status=stands.sub_status,
        utc_offset=zoned.utc_offset,
        at_is_local=zoned.at_is_local,
        visible_to_recipient=one.visible_to_recipient and other.visible_to_recipient,
        is_housekeeping=one.is_housekeeping and other.is_housekeeping,
        leaves=tuple(sorted({*one.leaves, *other.leaves})),
    )


def _by_rank(event: TrackingEvent) -> tuple[int, bool, str]:
    return _rank(event.status), event.sub_status is None, event.sub_status or ""


def _zoning(event: TrackingEvent) -> tuple[bool, str]:
    return not event.at_is_local, event.utc_offset or ""


def _fuller(one: str | None, other: str | None) -> str | None:
    return max(one, other, key=lambda text: (len(text or ""), text or "", text is not None))


def _kept(events: Iterable[TrackingEvent]) -> tuple[TrackingEvent, ...]:
    """The timeline, oldest first: the newest events there are room for, and no silence that was none."""
    ordered = _ordered(events)
    newest = [event for event in ordered if event.code != SILENCE_CODE][-MOST_EVENTS:]
    is_cut = len(newest) == MOST_EVENTS
    while len(newest) > _SURELY_FIT and len(msgspec.json.encode(newest)) > MOST_BYTES:
        newest, is_cut = newest[_SURELY_FIT // 4 :], True
    kept = {event.id for event in newest}
    since = newest[0].at if is_cut else None
    return tuple(
        event
        for event in ordered
        if event.id in kept or (event.code == SILENCE_CODE and _was_silent(event.at, newest, since))
    )


def _was_silent(until: datetime, events: Sequence[TrackingEvent], since: datetime | None) -> bool:
    """Whether nothing happened for so long `until` then, as far back as is known (`since`)."""
    happened = any(until - SILENCE < event.at <= until for event in events)
    return not happened and (since is None or since <= until)


def _ordered(events: Iterable[TrackingEvent]) -> list[TrackingEvent]:
    """Oldest first, so that of equal times that one is last which counts: by the list, then by the code."""
    by_code = sorted(events, key=lambda event: (event.code, event.id), reverse=True)
    return sorted(by_code, key=lambda event: (event.at, -_rank(event.status)))


class _Standing(NamedTuple):
    """How a parcel stands: by which event, and since when it is with its recipient."""

    status: TrackingStatus
    event: TrackingEvent | None
    delivered_at: datetime | None


def _standing(timeline: Sequence[TrackingEvent]) -> _Standing:
    """How the parcel stands: as the newest event says that has a status and is to be heard.

    That nothing is known, `pending`, is no news of a parcel of which something is: an aggregator says so when
    it begins to look, and what it finds is older. A delivery that follows a return on its way is to the
    sender; scans on the way leave it on its way, and a new round to the recipient ends it.
    """
    standing = [event for event in timeline if event.status is not None]
    known = [event for event in standing if event.status is not TrackingStatus.PENDING]
    newest: TrackingEvent | None = None
    stands = TrackingStatus.PENDING
    first: datetime | None = None
    delivered_at: datetime | None = None
    returning_since: datetime | None = None
    for event in known or standing:
        if event.status is None or not _is_heard(event, newest, stands, first):
            continue
        newest, stands = event, event.status
        if stands is TrackingStatus.RETURNING:
            returning_since = returning_since or event.at
        elif stands in _TO_A_DOOR:
            returning_since = None
        elif stands is TrackingStatus.DELIVERED:
            if returning_since is not None and returning_since < event.at:
                stands = TrackingStatus.RETURNED
            else:
                delivered_at = delivered_at or event.at
            first = first or event.at
    return _Standing(stands, newest, delivered_at)


def _is_heard(
    event: TrackingEvent, newest: TrackingEvent | None, stands: TrackingStatus, delivered_at: datetime | None
) -> bool:
    """Whether an event changes how a parcel stands that stood so until then."""
    if newest is None:
        return True
    if event.code == SILENCE_CODE:
        return not stands.final and stands not in _KEPT_IN_SILENCE
    if delivered_at is not None and event.status in _BOOKED_LATE:
        # Booked after the door. But what was given up in silence since then is moved by anything real.
        return stands is TrackingStatus.EXPIRED
    if newest.code == CANCELLED_CODE and event.status in _BEFORE_MOVING:
        return False
    return stands not in event.leaves


def _rank(status: TrackingStatus | None) -> int:
    """The place in the list by which one of equal times counts; behind all of it for no status."""
    return len(_FIRST_OF_EQUAL_TIMES) if status is None else _FIRST_OF_EQUAL_TIMES.index(status)


def _latest[T: (NextCarrier, Saying)](tracking: Tracking, one: T | None, other: T | None) -> T | None:
    """The later of two things that are told, unless it is told of an earlier parcel."""
    if other is not None and tracking.since is not None and other.at < tracking.since:
        other = None
    return max((each for each in (one, other) if each is not None), default=None)


def _numbers(tracking: Tracking, numbers: Iterable[OtherNumber]) -> tuple[OtherNumber, ...]:
    """The other numbers, each with its carriers, where any is known. Two spellings are one number."""
    own = number_key(tracking.tracking_number)
    others = [other for other in numbers if number_key(other.number) not in ("", own)]
    named = {number_key(other.number) for other in others if other.carrier}
    distinct: dict[tuple[str, str], OtherNumber] = {}
    for other in sorted(others, key=lambda other: (other.number, other.carrier or "")):
        key = number_key(other.number)
        if other.carrier or key not in named:
            distinct.setdefault((key, courier_key(other.carrier)), other)
    return tuple(distinct.values())


def secure_address(address: str | None) -> str | None:
    """A web address that may be shown as a link: https, with a host. None for anything else."""
    try:
        parts = urlsplit(address or "")
        safe = parts.scheme == "https" and bool(parts.hostname)
    except ValueError:
        return None
    return address if safe and address and not any(mark.isspace() for mark in address) else None


def _proof(one: ProofOfDelivery | None, other: ProofOfDelivery | None) -> ProofOfDelivery | None:
    """The later of two proofs: its pictures open longer. Addresses that are no links are left out."""
    proofs = [
        proof
        for each in (one, other)
        if each is not None
        and ((proof := _secure(each)).image_url is not None or proof.address_image_url is not None)
    ]
    return max(proofs, key=_lasting, default=None)


def _secure(proof: ProofOfDelivery) -> ProofOfDelivery:
    return msgspec.structs.replace(
        proof,
        image_url=secure_address(proof.image_url),
        address_image_url=secure_address(proof.address_image_url),
    )


def _lasting(proof: ProofOfDelivery) -> tuple[str, str, str]:
    return (
        rfc3339(proof.expires_at) if proof.expires_at else "",
        proof.image_url or "",
        proof.address_image_url or "",
    )
