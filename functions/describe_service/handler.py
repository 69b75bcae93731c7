"""What this service says of itself: its health, its description, its carriers, its problems."""

from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

import parcelgate
from parcelgate.carriers import registry
from parcelgate.domain.problems import ProblemError
from parcelgate.http.answers import Answer, answer
from parcelgate.http.api import Api, Request
from parcelgate.http.pages import problem_page
from parcelgate.http.resources.catalogue import CarrierList, Health
from parcelgate.runtime import runtime

api = Api("describe_service", limits=lambda: runtime.rate_limiter)


@api.route
def read_health(request: Request) -> Answer:  # noqa: ARG001 - a route's form
    """Give a sign of life, and say which carriers are down."""
    return answer(Health("ok", parcelgate.__version__, runtime.carrier_health.states()))


@api.route
def read_description(request: Request) -> Answer:
    """Give the description, with this very address as its server."""
    document = description()
    if request.site.base:
        document = document | {"servers": [{"url": request.site.base}]}
    return answer(document, headers={"cache-control": "public, max-age=300"})


@api.route
def read_problem(request: Request) -> Answer:
    """Explain a problem."""
    page = problem_page(request.parameters["code"])
    if page is None:
        raise ProblemError("not_found", "There is no such problem.")
    return page


@api.route
def list_carriers(request: Request) -> Answer:  # noqa: ARG001
    """Give what each carrier here can do."""
    return answer(CarrierList(tuple(registry.profile(name) for name in registry.trackers())))


@cache
def description() -> dict[str, Any]:
    """The OpenAPI document, which was written when this was bundled (see `parcelgate.http.openapi`)."""
    text = files("parcelgate.http").joinpath("openapi.json").read_bytes()
    document: dict[str, Any] = msgspec.json.decode(text)
    return document


handler = api.handler
