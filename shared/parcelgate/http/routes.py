"""The table of routes: all fixed facts of each endpoint, in one place.

It is read by the gateway's routes and the functions' sizes (`infra`), the OpenAPI document (`http.openapi`,
which takes its texts from `openapi.toml`), the check of keys and scopes (`http.api`), and the tests. Every
handler loads it, so models are named and not imported: `body` names a class of `http.requests`, and
`Response.model` a class of `http.resources`.

The function `functions/<name>/handler.py` answers the routes that are listed under its name. Each route is
answered by a Python function with the route's name.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import msgspec

MOST_PARCELS = 40
"""The largest number of parcels in one request, as in the aggregator's own list calls."""
MAX_BATCH_BYTES = 4 * 1024 * 1024
"""Bytes of a batch. Lambda takes 6 MB, and a body grows when it is put as a JSON string into the event."""


class Response(NamedTuple):
    """One successful answer of a route. Without `model` the body is empty, or of the type `media`.

    With both, it is one or the other, by the Accept header.
    """

    model: str | None = None
    headers: tuple[str, ...] = ()
    media: str | None = None
    several: str | None = None
    """The model of the answer to a list, if the body may be a list."""


class Route(msgspec.Struct, frozen=True):
    """One endpoint. `problems` has only the statuses that do not follow from the other fields."""

    key: str
    """Method and path, as the gateway names them: `GET /v1/orders/{id}`."""
    name: str
    """The name of the Python function that answers it. In camel case it names the OpenAPI operation."""
    tag: str = ""
    """The tag in the OpenAPI document. A route without a tag is not in the document."""
    answers: Mapping[int, Response] = {}
    """The successful answers, by status."""
    scope: str | None = None
    """The scope that the API key must have; None: any valid key."""
    either_scope: tuple[str, ...] = ()
    """In place of `scope`: scopes of which the API key must have one. What is shown depends on which."""
    open: bool = False
    """Whether it is answered without a key."""
    throttle: Literal["default", "open", "pages", "webhook"] = "default"
    """Which of the environment's rate limits it has."""
    body: str | None = None
    """The model of the request's body; None: a POST takes no body, or `{}`."""
    max_bytes: int = 256 * 1024
    """The largest body, in bytes."""
    media: str | None = None
    """The media type of a body that is not JSON."""
    lists: Literal["never", "also", "only"] = "never"
    """Whether the body may also be, or must be, a list of `body`."""
    query: (
        Literal["orders", "trackings", "account", "couriers", "events", "page", "stats", "language"] | None
    ) = None
    """Which parameters the query may have: a name in `http.requests.queries.PARAMETERS`."""
    problems: tuple[int, ...] = ()
    error_pages: bool = False
    """Whether people are shown its problems as pages."""

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
    def scopes(self) -> tuple[str, ...]:
        """The scopes of which the API key must have one; empty: any valid key."""
        return self.either_scope if self.scope is None else (self.scope,)

    @property
    def idempotent(self) -> bool:
        """Whether an Idempotency-Key is read. It is, for each POST and PATCH that needs a key."""
        return not self.open and self.method in ("POST", "PATCH")

    @property
    def statuses_of_problems(self) -> tuple[int, ...]:
        """Every status of a problem that this route may answer, including the gateway's own."""
        statuses = {429, *self.problems}
        statuses |= set() if self.open else {401, 500}
        statuses |= {403} if self.scopes else set()
        statuses |= {400, 409, 413, 415, 422} if self.idempotent else set()
        statuses |= {400, 413, 415, 422} if self.media or self.body else set()
        statuses |= {404} if "{id}" in self.path else set()
        statuses |= {422} if self.query and not self.open else set()
        return tuple(sorted(statuses))


class Function(NamedTuple):
    """A function that answers clients. Memory in MB (CPU follows it), time-out in seconds."""

    memory: int
    timeout: int
    routes: tuple[Route, ...]


