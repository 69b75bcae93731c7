"""The order flow: from an accepted order to its label, or to the money's way back.

On the good path it bills three transitions: the start, SubmitOrder and CheckOrder, which fetches the label as
well. So that path has no Choice, Pass, Wait or Succeed; what else may happen is told by the names of the
errors that the functions raise. Nothing of CDK is here: tests run the definition as it is.
"""

from collections.abc import Mapping
from math import ceil
from typing import Any

from infra.settings import Settings
from parcelgate.store.limits import LOOK_AGAIN

_UNLIMITED = 99_999_999
"""The most that Step Functions takes. The functions know the deadline and raise it."""

SERVICE_ERRORS = [
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
    "Sandbox.Timedout",
    "Runtime.ExitError",
    "Runtime.OutOfMemory",
    # A release that cannot be imported: the next one, or the one before, can.
    "Runtime.ImportModuleError",
    "Runtime.HandlerNotFound",
    "Runtime.UserCodeSyntaxError",
]
"""The function was not reached, or it died without an answer. All but SubmitOrder can simply be called again.

That goes on for as long as the order, or its refund, may take. An order is not given to a person because
Lambda was busy for a minute, or a release was bad for ten.
"""


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
    last_resort = back_off | {"MaxAttempts": 6}

    def task(function: str, *, token: bool = False, **fields: Any) -> dict[str, Any]:
        payload = {
            "tenant.$": "$.tenant",
            "order_id.$": "$.order_id",
            "started_at.$": "$$.Execution.StartTime",
            "execution.$": "$$.Execution.Input",
            "waits_for_pauses": True,
            "label_with_check": True,
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

    def called_again(*, seconds: int) -> dict[str, Any]:
        # Full jitter waits half of the longest delay on average; half as often again, since that is chance.
        return retry(SERVICE_ERRORS, back_off | {"MaxAttempts": ceil(3 * seconds / settings.retry_cap)})

    # An execution may have 25,000 events, and each look is three of them.
    paused = retry(
        ["AccountPaused"],
        {
            "IntervalSeconds": round(LOOK_AGAIN.total_seconds()),
            "BackoffRate": 1,
            "MaxAttempts": _UNLIMITED,
        },
    )

    def catch(*errors: str, to: str) -> dict[str, Any]:
        return {"ErrorEquals": list(errors), "ResultPath": None, "Next": to}

    unreached = called_again(seconds=settings.order_deadline)
    return {
        "Comment": "From an accepted order to its label",
        "StartAt": "SubmitOrder",
        "States": {
            # No Retry of any kind: an order that may have reached the carrier must not be submitted again
            # here.
            "SubmitOrder": task(
                "submit_order",
                token=True,
                TimeoutSeconds=settings.submit_timeout,
                **({"HeartbeatSeconds": settings.heartbeat} if settings.heartbeat else {}),
                Catch=[catch("OrderRefused", to="Compensate"), catch("States.ALL", to="CheckOrder")],
                Next="CheckOrder",
            ),
            "CheckOrder": task(
                "check_order",
                Retry=[retry(["OrderPending"], back_off), paused, unreached],
                Catch=[
                    catch("OrderFailed", to="Compensate"),
                    catch("NotSubmitted", to="SubmitAgain"),
                    catch("SubmitLater", to="SubmitLater"),
                    catch("LabelPending", to="FetchLabel"),
                    catch("DeadlinePassed", to="NeedsAttention"),
                    catch("States.ALL", to="NeedsAttention"),
                ],
                End=True,
            ),
            # Without a pause, a carrier that is down would be asked as fast as the machine can turn. An order
            # that waits for one goes round for twelve hours, and must not fill its execution's history.
            "SubmitAgain": {"Type": "Wait", "Seconds": settings.resubmit_pause, "Next": "SubmitOrder"},
            "SubmitLater": {"Type": "Wait", "Seconds": settings.retry_cap, "Next": "SubmitOrder"},
            "FetchLabel": task(
                "fetch_label",
                Retry=[retry(["LabelPending"], back_off), paused, unreached],
                Catch=[
                    catch("DeadlinePassed", to="NeedsAttention"),
                    catch("States.ALL", to="NeedsAttention"),
                ],
                End=True,
            ),
            "Compensate": task(
                "compensate_order",
                Retry=[
                    # A refund that is not done within minutes usually takes hours.
                    retry(["RefundPending"], back_off | {"MaxDelaySeconds": settings.refund_retry_cap}),
                    paused,
                    called_again(seconds=settings.refund_deadline),
                ],
                Catch=[
                    catch("DeadlinePassed", to="NeedsAttention"),
                    catch("States.ALL", to="NeedsAttention"),
                ],
                End=True,
            ),
            "NeedsAttention": task(
                "escalate_order", Retry=[unreached, retry(["States.ALL"], last_resort)], End=True
            ),
        },
    }
