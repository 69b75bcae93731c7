"""An alarm of the production template, as CloudWatch evaluates it."""

from typing import Any

from local.drills import cloudwatch
from local.drills.cloudwatch import Figures, Metric, figures_in
from tests.infra.conftest import written

__all__ = ["Alarm", "Figures", "Metric", "figures_in"]


class Alarm(cloudwatch.Alarm):
    """An alarm of the template, in whose metrics a resource stands by its logical id."""

    def __init__(self, properties: dict[str, Any]) -> None:
        super().__init__(properties, written)
        assert properties["EvaluationPeriods"] == 1
        read = [each for each in properties.get("Metrics", []) if "MetricStat" in each]
        assert not [each for each in read if each["ReturnData"]], "an alarm looks at one value"
