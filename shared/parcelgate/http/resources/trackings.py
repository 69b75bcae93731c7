"""A tracking with its timeline, as clients see it."""

from collections.abc import Callable, Iterable
from datetime import datetime

import msgspec

from parcelgate.domain.problems import ProblemError
from parcelgate.domain.trackings import (
    Customer,
    ProofOfDelivery,
    Saying,
    Source,
    Tracking,
    TrackingEvent,
    TrackingStatus,
)
from parcelgate.http.answers import Site, copied
from parcelgate.http.problems import ProblemResource, problem_resource
from parcelgate.store.credentials.page_tokens import Place


class SecondaryNumber(msgspec.Struct, frozen=True):
    """Another carrier's number of the same parcel. `carrier` is null if it is not known."""

    carrier: str | None
    number: str


class NextCarrierResource(msgspec.Struct, frozen=True, kw_only=True):
    """The courier that takes over the parcel, by the aggregator's code, and its number there."""

    carrier_code: str
    tracking_number: str


class LocationResource(msgspec.Struct, frozen=True, kw_only=True):
    """Where something happened. `text` is the carrier's own."""

    city: str | None
    state: str | None
    postcode: str | None
    country: str | None
    text: str | None


class TrackingEventResource(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened to a parcel.

    `status` is null if the carrier's `code` is not known here, or if the code changes no status.
    `at_is_local` marks a time that came without a zone and was read in the account's zone. `carrier` had the
    parcel then.
    """

    id: str
    at: datetime
    utc_offset: str | None
    at_is_local: bool
    status: TrackingStatus | None
    sub_status: str | None
    code: str
    description: str
    location: LocationResource
    visible_to_recipient: bool
    source: Source | None
    carrier: str


class TrackingResource(msgspec.Struct, frozen=True, kw_only=True):
    """One tracking, with its events, oldest first.

    `next_poll_at` is null if the parcel is no longer polled. The links to pictures of a proof of delivery are
    the carrier's and valid until `expires_at`. `estimated_delivery` and `signed_by` are the carrier's own
    words. `tracking_page` is the address of the recipient's page, which is open without a key.
    """

    id: str
    object: str = "tracking"
    order_id: str | None
    parcel_reference: str | None
    carrier: str
    carrier_code: str | None
    account: str
    tracking_number: str
    secondary_tracking_numbers: tuple[SecondaryNumber, ...]
    title: str | None
    status: TrackingStatus
    sub_status: str | None
    estimated_delivery: str | None
    delivered_at: datetime | None
    signed_by: str | None
    next_carrier: NextCarrierResource | None
    tracking_page: str | None
    last_event_at: datetime | None
    next_poll_at: datetime | None
    proof_of_delivery: ProofOfDelivery | None
    events: tuple[TrackingEventResource, ...]
    customer: Customer | None
    order_reference: str | None
    order_created_at: datetime | None
    note: str | None
    destination_country: str | None
    destination_state: str | None
    archived: bool
    paused: bool
    metadata: dict[str, str]
    erased_at: datetime | None
    created_at: datetime
    updated_at: datetime


class TrackingList(msgspec.Struct, frozen=True):
    """The trackings of an order's parcels, in parcel order."""

    data: tuple[TrackingResource, ...]


class TrackingsPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of trackings. `next_cursor` leads to the next page; it is null on the last page."""

    data: tuple[TrackingResource, ...]
    next_cursor: str | None


class TrackingResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The result of one entry of a list. `status` is what a request with this entry alone would give."""

    status: int
    id: str | None = None
    tracking: TrackingResource | None = None
    problem: ProblemResource | None = None
    retry_after: int | None = None


class TrackingResults(msgspec.Struct, frozen=True):
    """The results of all entries of a list, in the sequence of the list."""

    data: tuple[TrackingResult, ...]


def tracking_resource(
    tracking: Tracking, next_poll_at: datetime | None = None, *, site: Site
) -> TrackingResource:
    """Show one tracking."""
    return copied(
        TrackingResource,
        tracking,
        object="tracking",
        secondary_tracking_numbers=tuple(copied(SecondaryNumber, one) for one in tracking.other_numbers),
        estimated_delivery=_text(tracking.estimated_delivery),
        signed_by=_text(tracking.signed_by),
        next_carrier=copied(NextCarrierResource, tracking.next_carrier) if tracking.next_carrier else None,
        tracking_page=site.tracking_page(Place(tracking.tenant, tracking_id=tracking.id)),
        next_poll_at=next_poll_at,
        proof_of_delivery=tracking.proof,
        events=tuple(_event(event, tracking.carrier_code or tracking.carrier) for event in tracking.events),
    )


def tracking_results[R](
    results: Iterable[R | ProblemError], site: Site, shown: Callable[[R], TrackingResult]
) -> TrackingResults:
    """Show the result of each entry of a list. `shown` makes the result of an entry that did not fail."""
    return TrackingResults(
        tuple(
            TrackingResult(
                status=result.problem.status,
                problem=problem_resource(result.problem, site, order_id=result.order_id),
                retry_after=result.retry_after,
            )
            if isinstance(result, ProblemError)
            else shown(result)
            for result in results
        )
    )


def _event(event: TrackingEvent, carrier: str) -> TrackingEventResource:
    return copied(
        TrackingEventResource,
        event,
        carrier=event.carrier or carrier,
        location=copied(LocationResource, event, text=event.place),
    )


def _text(saying: Saying | None) -> str | None:
    return None if saying is None else saying.text
