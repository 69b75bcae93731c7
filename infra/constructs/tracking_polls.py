"""Tracking polls: who asks carriers about parcels that are due, and the queue of those nudged meanwhile."""

import json

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.constructs.accounts import account_access
from infra.constructs.function import Functions
from infra.constructs.policy import Access, access, acknowledge, allow
from infra.constructs.queues import DeadLetters, WorkQueue
from infra.constructs.store import DUE, Store
from infra.settings import Settings
from infra.tracking_poll import definition

_TOGETHER = 200
"""Nudged parcels that are asked about together, at most."""
_WINDOW = Duration.seconds(3)
"""How long the first of them waits for the others."""
_RECEIVES = 20
"""A parcel that another worker is asking about comes again until that one is done, or known to be dead."""


class TrackingPolls(Construct):
    """The queue of nudged parcels, the functions that ask, and the schedule of the rounds."""

    def __init__(self, scope: Construct, id: str, *, settings: Settings) -> None:
        super().__init__(scope, id)
        self._settings = settings
        self.nudged = WorkQueue(self, "Nudged", settings=settings, worker="poll_nudged", receives=_RECEIVES)
        self.dead_letters = DeadLetters(self, "DeadLetters", settings=settings)

    def nudge_access(self) -> Access:
        """Having a parcel asked about at once."""
        queue = self.nudged.queue
        return access(allow("sqs:SendMessage", on=queue.queue_arn), POLL_QUEUE_URL=queue.queue_url)

    def pace(self) -> Access:
        """Planning the next poll."""
        return access(POLL_PACE=str(self._settings.poll_pace))

    def work_off(self, functions: Functions, *, store: Store) -> None:
        """Make the functions that ask, and have them called."""
        settings = self._settings
        operations = ("GetItem", "BatchGetItem", "PutItem", "UpdateItem", "DeleteItem")
        carriers = (
            store.key_access(),
            account_access(self, settings),
            self.pace(),
        )
        queue = self.nudged.queue
        nudged = functions.add(
            "poll_nudged",
            store.access(*operations),
            self.nudged.work_access(),
            access(allow("sqs:ChangeMessageVisibility", on=queue.queue_arn), POLL_QUEUE_URL=queue.queue_url),
            *carriers,
        )
        self.nudged.feed(nudged, batch_size=_TOGETHER, concurrency=settings.poll_concurrency, window=_WINDOW)
        self.function = functions.add(
            "poll_trackings",
            store.access(*operations, query=[DUE]),
            access(POLL_ROUND=str(settings.poll_round)),
            *carriers,
        )
        self.machine = self._make_machine(self.function)
        self._schedule(self.machine)

    def _make_machine(self, function: lambda_.Function) -> sfn.StateMachine:
        settings = self._settings
        log_group = logs.LogGroup(
            self,
            "Logs",
            log_group_name=f"/aws/vendedlogs/states/{settings.name('tracking-poll')}",
            retention=logs.RetentionDays[settings.log_retention],
            removal_policy=RemovalPolicy.DESTROY,
        )
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("states.amazonaws.com"),
            inline_policies={
                "states": iam.PolicyDocument(
                    statements=[allow("lambda:InvokeFunction", on=function.function_arn)]
                )
            },
        )
        machine = sfn.StateMachine(
            self,
            "Machine",
            state_machine_name=settings.name("tracking-poll"),
            # A round is short, and one that is cut off or runs twice does no harm: nobody need remember it.
            state_machine_type=sfn.StateMachineType.EXPRESS,
            # Not through CDK's own JSON: it loses nulls, and with them every `"ResultPath": null`.
            definition_body=sfn.DefinitionBody.from_string(
                json.dumps(definition(settings, function.function_arn))
            ),
            role=role,
            tracing_enabled=True,
            logs=sfn.LogOptions(destination=log_group, level=sfn.LogLevel.ALL, include_execution_data=False),
        )
        acknowledge(
            role,
            "X-Ray and the delivery of logs have no resources to name.",
            "AwsSolutions-IAM5[Resource::*]",
        )
        return machine

    def _schedule(self, machine: sfn.StateMachine) -> None:
        settings = self._settings
        role = iam.Role(
            self,
            "SchedulerRole",
            assumed_by=iam.ServicePrincipal(
                "scheduler.amazonaws.com",
                conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
            ),
            inline_policies={
                "polls": iam.PolicyDocument(
                    statements=[
                        allow("states:StartExecution", on=machine.state_machine_arn),
                        allow("sqs:SendMessage", on=self.dead_letters.queue_arn),
                    ]
                )
            },
        )
        unit = "minute" if settings.poll_minutes == 1 else "minutes"
        scheduler.CfnSchedule(
            self,
            "Schedule",
            name=settings.name("tracking-poll"),
            description="Asks carriers about the parcels that are due",
            schedule_expression=f"rate({settings.poll_minutes} {unit})",
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            target=scheduler.CfnSchedule.TargetProperty(
                arn=machine.state_machine_arn,
                role_arn=role.role_arn,
                input="{}",
                dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(
                    arn=self.dead_letters.queue_arn
                ),
                retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                    maximum_event_age_in_seconds=60 * settings.poll_minutes, maximum_retry_attempts=2
                ),
            ),
        )
