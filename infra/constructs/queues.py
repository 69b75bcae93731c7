"""A queue with its dead-letter queue, and the way from a queue to its function."""

from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.constructs.policy import Access, access, acknowledge, allow
from infra.settings import Settings

_KEPT = Duration.days(14)


class DeadLetters(sqs.Queue):
    """Where a message goes when the machinery has given up on it. An alarm watches each of them."""

    def __init__(self, scope: Construct, id: str, *, settings: Settings) -> None:
        super().__init__(
            scope,
            id,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=not settings.local,
            retention_period=_KEPT,
        )
        acknowledge(self, "This is a dead-letter queue.", "AwsSolutions-SQS3", "Serverless-SQSRedrivePolicy")


class WorkQueue(Construct):
    """A queue whose messages one function works off, each batch answered message by message."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        settings: Settings,
        worker: str,
        receives: int | None = None,
        hidden: Duration | None = None,
    ) -> None:
        super().__init__(scope, id)
        self.dead_letters = DeadLetters(self, "DeadLetters", settings=settings)
        self.queue = sqs.Queue(
            self,
            "Queue",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=not settings.local,
            retention_period=_KEPT,
            # What AWS advises: six times the function's time-out.
            visibility_timeout=hidden or Duration.seconds(6 * settings.size(worker).timeout),
            dead_letter_queue=sqs.DeadLetterQueue(
                queue=self.dead_letters, max_receive_count=receives or settings.receives_before_dead_letter
            ),
        )

    def feed(
        self, function: lambda_.Function, *, batch_size: int, concurrency: int, window: Duration | None = None
    ) -> None:
        """Have `function` called with this queue's messages, after waiting for more of them for `window`."""
        source = lambda_.EventSourceMapping(
            self,
            "Source",
            target=function,
            event_source_arn=self.queue.queue_arn,
            batch_size=batch_size,
            max_batching_window=window,
            max_concurrency=concurrency,
            report_batch_item_failures=True,
        )
        acknowledge(
            source, "The queue has a dead-letter queue.", "Serverless-LambdaEventSourceMappingDestination"
        )

    def work_access(self) -> Access:
        """What Lambda does with it in the worker's name."""
        return access(
            allow(
                "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", on=self.queue.queue_arn
            )
        )
