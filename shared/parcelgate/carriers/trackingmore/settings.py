"""What may differ by account with TrackingMore, and what nobody has written down, in one place.

The paths are documented (trackingmore-v2-trackings) save those of the couriers, which are public. An account
changes any of it in its secret, without a release::

    {"base_url": "https://api.51tracking.com",
     "overrides": {"key_header": "Tracking-Api-Key", "version": "v2", "default_time_zone": "Asia/Shanghai"}}
"""

from datetime import timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

import msgspec

from parcelgate.carriers.accounts import AccountConfig, AccountError
from parcelgate.carriers.toolkit.overrides import read_base_url, read_overrides

BASE_URL = "https://api.trackingmore.com"
"""Where TrackingMore is (public); the version's prefix comes behind it."""


class Call(StrEnum):
    """TrackingMore's calls, by the last word of their paths, or by what they do on a parcel's own."""

    POST = "post"
    GET_ONE = "get_one"
    PUT_ONE = "put_one"
    DELETE_ONE = "delete_one"
    BATCH = "batch"
    GET = "get"
    UPDATEMORE = "updatemore"
    DELETE = "delete"
    REALTIME = "realtime"
    UPDATE = "update"
    GETUSERINFO = "getuserinfo"
    GETSTATUSNUMBER = "getstatusnumber"
    NOTUPDATE = "notupdate"
    REMOTE = "remote"
    COSTTIME = "costtime"
    AIRCARGO = "aircargo"
    CARRIERS = "carriers"
    DETECT = "detect"


PATHS = {
    # Documented: trackingmore-v2-trackings.
    Call.POST: "/trackings/post",
    Call.GET_ONE: "/trackings/{carrier_code}/{tracking_number}",
    Call.PUT_ONE: "/trackings/{carrier_code}/{tracking_number}",
    Call.DELETE_ONE: "/trackings/{carrier_code}/{tracking_number}",
    Call.BATCH: "/trackings/batch",
    Call.GET: "/trackings/get",
    Call.UPDATEMORE: "/trackings/updatemore",
    Call.DELETE: "/trackings/delete",
    Call.REALTIME: "/trackings/realtime",
    Call.UPDATE: "/trackings/update",
    Call.GETUSERINFO: "/trackings/getuserinfo",
    Call.GETSTATUSNUMBER: "/trackings/getstatusnumber",
    Call.NOTUPDATE: "/trackings/notupdate",
    Call.REMOTE: "/trackings/remote",
    Call.COSTTIME: "/trackings/costtime",
    Call.AIRCARGO: "/trackings/aircargo",
    # Public: the vendor's pages.
    Call.CARRIERS: "/carriers",
    Call.DETECT: "/carriers/detect",
}


class CarrierSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an account may decide. See the comment of each."""

    # The path of each call below the version's prefix.
    paths: dict[Call, str] = {}
    # The prefix of all paths (public). Nothing is put before them when it is empty, or when the base URL
    # ends with it already.
    version: str = "v2"
    # The header that carries the API key (documented).
    key_header: str = "Trackingmore-Api-Key"
    # The zone of event times that come without one, and of the order time that we send (assumed).
    default_time_zone: str = "UTC"
    # Items in one page of the list (public: 2000 at most).
    page_size: int = 2000
    # A webhook whose time is further off than this has no effect (assumed).
    webhook_tolerance_seconds: float = 300

    def path(self, call: Call) -> str:
        """The path of `call` for this account."""
        return self.paths.get(call, PATHS[call])

    @property
    def webhook_tolerance(self) -> timedelta:
        """How far a webhook's time may be off."""
        return timedelta(seconds=self.webhook_tolerance_seconds)

    @property
    def zone(self) -> ZoneInfo:
        """The account's zone."""
        return ZoneInfo(self.default_time_zone)


def read_settings(account: AccountConfig) -> CarrierSettings:
    """The assumptions as `account` has them. Raises AccountError for settings that cannot be meant."""
    found = read_overrides(account, CarrierSettings)
    if not all(path.startswith("/") for path in found.paths.values()):
        raise AccountError(f"{account}: overrides.paths: every path begins with a slash")
    if not 1 <= found.page_size <= 2000:
        raise AccountError(f"{account}: overrides.page_size: 1 to 2000")
    if not found.key_header.isascii() or not found.key_header.replace("-", "").isalnum():
        raise AccountError(f"{account}: overrides.key_header: the name of a header")
    return found


def base_url(account: AccountConfig, settings: CarrierSettings) -> str:
    """What every path comes behind: host and version, without a slash at its end. Raises AccountError."""
    base = read_base_url(account, BASE_URL)
    version = settings.version.strip("/")
    if not version or base.endswith(f"/{version}"):
        return base
    return f"{base}/{version}"
