"""The queue of label documents: puts the labels of many orders into one PDF."""

from typing import Any

from parcelgate.domain.deadline import Deadline
from parcelgate.observability.logs import instrumented, log, safe_error_fields
from parcelgate.observability.records import Record, each_alone
from parcelgate.runtime import runtime
from parcelgate.services.labels.memory import limit_memory
from parcelgate.services.labels.printing import PrintoutWorker

_SAVE_SECONDS = 20.0
"""What is kept back of an invocation's time to store what was made."""


@instrumented()
def handler(event: dict[str, Any], context: Any) -> Any:
    """Make the document that a message asks for; one that made trouble comes again."""
    limit_memory()
    worker: PrintoutWorker = runtime.printout_worker
    deadline = Deadline.of(context).minus(_SAVE_SECONDS)

    def work(record: Record) -> None:
        try:
            worker.work(record["body"], deadline)
        except Exception as error:
            log.error("a label document was not made", extra=safe_error_fields(error))
            raise

    return each_alone(event, work)
