"""The stack: which parts there are, and what each is given of the others."""

from collections.abc import Sequence
from typing import Any

from aws_cdk import CfnOutput, Duration, Stack
from constructs import Construct

from infra.bundle import Bundle
from infra.constructs.accounts import account_access
from infra.constructs.alarms import Alarms
from infra.constructs.api import Api
from infra.constructs.batches import Batches
from infra.constructs.carrier_queues import CarrierQueues
from infra.constructs.events import Events
from infra.constructs.function import Functions
from infra.constructs.label_queue import LabelQueue
from infra.constructs.labels import Labels
from infra.constructs.order_flow import OrderFlow, order_flow_access, order_flow_arn, timings
from infra.constructs.store import Store
from infra.constructs.sweep import Sweep
from infra.constructs.tracking_polls import TrackingPolls
from infra.constructs.webhooks import Inbox
from infra.settings import Settings


class ParcelgateStack(Stack):
    """One environment of Parcelgate, on AWS or on the emulator."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        settings: Settings,
        bundle: Bundle,
        carriers: Sequence[str],
        **props: Any,
    ) -> None:
        super().__init__(scope, id, **props)
        functions = Functions(self, "Functions", settings=settings, bundle=bundle)
        store = Store(self, "Store", settings=settings)
        labels = Labels(self, "Labels", settings=settings)
        inbox = Inbox(self, "Webhooks", settings=settings)
        retries = CarrierQueues(self, "Retries", settings=settings, carriers=carriers)
        batches = Batches(self, "Batches", settings=settings, carriers=carriers)
        polls = TrackingPolls(self, "TrackingPolls", settings=settings)
        api = Api(
            self,
            "Api",
            settings=settings,
            functions=functions,
            store=store,
            labels=labels,
            carrier_queues=retries,
            batches=batches,
            polls=polls,
        )
        flow = OrderFlow(
            self,
            "OrderFlow",
            settings=settings,
            functions=functions,
            store=store,
            labels=labels,
            webhook_base_url=api.url,
        )
        label_queue = LabelQueue(self, "LabelQueue", settings=settings)
        changes = Events(
            self,
            "Events",
            settings=settings,
            functions=functions,
            store=store,
            inbox=inbox,
            label_queue=label_queue,
        )
        sweep = Sweep(
            self,
            "Sweep",
            settings=settings,
            functions=functions,
            store=store,
            inbox=inbox,
            carrier_queues=retries,
            batches=batches,
        )
        inbox.work_off(
            functions,
            store.access("GetItem", "BatchGetItem", "PutItem", "UpdateItem"),
            account_access(self, settings),
            order_flow_access(self, settings, "SendTaskSuccess"),
            polls.nudge_access(),
            polls.pace(),
            retries.send_access(),
            timings(settings),
        )
        retries.work_off(
            functions,
            store.access("GetItem", "PutItem", "UpdateItem", "DeleteItem"),
            store.key_access(),
            account_access(self, settings),
            labels.access("PutObject"),
            timings(settings),
        )
        batches.work_off(
            functions,
            store.access("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query"),
            account_access(self, settings),
            order_flow_access(self, settings, "StartExecution"),
            retries.send_access(),
            timings(settings),
        )
        polls.work_off(functions, store=store)
        label_queue.work_off(
            functions,
            store.access("GetItem", "PutItem", "UpdateItem"),
            store.key_access(),
            account_access(self, settings),
            labels.access("PutObject"),
            timings(settings),
        )

        alarms = Alarms(self, "Alarms", settings=settings, key=store.key)
        alarms.watch_dead_letters(
            {
                "inbox": inbox.work.dead_letters,
                "changes": changes.dead_letters,
                "labels": label_queue.work.dead_letters,
                "order-flow": flow.dead_letters,
                "sweep": sweep.dead_letters,
                "nudges": polls.nudged.dead_letters,
                "tracking-polls": polls.dead_letters,
                **{f"retries-{name}": queue.dead_letters for name, queue in retries.queues.items()},
                **{f"batches-{name}": queue.dead_letters for name, queue in batches.queues.items()},
            }
        )
        alarms.watch_queue("inbox", inbox.work, oldest=Duration.minutes(10), in_flight=1000)
        alarms.watch_queue("labels", label_queue.work, oldest=Duration.hours(1), in_flight=5000)
        alarms.watch_queue("nudges", polls.nudged, oldest=Duration.minutes(30), in_flight=5000)
        for name, queue in retries.queues.items():
            alarms.watch_queue(f"retries-{name}", queue, oldest=Duration.hours(2), in_flight=1000)
        for name, queue in batches.queues.items():
            alarms.watch_queue(f"batches-{name}", queue, oldest=Duration.hours(1), in_flight=1000)
        alarms.watch_functions(functions)
        alarms.watch_stream(changes.function)
        alarms.watch_orders()
        alarms.watch_order_flow(flow.machine)
        alarms.watch_sweep(sweep.function)
        alarms.watch_polls(polls.function)

        self._say(
            ApiUrl=api.url,
            ApiId=api.http.api_id,
            WebhookBaseUrl=api.url,
            TableName=store.table.table_name,
            LabelBucket=labels.bucket.bucket_name,
            KeyArn=store.key.key_arn,
            OrderFlowArn=order_flow_arn(self, settings),
            TrackingPollArn=polls.machine.state_machine_arn,
            EventBus=changes.bus.event_bus_name,
            InboxQueueUrl=inbox.queue.queue_url,
            SecretPrefix=settings.secret_prefix,
            AlarmTopicArn=alarms.topic.topic_arn,
            **{
                f"RetryQueueUrl{name.capitalize()}": queue.queue.queue_url
                for name, queue in retries.queues.items()
            },
        )

    def _say(self, **outputs: str) -> None:
        for name, value in outputs.items():
            CfnOutput(self, name, value=value)
