"""The HTTP API for tests: events as the gateway makes them, handlers called, answers held to the contract.

The fixture `backend` is everything that the functions need of AWS, in moto: the table, the accounts' secrets,
the order flow and a retry queue. Every answer is checked against the OpenAPI document.
"""

import base64
import io
import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest
from jsonschema import Draft202012Validator
from moto.sqs.models import sqs_backends

from parcelgate import aws_clients
from parcelgate.carriers import registry
from parcelgate.domain.orders import Order, OrderEvent
from parcelgate.http import routes
from parcelgate.http.openapi import document
from parcelgate.http.routes import function_of
from parcelgate.observability.logs import log
from parcelgate.runtime import runtime
from parcelgate.store.merchant_events.table import EventsTable
from parcelgate.store.table import Table, TenantTable
from tests.support import observed_calls
from tests.support.fast_dynamodb import FastDynamoDB, Observed
from tests.support.table import (
    EVENTS_TABLE_NAME,
    REGION,
    TABLE_NAME,
    all_items,
    aws,
    create_events_table,
    create_table,
)

type Body = dict[str, Any]
type Handler = Callable[[Mapping[str, Any], Any], dict[str, Any]]

REQUEST_ID = "JKJaXmPLvHcESHA="
DOMAIN = "abc123.execute-api.eu-central-1.amazonaws.com"
EVERY_SCOPE = (
    "orders:read orders:write trackings:read trackings:write webhooks:manage settings:manage operator"
)
TENANT = "acme"
BUCKET = "labels-test"
BODIES = "bodies-test"
FLOW = f"arn:aws:states:{REGION}:123456789012:stateMachine:order-flow"
REDRIVEN = {
    "inbox": "inbox",
    "labels": "labels",
    "deliveries": "deliveries",
    **{f"retries-{carrier}": f"retry-{carrier}" for carrier in registry.names()},
    **{f"batches-{carrier}": f"batch-{carrier}" for carrier in registry.names()},
}
"""The queue that each dead-letter queue's messages came from."""
NOT_REDRIVEN = ("changes", "order-flow", "sweep")
SHARED = ("tracking-polls",)
"""With messages of a queue, and others that came from none."""
ROUTES = {key: function_of(key) for key, route in routes.ROUTES.items() if route.tag}
"""The routes that clients use, and the function of each."""


class Context:
    """What Lambda tells a function of its invocation."""

    aws_request_id = "1f0c8a9e-0000-4000-8000-000000000001"
    function_name = "test"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:test"

    def get_remaining_time_in_millis(self) -> int:
        return 25_000


class Reply(NamedTuple):
    """An answer as the client has it."""

    status: int
    headers: dict[str, str]
    text: str

    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def code(self) -> str:
        """The code of a problem."""
        return str(self.json()["code"])

    @property
    def errors(self) -> dict[str, str]:
        """The codes of a problem's errors, by pointer."""
        return {error["pointer"]: error["code"] for error in self.json()["errors"]}


def api_event(
    route: str,
    *,
    body: bytes | str | object = None,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    tenant: str | None = TENANT,
    scopes: str = EVERY_SCOPE,
    encoded: bool = False,
    path_prefix: str = "",
    **parameters: str,
) -> Body:
    """An HTTP API event, payload format 2.0, with the authorizer's context; `tenant` None: a bad key."""
    method, _, path = route.partition(" ")
    for name, value in parameters.items():
        path = path.replace(f"{{{name}}}", value)
    path = path_prefix + path
    sent = {"host": DOMAIN, "x-forwarded-proto": "https"}
    context = (
        {"auth": "ok", "tenant": tenant, "key_id": "k1", "scopes": scopes} if tenant else {"auth": "invalid"}
    )
    event: Body = {
        "version": "2.0",
        "routeKey": route,
        "rawPath": path,
        "rawQueryString": urlencode(query or {}),
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abc123",
            "authorizer": {"lambda": context},
            "domainName": DOMAIN,
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"},
            "requestId": REQUEST_ID,
            "routeKey": route,
            "stage": "$default",
            "timeEpoch": 1795253400000,
        },
        "isBase64Encoded": False,
    }
    if body is not None:
        sent["content-type"] = "application/json"
        if not isinstance(body, bytes | str):
            body = json.dumps(body)
        if isinstance(body, bytes) or encoded:
            raw = body if isinstance(body, bytes) else body.encode()
            event |= {"body": base64.b64encode(raw).decode(), "isBase64Encoded": True}
        else:
            event["body"] = body
    if query:
        event["queryStringParameters"] = dict(query)
    if parameters:
        event["pathParameters"] = parameters
    event["headers"] = sent | {name.lower(): value for name, value in (headers or {}).items()}
    return event


