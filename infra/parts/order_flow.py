"""The order flow's state machine, the functions of its states, and the backstop."""

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.constructs.access import access, acknowledge, allow
from infra.constructs.queue_worker import DeadLetterQueue
from infra.parts.foundation import Foundation
from infra.parts.labels import Labels
from infra.state_machines.machine import state_machine
from infra.state_machines.order_flow import definition


class OrderFlow(Construct):
    """The state machine, the functions of its states, and the backstop for executions that break."""

    def __init__(
        self, scope: Construct, id: str, base: Foundation, *, labels: Labels, webhook_base_url: str
    ) -> None:
        super().__init__(scope, id)
        store, functions = base.store, base.functions
        self.dead_letters = DeadLetterQueue(self, "DeadLetters")
        carrier = (base.account_access(), store.key_access(), base.timings())
        states = [
            functions.add(
                "submit_order",
                store.access("GetItem", "PutItem", "UpdateItem", "DeleteItem"),
                *carrier,
                base.order_flow_access("SendTaskFailure", "SendTaskHeartbeat"),
                access(WEBHOOK_BASE_URL=webhook_base_url),
                # Lambda must never submit an order a second time by itself.
                retry_attempts=0,
            ),
            functions.add(
                "check_order",
                store.access("GetItem", "PutItem", "UpdateItem"),
                *carrier,
                labels.access("PutObject"),
            ),
            functions.add(
                "fetch_label",
                store.access("GetItem", "PutItem", "UpdateItem"),
                *carrier,
                labels.access("PutObject"),
            ),
            functions.add(
                "compensate_order", store.access("GetItem", "PutItem", "UpdateItem", "DeleteItem"), *carrier
            ),
            functions.add("escalate_order", store.access("GetItem", "PutItem"), base.timings()),
        ]
        acknowledge(
            states[0],
            "The state machine sees every failure of it.",
            "Serverless-LambdaAsyncFailureDestination",
        )
        arns = {name: function.function_arn for name, function in functions.by_name.items()}
        self.machine = state_machine(
            self,
            settings=base.settings,
            name="order-flow",
            kind=sfn.StateMachineType.STANDARD,
            definition=definition(base.settings, arns),
            functions=states,
        )
        self._make_backstop(base)

    def _make_backstop(self, base: Foundation) -> None:
        function = base.functions.add(
            "close_order_flow",
            base.store.access("GetItem", "PutItem"),
            base.timings(),
            access(allow("sqs:SendMessage", on=self.dead_letters.queue_arn)),
            on_failure=destinations.SqsDestination(self.dead_letters),
            retry_attempts=2,
        )
        self._rule = events.Rule(
            self,
            "Broken",
            description="Executions of the order flow that failed, timed out or were stopped",
            event_pattern=events.EventPattern(
                source=["aws.states"],
                detail_type=["Step Functions Execution Status Change"],
                detail={
                    "status": ["FAILED", "TIMED_OUT", "ABORTED"],
                    "stateMachineArn": [base.order_flow_arn()],
                },
            ),
            targets=[
                targets.LambdaFunction(
                    function,
                    # By its ARN, so that CDK gives the queue no policy of its own.
                    dead_letter_queue=sqs.Queue.from_queue_arn(
                        self, "DeadLettersByArn", self.dead_letters.queue_arn
                    ),
                    retry_attempts=20,
                    max_event_age=Duration.hours(6),
                )
            ],
        )

    def may_give_up(self) -> iam.PolicyStatement:
        """What the queue's policy must let the rule do: put what it could not deliver into dead letters."""
        return iam.PolicyStatement(
            principals=[iam.ServicePrincipal("events.amazonaws.com")],
            actions=["sqs:SendMessage"],
            resources=[self.dead_letters.queue_arn],
            conditions={"ArnEquals": {"aws:SourceArn": self._rule.rule_arn}},
        )
