"""The dashboards and the saved queries: what they show is written, and the runbook knows the queries."""

import json
import re
from typing import Any

import pytest

from infra.bundle import ROOT
from infra.settings import settings_for
from infra.watching.dashboards import BUSINESS, QUERIES
from tests.infra.conftest import Template, written
from tests.infra.test_alarms import AWS_METRICS, calls_of_metrics

OF_AWS = {
    **{namespace: names for namespace, (_, names) in AWS_METRICS.items()},
    "AWS/DynamoDB": {
        "ConsumedReadCapacityUnits",
        "ConsumedWriteCapacityUnits",
        "ReadThrottleEvents",
        "WriteThrottleEvents",
    },
}


@pytest.fixture
def boards(aws: Template) -> dict[str, dict[str, Any]]:
    return {
        each["DashboardName"].removeprefix("parcelgate-production-"): json.loads(
            written(each["DashboardBody"])
        )
        for each in aws.properties("CloudWatch::Dashboard")
    }


def test_there_is_one_for_the_shop_and_one_for_the_machine(boards: dict[str, dict[str, Any]]) -> None:
    assert set(boards) == {"business", "machinery"}
    for board in boards.values():
        first, *others = board["widgets"]
        assert first["type"] == "text"
        assert len(others) >= 8
        assert all(widget["properties"].get("title") for widget in others if widget["type"] == "metric")


def test_every_business_figure_is_written_by_our_code_with_these_dimensions() -> None:
    calls = calls_of_metrics()
    for figures in BUSINESS.values():
        for figure in figures:
            assert set(figure.dimensions) in calls.get(figure.metric, []), figure.title


def test_a_figure_asks_for_the_stages_own_metrics(boards: dict[str, dict[str, Any]]) -> None:
    searches = [
        metric[0]["expression"]
        for widget in boards["business"]["widgets"]
        for metric in widget["properties"].get("metrics", [])
    ]
    assert len(searches) == sum(len(figures) for figures in BUSINESS.values())
    for search in searches:
        assert re.fullmatch(
            r"SEARCH\('\{Parcelgate/production,[a-z,]+\} MetricName=\"\w+\"', '\w+', 300\)", search
        )
        assert "service" in search


def test_the_machine_is_shown_by_metrics_that_aws_writes(boards: dict[str, dict[str, Any]]) -> None:
    named = [
        metric
        for widget in boards["machinery"]["widgets"]
        for metric in widget["properties"].get("metrics", [])
        if isinstance(metric[0], str)
    ]
    assert named
    more = {"4xx", "ExecutionsStarted", "ExecutionsSucceeded", "ApproximateNumberOfMessagesNotVisible"}
    for namespace, name, *_ in named:
        assert namespace == "Parcelgate/production" or name in OF_AWS[namespace] | more, name


def test_the_machine_shows_every_queue_and_every_alarm(
    aws: Template, boards: dict[str, dict[str, Any]]
) -> None:
    text = json.dumps(boards["machinery"])
    for queue in aws.all("SQS::Queue"):
        assert f"<{queue}.QueueName>" in text
    (status,) = [widget for widget in boards["machinery"]["widgets"] if widget["type"] == "alarm"]
    assert len(status["properties"]["alarms"]) == len(aws.all("CloudWatch::Alarm"))


def test_the_runbooks_queries_are_saved(aws: Template) -> None:
    saved = {each["Name"].partition("/")[2]: each for each in aws.properties("Logs::QueryDefinition")}
    assert set(saved) == set(QUERIES)
    runbook = re.sub(r"\s+", " ", (ROOT / "docs" / "runbook.md").read_text())
    for name, each in saved.items():
        assert 1 <= len(each["LogGroupNames"]) <= 50
        if name != "orders in trouble":
            filters = [
                line for line in each["QueryString"].splitlines() if "filter" in line or "stats" in line
            ]
            assert all(line.removeprefix("| ") in runbook for line in filters), name


def test_who_wants_no_dashboards_has_none() -> None:
    assert settings_for("production").dashboards
    assert not settings_for("production", dashboards=0).dashboards
