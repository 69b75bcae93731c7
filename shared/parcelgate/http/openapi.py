"""The OpenAPI document of everything that is served, made from the very types that serve it.

It is written once, when the functions are bundled (`python -m parcelgate.http.openapi openapi.json`), and
served as a file: whoever serves it needs none of what it is made from.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import models_json_schema

import parcelgate
from parcelgate.carriers import registry
from parcelgate.carriers.results import Rate
from parcelgate.domain.batches import MOST_ORDERS, Batch, BatchLine, CheckedEntry, progress
from parcelgate.domain.measures import Money
from parcelgate.domain.orders import Actor, Charge, Order, OrderEvent, OrderStatus
from parcelgate.domain.problems import CODES, FieldError, Problem
from parcelgate.domain.trackings import TrackingStatus
from parcelgate.http import resources
from parcelgate.http.answers import Site, encode
from parcelgate.http.problems import ProblemResource, problem_resource
from parcelgate.http.requests.accept import DOCUMENTS
from parcelgate.http.requests.bodies import JSON, MERGE_PATCH
from parcelgate.http.requests.forms import AddressCheckInput, AmendmentInput, ManifestInput
from parcelgate.http.requests.orders import OrderInput, read_order
from parcelgate.http.requests.trackings import (
    AreaInput,
    FollowingInput,
    NumberInput,
    RefreshInput,
    RouteInput,
    TrackingChange,
    TrackingName,
    TrackingPatch,
)
from parcelgate.http.resources import order_resource
from parcelgate.services.trackings.subscriptions import MOST

type Json = dict[str, Any]

_REFERENCE = "#/components/schemas/{name}"
_SHOWN = (
    resources.OrderResource,
    resources.OrderList,
    resources.EventList,
    resources.TrackingList,
    resources.TrackingPage,
    resources.TrackingResults,
    resources.TransitTimesResource,
    resources.RemoteAreas,
    resources.Told,
    resources.TrackingCounts,
    resources.CourierList,
    resources.LabelResource,
    resources.PendingLabel,
    resources.TakenBatch,
    resources.CheckedBatchResource,
    resources.BatchResource,
    resources.RateList,
    resources.CarrierList,
    resources.ServiceList,
    resources.AddressCheckResource,
    resources.ManifestResource,
    resources.Health,
    ProblemResource,
)

_ABOUT = """\
One HTTPS API in front of many parcel carriers: create an order, get its label, follow its parcels.

Every call but the open ones wants `Authorization: Bearer pg_<key id>_<secret>`; a key has scopes, and each \
call names the one it needs. What the gateway itself answers (no key, unknown route, throttling) has a small \
body of its own, {"message": "..."}; everything behind it answers problem documents (RFC 9457).

An Idempotency-Key on a POST makes it safe to send the same request again for 24 hours: the first answer is \
given again, with Idempotent-Replayed: true.

