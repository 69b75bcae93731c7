"""A carrier's batch queue: makes orders of the entries of batches, and has them sent."""

from datetime import datetime
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from parcelgate.carriers import registry
from parcelgate.domain.deadline import Deadline
from parcelgate.http.requests.batches import read_entries
from parcelgate.http.requests.orders import read_order
from parcelgate.observability.logs import instrumented, log, own_log_keys, safe_error_fields
from parcelgate.runtime import runtime
from parcelgate.services.batches.batches import Reading
from parcelgate.services.orders.create import Draft

_BATCH = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


def draft(entry: object, *, tenant: str, order_id: str, now: datetime) -> Draft:
    """Make a draft of one entry."""
    return read_order(entry, carriers=registry.CARRIERS, tenant=tenant, order_id=order_id, now=now)


READING = Reading(entries=read_entries, draft=draft)


@instrumented()
def handler(event: dict[str, Any], context: Any) -> Any:
    """Process the entries of a message. A message with entries that failed comes again."""
    worker, deadline = runtime.batch_worker(READING), Deadline.of(context)

    @own_log_keys()
    def work(record: SQSRecord) -> None:
        try:
            worker.work(record.body, deadline)
        except Exception as error:
            log.error(
                "entries of a batch were not processed; their message comes again",
                extra=safe_error_fields(error),
            )
            raise

    return process_partial_response(event, work, _BATCH, context)
