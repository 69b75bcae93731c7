"""Runs every few minutes: resumes all work that is overdue, or shows it to a person."""

from typing import Any

from parcelgate.domain.deadline import Deadline, Invocation
from parcelgate.observability.logs import instrumented
from parcelgate.runtime import runtime
from parcelgate.services.operator.sweep import Sweep


@instrumented()
def handler(event: dict[str, Any], context: Invocation) -> dict[str, int]:  # noqa: ARG001 - Lambda gives it
    """Make one run."""
    sweep: Sweep = runtime.sweep
    return {"dealt_with": sweep.run(Deadline.of(context))}
