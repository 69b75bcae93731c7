"""The table of routes: all that is fixed about each endpoint, once.

The gateway's routes and the functions' sizes (`infra`), the OpenAPI document (`http.openapi`), the check of
keys and scopes (`http.api`) and the tests read it. Every handler loads it, so models are named and not
imported: `body` names a class of `http.requests`, `Response.model` one of `http.resources`.

A function of `functions/<name>/handler.py` answers the routes that stand under its name; each by a function
of Python named like the route.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import msgspec

from parcelgate.domain.batches import MOST_ORDERS

MOST_PARCELS = 40
"""Parcels in one request: what the aggregator's own list calls take."""
MAX_BATCH_BYTES = 4 * 1024 * 1024
"""Bytes of a batch: Lambda takes 6 MB, and a body grows when it is quoted."""


class Response(NamedTuple):
    """One good answer of a route. Without `model` there is no body, save a thing of another `media` type."""

    description: str
    model: str | None = None
    headers: tuple[str, ...] = ()
    media: str | None = None
    several: str | None = None
    """The model of the answer to a list, where a list may be sent too."""


class Route(msgspec.Struct, frozen=True):
    """One endpoint. What `problems` does not name follows from the rest (see `statuses_of_problems`)."""

    key: str
    """Method and path, as the gateway names them: `GET /v1/orders/{id}`."""
    name: str
    """The name of the function of Python that answers it; in camel case, the OpenAPI operation."""
    tag: str = ""
    summary: str = ""
    """Without a summary it is no part of the OpenAPI document."""
    description: str = ""
    answers: Mapping[int, Response] = {}
    """The good answers, by status."""
    scope: str | None = None
    """What a key must have been made for; None: any key will do."""
    open: bool = False
    """Whether it is answered without a key."""
    throttle: Literal["default", "open", "webhook"] = "default"
    """Which of the environment's limits it has."""
    body: str | None = None
    """The model of the request's body; None: a POST takes none but `{}`."""
    max_bytes: int = 256 * 1024
    """The largest body that is taken."""
    lists: Literal["never", "also", "only"] = "never"
    """Whether the body may be, or must be, a list of such."""
    query: Literal["orders", "trackings", "account"] | None = None
    """Which parameters the query may have: a name in `http.requests.queries.PARAMETERS`."""
    problems: tuple[int, ...] = ()

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self.key.partition(" ")[0]

    @property
    def path(self) -> str:
        """The path with its parameters' names in braces."""
        return self.key.partition(" ")[2]

    @property
    def operation(self) -> str:
        """The name in the OpenAPI document."""
        first, *rest = self.name.split("_")
        return first + "".join(map(str.capitalize, rest))

    @property
    def idempotent(self) -> bool:
        """Whether an Idempotency-Key is read: on whatever changes something and can be sent again."""
        return not self.open and self.method in ("POST", "PATCH")

    @property
    def statuses_of_problems(self) -> tuple[int, ...]:
        """Every status that a problem can be answered with, the gateway's own among them."""
        found = {429, *self.problems}
        found |= set() if self.open else {401, 500}
        found |= {403} if self.scope else set()
        found |= {400, 409, 413, 415, 422} if self.idempotent else set()
        found |= {404} if "{id}" in self.path else set()
        found |= {422} if self.query else set()
        return tuple(sorted(found))


class Function(NamedTuple):
    """A function that answers clients. Memory in MB (CPU follows it), time-out in seconds."""

    memory: int
    timeout: int
    routes: tuple[Route, ...]


_ORDER = {200: Response("The order.", "orders.OrderResource")}
_TRACKING = {200: Response("The tracking.", "trackings.TrackingResource")}
_EACH = {207: Response("What became of each.", "trackings.TrackingResults")}
_PAGE = {200: Response("A page.", media="text/html")}
_TAKEN = ("Location", "Retry-After")

