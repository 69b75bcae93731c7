"""A printout: the labels of many orders in one PDF. The contract calls it a label document."""

from datetime import UTC, datetime
from enum import StrEnum

import msgspec

MOST_ORDERS = 300
"""Orders in one printout."""
PLACES = 4
"""Labels on a sheet of `a4_4`."""

_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)
"""When a printout is asked for is no part of its id."""


class Layout(StrEnum):
    """How the labels are laid out."""

    AS_IS = "as_is"
    A4_4 = "a4_4"
    """Four to a page of A4."""


class PrintoutStatus(StrEnum):
    """How a printout stands."""

    PROCESSING = "processing"
    READY = "ready"
    FAILED = "failed"


class PrintRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be printed. `start_at` is the first sheet's place to begin at, from 1 to 4."""

    order_ids: tuple[str, ...]
    layout: Layout = Layout.AS_IS
    start_at: int = 1

    def id_for(self, tenant: str) -> str:
        """The id of the printout of this request: the same request has the same printout."""
        from parcelgate.domain.ids import fixed_id

        return fixed_id("lbl", _NO_TIME, tenant, self.layout, self.start_at, *self.order_ids)


class MissingLabel(msgspec.Struct, frozen=True):
    """An order that is not on the printout.

    `code` is `not_found`, `order_not_live`, `label_pending`, `label_unavailable`, `label_unreadable`,
    `format_left_out` or `repeated`; in the last case the order is on it, once, at its first place.
    """

    order_id: str
    code: str


class Failure(msgspec.Struct, frozen=True):
    """Why there is no printout: `no_labels`, `too_large` or `took_too_long`."""

    code: str
    message: str


class Printout(msgspec.Struct, frozen=True, kw_only=True):
    """A printout as it stands. One that is asked for again has another `created_at` and the same id.

    `key` is where its PDF is kept, and `sha256` that file's SHA-256 in hex, once it is ready.
    """

    id: str
    tenant: str
    request: PrintRequest
    created_at: datetime
    correlation_id: str | None = None
    status: PrintoutStatus = PrintoutStatus.PROCESSING
    pages: int = 0
    key: str | None = None
    sha256: str | None = None
    missing: tuple[MissingLabel, ...] = ()
    failure: Failure | None = None

    def ready(self, *, pages: int, key: str, sha256: str, missing: tuple[MissingLabel, ...]) -> "Printout":
        """It is there."""
        return msgspec.structs.replace(
            self, status=PrintoutStatus.READY, pages=pages, key=key, sha256=sha256, missing=missing
        )

    def failed(self, failure: Failure, missing: tuple[MissingLabel, ...] = ()) -> "Printout":
        """There will be none."""
        return msgspec.structs.replace(self, status=PrintoutStatus.FAILED, failure=failure, missing=missing)
