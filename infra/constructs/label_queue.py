"""The label queue: orders whose labels no workflow fetches, and the function that fetches them."""

from constructs import Construct

from infra.constructs.function import Functions
from infra.constructs.policy import Access, access, allow, allow_batches
from infra.constructs.queues import WorkQueue
from infra.settings import Settings

_RECEIVES = 200
"""The function itself gives up at the order's deadline; this is for a message that kills it."""


class LabelQueue(Construct):
    """The queue, and its function."""

    def __init__(self, scope: Construct, id: str, *, settings: Settings) -> None:
        super().__init__(scope, id)
        self._settings = settings
        self.work = WorkQueue(self, "Labels", settings=settings, worker="label_order", receives=_RECEIVES)

    def send_access(self) -> Access:
        """Asking for labels."""
        return access(
            allow_batches(self.work.queue.queue_arn, settings=self._settings),
            LABEL_QUEUE_URL=self.work.queue.queue_url,
        )

    def work_off(self, functions: Functions, *given: Access) -> None:
        """Make the function that fetches labels."""
        queue = self.work.queue
        function = functions.add(
            "label_order",
            self.work.work_access(),
            access(allow("sqs:ChangeMessageVisibility", on=queue.queue_arn), LABEL_QUEUE_URL=queue.queue_url),
            *given,
        )
        self.work.feed(function, batch_size=5, concurrency=self._settings.label_concurrency)
