"""The inbox: stored webhooks of carriers that wait for their processing. The API receives them."""

from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.constructs.access import Access, access, allow_batches
from infra.constructs.queue_worker import QueueWorker
from infra.parts.foundation import Foundation
from infra.parts.retries import RetryQueues
from infra.parts.tracking_polls import TrackingPolls


class Inbox(Construct):
    """The queue of stored webhooks, and the function that works them off."""

    def __init__(
        self, scope: Construct, id: str, base: Foundation, *, polls: TrackingPolls, retries: RetryQueues
    ) -> None:
        super().__init__(scope, id)
        self._settings = base.settings
        self.work = QueueWorker(self, "Inbox", settings=base.settings, worker="process_webhook")
        function = base.functions.add(
            "process_webhook",
            self.work.work_access(),
            base.store.access("GetItem", "BatchGetItem", "PutItem", "UpdateItem"),
            base.account_access(calls=False),
            base.order_flow_access("SendTaskSuccess"),
            polls.nudge_access(),
            polls.pace(),
            retries.send_access(),
            base.timings(),
        )
        self.work.feed(function, batch_size=10, concurrency=base.settings.queue_concurrency)

    @property
    def queue(self) -> sqs.Queue:
        """The queue itself."""
        return self.work.queue

    def send_access(self) -> Access:
        """Permission to put a reference to a stored webhook into the queue."""
        return access(
            allow_batches(self.queue.queue_arn, settings=self._settings), INBOX_QUEUE_URL=self.queue.queue_url
        )
