"""Webhooks from carriers, received. `services.webhooks.process` processes them later.

The token leads to the tenant and the account. If the carrier signs its webhooks, the proof is checked. The
webhook is stored in one conditional write, and the carrier gets the answer it expects. Nothing else happens
here, so the answer is quick. A webhook that is not stored is not acknowledged.
"""

import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from parcelgate.carriers import registry
from parcelgate.carriers.results import WebhookCheck
from parcelgate.domain.clock import Clock, now
from parcelgate.observability.logs import bind_log_keys, bound_correlation_id, log, safe_error_fields
from parcelgate.observability.metrics import count
from parcelgate.store.errors import ProofTakenError, StoreError, ThrottledError
from parcelgate.store.inbox import kept, was_kept

if TYPE_CHECKING:
    from parcelgate.carriers.accounts import Accounts
    from parcelgate.store.credentials.webhook_tokens import Hook
    from parcelgate.store.table import Table

_ACCOUNT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}", re.ASCII)
_TOKEN = re.compile(r"[A-Za-z0-9_\-]{16,128}", re.ASCII)


class Answer(msgspec.Struct, frozen=True):
    """What is answered to the carrier."""

    status: int
    body: bytes
    content_type: str = "application/json"


_NOT_FOUND = Answer(
    404,
    b'{"type": "about:blank", "title": "There is no such resource", "status": 404, "code": "not_found", '
    b'"detail": "Nothing is delivered to this address."}',
    "application/problem+json",
)
_FORGED = Answer(
    401,
    b'{"type": "about:blank", "title": "The proof of the webhook is not valid", "status": 401, '
    b'"code": "invalid_signature", "detail": "The signature is wrong, or was used for another webhook."}',
    "application/problem+json",
)
_LATER = Answer(503, b'{"message": "try again later"}')


class WebhookReceiver(msgspec.Struct, frozen=True, kw_only=True):
    """Takes carriers' webhooks in.

    Parameters
    ----------
    table
        The store.
    accounts
        Gives the carrier accounts, which are read only for carriers whose webhooks are checked here.
    """

    table: "Table"
    accounts: "Callable[[], Accounts]"
    clock: Clock = now

    def take_in(
        self, path: Mapping[str, Any], body: bytes, headers: Mapping[str, Any] | None = None
    ) -> Answer:
        """Store a webhook and answer the carrier.

        `path` has `carrier`, `account` and `token`. Anything but a right token under its own carrier and
        account is answered 404, a forged proof 401. Either leaves nothing but a metric. A webhook that
        cannot be checked or stored is answered 503, so that the carrier sends it again.
        """
        carrier, account, token = (str(path.get(name) or "") for name in ("carrier", "account", "token"))
        known = carrier in registry.trackers()
        if not known or not _ACCOUNT.fullmatch(account) or not _TOKEN.fullmatch(token):
            return _turned_away(carrier)
        answer = registry.webhook_answer(carrier)
        try:
            hook = self.table.webhook_tokens.find(carrier, account, token)
            if hook is None or answer is None:
                return _turned_away(carrier)
            bind_log_keys(order_id=hook.order_id, tenant=hook.tenant, carrier=carrier)
            check = self._check(hook, body)
            body = kept(body)
            if check.refused:
                return _refused(carrier, "forged")
            entry = self.table.tenant(hook.tenant).inbox.put(
                carrier=carrier,
                account=account,
                order_id=hook.order_id,
                correlation_id=bound_correlation_id(),
                body=body,
                headers=_proving(carrier, headers or {}),
                proof=check.proof,
                parked=check.reason if was_kept(body) else "too long",
                now=self.clock(),
            )
        except ProofTakenError:
            return _refused(carrier, "proof of another webhook")
        except StoreError as error:
            passing = isinstance(error, ThrottledError)
            (log.warning if passing else log.error)(
                "the webhook could not be stored; the carrier is asked to send it again",
                extra={"error": type(error).__name__},
            )
            count("WebhooksNotStored", carrier=carrier)
            return _LATER
        except _NoAccountError as error:
            log.error(
                "the webhook could not be checked; the carrier is asked to send it again",
                extra=safe_error_fields(error.__cause__ or error),
            )
            count("WebhooksNotStored", carrier=carrier)
            return _LATER
        count("WebhooksReceived", carrier=carrier, repeat="no" if entry.is_new else "yes")
        if entry.is_new and entry.reason:
            log.warning("the webhook is parked", extra={"reason": entry.reason, "entry": entry.id})
            count("WebhooksParked", carrier=carrier)
        return Answer(200, answer)

    def _check(self, hook: "Hook", body: bytes) -> WebhookCheck:
        """Check the proof that a webhook carries, where its carrier gives one."""
        checker = registry.webhook_checker(hook.carrier)
        if checker is None or hook.order_id is not None:
            return WebhookCheck()
        from botocore.exceptions import BotoCoreError, ClientError

        from parcelgate.carriers.errors import AccountError
        from parcelgate.domain.problems import ProblemError

        at = self.clock()
        account = (hook.tenant, hook.carrier, hook.account)
        try:
            accounts = self.accounts()
            check = checker.check_webhook(body, accounts.read(*account), at)
            if check.refused:
                # The key that signs it may have been changed a moment ago.
                check = checker.check_webhook(body, accounts.read(*account, fresh=True), at)
        except (AccountError, ProblemError, BotoCoreError, ClientError) as error:
            raise _NoAccountError from error
        return check


class _NoAccountError(Exception):
    """The carrier account cannot be read, so the proof of a webhook cannot be checked."""


def body_of(event: Mapping[str, Any]) -> bytes:
    """The body of a request as the gateway hands it on, as bytes."""
    body = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return str(body).encode(errors="surrogateescape")
    try:
        return b64decode(body)
    except (Base64Error, ValueError):
        return str(body).encode()


def _proving(carrier: str, headers: Mapping[str, Any]) -> dict[str, str]:
    names = registry.webhook_headers(carrier)
    return {name.lower(): str(value) for name, value in headers.items() if name.lower() in names}


def _turned_away(carrier: str) -> Answer:
    known = carrier if carrier in registry.trackers() else "unknown"
    count("WebhooksTurnedAway", carrier=known)
    return _NOT_FOUND


def _refused(carrier: str, why: str) -> Answer:
    log.warning("the webhook is refused; its proof is not good", extra={"reason": why})
    count("WebhooksRefused", carrier=carrier)
    return _FORGED
