"""Tracking polls: who asks carriers about parcels that are due, and the queue of those nudged meanwhile."""

from aws_cdk import Duration
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.constructs.accounts import account_access
from infra.constructs.function import Functions
from infra.constructs.policy import Access, access, allow
from infra.constructs.queues import DeadLetters, WorkQueue
from infra.constructs.schedule import Schedule
from infra.constructs.store import DUE, Store
from infra.constructs.workflow import state_machine
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
            description="Asks carriers about the parcels that are due",
            minutes=settings.poll_minutes,
            action="states:StartExecution",
            target=self.machine.state_machine_arn,
            dead_letters=self.dead_letters,
        )
