"""The one place that puts the product together: clients, table, transport, accounts and every service.

Each part is built at its first use and kept for the life of the process. So all services of a function share
one table, one memory of carrier accounts and one set of clients. A builder imports the part that it
builds, so a handler loads only the parts that it uses. Handlers import their service at the top of the
module, so that it is loaded while the environment starts.

Tests replace parts with `runtime.use(...)` and remove the replacements with `runtime.reset()`.
"""

import sys
from functools import cached_property
from typing import TYPE_CHECKING

from parcelgate import startup
from parcelgate.aws_clients import client, close_connections
from parcelgate.services.settings import Settings

if TYPE_CHECKING:
    from parcelgate.carriers.accounts import Accounts
    from parcelgate.carriers.toolkit.calls import Transport
    from parcelgate.domain.deadline import Deadline
    from parcelgate.services.accounts.carriers import Carriers
    from parcelgate.services.accounts.places import AccountPlaces
    from parcelgate.services.accounts.rates import RateLimiter
    from parcelgate.services.batches.batches import Batches, BatchWorker, Bodies, FanOut, Reading
    from parcelgate.services.catalogue.addresses import AddressChecker
    from parcelgate.services.catalogue.offers import Catalogue
    from parcelgate.services.catalogue.rate_cards import RateCardKeeper
    from parcelgate.services.catalogue.rates import Quoter
    from parcelgate.services.endpoints.calls import EndpointCaller
    from parcelgate.services.endpoints.deliver import EventDeliverer
    from parcelgate.services.endpoints.fan_out import DeliveryQueue, EventFanOut
    from parcelgate.services.endpoints.keeper import EndpointKeeper, EndpointRendering
    from parcelgate.services.endpoints.passes import Passes
    from parcelgate.services.endpoints.secrets import SecretBox
    from parcelgate.services.event_bus import EventBus
    from parcelgate.services.events.announcer import Rendering
    from parcelgate.services.events.reader import EventReader
    from parcelgate.services.events.stream_router import StreamRouter
    from parcelgate.services.labels.documents import LabelStore
    from parcelgate.services.labels.fetch import LabelFetcher, LabelWorker
    from parcelgate.services.labels.links import LabelViewer
    from parcelgate.services.labels.printing import PrintoutWorker
    from parcelgate.services.labels.printouts import PrintoutDesk, PrintoutViewer
    from parcelgate.services.operator.accounts import AccountDesk
    from parcelgate.services.operator.attention import AttentionList
    from parcelgate.services.operator.dead_letters import DeadLetters
    from parcelgate.services.operator.erasing import Eraser
    from parcelgate.services.operator.health import CarrierHealth
    from parcelgate.services.operator.releases import ReleaseChecker
    from parcelgate.services.operator.sweep import Sweep
    from parcelgate.services.orders.cancel import Canceller
    from parcelgate.services.orders.change import OrderChanger, OrderHolder
    from parcelgate.services.orders.create import Intake
    from parcelgate.services.orders.manifests import ManifestMaker
    from parcelgate.services.orders.order_flow.workflow import OrderFlow
    from parcelgate.services.orders.reader import OrderReader
    from parcelgate.services.orders.retries import Retrier
    from parcelgate.services.orders.retry_queues import RetryQueues
    from parcelgate.services.orders.returns import OrderReturner
    from parcelgate.services.orders.submission import OrderSubmitter
    from parcelgate.services.stats.reports import StatsReader
    from parcelgate.services.trackings.polls import Polls
    from parcelgate.services.trackings.recipient_pages import RecipientPageReader
    from parcelgate.services.trackings.subscriptions import TrackingSubscriptions
    from parcelgate.services.trackings.timeline import Timelines
    from parcelgate.services.trackings.tracking_reader import TrackingReader
    from parcelgate.services.webhooks.process import WebhookProcessor
    from parcelgate.services.webhooks.receive import WebhookReceiver
    from parcelgate.store.limits import LoginsTable
    from parcelgate.store.merchant_events.table import EventsTable
    from parcelgate.store.table import Table
    from parcelgate.store.tenants.usage import UsageTable


