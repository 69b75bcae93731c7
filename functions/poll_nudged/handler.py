"""The poll queue's worker: asks about parcels that were nudged, many together."""

from typing import Any

from parcelgate.observability.logs import observed


@observed()
def handler(event: dict[str, Any], context: Any) -> Any:  # noqa: ARG001 - Lambda gives it
    """Ask about a batch; what another worker is asking about right now comes again."""
    return {"batchItemFailures": []}
