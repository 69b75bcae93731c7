"""TrackingMore behind the aggregator port."""

import logging
from collections.abc import Mapping, Sequence
from itertools import batched
from typing import Any

from pydantic import ValidationError

from parcelgate.carriers.accounts import Connection
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
from parcelgate.carriers.trackingmore import answers, codes, mapping, signing, wire
from parcelgate.carriers.trackingmore.client import Client
from parcelgate.carriers.trackingmore.codes import Kind
from parcelgate.carriers.trackingmore.settings import Call, CarrierSettings, webhook_key
from parcelgate.carriers.trackingmore.wire import MAX_PARCELS
from parcelgate.domain.problems import CarrierWords, FieldError
from parcelgate.domain.trackings import courier_key, number_key

_logger = logging.getLogger(__name__)

_MOST_PAGES = 50
_POINTERS = {
    "tracking_number": "/tracking_number",
    "carrier_code": "/carrier_code",
    "destination_code": "/destination_country",
}


class Adapter:
    """One TrackingMore account: Aggregates, Tracks, VerifiesWebhooks."""

    track_batch = MAX_PARCELS

    def __init__(self, connection: Connection) -> None:
        self._client = Client(connection)
        self._clock = connection.clock

    @property
    def _settings(self) -> CarrierSettings:
        return self._client.login.settings

    def follow(self, parcels: Sequence[Following]) -> list[Followed | CarrierError]:
        """Follow one parcel with `post`, several with `batch` (documented).

        A parcel that is followed already, code 4016, is no error, so a call whose answer was lost can be
        repeated. With `auto_correct` the answer may name another courier. A parcel that is in
        neither list of the answer gets an error of its own.
        """
        by_waybill = _at_most({parcel.waybill: parcel for parcel in parcels})
        results: dict[Waybill, Followed | CarrierError] = {}
        bodies: dict[Waybill, wire.NewTracking] = {}
        for waybill, parcel in by_waybill.items():
            try:
                bodies[waybill] = mapping.new_tracking(parcel, self._settings)
            except ValidationError as error:
                results[waybill] = _unsendable(error)
        if bodies:
            body = [*bodies.values()]
            several = len(body) > 1
            answer = self._client.call(Call.BATCH, body) if several else self._client.call(Call.POST, body[0])
            may_be_corrected = {waybill: by_waybill[waybill].auto_correct for waybill in bodies}
            for waybill, item in answers.followed(may_be_corrected, answer).items():
                results[waybill] = self._followed(waybill, item)
        return [results[parcel.waybill] for parcel in parcels]

    def _followed(self, waybill: Waybill, item: wire.Item | CarrierError | None) -> Followed | CarrierError:
        if isinstance(item, CarrierError):
            return item
        if item is None:
            return Followed(waybill=waybill, already=True)
        history = self._history(item, waybill.tracking_number)
        courier = item.carrier_code or waybill.carrier_code
        if courier_key(courier) == courier_key(waybill.carrier_code):
            courier = waybill.carrier_code
        return Followed(waybill=Waybill(courier, waybill.tracking_number), history=history)

    def track(self, tracking_numbers: Sequence[str]) -> list[ParcelHistory]:
        """Ask the list for any number of parcels, 40 in a call, page by page (public).

        A number that is not followed does not come back; one that several couriers have comes several times.
        A journey of another number comes back under that number.
        Raises AuthenticationError also for an account that TrackingMore serves only after a payment.
        """
        histories: list[ParcelHistory] = []
        for numbers in batched(dict.fromkeys(tracking_numbers), MAX_PARCELS, strict=False):
            as_given = {number_key(number): number for number in numbers}
            for item in self._listed(numbers):
                theirs = item.tracking_number or ""
                histories.append(self._history(item, as_given.get(number_key(theirs), theirs)))
        return histories

    def _listed(self, numbers: Sequence[str]) -> list[wire.Item]:
        """Return everything that the list has of these numbers, from as many pages as necessary."""
        listed: dict[tuple[str | None, str | None], wire.Item] = {}
        size = self._settings.page_size
        for number in range(1, _MOST_PAGES + 1):
            query: dict[str, str | int] = {"numbers": ",".join(numbers), "page": number, "limit": size}
            answer = self._client.call(Call.GET, query=query)
            # 404 would mean that there is no list, and not that the list is empty.
            if codes.kind(answer.code) is Kind.NOT_FOLLOWED and answer.code != "404":
                break
            if answer.code in codes.UNPAID:
                # No parcel is the cause. A person has to look after the account (assumed: the list is refused
                # so).
                words = CarrierWords(answers.CARRIER, answer.code, answer.message)
                raise AuthenticationError(
                    "TrackingMore does not serve the account until it is paid for", words=words
                )
            if not answers.done(answer):
                raise answers.error(answer.code, answer.message)
            items = wire.items(answer.data, "items")
            before = len(listed)
            listed |= {(item.tracking_number, item.carrier_code): item for item in items}
            page = wire.Page.model_validate(answer.data if isinstance(answer.data, dict) else {})
            full = len(items) >= (page.limit or size)
            more = full if page.total is None else len(listed) < page.total
            if not more or len(listed) == before:
                break
        return list(listed.values())

    def history(self, waybill: Waybill) -> ParcelHistory | None:
        """Ask for one parcel by its own path (public); None when it is not followed, or there is nothing."""
        return self._of(waybill, self._client.call(Call.GET_ONE, waybill=waybill))

    def realtime(self, waybill: Waybill) -> ParcelHistory | None:
        """Make TrackingMore ask the courier now (public)."""
        return self._of(waybill, self._client.call(Call.REALTIME, _pair(waybill)))

    def _of(self, waybill: Waybill, answer: wire.Answer) -> ParcelHistory | None:
        """The parcel in an answer about one. Its courier may have been corrected meanwhile."""
        if codes.kind(answer.code) is Kind.NOT_FOLLOWED:
            return None
        if not answers.done(answer):
            raise answers.error(answer.code, answer.message)
        matched = answers.matched({waybill: True}, wire.items(answer.data, "items", "trackings"))
        if waybill in matched:
            return self._history(matched[waybill], waybill.tracking_number)
        if not answer.data or answer.data == {"items": []}:
            return None
        raise answers.not_mentioned()

    def _history(self, item: wire.Item, number: str) -> ParcelHistory:
        history, unreadable = mapping.history(item, self._settings, number=number)
        if unreadable:
            _logger.warning("trackingmore: %d checkpoints could not be read and were left out", unreadable)
        return history

    def amend(self, amendments: Sequence[Amendment]) -> list[CarrierError | None]:
        """Change one parcel with PUT, several with `updatemore` (public). No change at all is not sent."""
        bodies = {
            amendment.waybill: changes for amendment in amendments if (changes := mapping.changes(amendment))
        }
        if not _at_most(bodies):
            return [None for _ in amendments]
        if len(bodies) == 1:
            ((waybill, changes),) = bodies.items()
            answer = self._client.call(Call.PUT_ONE, wire.Changes(**changes), waybill=waybill)
        else:
            several = [wire.ChangedTracking(**one._asdict(), **changes) for one, changes in bodies.items()]
            answer = self._client.call(Call.UPDATEMORE, several)
        results = answers.changed(bodies, answer)
        return [results.get(amendment.waybill) for amendment in amendments]

    def correct(self, waybill: Waybill, carrier_code: str) -> None:
        """Follow the parcel with another courier (public).

        If an answer was lost, TrackingMore may no longer know the parcel with the old courier. Then the
        parcel is looked up with the new one.
        """
        change = wire.CourierChange(**waybill._asdict(), update_carrier_code=carrier_code)
        answer = self._client.call(Call.UPDATE, change)
        kind = codes.kind(answer.code)
        if kind in {Kind.DONE, Kind.FOLLOWED}:
            return
        if kind is Kind.NOT_FOLLOWED:
            there = Waybill(carrier_code, waybill.tracking_number)
            known = self._client.call(Call.GET_ONE, waybill=there)
            if answers.done(known) and answers.matched({there: False}, wire.items(known.data)):
                return
        raise answers.error(answer.code, answer.message)

    def forget(self, waybills: Sequence[Waybill]) -> list[CarrierError | None]:
        """Delete one parcel with DELETE, several with `delete`. The form of the replies is assumed."""
        unique = _at_most(dict.fromkeys(waybills))
        if len(unique) == 1:
            answer = self._client.call(Call.DELETE_ONE, waybill=waybills[0])
        elif unique:
            answer = self._client.call(Call.DELETE, [_pair(waybill) for waybill in unique])
        results = answers.changed(unique, answer, forgotten=True) if unique else {}
        return [results[waybill] for waybill in waybills]

    def pause(self, waybills: Sequence[Waybill]) -> list[CarrierError | None]:
        """Stop asking the couriers, with `notupdate` (public)."""
        if not (unique := _at_most(dict.fromkeys(waybills))):
            return []
        answer = self._client.call(Call.NOTUPDATE, [_pair(waybill) for waybill in unique])
        results = answers.changed(unique, answer)
        return [results[waybill] for waybill in waybills]

    def transit_times(self, routes: Sequence[Route]) -> list[TransitTimes]:
        """How long parcels take, from `costtime` (public)."""
        answer = self._client.call(Call.COSTTIME, [mapping.route_question(route) for route in routes])
        return mapping.transit_times(routes, _data(answer))

    def remote_areas(self, areas: Sequence[Area]) -> list[dict[str, Any]]:
        """What DHL, UPS, FedEx and TNT call remote, from `remote` (public)."""
        answer = self._client.call(Call.REMOTE, [mapping.area_question(area) for area in areas])
        return wire.objects(_data(answer), "remote", "items")

    def air_cargo(self, awb: str) -> dict[str, Any]:
        """The journey of an air waybill, from `aircargo` (public). Raises RefusedError for what is none."""
        try:
            question = wire.AirWaybills(track_number=(awb,))
        except ValidationError:
            error = FieldError("/awb", "invalid", "Three digits, and seven or eight more.")
            raise RefusedError("this is not an air waybill", errors=[error]) from None
        entries = wire.objects(_data(self._client.call(Call.AIRCARGO, question)))
        return entries[0] if entries else {}

    def usage(self) -> dict[str, Any]:
        """What is left of the account's quota, from `getuserinfo` (public)."""
        return mapping.usage(_data(self._client.call(Call.GETUSERINFO)))

    def counts(self) -> dict[str, int]:
        """Count the parcels with each status, from `getstatusnumber` (public)."""
        return mapping.counts(_data(self._client.call(Call.GETSTATUSNUMBER)))

    def detect(self, tracking_number: str) -> list[Courier]:
        """Detect the courier of a number (public). Five such calls cost as much as one parcel."""
        answer = self._client.call(Call.DETECT, wire.NumberQuestion(tracking_number=tracking_number))
        if answer.code in {codes.UNDETECTED, codes.NO_CONTENT}:
            return []
        return mapping.couriers(_data(answer))

    def couriers(self, lang: str | None = None) -> list[Courier]:
        """List the couriers whose parcels can be followed (public)."""
        headers = {"Lang": lang} if lang else {}
        return mapping.couriers(_data(self._client.call(Call.CARRIERS, headers=headers)))

    def verify_webhook(self, headers: Mapping[str, str], body: bytes) -> WebhookReading:
        """Read a webhook: it names a parcel to ask about, if its signature is good and its time is near.

        It proves nothing more, since only the time is signed; see `signing`.
        """
        proof = signing.verify_proof(body, webhook_key(self._client.login.account))
        if isinstance(proof, signing.Flaw):
            return WebhookReading(trust=Trust.UNREADABLE, reason=proof.value)
        if not signing.is_fresh(proof, self._clock(), self._settings.webhook_tolerance):
            return WebhookReading(trust=Trust.UNREADABLE, reason="its time differs too much from our clock")
        waybill = _pushed(body)
        if waybill is None:
            return WebhookReading(trust=Trust.UNREADABLE, reason="it names no parcel")
        return WebhookReading(
            trust=Trust.NUDGE,
            reason="TrackingMore signs the time only, not the content",
            history=ParcelHistory(
                tracking_number=waybill.tracking_number, carrier_code=waybill.carrier_code, events=()
            ),
        )


