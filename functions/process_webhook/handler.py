"""The inbox queue's worker: does what a carrier's stored delivery is worth."""

from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from parcelgate.observability.logs import anatomy, log, observed
from parcelgate.services import deliveries

_BATCH = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


def process(record: SQSRecord) -> None:
    """Work one message off: the way to one delivery."""
    try:
        message = record.json_body
        deliveries.wired().process(message["tenant"], message["id"])
    except Exception as error:
        log.error("a delivery was not worked off", extra=anatomy(error))
        raise


@observed()
def handler(event: dict[str, Any], context: Any) -> Any:
    """Work a batch off; what fails comes again alone."""
    return process_partial_response(event, process, _BATCH, context)
