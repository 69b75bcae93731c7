"""The OpenAPI document, made from the table of routes and the models that it names.

It is written once, when the functions are bundled (`python -m parcelgate.http.openapi openapi.json`), and
then served as a file. So the function that serves it need not load the models. The examples of requests are
the samples in `events/requests`, which the tests send too.
"""

import argparse
import json
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
from pydantic.json_schema import models_json_schema

import parcelgate
from parcelgate.carriers import registry
from parcelgate.domain.batches import MOST_ORDERS
from parcelgate.domain.orders import Order
from parcelgate.domain.problems import CODES, FieldError, Problem
from parcelgate.http.answers import Site, encode
from parcelgate.http.problems import MEDIA_TYPE, ProblemResource, problem_resource
from parcelgate.http.requests.formats.reading import JSON, MERGE_PATCH
from parcelgate.http.requests.orders import Input, read_order
from parcelgate.http.requests.queries import events, orders, plain, stats, trackings
from parcelgate.http.requests.queries.reading import Parameter
from parcelgate.http.resources.orders import order_resource
from parcelgate.http.resources.stats import stats_resource
from parcelgate.http.routes import MOST_PARCELS, ROUTES, Response, Route
from parcelgate.services.stats.reports import Dimension, Group, Report

QUERIES: Mapping[str, Mapping[str, Parameter]] = {
    "orders": orders.PARAMETERS,
    "trackings": trackings.PARAMETERS,
    "events": events.PARAMETERS,
    "stats": stats.PARAMETERS,
    "page": plain.OF_A_PAGE,
    "account": plain.OF_AN_ACCOUNT,
    "couriers": plain.OF_COURIERS,
    "language": plain.OF_A_LANGUAGE,
}
"""The parameters of each kind of query, as the table of routes names them."""

type Json = dict[str, Any]

_WORDS: Json = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
SAMPLES = Path(__file__).parents[3] / "events" / "requests"
"""What is sent to each route, as an example: `body`, `path`, `query`."""

_TOKEN = "P" * 86
"""In the place of the token of a recipient's page."""
_GATEWAY = (401, 404, 413, 429)
"""Statuses that the gateway may also answer by itself."""
_ONLY_INSIDE_ORDERS = frozenset({
    "outcome_unknown", "deadline_passed", "answer_mismatch", "carrier_order_conflict", "refund_failed",
    "late_success", "change_unknown", "return_unknown", "workflow_ended", "price_above_max",
})  # fmt: skip


