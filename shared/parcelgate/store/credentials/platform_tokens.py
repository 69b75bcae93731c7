"""A carrier platform's bearer token, shared by all environments of one carrier account.

One item per account holds the token, encrypted by KMS under a context that names tenant, carrier and
account: a ciphertext moved to another account's item cannot be read there. Who asks the platform for a
new token holds a lease on the item meanwhile, so that only one does; the others wait for what it gets.
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
"""Of a token's life; then a new one is asked for."""
LEASE = timedelta(seconds=20)
"""Longer than asking for a token may take."""
WAIT = timedelta(seconds=22)
"""Longer than the lease: whoever waits for a holder that has died comes to take its place."""
POLL = 0.25
"""Seconds between two looks at a lease held by somebody else."""

_SK = "TOKEN"
_LEASE = ("lease_holder", "lease_until")


class _Held(NamedTuple):
    """A token as it stands in the item. Times are seconds since the epoch."""

    token: str
    use_until: float
    dies_at: float


class PlatformTokenVault(msgspec.Struct, kw_only=True):
    """Where one carrier account's token is kept, and remembered between calls.

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
        """The token, while less than 90 % of its life is over; else None, and `renew` is to be called."""
        if self._remembered is None or self._remembered.use_until <= now.timestamp():
            self._remembered = self._held(self.items.get(self._key))
        held = self._remembered
        return held.token if held is not None and now.timestamp() < held.use_until else None

    def renew(self, refused: str | None, fetch: Callable[[], tuple[str, float]]) -> str:
        """A token other than the `refused` one (None when none was refused, only none was left).

        The item is read again first, since somebody else may have renewed it already. Otherwise `fetch`
        asks the platform, for a token and its life in seconds, under a lease. While somebody else has the
        lease, an old token that was not refused serves as long as it lives; without one, we wait.

        Raises TokenBusyError after waiting in vain, and whatever `fetch` raises.
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
            # It took so long that somebody else took the lease; two tokens live side by side, or theirs
            # has ended ours, which a refusal will tell.
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
        """The new lease; None while somebody else has it."""
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
        """The token in a ciphertext; None when it was made with another key or for another account."""
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
