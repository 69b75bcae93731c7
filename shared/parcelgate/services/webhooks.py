"""What carriers tell us unasked: taken in at the door, worked on behind it.

At the door (`take_in`) nothing happens but: the token leads to whose delivery it is, the delivery is
stored in one conditional write, the carrier gets the answer it expects. Behind it (`Nudges`) a delivery
about an order is a nudge, whatever it claims: the order's workflow is woken and asks the carrier itself.
"""

import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from parcelgate.carriers import registry
from parcelgate.domain.clock import Clock, now
from parcelgate.domain.orders import Actor, Order, OrderEvent, OrderStatus
from parcelgate.observability.logs import about, log
from parcelgate.observability.metrics import count, duration
from parcelgate.services.settings import Settings
from parcelgate.store.errors import OrderNotFoundError, StoreError, ThrottledError

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

    from parcelgate.services.outcomes import Change
    from parcelgate.services.retries import RetryQueues
    from parcelgate.store.table import Table

MOST_BYTES = 256 * 1024
"""What is kept of a delivery. One that is as long or longer is cut there, and parked."""

_ACCOUNT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}", re.ASCII)
_TOKEN = re.compile(r"[A-Za-z0-9_\-]{16,128}", re.ASCII)
_GONE = frozenset({"TaskDoesNotExist", "TaskTimedOut", "InvalidToken"})


class Answer(msgspec.Struct, frozen=True):
    """What the carrier is answered."""

    status: int
    body: bytes
    content_type: str = "application/json"


_NOT_FOUND = Answer(
    404,
    b'{"type": "about:blank", "title": "There is no such resource", "status": 404, "code": "not_found", '
    b'"detail": "Nothing is delivered to this address."}',
    "application/problem+json",
)
_LATER = Answer(503, b'{"message": "try again later"}')


def take_in(table: "Table", path: Mapping[str, Any], body: bytes, *, clock: Clock = now) -> Answer:
    """Store a delivery and answer the carrier.

    `path` has `carrier`, `account` and `token`. Anything but a right token under its own carrier and
    account is 404 and leaves nothing but a metric. What cannot be stored is not acknowledged: 503.
    """
    carrier, account, token = (str(path.get(name) or "") for name in ("carrier", "account", "token"))
    if carrier not in registry.names() or not _ACCOUNT.fullmatch(account) or not _TOKEN.fullmatch(token):
        return _turned_away(carrier)
    answer = registry.webhook_answer(carrier)
    try:
        hook = table.webhook_tokens.find(carrier, account, token)
        if hook is None or answer is None:
            return _turned_away(carrier)
        about(order_id=hook.order_id, tenant=hook.tenant, carrier=carrier)
        entry = table.tenant(hook.tenant).inbox.put(
            carrier=carrier, account=account, order_id=hook.order_id, body=body[:MOST_BYTES], now=clock()
        )
    except StoreError as error:
        passing = isinstance(error, ThrottledError)
        (log.warning if passing else log.error)(
            "a delivery could not be stored", extra={"error": type(error).__name__}
        )
        count("WebhooksNotStored", carrier=carrier)
        return _LATER
    count("WebhooksReceived", carrier=carrier, repeat="no" if entry.is_new else "yes")
    return Answer(200, answer)


def body_of(event: Mapping[str, Any]) -> bytes:
    """The body of a request as the gateway hands it on, as bytes."""
    body = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return str(body).encode(errors="surrogateescape")
    try:
        return b64decode(body)
    except (Base64Error, ValueError):
        return str(body).encode()


def _turned_away(carrier: str) -> Answer:
    known = carrier if carrier in registry.names() else "unknown"
    count("WebhooksTurnedAway", carrier=known)
    return _NOT_FOUND


class Nudges:
    """Works stored deliveries off.

    Parameters
    ----------
    table
        The store.
    stepfunctions
        Wakes the workflow that waits for the delivery.
    queues
        Where a re-read goes when the workflow has gone on without it.
    """

    def __init__(
        self, *, table: "Table", stepfunctions: "SFNClient", queues: "RetryQueues", clock: Clock = now
    ) -> None:
        self._table = table
        self._stepfunctions = stepfunctions
        self._queues = queues
        self._clock = clock

    def process(self, tenant: str, entry_id: str) -> None:
        """Have the carrier asked about the order that a delivery speaks of. A repeat does nothing."""
        inbox = self._table.tenant(tenant).inbox
        entry = inbox.get(entry_id)
        if entry is None or entry.state != "received":
            return
        reason = _unreadable(entry.body) or (None if entry.order_id else "names no order")
        if reason is None:
            try:
                order = self._table.tenant(tenant).orders.get(entry.order_id or "")
            except OrderNotFoundError:
                reason = "no such order"
        if reason is not None:
            log.warning("delivery parked", extra={"reason": reason})
            count("WebhooksParked", carrier=entry.carrier)
            inbox.park(entry_id, reason, self._clock())
            return
        about(order_id=order.id, tenant=tenant, carrier=order.carrier)
        self._nudge(order)
        at = self._clock()
        inbox.processed(entry_id, at)
        duration("WebhookLag", (at - entry.received_at).total_seconds(), carrier=entry.carrier)

    def _nudge(self, order: Order) -> None:
        if order.status is OrderStatus.PROCESSING:
            order = self._remembered(order)
        if order.status is OrderStatus.PROCESSING and self._woken(order):
            return
        if order.status in (OrderStatus.PROCESSING, OrderStatus.FAILED, OrderStatus.NEEDS_ATTENTION):
            self._queues.enqueue(order, _reread(), at=self._clock())

    def _remembered(self, order: Order) -> Order:
        """Before the create's answer is known, a callback is the proof that the carrier has the order.

        It is stored before the workflow is woken, which might otherwise send the order again.
        """
        from parcelgate.services import outcomes

        def decide(order: Order) -> "Change | None":
            submission = order.submission
            known = order.carrier_order_number is not None or submission.callback_at is not None
            if known or submission.sending_at is None or order.status is not OrderStatus.PROCESSING:
                return None
            at = self._clock()
            return outcomes.Change(
                after=order.changed(at=at, submission=msgspec.structs.replace(submission, callback_at=at)),
                event=OrderEvent(at=at, type="carrier.callback", actor=Actor.CARRIER),
            )

        return outcomes.apply(self._table.tenant(order.tenant).orders, order, decide)

    def _woken(self, order: Order) -> bool:
        """Whether the order's workflow was waiting for this."""
        from botocore.exceptions import ClientError

        if order.submission.task_token is None:
            return False
        try:
            self._stepfunctions.send_task_success(taskToken=order.submission.task_token, output="{}")
        except ClientError as error:
            if error.response["Error"]["Code"] in _GONE:
                return False
            raise
        return True


def _reread() -> Any:
    from parcelgate.services.retries import Action

    return Action.REREAD


def _unreadable(body: bytes) -> str | None:
    if len(body) >= MOST_BYTES:
        return "too long"
    try:
        document = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return "not JSON"
    return None if isinstance(document, dict) else "not an object"


@cache
def wired_table() -> "Table":
    """The table of this environment, for the door."""
    from parcelgate.store.clients import client
    from parcelgate.store.table import Table

    return Table(client("dynamodb"), Settings().table)


@cache
def wired() -> Nudges:
    """The nudges of this environment."""
    from parcelgate.services.retries import queues
    from parcelgate.store.clients import client

    return Nudges(table=wired_table(), stepfunctions=client("stepfunctions"), queues=queues())
