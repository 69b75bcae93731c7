"""Which alarms ring: figures of the functions' logs, of which each look reads only what is new."""

import json
import time
from types import SimpleNamespace
from typing import Any

import pytest

from local.drills.watch import Watch

NAMESPACE = "parcelgate/local"
ALARM = {
    "AlarmName": "parcelgate-local-errors",
    "AlarmDescription": "see the runbook",
    "Namespace": NAMESPACE,
    "MetricName": "Errors",
    "Statistic": "Sum",
    "Period": 300,
    "Threshold": 2,
    "ComparisonOperator": "GreaterThanOrEqualToThreshold",
    "TreatMissingData": "notBreaching",
}
STACK = {
    "describe_stack_resources": {
        "StackResources": [
            {
                "LogicalResourceId": "Logs",
                "PhysicalResourceId": "/sweep",
                "ResourceType": "AWS::Logs::LogGroup",
            }
        ]
    },
    "get_template": {
        "TemplateBody": {"Resources": {"Errors": {"Type": "AWS::CloudWatch::Alarm", "Properties": ALARM}}}
    },
}


class Logs:
    """One log group. `given` counts the lines that were handed out."""

    exceptions = SimpleNamespace(ResourceNotFoundException=LookupError, ClientError=OSError)

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self.given = 0

    def write(self, at: float, **figures: int) -> None:
        metrics = [{"Name": name} for name in figures]
        told = {"Namespace": NAMESPACE, "Dimensions": [[]], "Metrics": metrics}
        milliseconds = int(at * 1000)
        line = {"_aws": {"Timestamp": milliseconds, "CloudWatchMetrics": [told]}, **figures}
        self.lines.append(
            {"timestamp": milliseconds, "message": json.dumps(line), "eventId": str(len(self.lines))}
        )

    def filter_log_events(self, *, logGroupName: str, startTime: int) -> dict[str, Any]:  # noqa: N803
        assert logGroupName == "/sweep"
        found = [line for line in self.lines if line["timestamp"] >= startTime]
        self.given += len(found)
        return {"events": found}


@pytest.fixture
def logs() -> Logs:
    return Logs()


@pytest.fixture
def watch(logs: Logs) -> Watch:
    formation = SimpleNamespace(**{name: lambda answer=answer, **_: answer for name, answer in STACK.items()})
    return Watch(
        {"cloudformation": formation, "logs": logs}.get, stack="parcelgate-local", namespace=NAMESPACE
    )


def test_figures_of_several_looks_add_up_to_an_alarm(watch: Watch, logs: Logs) -> None:
    logs.write(time.time() + 1, Errors=1)
    assert watch.ringing() == []

    logs.write(time.time() + 2, Errors=1)
    (ringing,) = watch.ringing()
    assert (ringing.name, ringing.value) == ("errors", 2)
    assert watch.ringing() == [ringing], "a line that is read again counts once"


def test_a_look_leaves_alone_what_was_read_long_before(watch: Watch, logs: Logs) -> None:
    begin = time.time() + 1
    for second in range(200):
        logs.write(begin + second, Others=1)
    watch.ringing()
    before = logs.given
    watch.ringing()
    assert logs.given - before < 20
