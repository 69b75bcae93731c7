"""The sweep: every few minutes one function looks for whatever is overdue."""

from constructs import Construct

from infra.constructs.batches import Batches
from infra.constructs.carrier_queues import CarrierQueues
from infra.constructs.function import Functions
from infra.constructs.order_flow import order_flow_access, timings
from infra.constructs.policy import acknowledge
from infra.constructs.queues import DeadLetters
from infra.constructs.schedule import Schedule
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
        batches: Batches,
    ) -> None:
        super().__init__(scope, id)
        self.function = functions.add(
            "sweep",
            store.access("GetItem", "PutItem", "UpdateItem", "Query", query=[DUE]),
            order_flow_access(self, settings, "StartExecution", "DescribeExecution"),
            inbox.send_access(),
            carrier_queues.send_access(),
            batches.send_access(),
            timings(settings),
            retry_attempts=0,
        )
        acknowledge(
            self.function,
            "The next run does the work of a failed one.",
            "Serverless-LambdaAsyncFailureDestination",
        )
        self.dead_letters = DeadLetters(self, "DeadLetters", settings=settings)
        Schedule(
            self,
            "Runs",
            settings=settings,
            name="sweep",
            description="Looks for whatever is overdue",
            minutes=settings.sweep_minutes,
            action="lambda:InvokeFunction",
            target=self.function.function_arn,
            dead_letters=self.dead_letters,
        )
