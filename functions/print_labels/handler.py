"""The queue of label documents: puts the labels of many orders into one PDF."""

from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from parcelgate.domain.deadline import Deadline
from parcelgate.observability.logs import instrumented, log, safe_error_fields
from parcelgate.runtime import runtime
from parcelgate.services.labels.memory import limit_memory
from parcelgate.services.labels.printing import PrintoutWorker

_BATCH = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
_SAVE_SECONDS = 20.0
"""What is kept back of an invocation's time to store what was made."""


@instrumented()
def handler(event: dict[str, Any], context: Any) -> Any:
    """Make the document that a message asks for; one that made trouble comes again."""
    limit_memory()
    worker: PrintoutWorker = runtime.printout_worker
    deadline = Deadline.of(context).minus(_SAVE_SECONDS)

    def work(record: SQSRecord) -> None:
        try:
            worker.work(record.body, deadline)
        except Exception as error:
            log.error("a label document was not made", extra=safe_error_fields(error))
            raise

    return process_partial_response(event, work, _BATCH, context)
