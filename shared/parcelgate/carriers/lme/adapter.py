"""LME behind the carrier port."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from parcelgate.carriers.accounts import AccountConfig, AccountError
from parcelgate.carriers.errors import (
    AuthenticationError,
    LabelPendingError,
    Refusal,
    RefusedError,
    TransientError,
    UnknownOutcomeError,
)
from parcelgate.carriers.lme import codes, settings, signing, validation, wire
from parcelgate.carriers.lme.client import Client, Keys, Unread
from parcelgate.carriers.lme.mapping import create, results, track
from parcelgate.carriers.lme.mapping.address import address_check, address_query
from parcelgate.carriers.lme.mapping.label import label_data, label_file
from parcelgate.carriers.lme.settings import Call, ErrorKind, ErrorMeaning
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
from parcelgate.carriers.toolkit import documents
from parcelgate.carriers.toolkit.calls import Transport
from parcelgate.carriers.toolkit.comparison import as_it_was
from parcelgate.domain.addresses import Address
from parcelgate.domain.clock import Clock
from parcelgate.domain.orders import Order
from parcelgate.domain.problems import FieldError

_logger = logging.getLogger(__name__)

_SAYS_NO = {
    ErrorKind.DUPLICATE: "LME has this reference already",
    ErrorKind.NOT_FOUND: "LME does not know the order",
    ErrorKind.CANCELLED: "the order is cancelled with LME",
    ErrorKind.CLOSED: "LME has collected the parcel",
    ErrorKind.NOT_PERMITTED: "LME does not permit this",
    ErrorKind.NOT_READY: "LME is not ready for this",
    ErrorKind.REFUSED: "LME refused",
}
_REASONS = {
    ErrorKind.NOT_FOUND: Refusal.UNKNOWN_ORDER,
    ErrorKind.CANCELLED: Refusal.ALREADY_CANCELLED,
    ErrorKind.CLOSED: Refusal.ALREADY_CLOSED,
    ErrorKind.NOT_PERMITTED: Refusal.NOT_PERMITTED,
}


class Lme:
    """One LME account: Carrier, Cancels, Updates, ProvidesLabels, ValidatesAddresses, VerifiesWebhooks.

    Raises AccountError when the account lacks what LME needs.
    """

    track_batch = 1
    """A route is asked for one number (public)."""

    def __init__(
        self,
        account: AccountConfig,
        *,
        send: Transport,
        clock: Clock,
        reread: Callable[[], AccountConfig] | None = None,
    ) -> None:
        self._account = account
        self._settings = settings.read_settings(account)
        self._client = Client(settings.base_url(account), self._settings, send, clock)
        self._clock = clock
        self._reread = reread
        self._keys = Keys.of(account)

    def examine(self, order: Order) -> Examination:
        """Hold the order against LME's fields and limits; see `validation`."""
        return validation.examine(order, self._account, self._settings, self._clock())

    def create(self, order: Order, *, callback_url: str | None = None) -> Confirmed:  # noqa: ARG002
        """Send createOrder, once (public).

        A readable refusal means that nothing was taken. Codes 200 and 500 to 599, a success without a
        number and whatever cannot be read leave it open. A refusal because the reference is there already
        is settled by asking whose order it is: ours is adopted.
        """
        body = create.create(
            order,
            channel=self._keys.app_key,
            sender=self._sender(order),
            settings=self._settings,
            now=self._clock(),
        )
        answer, said = self._settled(Call.CREATE, body, safe=False)
        if said is None:
            return self._taken(order, answer)
        refusal = self._refusal(Call.CREATE, answer, said)
        if said.kind is ErrorKind.DUPLICATE:
            return self._adopted(order, refusal)
        raise refusal

    def _taken(self, order: Order, answer: wire.Answer) -> Confirmed:
        data = results.order_data(answer)
        result = None if data is None else results.confirmed(order, data)
        if isinstance(result, Confirmed):
            return result
        raise UnknownOutcomeError(f"{Call.CREATE}: success without the order's number")

    def _adopted(self, order: Order, refusal: RefusedError) -> Confirmed:
        try:
            found = self.find_by_reference(order)
        except AuthenticationError as error:
            raise UnknownOutcomeError(f"{Call.CREATE}: taken before, by whom cannot be asked") from error
        if isinstance(found, Confirmed):
            return found
        if isinstance(found, Pending):
            raise UnknownOutcomeError(f"{Call.CREATE}: taken before: {found.reason}", words=refusal.words)
        raise refusal

    def find_by_reference(self, order: Order) -> OrderResult:
        """Ask for the order's detail by `outOrderNo` (public).

        Success without an order, and the ways of saying that there is none, are NotFound (assumed). What
        cannot be read, and any other refusal, say nothing about the order and are Pending. Raises
        AuthenticationError alone.
        """
        asked = wire.OrderQuery(
            out_order_no=order.reference,
            channel=self._keys.app_key,
            order_no=order.carrier_order_number or None,
        )
        try:
            answer, said = self._settled(Call.DETAIL, asked)
        except TransientError as error:
            return Pending(reason=str(error), carrier_order_number=order.carrier_order_number)
        if said is not None and said.kind is ErrorKind.NOT_FOUND:
            return NotFound()
        if said is not None:
            return Pending(reason=f"code {answer.code}", carrier_order_number=order.carrier_order_number)
        if not answer.data:
            return NotFound()
        data = results.order_data(answer)
        if data is None:
            return Mismatch(detail="The answer is about several orders or none.")
        return results.found(order, data, self._settings)

    def cancel(self, order: Order, *, at: datetime) -> Cancellation:  # noqa: ARG002 - the port has it
        """Send cancelOrder (public). An order that is cancelled already counts as cancelled now.

        LME says whether in `isTrue`; a success that leaves it out is believed (assumed). Raises
        RefusedError (its message tells a collected parcel, an unknown order and a lack of permission
        apart), AuthenticationError or TransientError.
        """
        asked = wire.OrderQuery(
            out_order_no=order.reference,
            channel=self._keys.app_key,
            order_no=order.carrier_order_number or None,
        )
        answer, said = self._settled(Call.CANCEL, asked)
        if said is not None and said.kind is not ErrorKind.CANCELLED:
            raise self._refusal(Call.CANCEL, answer, said)
        data = wire.CancelData.model_validate(answer.data if isinstance(answer.data, dict) else {})
        if said is None and data.is_true is False:
            raise RefusedError(f"{Call.CANCEL}: LME did not cancel it", words=results.words(answer))
        return Cancellation()

    def update(self, order: Order) -> Confirmed:
        """Send the whole order anew under its number (assumed). Telling the same twice does no harm.

        An answer without numbers leaves those that the order has.
        """
        if not order.carrier_order_number:
            raise RefusedError(f"{Call.UPDATE}: the order has no carrier order number")
        body = create.update(
            order,
            channel=self._keys.app_key,
            sender=self._sender(order),
            settings=self._settings,
            now=self._clock(),
        )
        answer, said = self._settled(Call.UPDATE, body, safe=False)
        if said is not None:
            raise self._refusal(Call.UPDATE, answer, said)
        data = results.order_data(answer)
        if data is None or data.order_no is None:
            return self._as_it_was(order)
        result = results.confirmed(order, data)
        if not isinstance(result, Confirmed):
            raise UnknownOutcomeError(f"{Call.UPDATE}: the answer is about another order")
        return result

    @staticmethod
    def _as_it_was(order: Order) -> Confirmed:
        before = as_it_was(order)
        if before is None:
            raise UnknownOutcomeError(f"{Call.UPDATE}: success without the order's number")
        return before

    def label(self, order: Order) -> list[LabelFile]:
        """The parcel's label (all of it assumed).

        LME's word for "not ready" is not known: every refusal that is not in the account's own table
        counts as that, and so do an empty answer, one that cannot be read and whatever is no real
        document. Raises LabelPendingError, RefusedError or AuthenticationError.
        """
        try:
            answer, said = self._settled(
                Call.LABEL, wire.OrderQuery(order_no=order.carrier_order_number or None)
            )
            if said is not None:
                raise self._label_refusal(answer, said)
            data = label_data(answer)
            if data.order_no not in {None, order.carrier_order_number}:
                raise LabelPendingError("the label is another order's")
            content = documents.from_base64(data.label_data)
            if content is None and data.label_url:
                content = self._client.fetch_label(data.label_url)
        except TransientError as error:
            raise LabelPendingError(str(error)) from None
        document = label_file(order, content)
        if document is None:
            raise LabelPendingError("what came is no label")
        return [document]

    def _label_refusal(self, answer: wire.Answer, said: ErrorMeaning) -> Exception:
        listed = answer.code in self._settings.errors
        if said.kind is ErrorKind.CANCELLED or (listed and said.kind is not ErrorKind.NOT_READY):
            return self._refusal(Call.LABEL, answer, said)
        return LabelPendingError(f"code {answer.code}")

    def track(self, tracking_numbers: Sequence[str]) -> list[ParcelHistory]:
        """The journeys, one call each (public); a number that LME does not know has no events.

        An event that cannot be read is set aside and its neighbours stay. Raises RefusedError,
        AuthenticationError or TransientError.
        """
        return [self._journey(number) for number in dict.fromkeys(tracking_numbers)]

    def _journey(self, number: str) -> ParcelHistory:
        call = Call.ROUTE_V2 if self._settings.route == "v2" else Call.ROUTE
        channel = self._keys.app_key if call is Call.ROUTE else None
        answer, said = self._settled(call, wire.OrderQuery(order_no=number, channel=channel))
        if said is not None and said.kind is ErrorKind.NOT_FOUND:
            return ParcelHistory(tracking_number=number, events=())
        if said is not None:
            raise self._refusal(call, answer, said)
        found, aside = track.history(number, answer, self._settings)
        if aside:
            _logger.warning("%s: %d events set aside as not readable", call, aside)
        return found

    def validate_address(self, address: Address) -> AddressCheck:
        """LME's own check of an address (assumed), and the account's list of postcodes."""
        listed = validation.undeliverable(address, self._settings)
        if listed:
            return AddressCheck(valid=False, messages=(FieldError("/address/postcode", *listed),))
        answer, said = self._settled(Call.VALIDATE_ADDRESS, address_query(address))
        if said is not None:
            raise self._refusal(Call.VALIDATE_ADDRESS, answer, said)
        check = address_check(address, answer)
        if check is None:
            raise TransientError(f"{Call.VALIDATE_ADDRESS}: the answer does not say")
        return check

    def verify_webhook(self, headers: Mapping[str, str], body: bytes) -> WebhookReading:
        """What a push says, and what that is worth; see `signing.verify_push`."""
        push = signing.verify_push(
            headers,
            body,
            app_key=self._keys.app_key,
            ours=self._keys.ours,
            theirs=self._keys.theirs,
            now=self._clock(),
            tolerance=timedelta(seconds=self._settings.push_tolerance_seconds),
        )
        if push.trust is Trust.UNREADABLE:
            return WebhookReading(trust=push.trust, reason=push.reason)
        history, reference = track.pushed(push.fields, self._settings)
        if history is None and reference is None:
            return WebhookReading(trust=Trust.UNREADABLE, reason="cannot be read")
        trust, reason = push.trust, push.reason
        channel = track.channel(push.fields)
        if trust is Trust.BELIEVED and channel not in {None, self._keys.app_key.casefold()}:
            trust, reason = Trust.NUDGE, "of another channel"
        return WebhookReading(trust=trust, reason=reason, history=history, reference=reference)

    def _sender(self, order: Order) -> Address:
        sender = order.ship_from or self._account.ship_from
        if sender is None:
            error = FieldError("/ship_from", "missing", "LME needs a sender.")
            raise RefusedError("the order has no sender", errors=[error])
        return sender

    def _settled(
        self, call: Call, fields: wire.OrderCreate | wire.OrderQuery | wire.AddressQuery, *, safe: bool = True
    ) -> tuple[wire.Answer, ErrorMeaning | None]:
        """A readable answer, and what it means when it is no success.

        Raises AuthenticationError, TransientError, and for a call that is not `safe` UnknownOutcomeError.
        A refused signature means that nothing was done: with other keys in the account by now, the call is
        made once more with those.
        """
        answer, said = self._ask(call, fields, safe)
        if said is not None and said.kind is ErrorKind.AUTHENTICATION and self._rotated():
            if isinstance(fields, wire.OrderCreate | wire.OrderQuery) and fields.channel is not None:
                fields = fields.model_copy(update={"channel": self._keys.app_key})
            answer, said = self._ask(call, fields, safe)
        if said is None:
            assert isinstance(answer, wire.Answer)  # noqa: S101 - for the type checker
            return answer, None
        told = None if isinstance(answer, Unread) else results.words(answer)
        what = f"HTTP {answer.status}, not readable" if isinstance(answer, Unread) else f"code {answer.code}"
        match said.kind:
            case ErrorKind.AUTHENTICATION:
                raise AuthenticationError(f"{call}: {what}", words=told)
            case ErrorKind.TRANSIENT:
                raise TransientError(f"{call}: {what}", words=told)
            case ErrorKind.UNKNOWN if safe:
                raise TransientError(f"{call}: {what}", words=told)
        if said.kind is ErrorKind.UNKNOWN or isinstance(answer, Unread):
            raise UnknownOutcomeError(f"{call}: {what}", words=told)
        return answer, said

    def _ask(
        self, call: Call, fields: wire.OrderCreate | wire.OrderQuery | wire.AddressQuery, safe: bool
    ) -> tuple[wire.Answer | Unread, ErrorMeaning | None]:
        answer = self._client.ask(call, fields.fields(), self._keys, safe=safe)
        if isinstance(answer, Unread):
            refused = answer.status in {401, 403}
            return answer, ErrorMeaning(ErrorKind.AUTHENTICATION if refused else ErrorKind.UNKNOWN)
        if answer.code == codes.OK:
            return answer, None
        return answer, codes.meaning(answer.code, answer.message, self._settings.errors)

    def _refusal(self, call: Call, answer: wire.Answer, said: ErrorMeaning) -> RefusedError:
        duplicate = said.kind is ErrorKind.DUPLICATE
        pointer = "/reference" if duplicate else said.pointer or codes.pointer_in(answer.message)
        code = "reference_in_use" if duplicate else "refused_by_carrier"
        # Of an order that is not there yet, only the reference can be taken.
        about_order = call is not Call.CREATE or duplicate
        reason = _SAYS_NO[said.kind if about_order else ErrorKind.REFUSED]
        errors = [] if pointer is None else [FieldError(pointer, code, answer.message or reason)]
        return RefusedError(
            f"{call}: {reason} (code {answer.code})",
            words=results.words(answer),
            errors=errors,
            reason=_REASONS.get(said.kind) if call is not Call.CREATE else None,
        )

    def _rotated(self) -> bool:
        """Read the account again; whether it has other keys now."""
        if self._reread is None:
            return False
        try:
            keys = Keys.of(self._reread())
        except AccountError:
            return False
        before, self._keys = self._keys, keys
        return (before.app_key, before.ours, before.theirs) != (keys.app_key, keys.ours, keys.theirs)
