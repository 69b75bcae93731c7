"""The delivery queue: sends a merchant's event to one of its endpoints."""

from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from parcelgate.domain.deadline import Deadline
from parcelgate.http.resources.endpoints import endpoint_json
from parcelgate.observability.logs import instrumented, log, own_log_keys, safe_error_fields
from parcelgate.runtime import runtime
from parcelgate.services.endpoints.deliver import EventDeliverer
from parcelgate.services.redelivery import NotYetError, ReceivedMessage

_BATCH = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


@instrumented()
def handler(event: dict[str, Any], context: Any) -> Any:
    """Take a delivery a step further. It comes again until it is delivered or has failed."""
    deliverer: EventDeliverer = runtime.event_deliverer(endpoint_json)
    deadline = Deadline.of(context)

    @own_log_keys()
    def work(record: SQSRecord) -> None:
        try:
            deliverer.work(ReceivedMessage.of(record), deadline)
        except NotYetError:
            raise
        except Exception as error:
            log.error("a delivery was not worked on; it comes again", extra=safe_error_fields(error))
            raise

    return process_partial_response(event, work, _BATCH, context)
