"""Everything about eTower that stands on an assumption or may differ by account, in one place.

An account changes any of it in its secret, without a release::

    {"overrides": {"paths": {"update_order": "/services/shipper/orders/update"},
                   "master_repeats_first_piece": true, "banned_words": ["knife"]}}
"""

from decimal import Decimal
from enum import StrEnum
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec

from parcelgate.carriers.accounts import AccountConfig, AccountError, where_wrong
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


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules and the mapping need to know of an account.

    Attributes
    ----------
    ship_from, return_to
        The addresses of orders that name none. Without a return address none is sent, although the
        given table calls it mandatory: the given samples leave it out too (assumed).
    master_repeats_first_piece
        Whether the order above several pieces repeats its first piece, as in the given sample, or
        carries their sums (the default). Assumed either way.
    max_weight_kg
        The heaviest parcel (public: error 120053, over 40 kg).
    banned_words
        Words the carrier does not take in an item's description; its list is not given.
    default_time_zone
        The zone of event times that come without one.
    update_as_list
        Whether an update is sent as a list of one order (as one client does) or as the bare order
        (the default). Assumed either way.
    paths
        Calls whose path below the base URL differs from `PATHS`.
    """

    ship_from: Address | None = None
    return_to: Address | None = None
    master_repeats_first_piece: bool = False
    max_weight_kg: Decimal = Decimal(40)
    banned_words: tuple[str, ...] = ()
    default_time_zone: str = "UTC"
    update_as_list: bool = False
    paths: dict[Call, str] = {}

    def path(self, call: Call) -> str:
        """The path of `call` for this account."""
        return self.paths.get(call, PATHS[call])


class _Overrides(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    master_repeats_first_piece: bool = False
    max_weight_kg: Decimal = Decimal(40)
    banned_words: tuple[str, ...] = ()
    default_time_zone: str = "UTC"
    update_as_list: bool = False
    paths: dict[Call, str] = {}


def settings(account: AccountConfig) -> Settings:
    """The assumptions as `account` has them. Raises AccountError for settings that cannot be meant."""
    try:
        overrides = msgspec.convert(account.overrides, _Overrides)
    except msgspec.ValidationError as error:
        raise AccountError(f"{account}: overrides: {where_wrong(error)}") from None
    if not all(path.startswith("/") for path in overrides.paths.values()):
        raise AccountError(f"{account}: overrides.paths: every path begins with a slash")
    try:
        ZoneInfo(overrides.default_time_zone)
    except (KeyError, ValueError, OSError):
        raise AccountError(f"{account}: overrides.default_time_zone: no such zone") from None
    return Settings(
        ship_from=account.ship_from, return_to=account.return_to, **msgspec.structs.asdict(overrides)
    )


def base_url(account: AccountConfig) -> str:
    """Where eTower is for this account, without a slash at its end. Raises AccountError.

    There is no default: eTower has a host for each region (public: cn, us and au.etowertech.com, and
    qa.etowertech.com to try things out). The host is spelt as it is called, since it is signed.
    """
    unusable = AccountError(f"{account}: base_url: http or https, the region's host, and at most a path")
    try:
        parts = urlsplit(account.base_url or "")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise unusable from None
    if parts.scheme not in {"http", "https"} or not host or parts.query or parts.fragment or parts.username:
        raise unusable
    usual = {"http": 80, "https": 443}[parts.scheme]
    name = f"[{host}]" if ":" in host else host
    where = name if port in (None, usual) else f"{name}:{port}"
    return f"{parts.scheme}://{where}{parts.path}".rstrip("/")
