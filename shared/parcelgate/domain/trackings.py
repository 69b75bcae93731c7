"""The journey of a parcel: its statuses, its events, and how they are joined to one timeline.

A timeline is a set of events. Every report about a parcel joins that set, in whatever sequence, however
often, by webhook or by poll. Everything else (status, times, numbers) follows from the set alone. So a late
or a repeated report can change nothing that it should not.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import NamedTuple

import msgspec

from parcelgate.domain.clock import rfc3339


class TrackingStatus(StrEnum):
    """The one vocabulary for a parcel's journey, for all carriers."""

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
        """Whether nothing more is expected to happen to the parcel, so that it is no longer polled."""
        return self in _FINAL


def _statuses(words: str) -> tuple[TrackingStatus, ...]:
    return tuple(TrackingStatus(word) for word in words.replace(",", " ").split())


_FINAL = frozenset(_statuses("delivered, returned, lost, cancelled, expired"))
_BEFORE_MOVING = frozenset(_statuses("pending, info_received, exception, expired"))
"""The statuses of a parcel that nobody has carried anywhere yet."""
_BOOKED_LATE = frozenset(_statuses("info_received, in_transit, out_for_delivery, available_for_pickup"))
"""Statuses of scans that carriers often record after the delivery. They do not change a delivered parcel."""
_TO_A_DOOR = frozenset(_statuses("out_for_delivery, attempt_failed, available_for_pickup"))
"""Statuses that show that a returning parcel was sent to its recipient once more."""
_KEPT_IN_SILENCE = frozenset(_statuses("damaged, returning, exception, available_for_pickup"))
"""Statuses that a parcel keeps when no news comes any more. With any other one on its way it expires."""
_FIRST_OF_EQUAL_TIMES = _statuses(
    "delivered, returned, lost, damaged, returning, exception, attempt_failed, available_for_pickup, "
    # The contract does not name cancelled and expired: a scan shows that a parcel is neither.
    "out_for_delivery, in_transit, cancelled, info_received, expired, pending"
)
"""Of several events at one time, the status that comes first in this list counts (contract, Trackings)."""
_FURTHEST_BEHIND = _statuses(
    "lost, damaged, exception, attempt_failed, returning, returned, expired, cancelled, pending, "
    "info_received, in_transit, available_for_pickup, out_for_delivery, delivered"
)


def furthest_behind(statuses: Iterable[TrackingStatus]) -> TrackingStatus:
    """The status that an order shows for its parcels: the worst of theirs; `pending` without parcels."""
    return min(statuses, key=_FURTHEST_BEHIND.index, default=TrackingStatus.PENDING)


class Source(StrEnum):
    """Where an event was first reported."""

    WEBHOOK = "webhook"
    POLL = "poll"


SILENCE = timedelta(days=60)
"""A parcel without any news for this long has expired."""
SILENCE_CODE = "parcelgate.silence"
"""The code of the event that ends such a parcel. Parcelgate makes it, no carrier reports it."""
CANCELLED_CODE = "parcelgate.cancelled"
"""The code of the event that ends a parcel whose order failed or was cancelled. Parcelgate makes it too."""
USED_AGAIN = timedelta(days=90)
"""This long after the end of a parcel, its courier may have given its number to another parcel."""
BEFORE_ITS_ORDER = timedelta(days=2)
"""An event this long before a parcel's order was created belongs to another parcel of the same number.

The limit is not the order's own second, because carriers' clocks and zones are not always right.
"""
MOST_EVENTS = 800
"""The largest number of events kept of one parcel: the newest ones."""
MOST_BYTES = 320_000
"""The largest size of the events kept of one parcel, because a stored item has a limit.

Few parcels come near.
"""
_SURELY_FIT = 60
"""This number of events always fits into those bytes, however long their texts are."""
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
    `at_is_local` marks a time that came without any zone. `status` is None when the carrier's `code` is in no
    table: it is shown, and never guessed. It is also None for housekeeping (`is_housekeeping`), which does
    not change the parcel's status. A parcel whose status is in `leaves` keeps that status. `carrier` is the
    carrier that carried the parcel, if that was not the carrier of its tracking. If a carrier writes the
    place of one event in several ways, the place is not part of the event's identity (`is_known_by_place`).
    `id` and `source` are set when the event joins a timeline.
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
    """A number under which another carrier carries the parcel on; `carrier` if it is known."""

    number: str
    carrier: str | None = None


class NextCarrier(msgspec.Struct, frozen=True, order=True):
    """The courier that carries the parcel on, by an aggregator's name for it, with its number and the time.

    `followed` says that Parcelgate asks that courier about the parcel from then on.
    """

    at: datetime
    carrier_code: str
    tracking_number: str
    followed: bool = False


class Saying(msgspec.Struct, frozen=True, order=True):
    """A fact in a carrier's own words, and its time: the latest counts."""

    at: datetime
    text: str


class ProofOfDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """Pictures of the delivery, at the carrier's own addresses, which work until `expires_at`."""

    image_url: str | None = None
    address_image_url: str | None = None
    expires_at: datetime | None = None