FUNCTIONS: Mapping[str, Function] = {
    "create_order": Function(1024, 15, (
        Route(
            "POST /v1/orders", "create_order", "Orders", "Create an order",
            "Checks the order whole, stores it, and has it sent to the carrier. Nothing is stored of an "
            "order that is refused here; one that the carrier refuses is answered with 422 and its id. "
            "Read an order that was taken, or its label, for what became of it.",
            scope="orders:write", body="orders.OrderInput",
            answers={
                201: Response("Confirmed by the carrier.", "orders.OrderResource", ("Location",)),
                202: Response("Taken; the carrier decides later.", "orders.OrderResource", _TAKEN),
            },
        ),
    )),
    "create_batch": Function(1024, 25, (
        Route(
            "POST /v1/orders/batch", "create_batch", "Orders", "Create many orders at once",
            f"Takes up to {MOST_ORDERS} orders, 4 MiB in all. Each is checked, stored and sent for itself, "
            "and one that is wrong spoils no other. Ask the batch how far it has come. With `validate_only` "
            "the orders are only checked, and the answer says what is wrong with each.",
            scope="orders:write", body="forms.BatchInput", max_bytes=MAX_BATCH_BYTES,
            answers={
                200: Response("Checked only: nothing was bought.", "batches.CheckedBatchResource"),
                202: Response("Taken.", "batches.TakenBatch", _TAKEN),
            },
        ),
    )),
    "read_batch": Function(512, 15, (
        Route(
            "GET /v1/batches/{id}", "read_batch", "Orders", "Read how far a batch has come",
            "What became of each of its orders. Finished when nothing more is to be expected of any.",
            scope="orders:read", answers={200: Response("The batch.", "batches.BatchResource")},
        ),
    )),
    "read_orders": Function(512, 10, (
        Route(
            "GET /v1/orders", "list_orders", "Orders", "List orders",
            "Newest first. A list may lag a second behind.",
            scope="orders:read", query="orders",
            answers={200: Response("A page of orders.", "orders.OrderList")},
        ),
        Route(
            "GET /v1/orders/{id}", "read_order", "Orders", "Read an order", "The order as it stands now.",
            scope="orders:read", answers=_ORDER,
        ),
        Route(
            "GET /v1/orders/{id}/events", "list_order_events", "Orders", "Read an order's audit trail",
            "Everything that happened to the order, oldest first.",
            scope="orders:read", answers={200: Response("The trail.", "orders.EventList")},
        ),
        Route(
            "GET /v1/orders/{id}/tracking", "list_order_trackings", "Orders", "Follow an order's parcels",
            "The timelines of all parcels, in parcel order.",
            scope="orders:read", answers={200: Response("The timelines.", "trackings.TrackingList")},
        ),
    )),
    "get_label": Function(512, 20, (
        Route(
            "GET /v1/orders/{id}/label", "get_label", "Orders", "Get an order's label",
            "Links that last at most 15 minutes. Name the label's own media type in Accept "
            "(application/pdf, image/jpeg, image/png, application/zpl) to be redirected to the document "
            "itself.",
            scope="orders:read",
            answers={
                200: Response("The label.", "labels.LabelResource"),
                202: Response("It is being made.", "labels.PendingLabel", ("Retry-After",)),
                302: Response("The document, when its media type was asked for.", headers=("Location",)),
            },
            problems=(406, 409),
        ),
    )),
    "cancel_order": Function(1024, 25, (
        Route(
            "POST /v1/orders/{id}/cancel", "cancel_order", "Orders", "Cancel an order",
            "Voids the order with the carrier and asks for the money back. May be repeated.",
            scope="orders:write",
            answers={
                200: Response("Cancelled, now or before.", "orders.OrderResource"),
                202: Response("On its way.", "orders.OrderResource", _TAKEN),
            },
        ),
    )),
    "change_order": Function(1024, 25, (
        Route(
            "PATCH /v1/orders/{id}", "change_order", "Orders", "Change an order",
            "A JSON merge patch (RFC 7396) of ship_to, parcels, customs, options or metadata. The result "
            "is checked like a new order and told to the carrier, where it lets orders change; the label "
            "is then fetched anew. Metadata are ours alone and can change at any time.",
            scope="orders:write", body="forms.AmendmentInput", answers=_ORDER, problems=(503,),
        ),
    )),
    "hold_order": Function(1024, 25, (
        Route(
            "POST /v1/orders/{id}/hold", "hold_order", "Orders", "Hold an order",
            "Asks the carrier to keep the order back, where it does that. May be repeated.",
            scope="orders:write",
            answers={200: Response("The order; the carrier holds it.", "orders.OrderResource")},
            problems=(503,),
        ),
    )),
    "close_manifest": Function(1024, 28, (
        Route(
            "POST /v1/manifests", "close_manifest", "Orders", "Close orders",
            "Closes orders of one account with their carrier before they are handed over, each for itself. "
            "A closed order cannot change any more. May be repeated.",
            scope="orders:write", body="forms.ManifestInput",
            answers={201: Response("What became of each order.", "orders.ManifestResource")},
            problems=(503,),
        ),
    )),
    "validate_address": Function(1024, 25, (
        Route(
            "POST /v1/addresses/validate", "validate_address", "Addresses", "Check an address",
            "Our own field checks and the carrier's limits first, then the carrier's own check where it "
            "has one.",
            scope="orders:write", body="forms.AddressCheckInput",
            answers={200: Response("What was found.", "catalogue.AddressCheckResource")}, problems=(503,),
        ),
    )),
    "quote_rates": Function(1024, 25, (
        Route(
            "POST /v1/rates", "quote_rates", "Rates", "Preview the price",
            "Takes an order's body and creates nothing.",
            scope="orders:write", body="orders.OrderInput",
            answers={200: Response("The prices.", "catalogue.RateList")}, problems=(503,),
        ),
    )),
    "follow_parcels": Function(1024, 28, (
        Route(
            "POST /v1/trackings", "follow_parcels", "Trackings", "Follow parcels",
            f"One parcel, or a list of up to {MOST_PARCELS}, of whatever courier the account's aggregator "
            "knows. A parcel that is followed already is given as it is. A list is 201 when all are "
            "followed; 207 with each one's own status when some are not.",
            scope="trackings:write", body="trackings.FollowingInput", lists="also",
            answers={
                200: Response("It was followed already.", "trackings.TrackingResource"),
                201: Response("Followed.", "trackings.TrackingResource", several="trackings.TrackingList"),
                **_EACH,
            },
            problems=(503,),
        ),
    )),
    "read_trackings": Function(512, 10, (
        Route(
            "GET /v1/trackings", "list_trackings", "Trackings", "List trackings",
            "Newest first, those of orders among them. A list may lag a second behind.",
            scope="trackings:read", query="trackings",
            answers={200: Response("A page of trackings.", "trackings.TrackingPage")},
        ),
        Route(
            "GET /v1/trackings/{id}", "read_tracking", "Trackings", "Read a tracking",
            "A parcel with its whole timeline, oldest first.",
            scope="trackings:read", answers=_TRACKING,
        ),
    )),
    "change_trackings": Function(1024, 28, (
        Route(
            "PATCH /v1/trackings/{id}", "change_tracking", "Trackings", "Change a tracking",
            "What is absent stays; null takes a thing back. Another `carrier_code` corrects the courier: "
            "what the wrong one told is dropped, and the right one asked. Courier and destination of an "
            "order's parcel are the order's. `paused: false` resumes such a parcel; any other cannot be "
            "resumed, but forgotten and followed anew.",
            scope="trackings:write", body="trackings.TrackingPatch", answers=_TRACKING, problems=(503,),
        ),
        Route(
            "DELETE /v1/trackings/{id}", "forget_tracking", "Trackings", "Follow a parcel no more",
            "It is forgotten, here and with the aggregator. Parcels of orders stay with their orders.",
            scope="trackings:write", answers={204: Response("Forgotten.")}, problems=(409, 422, 503),
        ),
        Route(
            "POST /v1/trackings/{id}/pause", "pause_tracking", "Trackings", "Pause a tracking",
            "Nobody asks about the parcel any more; what is known of it stays. May be repeated.",
            scope="trackings:write", answers=_TRACKING, problems=(503,),
        ),
        Route(
            "POST /v1/trackings/{id}/refresh", "refresh_tracking", "Trackings", "Ask about a parcel now",
            "Has the carrier asked in a moment, whatever the plan; read the tracking for what came of it. "
            "A paused parcel is asked about once, and stays paused. With `realtime` the aggregator asks "
            "the courier itself while you wait: once in two hours for each parcel, else 429.",
            scope="trackings:write", body="trackings.RefreshInput",
            answers={202: Response("The tracking as it is known now.", "trackings.TrackingResource")},
            problems=(503,),
        ),
        Route(
            "POST /v1/trackings/update", "change_trackings", "Trackings", "Change several trackings",
            f"Up to {MOST_PARCELS}, each for itself, like one; `id` says which.",
            scope="trackings:write", body="trackings.TrackingChange", lists="only", answers=_EACH,
            problems=(503,),
        ),
        Route(
            "POST /v1/trackings/delete", "forget_trackings", "Trackings", "Follow several parcels no more",
            f"Up to {MOST_PARCELS}, each for itself, like one. An entry may be a bare id.",
            scope="trackings:write", body="trackings.TrackingName", lists="only", answers=_EACH,
            problems=(503,),
        ),
    )),
    "ask_aggregator": Function(1024, 25, (
        Route(
            "POST /v1/trackings/transit-times", "read_transit_times", "Trackings",
            "Ask how long parcels take",
            "Of the parcels of a courier on a route: how many were delivered within which time.",
            scope="trackings:read", body="trackings.RouteInput",
            answers={200: Response("The times.", "aggregator.TransitTimesResource")}, problems=(503,),
        ),
        Route(
            "POST /v1/trackings/remote-areas", "read_remote_areas", "Trackings",
            "Ask which places are remote",
            f"Up to {MOST_PARCELS} places, for the couriers that charge more for what they call remote.",
            scope="trackings:read", body="trackings.AreaInput", lists="only",
            query="account",
            answers={200: Response("What is known of them.", "aggregator.RemoteAreas")}, problems=(503,),
        ),
        Route(
            "POST /v1/trackings/detect", "detect_courier", "Trackings", "Ask whose a number is",
            "The couriers that such a number may belong to, the likeliest first.",
            scope="trackings:read", body="trackings.NumberInput",
            answers={200: Response("The couriers.", "aggregator.CourierList")}, problems=(503,),
        ),
        Route(
            "GET /v1/trackings/air-cargo/{awb}", "read_air_cargo", "Trackings", "Follow an air waybill",
            "Its journey, as the aggregator tells it.",
            scope="trackings:read", query="account",
            answers={200: Response("The journey.", "aggregator.AggregatorWords")}, problems=(503,),
        ),
        Route(
            "GET /v1/trackings/usage", "read_usage", "Trackings", "Read the account's quota",
            "What is left of what the aggregator's account may ask.",
            scope="trackings:read", query="account",
            answers={200: Response("The quota.", "aggregator.AggregatorWords")}, problems=(503,),
        ),
        Route(
            "GET /v1/trackings/summary", "read_summary", "Trackings", "Count parcels by status",
            "How many of the parcels that the aggregator's account follows stand how.",
            scope="trackings:read", query="account",
            answers={200: Response("The counts.", "aggregator.TrackingCounts")}, problems=(503,),
        ),
    )),
    "list_services": Function(512, 25, (
        Route(
            "GET /v1/carriers/{carrier}/services", "list_services", "Carriers", "List a carrier's services",
            "The codes that `service` takes: from the account's own catalogue where the carrier has one.",
            query="account",
            answers={200: Response("The services.", "catalogue.ServiceList")}, problems=(404, 503),
        ),
    )),
    "describe_service": Function(512, 10, (
        Route(
            "GET /v1/carriers", "list_carriers", "Carriers", "List the carriers",
            "What each carrier here can do, and how sure we are of each call: documented, public or assumed.",
            answers={200: Response("The carriers.", "catalogue.CarrierList")},
        ),
        Route(
            "GET /v1/health", "read_health", "Service", "Ask for a sign of life",
            "Says that the API answers, and which version it is.",
            open=True, throttle="open", answers={200: Response("It lives.", "catalogue.Health")},
        ),
        Route(
            "GET /v1/openapi.json", "read_description", "Service", "Read this description",
            "This OpenAPI document.",
            open=True, throttle="open", answers={200: Response("The document.", media="application/json")},
        ),
        Route(
            "GET /docs", "read_docs", "Service", "Read the documentation",
            "The documentation, for people.",
            open=True, throttle="open", answers=_PAGE,
        ),
        Route(
            "GET /problems/{code}", "read_problem", "Service", "Read what a problem means",
            "What a problem's code means and what to do about it; every problem's `type` leads here.",
            open=True, throttle="open", answers=_PAGE, problems=(404,),
        ),
    )),
    "ingest_webhook": Function(512, 10, (
        # Its callers are the carriers, and each has a document of its own for it.
        Route(
            "POST /webhooks/{carrier}/{account}/{token}", "ingest_webhook", open=True, throttle="webhook"
        ),
    )),
}  # fmt: skip
"""Every function that the gateway calls, by the name of its folder."""

ROUTES: Mapping[str, Route] = {
    route.key: route for function in FUNCTIONS.values() for route in function.routes
}
"""Every route, by its key."""


def function_of(key: str) -> str:
    """The folder of the function that answers a route."""
    return next(name for name, each in FUNCTIONS.items() if any(route.key == key for route in each.routes))
