"""The poll queue's worker: asks about parcels that were nudged, many together."""

from typing import Any

from parcelgate.domain.deadline import Deadline, Invocation
from parcelgate.observability.logs import instrumented
from parcelgate.runtime import runtime
from parcelgate.services.trackings.polls import Nudge


@instrumented()
def handler(event: dict[str, Any], context: Invocation) -> dict[str, Any]:
    """Ask about a batch of parcels. One that another worker asks about right now comes again."""
    nudges = [Nudge(each["messageId"], each["receiptHandle"], each["body"]) for each in event["Records"]]
    again = runtime.polls.nudged(nudges, Deadline.of(context))
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in again]}
