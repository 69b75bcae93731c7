"""A carrier's retry queue: tries again what could not be done at once."""

from typing import Any

from parcelgate.domain.deadline import Deadline
from parcelgate.observability.logs import instrumented
from parcelgate.observability.records import each_alone
from parcelgate.runtime import runtime
from parcelgate.services.redelivery import ReceivedMessage


@instrumented()
def handler(event: dict[str, Any], context: Any) -> Any:
    """Try a batch of messages again. Those that do not succeed come again, each at its own time."""
    retrier = runtime.retrier(Deadline.of(context))
    return each_alone(event, lambda record: retrier.work(ReceivedMessage.of(record)))
