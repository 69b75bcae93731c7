"""What nobody has written down about Pigeon Post; an account changes any of it in its secret."""

from enum import StrEnum
from typing import Annotated

from parcelgate.carriers.accounts import AccountFields, AccountSettings, CredentialFields, secret

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


class CarrierSettings(AccountSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The assumptions. Each says what it means."""

    # `{number}` in a path is the number or reference asked about.
    PATHS = PATHS

    max_grams: int = 2000
    """The heaviest bag that a pigeon lifts."""


class Credentials(CredentialFields, frozen=True, kw_only=True):
    """The account's login (documented)."""

    key: Annotated[str, secret("the key, a text")]
    """Lets every call in."""


ACCOUNT = AccountFields(Credentials, CarrierSettings, "key", BASE_URL)
