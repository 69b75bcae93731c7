"""A carrier platform's bearer token, shared by all environments of one carrier account.

One item per account holds the token, encrypted by KMS under a context that names tenant, carrier and account.
So a ciphertext that is moved to another account's item cannot be read there. A process that asks the platform
for a new token holds a lease on the item, so that only one process asks. The others wait for its token.
"""

import math
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

import msgspec
from botocore.exceptions import ClientError

from parcelgate.domain.clock import Clock, now
from parcelgate.store import keys
from parcelgate.store.calls import ConditionFailedError, Item, Items, translated
from parcelgate.store.errors import StoreError, TokenBusyError

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

USED_SHARE = 0.9
"""The part of a token's life after which a new token is fetched."""
LEASE = timedelta(seconds=20)
"""Seconds that a lease lasts: longer than a request for a token may take."""
WAIT = timedelta(seconds=22)
"""Seconds to wait for a token: longer than the lease, so that a waiter can replace a holder that has died."""
POLL = 0.25
"""Seconds between two reads of a lease that somebody else holds."""

_SK = "TOKEN"
_LEASE = ("lease_holder", "lease_until")


class _Held(NamedTuple):
    """A token as the item holds it. Times are seconds since the epoch."""

    token: str
    use_until: float
    dies_at: float


class PlatformTokenVault(msgspec.Struct, kw_only=True):
    """Stores one carrier account's token, and remembers it between calls.

    `context` names tenant, carrier and account; `key_id` is the key that the token is encrypted with.
    """

    items: Items
    context: dict[str, str]
    key_id: str
    kms: "KMSClient"
    clock: Clock = now
    sleep: Callable[[float], None] = time.sleep
    wait: timedelta = WAIT
    _remembered: _Held | None = None
    _decrypted: tuple[bytes, str] | None = None

    @property
    def _key(self) -> Item:
        pk = keys.key(self.context["tenant"], _SK, self.context["carrier"], self.context["account"])
        return {"pk": pk, "sk": _SK}

    def get(self, now: datetime) -> str | None:
        """Return the token while less than 90 % of its life is over; otherwise None: call `renew`."""
        if self._remembered is None or self._remembered.use_until <= now.timestamp():
            self._remembered = self._held(self.items.get(self._key))
        held = self._remembered
        return held.token if held is not None and now.timestamp() < held.use_until else None

    def renew(self, refused: str | None, fetch: Callable[[], tuple[str, float]]) -> str:
        """Return a token other than `refused` (None if no token was refused, but none was left).

        First the item is read again, since somebody else may have renewed the token already. Otherwise
        `fetch` asks the platform, for a token and its life in seconds, under a lease. While somebody else has
        the lease, an old token that was not refused is used as long as it is valid; without one, we wait.

        Raises TokenBusyError if no token comes in that time, and passes on what `fetch` raises.
        """
        waited = 0.0
        while True:
            item = self.items.get(self._key)
            held = self._held(item)
            moment = self.clock().timestamp()
            if held is not None and held.token != refused and moment < held.use_until:
                self._remembered = held
                return held.token
            lease = self._take_lease(item, moment)
            if lease is not None:
                return self._fetched(lease, fetch)
            if held is not None and held.token != refused and moment < held.dies_at:
                return held.token
            if waited >= self.wait.total_seconds():
                raise TokenBusyError("somebody else is getting a token")
            self.sleep(POLL)
            waited += POLL

    def _fetched(self, lease: str, fetch: Callable[[], tuple[str, float]]) -> str:
        asked_at = self.clock().timestamp()
        try:
            token, life = fetch()
            held = _Held(token, asked_at + life * USED_SHARE, asked_at + life)
            self._keep(lease, held)
        except ConditionFailedError:
            # The call took so long that somebody else took the lease. Now both tokens are valid, or theirs
            # has replaced ours; then a refusal will show it.
            pass
        except BaseException:
            self._drop_lease(lease)
            raise
        self._remembered = held
        return token

    def _keep(self, lease: str, held: _Held) -> None:
        with translated():
            sealed = self.kms.encrypt(
                KeyId=self.key_id, Plaintext=held.token.encode(), EncryptionContext=self.context
            )["CiphertextBlob"]
        self.items.update(
            self._key,
            {
                "sealed": sealed,
                "use_until": math.floor(held.use_until),
                "dies_at": math.floor(held.dies_at),
                "expires_at": math.ceil(held.dies_at) + 86_400,
            },
            _LEASE,
            # The ciphertext too, since the client itself may send the call twice.
            condition="lease_holder = :lease OR sealed = :sealed",
            lease=lease,
        )
        self._decrypted = (sealed, held.token)

    def _take_lease(self, item: Item | None, moment: float) -> str | None:
        """Take the lease; return None while somebody else has it."""
        if item is not None and item.get("lease_until", 0) > moment:
            return None
        lease = uuid4().hex
        try:
            self.items.update(
                self._key,
                {"lease_holder": lease, "lease_until": math.ceil(moment + LEASE.total_seconds())},
                condition="attribute_not_exists(lease_until) OR lease_until <= :now OR "
                "lease_holder = :lease_holder",
                now=math.floor(moment),
            )
        except ConditionFailedError:
            return None
        return lease

    def _drop_lease(self, lease: str) -> None:
        with suppress(StoreError):  # It ends by itself.
            self.items.update(self._key, {}, _LEASE, condition="lease_holder = :lease", lease=lease)

    def _held(self, item: Item | None) -> _Held | None:
        if item is None or "sealed" not in item:
            return None
        sealed = item["sealed"]
        if self._decrypted is None or self._decrypted[0] != sealed:
            plain = self._opened(sealed)
            if plain is None:
                return None
            self._decrypted = (sealed, plain)
        return _Held(self._decrypted[1], float(item["use_until"]), float(item["dies_at"]))

    def _opened(self, sealed: bytes) -> str | None:
        """Return the token in a ciphertext; None if it was made with another key or for another account."""
        with translated():
            try:
                answer = self.kms.decrypt(
                    CiphertextBlob=sealed, EncryptionContext=self.context, KeyId=self.key_id
                )
            except ClientError as error:
                if error.response["Error"]["Code"] in ("InvalidCiphertextException", "IncorrectKeyException"):
                    return None
                raise
        return answer["Plaintext"].decode()
