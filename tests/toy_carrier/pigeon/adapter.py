"""Pigeon Post behind the carrier port."""

from collections.abc import Sequence
from datetime import datetime

from parcelgate.carriers.accounts import Connection
from parcelgate.carriers.errors import (
    LabelPendingError,
    Refusal,
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
    Pending,
)
from parcelgate.carriers.toolkit import documents
from parcelgate.domain.orders import Order
from tests.toy_carrier.pigeon import codes, mapping, validation, wire
from tests.toy_carrier.pigeon.client import Client
from tests.toy_carrier.pigeon.settings import Call


class Adapter:
    """One account with the post: Carrier, Cancels and ProvidesLabels."""

    def __init__(self, connection: Connection) -> None:
        self._client = Client(connection)

    def examine(self, order: Order) -> Examination:
        """Hold the order against the post's fields and limits."""
        login = self._client.login
        return validation.examine(order, login.account, login.settings)

    def create(self, order: Order, *, callback_url: str | None = None) -> Confirmed:
        """Send a flight, once (documented)."""
        answer = self._client.ask(Call.CREATE, body=mapping.flight(order))
        if answer.code == codes.WINGS_FULL:
            raise TransientError("create: no pigeon can fly now", words=mapping.words(answer))
        if answer.code == codes.TAKEN:
            return self._adopted(order, answer)
        if answer.code is not None:
            errors = mapping.refused_fields(answer)
            raise RefusedError("create: the post refused", words=mapping.words(answer), errors=errors)
        result = mapping.result(order, answer)
        if isinstance(result, Confirmed):
            return result
        raise UnknownOutcomeError("create: taken, but not every bag has its ring")

    def _adopted(self, order: Order, answer: wire.Answer) -> Confirmed:
        """The post has the reference already: ours, or somebody else's?"""
        result = self.find_by_reference(order)
        if isinstance(result, Confirmed):
            return result
        if isinstance(result, Pending):
            raise UnknownOutcomeError("create: the reference is taken, and the look-up failed")
        raise RefusedError("create: the reference is taken", words=mapping.words(answer))

    def find_by_reference(self, order: Order) -> OrderResult:
        """Ask for the flight under our reference (documented)."""
        try:
            answer = self._client.ask(Call.FIND, number=order.reference)
        except TransientError as error:
            return Pending(reason=str(error))
        return NotFound() if answer.code == codes.UNKNOWN_FLIGHT else mapping.result(order, answer)

    def cancel(self, order: Order, *, at: datetime) -> Cancellation:
        """Call the pigeons back (documented); an unknown flight is cancelled already."""
        answer = self._client.ask(Call.CANCEL, number=order.carrier_order_number or "")
        if answer.code == codes.LANDED:
            raise RefusedError(
                "cancel: it has landed", words=mapping.words(answer), reason=Refusal.ALREADY_CLOSED
            )
        return Cancellation()

    def label(self, order: Order) -> list[LabelFile]:
        """The label of every bag, in parcel order (assumed)."""
        try:
            answer = self._client.ask(Call.LABEL, number=order.carrier_order_number or "")
        except TransientError as error:
            raise LabelPendingError(str(error)) from None
        labels = {ring.bag_ref: documents.from_base64(ring.label) for ring in answer.rings}
        files = [documents.label_file(ref, labels.get(ref)) for ref in (p.reference for p in order.parcels)]
        readable = [file for file in files if file is not None]
        if len(readable) < len(files):
            raise LabelPendingError("not a label for every bag")
        return readable

    def track(self, tracking_numbers: Sequence[str]) -> list[ParcelHistory]:
        """The pigeons' journeys, one call each (documented)."""
        return [mapping.history(ring, self._client.ask(Call.TRACK, number=ring)) for ring in tracking_numbers]
