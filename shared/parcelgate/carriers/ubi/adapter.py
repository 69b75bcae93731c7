"""UBI behind the carrier port."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import batched
from typing import Any

import msgspec

from parcelgate.carriers.accounts import Connection
from parcelgate.carriers.errors import (
    CarrierError,
    LabelPendingError,
    RefusedError,
    TransientError,
    UnknownOutcomeError,
)
from parcelgate.carriers.results import (
    Cancellation,
    Confirmed,
    Examination,
    LabelFile,
    NotFound,
    OrderResult,
    ParcelHistory,
    Service,
    Submitted,
)
from parcelgate.carriers.toolkit.comparison import as_it_was
from parcelgate.carriers.ubi import answers, validation
from parcelgate.carriers.ubi.answers import DuplicateError
from parcelgate.carriers.ubi.client import Client
from parcelgate.carriers.ubi.codes import NO_EVENTS, UNKNOWN_ORDER
from parcelgate.carriers.ubi.mapping.create import prepared, wire_order
from parcelgate.carriers.ubi.mapping.label import label_files, label_request
from parcelgate.carriers.ubi.mapping.track import histories
from parcelgate.carriers.ubi.settings import Call, CarrierSettings
from parcelgate.carriers.ubi.wire import (
    MAX_ORDERS,
    MAX_TRACKED,
    Entry,
    Envelope,
    FoundOrder,
    HoldRequest,
    LabelAnswer,
    OrderAnswer,
    ServiceAnswer,
    TrackAnswer,
    Trouble,
    encode,
    read_each,
)
from parcelgate.domain.orders import Order
from parcelgate.domain.trackings import number_key, same_number

_logger = logging.getLogger(__name__)


class Adapter:
    """One UBI account.

    Carrier, CreatesInBatches, Cancels, Updates, Holds, Manifests, ProvidesLabels and ListsServices.
    """

    create_batch = MAX_ORDERS
    track_batch = MAX_TRACKED

    def __init__(self, connection: Connection) -> None:
        self._client = Client(connection)

    @property
    def _settings(self) -> CarrierSettings:
        login = self._client.login
        own = msgspec.structs.asdict(login.settings)
        return CarrierSettings(ship_from=login.account.ship_from, return_to=login.account.return_to, **own)

    def examine(self, order: Order) -> Examination:
        """Check the order against the given table; see `validation`."""
        return validation.examine(order, self._settings)

    def create(self, order: Order, *, callback_url: str | None = None) -> Confirmed:
        """Create one order (documented). UBI answers at once and sends no callback.

        Raises RefusedError, PartlyRefusedError, AuthenticationError, TransientError or
        UnknownOutcomeError.
        """
        (outcome,) = self._create([order])
        if isinstance(outcome, CarrierError):
            raise outcome
        return outcome

    def create_many(self, orders: Sequence[Order]) -> list[Submitted | Confirmed | CarrierError]:
        """Create up to 300 orders in one call; each is matched by its `referenceNo`."""
        return [*self._create(orders)]

    def _create(self, orders: Sequence[Order]) -> list[Confirmed | CarrierError]:
        references = {order.reference for order in orders}
        if not 0 < len(orders) <= MAX_ORDERS or len(references) < len(orders):
            raise ValueError(f"1 to {MAX_ORDERS} orders of different references, not {len(orders)}")
        envelope = self._client.call(Call.ORDERS, encode(self._wire(order) for order in orders))
        entries = read_each(OrderAnswer, envelope.data)
        by_reference = {answer.reference_no: answer for answer in entries if answer.reference_no}
        if not references & by_reference.keys():
            return self._looked_up(orders, [_nothing_named(orders, envelope, entries)])
        results = [
            answers.created(order, by_reference[order.reference], envelope)
            if order.reference in by_reference
            else UnknownOutcomeError("UBI's reply does not mention this order")
            for order in orders
        ]
        return self._looked_up(orders, results)

    def _wire(self, order: Order, *, update: bool = False) -> dict[str, Any]:
        return wire_order(self._ready(order), self._settings, update=update)

    def _ready(self, order: Order) -> Order:
        """Return the order as it is sent, and as the carrier returns it."""
        return prepared(order, self._settings).order

    def _looked_up(
        self, orders: Sequence[Order], results: Sequence[Confirmed | CarrierError]
    ) -> list[Confirmed | CarrierError]:
        """The results, with every duplicate either adopted as ours or refused (assumed)."""
        pairs = [*zip(orders, results, strict=True)]
        duplicates = [order for order, result in pairs if isinstance(result, DuplicateError)]
        if not duplicates:
            return [*results]
        try:
            by_reference = self._query([order.reference for order in duplicates])
        except CarrierError as error:
            asked = UnknownOutcomeError(
                f"UBI already has an order with this reference, and did not say which: {error}"
            )
            return [asked if isinstance(result, DuplicateError) else result for result in results]
        return [
            self._adopted(self._ready(order), by_reference.get(order.reference), result)
            if isinstance(result, DuplicateError)
            else result
            for order, result in pairs
        ]

    @staticmethod
    def _adopted(
        order: Order, stored: FoundOrder | None, duplicate: DuplicateError
    ) -> Confirmed | CarrierError:
        if stored is None or not answers.is_ours(order, stored):
            return RefusedError(
                "UBI already has another order with this reference",
                words=duplicate.words,
                errors=duplicate.errors,
            )
        result = answers.result_of_found(order, stored)
        if isinstance(result, Confirmed):
            return result
        return UnknownOutcomeError(
            f"UBI has an order with our reference that differs from ours: {type(result).__name__}"
        )

    def find_by_reference(self, order: Order) -> OrderResult:
        """Ask `queryorders` for the reference (assumed); adopted only with our service and address."""
        stored = self._query([order.reference]).get(order.reference)
        return NotFound() if stored is None else answers.result_of_found(self._ready(order), stored)

    def _query(self, references: Sequence[str]) -> dict[str, FoundOrder]:
        """Return the orders under these references; those that the carrier does not know are left out.

        Raises TransientError when the answer does not say so clearly.
        """
        envelope = self._client.call(Call.QUERY_ORDERS, encode(references))
        by_reference: dict[str, FoundOrder] = {}
        unread = 0
        for entry in envelope.data:
            (order,) = read_each(FoundOrder, [answers.unwrapped(entry)]) or [FoundOrder()]
            if order.reference_no in references and order.order_id:
                if not answers.gone(order):
                    by_reference[order.reference_no or ""] = order
            elif not _says_unknown(entry):
                unread += 1
        if len(by_reference) == len(references):
            return by_reference
        troubles = envelope.errors
        if troubles and not all(trouble.code == UNKNOWN_ORDER for trouble in troubles):
            error = answers.whole(envelope.errors)
            raise error if not isinstance(error, UnknownOutcomeError) else TransientError(str(error))
        if unread or (answers.refused(envelope) and not troubles and not envelope.data):
            raise TransientError("UBI's reply does not say whether it has the order")
        return by_reference

    def track(self, tracking_numbers: Sequence[str]) -> list[ParcelHistory]:
        """Ask for the journeys of any number of parcels, 30 in a call (public).

        An event that cannot be read is left out; the others are kept.
        """
        journeys: list[ParcelHistory] = []
        for asked in batched(tracking_numbers, MAX_TRACKED, strict=False):
            envelope = self._client.call(Call.TRACKING_EVENTS, encode(asked))
            if answers.refused(envelope) and not envelope.data and not _only(envelope.errors, NO_EVENTS):
                raise answers.whole(envelope.errors)
            entries = read_each(TrackAnswer, envelope.data)
            found, unreadable = histories(asked, entries, self._settings)
            if unreadable:
                _logger.warning("ubi: %d tracking events could not be read and were left out", unreadable)
            journeys += found
        return journeys

    def label(self, order: Order) -> list[LabelFile]:
        """Fetch one label per parcel, in parcel order, in the wanted format, size and resolution (public)."""
        numbers = _label_numbers(order)
        envelope = self._client.call(Call.LABELS, encode(label_request(order, numbers)))
        entries = read_each(LabelAnswer, envelope.data)
        files = label_files(order, numbers, entries)
        if len(files) == len(order.parcels):
            return files
        if troubles := _troubles(envelope, entries):
            raise answers.whole(troubles)
        raise LabelPendingError(f"{len(files)} of {len(order.parcels)} labels")

    def cancel(self, order: Order, *, at: datetime) -> Cancellation:
        """Delete the order, several pieces through their master (public).

        If the carrier refused the master and accepted pieces, each piece is deleted by itself. An order
        that the carrier does not know counts as deleted.
        """
        pieces = [parcel.carrier_parcel_number for parcel in order.parcels if parcel.carrier_parcel_number]
        for number in (
            [order.carrier_order_number] if order.carrier_order_number else pieces or [order.reference]
        ):
            envelope = self._client.call(Call.DELETE_ORDER, number=number)
            troubles = _refusals(envelope)
            if troubles is not None and not _only(troubles, UNKNOWN_ORDER):
                raise answers.whole(troubles, order)
        return Cancellation()

    def hold(self, order: Order) -> None:
        """Hold the order (public); several pieces through their master (assumed)."""
        request = HoldRequest(order_ids=(_number(order),))
        troubles = _refusals(self._client.call(Call.HOLD, encode(request)))
        if troubles is not None:
            raise answers.whole(troubles, order)

    def update(self, order: Order) -> Confirmed:
        """Send the changed order, with the carrier's number (assumed)."""
        wire = self._wire(order, update=True)
        envelope = self._client.call(
            Call.UPDATE_ORDER, encode([wire] if self._settings.update_as_list else wire)
        )
        entries = read_each(OrderAnswer, envelope.data)
        ours = [a for a in entries if a.reference_no == order.reference or _is_of(a, order)]
        if answers.refused(envelope) and not ours:
            raise answers.whole(envelope.errors, order)
        if not ours:
            return answers.with_warnings(_as_it_was(order), envelope)
        outcome = answers.created(order, ours[0], envelope)
        if isinstance(outcome, UnknownOutcomeError) and not ours[0].pieces_result:
            # The change was accepted; without numbers in the reply, ours stay valid.
            return answers.with_warnings(_as_it_was(order), envelope)
        if isinstance(outcome, CarrierError):
            raise outcome
        return outcome

    def close(self, orders: Sequence[Order]) -> list[CarrierError | None]:
        """Close orders in a manifest (public), at most 300 in a call (assumed); then they cannot change."""
        results: list[CarrierError | None] = []
        for some in batched(orders, MAX_ORDERS, strict=False):
            envelope = self._client.call(Call.MANIFESTS, encode(_number(order) for order in some))
            by_number = _by_number(envelope.data)
            results += [_closed(order, envelope, by_number) for order in some]
        return results

    def services(self) -> list[Service]:
        """Ask for the service catalogue of the account (public)."""
        envelope = self._client.call(Call.SERVICE_CATALOG)
        if answers.refused(envelope):
            raise answers.whole(envelope.errors)
        return [
            Service(code=service.service_code, name=service.service_name or service.native_name or "")
            for service in read_each(ServiceAnswer, envelope.data)
            if service.service_code
        ]


