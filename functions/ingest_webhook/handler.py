"""POST /webhooks/{carrier}/{account}/{token}: stores what a carrier delivers, then acknowledges it."""

from typing import Any

from parcelgate.observability.logs import observed
from parcelgate.services import webhooks


@observed()
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001 - Lambda gives it
    """Take the delivery in. Nothing is done about it here."""
    path = event.get("pathParameters") or {}
    answer = webhooks.wired().take_in(path, webhooks.body_of(event), event.get("headers"))
    return {
        "statusCode": answer.status,
        "headers": {"content-type": answer.content_type},
        "body": answer.body.decode(),
    }