Money is a decimal string with a currency, measures are decimal numbers with a unit, times are RFC 3339 in \
UTC. Empty strings, nulls and empty lists count as absent; unknown names are refused."""

ORDER_EXAMPLE: Json = {
    "carrier": "lso",
    "service": "GroundBasic",
    "reference": "shop-1017",
    "ship_to": {
        "name": "Ada Byrd",
        "company": "Byrd Tools",
        "phone": "512-555-0142",
        "line1": "401 Congress Ave",
        "city": "Austin",
        "state": "TX",
        "postcode": "78701",
        "country": "US",
    },
    "parcels": [
        {
            "weight": {"value": 5.5, "unit": "lb"},
            "dimensions": {"length": 12, "width": 9.5, "height": 4, "unit": "in"},
        }
    ],
    "options": {"max_price": {"amount": "25.00", "currency": "USD"}},
    "metadata": {"channel": "web"},
}
PARCEL_EXAMPLE: Json = {
    "carrier_code": "china-ems",
    "tracking_number": "LK664578623CN",
    "title": "Two dresses",
    "customer": {"name": "Ada Byrd", "email": "ada@example.com"},
    "order_reference": "shop-1018",
}


class BatchInput(BaseModel):
    """Many orders. An entry that is no order spoils only itself."""

    model_config = ConfigDict(extra="forbid")
    orders: Annotated[list[OrderInput], Field(min_length=1, max_length=MOST_ORDERS)]
    validate_only: Annotated[
        bool | None, Field(description="Only check the orders: nothing is stored and nothing is bought.")
    ] = None


def document() -> Json:
    """Make the whole document."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Parcelgate", "version": parcelgate.__version__, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "tags": [
            {"name": "Orders", "description": "What is bought from a carrier."},
            {"name": "Addresses", "description": "Where it would go."},
            {"name": "Rates", "description": "What it would cost."},
            {"name": "Trackings", "description": "How parcels travel, whoever carries them."},
            {"name": "Carriers", "description": "Who carries, and what each can do."},
            {"name": "Service", "description": "This API itself; no key is needed."},
        ],
        "paths": _paths(),
        "components": {
            "schemas": _schemas(),
            "responses": {
                f"Problem{status}": _problem(status, codes) for status, codes in _by_status().items()
            },
            "parameters": {
                "OrderId": _parameter("id", "path", {"type": "string"}, "The order's id."),
                "TrackingId": _parameter("id", "path", {"type": "string"}, "The tracking's id."),
                "Account": _parameter(
                    "account", "query", {"type": "string"}, "Whose account is asked; default `default`."
                ),
                "IdempotencyKey": _idempotency_key(),
            },
            "headers": {
                "Location": _header("string", "Where the order or the tracking is to be found."),
                "RetryAfter": _header("integer", "Seconds to wait before the next try."),
                "IdempotentReplayed": _header(
                    "string", "`true` when this is the answer to an earlier request."
                ),
            },
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "pg_<key id>_<secret>",
                    "description": "An API key. It belongs to one tenant and carries scopes.",
                }
            },
        },
    }