def send(event: Mapping[str, Any], call: Callable[[Body], Body] | None = None) -> Reply:
    """Give an event to the function of its route, and hold the answer to the contract.

    `call` calls the function in place of the plain one.
    """
    route = event["routeKey"]
    if call is None:
        handler: Handler = import_module(f"functions.{ROUTES[route]}.handler").handler
        with observed_calls.running(ROUTES[route]):
            given = handler(json.loads(json.dumps(event)), Context())
    else:
        given = call(dict(event))
    return held_to_contract(route, given)


def held_to_contract(route: str, given: Body) -> Reply:
    """Hold what the function of a route gave to the contract; the answer as the client has it."""
    json.dumps(given)
    assert given["isBase64Encoded"] is False
    reply = Reply(given["statusCode"], given["headers"], given["body"])
    assert all(name == name.lower() and isinstance(value, str) for name, value in reply.headers.items())
    assert "Traceback" not in reply.text
    _hold_to_contract(route, reply)
    return reply


def call(route: str, **more: Any) -> Reply:
    """Make an event (see `api_event`) and send it."""
    return send(api_event(route, **more))


def order_body(reference: str = "shop-17", **changes: Any) -> Body:
    """A good LSO order; `changes` replace fields of its top level."""
    return {
        "carrier": "lso",
        "service": "GroundBasic",
        "reference": reference,
        "ship_to": {
            "name": "Ada Byrd",
            "company": "Byrd Tools",
            "phone": "512-555-0142",
            "line1": "401 Congress Ave",
            "city": "Austin",
            "state": "Texas",
            "postcode": "78701",
            "country": "US",
        },
        "parcels": [a_box()],
    } | changes


def a_box(**changes: Any) -> Body:
    """A parcel that LSO takes."""
    return {
        "weight": {"value": 264, "unit": "g"},
        "dimensions": {"length": 12, "width": 9, "height": 4, "unit": "in"},
    } | changes


