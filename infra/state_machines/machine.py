"""The one place that makes a state machine: its own role, traces, and logs without the data of executions."""

import json
from collections.abc import Sequence
from typing import Any

from aws_cdk import RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.constructs.access import UNTRACED, acknowledge, allow
from infra.settings import Settings


def state_machine(
    scope: Construct,
    *,
    settings: Settings,
    name: str,
    kind: sfn.StateMachineType,
    definition: dict[str, Any],
    functions: Sequence[lambda_.Function],
) -> sfn.StateMachine:
    """Make the state machine of that name in `scope`; it may call `functions`, and nothing else."""
    log_group = logs.LogGroup(
        scope,
        "Logs",
        log_group_name=f"/aws/vendedlogs/states/{settings.name(name)}",
        retention=logs.RetentionDays[settings.log_retention],
        removal_policy=RemovalPolicy.DESTROY,
    )
    arns = [function.function_arn for function in functions]
    role = iam.Role(
        scope,
        "Role",
        assumed_by=iam.ServicePrincipal("states.amazonaws.com"),
        inline_policies={"states": iam.PolicyDocument(statements=[allow("lambda:InvokeFunction", on=arns)])},
    )
    machine = sfn.StateMachine(
        scope,
        "Machine",
        state_machine_name=settings.name(name),
        state_machine_type=kind,
        # Not through CDK's own JSON: it loses nulls, and with them every `"ResultPath": null`.
        definition_body=sfn.DefinitionBody.from_string(json.dumps(definition)),
        role=role,
        tracing_enabled=bool(settings.traces),
        logs=sfn.LogOptions(destination=log_group, level=sfn.LogLevel.ALL, include_execution_data=False),
    )
    acknowledge(
        role,
        "X-Ray and the delivery of logs have no resources to name.",
        "AwsSolutions-IAM5[Resource::*]",
    )
    if not settings.traces:
        acknowledge(machine, UNTRACED, "AwsSolutions-SF2", "Serverless-StepFunctionStateMachineXray")
    return machine
