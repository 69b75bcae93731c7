"""An order's label, as clients are shown it."""

from datetime import datetime

import msgspec

from parcelgate.domain.orders import LabelStatus


class ParcelLabelResource(msgspec.Struct, frozen=True, kw_only=True):
    """One parcel's label."""

    reference: str
    tracking_number: str | None
    url: str
    sha256: str


class LabelResource(msgspec.Struct, frozen=True, kw_only=True):
    """The label. `url` has all parcels in one document, and is null for images of several parcels."""

    status: LabelStatus = LabelStatus.READY
    format: str
    size: str
    url: str | None
    expires_at: datetime
    sha256: str | None
    parcels: tuple[ParcelLabelResource, ...]


class PendingLabel(msgspec.Struct, frozen=True):
    """There is no label yet."""

    status: LabelStatus = LabelStatus.PENDING
