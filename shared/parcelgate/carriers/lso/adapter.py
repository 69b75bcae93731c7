"""LSO behind the carrier port."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import batched
from typing import Any

from parcelgate.carriers.accounts import Connection
from parcelgate.carriers.errors import (
    AuthenticationError,
    CarrierError,
    LabelPendingError,
    RefusedError,
    TransientError,
    UnknownOutcomeError,
)
from parcelgate.carriers.lso import codes, mapping, validation, wire
from parcelgate.carriers.lso.client import Client
from parcelgate.carriers.lso.settings import Call, CarrierSettings
from parcelgate.carriers.results import (
    Cancellation,
    Examination,
    LabelFile,
    NotFound,
    OrderResult,
    ParcelHistory,
    Pending,
    Rate,
    Submitted,
)
from parcelgate.carriers.toolkit.documents import read_label
from parcelgate.domain.orders import Order, Parcel

_logger = logging.getLogger(__name__)


class Adapter:
    """One LSO account: Carrier, ConfirmsLater, QuotesRates, Cancels and ProvidesLabels."""

    def __init__(self, connection: Connection) -> None:
        self._client = Client(connection)
        self._login = self._client.login
        self._tokens = connection.tokens
        self._clock = connection.clock

    @property
    def _settings(self) -> CarrierSettings:
        return self._login.settings

    @property
    def may_resend(self) -> bool:
        """Whether an order that was twice not found may be sent again; see `ConfirmsLater`."""
        return self._settings.resend_when_not_found

    def examine(self, order: Order) -> Examination:
        """Check the order against LSO's fields and limits; see `validation`."""
        return validation.examine(order, self._login.account, self._settings.currency)

    def rates(self, order: Order) -> list[Rate]:
        """Ask for the fee preview, mandatory before each order (documented, ordering step 2; body assumed).

        Raises RefusedError, AuthenticationError or TransientError.
        """
        answer = self._settled(Call.FEE_PREVIEW, mapping.fee_preview(order).fields())
        if answer.code != codes.OK:
            raise self._unsuccessful(Call.FEE_PREVIEW, answer, order)
        rate = mapping.rate(answer, order, self._settings)
        if rate is None:
            raise TransientError(f"{Call.FEE_PREVIEW}: the platform's reply has no price")
        return [rate]

    def create(self, order: Order, *, callback_url: str | None = None) -> Submitted:
        """Send orderCommit, once (documented). Ask `rates` of exactly the same order first.

        A readable refusal means that the order was not accepted. So does a readable 401, after which the call
        is made once more with a new token (assumed). A refusal with an order number was accepted all the
        same, and holds money: its result will say how it failed. Code 429 means that the order was not read
        (assumed). Codes 1024, 1115 and 500 to 599, success without an order number, a refusal without a word
        and every unreadable answer leave it open whether the order was accepted.
        """
        body = mapping.order_commit(order, callback_url).fields()
        answer = self._settled(Call.ORDER_COMMIT, body, safe=False)
        taken = mapping.submitted(answer, order)
        if taken is not None:
            return taken
        if answer.code == codes.OK:
            what = f"{Call.ORDER_COMMIT}: code {answer.code} without an order number"
            raise UnknownOutcomeError(what, words=mapping.words(answer))
        raise self._unsuccessful(Call.ORDER_COMMIT, answer, order, safe=False)

    def order_result(self, order: Order) -> OrderResult:
        """Ask for the state of the order, by its number, or by its reference while the number is unknown.

        Documented: 1024 means not finished yet, 200 finished, any other code failed. Assumed: an answer is a
        failure only when it is about the order, with its number or an `errorMessage`. 404 means no such
        order. 401 renews the token, and so does a 403 that is about no order. Any other answer that says
        nothing about the order is Pending, with the platform's words: 1115, any other code. Raises
        AuthenticationError, and TransientError for 429, 500 to 599, an answer that cannot be read and a call
        that did not come through.
        """
        query = (
            {"orderNumber": order.carrier_order_number}
            if order.carrier_order_number
            else {"customerNumber": order.reference}
        )
        answer = self._settled(Call.ORDER_RESULT, query)
        if answer.code in self._settings.not_found_codes:
            return NotFound()
        if answer.code in self._pending_codes:
            number = mapping.order_number(answer) or order.carrier_order_number
            return Pending(reason=f"code {answer.code}", carrier_order_number=number)
        stranger = mapping.stranger(answer, order)
        if stranger is not None:
            return stranger
        if answer.code == codes.OK:
            return mapping.result(answer, order, self._settings)
        if not answer.speaks_of_order:
            reason = f"code {answer.code} does not say how the order stands"
            return Pending(reason=reason, words=mapping.words(answer))
        return mapping.failed(answer, order)

    def find_by_reference(self, order: Order) -> OrderResult:
        """Ask as `order_result` does: the platform has one look-up for both (assumed)."""
        return self.order_result(order)

    def cancel(self, order: Order, *, at: datetime) -> Cancellation:
        """Apply for the refund of an order, bought or failed (documented, note 4; the call assumed).

        A second refund of the same order succeeds too (assumed), so the call may be repeated at will.
        Raises RefusedError, AuthenticationError or TransientError.
        """
        if not order.carrier_order_number:
            raise RefusedError(f"{Call.REFUND}: the order has no carrier order number")
        answer = self._settled(Call.REFUND, {"orderNumber": order.carrier_order_number})
        if answer.code != codes.OK:
            raise self._unsuccessful(Call.REFUND, answer, order)
        return Cancellation(refund_status=self._settings.refund_status, amount=order.price)

    def label(self, order: Order) -> list[LabelFile]:
        """Return one document for each parcel, in parcel order.

        Documented: 1115 means "ask again". The rest is assumed. Everything but exactly one real document
        for each parcel counts as not ready. Raises LabelPendingError, RefusedError, AuthenticationError, or
        TransientError when the platform could not be asked or its answer cannot be read.
        """
        answer = self._settled(Call.LABEL, {"orderNumber": order.carrier_order_number})
        if answer.code != codes.OK:
            trouble = self._unsuccessful(Call.LABEL, answer)
            raise LabelPendingError(str(trouble)) if isinstance(trouble, TransientError) else trouble
        entries = mapping.label_entries(answer, order)
        if entries is None:
            raise LabelPendingError("the number of labels does not fit the parcels")
        return [self._document(parcel, entry) for parcel, entry in zip(order.parcels, entries, strict=True)]

    def track(self, tracking_numbers: Sequence[str]) -> list[ParcelHistory]:
        """Ask for the journeys of any number of parcels, in as many calls as necessary (assumed).

        An event that cannot be read is left out; the others are kept. Raises RefusedError,
        AuthenticationError or TransientError.
        """
        journeys: list[ParcelHistory] = []
        for numbers in batched(dict.fromkeys(tracking_numbers), self._settings.track_batch, strict=False):
            answer = self._settled(Call.TRACKING, {"serviceNumbers": numbers})
            if answer.code != codes.OK:
                raise self._unsuccessful(Call.TRACKING, answer)
            histories, unreadable = mapping.histories(answer, numbers, self._settings)
            if unreadable:
                _logger.warning(
                    "%s: %d tracking records could not be read and were left out", Call.TRACKING, unreadable
                )
            journeys += histories
        return journeys

    def _document(self, parcel: Parcel, entry: wire.LabelEntry) -> LabelFile:
        return read_label(
            parcel.reference,
            entry.label_base64,
            entry.label_url,
            send=self._client.send,
            call="lso.label_file",
            base_url=self._login.base_url,
            hosts=self._settings.label_hosts,
        )

    def _settled(self, call: Call, body: Mapping[str, Any], *, safe: bool = True) -> wire.Answer:
        """Return the answer, if it is readable, accepts the token and reports no trouble of the platform.

        Code 429 is such trouble, in which nothing was done: it is a TransientError for every call.

        Raises AuthenticationError, TransientError, and for a call that is not `safe` UnknownOutcomeError.
        """
        answer = self._authorised(call, body, safe)
        if answer is not None and not _is_trouble(answer):
            return answer
        what = "not readable" if answer is None else f"code {answer.code}"
        words = None if answer is None else mapping.words(answer)
        if safe or (answer is not None and answer.code == codes.TOO_MANY_REQUESTS):
            raise TransientError(f"{call}: {what}", words=words)
        raise UnknownOutcomeError(f"{call}: {what}", words=words)

    def _authorised(self, call: Call, body: Mapping[str, Any], safe: bool) -> wire.Answer | None:
        """Make a call with a token; a refused token is renewed, and the call is repeated once.

        `token` and `appId` are fields of the body (documented). If the new token is refused as well,
        the account is read again: its credentials may have been rotated.
        """
        refused: str | None = None

        def ask() -> wire.Answer | None:
            nonlocal refused
            token = self._token(refused)
            login = {"appId": self._login.credentials.app_id, "token": token}
            answer = self._client.ask(call, {**body, **login}, safe=safe)
            if answer is not None and self._refuses_token(answer):
                refused = token
                words = mapping.words(answer)
                raise AuthenticationError(f"{call}: the platform refused a new token too", words=words)
            return answer

        try:
            return ask()
        except AuthenticationError:
            if refused is None:
                raise
        return self._login.call(ask)

    def _token(self, refused: str | None = None) -> str:
        """Get a token that was not refused before. Raises AuthenticationError or TransientError."""
        try:
            kept = self._tokens.get(self._clock()) if refused is None else None
            return kept or self._tokens.renew(refused, self._log_in)
        except CarrierError:
            raise
        except Exception as error:
            # The token store or the account failed, so the call itself was not made.
            raise TransientError(f"{Call.TOKEN}: {type(error).__name__}") from error

    def _refuses_token(self, answer: wire.Answer) -> bool:
        if answer.code == codes.TOKEN_REFUSED:
            return True
        known = (codes.FORBIDDEN, *self._settings.token_refused_codes)
        return answer.code in known and not answer.speaks_of_order

    @property
    def _pending_codes(self) -> tuple[int, ...]:
        return *self._settings.pending_codes, *self._settings.label_pending_codes

    def _unsuccessful(
        self, call: Call, answer: wire.Answer, order: Order | None = None, *, safe: bool = True
    ) -> CarrierError:
        """Read a final reply without success. It is a refusal only if the platform says why."""
        what, words = f"{call}: code {answer.code}", mapping.words(answer)
        if answer.code in self._pending_codes or not answer.message:
            return TransientError(what, words=words) if safe else UnknownOutcomeError(what, words=words)
        errors = () if order is None else mapping.refused_fields(answer, order)
        return RefusedError(what, words=words, errors=errors)

    def _log_in(self) -> tuple[str, float]:
        """Get a new token and its life in seconds (assumed)."""
        answer = self._login.call(self._ask_for_token)
        data = wire.TokenData.model_validate({} if answer is None else answer.data)
        if data.token is None:
            raise TransientError(f"{Call.TOKEN}: the platform's reply has no token")
        return data.token, float(data.expires_in or self._settings.token_seconds)

    def _ask_for_token(self) -> wire.Answer | None:
        credentials = self._login.credentials
        body = {"appId": credentials.app_id, "appSecret": credentials.app_secret}
        answer = self._client.ask(Call.TOKEN, body, safe=True)
        if answer is not None and answer.code != codes.OK and not _is_trouble(answer):
            raise AuthenticationError(f"{Call.TOKEN}: code {answer.code}", words=mapping.words(answer))
        return answer


def _is_trouble(answer: wire.Answer) -> bool:
    """Whether the reply is about the platform's own state, not about the call."""
    return answer.code == codes.TOO_MANY_REQUESTS or 500 <= answer.code <= 599
