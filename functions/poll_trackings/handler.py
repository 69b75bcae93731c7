"""A worker of the tracking polls: asks about its share of the parcels that are due."""

from datetime import datetime
from typing import Any

from parcelgate.domain.deadline import Deadline, Invocation
from parcelgate.observability.logs import bind_log_keys, instrumented
from parcelgate.runtime import runtime
from parcelgate.services.trackings.polls import Polls


@instrumented()
def handler(event: dict[str, Any], context: Invocation) -> dict[str, Any]:
    """Make one run; `more` when another is to follow at once."""
    worker, workers, started_at = event["worker"], event["workers"], event["started_at"]
    # No client's request is behind it: all workers of a round, and what follows from them, share this id.
    bind_log_keys(correlation_id=f"poll-{started_at}")
    polls: Polls = runtime.polls
    more = polls.run(worker, workers, datetime.fromisoformat(started_at), Deadline.of(context))
    return {"worker": worker, "workers": workers, "started_at": started_at, "more": more}
