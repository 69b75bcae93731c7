"""The secrets that events are signed with: made here, kept encrypted, and used through Standard Webhooks."""

import base64
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from parcelgate.domain.merchants.events import Event
from parcelgate.store.calls import translated
from parcelgate.store.merchant_events.endpoints import SealedSecret

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

PREFIX = "whsec_"
_BYTES = 32


def new_secret() -> str:
    """A fresh secret, in the form of Standard Webhooks."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


class SecretBox(msgspec.Struct, kw_only=True):
    """Seals secrets with the stack's key. What was sealed for one endpoint cannot be opened for another."""

    kms: "KMSClient"
    key_id: str
    _opened: dict[bytes, str] = {}

    def seal(self, tenant: str, endpoint_id: str, secret: str) -> bytes:
        """Encrypt a secret. Raises StoreError."""
        with translated():
            answer = self.kms.encrypt(
                KeyId=self.key_id,
                Plaintext=secret.encode(),
                EncryptionContext=_context(tenant, endpoint_id),
            )
        return answer["CiphertextBlob"]

    def open(self, tenant: str, endpoint_id: str, sealed: bytes) -> str:
        """Decrypt a secret; remembered, so that a busy function asks once. Raises StoreError."""
        if sealed not in self._opened:
            with translated():
                answer = self.kms.decrypt(
                    KeyId=self.key_id,
                    CiphertextBlob=sealed,
                    EncryptionContext=_context(tenant, endpoint_id),
                )
            self._opened[sealed] = answer["Plaintext"].decode()
        return self._opened[sealed]

    def signatures(
        self, tenant: str, endpoint_id: str, sealed: SealedSecret, event: Event, at: datetime
    ) -> dict[str, str]:
        """The headers of Standard Webhooks for an event that is sent at `at`.

        The signature is over exactly `event.body`. While a secret is being replaced there are two.
        """
        from standardwebhooks.webhooks import Webhook

        used = [sealed.secret]
        if sealed.old_secret is not None and sealed.old_secret_until and at < sealed.old_secret_until:
            used.append(sealed.old_secret)
        # The library takes any time for UTC, whatever zone it has.
        moment, body = at.astimezone(UTC), event.body.decode()
        signed = [Webhook(self.open(tenant, endpoint_id, each)).sign(event.id, moment, body) for each in used]
        return {
            "webhook-id": event.id,
            "webhook-timestamp": str(int(moment.timestamp())),
            "webhook-signature": " ".join(signed),
        }


def _context(tenant: str, endpoint_id: str) -> dict[str, str]:
    return {"tenant": tenant, "endpoint": endpoint_id}
