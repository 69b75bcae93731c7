"""Everything about eTower that stands on an assumption or may differ by account, in one place.

An account changes any of it in its secret, without a release::

    {"overrides": {"paths": {"update_order": "/services/shipper/orders/update"},
                   "master_repeats_first_piece": true, "banned_words": ["knife"]}}
"""

from decimal import Decimal
from enum import StrEnum

import msgspec

from parcelgate.carriers.accounts import AccountConfig, AccountError
from parcelgate.carriers.toolkit.overrides import read_base_url, read_overrides
from parcelgate.domain.addresses import Address


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


class Overrides(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an account may decide. See the comment of each."""

    # The path of each call below the base URL; `{id}` is the order's number.
    paths: dict[Call, str] = {}
    # Whether the order above several pieces repeats its first piece, as in the given sample, or carries
    # their sums. Assumed either way.
    master_repeats_first_piece: bool = False
    # The heaviest parcel (public: error 120053, over 40 kg).
    max_weight_kg: Decimal = Decimal(40)
    # Words the carrier does not take in an item's description (documented that there are such words; the
    # list is not given).
    banned_words: tuple[str, ...] = ()
    # The zone of event times that come without one.
    default_time_zone: str = "UTC"
    # Whether an update is sent as a list of one order, as a create is, or as the bare order.
    update_as_list: bool = True

    def path(self, call: Call) -> str:
        """The path of `call` for this account."""
        return self.paths.get(call, PATHS[call])


class CarrierSettings(Overrides, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The same with the account's own addresses, for orders that name none.

    Without a return address none is sent, although the given table calls it mandatory: the given samples
    leave it out too (assumed).
    """

    ship_from: Address | None = None
    return_to: Address | None = None


def read_settings(account: AccountConfig) -> CarrierSettings:
    """The assumptions as `account` has them. Raises AccountError for settings that cannot be meant."""
    overrides = read_overrides(account, Overrides)
    if not all(path.startswith("/") for path in overrides.paths.values()):
        raise AccountError(f"{account}: overrides.paths: every path begins with a slash")
    return CarrierSettings(
        ship_from=account.ship_from, return_to=account.return_to, **msgspec.structs.asdict(overrides)
    )


def base_url(account: AccountConfig) -> str:
    """Where eTower is for this account, without a slash at its end. Raises AccountError.

    There is no default: eTower has a host for each region (public: cn, us and au.etowertech.com, and
    qa.etowertech.com to try things out). The host is spelt as it is called, since it is signed.
    """
    return read_base_url(account)