def _paths() -> Json:
    order = example()
    ready = _answer("The order.", resources.OrderResource, order)
    return {
        "/v1/orders": {
            "post": _operation(
                "createOrder",
                "Orders",
                "Create an order",
                "Checks the order whole, stores it, and has it sent to the carrier. Nothing is stored of an "
                "order that is refused here; one that the carrier refuses is answered with 422 and its id. "
                "Read an order that was taken, or its label, for what became of it.",
                scope="orders:write",
                body=(OrderInput, ORDER_EXAMPLE),
                answers={
                    "201": _answer("Confirmed by the carrier.", resources.OrderResource)
                    | {"headers": {"Location": {"$ref": "#/components/headers/Location"}}},
                    "202": _answer("Taken; the carrier decides later.", resources.OrderResource, order),
                },
                located=("202",),
                problems=(400, 401, 403, 409, 413, 415, 422, 429, 500),
            ),
            "get": _operation(
                "listOrders",
                "Orders",
                "List orders",
                "Newest first. A list may lag a second behind.",
                scope="orders:read",
                parameters=_filters(),
                answers={"200": _answer("A page of orders.", resources.OrderList)},
                problems=(401, 403, 422, 429, 500),
            ),
        },
        "/v1/orders/{id}": {
            "get": _operation(
                "readOrder",
                "Orders",
                "Read an order",
                "The order as it stands now.",
                scope="orders:read",
                parameters=[_ORDER_ID],
                answers={"200": ready},
                problems=(401, 403, 404, 429, 500),
            ),
            "patch": _operation(
                "changeOrder",
                "Orders",
                "Change an order",
                "A JSON merge patch (RFC 7396) of ship_to, parcels, customs, options or metadata. The result "
                "is checked like a new order and told to the carrier, where it lets orders change; the label "
                "is then fetched anew. Metadata are ours alone and can change at any time.",
                scope="orders:write",
                parameters=[_ORDER_ID],
                body=(AmendmentInput, {"ship_to": {"line2": "Suite 12"}, "metadata": {"channel": None}}),
                patch=True,
                answers={"200": ready},
                problems=(400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 503),
            ),
        },
        "/v1/orders/{id}/events": {
            "get": _operation(
                "listOrderEvents",
                "Orders",
                "Read an order's audit trail",
                "Everything that happened to the order, oldest first.",
                scope="orders:read",
                parameters=[_ORDER_ID],
                answers={"200": _answer("The trail.", resources.EventList, _events())},
                problems=(401, 403, 404, 429, 500),
            )
        },
        "/v1/orders/{id}/tracking": {
            "get": _operation(
                "listOrderTrackings",
                "Orders",
                "Follow an order's parcels",
                "The timelines of all parcels, in parcel order.",
                scope="orders:read",
                parameters=[_ORDER_ID],
                answers={"200": _answer("The timelines.", resources.TrackingList)},
                problems=(401, 403, 404, 429, 500),
            )
        },
        "/v1/orders/{id}/label": {
            "get": _operation(
                "getLabel",
                "Orders",
                "Get an order's label",
                "Links that last at most 15 minutes. Name the label's own media type in Accept "
                f"({', '.join(DOCUMENTS.values())}) to be redirected to the document itself.",
                scope="orders:read",
                parameters=[_ORDER_ID],
                answers={
                    "200": _answer("The label.", resources.LabelResource),
                    "202": _answer("It is being made.", resources.PendingLabel, {"status": "pending"})
                    | {"headers": {"Retry-After": _RETRY_AFTER}},
                    "302": {
                        "description": "The document, when its media type was asked for.",
                        "headers": {"Location": _header("string", "A link to the document.")},
                    },
                },
                problems=(401, 403, 404, 406, 409, 429, 500),
            )
        },
        "/v1/orders/{id}/cancel": {
            "post": _operation(
                "cancelOrder",
                "Orders",
                "Cancel an order",
                "Voids the order with the carrier and asks for the money back. May be repeated.",
                scope="orders:write",
                parameters=[_ORDER_ID],
                answers={
                    "200": _answer("Cancelled, now or before.", resources.OrderResource),
                    "202": _answer("On its way.", resources.OrderResource),
                },
                located=("202",),
                idempotent=True,
                problems=(400, 401, 403, 404, 409, 413, 415, 422, 429, 500),
            )
        },
        "/v1/orders/batch": {
            "post": _operation(
                "createBatch",
                "Orders",
                "Create many orders at once",
                f"Takes up to {MOST_ORDERS} orders, 5 MiB in all. Each is checked, stored and sent for "
                "itself, and one that is wrong spoils no other. Ask the batch how far it has come. With "
                "`validate_only` the orders are only checked, and the answer says what is wrong with each.",
                scope="orders:write",
                body=(BatchInput, {"orders": [ORDER_EXAMPLE]}),
                answers={
                    "200": _answer(
                        "Checked only: nothing was bought.", resources.CheckedBatchResource, _checked_batch()
                    ),
                    "202": _answer(
                        "Taken.", resources.TakenBatch, {"id": "bat_01KAJ2W3X4Y5Z6A7B8C9D0E1F3", "total": 1}
                    ),
                },
                located=("202",),
                problems=(400, 401, 403, 409, 413, 415, 422, 429, 500),
            )
        },
        "/v1/batches/{id}": {
            "get": _operation(
                "readBatch",
                "Orders",
                "Read how far a batch has come",
                "What became of each of its orders. Finished when nothing more is to be expected of any.",
                scope="orders:read",
                parameters=[_parameter("id", "path", {"type": "string"}, "The batch's id.")],
                answers={"200": _answer("The batch.", resources.BatchResource, _batch())},
                problems=(401, 403, 404, 429, 500),
            )
        },
        "/v1/orders/{id}/hold": {
            "post": _operation(
                "holdOrder",
                "Orders",
                "Hold an order",
                "Asks the carrier to keep the order back, where it does that. May be repeated.",
                scope="orders:write",
                parameters=[_ORDER_ID],
                answers={"200": _answer("The order; the carrier holds it.", resources.OrderResource)},
                idempotent=True,
                problems=(400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 503),
            )
        },
        "/v1/manifests": {
            "post": _operation(
                "closeManifest",
                "Orders",
                "Close orders",
                "Closes orders of one account with their carrier before they are handed over, each for "
                "itself. A closed order cannot change any more. May be repeated.",
                scope="orders:write",
                body=(ManifestInput, {"carrier": "ubi", "order_ids": [order["id"]]}),
                answers={"201": _answer("What became of each order.", resources.ManifestResource)},
                problems=(400, 401, 403, 409, 413, 415, 422, 429, 500, 503),
            )
        },
        "/v1/addresses/validate": {
            "post": _operation(
                "validateAddress",
                "Addresses",
                "Check an address",
                "Our own field checks and the carrier's limits first, then the carrier's own check where it "
                "has one.",
                scope="orders:write",
                body=(AddressCheckInput, {"carrier": "lso", "address": ORDER_EXAMPLE["ship_to"]}),
                answers={"200": _answer("What was found.", resources.AddressCheckResource)},
                problems=(400, 401, 403, 409, 413, 415, 422, 429, 500, 503),
            )
        },
        "/v1/rates": {
            "post": _operation(
                "quoteRates",
                "Rates",
                "Preview the price",
                "Takes an order's body and creates nothing.",
                scope="orders:write",
                body=(OrderInput, ORDER_EXAMPLE),
                answers={"200": _answer("The prices.", resources.RateList, _rates())},
                problems=(400, 401, 403, 409, 413, 415, 422, 429, 500, 503),
            )
        },
        **_tracking_paths(),
        "/v1/carriers": {
            "get": _operation(
                "listCarriers",
                "Carriers",
                "List the carriers",
                "What each carrier here can do, and how sure we are of each call: documented, public or "
                "assumed.",
                answers={"200": _answer("The carriers.", resources.CarrierList, _carriers())},
                problems=(401, 500),
            )
        },
        "/v1/carriers/{carrier}/services": {
            "get": _operation(
                "listServices",
                "Carriers",
                "List a carrier's services",
                "The codes that `service` takes: from the account's own catalogue where the carrier has one.",
                parameters=[
                    _parameter("carrier", "path", {"type": "string"}, "The carrier's code."),
                    _parameter("account", "query", {"type": "string"}, "Whose services; default `default`."),
                ],
                answers={"200": _answer("The services.", resources.ServiceList)},
                problems=(401, 404, 422, 429, 500, 503),
            )
        },
        "/v1/health": {
            "get": _operation(
                "readHealth",
                "Service",
                "Ask for a sign of life",
                "Says that the API answers, and which version it is.",
                open_to_all=True,
                answers={"200": _answer("It lives.", resources.Health)},
            )
        },
        "/v1/openapi.json": {
            "get": _operation(
                "readDescription",
                "Service",
                "Read this description",
                "This OpenAPI document.",
                open_to_all=True,
                answers={
                    "200": {
                        "description": "The document.",
                        "content": {"application/json": {"schema": {"type": "object"}}},
                    }
                },
            )
        },
        "/docs": {"get": _page("readDocs", "Read the documentation", "The documentation, for people.")},
        "/problems/{code}": {
            "get": _page(
                "readProblem",
                "Read what a problem means",
                "What a problem's code means and what to do about it; every problem's `type` leads here.",
                parameters=[
                    _parameter(
                        "code", "path", {"type": "string", "enum": sorted(CODES)}, "The problem's code."
                    )
                ],
                problems=(404,),
            )
        },
    }


