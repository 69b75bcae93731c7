"""A version that does not work keeps its alias where it is, and CodeDeploy hears so at once."""

import io
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.session import get_session
from botocore.stub import Stubber

from functions.check_release.handler import handler
from parcelgate.http.smoke import event_for
from parcelgate.observability.logs import UnexpectedError
from parcelgate.runtime import runtime
from parcelgate.services.operator.releases import ReleaseChecker

PREFIX = "parcelgate-staging-"
BUSY = ClientError({"Error": {"Code": "TooManyRequestsException"}}, "Invoke")


class Lambda:
    """Functions that answer what they are given, in turn, by name."""

    def __init__(self, **answers: list[Any]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, str]] = []

    def invoke(self, *, FunctionName: str, Qualifier: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
        name = FunctionName.removeprefix(PREFIX)
        assert json.loads(Payload) == event_for(name)
        self.asked.append((name, Qualifier))
        said = (self.answers.get(name) or [{}]).pop(0)
        if isinstance(said, Exception):
            raise said
        failed = {"FunctionError": "Unhandled"} if "errorType" in said else {}
        return {"Payload": io.BytesIO(json.dumps(said).encode()), **failed}


def released(function: str, lambda_: Any, *, expected: str, pauses: list[float] | None = None) -> None:
    """Have `function` checked, and require that CodeDeploy is told `expected`."""
    codedeploy = get_session().create_client("codedeploy", region_name="eu-central-1")
    with Stubber(codedeploy) as stub:
        stub.add_response("list_deployment_targets", {"targetIds": ["t"]}, {"deploymentId": "d-1"})
        target = {
            "deploymentTargetType": "LambdaTarget",
            "lambdaTarget": {
                "lambdaFunctionInfo": {
                    "functionName": f"{PREFIX}{function}",
                    "functionAlias": "live",
                    "currentVersion": "6",
                    "targetVersion": "7",
                }
            },
        }
        stub.add_response(
            "batch_get_deployment_targets",
            {"deploymentTargets": [target]},
            {"deploymentId": "d-1", "targetIds": ["t"]},
        )
        stub.add_response(
            "put_lifecycle_event_hook_execution_status",
            {},
            {"deploymentId": "d-1", "lifecycleEventHookExecutionId": "h-1", "status": expected},
        )
        runtime.use(
            release_checker=ReleaseChecker(
                codedeploy,
                lambda_,
                prefix=PREFIX,
                also={"authorize": ["sweep", "route_changes"]},
                sleep=(pauses if pauses is not None else []).append,
            )
        )
        try:
            handler({"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "h-1"}, None)
        finally:
            stub.assert_no_pending_responses()


def test_a_version_that_answers_may_go_on() -> None:
    functions = Lambda(create_order=[{"statusCode": 401}])
    released("create_order", functions, expected="Succeeded")
    assert functions.asked == [("create_order", "7")]


@pytest.mark.parametrize("said", [{"errorType": "Runtime.ImportModuleError"}, {"statusCode": 500}])
def test_a_version_that_cannot_be_loaded_or_fails_may_not(
    said: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    released("create_order", Lambda(create_order=[said]), expected="Failed")


def test_functions_without_an_alias_are_checked_with_the_authorizer() -> None:
    functions = Lambda(route_changes=[{"errorType": "Runtime.ImportModuleError"}])
    released("authorize", functions, expected="Failed")
    assert functions.asked == [("authorize", "7"), ("sweep", "$LATEST"), ("route_changes", "$LATEST")]


def test_one_for_which_lambda_has_no_room_is_asked_again() -> None:
    pauses: list[float] = []
    released("create_order", Lambda(create_order=[BUSY, BUSY, {}]), expected="Succeeded", pauses=pauses)
    assert pauses == [1, 2]
    released("create_order", Lambda(create_order=[BUSY] * 9), expected="Failed")


def test_codedeploy_hears_of_a_check_that_fails_itself() -> None:
    """It would wait an hour, and the whole release with it."""
    with pytest.raises(UnexpectedError):
        released("create_order", Lambda(create_order=[TimeoutError()]), expected="Failed")