class Backend:
    """What the functions stand on, and a look into it."""

    def __init__(self, made: Mapping[str, Any]) -> None:
        self._made = dict(made)
        self._earlier: set[str] = set()
        self.dynamodb = made["dynamodb"]
        self.table = Table(self.dynamodb, TABLE_NAME)
        self.events = EventsTable(self.dynamodb, EVENTS_TABLE_NAME)

    def tenant(self, name: str = TENANT) -> TenantTable:
        return self.table.tenant(name)

    def order(self, order_id: str, tenant: str = TENANT) -> Order:
        return self.tenant(tenant).orders.get(order_id)

    def put(self, order: Order, event: OrderEvent) -> Order:
        self.tenant(order.tenant).orders.add(order, event)
        return order

    def stored(self, kind: str = "order") -> list[Body]:
        """Every item of a kind."""
        return [item for item in all_items(self.dynamodb) if item.get("type", {}).get("S") == kind]

    def executions(self) -> list[str]:
        """The names of the workflows that were started."""
        listed = self._made["stepfunctions"].list_executions(stateMachineArn=FLOW)["executions"]
        return [execution["name"] for execution in listed if execution["name"] not in self._earlier]

    def execution_input(self, name: str) -> str:
        """What a workflow began with."""
        arn = f"{FLOW.replace(':stateMachine:', ':execution:')}:{name}"
        return str(self._made["stepfunctions"].describe_execution(executionArn=arn)["input"])

    def retry_messages(self) -> list[Body]:
        """What lies in LSO's retry queue, also what is not to be seen yet."""
        return [json.loads(message.body) for message in messages()]

    def nudges(self) -> list[Body]:
        """What lies in the queue of nudged parcels."""
        return [json.loads(message.body) for message in messages("nudges")]

    def batch_messages(self) -> list[Body]:
        """What lies in the carriers' batch queues."""
        return [json.loads(one.body) for carrier in registry.names() for one in messages(f"batch-{carrier}")]

    def print_messages(self) -> list[str]:
        """What lies in the queue of label documents."""
        return [str(message.body) for message in messages("prints")]

    def delivery_messages(self) -> list[Body]:
        """What lies in the queue of events on their way to endpoints."""
        return [json.loads(message.body) for message in messages("deliveries")]

    def bodies(self) -> dict[str, bytes]:
        """The bodies of batches that are kept, by their keys."""
        listed = self._made["s3"].list_objects_v2(Bucket=BODIES).get("Contents", [])
        keys = [one["Key"] for one in listed]
        return {key: self._made["s3"].get_object(Bucket=BODIES, Key=key)["Body"].read() for key in keys}

    def tidy(self) -> None:
        """Make it as it was."""
        for service, client in self._made.items():
            aws_clients.put(service, client)
        for table in (TABLE_NAME, EVENTS_TABLE_NAME):
            for item in all_items(self.dynamodb, table):
                self.dynamodb.delete_item(TableName=table, Key={"pk": item["pk"], "sk": item["sk"]})
        for queue in (
            *REDRIVEN.values(),
            "prints",
            "nudges",
            *(f"letters-{name}" for name in (*REDRIVEN, *NOT_REDRIVEN, *SHARED)),
        ):
            messages(queue).clear()
        for key in self.bodies():
            self._made["s3"].delete_object(Bucket=BODIES, Key=key)
        self._earlier |= set(self.executions())
        runtime.reset()


