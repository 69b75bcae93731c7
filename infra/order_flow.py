"""The order flow: from an accepted order to its label, or to the money's way back.

On the good path it bills four transitions: the start, SubmitOrder, CheckOrder and FetchLabel. So that path
has no Choice, Pass, Wait or Succeed; what else may happen is told by the names of the errors that the
functions raise. Nothing of CDK is here: tests run the definition as it is.
"""

from collections.abc import Mapping
from typing import Any

from infra.settings import Settings

_UNLIMITED = 99_999_999
"""The most that Step Functions takes. The functions know the deadline and raise it."""

_SERVICE_ERRORS = [
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
    "Sandbox.Timedout",
    "Runtime.ExitError",
    "Runtime.OutOfMemory",
]
"""The function was not reached, or died without a word: all but SubmitOrder may simply be called again."""


def definition(settings: Settings, functions: Mapping[str, str]) -> dict[str, Any]:
    """The state machine in Amazon States Language.

    Parameters
    ----------
    settings
        The environment: its waits and back-off.
    functions
        Each function's ARN, by the function's name.
    """
    back_off = {
        "IntervalSeconds": settings.retry_first,
        "BackoffRate": 2,
        "MaxDelaySeconds": settings.retry_cap,
        "MaxAttempts": _UNLIMITED,
        "JitterStrategy": "FULL",
    }
    again = {
        "IntervalSeconds": 2,
        "BackoffRate": 2,
        "MaxDelaySeconds": 60,
        "MaxAttempts": 6,
        "JitterStrategy": "FULL",
    }

    def task(function: str, *, token: bool = False, **fields: Any) -> dict[str, Any]:
        payload = {
            "tenant.$": "$.tenant",
            "order_id.$": "$.order_id",
            "started_at.$": "$$.Execution.StartTime",
        }
        if token:
            payload["task_token.$"] = "$$.Task.Token"
        return {
            "Type": "Task",
            "Resource": f"arn:aws:states:::lambda:invoke{'.waitForTaskToken' if token else ''}",
            "Parameters": {"FunctionName": functions[function], "Payload": payload},
            "ResultPath": None,
            **fields,
        }

    def retry(errors: list[str], how: dict[str, Any]) -> dict[str, Any]:
        return {"ErrorEquals": errors, **how}

    def catch(*errors: str, to: str) -> dict[str, Any]:
        return {"ErrorEquals": list(errors), "ResultPath": None, "Next": to}

    called_again = retry(_SERVICE_ERRORS, again)
    return {
        "Comment": "From an accepted order to its label",
        "StartAt": "SubmitOrder",
        "States": {
            # No Retry of any kind: what may have reached the carrier is never sent again by machinery.
            "SubmitOrder": task(
                "submit_order",
                token=True,
                TimeoutSeconds=settings.submit_timeout,
                Catch=[catch("OrderRefused", to="Compensate"), catch("States.ALL", to="CheckOrder")],
                Next="CheckOrder",
            ),
            "CheckOrder": task(
                "check_order",
                Retry=[retry(["OrderPending"], back_off), called_again],
                Catch=[
                    catch("OrderFailed", to="Compensate"),
                    catch("NotSubmitted", to="SubmitAgain"),
                    catch("DeadlinePassed", to="NeedsAttention"),
                    catch("States.ALL", to="NeedsAttention"),
                ],
                Next="FetchLabel",
            ),
            # Without a pause, a carrier that is down would be asked as fast as the machine can turn.
            "SubmitAgain": {"Type": "Wait", "Seconds": settings.resubmit_pause, "Next": "SubmitOrder"},
            "FetchLabel": task(
                "fetch_label",
                Retry=[retry(["LabelPending"], back_off), called_again],
                Catch=[
                    catch("DeadlinePassed", to="NeedsAttention"),
                    catch("States.ALL", to="NeedsAttention"),
                ],
                End=True,
            ),
            "Compensate": task(
                "compensate_order",
                Retry=[retry(["RefundPending"], back_off), called_again],
                Catch=[
                    catch("DeadlinePassed", to="NeedsAttention"),
                    catch("States.ALL", to="NeedsAttention"),
                ],
                End=True,
            ),
            "NeedsAttention": task("escalate_order", Retry=[retry(["States.ALL"], again)], End=True),
        },
    }
