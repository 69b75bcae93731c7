"""One retry queue for each carrier, as many as the registry has, and the function that works them off."""

from collections.abc import Callable

from aws_cdk import Stack
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.constructs.access import Access, access, allow
from infra.constructs.queue_worker import QueueWorker
from infra.parts.foundation import Foundation
from infra.parts.labels import Labels

_RECEIVES = 1000
"""The function itself gives up after twelve hours; this is only for a message that kills it."""


class RetryQueues(Construct):
    """The retry queues, each with a concurrency of its own, so that no carrier waits for another."""

    def __init__(self, scope: Construct, id: str, base: Foundation, *, labels: Labels) -> None:
        super().__init__(scope, id)
        self.queues = {
            carrier: QueueWorker(
                self, carrier.capitalize(), settings=base.settings, worker="retry_order", receives=_RECEIVES
            )
            for carrier in base.carriers
        }
        queues = list(self.queues.values())
        back_off = allow("sqs:ChangeMessageVisibility", on=[each.queue.queue_arn for each in queues])
        function = base.functions.add(
            "retry_order",
            *(each.work_access() for each in queues),
            access(back_off, ACCOUNT_PLACES=str(base.settings.carrier_places)),
            self.send_access(),
            self._dead_letter_access(),
            base.store.access("GetItem", "PutItem", "UpdateItem", "DeleteItem"),
            base.store.key_access(),
            base.account_access(),
            labels.access("PutObject"),
            base.timings(),
        )
        for each in queues:
            # One message for each call: a carrier that is slow holds no other tenant's message back.
            each.feed(function, batch_size=1, concurrency=base.settings.carrier_concurrency)

    def send_access(self) -> Access:
        """Permission to put messages into every carrier's queue."""
        return access(
            allow("sqs:SendMessage", on=[each.queue.queue_arn for each in self.queues.values()]),
            RETRY_QUEUE_URLS=self._addresses(lambda worker: worker.queue),
        )

    def _dead_letter_access(self) -> Access:
        return access(
            allow("sqs:SendMessage", on=[each.dead_letters.queue_arn for each in self.queues.values()]),
            RETRY_DEAD_LETTER_URLS=self._addresses(lambda worker: worker.dead_letters),
        )

    def _addresses(self, which: Callable[[QueueWorker], sqs.IQueue]) -> str:
        urls = {carrier: which(worker).queue_url for carrier, worker in self.queues.items()}
        return Stack.of(self).to_json_string(urls)
