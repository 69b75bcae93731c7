"""A round of tracking polls: workers side by side, each run again while it leaves something and has time.

The round ends with its slowest worker, and within the five minutes that Step Functions gives an express
execution. A worker that fails loses nothing: the parcels that it did not poll are still due in the next
round. Nothing of CDK is here: tests run the definition as it is.
"""

from typing import Any

from infra.settings import Settings
from infra.state_machines.order_flow import SERVICE_ERRORS

LONGEST_ROUND = 300
"""Seconds that an express execution may take."""


def definition(settings: Settings, function: str) -> dict[str, Any]:
    """The state machine in Amazon States Language; `function` is the worker's ARN."""
    workers = settings.poll_workers
    poll = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {
            "FunctionName": function,
            "Payload": {
                "worker.$": "$.worker",
                "workers.$": "$.workers",
                "started_at.$": "$.started_at",
            },
        },
        "OutputPath": "$.Payload",
        "Retry": [
            {
                "ErrorEquals": SERVICE_ERRORS,
                "IntervalSeconds": settings.retry_first,
                "BackoffRate": 2,
                "MaxAttempts": 2,
                "JitterStrategy": "FULL",
            }
        ],
        # The function has said why; the other workers go on.
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": None, "Next": "Done"}],
        "Next": "More",
    }
    return {
        "Comment": "Polls the parcels that are due",
        "StartAt": "Shares",
        "TimeoutSeconds": LONGEST_ROUND,
        "States": {
            "Shares": {
                "Type": "Pass",
                "Result": [*range(workers)],
                "ResultPath": "$.shares",
                "Next": "Workers",
            },
            "Workers": {
                "Type": "Map",
                "ItemsPath": "$.shares",
                "ItemSelector": {
                    "worker.$": "$$.Map.Item.Value",
                    "workers": workers,
                    "started_at.$": "$$.Execution.StartTime",
                },
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "INLINE"},
                    "StartAt": "Poll",
                    "States": {
                        "Poll": poll,
                        "More": {
                            "Type": "Choice",
                            "Choices": [{"Variable": "$.more", "BooleanEquals": True, "Next": "Poll"}],
                            "Default": "Done",
                        },
                        "Done": {"Type": "Succeed"},
                    },
                },
                "ResultPath": None,
                "End": True,
            },
        },
    }
