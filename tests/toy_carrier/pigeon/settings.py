"""What nobody has written down about Pigeon Post; an account changes any of it in its secret."""

from enum import StrEnum

import msgspec

from parcelgate.carriers.accounts import AccountConfig
from parcelgate.carriers.toolkit.overrides import read_base_url, read_overrides

BASE_URL = "https://post.pigeon.example"
"""The post's host (documented)."""


class Call(StrEnum):
    """The post's calls, by the names that `paths` uses."""

    CREATE = "create"
    FIND = "find"
    CANCEL = "cancel"
    LABEL = "label"
    TRACK = "track"


METHODS = {Call.CREATE: "POST", Call.CANCEL: "DELETE"}
"""Every other call is a GET."""

PATHS = {
    Call.CREATE: "/flights",
    Call.FIND: "/flights/by-ref/{number}",
    Call.CANCEL: "/flights/{number}",
    Call.TRACK: "/rings/{number}",
    # Assumed.
    Call.LABEL: "/flights/{number}/label",
}


class CarrierSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The assumptions. See the comment of each."""

    # The path of each call below the base URL; `{number}` is the number or reference asked about.
    paths: dict[Call, str] = {}
    # The heaviest bag that a pigeon lifts.
    max_grams: int = 2000


def read_settings(account: AccountConfig) -> CarrierSettings:
    """The assumptions as `account` has them. Raises AccountError."""
    return read_overrides(account, CarrierSettings)


def base_url(account: AccountConfig) -> str:
    """Where the post is for this account. Raises AccountError."""
    return read_base_url(account, BASE_URL)
