"""TrackingMore behind the aggregator port."""

import logging
from collections.abc import Callable, Mapping, Sequence
from itertools import batched
from typing import Any

from pydantic import ValidationError

from parcelgate.carriers.accounts import AccountConfig
from parcelgate.carriers.errors import AuthenticationError, CarrierError, RefusedError
from parcelgate.carriers.results import (
    Amendment,
    Area,
    Courier,
    Followed,
    Following,
    ParcelHistory,
    Route,
    TransitTimes,
    Trust,
    Waybill,
    WebhookReading,
)
from parcelgate.carriers.toolkit.bodies import UnreadableError, decoded
from parcelgate.carriers.toolkit.calls import Transport
from parcelgate.carriers.trackingmore import answers, codes, mapping, signing, wire
from parcelgate.carriers.trackingmore.client import Client
from parcelgate.carriers.trackingmore.codes import Kind
from parcelgate.carriers.trackingmore.settings import read_settings
from parcelgate.carriers.trackingmore.wire import MAX_PARCELS
from parcelgate.domain.clock import Clock
from parcelgate.domain.problems import CarrierWords, FieldError

_logger = logging.getLogger(__name__)

_MOST_PAGES = 50
_POINTERS = {
    "tracking_number": "/tracking_number",
    "carrier_code": "/carrier_code",
    "destination_code": "/destination_country",
}


