"""Queues: dead letters, a queue with the function that works it off, and the one policy of all queues."""

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.constructs.access import Access, access, acknowledge, allow
from infra.settings import Settings

_KEPT = Duration.days(14)


class DeadLetterQueue(sqs.Queue):
    """The queue for messages that could not be processed. Each dead-letter queue has an alarm."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id, encryption=sqs.QueueEncryption.SQS_MANAGED, retention_period=_KEPT)
        acknowledge(self, "This is a dead-letter queue.", "AwsSolutions-SQS3", "Serverless-SQSRedrivePolicy")


class QueueWorker(Construct):
    """A queue, its dead-letter queue, and the function that works it off, each message for itself.

    Parameters
    ----------
    worker
        The function's name. It is made elsewhere, and given to `feed`.
    receives
        How often a message is tried before it is a dead letter.
    hidden
        How long a message stays hidden from others once it was received. Unless told otherwise, as many of
        the function's time-outs as the settings say.
    dead_letters
        Another queue's dead letters, where these belong to the same people and the same runbook.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        settings: Settings,
        worker: str,
        receives: int | None = None,
        hidden: Duration | None = None,
        dead_letters: DeadLetterQueue | None = None,
    ) -> None:
        super().__init__(scope, id)
        self.dead_letters = dead_letters or DeadLetterQueue(self, "DeadLetters")
        self.queue = sqs.Queue(
            self,
            "Queue",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            retention_period=_KEPT,
            visibility_timeout=hidden
            or Duration.seconds(settings.hidden_times * settings.size(worker).timeout),
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


class QueuePolicy(Construct):
    """The one policy of all queues of the stack. A second one of any queue would replace it.

    Parameters
    ----------
    also
        What some queue needs besides: who else may send to it.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        settings: Settings,
        queues: Sequence[sqs.Queue],
        also: Sequence[iam.PolicyStatement],
    ) -> None:
        super().__init__(scope, id)
        policy = sqs.QueuePolicy(self, "Policy", queues=[*queues])
        # The emulator is spoken to over plain HTTP.
        policy.document.add_statements(*also, *([] if settings.local else [_over_tls_alone(queues)]))


def _over_tls_alone(queues: Sequence[sqs.Queue]) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        effect=iam.Effect.DENY,
        principals=[iam.AnyPrincipal()],
        actions=["sqs:*"],
        resources=[queue.queue_arn for queue in queues],
        conditions={"Bool": {"aws:SecureTransport": "false"}},
    )
