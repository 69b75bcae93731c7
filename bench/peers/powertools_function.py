"""A create function in the manner of aws-lambda-handler-cookbook, written for this comparison.

The cookbook (public, by Ran Isenberg) is no package, so this is not its code: it is a function of the same
libraries and the same steps. A resolver with validation, typed environment variables,
the logger with the whole event, the tracer switched off, the idempotency of Powertools (two calls of
DynamoDB) and one `put_item` by boto3's resource. It stores an order of two fields and calls no carrier.
"""

import itertools
import json
import os
import uuid
from typing import Annotated, Any

os.environ |= {
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "POWERTOOLS_SERVICE_NAME": "orders",
    "POWERTOOLS_TRACE_DISABLED": "true",
    "POWERTOOLS_METRICS_NAMESPACE": "orders",
    "TABLE_NAME": "orders",
    "IDEMPOTENCY_TABLE_NAME": "idempotency",
}

import boto3
from aws_lambda_env_modeler import get_environment_variables, init_environment_variables
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.event_handler.openapi.params import Body
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.idempotency.serialization.pydantic import PydanticSerializer
from cachetools import TTLCache, cached
from pydantic import BaseModel, Field, PositiveInt

from bench.peers.requests import Context, answered

logger = Logger()
tracer = Tracer()
metrics = Metrics()
app = APIGatewayRestResolver(enable_validation=True)
_numbers = itertools.count(1)


class Environment(BaseModel):
    """The function's variables."""

    TABLE_NAME: Annotated[str, Field(min_length=1)]
    IDEMPOTENCY_TABLE_NAME: Annotated[str, Field(min_length=1)]


class OrderRequest(BaseModel):
    """What a client sends."""

    customer_name: Annotated[str, Field(min_length=1, max_length=20)]
    order_item_count: PositiveInt


class Order(BaseModel):
    """What is stored and shown."""

    id: str
    name: str
    item_count: int


RESOURCE = boto3.resource("dynamodb")
CLIENT = boto3.client("dynamodb")
LAYER = DynamoDBPersistenceLayer(
    table_name=get_environment_variables(model=Environment).IDEMPOTENCY_TABLE_NAME, boto3_client=CLIENT
)
CONFIG = IdempotencyConfig(expires_after_seconds=300)


@cached(cache=TTLCache(maxsize=1, ttl=300))
def _table(name: str) -> Any:
    return RESOURCE.Table(name)


@idempotent_function(
    data_keyword_argument="request",
    config=CONFIG,
    persistence_store=LAYER,
    output_serializer=PydanticSerializer,
)
@tracer.capture_method(capture_response=False)
def _create(request: OrderRequest, table_name: str) -> Order:
    order = Order(id=str(uuid.uuid4()), name=request.customer_name, item_count=request.order_item_count)
    logger.info("saving an order", extra={"order_id": order.id})
    _table(table_name).put_item(Item=order.model_dump())
    return order


@app.post("/api/orders/")
def _post(request: Annotated[OrderRequest, Body(embed=False, media_type="application/json")]) -> Order:
    variables = get_environment_variables(model=Environment)
    logger.info("got a create request", extra={"order": request.model_dump()})
    metrics.add_metric(name="ValidCreateOrderEvents", unit=MetricUnit.Count, value=1)
    order = _create(request=request, table_name=variables.TABLE_NAME)
    logger.info("finished a create request")
    return order


@init_environment_variables(model=Environment)
@logger.inject_lambda_context(log_event=True)
@metrics.log_metrics
@tracer.capture_lambda_handler(capture_response=False)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer a client."""
    CONFIG.register_lambda_context(context)
    return app.resolve(event, context)


def _event(number: int) -> dict[str, Any]:
    return {
        "resource": "/api/orders/",
        "path": "/api/orders/",
        "httpMethod": "POST",
        "headers": {"content-type": "application/json", "host": "abc123.execute-api.us-east-1.amazonaws.com"},
        "multiValueHeaders": {"content-type": ["application/json"]},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abc123",
            "httpMethod": "POST",
            "path": "/api/orders/",
            "requestId": f"request-{number}",
            "resourcePath": "/api/orders/",
            "stage": "prod",
            "identity": {"sourceIp": "192.0.2.1"},
        },
        "body": json.dumps({"customer_name": f"Corrie {number}", "order_item_count": 1}),
        "isBase64Encoded": False,
    }


def once() -> str:
    """Answer one request, which no other one repeats."""
    reply = handler(_event(next(_numbers)), Context())
    if reply["statusCode"] != 200:
        raise ValueError(reply)
    return str(reply["body"])


for _client in (CLIENT, RESOURCE.meta.client):
    answered(_client, lambda *_: {})