def _tracking_paths() -> Json:
    read, write = "trackings:read", "trackings:write"
    shown = _answer("The tracking.", resources.TrackingResource)
    unkeyed = (401, 403, 422, 429, 500, 503)
    posted = (400, 401, 403, 409, 413, 415, 422, 429, 500, 503)
    changed = (*posted, 404)
    return {
        "/v1/trackings": {
            "post": _operation(
                "followParcels",
                "Trackings",
                "Follow parcels",
                f"One parcel, or a list of up to {MOST}, of whatever courier the account's aggregator knows. "
                "A parcel that is followed already is given as it is. A list is 201 when all are "
                "followed; 207 with each one's own status when some are not.",
                scope=write,
                body=(FollowingInput, PARCEL_EXAMPLE),
                lists="also",
                answers={
                    "200": _answer("It was followed already.", resources.TrackingResource),
                    "201": _answer("Followed.", resources.TrackingResource, several=resources.TrackingList),
                    "207": _answer("What became of each.", resources.TrackingResults),
                },
                problems=posted,
            ),
            "get": _operation(
                "listTrackings",
                "Trackings",
                "List trackings",
                "Newest first, those of orders among them. A list may lag a second behind.",
                scope=read,
                parameters=_tracking_filters(),
                answers={"200": _answer("A page of trackings.", resources.TrackingPage)},
                problems=(401, 403, 422, 429, 500),
            ),
        },
        "/v1/trackings/{id}": {
            "get": _operation(
                "readTracking",
                "Trackings",
                "Read a tracking",
                "A parcel with its whole timeline, oldest first.",
                scope=read,
                parameters=[_TRACKING_ID],
                answers={"200": shown},
                problems=(401, 403, 404, 429, 500),
            ),
            "patch": _operation(
                "changeTracking",
                "Trackings",
                "Change a tracking",
                "What is absent stays; null takes a thing back. Another `carrier_code` corrects the courier: "
                "what the wrong one told is dropped, and the right one asked. Courier and destination of an "
                "order's parcel are the order's. `paused: false` resumes such a parcel; any other cannot be "
                "resumed, but forgotten and followed anew.",
                scope=write,
                parameters=[_TRACKING_ID],
                body=(TrackingPatch, {"title": "Two dresses and a hat", "note": None}),
                patch=True,
                answers={"200": shown},
                problems=changed,
            ),
            "delete": _operation(
                "forgetTracking",
                "Trackings",
                "Follow a parcel no more",
                "It is forgotten, here and with the aggregator. Parcels of orders stay with their orders.",
                scope=write,
                parameters=[_TRACKING_ID],
                answers={"204": {"description": "Forgotten."}},
                problems=(401, 403, 404, 409, 422, 429, 500, 503),
            ),
        },
        "/v1/trackings/{id}/pause": {
            "post": _operation(
                "pauseTracking",
                "Trackings",
                "Pause a tracking",
                "Nobody asks about the parcel any more; what is known of it stays. May be repeated.",
                scope=write,
                parameters=[_TRACKING_ID],
                answers={"200": shown},
                idempotent=True,
                problems=changed,
            )
        },
        "/v1/trackings/{id}/refresh": {
            "post": _operation(
                "refreshTracking",
                "Trackings",
                "Ask about a parcel now",
                "Has the carrier asked in a moment, whatever the plan; read the tracking for what came of it."
                " A paused parcel is asked about once, and stays paused. With `realtime` the aggregator asks "
                "the courier itself while you wait: once in two hours for each parcel, else 429.",
                scope=write,
                parameters=[_TRACKING_ID],
                body=(RefreshInput, {"realtime": True}),
                answers={"202": _answer("The tracking as it is known now.", resources.TrackingResource)},
                problems=changed,
            )
        },
        "/v1/trackings/update": {
            "post": _operation(
                "changeTrackings",
                "Trackings",
                "Change several trackings",
                f"Up to {MOST}, each for itself, like one; `id` says which.",
                scope=write,
                body=(TrackingChange, {"id": "trk_01KAJ2W3X4Y5Z6A7B8C9D0E1F4", "archived": True}),
                lists="only",
                answers={"207": _answer("What became of each.", resources.TrackingResults)},
                problems=posted,
            )
        },
        "/v1/trackings/delete": {
            "post": _operation(
                "forgetTrackings",
                "Trackings",
                "Follow several parcels no more",
                f"Up to {MOST}, each for itself, like one. An entry may be a bare id.",
                scope=write,
                body=(TrackingName, {"id": "trk_01KAJ2W3X4Y5Z6A7B8C9D0E1F4"}),
                lists="only",
                answers={"207": _answer("What became of each.", resources.TrackingResults)},
                problems=posted,
            )
        },
        "/v1/trackings/transit-times": {
            "post": _operation(
                "readTransitTimes",
                "Trackings",
                "Ask how long parcels take",
                "Of the parcels of a courier on a route: how many were delivered within which time.",
                scope=read,
                body=(RouteInput, {"origin": "CN", "destination": "US", "carrier_code": "china-ems"}),
                answers={"200": _answer("The times.", resources.TransitTimesResource)},
                problems=posted,
            )
        },
        "/v1/trackings/remote-areas": {
            "post": _operation(
                "readRemoteAreas",
                "Trackings",
                "Ask which places are remote",
                f"Up to {MOST} places, for the couriers that charge more for what they call remote.",
                scope=read,
                parameters=[_ACCOUNT],
                body=(AreaInput, {"country": "US", "postcode": "99501", "company": "DHL"}),
                lists="only",
                answers={"200": _answer("What is known of them.", resources.RemoteAreas)},
                problems=posted,
            )
        },
        "/v1/trackings/detect": {
            "post": _operation(
                "detectCourier",
                "Trackings",
                "Ask whose a number is",
                "The couriers that such a number may belong to, the likeliest first.",
                scope=read,
                body=(NumberInput, {"tracking_number": "LK664578623CN"}),
                answers={"200": _answer("The couriers.", resources.CourierList)},
                problems=posted,
            )
        },
        "/v1/trackings/air-cargo/{awb}": {
            "get": _operation(
                "readAirCargo",
                "Trackings",
                "Follow an air waybill",
                "Its journey, as the aggregator tells it.",
                scope=read,
                parameters=[
                    _parameter("awb", "path", {"type": "string"}, "The waybill, such as 016-10354966."),
                    _ACCOUNT,
                ],
                answers={"200": _answer("The journey.", resources.Told)},
                problems=unkeyed,
            )
        },
        "/v1/trackings/usage": {
            "get": _operation(
                "readUsage",
                "Trackings",
                "Read the account's quota",
                "What is left of what the aggregator's account may ask.",
                scope=read,
                parameters=[_ACCOUNT],
                answers={"200": _answer("The quota.", resources.Told)},
                problems=unkeyed,
            )
        },
        "/v1/trackings/summary": {
            "get": _operation(
                "readSummary",
                "Trackings",
                "Count parcels by status",
                "How many of the parcels that the aggregator's account follows stand how.",
                scope=read,
                parameters=[_ACCOUNT],
                answers={"200": _answer("The counts.", resources.TrackingCounts)},
                problems=unkeyed,
            )
        },
    }


