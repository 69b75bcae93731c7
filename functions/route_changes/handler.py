"""The table's stream: webhooks to the inbox queue, labels to theirs, and to merchants what happened."""

from typing import Any

from parcelgate.http.answers import Site
from parcelgate.http.resources.events import rendering
from parcelgate.observability.logs import instrumented
from parcelgate.runtime import runtime
from parcelgate.services.events.stream_router import StreamRouter


@instrumented()
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001 - Lambda gives it
    """Send on what follows from a batch of changes. What AWS did not take comes again."""
    site = Site.at(runtime.settings.public_url, runtime.table.page_tokens.token)
    router: StreamRouter = runtime.stream_router(rendering(site))
    failed = router.route(event["Records"])
    return {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}
