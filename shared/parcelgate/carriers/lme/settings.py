"""Assumed facts about LME. Each can be set per account.

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
from typing import Annotated, Literal

import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from parcelgate.carriers.accounts import AccountFields, AccountSettings, CredentialFields, plain, secret
from parcelgate.carriers.lme import signing

BASE_URL = "https://open-gateway.fh.express/"
"""Production (public: a client of the API). The test system is https://test.open-gateway.fh.express/."""


class Call(StrEnum):
    """LME's interfaces, by the names that `paths` and `fields` use."""

    CREATE = "create"
    DETAIL = "detail"
    CANCEL = "cancel"
    RETURN = "return"
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
    # It is in the SDK, and not in LME's list of interfaces.
    Call.RETURN: "server/gateway/order/return",
    Call.ROUTE: "server/gateway/order/queryRoute",
    # Public: vendor's page queryOrderRouteV2.
    Call.ROUTE_V2: "server/gateway/order/queryRouteV2",
    # Assumed.
    Call.UPDATE: "server/gateway/order/update",
    Call.VALIDATE_ADDRESS: "server/gateway/address/validate",
    Call.LABEL: "server/gateway/order/queryLabel",
}


class ErrorKind(StrEnum):
    """The meaning of a code other than 0, which decides what is done about it."""

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


_HOUR = plain("a time such as 09:00", pattern=r"^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?$")
_PRIVATE = "an RSA private key, as Base64 DER or PEM"
_PUBLIC = "an RSA public key, as Base64 DER or PEM"


class CarrierSettings(AccountSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of an LME account. The text below each setting says what it means."""

    PATHS = PATHS

    fields: dict[Call, dict[str, str]] = msgspec.field(default_factory=dict)
    """Other names for the fields of a call, both ways: {"label": {"labelData": "fileContent"}}."""

    errors: dict[str, ErrorMeaning] = msgspec.field(default_factory=dict)
    """The account's table of error codes, by the code as text.

    LME's own list is on a page that we do not have. A code in no table is read by `codes.CODES`, then by the
    words of its message (`codes.WORDS`).
    """
    cancelled_stages: tuple[str, ...] = ()
    """Values of a found order's `orderStage` that mean it was cancelled; not published."""

    countries: tuple[str, ...] = ("AU", "NZ", "US", "CA")
    """Where LME delivers: the countries whose postcodes it lists (documented, list of pages)."""
    deliverable_postcodes: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    """The account's own lists, because LME's are on pages that we do not have: for each country single
    postcodes, ranges (`2000-2234`) and beginnings (`V5*`). For a country without a list every postcode is
    accepted.
    """

    window_from: Annotated[str, _HOUR] = "09:00"
    """The start of tomorrow's delivery, if an order has no `options.delivery_window`.

    LME needs both times.
    """
    window_to: Annotated[str, _HOUR] = "18:00"
    """The end of tomorrow's delivery; LME's page says that both times have no effect."""
    missing_phone: str = "123456789"
    """The phone number that is sent if an address has none (public: createOrder's page)."""

    route: Literal["v2", "v1"] = "v2"
    """The call for journeys: queryRouteV2 or queryRoute. Both are public."""
    label_hosts: tuple[str, ...] = ()
    """Hosts other than the account's own from which a label may be fetched, as `host` or `host:port`."""
    push_tolerance_seconds: float = 300
    """A signed push whose time differs more than this from our clock is only a nudge."""
    image_days: int = 30
    """How many days the pictures of a push can be opened (documented)."""
    follow_next_carrier: bool = True
    """Whether a parcel handed to Australia Post is followed there, through the tenant's aggregator."""

    def __post_init__(self) -> None:
        """Check what the types cannot express. Raises ValueError, which names the field."""
        super().__post_init__()
        begins, ends = self.window
        if begins >= ends:
            raise ValueError("window_to: it must be later than window_from")

    @property
    def window(self) -> tuple[time, time]:
        """The usual delivery window, local time."""
        return time.fromisoformat(self.window_from), time.fromisoformat(self.window_to)


class Credentials(CredentialFields, frozen=True, kw_only=True):
    """The account's login. Keys are RSA of any length, as Base64 DER or PEM."""

    app_key: Annotated[str, plain("the app key, a text")]
    """Names the account in every call."""
    client_private: Annotated[str, secret(_PRIVATE)]
    """Signs what we send, and decrypts LME's answers."""
    lme_public: Annotated[str, plain(_PUBLIC)]
    """Encrypts what we send, and verifies LME's pushes."""
    client_public: Annotated[str, plain(_PUBLIC)] | None = None
    """The public half of `client_private`, which LME has; it is not used here."""
    lme_private: Annotated[str, secret(_PRIVATE)] | None = None
    """LME's own half, known for invented logins alone; not used here."""

    def __post_init__(self) -> None:
        """Read both keys. Raises ValueError, which names the field and never quotes it."""
        for name, read in (("client_private", signing.private_key), ("lme_public", signing.public_key)):
            try:
                read(getattr(self, name))
            except signing.KeyFormatError as error:
                raise ValueError(f"{name}: {error}") from None

    @property
    def ours(self) -> RSAPrivateKey:
        """Our private key."""
        return signing.private_key(self.client_private)

    @property
    def theirs(self) -> RSAPublicKey:
        """LME's public key."""
        return signing.public_key(self.lme_public)


ACCOUNT = AccountFields(Credentials, CarrierSettings, "app_key", BASE_URL)
