"""Facts about eTower that are assumed or may differ by account. Each can be set per account.

An account changes any of it in its secret, without a release::

    {"overrides": {"paths": {"update_order": "/services/shipper/orders/update"},
                   "master_repeats_first_piece": true, "banned_words": ["knife"]}}
"""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from parcelgate.carriers.accounts import AccountFields, AccountSettings, CredentialFields, secret
from parcelgate.domain.places.addresses import Address


class Call(StrEnum):
    """eTower's calls, by the names that `paths` uses."""

    ORDERS = "orders"
    LABELS = "labels"
    TRACKING_EVENTS = "tracking_events"
    MANIFESTS = "manifests"
    DELETE_ORDER = "delete_order"
    HOLD = "hold"
    SERVICE_CATALOG = "service_catalog"
    QUERY_ORDERS = "query_orders"
    UPDATE_ORDER = "update_order"


PATHS = {
    # Public (vendor wiki, ETWD).
    Call.ORDERS: "/services/shipper/orders",
    Call.LABELS: "/services/shipper/labels",
    Call.TRACKING_EVENTS: "/services/shipper/trackingEvents",
    Call.MANIFESTS: "/services/shipper/manifests",
    Call.DELETE_ORDER: "/services/shipper/order/{id}",
    Call.HOLD: "/services/shipper/hold",
    Call.SERVICE_CATALOG: "/services/shipper/service-catalog",
    # Path from client code; bodies assumed.
    Call.QUERY_ORDERS: "/services/shipper/queryorders",
    Call.UPDATE_ORDER: "/services/shipper/update-order",
}


class Overrides(AccountSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of a UBI account. The text below each setting says what it means."""

    # `{id}` in a path is the order's number.
    PATHS = PATHS

    master_repeats_first_piece: bool = False
    """Whether the order above several pieces repeats its first piece, as in the given sample, or carries
    their sums. Assumed either way.
    """
    max_weight_kg: Decimal = Decimal(40)
    """The heaviest parcel (public: error 120053, over 40 kg)."""
    banned_words: tuple[str, ...] = ()
    """Words the carrier does not take in an item's description (documented that there are such words; the
    list is not given).
    """
    update_as_list: bool = True
    """Whether an update is sent as a list of one order, as a create is, or as the order alone."""


class CarrierSettings(Overrides, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Return the same settings with the account's own addresses, for orders that name none.

    Without a return address none is sent, although the given table calls it mandatory: the given samples
    leave it out too (assumed).
    """

    ship_from: Address | None = None
    return_to: Address | None = None


class Credentials(CredentialFields, frozen=True, kw_only=True):
    """The account's login (public)."""

    token: Annotated[str, secret("the account's token, a text")]
    """Names the account in every call."""
    secret: Annotated[str, secret("the token's secret, a text")]
    """Signs every call."""


# Without a default: eTower has a host for each region (public: cn, us and au.etowertech.com, and
# qa.etowertech.com to try things out). The host is spelt as it is called, since it is signed.
ACCOUNT = AccountFields(Credentials, Overrides, "token")
