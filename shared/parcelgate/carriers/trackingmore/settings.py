"""Facts about TrackingMore that are assumed or may differ by account. Each can be set per account.

The paths are documented (trackingmore-v2-trackings) save those of the couriers, which are public. An account
changes any of it in its secret, without a release::

    {"base_url": "https://api.51tracking.com",
     "overrides": {"key_header": "Tracking-Api-Key", "version": "v2", "default_time_zone": "Asia/Shanghai"}}
"""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

import msgspec

from parcelgate.carriers.accounts import (
    AccountConfig,
    AccountFields,
    AccountSettings,
    CredentialFields,
    Login,
    plain,
    secret,
)
from parcelgate.carriers.errors import AccountError

BASE_URL = "https://api.trackingmore.com"
"""TrackingMore's address (public); the version's prefix follows it."""


class Call(StrEnum):
    """TrackingMore's calls, named by the last word of their paths, or by what they do with one parcel."""

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


class CarrierSettings(AccountSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of a TrackingMore account. The text below each setting says what it means."""

    PATHS = PATHS

    version: str = "v2"
    """The prefix of all paths (public). It is not added when it is empty, or when the base URL ends with it
    already.
    """
    key_header: Annotated[str, plain("the name of a header", pattern=r"^-*[A-Za-z0-9][A-Za-z0-9-]*$")] = (
        "Trackingmore-Api-Key"
    )
    """The header that carries the API key (documented)."""
    page_size: Annotated[int, msgspec.Meta(title="a whole number from 1 to 2000", ge=1, le=2000)] = 2000
    """Items in one page of the list (public: 2000 at most)."""
    webhook_tolerance_seconds: float = 300
    """A webhook whose time differs more than this from our clock has no effect (assumed)."""

    @property
    def webhook_tolerance(self) -> timedelta:
        """The largest difference between a webhook's time and our clock."""
        return timedelta(seconds=self.webhook_tolerance_seconds)


class Credentials(CredentialFields, frozen=True, kw_only=True):
    """The account's login (documented)."""

    api_key: Annotated[str, secret("the API key, a text")]
    """Lets every call in."""
    email: Annotated[str, plain("the account's e-mail address")] | None = None
    """Signs webhooks; nothing else needs it."""


ACCOUNT = AccountFields(Credentials, CarrierSettings, "api_key", BASE_URL)


def prefix(login: Login[Credentials, CarrierSettings]) -> str:
    """Return host and version, to which every path is added, without a slash at the end.

    Raises AccountError.
    """
    version = login.settings.version.strip("/")
    if not version or login.base_url.endswith(f"/{version}"):
        return login.base_url
    return f"{login.base_url}/{version}"


def webhook_key(account: AccountConfig) -> str:
    """Return the key that signs webhooks. Raises AccountError for an account that has no e-mail address."""
    email = account.credentials.get("email")
    if not email:
        missing = "credentials.email is missing: store the account's e-mail address, which signs webhooks"
        raise AccountError(account.carrier, account.name, [missing])
    return email
