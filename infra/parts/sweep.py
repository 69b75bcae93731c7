"""The sweep: every few minutes one function looks for overdue orders, webhooks, batches and parcels."""

from constructs import Construct

from infra.constructs.access import acknowledge
from infra.constructs.queue_worker import DeadLetterQueue
from infra.constructs.schedule import Schedule
from infra.parts.batches import Batches
from infra.parts.foundation import Foundation
from infra.parts.inbox import Inbox
from infra.parts.retries import RetryQueues
from infra.parts.store import DUE


class Sweep(Construct):
    """The function and its schedule. A run that fails is not tried again: the next one does its work."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        base: Foundation,
        *,
        inbox: Inbox,
        retries: RetryQueues,
        batches: Batches,
    ) -> None:
        super().__init__(scope, id)
        self.function = base.functions.add(
            "sweep",
            base.store.access("GetItem", "PutItem", "UpdateItem", "Query", query=[DUE]),
            base.order_flow_access("StartExecution", "DescribeExecution"),
            inbox.send_access(),
            retries.send_access(),
            batches.send_access(),
            base.timings(),
            retry_attempts=0,
        )
        acknowledge(
            self.function,
            "The next run does the work of a failed one.",
            "Serverless-LambdaAsyncFailureDestination",
        )
        self.dead_letters = DeadLetterQueue(self, "DeadLetters")
        Schedule(
            self,
            "Runs",
            settings=base.settings,
            name="sweep",
            description="Looks for overdue orders, webhooks, batches and parcels",
            minutes=base.settings.sweep_minutes,
            action="lambda:InvokeFunction",
            target=self.function.function_arn,
            dead_letters=self.dead_letters,
        )