_ORDER_ID: Json = {"$ref": "#/components/parameters/OrderId"}
_TRACKING_ID: Json = {"$ref": "#/components/parameters/TrackingId"}
_ACCOUNT: Json = {"$ref": "#/components/parameters/Account"}
_RETRY_AFTER: Json = {"$ref": "#/components/headers/RetryAfter"}


def _operation(
    name: str,
    tag: str,
    summary: str,
    description: str,
    *,
    answers: Json,
    scope: str | None = None,
    open_to_all: bool = False,
    parameters: Sequence[Json] = (),
    body: tuple[type[Any], Json] | None = None,
    lists: Literal["never", "also", "only"] = "never",
    idempotent: bool = False,
    patch: bool = False,
    located: Sequence[str] = (),
    problems: Sequence[int] = (),
) -> Json:
    operation: Json = {
        "operationId": name,
        "tags": [tag],
        "summary": summary,
        "description": description,
        "responses": dict(answers),
    }
    parameters = list(parameters)
    if open_to_all:
        operation["security"] = []
    if scope is not None:
        operation["x-scope"] = scope
        operation["description"] += f" Needs the scope `{scope}`."
    if body is not None or idempotent:
        parameters.append({"$ref": "#/components/parameters/IdempotencyKey"})
        for given in operation["responses"].values():
            replayed = {"Idempotent-Replayed": {"$ref": "#/components/headers/IdempotentReplayed"}}
            given["headers"] = given.get("headers", {}) | replayed
    for status in located:
        given = operation["responses"][status]
        location = {"Location": {"$ref": "#/components/headers/Location"}, "Retry-After": _RETRY_AFTER}
        given["headers"] = given.get("headers", {}) | location
    if body is not None:
        model, shown = body
        schema: Json = {"$ref": _REFERENCE.format(name=model.__name__)}
        if lists != "never":
            several = {"type": "array", "items": schema, "minItems": 1, "maxItems": MOST}
            schema = several if lists == "only" else {"anyOf": [schema, several]}
        example: Any = [shown] if lists == "only" else shown
        types = (MERGE_PATCH, JSON) if patch else (JSON,)
        operation["requestBody"] = {
            "required": True,
            "content": {name: {"schema": schema, "example": example} for name in types},
        }
    if parameters:
        operation["parameters"] = parameters
    for code in problems:
        operation["responses"][str(code)] = {"$ref": f"#/components/responses/Problem{code}"}
    return operation