class Customer(msgspec.Struct, frozen=True, kw_only=True):
    """The recipient of a followed parcel, as the client named it."""

    name: str | None = None
    email: str | None = None
    phone: str | None = None


class Tracking(msgspec.Struct, frozen=True, kw_only=True):
    """One followed parcel.

    `service` is what its order bought of the carrier. `carrier_code` is the courier that an aggregator
    follows the parcel with. `courier_fixed` says that the aggregator must not look for another courier.
    `wrong_couriers`, in small letters, are those that the client has corrected. `carrier_number` is the
    carrier's own number of the parcel or its order, which is not on the label. Events before `since` belong
    to an earlier parcel of the same number. `replaced_by` is the tracking of a later parcel of that number,
    which the aggregator follows in place of this one.
    `erased_at` is when its recipient's data was erased; nothing joins its timeline any more.
    """

    id: str
    tenant: str
    carrier: str
    account: str
    tracking_number: str
    order_id: str | None = None
    parcel_reference: str | None = None
    carrier_number: str | None = None
    service: str | None = None
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
    erased_at: datetime | None = None
    version: int = 1
    created_at: datetime
    updated_at: datetime

    @property
    def last_event_at(self) -> datetime | None:
        """The time of the newest event that a carrier reported."""
        return max((event.at for event in self.events if event.code != SILENCE_CODE), default=None)

    @property
    def delivered_at(self) -> datetime | None:
        """When the parcel was first delivered to its recipient; a later correction does not change it."""
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
        """Whether its carrier sends webhooks about it: it has done so before, and has not handed it on."""
        return self.next_carrier is None and any(event.source is Source.WEBHOOK for event in self.events)

    def ended_at(self, now: datetime) -> datetime | None:
        """When the parcel came to its end, by its status or by silence; None if it has not ended."""
        if self.status.final:
            newest = _standing(self.events).event
            return newest.at if newest else self.updated_at
        return self.heard_of + SILENCE if self.is_over(now) else None

    def number_free_since(self, now: datetime) -> datetime | None:
        """The time from which the parcel's number may belong to another parcel; None before that.

        It is `USED_AGAIN` after the end of the parcel, or after it was followed if it had ended before.
        """
        ended_at = self.ended_at(now)
        free_at = None if ended_at is None else max(ended_at, self.created_at) + USED_AGAIN
        return free_at if free_at is not None and free_at < now else None

    def replaced(self, *, by: "Tracking") -> "Tracking":
        """Return the parcel after a later one of the same number is followed in its place."""
        return msgspec.structs.replace(
            self, replaced_by=by.id, version=self.version + 1, updated_at=by.created_at
        )

    def is_over(self, now: datetime) -> bool:
        """Whether nothing more is expected to happen to the parcel, so that it is no longer polled.

        That is also the case when its status stays in silence, and no news came for `SILENCE`.
        """
        return self.status.final or (self.status in _KEPT_IN_SILENCE and self.is_silent(now))

    def is_silent(self, now: datetime) -> bool:
        """Whether no news of the parcel came for `SILENCE`."""
        return now - self.heard_of >= SILENCE

    @property
    def heard_of(self) -> datetime:
        """The time of the last news of the parcel; at the earliest, when it was followed."""
        return max(self.last_event_at or self.created_at, self.created_at)


def number_key(number: str) -> str:
    """Return the form in which tracking numbers are compared: one case, no blanks, no full-width letters.

    >>> number_key("rp 123 456 789 au")
    'RP123456789AU'
    """
    return "".join(unicodedata.normalize("NFKC", number).upper().split())


def same_number(one: str, other: str) -> bool:
    """Return whether two spellings are of one tracking number."""
    return number_key(one) == number_key(other)