def _nothing_named(
    orders: Sequence[Order], envelope: Envelope, entries: Sequence[OrderAnswer]
) -> CarrierError:
    """Return the meaning of a reply to a create that names none of the orders.

    A refusal without a reference belongs to the order, if there is only one; for many orders it is raised.
    """
    nameless = [entry for entry in entries if entry.reference_no is None]
    if len(orders) > 1:
        if answers.refused(envelope):
            raise answers.whole(envelope.errors)
        raise UnknownOutcomeError("UBI's reply does not mention the orders that were submitted")
    if answers.refused(envelope) or (len(entries) == len(nameless) == 1 and answers.refused(entries[0])):
        return answers.whole(dict.fromkeys(_troubles(envelope, nameless)), orders[0])
    return UnknownOutcomeError("UBI's reply does not mention the orders that were submitted")


def _number(order: Order) -> str:
    """The number by which the carrier knows the order."""
    return order.carrier_order_number or order.reference


def _is_of(answer: OrderAnswer, order: Order) -> bool:
    return answer.order_id is not None and same_number(answer.order_id, _number(order))


def _label_numbers(order: Order) -> list[str]:
    if len(order.parcels) == 1:
        return [order.parcels[0].carrier_parcel_number or _number(order)]
    return [
        parcel.carrier_parcel_number or parcel.tracking_number or parcel.reference for parcel in order.parcels
    ]