def _page(name: str, summary: str, description: str, **more: Any) -> Json:
    shown = {"description": "A page.", "content": {"text/html": {"schema": {"type": "string"}}}}
    return _operation(name, "Service", summary, description, open_to_all=True, answers={"200": shown}, **more)


def _answer(
    description: str, resource: type[Any], example: Any = None, *, several: type[Any] | None = None
) -> Json:
    content: Json = {"schema": {"$ref": _REFERENCE.format(name=resource.__name__)}}
    if several is not None:
        content["schema"] = {"anyOf": [content["schema"], {"$ref": _REFERENCE.format(name=several.__name__)}]}
    if example is not None:
        content["example"] = example
    return {"description": description, "content": {"application/json": content}}


def _by_status() -> Mapping[int, Sequence[str]]:
    """Every problem code that can be the answer to a call, by its status."""
    only_inside_orders = {
        "outcome_unknown",
        "deadline_passed",
        "answer_mismatch",
        "carrier_order_conflict",
        "refund_failed",
        "late_success",
        "change_unknown",
        "workflow_ended",
        "price_above_max",
    }
    by_status: dict[int, list[str]] = {}
    for code in sorted(CODES - only_inside_orders):
        by_status.setdefault(Problem(code=code, detail="").status, []).append(code)
    return dict(sorted(by_status.items()))


