"""An order's label, as clients see it."""

from datetime import datetime
from typing import Literal

import msgspec

from parcelgate.domain.orders import LabelStatus
from parcelgate.domain.printouts import Failure, Layout, MissingLabel, PrintoutStatus


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


class TakenLabelDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A label document that was asked for."""

    id: str
    object: Literal["label_document"] = "label_document"
    status: PrintoutStatus


class LabelDocumentResource(msgspec.Struct, frozen=True, kw_only=True):
    """The labels of many orders in one PDF. `url` leads to it while it is `ready`.

    `missing` names the orders that are not in it, in the order of the request. `failure` says why there is
    no document.
    """

    id: str
    object: Literal["label_document"] = "label_document"
    status: PrintoutStatus
    layout: Layout
    start_at: int
    pages: int
    url: str | None
    expires_at: datetime | None
    sha256: str | None
    missing: tuple[MissingLabel, ...]
    failure: Failure | None
    created_at: datetime