def _unsendable(error: ValidationError) -> RefusedError:
    """Make the refusal for values that TrackingMore does not accept, by TrackingMore's names."""
    names = {str(place) for one in error.errors() for place in one["loc"][:1]}
    errors = [FieldError(_POINTERS.get(name, ""), "invalid", f"TrackingMore does not accept this as {name}.")
              for name in sorted(names)]  # fmt: skip
    return RefusedError("TrackingMore does not accept a value of the request", errors=errors)


def _at_most[T](parcels: dict[Waybill, T]) -> dict[Waybill, T]:
    if len(parcels) > MAX_PARCELS:
        raise ValueError(f"at most {MAX_PARCELS} parcels, not {len(parcels)}")
    return parcels


def _pair(waybill: Waybill) -> wire.Pair:
    return wire.Pair(**waybill._asdict())


def _data(answer: wire.Answer) -> Any:
    if not answers.done(answer):
        raise answers.error(answer.code, answer.message)
    return answer.data


def _pushed(body: bytes) -> Waybill | None:
    """Return the parcel that a webhook is about."""
    try:
        items = wire.items(decoded(body)["data"])
    except (UnreadableError, LookupError, TypeError):
        return None
    named = [Waybill(item.carrier_code, item.tracking_number or "") for item in items if item.carrier_code]
    return named[0] if len(named) == 1 else None