def _problem(status: int, codes: Sequence[str]) -> Json:
    errors = (FieldError("/ship_to/postcode", "missing", "Is required."),) if status == 422 else ()
    first = "validation_failed" if status == 422 else codes[0]
    shown = problem_resource(
        Problem(code=first, detail="What is wrong with this very request.", errors=errors),
        Site(problems="https://api.example.com/problems"),
        request_id="JKJaXmPLvHcESHA=",
    )
    titles = "; ".join(f"`{code}`: {Problem(code=code, detail='').title}" for code in codes)
    response: Json = {
        "description": f"{titles}.",
        "content": {
            "application/problem+json": {
                "schema": {"$ref": _REFERENCE.format(name="ProblemResource")},
                "example": _plain(shown),
            }
        },
    }
    if status in (409, 429, 503):
        response["headers"] = {"Retry-After": _RETRY_AFTER}
    return response


def _schemas() -> Json:
    _, shown = msgspec.json.schema_components(_SHOWN, ref_template=_REFERENCE)
    forms = (
        OrderInput,
        BatchInput,
        AmendmentInput,
        ManifestInput,
        AddressCheckInput,
        FollowingInput,
        TrackingPatch,
        TrackingChange,
        TrackingName,
        RefreshInput,
        RouteInput,
        AreaInput,
        NumberInput,
    )
    inputs: list[tuple[type[BaseModel], Any]] = [(form, "validation") for form in forms]
    _, given = models_json_schema(inputs, ref_template=_REFERENCE.replace("{name}", "{model}"))
    return {**given["$defs"], **_numbers(shown)}


def _numbers(schema: Any) -> Any:
    """Decimals are shown as JSON numbers; msgspec describes them as the strings it writes by default."""
    if isinstance(schema, dict):
        if schema.get("format") == "decimal":
            return {**schema, "type": "number"}
        return {name: _numbers(part) for name, part in schema.items()}
    return [_numbers(part) for part in schema] if isinstance(schema, list) else schema


