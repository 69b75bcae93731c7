"""Events on their way to merchants' endpoints: their queue, and the function that sends each."""

from aws_cdk import Duration
from constructs import Construct

from infra.constructs.access import Access, access, allow, allow_batches
from infra.constructs.queue_worker import QueueWorker
from infra.parts.foundation import Foundation

_RECEIVES = 1000
"""As many as SQS counts: the function itself gives a delivery up, and this is for a message that kills it."""
_HIDDEN_TIMES = 3
"""How long a message stays hidden, in time-outs of its worker: what died is tried again soon."""


class Deliveries(Construct):
    """The queue of deliveries. Its worker has no right to orders, nor to anything else but its own events."""

    def __init__(self, scope: Construct, id: str, base: Foundation) -> None:
        super().__init__(scope, id)
        self._base = base
        settings = base.settings
        self.work = QueueWorker(
            self,
            "Deliveries",
            settings=settings,
            worker="deliver_event",
            receives=_RECEIVES,
            hidden=Duration.seconds(_HIDDEN_TIMES * settings.size("deliver_event").timeout),
        )
        queue = self.work.queue
        plan = {"DELIVERY_PLAN": settings.delivery_plan} if settings.delivery_plan else {}
        function = base.functions.add(
            "deliver_event",
            self.work.work_access(),
            access(
                allow("sqs:ChangeMessageVisibility", on=queue.queue_arn),
                TENANT_PLACES=str(settings.delivery_places),
                TENANT_PASSES=str(settings.delivery_passes),
                **plan,
            ),
            self.send_access(),
            self.anywhere(),
            base.bus_access(),
            base.store.events_access("GetItem", "PutItem", "UpdateItem", "Query"),
            base.store.key_access("Decrypt"),
        )
        # One message for each call: an endpoint that is slow holds nobody else's message back.
        self.work.feed(function, batch_size=1, concurrency=settings.delivery_concurrency)

    def send_access(self) -> Access:
        """Permission to put deliveries into the queue."""
        queue = self.work.queue
        return access(
            allow_batches(queue.queue_arn, settings=self._base.settings), DELIVERY_QUEUE_URL=queue.queue_url
        )

    def anywhere(self) -> Access:
        """Leave to use private endpoints, without TLS too: in the local environment alone."""
        return access(**({"ENDPOINTS_ANYWHERE": "yes"} if self._base.settings.local else {}))
