"""Every few minutes: resumes whatever is overdue, or raises it to a person."""

from typing import Any

from parcelgate.observability.logs import instrumented
from parcelgate.runtime import runtime
from parcelgate.services.invocation import Context, time_left
from parcelgate.services.operator.sweep import Sweep


@instrumented()
def handler(event: dict[str, Any], context: Context) -> dict[str, int]:  # noqa: ARG001 - Lambda gives it
    """Make one run."""
    sweep: Sweep = runtime.sweep
    return {"dealt_with": sweep.run(time_left(context))}
