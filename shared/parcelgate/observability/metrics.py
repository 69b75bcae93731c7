"""Metrics in business terms, as embedded metric format: one log line each, nothing to flush."""

import os
from threading import Lock

from aws_lambda_powertools.metrics import MetricUnit, single_metric

_line = Lock()
"""A metric is one line of output, also when several threads write."""


def count(name: str, value: float = 1, **dimensions: str) -> None:
    """Count something, such as `count("OrdersAccepted", carrier="lso")`."""
    _emit(name, MetricUnit.Count, value, dimensions)


def count_overall(name: str, value: float = 1, **dimensions: str) -> None:
    """Count something over all functions together, for one alarm.

    It lacks the dimension `service`, which the others have.
    """
    _emit(name, MetricUnit.Count, value, dimensions, by_service=False)


def duration(name: str, seconds: float, **dimensions: str) -> None:
    """Record how long something took, in seconds."""
    _emit(name, MetricUnit.Seconds, seconds, dimensions)


def _emit(
    name: str, unit: MetricUnit, value: float, dimensions: dict[str, str], *, by_service: bool = True
) -> None:
    namespace = os.environ.get("POWERTOOLS_METRICS_NAMESPACE", "Parcelgate")
    with _line, single_metric(name=name, unit=unit, value=value, namespace=namespace) as metric:
        if not by_service:
            metric.service = ""
        for key, text in dimensions.items():
            metric.add_dimension(name=key, value=text)
