"""What nobody has written down about the platform: one table, every line of it settable per account.

The given document (lso-order-commit) describes orderCommit and its callback alone, and only names the
other interfaces. Everything in `CarrierSettings` is **assumed** unless its line says otherwise. An account
changes any of it in its secret, without a release::

    {"overrides": {"paths": {"token": "/api/token"}, "fields": {"token": {"expiresIn": "ttl"}},
                   "currency": "USD", "failure_statuses": ["cancelled"]}}
"""

import re
from enum import StrEnum
from typing import Literal

import msgspec

from parcelgate.carriers.accounts import AccountConfig, AccountError
from parcelgate.carriers.toolkit.overrides import read_base_url, read_overrides
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


class CarrierSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The assumptions, and what an account may decide. See the comment of each."""

    # The path of each call below the base URL.
    paths: dict[Call, str] = {}
    # Other names for the fields of a call, both ways: {"label": {"labelBase64": "fileContent"}}.
    fields: dict[Call, dict[str, str]] = {}

    # Codes in the answer's body. 1024 and 1115 are documented. Any other code means that the order has
    # failed (documented), but only in an answer that speaks of the order (assumed). 401 and 403 renew the
    # token; `token_refused_codes` are further ones that do.
    token_refused_codes: tuple[int, ...] = ()
    not_found_codes: tuple[int, ...] = (404,)
    pending_codes: tuple[int, ...] = (1024,)
    label_pending_codes: tuple[int, ...] = (1115,)

    # The life of a token in seconds when the answer does not say.
    token_seconds: float = 7200

    # Price is prepaidPrice + commission, in this currency.
    currency: str = "USD"
    # Words of `status` that mean a failed order although the code is 200. The document has the status
    # judged by and names no values.
    failure_statuses: tuple[str, ...] = ()
    # Nothing ever confirms a refund: how one that was accepted (code 200) is shown, and counted.
    refund_status: Literal["requested", "confirmed"] = "requested"
    # Whether an order that was twice not found may be sent again; the look-up itself is assumed.
    resend_when_not_found: bool = False
    # Hosts other than the account's own from which a label may be fetched, as `host` or `host:port`.
    label_hosts: tuple[str, ...] = ()

    # How many numbers one tracking call may ask about, further words for statuses (their tracking
    # status by `TrackingStatus` value), and the zone of its times.
    track_batch: int = 30
    tracking_statuses: dict[str, str] = {}
    default_time_zone: str = "UTC"

    def path(self, call: Call) -> str:
        """The path of `call` for this account."""
        return self.paths.get(call, PATHS[call])


def read_settings(account: AccountConfig) -> CarrierSettings:
    """The assumptions as `account` has them. Raises AccountError for settings that cannot be meant."""
    found = read_overrides(account, CarrierSettings)
    if not re.fullmatch("[A-Z]{3}", found.currency):
        raise AccountError(f"{account}: overrides.currency: three capital letters")
    if not set(found.tracking_statuses.values()) <= set(TrackingStatus):
        raise AccountError(f"{account}: overrides.tracking_statuses: not statuses of ours")
    if not all(path.startswith("/") for path in found.paths.values()):
        raise AccountError(f"{account}: overrides.paths: every path begins with a slash")
    if found.track_batch < 1:
        raise AccountError(f"{account}: overrides.track_batch: at least 1")
    return found


def base_url(account: AccountConfig) -> str:
    """Where the platform is for this account, without a slash at its end. Raises AccountError."""
    return read_base_url(account, BASE_URL)
