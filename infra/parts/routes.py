"""The routes of the API: which function answers each, and which are open to those without a key."""

from collections.abc import Sequence
from typing import NamedTuple


class Route(NamedTuple):
    """One route: who serves it, and whether it is open to those without a key."""

    key: str
    function: str
    open: bool = False


ROUTES: Sequence[Route] = (
    Route("POST /v1/orders", "create_order"),
    Route("POST /v1/orders/batch", "create_batch"),
    Route("GET /v1/batches/{id}", "read_batch"),
    Route("GET /v1/orders", "read_orders"),
    Route("GET /v1/orders/{id}", "read_orders"),
    Route("GET /v1/orders/{id}/events", "read_orders"),
    Route("GET /v1/orders/{id}/tracking", "read_orders"),
    Route("GET /v1/orders/{id}/label", "get_label"),
    Route("POST /v1/orders/{id}/cancel", "cancel_order"),
    Route("PATCH /v1/orders/{id}", "change_order"),
    Route("POST /v1/orders/{id}/hold", "hold_order"),
    Route("POST /v1/manifests", "close_manifest"),
    Route("POST /v1/addresses/validate", "validate_address"),
    Route("POST /v1/rates", "quote_rates"),
    Route("POST /v1/trackings", "follow_parcels"),
    Route("GET /v1/trackings", "read_trackings"),
    Route("GET /v1/trackings/{id}", "read_trackings"),
    Route("PATCH /v1/trackings/{id}", "change_trackings"),
    Route("DELETE /v1/trackings/{id}", "change_trackings"),
    Route("POST /v1/trackings/{id}/pause", "change_trackings"),
    Route("POST /v1/trackings/{id}/refresh", "change_trackings"),
    Route("POST /v1/trackings/update", "change_trackings"),
    Route("POST /v1/trackings/delete", "change_trackings"),
    Route("POST /v1/trackings/transit-times", "ask_aggregator"),
    Route("POST /v1/trackings/remote-areas", "ask_aggregator"),
    Route("POST /v1/trackings/detect", "ask_aggregator"),
    Route("GET /v1/trackings/air-cargo/{awb}", "ask_aggregator"),
    Route("GET /v1/trackings/usage", "ask_aggregator"),
    Route("GET /v1/trackings/summary", "ask_aggregator"),
    Route("GET /v1/carriers", "describe_service"),
    Route("GET /v1/carriers/{carrier}/services", "list_services"),
    Route("GET /v1/health", "describe_service", open=True),
    Route("GET /v1/openapi.json", "describe_service", open=True),
    Route("GET /docs", "describe_service", open=True),
    Route("GET /problems/{code}", "describe_service", open=True),
    Route("POST /webhooks/{carrier}/{account}/{token}", "ingest_webhook", open=True),
)
