"""The inbox queue's worker: processes the webhooks of carriers."""

import json
from typing import Any

from parcelgate.observability.logs import bind_log_keys, instrumented, log, own_log_keys, safe_error_fields
from parcelgate.observability.records import Record, each_alone
from parcelgate.runtime import runtime
from parcelgate.services.trackings.timeline import Timelines
from parcelgate.services.webhooks.process import WebhookProcessor


@own_log_keys()
def work(record: Record) -> None:
    """Process the webhook that a message names."""
    try:
        names = json.loads(record["body"])
        bind_log_keys(tenant=names["tenant"], correlation_id=names.get("correlation_id"))
        processor: WebhookProcessor = runtime.webhook_processor
        processor.process(names["tenant"], names["id"])
    except Exception as error:
        log.error("a webhook was not processed; its message comes again", extra=safe_error_fields(error))
        raise


@instrumented()
def handler(event: dict[str, Any], context: Any) -> Any:  # noqa: ARG001 - Lambda gives it
    """Process a batch of messages. Only those that fail come again."""
    answer = each_alone(event, work)
    timelines: Timelines = runtime.timelines
    timelines.save_habits()
    return answer
