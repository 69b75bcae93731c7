"""What follows from a write: the table's stream, the one function that reads it, and the event bus."""

import json

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from constructs import Construct

from infra.constructs.function import Functions
from infra.constructs.label_queue import LabelQueue
from infra.constructs.policy import access, allow, allow_batches
from infra.constructs.queues import DeadLetters
from infra.constructs.store import Store
from infra.constructs.webhooks import Inbox
from infra.settings import Settings

_OF_INTEREST = (
    {"eventName": ["INSERT", "MODIFY"], "dynamodb": {"Keys": {"sk": {"S": ["ORDER", "TRACKING"]}}}},
    {
        "eventName": ["INSERT", "MODIFY"],
        "dynamodb": {
            "Keys": {"sk": {"S": ["ENTRY"]}},
            "NewImage": {"entry_state": {"S": ["received"]}},
        },
    },
)
"""Orders and trackings as they change, deliveries as they come in or come again.

Next polls, claims, expiry and all else stay out.
"""


class Events(Construct):
    """The bus of domain events, and the router that puts them there."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        settings: Settings,
        functions: Functions,
        store: Store,
        inbox: Inbox,
        label_queue: LabelQueue,
    ) -> None:
        super().__init__(scope, id)
        self.bus = events.EventBus(
            self, "Bus", event_bus_name=settings.name("events"), description="Parcelgate's domain events"
        )
        self.dead_letters = DeadLetters(self, "DeadLetters", settings=settings)
        stream = store.stream_arn
        reads = allow(
            "dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", on=stream
        )
        self.function = functions.add(
            "route_changes",
            access(
                reads, allow("dynamodb:ListStreams", on="*"), because="ListStreams has no resources to name."
            ),
            inbox.send_access(),
            label_queue.send_access(),
            access(allow("events:PutEvents", on=self.bus.event_bus_arn), EVENT_BUS=self.bus.event_bus_name),
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