def _only(troubles: Iterable[Trouble], code: str) -> bool:
    codes = {trouble.code for trouble in troubles}
    return codes == {code}


def _says_unknown(entry: object) -> bool:
    """Whether an entry of `queryorders` says that there is no such order."""
    entries = read_each(Entry, [entry])
    if any(_only(answer.errors, UNKNOWN_ORDER) for answer in entries):
        return True
    empty = isinstance(entry, dict) and "order" in entry and entry["order"] is None
    return empty and not any(answer.errors for answer in entries)


def _refusals(envelope: Envelope) -> list[Trouble] | None:
    """The error in a reply about one order; None if there is none."""
    entries = read_each(Entry, envelope.data)
    if not any(answers.refused(answer) for answer in (envelope, *entries)):
        return None
    return _troubles(envelope, entries)


def _troubles(envelope: Envelope, entries: Iterable[Entry]) -> list[Trouble]:
    """The error of a reply as a whole, and the errors of its entries."""
    refused = [entry for entry in entries if answers.refused(entry)]
    return [*envelope.errors, *(trouble for entry in refused for trouble in entry.errors)]


def _by_number(entries: Iterable[object]) -> dict[str, Entry]:
    """Return the entries of a manifest by each of their numbers; an entry without more is a closed order."""
    by_number: dict[str, Entry] = {}
    for entry in reversed(read_each(Entry, entries)):
        names = (entry.order_id, entry.reference_no, entry.tracking_no)
        by_number |= {number_key(name): entry for name in names if name}
    closed = Entry(status="Success")
    return by_number | {number_key(number): closed for number in entries if isinstance(number, str)}


def _closed(order: Order, envelope: Envelope, by_number: Mapping[str, Entry]) -> CarrierError | None:
    """The result of one order in a manifest."""
    numbers = (order.carrier_order_number, order.reference, *order.tracking_numbers,
               *order.master_tracking_numbers)  # fmt: skip
    keys = [number_key(number) for number in numbers if number]
    entry = next((by_number[key] for key in keys if key in by_number), None)
    if entry is not None:
        return answers.whole(entry.errors, order) if answers.refused(entry) else None
    if answers.refused(envelope):
        return answers.whole(envelope.errors, order)
    return UnknownOutcomeError("UBI's reply does not mention this order") if envelope.data else None


def _as_it_was(order: Order) -> Confirmed:
    before = as_it_was(order)
    if before is None:
        raise UnknownOutcomeError("UBI accepted the change without giving numbers")
    return before
