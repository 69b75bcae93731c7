"""Batches: the bucket of their bodies, and one queue for each carrier, whose function makes them orders."""

from collections.abc import Sequence

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.constructs.function import Functions
from infra.constructs.policy import Access, access, acknowledge, allow, allow_batches
from infra.constructs.queues import WorkQueue
from infra.settings import Settings


class Batches(Construct):
    """What is taken at once and worked off carrier by carrier, so that no carrier waits for another."""

    def __init__(self, scope: Construct, id: str, *, settings: Settings, carriers: Sequence[str]) -> None:
        super().__init__(scope, id)
        self._settings = settings
        self.bucket = s3.Bucket(
            self,
            "Bodies",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            encryption=s3.BucketEncryption.S3_MANAGED,
            # The emulator is spoken to over plain HTTP.
            enforce_ssl=not settings.local,
            minimum_tls_version=None if settings.local else 1.2,
            removal_policy=RemovalPolicy.RETAIN if settings.protect_data else RemovalPolicy.DESTROY,
            lifecycle_rules=[
                s3.LifecycleRule(
                    expiration=Duration.days(settings.batch_retention_days),
                    abort_incomplete_multipart_upload_after=Duration.days(1),
                )
            ],
        )
        acknowledge(
            self.bucket,
            "Two functions of ours are all who can read it, and they log what they do.",
            "AwsSolutions-S1",
        )
        # A dead worker's message is back before the sweep takes its orders for forgotten and has them sent
        # one by one. Nothing waits in front of the function: a message is one call of it.
        hidden = Duration.seconds(settings.size("work_batch").timeout + 30)
        self.queues = {
            carrier: WorkQueue(
                self, carrier.capitalize(), settings=settings, worker="work_batch", hidden=hidden
            )
            for carrier in carriers
        }

    def body_access(self, *operations: str) -> Access:
        """Operations on the bodies, such as `GetObject`."""
        actions = (f"s3:{name}" for name in operations)
        return access(
            allow(*actions, on=self.bucket.arn_for_objects("*")),
            because="Every body is an object of its own.",
            BATCH_BUCKET=self.bucket.bucket_name,
        )

    def send_access(self) -> Access:
        """Putting entries into every carrier's queue."""
        urls = {carrier: work.queue.queue_url for carrier, work in self.queues.items()}
        return access(
            *(allow_batches(work.queue.queue_arn, settings=self._settings) for work in self.queues.values()),
            BATCH_QUEUE_URLS=Stack.of(self).to_json_string(urls),
        )

    def work_off(self, functions: Functions, *given: Access) -> None:
        """Make the function that works entries off, and feed it from every queue."""
        function = functions.add(
            "work_batch",
            *(work.work_access() for work in self.queues.values()),
            self.body_access("GetObject"),
            self.send_access(),
            *given,
        )
        for work in self.queues.values():
            # A message is as much as one invocation has time for.
            work.feed(function, batch_size=1, concurrency=self._settings.carrier_concurrency)
