"""An aggregator's replies that do not concern one of our trackings."""

from typing import Any

import msgspec

from parcelgate.carriers.results import Courier, TransitTimes
from parcelgate.domain.trackings import TrackingStatus


class TransitTimesResource(msgspec.Struct, frozen=True):
    """How long parcels take on a route."""

    data: TransitTimes


class RemoteAreas(msgspec.Struct, frozen=True):
    """The places that couriers call remote, by the aggregator's own field names."""

    data: tuple[dict[str, Any], ...]


class AggregatorWords(msgspec.Struct, frozen=True):
    """An aggregator's reply, by its own field names."""

    data: dict[str, Any]


class TrackingCounts(msgspec.Struct, frozen=True):
    """How many of an account's parcels have each status."""

    data: dict[TrackingStatus, int]


class CourierList(msgspec.Struct, frozen=True):
    """Couriers. For a detected number the likeliest comes first."""

    data: tuple[Courier, ...]