@pytest.fixture(scope="module")
def shared_backend() -> Iterator[Backend]:
    """Everything that the functions need of AWS, in memory; made once for each module of tests."""
    with aws(), pytest.MonkeyPatch.context() as patch:
        made = {
            name: aws_clients.client(name)  # type: ignore[call-overload]
            for name in ("dynamodb", "events", "kms", "s3", "secretsmanager", "sqs", "stepfunctions")
        }
        made["dynamodb"] = Observed(FastDynamoDB(made["dynamodb"]))
        create_table(made["dynamodb"])
        create_events_table(made["dynamodb"])
        secret = {
            "credentials": {"app_id": "app-7", "app_secret": "made-up"},
            "base_url": "https://lso.example",
        }
        for tenant in (TENANT, "other"):
            made["secretsmanager"].create_secret(
                Name=f"parcelgate/{tenant}/lso/default", SecretString=json.dumps(secret)
            )
        for tenant, account in ((TENANT, "default"), (TENANT, "second"), ("other", "default")):
            made["secretsmanager"].create_secret(
                Name=f"parcelgate/{tenant}/trackingmore/{account}", SecretString='{"credentials": {}}'
            )
        made["stepfunctions"].create_state_machine(
            name="order-flow",
            definition='{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}',
            roleArn="arn:aws:iam::123456789012:role/flow",
        )
        queue = made["sqs"].create_queue(QueueName="retry-lso")["QueueUrl"]
        nudges = made["sqs"].create_queue(QueueName="nudges")["QueueUrl"]
        made["events"].create_event_bus(Name="events")
        deliveries = made["sqs"].create_queue(QueueName="deliveries")["QueueUrl"]
        batches_of = {
            name: made["sqs"].create_queue(QueueName=f"batch-{name}")["QueueUrl"] for name in registry.names()
        }
        letters = {name: f"letters-{name}" for name in (*REDRIVEN, *NOT_REDRIVEN, *SHARED)}
        urls = {
            name: made["sqs"].create_queue(QueueName=queue)["QueueUrl"] for name, queue in letters.items()
        }
        for name in ("inbox", "labels"):
            made["sqs"].create_queue(QueueName=name)
        for name in registry.names():
            made["sqs"].create_queue(QueueName=f"retry-{name}")
        made["s3"].create_bucket(
            Bucket=BODIES, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
        prints = made["sqs"].create_queue(QueueName="prints")["QueueUrl"]
        settings = {
            "PARCELGATE_TABLE": TABLE_NAME,
            "PARCELGATE_EVENTS_TABLE": EVENTS_TABLE_NAME,
            "PARCELGATE_LIMITS_TABLE": TABLE_NAME,
            "PARCELGATE_ORDER_FLOW_ARN": FLOW,
            "PARCELGATE_LABEL_BUCKET": BUCKET,
            "PARCELGATE_BATCH_BUCKET": BODIES,
            "PARCELGATE_BATCH_QUEUE_URLS": json.dumps(batches_of),
            "PARCELGATE_RETRY_QUEUE_URLS": json.dumps({"lso": queue}),
            "PARCELGATE_PRINT_QUEUE_URL": prints,
            "PARCELGATE_POLL_QUEUE_URL": nudges,
            "PARCELGATE_DEAD_LETTER_QUEUES": json.dumps(letters),
            "PARCELGATE_REDRIVE_QUEUES": json.dumps(REDRIVEN | dict.fromkeys(SHARED, "")),
            "PARCELGATE_INBOX_DEAD_LETTER_URL": urls["inbox"],
            "PARCELGATE_DELIVERY_QUEUE_URL": deliveries,
            "PARCELGATE_EVENT_BUS": "events",
            "PARCELGATE_KMS_KEY": made["kms"].create_key()["KeyMetadata"]["Arn"],
            "POWERTOOLS_METRICS_NAMESPACE": "Parcelgate",
        }
        for name, value in settings.items():
            patch.setenv(name, value)
        yield Backend(made)


@pytest.fixture
def backend(shared_backend: Backend) -> Iterator[Backend]:
    """The shared backend, with nothing of an earlier test in it."""
    shared_backend.tidy()
    yield shared_backend
    shared_backend.tidy()


@pytest.fixture
def logged(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """All that was logged and counted so far."""
    stream = io.StringIO()
    handler = log.registered_handler
    before = handler.setStream(stream)
    yield lambda: stream.getvalue() + capsys.readouterr().out
    if before is not None:
        handler.setStream(before)


def messages(queue: str = "retry-lso") -> list[Any]:
    """The messages in a queue: moto's own list, as only one purge a minute is allowed."""
    messages: list[Any] = sqs_backends["123456789012"][REGION].queues[queue]._messages
    return messages


@cache
def openapi_document() -> Body:
    """The OpenAPI document, made once."""
    return document()


@cache
def _validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator({**json.loads(schema), "components": openapi_document()["components"]})


def _hold_to_contract(route: str, reply: Reply) -> None:
    method, _, path = route.partition(" ")
    described = openapi_document()["paths"][path][method.lower()]["responses"]
    assert str(reply.status) in described, f"{route} does not say that it answers {reply.status}"
    answer = described[str(reply.status)]
    if "$ref" in answer:
        answer = openapi_document()["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    if "content" not in answer:
        return
    kind = reply.headers["content-type"].partition(";")[0]
    assert kind in answer["content"], f"{route} does not say that it answers {kind}"
    if kind.endswith("json"):
        _validator(json.dumps(answer["content"][kind]["schema"])).validate(reply.json())
    for name in answer.get("headers", {}):
        assert name != "Location" or "location" in reply.headers
