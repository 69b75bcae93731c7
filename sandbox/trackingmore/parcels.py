"""Followed parcels: their journeys, and their fields in answers at a moment."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.parcels.routes import (
    Event,
    Kind,
    Leg,
    Stage,
    belated,
    disordered,
    journey,
    known,
    so_far,
    story,
)
from sandbox.parcels.steering import Steering
from sandbox.trackingmore.couriers import COUNTRIES, Courier, corrected, places
from sandbox.trackingmore.wire import JsonObject, Wanted

_SET_BY_HAND = {4: "delivered", 7: "exception"}
_NODES = (
    "ItemReceived",
    "ItemDispatched",
    "DepartfromAirport",
    "ArrivalfromAbroad",
    "CustomsClearance",
    "DestinationArrived",
)
_BLURRED = 60
"""The largest acceleration at which times to the minute still separate the steps of a parcel."""


@dataclass(frozen=True, slots=True)
class Words:
    """The report of a step: status, sub-status if there is one, text, and the milestone that it is."""

    status: str
    sub_status: str | None
    text: str
    node: str | None = None


WORDS: Mapping[Stage, Words] = {
    Stage.LABEL_CREATED: Words("notfound", "notfound001", "Shipment information received"),
    Stage.PICKED_UP: Words("transit", "transit001", "Item accepted by courier", "ItemReceived"),
    Stage.AT_FACILITY: Words("transit", "transit002", "Arrived at hub"),
    Stage.IN_TRANSIT: Words("transit", "transit001", "Departed, on the way"),
    Stage.CUSTOMS_HELD: Words("exception", "exception006", "Retained by customs"),
    Stage.CUSTOMS_CLEARED: Words("transit", "transit005", "Customs cleared", "CustomsClearance"),
    Stage.FORWARDED: Words("transit", "transit001", "Handed over to partner courier"),
    Stage.OUT_FOR_DELIVERY: Words("pickup", None, "Out for delivery"),
    Stage.ATTEMPTED: Words("undelivered", None, "Delivery attempt failed, nobody at home"),
    Stage.REFUSED: Words("exception", "exception009", "Refused by recipient"),
    Stage.REDELIVERY: Words(
        "transit", "transit003", "Back at delivery facility, delivery will be attempted again"
    ),
    Stage.CARDED: Words("undelivered", None, "Delivery attempt failed, card left"),
    Stage.READY_TO_COLLECT: Words("pickup", None, "Ready for collection at the post office"),
    Stage.COLLECTED: Words("delivered", "delivered002", "Collected by recipient"),
    Stage.DAMAGED: Words("exception", "exception007", "Parcel damaged"),
    Stage.UNDELIVERABLE: Words("exception", "exception005", "Parcel damaged, cannot be delivered"),
    Stage.LOST: Words("exception", "exception007", "Parcel lost"),
    Stage.RETURNING: Words("exception", "exception011", "Returning to sender"),
    Stage.RETURNED: Words("exception", "exception010", "Returned to sender"),
    Stage.DELIVERED: Words("delivered", "delivered001", "Delivered"),
}
_ENDS = frozenset({Stage.COLLECTED, Stage.DELIVERED, Stage.LOST, Stage.RETURNED})
_AT_DELIVERY = Words("transit", "transit003", "Arrived at delivery facility", "DestinationArrived")
_FROM_ABROAD = Words("transit", "transit004", "Arrived in destination country", "ArrivalfromAbroad")
_TO_ABROAD = Words("transit", "transit001", "Departed from airport", "DepartfromAirport")
_DISPATCHED = Words("transit", "transit001", "Dispatched from origin", "ItemDispatched")


@dataclass(slots=True, eq=False)
class Parcel:
    """One parcel that an account follows.

    The named courier counts until the first look-up, at `looked_at`; then the courier that really has the
    parcel.
    """

    account: str
    number: str
    named: Courier
    owner: Courier
    fields: JsonObject
    words: Steering
    events: tuple[Event, ...]
    abroad: bool
    created_at: datetime
    looked_at: datetime
    acceleration: float
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    archived: bool = False
    by_hand: str | None = None
    stopped_at: datetime | None = None
    gone: bool = False

    @classmethod
    def of(
        cls,
        request: Wanted,
        account: str,
        began: datetime,
        now: datetime,
        moment: timedelta,
        acceleration: float,
    ) -> "Parcel":
        """Follow a parcel whose way began earlier or begins now, to be looked at in a moment."""
        owner = corrected(request.courier, request.number) if request.auto_correct else request.courier
        words = steering(request.number, request.fields)
        country = request.destination or owner.country
        first, hub, last = places(owner.country, country)
        way = journey(
            request.number,
            began,
            first,
            last,
            acceleration,
            kind=Kind.of(words),
            hub=hub,
            abroad=country != owner.country,
        )
        return cls(
            account=account,
            number=request.number,
            named=request.courier,
            owner=owner,
            fields=request.fields,
            words=words,
            events=way,
            abroad=country != owner.country,
            created_at=now,
            looked_at=now + moment,
            acceleration=acceleration,
        )

    @property
    def reference(self) -> str:
        """The client's own name for the parcel, else its number."""
        return self.fields.get("order_id") or self.number

    def courier(self, now: datetime) -> Courier:
        """Give the courier it is followed with."""
        return self.owner if self._until(now) >= self.looked_at else self.named

    @property
    def told_events(self) -> Sequence[Event]:
        """The steps as they become known; SBX-DISORDER makes some of them late."""
        return belated(self.events) if self.words.has("DISORDER") else self.events

    def known(self, now: datetime) -> list[Event]:
        """Give the steps that are known, oldest first."""
        until = self._until(now)
        return known(self.told_events, until) if until >= self.looked_at else []

    def _until(self, now: datetime) -> datetime:
        """Return the time up to which steps are known: nothing is added after updates were stopped."""
        return min(now, self.stopped_at or now)

    def moments(self) -> list[tuple[datetime, datetime]]:
        """Return when webhooks about it are sent, and the time that each describes: after every change.

        With SBX-DISORDER every second change is sent only after the next one, and the others twice.
        """
        changes = {max(event.seen_at, self.looked_at) for event in self.told_events}
        if self.events[-1].stage not in _ENDS:
            changes.add(max(self._expiry(self.events[-1]), self.looked_at))
        inorder = sorted(changes)
        if not self.words.has("DISORDER"):
            return [(at, at) for at in inorder]
        moments: list[tuple[datetime, datetime]] = []
        for place in range(0, len(inorder), 2):
            at = inorder[place]
            moments += [(at, at)] * 2
            if place:
                moments.append((at, inorder[place - 1]))
        return moments if len(inorder) % 2 else [*moments, (inorder[-1], inorder[-1])]

    def _expiry(self, last: Event) -> datetime:
        return last.at + self.owner.patience / self.acceleration

    def updated_at(self, now: datetime) -> datetime | None:
        """Give the time when something became known last."""
        known_at = [event.seen_at for event in self.known(now)]
        return max([*known_at, self.looked_at]) if known_at else None

    def standing(self, now: datetime) -> tuple[str, str | None]:
        """Return status and sub-status as an answer has them."""
        if self.by_hand:
            return self.by_hand, None
        until = self._until(now)
        if until < self.looked_at:
            return "pending", None
        return self._standing(self.known(now), until)

    def _standing(self, events: Sequence[Event], now: datetime) -> tuple[str, str | None]:
        if not events:
            return "notfound", "notfound002"
        last = max(events, key=lambda event: event.at)
        if last.stage not in _ENDS and now >= self._expiry(last):
            return "expired", None
        words = self._words(last)
        return words.status, words.sub_status

    def _words(self, event: Event) -> Words:
        match event.stage, event.leg:
            case Stage.AT_FACILITY, Leg.DESTINATION:
                return _AT_DELIVERY
            case Stage.AT_FACILITY, Leg.HUB if self.abroad:
                return _FROM_ABROAD
            case Stage.IN_TRANSIT, Leg.ORIGIN:
                return _TO_ABROAD if self.abroad else _DISPATCHED
        return WORDS[event.stage]

    def set_by_hand(self, status: int) -> None:
        """Set the status that the client gives: 4 delivered, 7 exception, 8 as it was."""
        self.by_hand = _SET_BY_HAND.get(status)

    # Answers about it.

    def entered(self, now: datetime) -> JsonObject:
        """Give what post and batch answer."""
        fields = self.fields
        return {
            "id": self.id,
            "tracking_number": self.number,
            "carrier_code": self.courier(now).code,
            "order_create_time": fields.get("order_create_time"),
            "status": self.standing(now)[0],
            "created_at": _instant(self.created_at),
            "customer_email": fields.get("customer_email"),
            "customer_name": fields.get("customer_name"),
            "customer_phone": fields.get("customer_phone"),
            "order_id": fields.get("order_id"),
            "comment": fields.get("comment"),
            "title": fields.get("title"),
            "logistics_channel": fields.get("logistics_channel"),
        }

    def posted(self, now: datetime) -> JsonObject:
        """Return the answer of post: only those fields of the parcel that were given."""
        optional = {"order_create_time", "customer_email", "customer_name", "customer_phone", "order_id"}
        optional |= {"comment", "title", "logistics_channel"}
        return {
            name: value
            for name, value in self.entered(now).items()
            if name not in optional or value is not None
        }

    def amended(self, now: datetime) -> JsonObject:
        """Give what PUT and updatemore answer."""
        return {
            **self.entered(now),
            "updated_at": _instant(now),
            "destination_code": self.fields.get("destination_code"),
            "archived": self.archived,
        }

    def item(self, now: datetime) -> JsonObject:
        """Return all that is known of it, as `get` answers."""
        events, fields = self.known(now), self.fields
        status, sub_status = self.standing(now)
        here = [event for event in events if not self.abroad or event.leg is Leg.ORIGIN]
        there = [event for event in events if event not in here]
        last = max(events, key=lambda event: event.at, default=None)
        updated = self.updated_at(now)
        email = fields.get("customer_email")
        return {
            "id": self.id,
            "tracking_number": self.number,
            "carrier_code": self.courier(now).code,
            "status": status,
            "substatus": sub_status,
            "track_update": self.stopped_at is None and (last is None or last.stage not in _ENDS),
            "created_at": _instant(self.created_at),
            "updated_at": _instant(updated) if updated else None,
            "order_create_time": fields.get("order_create_time"),
            "customer_email": [email] if email else "",
            "title": fields.get("title") or "",
            "order_id": fields.get("order_id"),
            "comment": fields.get("comment"),
            "customer_name": fields.get("customer_name"),
            "customer_phone": fields.get("customer_phone"),
            "logistics_channel": fields.get("logistics_channel"),
            "archived": self.archived,
            "original_country": COUNTRIES.get(self.owner.country, self.owner.country) if events else "",
            "destination_country": COUNTRIES.get(fields.get("destination_code") or "", ""),
            "itemTimeLength": _days(events[0].at, last.at, self.acceleration) if last else None,
            "stayTimeLength": _days(last.at, now, self.acceleration) if last else None,
            "service_code": None,
            "status_info": None,
            "singed_by": self._signed_by(last),
            "origin_info": self._info(here, now, self.courier(now)),
            "destination_info": self._info(there, now, None),
            "lastEvent": self._last_event(last),
            "lastUpdateTime": self._date(last.at) if last else None,
        }

    def _signed_by(self, last: Event | None) -> str | None:
        delivered = last is not None and last.stage in {Stage.DELIVERED, Stage.COLLECTED}
        return (self.fields.get("customer_name") or "Recipient") if delivered else None

    def _last_event(self, last: Event | None) -> str:
        return f"{self._words(last).text},{last.place.city},{self._date(last.at)}" if last else ""

    def _info(self, events: Sequence[Event], now: datetime, courier: Courier | None) -> JsonObject:
        """Return one country's part of the journey, the newest step first; all is null if there is none."""
        nodes: JsonObject = dict.fromkeys(("ReferenceNumber", *_NODES))
        for event in events:
            if (node := self._words(event).node) and nodes[node] is None:
                nodes[node] = self._date(event.at)
        shown = sorted(events, key=lambda event: event.at, reverse=True)
        if self.words.has("DISORDER"):
            shown = disordered(shown, f"{self.number} {now}")
        return {
            **nodes,
            "weblink": courier.homepage if courier else None,
            "phone": (courier.phone or None) if courier else None,
            "carrier_code": courier.code if courier else None,
            "trackinfo": [self._row(event) for event in shown] or None,
        }

    def _row(self, event: Event) -> JsonObject:
        words = self._words(event)
        return {
            "Date": self._date(event.at),
            "StatusDescription": words.text,
            "Details": event.place.city,
            "checkpoint_status": words.status,
            "substatus": self._spelt(words.sub_status),
            **({"ItemNode": words.node} if words.node else {}),
        }

    def _spelt(self, sub_status: str | None) -> str | None:
        """Write `notfound001` as v2's own page does, for every other parcel."""
        divided = sub_status == "notfound001" and sum(self.number.encode()) % 2
        return "not found001" if divided else sub_status

    def _code(self, event: Event) -> str:
        words = self._words(event)
        return self._spelt(words.sub_status) or words.status

    def _date(self, at: datetime) -> str:
        """Write a time without a zone: posts to the minute, express couriers to the second.

        If parcels are so fast that a minute holds several steps, all write it to the second.
        """
        to_the_minute = self.owner.post and self.acceleration <= _BLURRED
        return (
            f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"
            if to_the_minute
            else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
        )

    def truth(self, now: datetime) -> JsonObject:
        """Return what has really happened to it, whatever is known of it."""
        happened = so_far(self.events, now)
        journey = story(self.number, self.reference, [(event, self._code(event)) for event in happened])
        return {**journey, "carrier_code": self.owner.code, "status": self._standing(happened, now)[0]}


def steering(number: str, fields: Mapping[str, Any]) -> Steering:
    """Find the steering words of a parcel: in its order_id, its title or its number."""
    return Steering(
        " ".join(str(part) for part in (fields.get("order_id"), fields.get("title"), number) if part)
    )


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")


def _days(since: datetime, until: datetime, acceleration: float) -> int:
    """Count the days of a parcel's life between two instants."""
    return int((until - since).total_seconds() * acceleration // 86400)