def document() -> Json:
    """Make the whole document."""
    paths: Json = {}
    for route in _described():
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Parcelgate",
            "version": parcelgate.__version__,
            "description": _WORDS["about"].strip(),
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "tags": [{"name": name, "description": words} for name, words in _WORDS["tags"].items()],
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "responses": {f"Problem{status}": _problem(status) for status in _statuses()},
            "headers": {
                name: {"schema": {"type": header["type"]}, "description": header["description"]}
                for name, header in _WORDS["headers"].items()
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


def sample(route: Route) -> Json:
    """Read the sample request of a route. It is empty for a route without body and parameters."""
    path = SAMPLES / f"{route.operation}.json"
    request: Json = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return request


def example() -> Json:
    """Make the example of an order, with the code that makes the API's answers."""
    plain: Json = json.loads(
        encode(order_resource(_order(), Site(base="https://api.example.com", token=lambda _: _TOKEN)))
    )
    return plain


def stats_example() -> Json:
    """Make the example of figures, with the code that makes the API's answers."""
    figures = Counter({
        "orders_confirmed": 9, "orders_cancelled": 1, "spend_carrier_USD": 116_000_000,
        "refund_requested_USD": 11_600_000, "label_ready": 10, "label_timed": 10, "label_seconds": 480,
        "label_within_1": 8, "label_within_5": 2, "parcels_delivered": 8, "parcels_other": 2,
        "parcels_cancelled": 1, "delivery_timed": 8, "delivery_seconds": 1_555_200, "delivery_days_1": 3,
        "delivery_days_2": 5, "poll_calls": 31, "poll_parcels": 140, "webhooks": 12,
    })  # fmt: skip
    day = date(2026, 11, 27)
    report = Report(figures, {Group(day, registry.names()[0], None): figures})
    shown = stats_resource(report, day, day, (Dimension.DAY, Dimension.CARRIER))
    plain: Json = json.loads(encode(shown))
    return plain


def _order() -> Order:
    body = json.loads(json.dumps(sample(ROUTES["POST /v1/orders"])["body"]), parse_float=Decimal)
    moment = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
    draft = read_order(
        body, carriers=registry.CARRIERS, tenant="acme", order_id="ord_01KAJ2W3X4Y5Z6A7B8C9D0E1F2", now=moment
    )
    if draft.order is None or draft.errors:
        raise ValueError(f"events/requests/createOrder.json is not a valid order: {draft.errors}")
    return draft.order


def _operation(route: Route) -> Json:
    words = _WORDS["operations"][route.operation]
    operation: Json = {
        "operationId": route.operation,
        "tags": [route.tag],
        "summary": words["summary"],
        "description": words["description"].format(orders=MOST_ORDERS, parcels=MOST_PARCELS),
        "parameters": list(_parameters(route)),
        "responses": {
            str(status): _answer(answer, route, words["answers"][str(status)])
            for status, answer in route.answers.items()
        },
    }
    for status in route.statuses_of_problems:
        name = f"#/components/responses/Problem{status}"
        operation["responses"][str(status)] = _with_page(status) if route.error_pages else {"$ref": name}
    if route.open:
        operation["security"] = []
    if route.scopes:
        operation["x-scope"] = " or ".join(route.scopes)
        needed = " or ".join(f"`{scope}`" for scope in route.scopes)
        operation["description"] += f" Needs the scope {needed}."
    if route.body is not None:
        content = {"schema": _body(route), "example": sample(route)["body"]}
        types = (MERGE_PATCH, JSON) if route.method == "PATCH" else (JSON,)
        model = _model("requests", route.body)
        required = route.lists != "never" or any(field.is_required() for field in model.model_fields.values())
        operation["requestBody"] = {"required": required, "content": dict.fromkeys(types, content)}
    elif route.media is not None:
        content = {"schema": {"type": "string"}, "example": sample(route)["body"]}
        operation["requestBody"] = {"required": True, "content": {route.media: content}}
    elif route.idempotent:
        nothing = {"schema": {"type": "object", "maxProperties": 0}}
        operation["requestBody"] = {"required": False, "content": {JSON: nothing}}
    return operation


def _with_page(status: int) -> Json:
    """A problem that people are shown as a page."""
    described = _problem(status)
    described["content"]["text/html"] = {"schema": {"type": "string"}}
    return described


def _parameters(route: Route) -> Iterator[Json]:
    for part in route.path.split("/"):
        if part.startswith("{"):
            name = part.strip("{}")
            schema: Json = {"type": "string"} | ({"enum": sorted(CODES)} if name == "code" else {})
            yield _parameter(name, "path", schema, _WORDS["parameters"][name])
    for name, parameter in QUERIES[route.query].items() if route.query else ():
        schema = {"anyOf": [dict(parameter.schema), {"type": "string", "maxLength": 0}]}
        yield _parameter(name, "query", schema, f"{parameter.description} An empty value counts as absent.")
    if route.idempotent:
        key = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"}
        yield _parameter(
            "Idempotency-Key", "header", key, "A value that you choose. Use a new one for each new request."
        )


def _parameter(name: str, place: str, schema: Json, description: str) -> Json:
    described = {"name": name, "in": place, "schema": schema, "description": description}
    return {**described, "required": place == "path"}


def _body(route: Route) -> Json:
    one = _reference(str(route.body))
    # Where each entry has its own result, an entry of a wrong form does not fail the whole request.
    item = {"anyOf": [one, {}]} if 207 in route.answers else one
    several = {"type": "array", "items": item, "minItems": 1, "maxItems": MOST_PARCELS}
    return {"never": one, "also": {"anyOf": [one, several]}, "only": several}[route.lists]


def _answer(answer: Response, route: Route, description: str) -> Json:
    described: Json = {"description": description}
    names = (*answer.headers, *(["Idempotent-Replayed"] if route.idempotent else []))
    if names:
        described["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
    if answer.model is not None:
        schema = _reference(answer.model)
        if answer.several is not None:
            schema = {"anyOf": [schema, _reference(answer.several)]}
        described["content"] = {JSON: {"schema": schema}}
        if answer.model in _EXAMPLES:
            described["content"][JSON]["example"] = _EXAMPLES[answer.model]()
    if answer.media is not None:
        schema = {"type": "object" if answer.media == JSON else "string"}
        described.setdefault("content", {})[answer.media] = {"schema": schema}
    return described


_EXAMPLES: Mapping[str, Callable[[], Json]] = {
    "orders.OrderResource": example,
    "stats.StatsResource": stats_example,
}


def _statuses() -> dict[int, list[str]]:
    """List every problem code that can be the answer to a call, by its status."""
    codes: dict[int, list[str]] = {}
    for code in sorted(CODES - _ONLY_INSIDE_ORDERS):
        codes.setdefault(Problem(code=code, detail="").status, []).append(code)
    return codes


def _problem(status: int) -> Json:
    codes = _statuses()[status]
    errors = (FieldError("/ship_to/postcode", "missing", "Is required."),) if status == 422 else ()
    shown = problem_resource(
        Problem(
            code="validation_failed" if errors else codes[0],
            detail="One sentence that says what is wrong with this request.",
            errors=errors,
        ),
        Site(problems="https://api.example.com/problems"),
        request_id="JKJaXmPLvHcESHA=",
    )
    titles = "; ".join(f"`{code}`: {Problem(code=code, detail='').title}" for code in codes)
    content: Json = {
        MEDIA_TYPE: {"schema": _reference("ProblemResource"), "example": json.loads(encode(shown))}
    }
    if status in _GATEWAY:
        content[JSON] = {"schema": _reference("GatewayAnswer")}
        titles += "; or the gateway's own answer"
    response: Json = {"description": f"{titles}.", "content": content}
    if status in (409, 429, 503):
        response["headers"] = {"Retry-After": {"$ref": "#/components/headers/Retry-After"}}
    return response


class GatewayAnswer(msgspec.Struct, frozen=True):
    """The gateway's own answer, given before any function is called."""

    message: str


def _reference(model: str) -> Json:
    return {"$ref": f"#/components/schemas/{model.rpartition('.')[2]}"}


def _model(package: str, name: str) -> Any:
    module, _, kind = name.partition(".")
    return getattr(import_module(f"parcelgate.http.{package}.{module}"), kind)


def _described() -> list[Route]:
    return [route for route in ROUTES.values() if route.tag]


def schemas() -> Json:
    """Describe every model that the table of routes names, and the models inside them."""
    routes = _described()
    answers = [answer for route in routes for answer in route.answers.values()]
    shown = {name for answer in answers for name in (answer.model, answer.several) if name}
    taken = {route.body for route in routes if route.body}
    named = {name.rpartition(".")[2]: _model("resources", name) for name in sorted(shown)}
    outputs = output_schemas(
        named | {"ProblemResource": ProblemResource, "GatewayAnswer": GatewayAnswer},
        "#/components/schemas/{name}",
    )
    models = [(_model("requests", name), "validation") for name in sorted(taken)]
    _, inputs = models_json_schema(models, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    kinds = {kind.__name__: kind for kind in _subclasses(Input)}
    for name, schema in inputs["$defs"].items():
        if name in kinds:
            _let_be_null(schema)
    return {**inputs["$defs"], **outputs}


def output_schemas(models: Mapping[str, Any], ref_template: str) -> Json:
    """Describe models of what is shown, and the models inside them, by name."""
    described, outputs = msgspec.json.schema_components(models.values(), ref_template=ref_template)
    for schema in outputs.values():
        # Every field is always present; only TrackingResult leaves out its null fields.
        if "properties" in schema and schema["title"] != "TrackingResult":
            schema["required"] = list(schema["properties"])
    if "Money" in outputs:
        outputs["Money"]["properties"]["amount"] = {"type": "string", "pattern": r"^\d+(\.\d+)?$"}
    # A choice among several models has no name of its own.
    outputs |= {name: schema for name, schema in zip(models, described, strict=True) if name not in outputs}
    plain: Json = _numbers(outputs)
    return plain


def _let_be_null(schema: Json) -> None:
    """Let every optional field be null, because null counts as absent."""
    for name, field in schema.get("properties", {}).items():
        if isinstance(values := field.get("additionalProperties"), dict):
            field["additionalProperties"] = {"anyOf": [values, {"type": "null"}]}
        takes_null = {"type": "null"} in field.get("anyOf", ())
        if name not in schema.get("required", ()) and not takes_null:
            words = {key: field.pop(key) for key in ("title", "description", "default") if key in field}
            if isinstance(words.get("default"), dict):
                # Each field of an object has its own default, and makers of clients take no whole object.
                del words["default"]
            schema["properties"][name] = {"anyOf": [field, {"type": "null"}], **words}


def _subclasses(kind: type[Any]) -> Iterator[type[Any]]:
    each: type[Any]
    for each in kind.__subclasses__():
        yield each
        yield from _subclasses(each)


def _numbers(schema: Any) -> Any:
    """Describe decimals as JSON numbers, as we write them. By default msgspec describes strings."""
    if isinstance(schema, dict):
        if schema.get("format") == "decimal":
            return {**schema, "type": "number"}
        return {name: _numbers(part) for name, part in schema.items()}
    return [_numbers(part) for part in schema] if isinstance(schema, list) else schema


def main(arguments: Sequence[str]) -> None:
    """Write the document to the file that is named first, or to standard output."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {__spec__.name}", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("file", type=Path, nargs="?")
    file = parser.parse_args(arguments).file
    text = json.dumps(document(), ensure_ascii=False, separators=(",", ":"))
    if file:
        file.write_text(text, "utf-8")
    else:
        sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
