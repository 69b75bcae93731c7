"""A carrier's retry queue: tries again what could not be done at once."""

from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

from parcelgate.domain.deadline import Deadline
from parcelgate.observability.logs import instrumented
from parcelgate.runtime import runtime
from parcelgate.services.redelivery import ReceivedMessage

_BATCH = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


@instrumented()
def handler(event: dict[str, Any], context: Any) -> Any:
    """Try a batch of messages again. Those that do not succeed come again, each at its own time."""
    retrier = runtime.retrier(Deadline.of(context))
    return process_partial_response(
        event, lambda record: retrier.work(ReceivedMessage.of(record)), _BATCH, context
    )
