"""Releases: whether the new version of a function works, asked before its alias moves."""

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

from botocore.exceptions import ClientError

from parcelgate.observability.logs import log

_PAUSES = (1, 2, 4, 8, 16, 32)
"""Seconds before each further call where Lambda has no room: a release checks many functions at once."""


class ReleaseChecker:
    """Answers CodeDeploy, which holds each deployment back until it hears whether the new version works.

    Parameters
    ----------
    codedeploy, lambda_
        The clients.
    prefix
        What the names of this stage's functions begin with.
    also
        For some functions, by name: others that have no alias, and are checked as they are, together with it.
    sleep
        Waits for some seconds.
    """

    def __init__(
        self,
        codedeploy: Any,
        lambda_: Any,
        *,
        prefix: str,
        also: dict[str, Sequence[str]],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._codedeploy = codedeploy
        self._lambda = lambda_
        self._prefix = prefix
        self._also = also
        self._sleep = sleep

    def check(self, deployment: str, hook: str, event_for: Callable[[str], dict[str, Any]]) -> None:
        """Ask the version that a deployment is about, and tell CodeDeploy.

        CodeDeploy is told in any case: it would wait an hour for an answer, and the release with it.

        Parameters
        ----------
        deployment, hook
            The ids by which CodeDeploy knows the deployment and this check of it.
        event_for
            Returns the event that a function is asked with.
        """
        works = False
        try:
            name, version = self._target(deployment)
            asked = {name: version} | dict.fromkeys(self._also.get(name, ()), "$LATEST")
            faults = {each: self._ask(each, version, event_for(each)) for each, version in asked.items()}
            works = not any(faults.values())
            for each, fault in faults.items():
                if fault:
                    log.warning(
                        "a function of this release does not work, so the release is taken back",
                        extra={"function": each, "version": asked[each], "fault": fault},
                    )
        finally:
            self._codedeploy.put_lifecycle_event_hook_execution_status(
                deploymentId=deployment,
                lifecycleEventHookExecutionId=hook,
                status="Succeeded" if works else "Failed",
            )

    def _target(self, deployment: str) -> tuple[str, str]:
        """Return the function of a deployment, and the version that its alias is to move to."""
        ids = self._codedeploy.list_deployment_targets(deploymentId=deployment)["targetIds"]
        answer = self._codedeploy.batch_get_deployment_targets(deploymentId=deployment, targetIds=ids)
        (target,) = answer["deploymentTargets"]
        function = target["lambdaTarget"]["lambdaFunctionInfo"]
        return function["functionName"].removeprefix(self._prefix), function["targetVersion"]

    def _ask(self, name: str, version: str, event: dict[str, Any]) -> str | None:
        payload = json.dumps(event).encode()
        for pause in (*_PAUSES, None):
            try:
                answer = self._lambda.invoke(
                    FunctionName=f"{self._prefix}{name}", Qualifier=version, Payload=payload
                )
            except ClientError as error:
                code: str = error.response["Error"]["Code"]
                if code != "TooManyRequestsException" or pause is None:
                    return code
                self._sleep(pause)
            else:
                return fault_of(answer)
        raise AssertionError("the last attempt returns")


def fault_of(answer: dict[str, Any]) -> str | None:
    """Return what is wrong with a function's answer to a smoke test; None if nothing is.

    Parameters
    ----------
    answer
        Lambda's answer to `Invoke`.

    Raises
    ------
    ValueError
        If it is not JSON.
    """
    said = json.loads(answer["Payload"].read() or b"null")
    if "FunctionError" in answer:
        kind = said.get("errorType", "") if isinstance(said, dict) else ""
        return f"does not work ({kind or answer['FunctionError']})"
    if isinstance(said, dict) and int(said.get("statusCode", 200)) >= 500:
        return f"answers {said['statusCode']} to a request that should only be refused"
    return None