def courier_key(carrier_code: str | None) -> str:
    """Return the form in which courier codes are compared; empty for none.

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
    """Return `tracking` with a report about it joined in; the same object if nothing in the report is new.

    The sequence of reports and repeats make no difference: the result (except `source`, `version` and
    `updated_at`) depends on what was reported, and not on when, how often or by whom.
    """
    events = tuple(events)
    known = {event.id: event for event in tracking.events}
    for event in events:
        entry = _entry(tracking, event, source)
        if tracking.since is None or entry.at >= tracking.since:
            known[entry.id] = _joined(known[entry.id], entry) if entry.id in known else entry
    # Numbers and pictures have no time of their own: they are as old as the events of the same report.
    if _are_earlier(tracking, events):
        other_numbers, proof = (), None
    elif _are_earlier(tracking, [event for event in events if event.status is TrackingStatus.DELIVERED]):
        proof = None
    timeline = _kept(known.values())
    standing = _standing(timeline)
    after = msgspec.structs.replace(
        tracking,
        events=timeline,
        status=standing.status,
        sub_status=standing.event.sub_status if standing.event else None,
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
    """Return whether there are events, and all of them happened to an earlier parcel of the number."""
    since = tracking.since
    return since is not None and bool(events) and all(event.at < since for event in events)


def given_to(tracking: Tracking, carrier_code: str) -> Tracking:
    """Return the parcel with another courier.

    The wrong courier's reports are removed: they were about another parcel.
    """
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
    """Return the parcel with the courier that its client names.

    It never returns to the wrong one by itself.
    """
    wrong = {*tracking.wrong_couriers, courier_key(tracking.carrier_code)} - {courier_key(carrier_code), ""}
    return msgspec.structs.replace(given_to(tracking, carrier_code), wrong_couriers=tuple(sorted(wrong)))


def seen_by_recipient(tracking: Tracking) -> Tracking:
    """Return the parcel as its recipient may see it: as if only the events that are shown had happened."""
    timeline = tuple(event for event in tracking.events if event.visible_to_recipient)
    standing = _standing(timeline)
    return msgspec.structs.replace(
        tracking,
        events=timeline,
        status=standing.status,
        sub_status=standing.event.sub_status if standing.event else None,
    )


def silence(tracking: Tracking, *, now: datetime) -> TrackingEvent | None:
    """Return the event that ends a parcel on its way without news for `SILENCE`; None for any other parcel.

    A parcel that is damaged, returning, in exception or waiting for collection keeps its status.
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
    """Return the event that ends an unmoved parcel whose order failed or was cancelled, `at` that time.

    None if the parcel is cancelled already.
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
    """Return the event as a timeline holds it: times in whole milliseconds, texts cut to their limits."""
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
    """Return the identity of an event, which follows from carrier, number, instant, code and place.

    The place is the carrier's own text, if there is one. Capitals and spaces make no difference.
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
    """Join two reports of one event: the result has every fact of either, and the longer text of both.

    Its source is the first report's. It is hidden if either report hides it, and local only while no zone is
    known. A status keeps its own sub-status; of two statuses, the one further along counts. Each fact is
    joined by itself, so that any number of reports gives the same event in any sequence.
    """
    further = min(one, other, key=_by_rank)
    zoned = max(one, other, key=_zoning)
    return msgspec.structs.replace(
        one,
        **{name: _fuller(getattr(one, name), getattr(other, name)) for name in _LONGEST},
        status=further.status,
        sub_status=further.sub_status,
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
    """Return the timeline, oldest first: the newest events that fit, and only true silences."""
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
    """Return whether nothing happened for `SILENCE` before `until`, as far back as is known (`since`)."""
    happened = any(until - SILENCE < event.at <= until for event in events)
    return not happened and (since is None or since <= until)


def _ordered(events: Iterable[TrackingEvent]) -> list[TrackingEvent]:
    """Sort events, oldest first.

    Of equal times the one that counts is last: by the list, then by the code.
    """
    by_code = sorted(events, key=lambda event: (event.code, event.id), reverse=True)
    return sorted(by_code, key=lambda event: (event.at, -_rank(event.status)))


class _Standing(NamedTuple):
    """The status of a parcel, the event that gave it, and the time of the delivery to its recipient."""

    status: TrackingStatus
    event: TrackingEvent | None
    delivered_at: datetime | None


def _standing(timeline: Sequence[TrackingEvent]) -> _Standing:
    """Return the parcel's status: that of the newest event that has a status and counts.

    `pending` does not count if anything is known of the parcel: an aggregator says it when it begins to look,
    and the events that it finds are older. A delivery during a return is a delivery to the sender. Scans on
    the way back do not end the return; a new round to the recipient does.
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
    """Return whether an event changes the status `stands` that the parcel had until then."""
    if newest is None:
        return True
    if event.code == SILENCE_CODE:
        return not stands.final and stands not in _KEPT_IN_SILENCE
    if delivered_at is not None and event.status in _BOOKED_LATE:
        # The scan was recorded after the delivery. Yet any real event moves a parcel that expired since.
        return stands is TrackingStatus.EXPIRED
    if newest.code == CANCELLED_CODE and event.status in _BEFORE_MOVING:
        return False
    return stands not in event.leaves


def _rank(status: TrackingStatus | None) -> int:
    """Return the status's place in the list that decides between equal times; None comes last."""
    return len(_FIRST_OF_EQUAL_TIMES) if status is None else _FIRST_OF_EQUAL_TIMES.index(status)


def _latest[T: (NextCarrier, Saying)](tracking: Tracking, one: T | None, other: T | None) -> T | None:
    """Return the later of two facts; the second one is left out if it belongs to an earlier parcel."""
    if other is not None and tracking.since is not None and other.at < tracking.since:
        other = None
    return max((each for each in (one, other) if each is not None), default=None)


def _numbers(tracking: Tracking, numbers: Iterable[OtherNumber]) -> tuple[OtherNumber, ...]:
    """Return the other numbers, each with its carriers if any is known. Two spellings are one number."""
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
    """Return a web address that may be shown as a link: https, with a host. None for anything else."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(address or "")
        safe = parts.scheme == "https" and bool(parts.hostname)
    except ValueError:
        return None
    return address if safe and address and not any(mark.isspace() for mark in address) else None


def _proof(one: ProofOfDelivery | None, other: ProofOfDelivery | None) -> ProofOfDelivery | None:
    """Return the later of two proofs, whose pictures can be opened longer.

    Addresses that are no links are left out.
    """
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
