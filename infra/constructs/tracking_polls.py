"""Tracking polls: who asks carriers about parcels that are due, and the queue of those nudged meanwhile."""

from aws_cdk import Duration
from constructs import Construct

from infra.constructs.function import Functions
from infra.constructs.policy import Access, access, allow
from infra.constructs.queues import WorkQueue
from infra.settings import Settings

_TOGETHER = 200
"""Nudged parcels that are asked about together, at most."""
_WINDOW = Duration.seconds(3)
"""How long the first of them waits for the others."""
_RECEIVES = 20
"""A parcel that another worker is asking about comes again until that one is done, or known to be dead."""


class TrackingPolls(Construct):
    """The queue of nudged parcels, and the functions that ask."""

    def __init__(self, scope: Construct, id: str, *, settings: Settings) -> None:
        super().__init__(scope, id)
        self._settings = settings
        self.nudged = WorkQueue(self, "Nudged", settings=settings, worker="poll_nudged", receives=_RECEIVES)

    def nudge_access(self) -> Access:
        """Having a parcel asked about at once, or when the plan says so."""
        queue = self.nudged.queue
        return access(
            allow("sqs:SendMessage", on=queue.queue_arn),
            POLL_QUEUE_URL=queue.queue_url,
            POLL_PACE=str(self._settings.poll_pace),
        )

    def work_off(self, functions: Functions, *given: Access) -> None:
        """Make the functions that ask."""
        pace = access(POLL_PACE=str(self._settings.poll_pace))
        queue = self.nudged.queue
        own = access(allow("sqs:ChangeMessageVisibility", on=queue.queue_arn), POLL_QUEUE_URL=queue.queue_url)
        nudged = functions.add("poll_nudged", self.nudged.work_access(), own, pace, *given)
        self.nudged.feed(
            nudged, batch_size=_TOGETHER, concurrency=self._settings.poll_concurrency, window=_WINDOW
        )
        self.function = functions.add("poll_trackings", pace, *given)
