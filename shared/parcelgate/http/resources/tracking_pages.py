"""The recipient's page as data: what the page shows, and nothing else."""

from datetime import datetime

import msgspec

from parcelgate.domain.merchants.tenant_settings import Brand
from parcelgate.domain.trackings import TrackingStatus


class PagePlace(msgspec.Struct, frozen=True, kw_only=True):
    """Where something happened, no nearer than the town or the depot."""

    city: str | None
    state: str | None
    country: str | None
    text: str | None


class PageEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened to the parcel; `words` says it in the reader's language."""

    at: datetime
    utc_offset: str | None
    at_is_local: bool
    status: TrackingStatus
    sub_status: str | None
    words: str
    carrier: str
    location: PagePlace


class PageNextCarrier(msgspec.Struct, frozen=True, kw_only=True):
    """Who carries the parcel on, and its number there."""

    carrier: str
    tracking_number: str


class PageParcel(msgspec.Struct, frozen=True, kw_only=True):
    """One parcel, with its events, oldest first. `carrier` is a name for people."""

    tracking_number: str
    carrier: str
    next_carrier: PageNextCarrier | None
    status: TrackingStatus
    sub_status: str | None
    words: str
    estimated_delivery: str | None
    delivered_at: datetime | None
    last_event_at: datetime | None
    events: tuple[PageEvent, ...]


class RecipientPageResource(msgspec.Struct, frozen=True, kw_only=True):
    """What a recipient is shown. `status` is that of the parcel that is furthest behind."""

    object: str = "tracking_page"
    language: str
    brand: Brand
    status: TrackingStatus
    words: str
    parcels: tuple[PageParcel, ...]
