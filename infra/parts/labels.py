"""Labels: their bucket, and the queues of labels to be fetched and of label documents to be made."""

from dataclasses import replace

from aws_cdk import Duration
from constructs import Construct

from infra.constructs.access import Access, access, allow, allow_batches
from infra.constructs.private_bucket import PrivateBucket
from infra.constructs.queue_worker import QueueWorker
from infra.parts.foundation import Foundation
from infra.settings import Settings
from parcelgate.services.labels.printouts import FOLDER

_RECEIVES = 200
"""The function itself gives up at the order's deadline; this is for a message that kills it."""

_UNDO_DAYS = 30
"""How many days an overwritten or deleted label can be restored."""

_PRINT_TRIES = 3
"""All of them end before the client is told that there is no document."""


class Labels(Construct):
    """A private bucket. Links signed by one function are the only way to a label from outside."""

    def __init__(self, scope: Construct, id: str, *, settings: Settings) -> None:
        super().__init__(scope, id)
        self._settings = settings
        self.bucket = PrivateBucket(
            self,
            "Bucket",
            settings=settings,
            kept_days=settings.retention_days,
            undo_days=_UNDO_DAYS,
            no_access_log_because="Who fetched a label stands in our own logs, without the link; a second "
            "bucket of access logs would hold the signed links themselves.",
            kept_a_day=f"{FOLDER}/",
        )

    def access(self, *operations: str) -> Access:
        """Operations on the labels, such as `GetObject`."""
        return self.bucket.object_access(
            *operations,
            because="Every label is an object of its own.",
            LABEL_BUCKET=self.bucket.bucket_name,
        )

    def erase_access(self) -> Access:
        """Finding and deleting every version of the labels of an order."""
        objects = self.access("DeleteObjectVersion")
        listing = allow("s3:ListBucketVersions", on=self.bucket.bucket_arn)
        return replace(objects, statements=(*objects.statements, listing))

    def printout_access(self, *operations: str) -> Access:
        """Operations on the PDFs of many orders' labels, and on no label."""
        return self.bucket.object_access(
            *operations,
            because="Every document is an object of its own.",
            under=f"{FOLDER}/",
            LABEL_BUCKET=self.bucket.bucket_name,
        )

    def links(self) -> Access:
        """What signed links to labels begin with, and no permission: a page may show what is there."""
        name, port = self.bucket.bucket_name, self._settings.gateway_port
        emulated = f"http://127.0.0.1:{port}/{name}/"
        aws = f"https://{self.bucket.bucket_regional_domain_name}"
        return access(LABEL_LINKS=emulated if self._settings.local else aws)


class LabelQueue(Construct):
    """The queue of orders that need a label, and the function that fetches it."""

    def __init__(self, scope: Construct, id: str, base: Foundation, *, labels: Labels) -> None:
        super().__init__(scope, id)
        self._settings = base.settings
        self.work = QueueWorker(
            self, "Labels", settings=base.settings, worker="label_order", receives=_RECEIVES
        )
        queue = self.work.queue
        function = base.functions.add(
            "label_order",
            self.work.work_access(),
            access(
                allow("sqs:ChangeMessageVisibility", "sqs:SendMessage", on=queue.queue_arn),
                LABEL_QUEUE_URL=queue.queue_url,
                ACCOUNT_PLACES=str(base.settings.label_places),
            ),
            base.store.access("GetItem", "PutItem", "UpdateItem"),
            base.store.key_access(),
            base.account_access(),
            labels.access("PutObject"),
            base.timings(),
        )
        # One message for each call: a carrier that is slow holds no other tenant's label back.
        self.work.feed(function, batch_size=1, concurrency=base.settings.label_concurrency)

    def send_access(self) -> Access:
        """Permission to put orders into the label queue."""
        return access(
            allow_batches(self.work.queue.queue_arn, settings=self._settings),
            LABEL_QUEUE_URL=self.work.queue.queue_url,
        )


class PrintQueue(Construct):
    """The queue of PDFs of many orders' labels, and the function that makes them."""

    def __init__(
        self, scope: Construct, id: str, base: Foundation, *, labels: Labels, label_queue: LabelQueue
    ) -> None:
        super().__init__(scope, id)
        # A message is one call of the function: nothing waits in front of it.
        hidden = Duration.seconds(base.settings.size("print_labels").timeout + 30)
        self.work = QueueWorker(
            self,
            "Prints",
            settings=base.settings,
            worker="print_labels",
            receives=_PRINT_TRIES,
            hidden=hidden,
            dead_letters=label_queue.work.dead_letters,
        )
        function = base.functions.add(
            "print_labels",
            self.work.work_access(),
            base.store.access("GetItem", "BatchGetItem", "PutItem"),
            labels.access("GetObject"),
            labels.printout_access("PutObject"),
        )
        self.work.feed(function, batch_size=1, concurrency=base.settings.label_concurrency)

    def send_access(self) -> Access:
        """Asking for a PDF."""
        queue = self.work.queue
        return access(allow("sqs:SendMessage", on=queue.queue_arn), PRINT_QUEUE_URL=queue.queue_url)
