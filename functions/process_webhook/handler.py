"""The inbox queue's worker: processes the webhooks of carriers."""

from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from parcelgate.observability.logs import bind_log_keys, instrumented, log, own_log_keys, safe_error_fields
from parcelgate.runtime import runtime
from parcelgate.services.trackings.timeline import Timelines
from parcelgate.services.webhooks.process import WebhookProcessor

_BATCH = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


@own_log_keys()
def work(record: SQSRecord) -> None:
    """Process the webhook that a message names."""
    try:
        message = record.json_body
        bind_log_keys(tenant=message["tenant"], correlation_id=message.get("correlation_id"))
        processor: WebhookProcessor = runtime.webhook_processor
        processor.process(message["tenant"], message["id"])
    except Exception as error:
        log.error("a webhook was not processed; its message comes again", extra=safe_error_fields(error))
        raise


@instrumented()
def handler(event: dict[str, Any], context: Any) -> Any:
    """Process a batch of messages. Only those that fail come again."""
    answer = process_partial_response(event, work, _BATCH, context)
    timelines: Timelines = runtime.timelines
    timelines.save_habits()
    return answer
