"""An order's label, as clients see it."""

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
    """The label. `url` leads to one document with all parcels; it is null for images of several parcels."""

    status: LabelStatus = LabelStatus.READY
    format: str
    size: str
    url: str | None
    expires_at: datetime
    sha256: str | None
    parcels: tuple[ParcelLabelResource, ...]


class PendingLabel(msgspec.Struct, frozen=True):
    """The answer while there is no label yet."""

    status: LabelStatus = LabelStatus.PENDING