class Runtime:
    """The parts of one process."""

    def use(self, **parts: object) -> None:
        """Replace parts by their names here. For tests."""
        unknown = [name for name in parts if not hasattr(type(self), name)]
        if unknown:
            raise AttributeError(f"the runtime has no part named {', '.join(unknown)}")
        vars(self).update(parts)

    def reset(self) -> None:
        """Forget every part; each is built anew at its next use."""
        vars(self).clear()

    # What all parts use

    @cached_property
    def settings(self) -> Settings:
        """The settings of this function's environment."""
        return Settings()

    @cached_property
    def table(self) -> "Table":
        """The one table."""
        from parcelgate.store.table import Table

        return Table(client("dynamodb"), self.settings.table, self.settings.retention)

    @cached_property
    def events_table(self) -> "EventsTable":
        """The table of the events for merchants."""
        from parcelgate.store.merchant_events.table import EventsTable

        return EventsTable(client("dynamodb"), self.settings.events_table)

    @cached_property
    def usage_table(self) -> "UsageTable":
        """The table in which the requests of tenants are counted."""
        from parcelgate.store.tenants.usage import UsageTable

        return UsageTable(client("dynamodb"), self.settings.usage_table)

    @cached_property
    def rate_limiter(self) -> "RateLimiter | None":
        """The limits of tenants and keys; None in an environment that counts nothing."""
        settings = self.settings
        if not settings.usage_table:
            return None
        from parcelgate.services.accounts.rates import Kind, RateLimiter

        limits = {
            Kind.REQUESTS: settings.requests_a_minute,
            Kind.ORDERS: settings.orders_a_minute,
            Kind.BATCHES: settings.batches_a_minute,
            Kind.REFRESHES: settings.refreshes_a_minute,
        }
        return RateLimiter(self.usage_table, limits)

    # Carriers

    @cached_property
    def accounts(self) -> "Accounts":
        """The carrier accounts, each remembered for a minute."""
        from parcelgate.carriers.accounts import Accounts

        settings = self.settings
        return Accounts(
            client("secretsmanager"), settings.secret_prefix, allows_http=settings.carriers_over_http
        )

    @cached_property
    def logins_table(self) -> "LoginsTable":
        """The table in which the calls of logins are counted that several accounts have."""
        from parcelgate.store.limits import LoginsTable

        return LoginsTable(client("dynamodb"), self.settings.limits_table)

    @cached_property
    def carriers(self) -> "Carriers":
        """The carriers, each behind the limits of its account."""
        from parcelgate.services.accounts.carriers import Carriers

        return Carriers(
            self.table,
            accounts=lambda: self.accounts,
            logins=lambda: self.logins_table,
            transport=self.transport,
            kms=lambda: client("kms"),
            kms_key=lambda: self.settings.kms_key,
        )

    def places(self, kind: str) -> "AccountPlaces":
        """How many workers of one kind of queue may work for each carrier account."""
        from parcelgate.services.accounts.places import AccountPlaces

        return AccountPlaces(table=self.table, kind=kind, most=self.settings.account_places)

    def transport(self, deadline: "Deadline | None") -> "Transport":
        """The transport to carriers, ready for use; its calls end by `deadline`."""
        from parcelgate.carriers.toolkit.transport import HttpTransport, warm

        warm()
        return HttpTransport(deadline)

    # Orders

    @cached_property
    def order_intake(self) -> "Intake":
        """Creates orders."""
        from parcelgate.services.orders.create import Intake

        return Intake(
            table=self.table,
            carriers=self.carriers,
            settings=self.settings,
            stepfunctions=lambda: client("stepfunctions"),
            submitter=lambda: self.order_submitter,
        )

    @cached_property
    def order_submitter(self) -> "OrderSubmitter":
        """Sends orders to carriers that answer at once."""
        from parcelgate.services.orders.submission import OrderSubmitter

        return OrderSubmitter(
            table=self.table,
            carriers=self.carriers,
            settings=self.settings,
            retries=lambda: self.retry_queues,
        )

    @cached_property
    def order_canceller(self) -> "Canceller":
        """Cancels orders."""
        from parcelgate.services.orders.cancel import Canceller

        return Canceller(
            table=self.table,
            carriers=self.carriers,
            retries=lambda: self.retry_queues,
            settings=self.settings,
        )

    @cached_property
    def order_changer(self) -> "OrderChanger":
        """Changes orders."""
        from parcelgate.services.orders.change import OrderChanger

        return OrderChanger(table=self.table, carriers=self.carriers, settings=self.settings)

    @cached_property
    def order_holder(self) -> "OrderHolder":
        """Has orders held."""
        from parcelgate.services.orders.change import OrderHolder

        return OrderHolder(table=self.table, carriers=self.carriers)

    @cached_property
    def order_returner(self) -> "OrderReturner":
        """Has orders sent back."""
        from parcelgate.services.orders.returns import OrderReturner

        return OrderReturner(table=self.table, carriers=self.carriers, settings=self.settings)

    @cached_property
    def order_reader(self) -> "OrderReader":
        """Reads orders and what belongs to them."""
        from parcelgate.services.orders.reader import OrderReader

        return OrderReader(self.table)

    @cached_property
    def manifest_maker(self) -> "ManifestMaker":
        """Closes orders with their carrier."""
        from parcelgate.services.orders.manifests import ManifestMaker

        return ManifestMaker(table=self.table, carriers=self.carriers)

    @cached_property
    def order_flow(self) -> "OrderFlow":
        """The states of the order workflow."""
        from parcelgate.services.orders.order_flow.workflow import OrderFlow

        return OrderFlow(
            submitter=self.order_submitter,
            fetcher=self.label_fetcher,
            settings=self.settings,
            stepfunctions=lambda: client("stepfunctions"),
        )

    @cached_property
    def retry_queues(self) -> "RetryQueues":
        """The retry queues of the carriers."""
        from parcelgate.services.orders.retry_queues import RetryQueues

        return RetryQueues(client("sqs"), self.settings)

    def retrier(self, deadline: "Deadline") -> "Retrier":
        """Processes the retry queues in one invocation; its calls end by `deadline`."""
        from parcelgate.services.orders.retries import Retrier

        return Retrier(
            table=self.table,
            settings=self.settings,
            fetcher=self.label_fetcher,
            sqs=client("sqs"),
            submitter=self.order_submitter,
            places=self.places("retries"),
            deadline=deadline,
        )

    # Batches

    @cached_property
    def batches(self) -> "Batches":
        """Creates batches, and resumes those that are not finished."""
        from parcelgate.services.batches.batches import Batches

        return Batches(
            table=self.table,
            settings=self.settings,
            bodies=lambda: self.batch_bodies,
            queues=lambda: self.batch_queues,
        )

    def batch_worker(self, reading: "Reading") -> "BatchWorker":
        """Creates orders of the entries of batches, as `reading` reads them."""
        from parcelgate.services.batches.batches import BatchWorker

        return BatchWorker(
            intake=self.order_intake,
            submitter=self.order_submitter,
            bodies=self.batch_bodies,
            queues=self.batch_queues,
            places=self.places("batches"),
            reading=reading,
        )

    @cached_property
    def batch_bodies(self) -> "Bodies":
        """The S3 bucket of the bodies of batches."""
        from parcelgate.services.batches.batches import Bodies

        return Bodies(client("s3"), self.settings.batch_bucket)

    @cached_property
    def batch_queues(self) -> "FanOut":
        """The queues of the entries of batches."""
        from parcelgate.services.batches.batches import FanOut

        return FanOut(client("sqs"), self.settings)

    # Labels

    @cached_property
    def label_store(self) -> "LabelStore":
        """The S3 bucket of labels."""
        from parcelgate.services.labels.documents import LabelStore

        return LabelStore(client("s3"), self.settings.label_bucket)

    @cached_property
    def label_fetcher(self) -> "LabelFetcher":
        """Fetches labels from carriers."""
        from parcelgate.services.labels.fetch import LabelFetcher

        return LabelFetcher(table=self.table, carriers=self.carriers, labels=lambda: self.label_store)

    @cached_property
    def label_worker(self) -> "LabelWorker":
        """Processes the label queue."""
        from parcelgate.services.labels.fetch import LabelWorker

        return LabelWorker(
            fetcher=self.label_fetcher,
            places=self.places("labels"),
            settings=self.settings,
            sqs=client("sqs"),
        )

    @cached_property
    def label_viewer(self) -> "LabelViewer":
        """Makes links to labels."""
        from parcelgate.services.labels.links import LabelViewer

        return LabelViewer(self.table, client("s3"), self.settings.label_bucket, lambda: self.label_fetcher)

    @cached_property
    def printout_desk(self) -> "PrintoutDesk":
        """Takes requests for the labels of many orders."""
        from parcelgate.services.labels.printouts import PrintoutDesk

        return PrintoutDesk(table=self.table, sqs=client("sqs"), queue_url=self.settings.print_queue_url)

    @cached_property
    def printout_viewer(self) -> "PrintoutViewer":
        """Links to the labels of many orders."""
        from parcelgate.services.labels.printouts import PrintoutViewer

        return PrintoutViewer(table=self.table, s3=client("s3"), bucket=self.settings.label_bucket)

    @cached_property
    def printout_worker(self) -> "PrintoutWorker":
        """Puts the labels of many orders into one PDF."""
        from parcelgate.services.labels.printing import PrintoutWorker

        return PrintoutWorker(table=self.table, s3=client("s3"), bucket=self.settings.label_bucket)

    # What carriers offer

    @cached_property
    def quoter(self) -> "Quoter":
        """Asks carriers for prices."""
        from parcelgate.services.catalogue.rates import Quoter

        return Quoter(self.table, self.carriers, self.catalogue)

    @cached_property
    def rate_card_keeper(self) -> "RateCardKeeper":
        """Keeps the price lists of carrier accounts."""
        from parcelgate.services.catalogue.rate_cards import RateCardKeeper

        return RateCardKeeper(self.table, self.accounts)

    @cached_property
    def address_checker(self) -> "AddressChecker":
        """Checks addresses."""
        from parcelgate.services.catalogue.addresses import AddressChecker

        return AddressChecker(self.table, self.carriers)

    @cached_property
    def catalogue(self) -> "Catalogue":
        """Lists the carriers' services."""
        from parcelgate.services.catalogue.offers import Catalogue

        return Catalogue(lambda: self.carriers)

    # Trackings

    @cached_property
    def timelines(self) -> "Timelines":
        """Joins the reports about parcels to their timelines."""
        from parcelgate.services.trackings.habits import HabitBook
        from parcelgate.services.trackings.timeline import Timelines

        settings = self.settings
        habits = HabitBook(self.table) if settings.poll_pace == 1 else None
        return Timelines(table=self.table, sqs=client("sqs"), settings=settings, habits=habits)

    @cached_property
    def tracking_reader(self) -> "TrackingReader":
        """Reads trackings."""
        from parcelgate.services.trackings.tracking_reader import TrackingReader

        return TrackingReader(self.table)

    @cached_property
    def recipient_page_reader(self) -> "RecipientPageReader":
        """Reads recipients' pages."""
        from parcelgate.services.trackings.recipient_pages import RecipientPageReader

        return RecipientPageReader(self.table)

    @cached_property
    def tracking_subscriptions(self) -> "TrackingSubscriptions":
        """Follows parcels with aggregators."""
        from parcelgate.services.trackings.subscriptions import TrackingSubscriptions

        return TrackingSubscriptions(
            table=self.table,
            carriers=self.carriers,
            timelines=lambda: self.timelines,
            pace=lambda: self.settings.poll_pace,
        )

    @cached_property
    def polls(self) -> "Polls":
        """Polls parcels: asks carriers about them."""
        from parcelgate.services.trackings.polls import Polls

        return Polls(
            table=self.table,
            carriers=self.carriers,
            timelines=self.timelines,
            sqs=client("sqs"),
            settings=self.settings,
            places=self.places("polls"),
        )

    # Events

    @cached_property
    def event_reader(self) -> "EventReader":
        """Reads the events for merchants."""
        from parcelgate.services.events.reader import EventReader

        return EventReader(table=self.table, events=self.events_table)

    # Merchants' endpoints

    @cached_property
    def delivery_queue(self) -> "DeliveryQueue":
        """The queue of events on their way to endpoints."""
        from parcelgate.services.endpoints.fan_out import DeliveryQueue

        return DeliveryQueue(sqs=client("sqs"), url=self.settings.delivery_queue_url)

    @cached_property
    def event_bus(self) -> "EventBus":
        """The bus on which every event is announced."""
        from parcelgate.services.event_bus import EventBus

        return EventBus(client=client("events"), name=self.settings.event_bus)

    @cached_property
    def fan_out(self) -> "EventFanOut":
        """Makes the deliveries of events."""
        from parcelgate.services.endpoints.fan_out import EventFanOut

        return EventFanOut(events=self.events_table, queue=self.delivery_queue)

    @cached_property
    def secret_box(self) -> "SecretBox":
        """Seals and opens the secrets of endpoints."""
        from parcelgate.services.endpoints.secrets import SecretBox

        return SecretBox(kms=client("kms"), key_id=self.settings.kms_key)

    @cached_property
    def endpoint_keeper(self) -> "EndpointKeeper":
        """Keeps endpoints."""
        from parcelgate.services.endpoints.keeper import EndpointKeeper

        return EndpointKeeper(
            events=self.events_table,
            box=self.secret_box,
            queue=lambda: self.delivery_queue,
            bus=lambda: self.event_bus,
        )

    @cached_property
    def endpoint_passes(self) -> "Passes":
        """The passes of this process, to call endpoints with."""
        from parcelgate.services.endpoints.passes import Passes

        return Passes()

    def event_deliverer(self, rendering: "EndpointRendering") -> "EventDeliverer":
        """What delivers events to endpoints, which are shown to merchants as `rendering`."""
        from parcelgate.services.endpoints.deliver import EventDeliverer

        return EventDeliverer(
            events=self.events_table,
            sqs=client("sqs"),
            box=self.secret_box,
            fan_out=self.fan_out,
            bus=self.event_bus,
            caller=self.endpoint_caller,
            settings=self.settings,
            rendering=rendering,
            passes=self.endpoint_passes,
        )

    @cached_property
    def endpoint_caller(self) -> "EndpointCaller":
        """Calls endpoints."""
        from parcelgate.services.endpoints.calls import EndpointCaller

        return EndpointCaller(anywhere=self.settings.endpoints_anywhere)

    # Carriers' webhooks, the stream, the sweep

    @cached_property
    def webhook_receiver(self) -> "WebhookReceiver":
        """Receives carriers' webhooks."""
        from parcelgate.services.webhooks.receive import WebhookReceiver

        return WebhookReceiver(table=self.table, accounts=lambda: self.accounts)

    @cached_property
    def webhook_processor(self) -> "WebhookProcessor":
        """Processes a stored webhook."""
        from parcelgate.services.webhooks.process import WebhookProcessor

        return WebhookProcessor(
            table=self.table,
            carriers=self.carriers,
            timelines=self.timelines,
            stepfunctions=client("stepfunctions"),
            queues=self.retry_queues,
        )

    def stream_router(self, rendering: "Rendering") -> "StreamRouter":
        """Starts what follows from changes of the table; merchants see subjects as `rendering` makes them."""
        from parcelgate.services.events.announcer import Announcer
        from parcelgate.services.events.stream_router import StreamRouter
        from parcelgate.services.stats.counting import StatsCounter

        announcer = Announcer(
            table=self.table,
            events=self.events_table,
            bus=self.event_bus,
            rendering=rendering,
            fan_out=self.fan_out,
        )
        return StreamRouter(
            sqs=client("sqs"),
            announcer=announcer,
            counter=StatsCounter(self.table),
            settings=self.settings,
        )

    # The operator

    @cached_property
    def dead_letters(self) -> "DeadLetters":
        """The dead-letter queues of the stack."""
        from parcelgate.services.operator.dead_letters import DeadLetters

        return DeadLetters(client("sqs"), self.settings)

    @cached_property
    def attention_list(self) -> "AttentionList":
        """What needs a person."""
        from parcelgate.services.operator.attention import AttentionList

        return AttentionList(self.table, self.events_table, self.dead_letters)

    @cached_property
    def order_eraser(self) -> "Eraser":
        """Erases the persons of orders."""
        from parcelgate.services.operator.erasing import Eraser

        return Eraser(
            table=self.table, events=self.events_table, labels=self.label_store, bodies=self.batch_bodies
        )

    @cached_property
    def stats_reader(self) -> "StatsReader":
        """Reads figures over what a tenant bought and followed."""
        from parcelgate.services.stats.reports import StatsReader

        return StatsReader(self.table)

    @cached_property
    def account_desk(self) -> "AccountDesk":
        """A tenant's carrier accounts, and whether their logins work."""
        from parcelgate.services.operator.accounts import AccountDesk

        return AccountDesk(self.table, lambda: self.carriers)

    @cached_property
    def carrier_health(self) -> "CarrierHealth":
        """Says which carriers are down."""
        from parcelgate.services.operator.health import CarrierHealth

        return CarrierHealth(self.table)

    @cached_property
    def sweep(self) -> "Sweep":
        """Resumes all work that is overdue."""
        from parcelgate.services.operator.sweep import Sweep

        return Sweep(
            table=self.table,
            submitter=self.order_submitter,
            batches=self.batches,
            stepfunctions=client("stepfunctions"),
            sqs=client("sqs"),
            queues=self.retry_queues,
            settings=self.settings,
        )

    @cached_property
    def release_checker(self) -> "ReleaseChecker":
        """Says whether a function's new version works."""
        from parcelgate.services.operator.releases import ReleaseChecker

        settings = self.settings
        return ReleaseChecker(
            client("codedeploy"),
            client("lambda"),
            prefix=settings.function_prefix,
            also={name: others.split() for name, others in settings.checked_together.items()},
        )

    # At the start

    def at_start(self) -> None:
        """Make what every first request would wait for: the client of DynamoDB. Nobody is called."""
        if vars(self.settings).keys() & {"table", "events_table", "usage_table"}:
            client("dynamodb")

    def before_snapshot(self) -> None:
        """Make all that a first request could wait for, before AWS takes a snapshot. Nobody is called."""
        self.at_start()
        given = vars(self.settings)
        if "table" in given:
            _ = self.table
        if "usage_table" in given:
            _ = self.usage_table
        if "secret_prefix" in given:
            from parcelgate.carriers import registry

            _ = self.accounts
            self.transport(None)
            for carrier in registry.trackers():
                registry.adapter(carrier)

    def after_restore(self) -> None:
        """Make anew what must not come from a snapshot.

        - The state of `random`: the retries of all environments would come at the same moments. Ids and
          secrets come from the operating system, which AWS keeps different.
        - The state of OpenSSL's generators: see `startup.reseed`.
        - Connections: their other ends are gone.
        - What services remember, such as accounts with their secrets, tokens and counts. The clock that says
          how old they are has not run meanwhile.

        AWS clients stay, since making them takes longest. Their credentials renew themselves: with SnapStart
        Lambda gives such as have an end.
        """
        import random

        random.seed()
        startup.reseed()
        self.reset()
        close_connections()
        transport = sys.modules.get("parcelgate.carriers.toolkit.transport")
        if transport is not None:
            transport.renew()


runtime = Runtime()
"""The parts of this process."""
startup.begin(runtime.at_start, runtime.before_snapshot, runtime.after_restore)