_ORDER = {200: Response("orders.OrderResource")}
_TRACKING = {200: Response("trackings.TrackingResource")}
_RATE_CARD = {200: Response("catalogue.RateCardResource")}
_SETTINGS = {200: Response("settings.SettingsResource")}
_EACH = {207: Response("trackings.TrackingResults")}
_PAGE = {200: Response(media="text/html")}
_READS = ("orders:read", "trackings:read", "webhooks:manage")
_ENDPOINT = {200: Response("endpoints.EndpointResource")}
_DELIVERY = {202: Response("endpoints.DeliveryResource")}
_TAKEN = ("Location", "Retry-After")

FUNCTIONS: Mapping[str, Function] = {
    "create_order": Function(1024, 15, (
        Route(
            "POST /v1/orders", "create_order", "Orders", scope="orders:write", body="orders.OrderInput",
            answers={
                201: Response("orders.OrderResource", ("Location",)),
                202: Response("orders.OrderResource", _TAKEN),
            },
        ),
    )),
    "create_batch": Function(1024, 25, (
        Route(
            "POST /v1/orders/batch", "create_batch", "Orders", scope="orders:write",
            body="forms.BatchInput", max_bytes=MAX_BATCH_BYTES,
            answers={
                200: Response("batches.CheckedBatchResource"),
                202: Response("batches.TakenBatch", _TAKEN),
            },
        ),
    )),
    "read_batch": Function(512, 15, (
        Route(
            "GET /v1/batches/{id}", "read_batch", "Orders", scope="orders:read",
            answers={200: Response("batches.BatchResource")},
        ),
    )),
    "read_orders": Function(512, 10, (
        Route(
            "GET /v1/orders", "list_orders", "Orders", scope="orders:read", query="orders",
            answers={200: Response("orders.OrderList")},
        ),
        Route("GET /v1/orders/{id}", "read_order", "Orders", scope="orders:read", answers=_ORDER),
        Route(
            "GET /v1/orders/{id}/events", "list_order_events", "Orders", scope="orders:read",
            answers={200: Response("orders.EventList")},
        ),
        Route(
            "GET /v1/orders/{id}/tracking", "list_order_trackings", "Orders", scope="orders:read",
            answers={200: Response("trackings.TrackingList")},
        ),
        Route(
            "GET /v1/manifests/{id}", "read_manifest", "Orders", scope="orders:read",
            answers={200: Response("orders.ManifestResource")},
        ),
    )),
    "get_label": Function(512, 20, (
        Route(
            "GET /v1/orders/{id}/label", "get_label", "Orders", scope="orders:read",
            answers={
                200: Response("labels.LabelResource"),
                202: Response("labels.PendingLabel", ("Retry-After",)),
                302: Response(headers=("Location",)),
            },
            problems=(406, 409),
        ),
    )),
    "serve_label_documents": Function(1024, 15, (
        Route(
            "POST /v1/label-documents", "create_label_document", "Orders", scope="orders:read",
            body="label_documents.LabelDocumentInput",
            answers={202: Response("labels.TakenLabelDocument", _TAKEN)},
        ),
        Route(
            "GET /v1/label-documents/{id}", "read_label_document", "Orders", scope="orders:read",
            answers={200: Response("labels.LabelDocumentResource")},
        ),
    )),
    "cancel_order": Function(1024, 25, (
        Route(
            "POST /v1/orders/{id}/cancel", "cancel_order", "Orders", scope="orders:write",
            answers={200: Response("orders.OrderResource"), 202: Response("orders.OrderResource", _TAKEN)},
        ),
    )),
    "change_order": Function(1024, 25, (
        Route(
            "PATCH /v1/orders/{id}", "change_order", "Orders", scope="orders:write",
            body="forms.AmendmentInput", answers=_ORDER, problems=(503,),
        ),
        Route(
            "POST /v1/orders/{id}/hold", "hold_order", "Orders", scope="orders:write",
            answers={200: Response("orders.OrderResource")}, problems=(503,),
        ),
        Route(
            "POST /v1/orders/{id}/return", "return_order", "Orders", scope="orders:write",
            answers={200: Response("orders.OrderResource")}, problems=(503,),
        ),
    )),
    "close_manifest": Function(1024, 28, (
        Route(
            "POST /v1/manifests", "close_manifest", "Orders", scope="orders:write",
            body="forms.ManifestInput", answers={201: Response("orders.ManifestResource")},
            problems=(503,),
        ),
    )),
    "validate_address": Function(1024, 25, (
        Route(
            "POST /v1/addresses/validate", "validate_address", "Addresses", scope="orders:write",
            body="forms.AddressCheckInput", answers={200: Response("catalogue.AddressCheckResource")},
            problems=(503,),
        ),
    )),
    "quote_rates": Function(1024, 28, (
        Route(
            "POST /v1/rates", "quote_rates", "Rates", scope="orders:write", body="forms.RatesInput",
            answers={200: Response("catalogue.RateList")}, problems=(503,),
        ),
    )),
    "manage_rate_cards": Function(512, 15, (
        Route(
            "PUT /v1/carrier-accounts/{carrier}/{account}/rate-card", "put_rate_card", "Rates",
            scope="operator", media="text/csv", answers=_RATE_CARD, problems=(404,),
        ),
        Route(
            "GET /v1/carrier-accounts/{carrier}/{account}/rate-card", "read_rate_card", "Rates",
            scope="operator", answers=_RATE_CARD, problems=(404,),
        ),
        Route(
            "DELETE /v1/carrier-accounts/{carrier}/{account}/rate-card", "delete_rate_card", "Rates",
            scope="operator", answers={204: Response()}, problems=(404,),
        ),
    )),
    "operate": Function(512, 25, (
        Route(
            "GET /v1/attention", "list_attention", "Operator", scope="operator", query="page",
            answers={200: Response("operator.AttentionPage")},
        ),
        Route(
            "POST /v1/orders/{id}/resolve", "resolve_order", "Operator", scope="operator",
            body="operator.ResolveInput", answers=_ORDER,
        ),
        Route(
            "GET /v1/inbox", "list_inbox", "Operator", scope="operator", query="page",
            answers={200: Response("operator.InboxPage")},
        ),
        Route(
            "GET /v1/inbox/{id}", "read_inbox", "Operator", scope="operator",
            answers={200: Response("operator.WebhookResource")},
        ),
        Route(
            "POST /v1/inbox/{id}/replay", "replay_inbox", "Operator", scope="operator",
            answers={202: Response("operator.WebhookResource")},
        ),
        Route(
            "POST /v1/inbox/{id}/dismiss", "dismiss_inbox", "Operator", scope="operator",
            body="operator.DismissInput", answers={200: Response("operator.WebhookResource")},
        ),
        Route(
            "GET /v1/dead-letters", "list_dead_letters", "Operator", scope="operator",
            answers={200: Response("operator.DeadLetterList")},
        ),
        Route(
            "POST /v1/dead-letters/{queue}/redrive", "redrive_dead_letters", "Operator", scope="operator",
            answers={202: Response("operator.RedriveResource")}, problems=(404,),
        ),
        Route(
            "GET /v1/stats", "read_stats", "Operator", scope="operator", query="stats",
            answers={200: Response("stats.StatsResource")},
        ),
    )),
    "erase_order": Function(512, 25, (
        Route(
            "POST /v1/orders/{id}/erase", "erase_order", "Operator", scope="operator",
            body="operator.EraseInput", answers=_ORDER,
        ),
    )),
    "check_accounts": Function(1024, 25, (
        Route(
            "GET /v1/carrier-accounts", "list_accounts", "Operator", scope="operator",
            answers={200: Response("accounts.AccountList")},
        ),
        Route(
            "POST /v1/carrier-accounts/{carrier}/{account}/check", "check_account", "Operator",
            scope="operator", answers={200: Response("accounts.CarrierAccountResource")}, problems=(404,),
        ),
        Route(
            "POST /v1/carrier-accounts/{carrier}/{account}/pause", "pause_account", "Operator",
            scope="operator", body="operator.PauseInput",
            answers={200: Response("accounts.CarrierAccountResource")}, problems=(404,),
        ),
        Route(
            "POST /v1/carrier-accounts/{carrier}/{account}/resume", "resume_account", "Operator",
            scope="operator", answers={200: Response("accounts.CarrierAccountResource")}, problems=(404,),
        ),
    )),
    "manage_settings": Function(512, 10, (
        Route("GET /v1/settings", "read_settings", "Settings", scope="settings:manage", answers=_SETTINGS),
        Route(
            "PUT /v1/settings", "put_settings", "Settings", scope="settings:manage",
            body="settings.SettingsInput", answers=_SETTINGS,
        ),
    )),
    "follow_parcels": Function(1024, 28, (
        Route(
            "POST /v1/trackings", "follow_parcels", "Trackings", scope="trackings:write",
            body="trackings.SubscriptionInput", lists="also",
            answers={
                200: Response("trackings.TrackingResource"),
                201: Response("trackings.TrackingResource", several="trackings.TrackingList"),
                **_EACH,
            },
            problems=(503,),
        ),
    )),
    "read_trackings": Function(512, 10, (
        Route(
            "GET /v1/trackings", "list_trackings", "Trackings", scope="trackings:read", query="trackings",
            answers={200: Response("trackings.TrackingsPage")},
        ),
        Route(
            "GET /v1/trackings/{id}", "read_tracking", "Trackings", scope="trackings:read",
            answers=_TRACKING,
        ),
    )),
    "change_trackings": Function(1024, 28, (
        Route(
            "PATCH /v1/trackings/{id}", "change_tracking", "Trackings", scope="trackings:write",
            body="trackings.TrackingPatch", answers=_TRACKING, problems=(503,),
        ),
        Route(
            "DELETE /v1/trackings/{id}", "forget_tracking", "Trackings", scope="trackings:write",
            answers={204: Response()}, problems=(409, 422, 503),
        ),
        Route(
            "POST /v1/trackings/{id}/pause", "pause_tracking", "Trackings", scope="trackings:write",
            answers=_TRACKING, problems=(503,),
        ),
        Route(
            "POST /v1/trackings/{id}/refresh", "refresh_tracking", "Trackings", scope="trackings:write",
            body="trackings.RefreshInput", answers={202: Response("trackings.TrackingResource")},
            problems=(503,),
        ),
        Route(
            "POST /v1/trackings/update", "change_trackings", "Trackings", scope="trackings:write",
            body="trackings.TrackingChange", lists="only", answers=_EACH, problems=(503,),
        ),
        Route(
            "POST /v1/trackings/delete", "forget_trackings", "Trackings", scope="trackings:write",
            body="trackings.TrackingName", lists="only", answers=_EACH, problems=(503,),
        ),
    )),
    "ask_aggregator": Function(1024, 25, (
        Route(
            "POST /v1/trackings/transit-times", "read_transit_times", "Trackings", scope="trackings:read",
            body="trackings.RouteInput", answers={200: Response("aggregator.TransitTimesResource")},
            problems=(503,),
        ),
        Route(
            "POST /v1/trackings/remote-areas", "read_remote_areas", "Trackings", scope="trackings:read",
            body="trackings.AreaInput", lists="only", query="account",
            answers={200: Response("aggregator.RemoteAreas")}, problems=(503,),
        ),
        Route(
            "POST /v1/trackings/detect", "detect_courier", "Trackings", scope="trackings:read",
            body="trackings.NumberInput", answers={200: Response("aggregator.CourierList")},
            problems=(503,),
        ),
        Route(
            "GET /v1/couriers", "list_couriers", "Trackings", scope="trackings:read", query="couriers",
            answers={200: Response("aggregator.CourierList")}, problems=(503,),
        ),
        Route(
            "GET /v1/trackings/air-cargo/{awb}", "read_air_cargo", "Trackings", scope="trackings:read",
            query="account", answers={200: Response("aggregator.AggregatorWords")}, problems=(503,),
        ),
        Route(
            "GET /v1/trackings/usage", "read_usage", "Trackings", scope="trackings:read", query="account",
            answers={200: Response("aggregator.AggregatorWords")}, problems=(503,),
        ),
        Route(
            "GET /v1/trackings/summary", "read_summary", "Trackings", scope="trackings:read",
            query="account", answers={200: Response("aggregator.TrackingCounts")}, problems=(503,),
        ),
    )),
    "read_events": Function(512, 10, (
        Route(
            "GET /v1/events", "list_events", "Events", either_scope=_READS, query="events",
            answers={200: Response("events.MerchantEventList")},
        ),
        Route(
            "GET /v1/events/{id}", "read_event", "Events", either_scope=_READS,
            answers={200: Response("events.MerchantEvent")},
        ),
    )),
    "manage_endpoints": Function(512, 15, (
        Route(
            "POST /v1/webhook-endpoints", "create_endpoint", "Webhooks", scope="webhooks:manage",
            body="endpoints.EndpointInput",
            answers={201: Response("endpoints.NewSecretResource", ("Location",))},
        ),
        Route(
            "GET /v1/webhook-endpoints", "list_endpoints", "Webhooks", scope="webhooks:manage",
            answers={200: Response("endpoints.EndpointList")},
        ),
        Route(
            "GET /v1/webhook-endpoints/{id}", "read_endpoint_by_id", "Webhooks", scope="webhooks:manage",
            answers=_ENDPOINT,
        ),
        Route(
            "PATCH /v1/webhook-endpoints/{id}", "change_endpoint", "Webhooks", scope="webhooks:manage",
            body="endpoints.EndpointPatch", answers=_ENDPOINT,
        ),
        Route(
            "DELETE /v1/webhook-endpoints/{id}", "delete_endpoint", "Webhooks", scope="webhooks:manage",
            answers={204: Response()},
        ),
        Route(
            "POST /v1/webhook-endpoints/{id}/rotate-secret", "rotate_secret", "Webhooks",
            scope="webhooks:manage", answers={200: Response("endpoints.NewSecretResource")},
        ),
        Route(
            "POST /v1/webhook-endpoints/{id}/test", "test_endpoint", "Webhooks", scope="webhooks:manage",
            answers=_DELIVERY,
        ),
        Route(
            "GET /v1/webhook-endpoints/{id}/deliveries", "list_deliveries", "Webhooks",
            scope="webhooks:manage", query="page", answers={200: Response("endpoints.DeliveryPage")},
        ),
        Route(
            "POST /v1/webhook-deliveries/{id}/replay", "replay_delivery", "Webhooks",
            scope="webhooks:manage", answers=_DELIVERY,
        ),
    )),
    "list_services": Function(512, 25, (
        Route(
            "GET /v1/carriers/{carrier}/services", "list_services", "Carriers", query="account",
            answers={200: Response("catalogue.ServiceList")}, problems=(404, 503),
        ),
    )),
    "show_tracking_page": Function(512, 10, (
        Route(
            "GET /track/{token}", "show_tracking_page", "Recipients", open=True, throttle="open",
            query="language", problems=(404, 500), error_pages=True,
            answers={200: Response("tracking_pages.RecipientPageResource", media="text/html")},
        ),
        Route("HEAD /track/{token}", "peek_at_tracking_page", open=True, throttle="open"),
    )),
    "describe_service": Function(512, 10, (
        Route(
            "GET /v1/carriers", "list_carriers", "Carriers",
            answers={200: Response("catalogue.CarrierList")},
        ),
        Route(
            "GET /v1/health", "read_health", "Service", open=True, throttle="open",
            answers={200: Response("catalogue.Health")},
        ),
        Route(
            "GET /v1/openapi.json", "read_description", "Service", open=True, throttle="open",
            answers={200: Response(media="application/json")},
        ),
        Route(
            "GET /problems/{code}", "read_problem", "Service", open=True, throttle="open", answers=_PAGE,
            problems=(404,),
        ),
    )),
    "serve_pages": Function(512, 10, (
        # For people: they are no part of the API that the document describes.
        Route("GET /console", "show_console", open=True, throttle="pages"),
        Route("GET /console/{path+}", "send_console_file", open=True, throttle="pages"),
        Route("GET /docs", "show_reference", open=True, throttle="pages"),
        Route("GET /docs/{path+}", "send_docs_file", open=True, throttle="pages"),
    )),
    "ingest_webhook": Function(512, 10, (
        # Only carriers call it, and each carrier has its own format.
        Route("POST /webhooks/{carrier}/{account}/{token}", "ingest_webhook", open=True, throttle="webhook"),
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
