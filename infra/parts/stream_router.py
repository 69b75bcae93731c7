"""The stream router: the function that reads the table's stream, and the event bus."""

import json

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from constructs import Construct

from infra.constructs.access import access, allow_batches
from infra.constructs.queue_worker import DeadLetterQueue
from infra.parts.deliveries import Deliveries
from infra.parts.foundation import Foundation
from infra.parts.inbox import Inbox
from infra.parts.labels import LabelQueue

_OF_INTEREST = (
    {"eventName": ["INSERT", "MODIFY"], "dynamodb": {"Keys": {"sk": {"S": ["ORDER", "TRACKING"]}}}},
    {
        "eventName": ["INSERT", "MODIFY"],
        "dynamodb": {
            "NewImage": {
                "type": {"S": ["batch row"]},
                "status": {"S": ["confirmed", "failed", "cancelled", "needs_attention"]},
            }
        },
    },
    {"eventName": ["INSERT"], "dynamodb": {"Keys": {"sk": {"S": ["ENTRY"]}}}},
    {
        "eventName": ["MODIFY"],
        "dynamodb": {
            "Keys": {"sk": {"S": ["ENTRY"]}},
            "NewImage": {"entry_state": {"S": ["received"]}},
        },
    },
)
"""Orders and trackings as they change, entries of batches as they are settled, webhooks as they come in or
come again. One that is parked as it comes in is counted, too.

Other changes, such as next polls, claims and expiry, are filtered out.
"""


class StreamRouter(Construct):
    """The bus of domain events, and the function that reads the changes of the table."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        base: Foundation,
        *,
        inbox: Inbox,
        label_queue: LabelQueue,
        deliveries: Deliveries,
        public_url: str,
    ) -> None:
        super().__init__(scope, id)
        settings = base.settings
        self.bus = events.EventBus(
            self, "Bus", event_bus_name=settings.name("events"), description="Parcelgate's domain events"
        )
        self.dead_letters = DeadLetterQueue(self, "DeadLetters")
        stream = base.store.stream_arn
        self.function = base.functions.add(
            "route_changes",
            base.store.stream_access(),
            base.store.access("GetItem", "BatchGetItem", "Query", "PutItem", "UpdateItem"),
            base.store.events_access("PutItem", "Query"),
            deliveries.send_access(),
            access(PUBLIC_URL=public_url),
            inbox.send_access(),
            label_queue.send_access(),
            base.bus_access(),
            access(
                allow_batches(self.dead_letters.queue_arn, settings=settings),
                CHANGES_DEAD_LETTER_URL=self.dead_letters.queue_url,
            ),
        )
        lambda_.EventSourceMapping(
            self,
            "Source",
            target=self.function,
            event_source_arn=stream,
            starting_position=lambda_.StartingPosition.TRIM_HORIZON,
            batch_size=100,
            max_batching_window=Duration.seconds(0),
            filters=[{"pattern": json.dumps(pattern)} for pattern in _OF_INTEREST],
            report_batch_item_failures=True,
            bisect_batch_on_error=True,
            retry_attempts=settings.stream_retries,
            max_record_age=Duration.hours(23),
            on_failure=sources.SqsDlq(self.dead_letters),
        )
