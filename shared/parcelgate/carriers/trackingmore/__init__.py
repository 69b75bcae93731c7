"""TrackingMore v2: follows the parcels of many couriers for us, and takes no orders.

`docs/adding-a-carrier.md` says what each room of the folder holds. `answers` says what a refusal means and
which parcel it is about; `signing` is the signature of webhooks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from parcelgate.carriers.limits import Limits
from parcelgate.carriers.port import CarrierProfile, graded
from parcelgate.carriers.results import WebhookCheck

if TYPE_CHECKING:
    from datetime import datetime

    from parcelgate.carriers.accounts import AccountConfig

PROFILE = CarrierProfile(
    code="trackingmore",
    name="TrackingMore",
    services=(),
    countries=(),
    max_parcels=0,
    track_batch=40,
    label_formats=(),
    grades=graded(
        documented="follow authentication",
        public="track history realtime amend correct pause transit_times remote_areas air_cargo usage counts "
        "detect couriers verify_webhook limits",
        assumed="forget webhook",
    ),
    # Public: the list once a second, realtime three times a second; after a 429 two minutes' rest.
    limits=Limits(rest=120.0, lanes={"list": 1.0, "realtime": 3.0}),
)

WEBHOOK_ANSWER: bytes | None = b"{}"
"""TrackingMore looks at the status of the answer alone, which must be 200 (public)."""


def check_webhook(body: bytes, account: AccountConfig, now: datetime) -> WebhookCheck:
    """Check a webhook's signature against the account; see `signing`.

    A wrong signature is forged. A webhook without one, or with a time far from `now`, has no effect.
    """
    from parcelgate.carriers.accounts import Login
    from parcelgate.carriers.trackingmore import settings, signing

    login = Login(settings.ACCOUNT, account)
    proof = signing.verify_proof(body, settings.webhook_key(account))
    if proof is signing.Flaw.WRONG_SIGNATURE:
        is_signed = signing.read_proof(body) is not None
        return WebhookCheck(refused=True) if is_signed else WebhookCheck(reason="not signed")
    if isinstance(proof, signing.Flaw):
        return WebhookCheck(reason=proof.value)
    is_fresh = signing.is_fresh(proof, now, login.settings.webhook_tolerance)
    return WebhookCheck(
        proof=proof.digest, reason=None if is_fresh else "its time differs too much from our clock"
    )
