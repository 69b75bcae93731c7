"""The order flow's state machine, the functions of its states, and the backstop. See `infra.order_flow`."""

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.constructs.accounts import account_access
from infra.constructs.function import Functions
from infra.constructs.labels import Labels
from infra.constructs.policy import Access, access, account_arn, acknowledge, allow
from infra.constructs.queues import DeadLetters
from infra.constructs.store import Store
from infra.constructs.workflow import state_machine
from infra.order_flow import definition
from infra.settings import Settings


def order_flow_arn(scope: Construct, settings: Settings) -> str:
    """The machine's ARN by its fixed name: its own functions must know it before it exists."""
    return account_arn(scope, "states", f"stateMachine:{settings.name('order-flow')}")


def order_flow_access(scope: Construct, settings: Settings, *operations: str) -> Access:
    """Operations on the order flow, such as `StartExecution`."""
    machine = order_flow_arn(scope, settings)
    executions = account_arn(scope, "states", f"execution:{settings.name('order-flow')}:*")
    statements = []
    for operation in operations:
        resource = executions if operation == "DescribeExecution" else machine
        if operation.startswith("SendTask") and settings.local:
            # The emulator accepts task tokens only from who may send them anywhere.
            resource = "*"
        statements.append(allow(f"states:{operation}", on=resource))
    because = "Every order has an execution of its own."
    # Task tokens need no address.
    address = {} if all(name.startswith("SendTask") for name in operations) else {"ORDER_FLOW_ARN": machine}
    return access(*statements, because=because, **address)


def timings(settings: Settings) -> Access:
    """How long everything about an order may take."""
    return access(
        ORDER_DEADLINE=str(settings.order_deadline),
        NOT_FOUND_INTERVAL=str(settings.not_found_interval),
        REFUND_DEADLINE=str(settings.refund_deadline),
        RETRY_FIRST=str(settings.retry_first),
        RETRY_CAP=str(settings.retry_cap),
        WATCH_MARGIN=str(settings.watch_margin),
    )


class OrderFlow(Construct):
    """The state machine, the functions of its states, and the backstop for executions that break."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        settings: Settings,
        functions: Functions,
        store: Store,
        labels: Labels,
        webhook_base_url: str,
    ) -> None:
        super().__init__(scope, id)
        self.dead_letters = DeadLetters(self, "DeadLetters", settings=settings)
        carrier = (account_access(self, settings), store.key_access(), timings(settings))
        states = [
            functions.add(
                "submit_order",
                store.access("GetItem", "PutItem", "UpdateItem", "DeleteItem"),
                *carrier,
                order_flow_access(self, settings, "SendTaskFailure"),
                access(WEBHOOK_BASE_URL=webhook_base_url),
                # Nothing may send an order a second time by itself, whichever way it was called.
                retry_attempts=0,
            ),
            functions.add("check_order", store.access("GetItem", "PutItem", "UpdateItem"), *carrier),
            functions.add(
                "fetch_label",
                store.access("GetItem", "PutItem", "UpdateItem"),
                *carrier,
                labels.access("PutObject"),
            ),
            functions.add(
                "compensate_order", store.access("GetItem", "PutItem", "UpdateItem", "DeleteItem"), *carrier
            ),
            functions.add("escalate_order", store.access("GetItem", "PutItem"), timings(settings)),
        ]
        acknowledge(
            states[0],
            "The state machine sees every failure of it.",
            "Serverless-LambdaAsyncFailureDestination",
        )
        arns = {name: function.function_arn for name, function in functions.by_name.items()}
        self.machine = state_machine(
            self,
            settings=settings,
            name="order-flow",
            kind=sfn.StateMachineType.STANDARD,
            definition=definition(settings, arns),
            functions=states,
        )
        self._make_backstop(settings, functions, store)

    def _make_backstop(self, settings: Settings, functions: Functions, store: Store) -> None:
        function = functions.add(
            "close_order_flow",
            store.access("GetItem", "PutItem"),
            timings(settings),
            access(allow("sqs:SendMessage", on=self.dead_letters.queue_arn)),
            on_failure=destinations.SqsDestination(self.dead_letters),
            retry_attempts=2,
        )
        events.Rule(
            self,
            "Broken",
            description="Executions of the order flow that ended in any way but their own",
            event_pattern=events.EventPattern(
                source=["aws.states"],
                detail_type=["Step Functions Execution Status Change"],
                detail={
                    "status": ["FAILED", "TIMED_OUT", "ABORTED"],
                    "stateMachineArn": [order_flow_arn(self, settings)],
                },
            ),
            targets=[
                targets.LambdaFunction(
                    function,
                    dead_letter_queue=self.dead_letters,
                    retry_attempts=20,
                    max_event_age=Duration.hours(6),
                )
            ],
        )
