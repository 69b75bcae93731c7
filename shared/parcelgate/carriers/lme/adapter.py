"""LME behind the carrier port."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from parcelgate.carriers.accounts import Connection, Login
from parcelgate.carriers.errors import (
    AuthenticationError,
    CarrierError,
    LabelPendingError,
    Refusal,
    RefusedError,
    TransientError,
    UnknownOutcomeError,
)
from parcelgate.carriers.lme import codes, signing, validation, wire
from parcelgate.carriers.lme.client import Client, Unread
from parcelgate.carriers.lme.mapping import create, results, track
from parcelgate.carriers.lme.mapping.address import address_check, address_query
from parcelgate.carriers.lme.mapping.label import label_data
from parcelgate.carriers.lme.settings import ACCOUNT, Call, CarrierSettings, ErrorKind, ErrorMeaning
from parcelgate.carriers.results import (
    AddressCheck,
    Cancellation,
    Confirmed,
    Examination,
    LabelFile,
    Mismatch,
    NotFound,
    OrderResult,
    ParcelHistory,
    Pending,
    Trust,
    WebhookReading,
)
from parcelgate.carriers.toolkit.comparison import as_it_was
from parcelgate.carriers.toolkit.documents import read_label
from parcelgate.carriers.toolkit.models import Sent
from parcelgate.domain.orders import Order
from parcelgate.domain.places.addresses import Address
from parcelgate.domain.problems import CarrierWords, FieldError
from parcelgate.domain.trackings import same_number

_logger = logging.getLogger(__name__)

_SAYS_NO = {
    ErrorKind.DUPLICATE: "LME already has an order with this reference",
    ErrorKind.NOT_FOUND: "LME does not know the order",
    ErrorKind.CANCELLED: "the order is already cancelled with LME",
    ErrorKind.CLOSED: "LME has already collected the parcel",
    ErrorKind.NOT_PERMITTED: "LME does not permit this call for the account",
    ErrorKind.NOT_READY: "LME is not ready for this yet",
    ErrorKind.REFUSED: "LME refused the call",
}
_TROUBLE = {ErrorKind.AUTHENTICATION, ErrorKind.TRANSIENT, ErrorKind.UNKNOWN}
_REASONS = {
    ErrorKind.NOT_FOUND: Refusal.UNKNOWN_ORDER,
    ErrorKind.CANCELLED: Refusal.ALREADY_CANCELLED,
    ErrorKind.CLOSED: Refusal.ALREADY_CLOSED,
    ErrorKind.NOT_PERMITTED: Refusal.NOT_PERMITTED,
}


class Adapter:
    """One LME account.

    Carrier, Cancels, Updates, Returns, ProvidesLabels, ValidatesAddresses, VerifiesWebhooks.
    """

    track_batch = 1
    """One call asks about one number (public)."""

    def __init__(self, connection: Connection) -> None:
        self._login = Login(ACCOUNT, connection.account, connection.reread)
        self._client = Client(self._login, connection.send, connection.clock)
        self._clock = connection.clock

    @property
    def _settings(self) -> CarrierSettings:
        return self._login.settings

    def examine(self, order: Order) -> Examination:
        """Check the order against LME's fields and limits; see `validation`."""
        return validation.examine(order, self._login.account, self._settings, self._clock())

    def create(self, order: Order, *, callback_url: str | None = None) -> Confirmed:
        """Send createOrder, once (public).

        A readable refusal means that the order was not accepted. Codes 200 and 500 to 599, a success without
        a number and every unreadable answer leave it open. A refusal because the reference exists already
        leads to a look-up: our own order is adopted.
        """
        answer, meaning = self._settled(Call.CREATE, partial(self._body, order), safe=False)
        if meaning is None:
            return self._taken(order, answer)
        refusal = self._refusal(Call.CREATE, answer, meaning)
        if meaning.kind is ErrorKind.DUPLICATE:
            return self._adopted(order, refusal)
        raise refusal

    def _body(self, order: Order, channel: str, *, is_update: bool = False) -> wire.OrderCreate:
        sender = order.ship_from or self._login.account.ship_from
        if sender is None:
            error = FieldError("/ship_from", "missing", "LME requires a sender.")
            raise RefusedError("the order has no sender", errors=[error])
        return create.create(
            order,
            channel=channel,
            sender=sender,
            settings=self._settings,
            now=self._clock(),
            is_update=is_update,
        )

    def _taken(self, order: Order, answer: wire.Answer) -> Confirmed:
        data = results.order_data(answer)
        result = None if data is None else results.confirmed(order, data)
        if isinstance(result, Confirmed):
            return result
        raise UnknownOutcomeError(f"{Call.CREATE}: LME reported success without an order number")

    def _adopted(self, order: Order, refusal: RefusedError) -> Confirmed:
        try:
            result = self.find_by_reference(order)
        except (AuthenticationError, TransientError) as error:
            raise UnknownOutcomeError(
                f"{Call.CREATE}: LME already has this reference, and the look-up failed", words=refusal.words
            ) from error
        if isinstance(result, Confirmed):
            return result
        if isinstance(result, Pending):
            raise UnknownOutcomeError(
                f"{Call.CREATE}: LME already has this reference: {result.reason}", words=refusal.words
            )
        raise refusal

    def find_by_reference(self, order: Order) -> OrderResult:
        """Ask for the order's detail by `outOrderNo` (public).

        Success without an order, and the ways of saying that there is none, are NotFound (assumed). Any
        other refusal says nothing about the order and is Pending. Raises AuthenticationError, and
        TransientError for an answer that cannot be read and a call that did not come through.
        """
        answer, meaning = self._settled(Call.DETAIL, partial(_either_number, order))
        if meaning is not None and meaning.kind is not ErrorKind.NOT_FOUND:
            return Pending(reason=f"code {answer.code}", carrier_order_number=order.carrier_order_number)
        if meaning is not None or not answer.data:
            return NotFound()
        data = results.order_data(answer)
        if data is None:
            return Mismatch(detail="LME's reply does not have exactly one order.")
        return results.found(order, data, self._settings)

    def cancel(self, order: Order, *, at: datetime) -> Cancellation:
        """Send cancelOrder (public). An order that is cancelled already counts as cancelled now.

        `isTrue` says whether LME cancelled it; a success that leaves it out is believed (assumed). Raises
        RefusedError (with different messages for a collected parcel, an unknown order and a lack of
        permission), AuthenticationError or TransientError.
        """
        answer, meaning = self._settled(Call.CANCEL, partial(_either_number, order))
        if meaning is not None and meaning.kind is not ErrorKind.CANCELLED:
            raise self._refusal(Call.CANCEL, answer, meaning)
        data = wire.CancelData.model_validate(answer.data if isinstance(answer.data, dict) else {})
        if meaning is None and data.is_true is False:
            raise RefusedError(f"{Call.CANCEL}: LME did not cancel it", words=results.words(answer))
        return Cancellation()

    def update(self, order: Order) -> Confirmed:
        """Send the whole order anew under its number (assumed). Sending the same order twice is harmless.

        An answer without numbers leaves those that the order has.
        """
        if not order.carrier_order_number:
            raise RefusedError(f"{Call.UPDATE}: the order has no carrier order number")
        body = partial(self._body, order, is_update=True)
        answer, meaning = self._settled(Call.UPDATE, body, safe=False)
        if meaning is not None:
            raise self._refusal(Call.UPDATE, answer, meaning)
        data = results.order_data(answer)
        if data is None or data.order_no is None:
            unchanged = as_it_was(order)
            if unchanged is None:
                raise UnknownOutcomeError(f"{Call.UPDATE}: LME reported success without an order number")
            return unchanged
        result = results.confirmed(order, data)
        if not isinstance(result, Confirmed):
            raise UnknownOutcomeError(f"{Call.UPDATE}: LME's reply is about another order")
        return result

    def send_back(self, order: Order) -> str | None:
        """Ask for the order's return (public; how LME says no is assumed).

        The answer has an `orderNo`, of which nobody says whose it is: another number than the order's is
        taken for the return's own (assumed). An order whose return LME has already counts as taken now
        (assumed). Raises RefusedError, AuthenticationError, TransientError or UnknownOutcomeError.
        """
        number = order.carrier_order_number
        if not number:
            raise RefusedError(f"{Call.RETURN}: the order has no carrier order number")
        query = wire.ReturnQuery(order_no=number, out_order_no=order.reference)
        answer, meaning = self._settled(Call.RETURN, lambda _: query, safe=False)
        if meaning is not None and meaning.kind is not ErrorKind.DUPLICATE:
            raise self._refusal(Call.RETURN, answer, meaning)
        data = results.order_data(answer)
        if data is None or data.order_no is None or same_number(data.order_no, number):
            return None
        return data.order_no

    def label(self, order: Order) -> list[LabelFile]:
        """Fetch the parcel's label (all of it assumed).

        LME's code for "not ready" is not known. So every refusal that is not in the account's own table
        counts as not ready, and so do an empty or unreadable answer and every file that is no real document.
        Raises LabelPendingError, RefusedError or AuthenticationError.
        """
        query = wire.OrderQuery(order_no=order.carrier_order_number or None)
        try:
            answer, meaning = self._settled(Call.LABEL, lambda _: query)
        except TransientError as error:
            raise LabelPendingError(str(error)) from error
        if meaning is not None:
            raise self._label_refusal(answer, meaning)
        data = label_data(answer)
        if data.order_no not in {None, order.carrier_order_number}:
            raise LabelPendingError("LME's reply has the label of another order")
        document = read_label(
            order.parcels[0].reference,
            data.label_data,
            data.label_url,
            send=self._client.send,
            call="lme.label_file",
            base_url=self._login.base_url,
            hosts=self._settings.label_hosts,
        )
        return [document]

    def _label_refusal(self, answer: wire.Answer, meaning: ErrorMeaning) -> Exception:
        listed = answer.code in self._settings.errors
        if meaning.kind is ErrorKind.CANCELLED or (listed and meaning.kind is not ErrorKind.NOT_READY):
            return self._refusal(Call.LABEL, answer, meaning)
        return LabelPendingError(f"code {answer.code}")

    def track(self, tracking_numbers: Sequence[str]) -> list[ParcelHistory]:
        """Ask for the journeys, one call each (public); a number that LME does not know has no events.

        An event that cannot be read is left out; the others are kept. Raises RefusedError,
        AuthenticationError or TransientError.
        """
        return [journey for number in dict.fromkeys(tracking_numbers) for journey in self._journeys(number)]

    def _journeys(self, number: str) -> list[ParcelHistory]:
        call = Call.ROUTE_V2 if self._settings.route == "v2" else Call.ROUTE
        answer, meaning = self._settled(
            call, lambda key: wire.OrderQuery(order_no=number, channel=key if call is Call.ROUTE else None)
        )
        if meaning is not None and meaning.kind is ErrorKind.NOT_FOUND:
            return [ParcelHistory(tracking_number=number, events=())]
        if meaning is not None:
            raise self._refusal(call, answer, meaning)
        histories, unreadable = track.histories(number, answer, self._settings)
        if unreadable:
            _logger.warning("%s: %d tracking events could not be read and were left out", call, unreadable)
        return histories

    def validate_address(self, address: Address) -> AddressCheck:
        """Check an address with LME (assumed) and against the account's list of postcodes."""
        listed = validation.undeliverable(address, self._settings)
        if listed:
            return AddressCheck(valid=False, messages=(FieldError("/address/postcode", *listed),))
        answer, meaning = self._settled(Call.VALIDATE_ADDRESS, lambda _: address_query(address))
        if meaning is not None:
            raise self._refusal(Call.VALIDATE_ADDRESS, answer, meaning)
        check = address_check(address, answer)
        if check is None:
            raise TransientError(
                f"{Call.VALIDATE_ADDRESS}: LME's reply does not say whether the address is valid"
            )
        return check

    def verify_webhook(self, headers: Mapping[str, str], body: bytes) -> WebhookReading:
        """Read a push and say how far it can be believed; see `signing.verify_push`."""
        login = self._login.credentials
        push = signing.verify_push(
            headers,
            body,
            app_key=login.app_key,
            ours=login.ours,
            theirs=login.theirs,
            now=self._clock(),
            tolerance=timedelta(seconds=self._settings.push_tolerance_seconds),
        )
        if push.trust is Trust.UNREADABLE:
            return WebhookReading(trust=push.trust, reason=push.reason)
        history, reference = track.pushed(push.fields, self._settings)
        if history is None and reference is None:
            return WebhookReading(trust=Trust.UNREADABLE, reason="its content cannot be read")
        trust, reason = push.trust, push.reason
        channel = track.channel(push.fields)
        if trust is Trust.BELIEVED and channel not in {None, login.app_key.casefold()}:
            trust, reason = Trust.NUDGE, "sent for another app key"
        return WebhookReading(trust=trust, reason=reason, history=history, reference=reference)

    def _settled(
        self, call: Call, body: Callable[[str], Sent], *, safe: bool = True
    ) -> tuple[wire.Answer, ErrorMeaning | None]:
        """Return a readable answer, and what it means if it is no success; `body` is made for an app key.

        Raises AuthenticationError, TransientError, and for a call that is not `safe` UnknownOutcomeError.
        """
        return self._login.call(lambda: self._ask(call, body, safe))

    def _ask(
        self, call: Call, body: Callable[[str], Sent], safe: bool
    ) -> tuple[wire.Answer, ErrorMeaning | None]:
        answer = self._client.ask(call, body, safe=safe)
        if isinstance(answer, Unread):
            kind = ErrorKind.AUTHENTICATION if answer.status in {401, 403} else ErrorKind.UNKNOWN
            raise _trouble(kind, f"{call}: HTTP {answer.status}, not readable", None, safe)
        if answer.code == codes.OK:
            return answer, None
        meaning = codes.meaning(answer.code, answer.message, self._settings.errors)
        if meaning.kind in _TROUBLE:
            raise _trouble(meaning.kind, f"{call}: code {answer.code}", results.words(answer), safe)
        return answer, meaning

    @staticmethod
    def _refusal(call: Call, answer: wire.Answer, meaning: ErrorMeaning) -> RefusedError:
        duplicate = meaning.kind is ErrorKind.DUPLICATE
        pointer = "/reference" if duplicate else meaning.pointer or codes.pointer_in(answer.message)
        code = "reference_in_use" if duplicate else "refused_by_carrier"
        # A new order has no number yet, so a refusal can only concern its reference.
        about_order = call is not Call.CREATE or duplicate
        reason = _SAYS_NO[meaning.kind if about_order else ErrorKind.REFUSED]
        errors = [] if pointer is None else [FieldError(pointer, code, answer.message or reason)]
        return RefusedError(
            f"{call}: {reason} (code {answer.code})",
            words=results.words(answer),
            errors=errors,
            reason=_REASONS.get(meaning.kind) if call is not Call.CREATE else None,
        )


def _trouble(kind: ErrorKind, message: str, words: CarrierWords | None, safe: bool) -> CarrierError:
    if kind is ErrorKind.AUTHENTICATION:
        return AuthenticationError(message, words=words)
    if kind is ErrorKind.TRANSIENT or safe:
        return TransientError(message, words=words)
    return UnknownOutcomeError(message, words=words)


def _either_number(order: Order, channel: str) -> wire.OrderQuery:
    """Name the order by LME's number, if it is known, and by ours."""
    number = order.carrier_order_number or None
    return wire.OrderQuery(out_order_no=order.reference, channel=channel, order_no=number)
