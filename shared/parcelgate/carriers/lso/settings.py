"""Assumed facts about the platform. Each can be set per account.

The given document (lso-order-commit) describes orderCommit and its callback alone, and only names the
other interfaces. Everything in `CarrierSettings` is **assumed** unless its line says otherwise. An account
changes any of it in its secret, without a release::

    {"overrides": {"paths": {"token": "/api/token"}, "fields": {"token": {"expiresIn": "ttl"}},
                   "currency": "USD", "failure_statuses": ["cancelled"]}}
"""

from enum import StrEnum
from typing import Annotated, Literal

import msgspec

from parcelgate.carriers.accounts import AccountFields, AccountSettings, CredentialFields, plain, secret
from parcelgate.domain.trackings import TrackingStatus

BASE_URL = "https://syco-api.logssc.com"
"""The platform's host (documented, lso-order-commit, interface address)."""


class Call(StrEnum):
    """The platform's interfaces, by the names that `paths` and `fields` use."""

    TOKEN = "token"  # noqa: S105
    FEE_PREVIEW = "fee_preview"
    ORDER_COMMIT = "order_commit"
    ORDER_RESULT = "order_result"
    LABEL = "label"
    REFUND = "refund"
    TRACKING = "tracking"


PATHS = {
    Call.TOKEN: "/external-interface/getToken",
    Call.FEE_PREVIEW: "/external-interface/lso/feePreview",
    # Documented: lso-order-commit, interface address.
    Call.ORDER_COMMIT: "/external-interface/lso/orderCommit",
    Call.ORDER_RESULT: "/external-interface/common/orderResult",
    Call.LABEL: "/external-interface/common/label",
    Call.REFUND: "/external-interface/common/refund",
    Call.TRACKING: "/external-interface/lso/tracking",
}


class CarrierSettings(AccountSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of an LSO account. The text below each setting says what it means."""

    PATHS = PATHS

    fields: dict[Call, dict[str, str]] = msgspec.field(default_factory=dict)
    """Other names for the fields of a call, both ways: {"label": {"labelBase64": "fileContent"}}."""

    # Codes in the answer's body. Any that is not listed means that the order has failed (documented), but
    # only in an answer that speaks of the order (assumed).
    token_refused_codes: tuple[int, ...] = ()
    """Codes that renew the token, besides 401 and 403."""
    not_found_codes: tuple[int, ...] = (404,)
    """Codes that say that there is no such order."""
    pending_codes: tuple[int, ...] = (1024,)
    """Codes that say that the order is not decided yet (1024 is documented)."""
    label_pending_codes: tuple[int, ...] = (1115,)
    """Codes that say that there is no label yet (1115 is documented)."""
    token_seconds: float = 7200
    """The life of a token in seconds when the answer does not say."""

    currency: Annotated[str, plain("three capital letters", pattern="^[A-Z]{3}$")] = "USD"
    """Price is prepaidPrice + commission, in this currency."""
    failure_statuses: tuple[str, ...] = ()
    """Words of `status` that mean a failed order although the code is 200. The document says that the status
    decides, and names no values.
    """
    refund_status: Literal["requested", "confirmed"] = "requested"
    """The status of a refund that the platform accepted (code 200). The platform never confirms a refund."""
    resend_when_not_found: bool = False
    """Whether an order that was twice not found may be sent again; the look-up itself is assumed."""
    label_hosts: tuple[str, ...] = ()
    """Hosts other than the account's own from which a label may be fetched, as `host` or `host:port`."""

    track_batch: Annotated[int, msgspec.Meta(title="a whole number from 1", ge=1)] = 30
    """The largest number of parcels in one tracking call."""
    tracking_statuses: Annotated[
        dict[str, TrackingStatus], msgspec.Meta(title="an object of the platform's words and our statuses")
    ] = msgspec.field(default_factory=dict)
    """Further words for statuses."""


class Credentials(CredentialFields, frozen=True, kw_only=True):
    """The account's login (assumed, as `getToken` is)."""

    app_id: Annotated[str, plain("the application's id, a text")]
    """Names the account in every call."""
    app_secret: Annotated[str, secret("the application's secret, a text")]
    """Gets the account its tokens."""


ACCOUNT = AccountFields(Credentials, CarrierSettings, "app_id", BASE_URL)
