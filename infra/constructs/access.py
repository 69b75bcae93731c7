"""Access of functions to resources: permissions and addresses, and reasons why a rule does not apply."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aws_cdk import Acknowledgment, Stack, Validations
from aws_cdk import aws_iam as iam
from constructs import Construct, IConstruct

from infra.settings import Settings

UNTRACED = "A setting switches traces off, to save their cost."
"""Why rules about traces do not hold where there are none."""
JOINS_TRACES = "What no client calls joins the trace of who calls it, and begins none: X-Ray bills each."
"""Why they do not hold for workers."""


@dataclass(frozen=True)
class Access:
    """Permission for some operations on a resource, and the variables by which a function finds it.

    `because` says why a resource is named by a pattern, where one is. `calls_carriers` says that who has it
    calls carriers with it.
    """

    statements: tuple[iam.PolicyStatement, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    because: str | None = None
    calls_carriers: bool = False


def access(*statements: iam.PolicyStatement, because: str | None = None, **environment: str) -> Access:
    """`environment` without the prefix that all our variables have: `TABLE` for `PARCELGATE_TABLE`."""
    return Access(statements, {f"PARCELGATE_{name}": value for name, value in environment.items()}, because)


def allow(*actions: str, on: str | list[str]) -> iam.PolicyStatement:
    """Allow exactly `actions` on exactly these resources."""
    return iam.PolicyStatement(actions=list(actions), resources=[on] if isinstance(on, str) else on)


def allow_batches(queue_arn: str, *, settings: Settings) -> iam.PolicyStatement:
    """Allow sending to a queue, many messages in one call too.

    On AWS one action covers both; the emulator wants the second by its own name.
    """
    batch = ("sqs:SendMessageBatch",) if settings.local else ()
    return allow("sqs:SendMessage", *batch, on=queue_arn)


def account_arn(scope: Construct, service: str, resource: str) -> str:
    """The ARN of a thing of this account and region, which may not exist yet."""
    stack = Stack.of(scope)
    return f"arn:{stack.partition}:{service}:{stack.region}:{stack.account}:{resource}"


def acknowledge(scope: IConstruct, reason: str, *rules: str) -> None:
    """Say why `rules` of cdk-nag do not hold for `scope` and everything in it."""
    Validations.of(scope).acknowledge(*(Acknowledgment(id=rule, reason=reason) for rule in rules))


def acknowledge_patterns(role: iam.Role, given: Access) -> None:
    """Say of each resource that `given` names by a pattern why it does, one finding at a time."""
    for statement in given.statements:
        for resource in statement.resources:
            name = _as_written(Stack.of(role).resolve(resource))
            if given.because and "*" in name:
                acknowledge(role, given.because, f"AwsSolutions-IAM5[Resource::{name}]")


def _as_written(value: Any) -> str:
    """A resolved ARN in the words of cdk-nag: `<Bucket.Arn>/*`."""
    match value:
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(map(_as_written, parts))
        case {"Fn::GetAtt": [thing, attribute]}:
            return f"<{thing}.{attribute}>"
        case {"Ref": thing}:
            return f"<{thing}>"
        case _:
            return str(value)
