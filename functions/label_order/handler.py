"""The label queue: fetches the labels of orders that no workflow fetches for."""

from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

from parcelgate.domain.deadline import Deadline
from parcelgate.observability.logs import instrumented
from parcelgate.runtime import runtime
from parcelgate.services.redelivery import ReceivedMessage

_BATCH = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
_SAVE_SECONDS = 5.0
"""What is kept back of an invocation's time to store what the carrier gave."""


@instrumented()
def handler(event: dict[str, Any], context: Any) -> Any:
    """Fetch a batch of labels. A label that is not there yet is tried again later, each at its own time."""
    worker, deadline = runtime.label_worker, Deadline.of(context).minus(_SAVE_SECONDS)
    return process_partial_response(
        event, lambda record: worker.work(ReceivedMessage.of(record), deadline), _BATCH, context
    )
