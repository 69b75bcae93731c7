"""Promise 10 on the running stack: under its own role each function is refused what it must not do.

The table of what each may do is `tests/infra/permissions.py`. Here every role is really taken, and tries
things that functions do. None of the calls leaves a trace: what would be allowed names things that are not
there, or is not tried.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local.command.deployment import Deployment
from local.stack.emulator import REGION
from local.stack.stack import Stack
from parcelgate.store.limits import DOWN, LOGINS
from tests.infra.permissions import MAY

NOBODY = {"pk": {"S": "T#nobody#NOTHING"}, "sk": {"S": "NOTHING"}}
DENIED = {"AccessDenied", "AccessDeniedException", "403", "AuthorizationError"}


class Try(NamedTuple):
    """One thing that some functions may do: on what, which action, and a call of it."""

    thing: str
    action: str
    call: Callable[["Hands"], object]
    harmless: bool = True
    """Whether it may be tried by those who may do it."""


_session = boto3.Session(region_name=REGION)


class Hands:
    """The AWS clients of somebody with one role."""

    def __init__(self, stack: Stack, credentials: dict[str, Any], outputs: dict[str, str]) -> None:
        self._given = {
            "endpoint_url": stack.aws_endpoint_url,
            "aws_access_key_id": credentials["AccessKeyId"],
            "aws_secret_access_key": credentials["SecretAccessKey"],
            "aws_session_token": credentials["SessionToken"],
            "config": Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
        }
        self._clients: dict[str, Any] = {}
        self.outputs = outputs

    def __call__(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = _session.client(service, **self._given)  # type: ignore[call-overload]
        return self._clients[service]


def on_table(table: str, operation: str, **more: Any) -> Callable[[Hands], object]:
    """A call of DynamoDB that changes nothing: its condition does not hold."""

    def call(hands: Hands) -> object:
        name = hands.outputs[table]
        return getattr(hands("dynamodb"), operation)(TableName=name, **more)

    return call


_KEY, _NOT_THERE = {"Key": NOBODY}, {"ConditionExpression": "attribute_exists(pk)"}
_LOGIN = {**NOBODY, "pk": {"S": f"{LOGINS}nobody"}}
"""Those who count the calls of logins alone may write no other."""
_OF_DOWN = {
    "KeyConditionExpression": "pk = :pk",
    "ExpressionAttributeValues": {":pk": {"S": DOWN}},
}
TRIES = [
    Try("table", "dynamodb:GetItem", on_table("TableName", "get_item", **_KEY)),
    Try("table", "dynamodb:PutItem", on_table("TableName", "put_item", Item=NOBODY, **_NOT_THERE)),
    Try("table", "dynamodb:DeleteItem", on_table("TableName", "delete_item", **_KEY)),
    Try("table", "dynamodb:Query", on_table("TableName", "query", **_OF_DOWN)),
    Try("table", "dynamodb:Scan", on_table("TableName", "scan", Limit=1)),
    Try("events table", "dynamodb:GetItem", on_table("EventsTableName", "get_item", **_KEY)),
    Try(
        "events table", "dynamodb:PutItem", on_table("EventsTableName", "put_item", Item=NOBODY, **_NOT_THERE)
    ),
    Try(
        "usage table",
        "dynamodb:UpdateItem",
        on_table(
            "UsageTableName",
            "update_item",
            Key=_LOGIN,
            **_NOT_THERE,
            UpdateExpression="SET a = :a",
            ExpressionAttributeValues={":a": {"N": "1"}},
        ),
    ),
    Try("usage table", "dynamodb:GetItem", on_table("UsageTableName", "get_item", **_KEY)),
    Try(
        "accounts",
        "secretsmanager:GetSecretValue",
        lambda hands: hands("secretsmanager").get_secret_value(
            SecretId=f"{hands.outputs['SecretPrefix']}/demo/lme/default"
        ),
    ),
    Try(
        "key",
        "kms:Decrypt",
        lambda hands: hands("kms").decrypt(CiphertextBlob=b"nothing", KeyId=hands.outputs["KeyArn"]),
    ),
    Try(
        "labels",
        "s3:PutObject",
        lambda hands: hands("s3").put_object(Bucket=hands.outputs["LabelBucket"], Key="nobody/none"),
        harmless=False,
    ),
    Try(
        "inbox queue",
        "sqs:SendMessage",
        lambda hands: hands("sqs").send_message(QueueUrl=hands.outputs["InboxQueueUrl"], MessageBody="{}"),
        harmless=False,
    ),
    Try(
        "retry queue",
        "sqs:SendMessage",
        lambda hands: hands("sqs").send_message(QueueUrl=hands.outputs["RetryQueueUrlLme"], MessageBody="{}"),
        harmless=False,
    ),
    Try(
        "order flow",
        "states:StartExecution",
        lambda hands: hands("stepfunctions").start_execution(stateMachineArn=hands.outputs["OrderFlowArn"]),
        harmless=False,
    ),
    Try(
        "event bus",
        "events:PutEvents",
        lambda hands: hands("events").put_events(
            Entries=[
                {
                    "EventBusName": hands.outputs["EventBus"],
                    "Source": "nobody",
                    "DetailType": "none",
                    "Detail": "{}",
                }
            ]
        ),
        harmless=False,
    ),
]


@pytest.fixture(scope="module")
def roles(stack: Stack, deployment: Deployment) -> dict[str, Hands]:
    """Each function's role, taken."""
    pages = deployment.client("lambda").get_paginator("list_functions").paginate()
    functions = [each for page in pages for each in page["Functions"]]
    sts = deployment.client("sts")
    taken = {}
    for each in functions:
        credentials = sts.assume_role(RoleArn=each["Role"], RoleSessionName="least-privilege")["Credentials"]
        name = each["FunctionName"].rpartition("-")[2]
        taken[name] = Hands(stack, credentials, deployment.outputs)
    return taken


def is_refused(hands: Hands, one: Try) -> bool:
    """Whether AWS refuses the call, and not what is called."""
    try:
        one.call(hands)
    except ClientError as error:
        return error.response["Error"]["Code"] in DENIED
    return False


def may(function: str, one: Try) -> bool:
    """Whether the table says that the function may do it."""
    return one.action in MAY[function].get(one.thing, set())


def test_each_function_is_refused_what_its_role_lacks_and_can_do_the_rest(roles: dict[str, Hands]) -> None:
    assert set(roles) == set(MAY)
    wrong, refused = [], dict.fromkeys(MAY, 0)
    for function, hands in roles.items():
        for one in TRIES:
            if may(function, one) and not one.harmless:
                continue
            was_refused = is_refused(hands, one)
            refused[function] += was_refused
            if was_refused is may(function, one):
                wrong.append((function, one.thing, one.action, "refused" if was_refused else "allowed"))
    assert wrong == []
    assert min(refused.values()) >= 3, "each is refused something that others may"
