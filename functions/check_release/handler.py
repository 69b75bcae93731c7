"""Checks the new version of a function before clients meet it. CodeDeploy calls it at each release."""

from typing import Any

from parcelgate.http.smoke import event_for
from parcelgate.observability.logs import instrumented
from parcelgate.runtime import runtime
from parcelgate.services.operator.releases import ReleaseChecker


@instrumented()
def handler(event: dict[str, Any], context: object) -> None:  # noqa: ARG001 - Lambda gives it
    """Ask the version that the deployment is about, and tell CodeDeploy whether it works."""
    checker: ReleaseChecker = runtime.release_checker
    checker.check(event["DeploymentId"], event["LifecycleEventHookExecutionId"], event_for)
