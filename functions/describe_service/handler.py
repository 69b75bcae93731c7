"""What this service says of itself: its health, its description, its carriers, its problems."""

from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

import parcelgate
from parcelgate.carriers import registry
from parcelgate.domain.problems import ProblemError
from parcelgate.http.api import Answer, Api, Call, answer
from parcelgate.http.pages import docs_page, problem_page
from parcelgate.http.resources import CarrierList, Health

api = Api()


@api.route("GET /v1/health", open_to_all=True)
def health(call: Call) -> Answer:  # noqa: ARG001 - a route's form
    """Give a sign of life."""
    return answer(Health("ok", parcelgate.__version__))


@api.route("GET /v1/openapi.json", open_to_all=True)
def openapi(call: Call) -> Answer:
    """Give the description, with this very address as its server."""
    document = description()
    if call.site.base:
        document = document | {"servers": [{"url": call.site.base}]}
    return answer(document, headers={"cache-control": "public, max-age=300"})


@api.route("GET /docs", open_to_all=True)
def docs(call: Call) -> Answer:  # noqa: ARG001
    """Show the documentation."""
    return docs_page()


@api.route("GET /problems/{code}", open_to_all=True)
def problem(call: Call) -> Answer:
    """Explain a problem."""
    page = problem_page(call.parameters["code"])
    if page is None:
        raise ProblemError("not_found", "There is no such problem.")
    return page


@api.route("GET /v1/carriers")
def carriers(call: Call) -> Answer:  # noqa: ARG001
    """Give what each carrier here can do."""
    return answer(CarrierList(tuple(registry.profile(name) for name in registry.trackers())))


@cache
def description() -> dict[str, Any]:
    """The OpenAPI document, which was written when this was bundled (see `parcelgate.http.openapi`)."""
    text = files("parcelgate.http").joinpath("openapi.json").read_bytes()
    document: dict[str, Any] = msgspec.json.decode(text)
    return document


handler = api.handler
