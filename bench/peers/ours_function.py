"""Parcelgate's whole function `create_order`: key, limits, idempotency, the stored order, the carrier."""

import itertools
import json
import os
from typing import Any

os.environ |= {
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "POWERTOOLS_METRICS_NAMESPACE": "Parcelgate",
    "POWERTOOLS_SERVICE_NAME": "create_order",
    "PARCELGATE_TABLE": "table",
    "PARCELGATE_USAGE_TABLE": "usage",
    "PARCELGATE_SECRET_PREFIX": "parcelgate/bench",
    "PARCELGATE_REQUESTS_A_MINUTE": "1000000",
    "PARCELGATE_ORDERS_A_MINUTE": "1000000",
    "PARCELGATE_BATCHES_A_MINUTE": "1000000",
    "PARCELGATE_REFRESHES_A_MINUTE": "1000000",
}

from bench.peers.requests import ANSWER, BODY, Context, answered
from functions.create_order.handler import handler
from parcelgate.aws_clients import client
from parcelgate.carriers.toolkit.calls import Request, Response
from parcelgate.runtime import runtime

_ACCOUNT = {
    "base_url": "https://ubi.example",
    "credentials": {"token": "made-up-token", "secret": "made-up-secret"},
}
_numbers = itertools.count(1)


class _Stub:
    def send(self, _: Request) -> Response:
        return Response(status=200, body=ANSWER)


def _answer(operation: str, body: dict[str, Any]) -> dict[str, Any]:
    if operation == "GetSecretValue":
        return {"Name": body["SecretId"], "SecretString": json.dumps(_ACCOUNT)}
    if operation == "UpdateItem" and body.get("ReturnValues") == "ALL_NEW":
        return {"Attributes": body["Key"]}
    return {}


def _event(number: int) -> dict[str, Any]:
    authorizer = {"auth": "ok", "tenant": "acme", "key_id": "k1", "scopes": "orders:write"}
    return {
        "version": "2.0",
        "routeKey": "POST /v1/orders",
        "rawPath": "/v1/orders",
        "rawQueryString": "",
        "headers": {
            "host": "abc123.execute-api.us-east-1.amazonaws.com",
            "content-type": "application/json",
            "idempotency-key": f"bench-{number}",
            "x-forwarded-proto": "https",
        },
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abc123",
            "authorizer": {"lambda": authorizer},
            "domainName": "abc123.execute-api.us-east-1.amazonaws.com",
            "http": {"method": "POST", "path": "/v1/orders", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"},
            "requestId": f"request-{number}",
            "routeKey": "POST /v1/orders",
            "stage": "$default",
            "timeEpoch": 1795253400000,
        },
        "body": BODY,
        "isBase64Encoded": False,
    }


def once() -> str:
    """Answer one request, with an Idempotency-Key of its own."""
    reply = handler(_event(next(_numbers)), Context())
    if reply["statusCode"] != 201:
        raise ValueError(reply)
    return str(reply["body"])


runtime.use(transport=lambda _: _Stub())
for _service in ("dynamodb", "secretsmanager"):
    answered(client(_service), _answer)