class TrackingMore:
    """One TrackingMore account: Aggregates, Tracks, VerifiesWebhooks.

    Raises AccountError when the account lacks what TrackingMore needs.
    """

    track_batch = MAX_PARCELS

    def __init__(
        self,
        account: AccountConfig,
        *,
        send: Transport,
        clock: Clock,
        reread: Callable[[], AccountConfig] | None = None,
    ) -> None:
        self._account = account
        self._settings = read_settings(account)
        self._client = Client(account, send=send, reread=reread)
        self._clock = clock

    def follow(self, parcels: Sequence[Following]) -> list[Followed | CarrierError]:
        """Follow one parcel with `post`, several with `batch` (documented).

        One that is followed already, code 4016, is no error, so that a call whose answer was lost is simply
        made again. With `auto_correct` the courier in the answer may be another than the one that was asked
        for. A parcel that stands in neither list of the answer is an error of its own.
        """
        wanted = _at_most({parcel.waybill: parcel for parcel in parcels})
        results: dict[Waybill, Followed | CarrierError] = {}
        bodies: dict[Waybill, wire.NewTracking] = {}
        for waybill, parcel in wanted.items():
            try:
                bodies[waybill] = mapping.new_tracking(parcel, self._settings)
            except ValidationError as error:
                results[waybill] = _unsendable(error)
        if bodies:
            several = len(bodies) > 1
            sent = [*bodies.values()]
            answer = self._client.batch(sent) if several else self._client.post(sent[0])
            corrected = {waybill: wanted[waybill].auto_correct for waybill in bodies}
            for waybill, told in answers.followed(corrected, answer).items():
                results[waybill] = self._followed(waybill, told)
        return [results[parcel.waybill] for parcel in parcels]

    def _followed(self, waybill: Waybill, told: wire.Item | CarrierError | None) -> Followed | CarrierError:
        if isinstance(told, CarrierError):
            return told
        if told is None:
            return Followed(waybill=waybill, already=True)
        history = self._history(told, waybill.tracking_number)
        courier = told.carrier_code or waybill.carrier_code
        if courier.casefold() == waybill.carrier_code.casefold():
            courier = waybill.carrier_code
        return Followed(waybill=Waybill(courier, waybill.tracking_number), history=history)

    def track(self, tracking_numbers: Sequence[str]) -> list[ParcelHistory]:
        """Ask the list for any number of parcels, 40 in a call, page by page (public).

        A number that is not followed does not come back; one that several couriers have comes several times.
        Raises AuthenticationError also for an account that is not served until somebody pays.
        """
        histories: list[ParcelHistory] = []
        for asked in batched(dict.fromkeys(tracking_numbers), MAX_PARCELS, strict=False):
            spelt = {number.casefold(): number for number in asked}
            for item in self._listed(asked):
                number = spelt.get((item.tracking_number or "").casefold())
                if number is not None:
                    histories.append(self._history(item, number))
        return histories

    def _listed(self, numbers: Sequence[str]) -> list[wire.Item]:
        """Everything that the list has of these numbers, over as many pages as it takes."""
        found: dict[tuple[str | None, str | None], wire.Item] = {}
        size = self._settings.page_size
        for number in range(1, _MOST_PAGES + 1):
            answer = self._client.get(numbers=",".join(numbers), page=number, limit=size)
            # 404 would say that there is no list, and not that it is empty.
            if codes.kind(answer.code) is Kind.NOT_FOLLOWED and answer.code != "404":
                break
            if answer.code in codes.UNPAID:
                # No parcel's fault: a person has to see to the account (assumed: the list is refused so).
                words = CarrierWords(answers.CARRIER, answer.code, answer.message)
                raise AuthenticationError("TrackingMore does not serve the account", words=words)
            if not answers.done(answer):
                raise answers.error(answer.code, answer.message)
            items = wire.items(answer.data, "items")
            before = len(found)
            found |= {(item.tracking_number, item.carrier_code): item for item in items}
            told = wire.Page.model_validate(answer.data if isinstance(answer.data, dict) else {})
            full = len(items) >= (told.limit or size)
            more = full if told.total is None else len(found) < told.total
            if not more or len(found) == before:
                break
        return list(found.values())

    def history(self, waybill: Waybill) -> ParcelHistory | None:
        """Ask for one parcel by its own path (public); None when it is not followed, or there is nothing."""
        return self._of(waybill, self._client.get_one(waybill))

    def realtime(self, waybill: Waybill) -> ParcelHistory | None:
        """Have the courier asked now (public)."""
        return self._of(waybill, self._client.realtime(mapping.pair(waybill)))

    def _of(self, waybill: Waybill, answer: wire.Answer) -> ParcelHistory | None:
        """The parcel in an answer about one. Its courier may have been corrected meanwhile."""
        if codes.kind(answer.code) is Kind.NOT_FOLLOWED:
            return None
        if not answers.done(answer):
            raise answers.error(answer.code, answer.message)
        told = answers.matched({waybill: True}, wire.items(answer.data, "items", "trackings"))
        if waybill in told:
            return self._history(told[waybill], waybill.tracking_number)
        if not answer.data or answer.data == {"items": []}:
            return None
        raise answers.nothing_told()

    def _history(self, told: wire.Item, number: str) -> ParcelHistory:
        found, aside = mapping.history(told, self._settings, number=number)
        if aside:
            _logger.warning("trackingmore: %d checkpoints set aside as not readable", aside)
        return found

    def amend(self, amendments: Sequence[Amendment]) -> list[CarrierError | None]:
        """Change one parcel with PUT, several with `updatemore` (public). No change at all is not sent."""
        bodies = {
            amendment.waybill: wire.ChangedTracking(**_named(amendment.waybill), **changes)
            for amendment in amendments
            if (changes := mapping.changes(amendment))
        }
        if not _at_most(bodies):
            return [None for _ in amendments]
        if len(bodies) == 1:
            ((waybill, body),) = bodies.items()
            alone = wire.Changes(**body.model_dump(include=set(wire.Changes.model_fields)))
            answer = self._client.put_one(waybill, alone)
        else:
            answer = self._client.updatemore([*bodies.values()])
        results = answers.changed(bodies, answer)
        return [results.get(amendment.waybill) for amendment in amendments]

    def correct(self, waybill: Waybill, carrier_code: str) -> None:
        """Follow the parcel with another courier (public).

        Asked again after a lost answer, TrackingMore knows the parcel no more as it was: then it is looked
        for as it should be.
        """
        change = wire.CourierChange(**_named(waybill), update_carrier_code=carrier_code)
        answer = self._client.update(change)
        kind = codes.kind(answer.code)
        if kind in {Kind.DONE, Kind.FOLLOWED}:
            return
        if kind is Kind.NOT_FOLLOWED:
            there = Waybill(carrier_code, waybill.tracking_number)
            found = self._client.get_one(there)
            if answers.done(found) and answers.matched({there: False}, wire.items(found.data)):
                return
        raise answers.error(answer.code, answer.message)

    def forget(self, waybills: Sequence[Waybill]) -> list[CarrierError | None]:
        """Forget one parcel with DELETE, several with `delete`; how they answer is assumed."""
        if not (wanted := _at_most(dict.fromkeys(waybills))):
            return []
        if len(wanted) == 1:
            answer = self._client.delete_one(waybills[0])
        else:
            answer = self._client.delete([mapping.pair(waybill) for waybill in wanted])
        results = answers.changed(wanted, answer, forgotten=True)
        return [results[waybill] for waybill in waybills]

    def pause(self, waybills: Sequence[Waybill]) -> list[CarrierError | None]:
        """Have the couriers asked no more, with `notupdate` (public)."""
        if not (wanted := _at_most(dict.fromkeys(waybills))):
            return []
        results = answers.changed(wanted, self._client.notupdate([mapping.pair(one) for one in wanted]))
        return [results[waybill] for waybill in waybills]

    def transit_times(self, routes: Sequence[Route]) -> list[TransitTimes]:
        """How long parcels take, from `costtime` (public)."""
        answer = self._client.costtime([mapping.route_question(route) for route in routes])
        return mapping.transit_times(routes, _data(answer))

    def remote_areas(self, areas: Sequence[Area]) -> list[dict[str, Any]]:
        """What DHL, UPS, FedEx and TNT call remote, from `remote` (public)."""
        answer = self._client.remote([mapping.area_question(area) for area in areas])
        return wire.objects(_data(answer), "remote", "items")

    def air_cargo(self, awb: str) -> dict[str, Any]:
        """The journey of an air waybill, from `aircargo` (public). Raises RefusedError for what is none."""
        try:
            question = wire.AirWaybills(track_number=(awb,))
        except ValidationError:
            error = FieldError("/awb", "invalid", "Three digits, and seven or eight more.")
            raise RefusedError("this is no air waybill", errors=[error]) from None
        found = wire.objects(_data(self._client.aircargo(question)))
        return found[0] if found else {}

    def usage(self) -> dict[str, Any]:
        """What is left of the account's quota, from `getuserinfo` (public)."""
        return mapping.usage(_data(self._client.getuserinfo()))

    def counts(self) -> dict[str, int]:
        """How many parcels stand how, from `getstatusnumber` (public)."""
        return mapping.counts(_data(self._client.getstatusnumber()))

    def detect(self, tracking_number: str) -> list[Courier]:
        """Whose number it may be (public); five questions cost as much as one parcel."""
        answer = self._client.detect(wire.NumberQuestion(tracking_number=tracking_number))
        if answer.code in {codes.UNDETECTED, codes.NO_CONTENT}:
            return []
        return mapping.couriers(_data(answer))

    def couriers(self, lang: str | None = None) -> list[Courier]:
        """Whose parcels can be followed (public)."""
        return mapping.couriers(_data(self._client.carriers(lang)))

    def verify_webhook(self, headers: Mapping[str, str], body: bytes) -> WebhookReading:  # noqa: ARG002
        """What a delivery is worth: whom to ask about, if its signature is good and its time is near.

        Never more, since the signature is that of the time alone; see `signing`.
        """
        proof = signing.door(body, self._account.credential("email"))
        if isinstance(proof, signing.Flaw):
            return WebhookReading(trust=Trust.UNREADABLE, reason=proof.value)
        if not signing.is_fresh(proof, self._clock(), self._settings.webhook_tolerance):
            return WebhookReading(trust=Trust.UNREADABLE, reason="its time is too far from ours")
        waybill = _pushed(body)
        if waybill is None:
            return WebhookReading(trust=Trust.UNREADABLE, reason="it names no parcel")
        return WebhookReading(
            trust=Trust.NUDGE,
            reason="only its time is signed",
            history=ParcelHistory(
                tracking_number=waybill.tracking_number, carrier_code=waybill.carrier_code, events=()
            ),
        )


