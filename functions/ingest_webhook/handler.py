"""POST /webhooks/{carrier}/{account}/{token}: stores a carrier's webhook, then acknowledges it."""

from typing import Any

from parcelgate.observability.logs import bind_log_keys, instrumented
from parcelgate.runtime import runtime
from parcelgate.services.webhooks import receive


@instrumented()
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001 - Lambda gives it
    """Store the webhook and answer. It is processed later."""
    request_id = (event.get("requestContext") or {}).get("requestId")
    bind_log_keys(request_id=request_id, correlation_id=request_id)
    path = event.get("pathParameters") or {}
    answer = runtime.webhook_receiver.take_in(path, receive.body_of(event), event.get("headers"))
    return {
        "statusCode": answer.status,
        "headers": {"content-type": answer.content_type},
        "body": answer.body.decode(),
    }
