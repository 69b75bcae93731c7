"""One retry queue for each carrier, as many as the registry has, and the function that works them off."""

from collections.abc import Callable, Sequence

from aws_cdk import Stack
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.constructs.function import Functions
from infra.constructs.policy import Access, access, allow
from infra.constructs.queues import WorkQueue
from infra.settings import Settings

_RECEIVES = 1000
"""The function itself gives up after twelve hours; this is only for a message that kills it."""


class CarrierQueues(Construct):
    """The retry queues, each with a concurrency of its own, so that no carrier waits for another."""

    def __init__(self, scope: Construct, id: str, *, settings: Settings, carriers: Sequence[str]) -> None:
        super().__init__(scope, id)
        self._settings = settings
        self.queues = {
            carrier: WorkQueue(
                self, carrier.capitalize(), settings=settings, worker="retry_order", receives=_RECEIVES
            )
            for carrier in carriers
        }

    def send_access(self) -> Access:
        """Putting messages into every carrier's queue."""
        return access(
            allow("sqs:SendMessage", on=[queue.queue.queue_arn for queue in self.queues.values()]),
            RETRY_QUEUE_URLS=self._addresses(lambda queue: queue.queue),
        )

    def dead_letter_access(self) -> Access:
        """Giving messages up."""
        return access(
            allow("sqs:SendMessage", on=[queue.dead_letters.queue_arn for queue in self.queues.values()]),
            RETRY_DEAD_LETTER_URLS=self._addresses(lambda queue: queue.dead_letters),
        )

    def work_off(self, functions: Functions, *given: Access) -> None:
        """Make the function that tries again, and feed it from every queue."""
        queues = list(self.queues.values())
        back_off = allow("sqs:ChangeMessageVisibility", on=[queue.queue.queue_arn for queue in queues])
        function = functions.add(
            "retry_order",
            *(queue.work_access() for queue in queues),
            access(back_off, RETRY_QUEUE_URLS=self._addresses(lambda queue: queue.queue)),
            self.dead_letter_access(),
            *given,
        )
        for queue in queues:
            queue.feed(function, batch_size=10, concurrency=self._settings.carrier_concurrency)

    def _addresses(self, which: Callable[[WorkQueue], sqs.IQueue]) -> str:
        urls = {carrier: which(queue).queue_url for carrier, queue in self.queues.items()}
        return Stack.of(self).to_json_string(urls)
