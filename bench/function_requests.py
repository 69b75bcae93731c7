"""Requests of single functions, for measuring: the functions are the deployed ones, AWS is a dictionary.

AWS clients do all of their work but the exchange of bytes. A store in memory keeps what is put into it and
checks no conditions, since each request here is the first of its kind or only reads. The carrier is a stub.
"""

import itertools
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from typing import Any

os.environ |= {
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "POWERTOOLS_METRICS_NAMESPACE": "Parcelgate",
    "POWERTOOLS_SERVICE_NAME": "bench",
    "PARCELGATE_TABLE": "table",
    "PARCELGATE_USAGE_TABLE": "usage",
    **{f"PARCELGATE_{kind}_A_MINUTE": "1000000" for kind in ("REQUESTS", "ORDERS", "BATCHES", "REFRESHES")},
    "PARCELGATE_SECRET_PREFIX": "parcelgate/bench",
    "PYDANTIC_DISABLE_PLUGINS": "__all__",
}

from bench.peers.requests import ANSWER, BODY, Context, answered
from parcelgate.aws_clients import client
from parcelgate.runtime import runtime

type Item = dict[str, Any]
type Once = Callable[[], object]

_HOST = "abc123.execute-api.us-east-1.amazonaws.com"
_ACCOUNT = {"base_url": "https://ubi.example", "credentials": {"token": "made-up", "secret": "made-up"}}
_TOKEN = "a-token-that-nobody-guesses"  # noqa: S105 - nobody's
_kept: dict[tuple[str, str], Item] = {}
_numbers = itertools.count(1)


def _store(operation: str, body: Item) -> Item:
    match operation:
        case "GetSecretValue":
            return {"Name": body["SecretId"], "SecretString": json.dumps(_ACCOUNT)}
        case "PutItem":
            _kept[_name(body["Item"])] = body["Item"]
        case "TransactWriteItems":
            _kept.update(
                {
                    _name(put["Item"]): put["Item"]
                    for write in body["TransactItems"]
                    if (put := write.get("Put"))
                }
            )
        case "GetItem" if _name(body["Key"]) in _kept:
            return {"Item": _kept[_name(body["Key"])]}
        case "BatchGetItem":
            ((table, request),) = body["RequestItems"].items()
            items = [_kept[_name(key)] for key in request["Keys"] if _name(key) in _kept]
            return {"Responses": {table: items}, "UnprocessedKeys": {}}
        case "UpdateItem" if body.get("ReturnValues") == "ALL_NEW":
            return {"Attributes": body["Key"]}
    return {}


def _name(item: Item) -> tuple[str, str]:
    return item["pk"]["S"], item["sk"]["S"]


class _Carrier:
    def send(self, _: Any) -> Any:
        from parcelgate.carriers.toolkit.calls import Response

        return Response(status=200, body=ANSWER)


def _event(route: str, *, body: str | None = None, key: str | None = None, **parameters: str) -> Item:
    method, _, path = route.partition(" ")
    scopes = "orders:read orders:write trackings:read"
    given = {"idempotency-key": key, "content-type": "application/json"} if body else {}
    return {
        "routeKey": route,
        "rawPath": path,
        "headers": {"host": _HOST, "x-forwarded-proto": "https", **given},
        "requestContext": {
            "authorizer": {"lambda": {"auth": "ok", "tenant": "acme", "key_id": "k1", "scopes": scopes}},
            "domainName": _HOST,
            "http": {"method": method, "path": path},
            "requestId": f"request-{next(_numbers)}",
        },
        "pathParameters": parameters,
        "isBase64Encoded": False,
        "body": body,
    }


class _Patient(Context):
    """Valgrind is thirty times slower, and a create is not begun when its time is short."""

    def get_remaining_time_in_millis(self) -> int:
        return 10**9


def _asked(name: str, event: Callable[[], Item], status: int = 200) -> Once:
    module = import_module(f"functions.{name}.handler")
    handler = module.handler
    if hasattr(module, "CARRIER_SECONDS"):
        module.CARRIER_SECONDS = 10**6

    def once() -> Any:
        reply = handler(event(), _Patient())
        if reply.get("statusCode", status) != status:
            raise ValueError(reply)
        return reply

    return once


def authorize() -> Once:
    """A call whose key is checked."""
    from parcelgate.services.accounts import api_keys

    key = api_keys.create(runtime.table, "acme", ["orders:read"], "bench")
    return _asked("authorize", lambda: {"headers": {"authorization": f"Bearer {key}"}})


def create_order() -> Once:
    """An order of one parcel for UBI, with an Idempotency-Key."""
    return _asked(
        "create_order", lambda: _event("POST /v1/orders", body=BODY, key=f"key-{next(_numbers)}"), 201
    )


def _bought() -> str:
    reply: Any = create_order()()
    return str(json.loads(reply["body"])["id"])


def read_orders() -> Once:
    """An order of one parcel."""
    order = _bought()
    return _asked("read_orders", lambda: _event("GET /v1/orders/{id}", id=order))


def read_trackings() -> Once:
    """A parcel that has no events yet."""
    (tracking,) = runtime.table.tenant("acme").orders.get(_bought()).tracking_ids
    return _asked("read_trackings", lambda: _event("GET /v1/trackings/{id}", id=tracking))


def ingest_webhook() -> Once:
    """A push of LME's."""
    from parcelgate.store.credentials.webhook_tokens import Hook

    runtime.table.webhook_tokens.put(_TOKEN, Hook("acme", "lme", "default"))
    path = {"carrier": "lme", "account": "default", "token": _TOKEN}

    def event() -> Item:
        body = json.dumps({"verifyInfo": "x" * 700, "number": next(_numbers)})
        return {"pathParameters": path, "headers": {"content-type": "application/json"}, "body": body}

    return _asked("ingest_webhook", event)


REQUESTS: dict[str, Callable[[], Once]] = {
    each.__name__: each for each in (authorize, create_order, read_orders, read_trackings, ingest_webhook)
}
"""What makes a request ready, by the function that answers it."""


def ready(function: str) -> Once:
    """Make a request of a function ready. It was made once when this returns."""
    with silence():
        once = REQUESTS[function]()
        once()
    return once


def seconds(once: Once, times: int) -> float:
    """Make a request so many times. Returns the CPU of one, in seconds."""
    with silence():
        began = time.process_time()
        for _ in range(times):
            once()
        return (time.process_time() - began) / times


@contextmanager
def silence() -> Iterator[None]:
    """Drop what functions log."""
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):  # noqa: PTH123 - nothing more to import
        yield


runtime.use(transport=lambda _: _Carrier())
for _service in ("dynamodb", "secretsmanager"):
    answered(client(_service), _store)  # type: ignore[call-overload]
