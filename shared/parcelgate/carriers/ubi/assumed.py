"""Everything about eTower that stands on an assumption or may differ by account, in one place.

The carrier account's settings override each of it by name, without a release. Paths under
`/services/shipper/` are public (vendor wiki) save those marked; the rest is marked one by one.
"""

from decimal import Decimal

import msgspec

from parcelgate.domain.addresses import Address

PATHS: dict[str, str] = {
    "orders": "/services/shipper/orders",
    "labels": "/services/shipper/labels",
    "tracking_events": "/services/shipper/trackingEvents",
    "manifests": "/services/shipper/manifests",
    "order": "/services/shipper/order/{id}",
    "hold": "/services/shipper/hold",
    "service_catalog": "/services/shipper/service-catalog",
    "query_orders": "/services/shipper/queryorders",  # path from client code, bodies assumed
    "update_order": "/services/shipper/update-order",  # path from client code, body assumed
}


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a carrier account may say beside its credentials.

    Attributes
    ----------
    paths
        Calls whose path differs from `PATHS`.
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
        Whether an update is sent as a list of one order or as the bare order (assumed).
    """

    paths: dict[str, str] = {}
    ship_from: Address | None = None
    return_to: Address | None = None
    master_repeats_first_piece: bool = False
    max_weight_kg: Decimal = Decimal(40)
    banned_words: tuple[str, ...] = ()
    default_time_zone: str = "UTC"
    update_as_list: bool = False

    def path(self, call: str) -> str:
        """The path of a call, the account's own first."""
        return self.paths.get(call) or PATHS[call]
