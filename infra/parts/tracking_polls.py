"""Tracking polls: the functions that poll parcels that are due, and the queue of nudged parcels."""

from aws_cdk import Duration
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.constructs.access import Access, access, allow
from infra.constructs.queue_worker import DeadLetterQueue, QueueWorker
from infra.constructs.schedule import Schedule
from infra.parts.foundation import Foundation
from infra.parts.store import DUE
from infra.state_machines.machine import state_machine
from infra.state_machines.tracking_poll import definition

_TOGETHER = 200
"""The largest number of nudged parcels that are polled together."""
_WINDOW = Duration.seconds(3)
"""How long the first nudged parcel waits for others."""
_RECEIVES = 20
"""A parcel that another worker is asking about comes again until that one is done, or known to be dead."""


class TrackingPolls(Construct):
    """The queue of nudged parcels, the functions that ask, and the schedule of the rounds."""

    def __init__(self, scope: Construct, id: str, base: Foundation) -> None:
        super().__init__(scope, id)
        self._settings = base.settings
        self.dead_letters = DeadLetterQueue(self, "DeadLetters")
        self.nudged = QueueWorker(
            self,
            "Nudged",
            settings=base.settings,
            worker="poll_nudged",
            receives=_RECEIVES,
            dead_letters=self.dead_letters,
        )
        self._ask_when_nudged(base)
        self._ask_in_rounds(base)

    def nudge_access(self) -> Access:
        """Permission to have a parcel polled at once."""
        queue = self.nudged.queue
        return access(allow("sqs:SendMessage", on=queue.queue_arn), POLL_QUEUE_URL=queue.queue_url)

    def pace(self) -> Access:
        """Permission to plan the next poll."""
        return access(POLL_PACE=str(self._settings.poll_pace))

    def _ask_when_nudged(self, base: Foundation) -> None:
        queue = self.nudged.queue
        function = base.functions.add(
            "poll_nudged",
            self.nudged.work_access(),
            access(
                allow("sqs:ChangeMessageVisibility", "sqs:SendMessage", on=queue.queue_arn),
                POLL_QUEUE_URL=queue.queue_url,
                ACCOUNT_PLACES=str(base.settings.poll_places),
            ),
            base.store.access(*_OPERATIONS),
            *self._carriers(base),
        )
        concurrency = base.settings.poll_concurrency
        self.nudged.feed(function, batch_size=_TOGETHER, concurrency=concurrency, window=_WINDOW)

    def _ask_in_rounds(self, base: Foundation) -> None:
        settings = base.settings
        self.function = base.functions.add(
            "poll_trackings",
            base.store.access(*_OPERATIONS, query=[DUE]),
            base.store.wheel_access(),
            access(POLL_ROUND=str(settings.poll_round)),
            *self._carriers(base),
        )
        self.machine = state_machine(
            self,
            settings=settings,
            name="tracking-poll",
            # A round is short, and one that is cut off or runs twice does no harm: nobody need remember it.
            kind=sfn.StateMachineType.EXPRESS,
            definition=definition(settings, self.function.function_arn),
            functions=[self.function],
        )
        Schedule(
            self,
            "Rounds",
            settings=settings,
            name="tracking-poll",
            description="Polls the parcels that are due",
            minutes=settings.poll_minutes,
            action="states:StartExecution",
            target=self.machine.state_machine_arn,
            dead_letters=self.dead_letters,
        )

    def _carriers(self, base: Foundation) -> tuple[Access, ...]:
        return base.store.key_access(), base.account_access(), self.pace()


_OPERATIONS = ("GetItem", "BatchGetItem", "PutItem", "UpdateItem", "DeleteItem")
