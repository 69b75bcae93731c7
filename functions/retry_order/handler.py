"""A carrier's retry queue: tries again what could not be done at once."""

from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from parcelgate.domain.deadline import Deadline
from parcelgate.observability.logs import instrumented
from parcelgate.runtime import runtime
from parcelgate.services.orders.retries import ReceivedMessage

_BATCH = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


def received(record: SQSRecord) -> ReceivedMessage:
    """Make of a record what the retrier needs of it."""
    return ReceivedMessage(
        queue=record.event_source_arn.rpartition(":")[2],
        body=record.body,
        receipt_handle=record.receipt_handle,
        receive_count=int(record.attributes.approximate_receive_count),
    )


@instrumented()
def handler(event: dict[str, Any], context: Any) -> Any:
    """Try a batch again; what does not succeed comes again alone, each at its own time."""
    retrier = runtime.retrier(Deadline.of(context))
    return process_partial_response(event, lambda record: retrier.work(received(record)), _BATCH, context)
