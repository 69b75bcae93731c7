"""The table's stream: webhooks to the inbox queue, news of orders to the event bus."""

from typing import Any

from parcelgate.observability.logs import instrumented
from parcelgate.runtime import runtime
from parcelgate.services.events.stream_router import StreamRouter


@instrumented()
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001 - Lambda gives it
    """Send on what follows from a batch of changes. What AWS did not take comes again."""
    router: StreamRouter = runtime.stream_router
    failed = router.route(event["Records"])
    return {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}
