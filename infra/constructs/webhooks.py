"""The inbox: what carriers told us, waiting to be worked on. Doors to it are the API's."""

from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.constructs.function import Functions
from infra.constructs.policy import Access, access, allow_batches
from infra.constructs.queues import WorkQueue
from infra.settings import Settings


class Inbox(Construct):
    """The queue of stored deliveries, and the function that works them off."""

    def __init__(self, scope: Construct, id: str, *, settings: Settings) -> None:
        super().__init__(scope, id)
        self._settings = settings
        self.work = WorkQueue(self, "Inbox", settings=settings, worker="process_webhook")

    @property
    def queue(self) -> sqs.Queue:
        """The queue itself."""
        return self.work.queue

    def send_access(self) -> Access:
        """Putting the way to a stored delivery into the queue."""
        return access(
            allow_batches(self.queue.queue_arn, settings=self._settings), INBOX_QUEUE_URL=self.queue.queue_url
        )

    def work_off(self, functions: Functions, *given: Access) -> None:
        """Make the function that works deliveries off."""
        function = functions.add("process_webhook", self.work.work_access(), *given)
        self.work.feed(function, batch_size=10, concurrency=self._settings.queue_concurrency)