def _unsendable(error: ValidationError) -> RefusedError:
    """What no call can say, told without asking; the fields by TrackingMore's names."""
    names = {str(place) for one in error.errors() for place in one["loc"][:1]}
    errors = [FieldError(_POINTERS.get(name, ""), "invalid", f"TrackingMore does not take this as {name}.")
              for name in sorted(names)]  # fmt: skip
    return RefusedError("TrackingMore cannot be told this", errors=errors)


def _at_most[T](wanted: dict[Waybill, T]) -> dict[Waybill, T]:
    if len(wanted) > MAX_PARCELS:
        raise ValueError(f"at most {MAX_PARCELS} parcels, not {len(wanted)}")
    return wanted


def _named(waybill: Waybill) -> dict[str, Any]:
    return {"tracking_number": waybill.tracking_number, "carrier_code": waybill.carrier_code}


def _data(answer: wire.Answer) -> Any:
    if not answers.done(answer):
        raise answers.error(answer.code, answer.message)
    return answer.data


def _pushed(body: bytes) -> Waybill | None:
    """Of which parcel a delivery speaks."""
    try:
        items = wire.items(decoded(body)["data"])
    except (UnreadableError, LookupError, TypeError):
        return None
    named = [Waybill(item.carrier_code, item.tracking_number or "") for item in items if item.carrier_code]
    return named[0] if len(named) == 1 else None
