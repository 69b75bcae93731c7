"""What CloudWatch makes of an alarm of the template and of figures: the alarm's own definition, evaluated."""

import json
import operator
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

STATISTICS = {"Sum": sum, "Maximum": max, "p95": max}
COMPARISONS = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
}


class Metric(NamedTuple):
    """A metric's whole name: another dimension makes another metric."""

    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]]


@dataclass
class Figures:
    """The values that metrics have taken within one period of an alarm."""

    values: dict[Metric, list[float]] = field(default_factory=lambda: defaultdict(list))

    def but(self, changes: dict[Metric, float]) -> "Figures":
        """The same with other values for some metrics."""
        return Figures({**self.values, **{metric: [value] for metric, value in changes.items()}})

    def without(self, metric: Metric) -> "Figures":
        """The same, with a metric that nobody wrote."""
        return Figures({name: values for name, values in self.values.items() if name != metric})

    def statistic(self, metric: Metric, name: str) -> float | None:
        """A statistic of the values of one metric; None without any."""
        values = self.values.get(metric)
        return STATISTICS[name](values) if values else None


def figures_in(output: str) -> Figures:
    """The metrics in lines that a function printed, as CloudWatch Logs finds them."""
    figures = Figures()
    for line in output.splitlines():
        entry = json.loads(line) if line.startswith("{") else {}
        for directive in entry.get("_aws", {}).get("CloudWatchMetrics", []):
            for names in directive["Dimensions"]:
                dimensions = frozenset((name, entry[name]) for name in names)
                for each in directive["Metrics"]:
                    value = entry[each["Name"]]
                    metric = Metric(directive["Namespace"], each["Name"], dimensions)
                    figures.values[metric] += value if isinstance(value, list) else [value]
    return figures


@dataclass(frozen=True)
class Alarm:
    """An alarm of a template. `written` says what a value stands for that is no text yet."""

    properties: dict[str, Any]
    written: Callable[[Any], str]

    @property
    def name(self) -> str:
        """Its name without that of the stack, such as `dead-letters`."""
        return str(self.properties["AlarmName"]).split("-", 2)[2]

    @property
    def period(self) -> float:
        """The seconds over which it looks."""
        found = [
            self.properties,
            *(each.get("MetricStat", {}) for each in self.properties.get("Metrics", [])),
        ]
        return float(max(each["Period"] for each in found if "Period" in each))

    @property
    def metrics(self) -> dict[str, Metric]:
        """Every metric that it reads, by its name in the expression."""
        if "MetricName" in self.properties:
            return {"m": self._metric(self.properties)}
        return {
            each["Id"]: self._metric(each["MetricStat"]["Metric"])
            for each in self.properties["Metrics"]
            if "MetricStat" in each
        }

    @property
    def expression(self) -> str | None:
        """What it computes; None for an alarm on one metric as it is."""
        expressions = [each for each in self.properties.get("Metrics", []) if "Expression" in each]
        if not expressions:
            return None
        (one,) = expressions
        return str(one["Expression"])

    def rings(self, figures: Figures) -> bool:
        """Whether it goes into alarm after one period with these figures."""
        value = self.value(figures)
        if value is None:
            return bool(self.properties["TreatMissingData"] == "breaching")
        compare = COMPARISONS[self.properties["ComparisonOperator"]]
        return bool(compare(value, self.properties["Threshold"]))

    def value(self, figures: Figures) -> float | None:
        """What it compares with its threshold; None if nothing is known."""
        if self.expression is None:
            return figures.statistic(self.metrics["m"], self.properties["Statistic"])
        read: dict[str, float | None] = {}
        for each in self.properties["Metrics"]:
            if "MetricStat" in each:
                read[each["Id"]] = figures.statistic(self.metrics[each["Id"]], each["MetricStat"]["Stat"])
        return _evaluate(self.expression, read)

    def _metric(self, given: dict[str, Any]) -> Metric:
        dimensions = frozenset(
            (each["Name"], self.written(each["Value"])) for each in given.get("Dimensions", [])
        )
        return Metric(given["Namespace"], given["MetricName"], dimensions)


def _evaluate(expression: str, read: dict[str, float | None]) -> float | None:
    """Metric math, of which our expressions use what has the same form in Python. Missing stays missing."""

    def fill(value: Any, instead: float) -> Any:
        if isinstance(value, list):
            return [fill(each, instead) for each in value]
        return instead if value is None else value

    words = {
        "FILL": fill,
        "IF": lambda condition, yes, no: yes if condition else no,
        "MAX": max,
        "METRICS": lambda: list(read.values()),
        "SUM": sum,
    }
    try:
        # The expressions are our own template's.
        python = expression.replace(" OR ", " or ")
        return float(eval(python, {"__builtins__": {}}, {**words, **read}))  # noqa: S307
    except TypeError:
        return None
