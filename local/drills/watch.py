"""Which alarms of the stack would ring now, by their own definitions.

The emulator takes no alarm that computes, and makes no metrics of what functions log. So this module reads
the alarms in the deployed template, and the figures where AWS itself finds them: our own metrics in the
functions' logs, the length of each queue, and how executions ended. What it cannot measure, it does not
guess: alarms that read anything else are left out (`unmeasured`).
"""

import json
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from local.command.groups.logs import Reader
from local.drills.cloudwatch import Alarm, Figures, Metric, figures_in

_ENDS = {"ExecutionsFailed": "FAILED", "ExecutionsTimedOut": "TIMED_OUT", "ExecutionsAborted": "ABORTED"}
_LENGTH = "ApproximateNumberOfMessagesVisible"


@dataclass(frozen=True)
class Ringing:
    """An alarm that would ring, and why."""

    name: str
    description: str
    value: float
    threshold: float


class Watch:
    """Watches the alarms of a stack from now on.

    Parameters
    ----------
    client
        Returns the boto3 client of a service.
    stack
        The stack's name.
    namespace
        The namespace of its own metrics.
    """

    def __init__(self, client: Callable[[str], Any], *, stack: str, namespace: str) -> None:
        self._client = client
        self._namespace = namespace
        self._began = time.time()
        formation = client("cloudformation")
        resources = formation.describe_stack_resources(StackName=stack)["StackResources"]
        self._ids = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in resources}
        self._queues = {
            each["PhysicalResourceId"].rpartition("/")[2]: each["PhysicalResourceId"]
            for each in resources
            if each["ResourceType"] == "AWS::SQS::Queue"
        }
        groups = [
            each["PhysicalResourceId"] for each in resources if each["ResourceType"] == "AWS::Logs::LogGroup"
        ]
        began = datetime.fromtimestamp(self._began, UTC)
        self._reader = Reader(client("logs"), {name: name for name in groups}, began, None)
        template: Mapping[str, Any] = formation.get_template(StackName=stack)["TemplateBody"]
        self.alarms = [
            Alarm(each["Properties"], self._written)
            for each in template["Resources"].values()
            if each["Type"] == "AWS::CloudWatch::Alarm"
        ]
        self._logged: defaultdict[Metric, list[tuple[float, float]]] = defaultdict(list)

    @property
    def unmeasured(self) -> list[str]:
        """The alarms of which nothing can be measured here."""
        return sorted(alarm.name for alarm in self.alarms if not self._measurable(alarm))

    def ringing(self) -> list[Ringing]:
        """Return the alarms that would ring now."""
        self._read_logs()
        found = []
        for alarm in filter(self._measurable, self.alarms):
            figures = self._figures(alarm)
            if alarm.rings(figures):
                found.append(
                    Ringing(
                        alarm.name,
                        str(alarm.properties["AlarmDescription"]),
                        alarm.value(figures) or 0.0,
                        float(alarm.properties["Threshold"]),
                    )
                )
        return sorted(found, key=lambda each: each.name)

    def _measurable(self, alarm: Alarm) -> bool:
        return all(
            metric.namespace == self._namespace or metric.name == _LENGTH or metric.name in _ENDS
            for metric in alarm.metrics.values()
        )

    def _figures(self, alarm: Alarm) -> Figures:
        """The figures of the alarm's metrics within its period."""
        since = max(self._began, time.time() - alarm.period)
        values: dict[Metric, list[float]] = {}
        for metric in alarm.metrics.values():
            if metric.namespace == self._namespace:
                values[metric] = [value for at, value in self._logged[metric] if at >= since]
            else:
                ((_, of),) = metric.dimensions
                values[metric] = [
                    self._length(of) if metric.name == _LENGTH else self._ends(metric, of, since)
                ]
        return Figures(values)

    def _length(self, queue: str) -> float:
        answer = self._client("sqs").get_queue_attributes(
            QueueUrl=self._queues[queue], AttributeNames=["ApproximateNumberOfMessages"]
        )
        return float(answer["Attributes"]["ApproximateNumberOfMessages"])

    def _ends(self, metric: Metric, machine: str, since: float) -> float:
        answer = self._client("stepfunctions").list_executions(
            stateMachineArn=machine, statusFilter=_ENDS[metric.name]
        )
        return float(sum(each["stopDate"].timestamp() >= since for each in answer["executions"]))

    def _read_logs(self) -> None:
        """Read the metrics that functions have logged since the last look."""
        for _, event in self._reader.events():
            self._add(event["message"].strip())

    def _add(self, line: str) -> None:
        if not line.startswith("{") or '"_aws"' not in line:
            return
        at = json.loads(line)["_aws"]["Timestamp"] / 1000
        for metric, values in figures_in(line).values.items():
            self._logged[metric] += [(at, value) for value in values]

    def _written(self, value: Any) -> str:
        match value:
            case {"Ref": name}:
                return str(self._ids[name])
            case {"Fn::GetAtt": [name, "QueueName"]}:
                return str(self._ids[name]).rpartition("/")[2]
            case _:
                return str(value)