def _parameter(name: str, place: str, schema: Json, description: str) -> Json:
    return {
        "name": name,
        "in": place,
        "required": place == "path",
        "schema": schema,
        "description": description,
    }


def _header(kind: str, description: str) -> Json:
    return {"schema": {"type": kind}, "description": description}


def _idempotency_key() -> Json:
    schema = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"}
    return _parameter("Idempotency-Key", "header", schema, "A value of your own, one for each new request.")


def _filters() -> list[Json]:
    time = {"type": "string", "format": "date-time"}
    return [
        _parameter("status", "query", {"type": "string", "enum": list(OrderStatus)}, "Only of this status."),
        _parameter("carrier", "query", {"type": "string"}, "Only with this carrier."),
        _parameter("reference", "query", {"type": "string"}, "Only of this reference."),
        _parameter("created_after", "query", time, "Only later than this."),
        _parameter("created_before", "query", time, "Only earlier than this."),
        *_page_of_a_list(),
    ]


def _tracking_filters() -> list[Json]:
    return [
        _parameter(
            "status", "query", {"type": "string", "enum": list(TrackingStatus)}, "Only of this status."
        ),
        _parameter("carrier", "query", {"type": "string"}, "Only with this carrier or aggregator."),
        *_page_of_a_list(),
    ]


def _page_of_a_list() -> list[Json]:
    limit = {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}
    return [
        _parameter("limit", "query", limit, "How many at most."),
        _parameter("cursor", "query", {"type": "string"}, "`next_cursor` of the page before, same filters."),
    ]


def example() -> Json:
    """Show an order as it is answered, made by the same code."""
    return _plain(order_resource(_example_order(), Site(base="https://api.example.com")))


def _example_order() -> Order:
    moment = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
    body = json.loads(json.dumps(ORDER_EXAMPLE), parse_float=Decimal)
    draft = read_order(
        body, carriers=registry.names(), tenant="acme", order_id="ord_01KAJ2W3X4Y5Z6A7B8C9D0E1F2", now=moment
    )
    if draft.order is None or draft.errors:
        raise ValueError(f"the example is no good order: {draft.errors}")
    return draft.order


def _events() -> Json:
    order = _example_order()
    event = OrderEvent(at=order.created_at, type="order.accepted", actor=Actor.CLIENT, to=order.status)
    return {"data": [_plain(resources.event_resource(event))]}


def _checked_batch() -> Json:
    error = FieldError("/ship_to/postcode", "missing", "Is required.")
    lines = (BatchLine(carrier="lso", reference="shop-1017"), BatchLine(carrier="lso", reference="shop-1018"))
    return _plain(resources.checked_batch_resource(lines, (CheckedEntry(), CheckedEntry(errors=(error,)))))


def _batch() -> Json:
    batch = Batch(
        id="bat_01KAJ2W3X4Y5Z6A7B8C9D0E1F3",
        tenant="acme",
        lines=(BatchLine(carrier="lso", reference="shop-1017"),),
        created_at=_example_order().created_at,
    )
    return _plain(resources.batch_resource(batch, progress(batch, ()), Site()))


def _rates() -> Json:
    freight, fee = (Money(Decimal(text), "USD") for text in ("12.34", "0.50"))
    rate = Rate(
        service="GroundBasic",
        price=freight + fee,
        charges=(Charge("freight", freight), Charge("commission", fee)),
    )
    return {"rates": [_plain(resources.rate_resource(_example_order(), rate))]}


def _carriers() -> Json:
    return _plain(resources.CarrierList(tuple(registry.profile(name) for name in registry.trackers())))


def _plain(resource: Any) -> Json:
    plain: Json = json.loads(encode(resource))
    return plain


def main(arguments: Sequence[str]) -> None:
    """Write the document to the named file, or to the standard output."""
    text = json.dumps(document(), ensure_ascii=False, separators=(",", ":"))
    if arguments:
        Path(arguments[0]).write_text(text, "utf-8")
    else:
        sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
