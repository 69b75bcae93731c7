"""What nobody has written down about LME: one table, every line of it settable per account.

The hosts, the envelope and the paths of create, detail, cancel and both routes are public (the vendor's own
SDK and pages). Everything else here is **assumed** unless its line says otherwise. An account changes any
of it in its secret, without a release::

    {"overrides": {"paths": {"label": "server/gateway/order/label"},
                   "fields": {"label": {"labelData": "fileContent"}},
                   "errors": {"40012": {"kind": "duplicate"},
                              "40031": {"kind": "refused", "pointer": "/ship_to/postcode"}},
                   "deliverable_postcodes": {"AU": ["2000-2234", "3*", "4000"]}}}
"""

from datetime import time
from enum import StrEnum
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from parcelgate.carriers.accounts import AccountConfig, AccountError
from parcelgate.carriers.toolkit.overrides import read_base_url, read_overrides

BASE_URL = "https://open-gateway.fh.express/"
"""Production (public: a client of the API). The test system is https://test.open-gateway.fh.express/."""


class Call(StrEnum):
    """LME's interfaces, by the names that `paths` and `fields` use."""

    CREATE = "create"
    DETAIL = "detail"
    CANCEL = "cancel"
    UPDATE = "update"
    ROUTE = "route"
    ROUTE_V2 = "route_v2"
    VALIDATE_ADDRESS = "validate_address"
    LABEL = "label"


PATHS = {
    # Public: vendor's SDK 1.0.3.
    Call.CREATE: "server/gateway/order/create",
    Call.DETAIL: "server/gateway/order/query",
    Call.CANCEL: "server/gateway/order/cancel",
    Call.ROUTE: "server/gateway/order/queryRoute",
    # Public: vendor's page queryOrderRouteV2.
    Call.ROUTE_V2: "server/gateway/order/queryRouteV2",
    # Assumed.
    Call.UPDATE: "server/gateway/order/update",
    Call.VALIDATE_ADDRESS: "server/gateway/address/validate",
    Call.LABEL: "server/gateway/order/queryLabel",
}


class ErrorKind(StrEnum):
    """What a code other than 0 means, and so what is done about it."""

    REFUSED = "refused"
    AUTHENTICATION = "authentication"
    TRANSIENT = "transient"
    UNKNOWN = "unknown"
    DUPLICATE = "duplicate"
    NOT_FOUND = "not_found"
    CANCELLED = "cancelled"
    CLOSED = "closed"
    NOT_PERMITTED = "not_permitted"
    NOT_READY = "not_ready"


class ErrorMeaning(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of an account's table of LME's error codes; `pointer` into the create body."""

    kind: ErrorKind = ErrorKind.REFUSED
    pointer: str | None = None


class CarrierSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The assumptions, and what an account may decide. See the comment of each."""

    # The path of each call below the base URL; a slash at its beginning does not matter.
    paths: dict[Call, str] = {}
    # Other names for the fields of a call, both ways: {"label": {"labelData": "fileContent"}}.
    fields: dict[Call, dict[str, str]] = {}

    # LME's own list of error codes is on a page that we do not have: the account's table, by the code as
    # text. A code in no table goes by `codes.CODES`, then by the words of its message (`codes.WORDS`).
    errors: dict[str, ErrorMeaning] = {}
    # Values of a found order's `orderStage` that mean it was cancelled; not published.
    cancelled_stages: tuple[str, ...] = ()

    # Where LME delivers: the countries whose postcodes it lists (documented, list of pages).
    countries: tuple[str, ...] = ("AU", "NZ", "US", "CA")
    # Those lists are on pages that we do not have, so the account's own: for each country single
    # postcodes, ranges (`2000-2234`) and beginnings (`V5*`). A country without a list takes them all.
    deliverable_postcodes: dict[str, tuple[str, ...]] = {}

    # Both times are wanted and, says the page, do nothing. Without `options.delivery_window`: tomorrow.
    window_from: str = "09:00"
    window_to: str = "18:00"
    # Sent where an address has no phone (public: createOrder's page).
    missing_phone: str = "123456789"

    # Which route is asked for: queryRouteV2 or queryRoute. Both are public.
    route: Literal["v2", "v1"] = "v2"
    # The zone of times that come without one, and of those that we send.
    default_time_zone: str = "UTC"

    # Hosts other than the account's own from which a label may be fetched, as `host` or `host:port`.
    label_hosts: tuple[str, ...] = ()
    # A signed push further off than this is only a nudge; its pictures open for so long (documented).
    push_tolerance_seconds: float = 300
    image_days: int = 30
    # Whether a parcel that LME hands to Australia Post is asked about there, through the tenant's aggregator.
    follow_next_carrier: bool = True

    def path(self, call: Call) -> str:
        """The path of `call` for this account, without a slash at its beginning."""
        return self.paths.get(call, PATHS[call]).lstrip("/")

    @property
    def zone(self) -> ZoneInfo:
        """The account's zone."""
        return ZoneInfo(self.default_time_zone)

    @property
    def window(self) -> tuple[time, time]:
        """The usual delivery window, local time."""
        return time.fromisoformat(self.window_from), time.fromisoformat(self.window_to)


def read_settings(account: AccountConfig) -> CarrierSettings:
    """The assumptions as `account` has them. Raises AccountError for settings that cannot be meant."""
    found = read_overrides(account, CarrierSettings)
    try:
        begins, ends = found.window
    except ValueError:
        raise AccountError(f"{account}: overrides.window_from, window_to: HH:MM") from None
    if begins >= ends:
        raise AccountError(f"{account}: overrides.window_to: later than window_from")
    if any("://" in path or not path.strip("/") for path in found.paths.values()):
        raise AccountError(f"{account}: overrides.paths: paths below the base URL")
    return found


def base_url(account: AccountConfig) -> str:
    """Where LME is for this account, with one slash at its end. Raises AccountError."""
    return read_base_url(account, BASE_URL) + "/"
