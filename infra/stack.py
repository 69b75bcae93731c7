"""The stack: makes the parts, and gives each the other parts that it uses."""

from collections.abc import Sequence
from typing import Any

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.bundle import Bundle
from infra.constructs.functions import LambdaFunctions
from infra.constructs.network import CarrierNetwork
from infra.constructs.queue_worker import QueuePolicy
from infra.parts.api import HttpApi, add_api_functions
from infra.parts.batches import Batches
from infra.parts.deliveries import Deliveries
from infra.parts.foundation import Foundation
from infra.parts.inbox import Inbox
from infra.parts.labels import LabelQueue, Labels, PrintQueue
from infra.parts.order_flow import OrderFlow
from infra.parts.releases import Releases
from infra.parts.retries import RetryQueues
from infra.parts.store import Store
from infra.parts.stream_router import StreamRouter
from infra.parts.sweep import Sweep
from infra.parts.tracking_polls import TrackingPolls
from infra.settings import Settings
from infra.watching.alarms import Alarms
from infra.watching.dashboards import Dashboards
from infra.watching.dead_letters import DeadLetters
from parcelgate.carriers import registry
from parcelgate.http.routes import ROUTES
from parcelgate.store import formats


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
        network = CarrierNetwork(self, "Network", settings=settings) if settings.fixed_addresses else None
        functions = LambdaFunctions(self, "Functions", settings=settings, bundle=bundle, network=network)
        store = Store(self, "Store", settings=settings)
        base = Foundation(settings, functions, store, carriers)

        labels = Labels(self, "Labels", settings=settings)
        label_queue = LabelQueue(self, "LabelQueue", base, labels=labels)
        prints = PrintQueue(self, "PrintQueue", base, labels=labels, label_queue=label_queue)
        retries = RetryQueues(self, "Retries", base, labels=labels)
        batches = Batches(self, "Batches", base, retries=retries)
        polls = TrackingPolls(self, "TrackingPolls", base)
        inbox = Inbox(self, "Webhooks", base, polls=polls, retries=retries)
        deliveries = Deliveries(self, "Deliveries", base)
        api = HttpApi(self, "Api", settings=settings, functions=functions)
        flow = OrderFlow(self, "OrderFlow", base, labels=labels, webhook_base_url=api.url)
        router = StreamRouter(
            self,
            "Events",
            base,
            inbox=inbox,
            label_queue=label_queue,
            deliveries=deliveries,
            public_url=api.url,
        )
        sweep = Sweep(self, "Sweep", base, inbox=inbox, retries=retries, batches=batches)

        dead_letters = DeadLetters(
            workers={"inbox": inbox.work, "labels": label_queue.work, "deliveries": deliveries.work},
            sharing={"label-documents": ("labels", prints.work), "nudges": ("tracking-polls", polls.nudged)},
            others={
                "changes": router.dead_letters,
                "order-flow": flow.dead_letters,
                "sweep": sweep.dead_letters,
                "tracking-polls": polls.dead_letters,
            },
            of_carriers={"retries": retries.queues, "batches": batches.queues},
        )
        add_api_functions(
            base,
            labels=labels,
            prints=prints,
            retries=retries,
            batches=batches,
            polls=polls,
            deliveries=deliveries,
            dead_letters=dead_letters,
        )
        releases = Releases(self, "Releases", base)
        api.serve(tuple(ROUTES.values()), releases.answering)

        queues = [each for each in self.node.find_all() if isinstance(each, sqs.Queue)]
        QueuePolicy(self, "Queues", settings=settings, queues=queues, also=[flow.may_give_up()])

        alarms = Alarms(self, "Alarms", settings=settings, key=store.key)
        alarms.alarm_on_dead_letters(dead_letters.single, retries=retries.queues, batches=batches.queues)
        alarms.alarm_on_queues(
            inbox=inbox.work,
            labels=label_queue.work,
            prints=prints.work,
            nudges=polls.nudged,
            deliveries=deliveries.work,
            retries=retries.queues,
            batches=batches.queues,
        )
        alarms.alarm_on_carriers(registry.trackers())
        alarms.alarm_on_functions(functions)
        alarms.alarm_on_api(api.http)
        alarms.alarm_on_stream(router.function)
        alarms.alarm_on_orders()
        alarms.alarm_on_order_flow(flow.machine)
        alarms.alarm_on_sweep(sweep.function)
        alarms.alarm_on_budget()
        alarms.alarm_on_polls(polls.function)
        releases.deploy_by_canary(alarms.by_name)

        if not settings.local and settings.dashboards:
            workers = dead_letters.sources
            dashboards = Dashboards(
                self, "Dashboards", settings=settings, functions=functions, access_log=api.access_log
            )
            dashboards.show_business()
            dashboards.show_machinery(
                api=api.http,
                table=store.table.used,
                machine=flow.machine,
                queues={name: worker.queue for name, worker in workers.items()},
                dead_letters=dead_letters.all,
                alarms=list(alarms.by_name.values()),
            )
            dashboards.save_queries()

        self._tell(
            ApiUrl=api.url,
            ApiId=api.http.api_id,
            WebhookBaseUrl=api.url,
            TableName=store.table.used.table_name,
            EventsTableName=store.events.table_name,
            UsageTableName=store.usage.table_name,
            LabelBucket=labels.bucket.bucket_name,
            KeyArn=store.key.key_arn,
            OrderFlowArn=base.order_flow_arn(),
            TrackingPollArn=polls.machine.state_machine_arn,
            EventBus=router.bus.event_bus_name,
            InboxQueueUrl=inbox.queue.queue_url,
            SecretPrefix=settings.secret_prefix,
            AlarmTopicArn=alarms.topic.topic_arn,
            FormatWritten=str(formats.WRITES),
            FormatsRead="-".join(map(str, formats.READS)),
            **{
                f"RetryQueueUrl{name.capitalize()}": worker.queue.queue_url
                for name, worker in retries.queues.items()
            },
            **(
                {"DomainTarget": api.domain.regional_domain_name, "GatewayUrl": api.http.api_endpoint}
                if api.domain
                else {}
            ),
            **({"OutgoingAddresses": network.addresses} if network else {}),
        )

    def _tell(self, **outputs: str) -> None:
        for name, value in outputs.items():
            CfnOutput(self, name, value=value)
