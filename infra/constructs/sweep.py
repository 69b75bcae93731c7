"""The sweep: every few minutes one function looks for whatever is overdue."""

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

from infra.constructs.carrier_queues import CarrierQueues
from infra.constructs.function import Functions
from infra.constructs.order_flow import order_flow_access, timings
from infra.constructs.policy import acknowledge, allow
from infra.constructs.queues import DeadLetters
from infra.constructs.store import DUE, Store
from infra.constructs.webhooks import Inbox
from infra.settings import Settings


class Sweep(Construct):
    """The function and its schedule. A run that fails is not tried again: the next one does its work."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        settings: Settings,
        functions: Functions,
        store: Store,
        inbox: Inbox,
        carrier_queues: CarrierQueues,
    ) -> None:
        super().__init__(scope, id)
        self.function = functions.add(
            "sweep",
            store.access("GetItem", "PutItem", "UpdateItem", query=[DUE]),
            order_flow_access(self, settings, "StartExecution", "DescribeExecution"),
            inbox.send_access(),
            carrier_queues.send_access(),
            timings(settings),
            retry_attempts=0,
        )
        acknowledge(
            self.function,
            "The next run does the work of a failed one.",
            "Serverless-LambdaAsyncFailureDestination",
        )
        self.dead_letters = DeadLetters(self, "DeadLetters", settings=settings)
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal(
                "scheduler.amazonaws.com",
                conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
            ),
            inline_policies={
                "sweep": iam.PolicyDocument(
                    statements=[
                        allow("lambda:InvokeFunction", on=self.function.function_arn),
                        allow("sqs:SendMessage", on=self.dead_letters.queue_arn),
                    ]
                )
            },
        )
        unit = "minute" if settings.sweep_minutes == 1 else "minutes"
        scheduler.CfnSchedule(
            self,
            "Schedule",
            name=settings.name("sweep"),
            description="Looks for whatever is overdue",
            schedule_expression=f"rate({settings.sweep_minutes} {unit})",
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            target=scheduler.CfnSchedule.TargetProperty(
                arn=self.function.function_arn,
                role_arn=role.role_arn,
                input="{}",
                dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(
                    arn=self.dead_letters.queue_arn
                ),
                retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                    maximum_event_age_in_seconds=60 * settings.sweep_minutes, maximum_retry_attempts=2
                ),
            ),
        )
