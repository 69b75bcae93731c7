"""Batches: the bucket of their bodies, and one queue for each carrier, whose function makes them orders."""

from aws_cdk import Duration, Stack
from constructs import Construct

from infra.constructs.access import Access, access, allow_batches
from infra.constructs.private_bucket import PrivateBucket
from infra.constructs.queue_worker import QueueWorker
from infra.parts.foundation import Foundation
from infra.parts.retries import RetryQueues


class Batches(Construct):
    """Batches. Each carrier has its own queue, so that no carrier waits for another."""

    def __init__(self, scope: Construct, id: str, base: Foundation, *, retries: RetryQueues) -> None:
        super().__init__(scope, id)
        self._settings = settings = base.settings
        self.bucket = PrivateBucket(
            self,
            "Bodies",
            settings=settings,
            kept_days=settings.batch_retention_days,
            no_access_log_because="Only two functions of ours can read it, and they log each access.",
        )
        # A dead worker's message is back before the sweep takes its orders for forgotten and has them sent
        # one by one. Nothing waits in front of the function: a message is one call of it.
        hidden = Duration.seconds(settings.size("work_batch").timeout + 30)
        self.queues = {
            carrier: QueueWorker(
                self, carrier.capitalize(), settings=settings, worker="work_batch", hidden=hidden
            )
            for carrier in base.carriers
        }
        function = base.functions.add(
            "work_batch",
            *(each.work_access() for each in self.queues.values()),
            self.body_access("GetObject"),
            self.send_access(),
            base.store.access("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query"),
            base.account_access(),
            base.order_flow_access("StartExecution"),
            retries.send_access(),
            base.timings(),
            access(ACCOUNT_PLACES=str(settings.carrier_places)),
        )
        for each in self.queues.values():
            # One message has as much work as one invocation has time for.
            each.feed(function, batch_size=1, concurrency=settings.carrier_concurrency)

    def body_access(self, *operations: str) -> Access:
        """Operations on the bodies, such as `GetObject`."""
        return self.bucket.object_access(
            *operations,
            because="Every body is an object of its own.",
            BATCH_BUCKET=self.bucket.bucket_name,
        )

    def send_access(self) -> Access:
        """Permission to put entries into every carrier's queue."""
        urls = {carrier: each.queue.queue_url for carrier, each in self.queues.items()}
        return access(
            *(allow_batches(each.queue.queue_arn, settings=self._settings) for each in self.queues.values()),
            BATCH_QUEUE_URLS=Stack.of(self).to_json_string(urls),
        )
