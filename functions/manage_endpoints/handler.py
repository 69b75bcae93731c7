"""`/v1/webhook-endpoints` and what was delivered to them."""

import base64
from collections.abc import Callable

import msgspec

from parcelgate.domain.merchants.endpoints import MOST_ENDPOINTS, Endpoint
from parcelgate.domain.problems import FieldError, invalid
from parcelgate.http.answers import Answer, answer, copied, fitting
from parcelgate.http.api import Api, Request, do_once
from parcelgate.http.requests.endpoints import read_endpoint, read_patch
from parcelgate.http.requests.queries.plain import read_page_query
from parcelgate.http.resources.endpoints import (
    DeliveryPage,
    EndpointList,
    NewSecretResource,
    delivery_resource,
    endpoint_json,
    endpoint_resource,
)
from parcelgate.runtime import runtime
from parcelgate.services.endpoints.keeper import EndpointKeeper
from parcelgate.store.errors import TooManyEndpointsError

api = Api("manage_endpoints", limits=lambda: runtime.rate_limiter)


@api.route
def create_endpoint(request: Request) -> Answer:
    """Make an endpoint, and show its secret."""
    keeper: EndpointKeeper = runtime.endpoint_keeper

    def create() -> Answer:
        fields = read_endpoint(request.body, anywhere=runtime.settings.endpoints_anywhere)
        try:
            endpoint, sealed = keeper.create(request.tenant, **fields)
        except TooManyEndpointsError:
            message = f"There are {MOST_ENDPOINTS} endpoints, and no more are allowed. Delete one first."
            raise invalid([FieldError("", "too_many", message)]) from None
        location = {"location": f"{request.site.base}/v1/webhook-endpoints/{endpoint.id}"}
        return answer(_sealed(endpoint, sealed), 201, location)

    return _revealed(request, _once(request, create))


@api.route
def list_endpoints(request: Request) -> Answer:
    """Show all endpoints."""
    endpoints = runtime.endpoint_keeper.all(request.tenant)
    return answer(EndpointList(data=tuple(map(endpoint_resource, endpoints))))


@api.route
def read_endpoint_by_id(request: Request) -> Answer:
    """Show one endpoint."""
    return answer(endpoint_resource(runtime.endpoint_keeper.get(request.tenant, request.parameters["id"])))


@api.route
def change_endpoint(request: Request) -> Answer:
    """Change an endpoint."""

    def change() -> Answer:
        changes = read_patch(request.body, anywhere=runtime.settings.endpoints_anywhere)
        endpoint = runtime.endpoint_keeper.change(request.tenant, request.parameters["id"], changes)
        return answer(endpoint_resource(endpoint))

    return _once(request, change)


@api.route
def delete_endpoint(request: Request) -> Answer:
    """Delete an endpoint."""
    runtime.endpoint_keeper.delete(request.tenant, request.parameters["id"])
    return Answer(status=204)


@api.route
def rotate_secret(request: Request) -> Answer:
    """Give an endpoint another secret, and show it."""

    def rotate() -> Answer:
        return answer(
            _sealed(*runtime.endpoint_keeper.rotate_secret(request.tenant, request.parameters["id"]))
        )

    return _revealed(request, _once(request, rotate))


@api.route
def test_endpoint(request: Request) -> Answer:
    """Send a `ping` to an endpoint."""

    def test() -> Answer:
        keeper = runtime.endpoint_keeper
        delivery = keeper.test(request.tenant, request.parameters["id"], endpoint_json)
        return answer(delivery_resource(delivery), 202)

    return _once(request, test)


@api.route
def list_deliveries(request: Request) -> Answer:
    """Show what was and is to be delivered to an endpoint."""
    keeper, (limit, cursor) = runtime.endpoint_keeper, read_page_query(request.query)

    def page(limit: int) -> DeliveryPage:
        found = keeper.deliveries(request.tenant, request.parameters["id"], limit=limit, cursor=cursor)
        return DeliveryPage(data=tuple(map(delivery_resource, found.data)), next_cursor=found.next_cursor)

    shown = page(limit)
    most = max(1, fitting(shown.data))
    return answer(shown if most >= len(shown.data) else page(most))


@api.route
def replay_delivery(request: Request) -> Answer:
    """Begin the attempts of a delivery anew."""

    def replay() -> Answer:
        delivery = runtime.endpoint_keeper.replay(request.tenant, request.parameters["id"])
        return answer(delivery_resource(delivery), 202)

    return _once(request, replay)


def _once(request: Request, work: Callable[[], Answer]) -> Answer:
    return do_once(request, runtime.table.tenant(request.tenant), work)


def _sealed(endpoint: Endpoint, sealed: bytes) -> NewSecretResource:
    """The answer as it may be kept for repeats of the request: its secret is encrypted."""
    shown = msgspec.structs.asdict(endpoint_resource(endpoint))
    return NewSecretResource(**shown, secret=base64.b64encode(sealed).decode())


def _revealed(request: Request, kept: Answer) -> Answer:
    """The answer as the client gets it, with the secret itself."""
    if kept.status >= 300:
        return kept
    resource = msgspec.json.decode(kept.body, type=NewSecretResource)
    secret = runtime.endpoint_keeper.reveal(request.tenant, resource.id, base64.b64decode(resource.secret))
    return answer(copied(NewSecretResource, resource, secret=secret), kept.status, kept.headers)


handler = api.handler
