"""What an aggregator answers that is about no tracking of ours."""

from typing import Any

import msgspec

from parcelgate.carriers.results import Courier, TransitTimes
from parcelgate.domain.trackings import TrackingStatus


class TransitTimesResource(msgspec.Struct, frozen=True):
    """How long parcels take on a route."""

    data: TransitTimes


class RemoteAreas(msgspec.Struct, frozen=True):
    """Which places couriers call remote, in the aggregator's own words."""

    data: tuple[dict[str, Any], ...]


class AggregatorWords(msgspec.Struct, frozen=True):
    """What an aggregator says, by its own names."""

    data: dict[str, Any]


class TrackingCounts(msgspec.Struct, frozen=True):
    """How many of an account's parcels stand how."""

    data: dict[TrackingStatus, int]


class CourierList(msgspec.Struct, frozen=True):
    """Couriers; of those that a number may belong to, the likeliest first."""

    data: tuple[Courier, ...]
