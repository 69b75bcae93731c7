"""The alarms: each rings for what it is for, and only then; and what it reads is really written."""

import ast
import re
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import cache
from typing import Any
from unittest.mock import Mock

import pytest
from aws_cdk import App, Stack, assertions
from aws_cdk import aws_kms as kms

from bench import bills
from infra.bundle import ROOT
from infra.settings import ASK_CARRIERS, settings_for
from infra.watching.alarms import AUTHORIZER, IN_THE_BACKGROUND, RAISES, TROUBLES, Alarms
from parcelgate.carriers import registry
from parcelgate.http.routes import FUNCTIONS
from parcelgate.observability.logs import UnexpectedError, instrumented, log
from parcelgate.observability.metrics import count, count_overall
from parcelgate.services.redelivery import NotYetError, ReceivedMessage, come_again
from tests.infra.cloudwatch import Alarm, Figures, Metric, figures_in
from tests.infra.conftest import Template, written

OURS = "Parcelgate/production"
AWS_METRICS = {
    "AWS/ApiGateway": ("ApiId", {"5xx", "Count", "Latency"}),
    "AWS/Lambda": ("FunctionName", {"Errors", "Invocations", "IteratorAge", "Throttles"}),
    "AWS/SQS": (
        "QueueName",
        {
            "ApproximateAgeOfOldestMessage",
            "ApproximateNumberOfMessagesVisible",
        },
    ),
    "AWS/States": ("StateMachineArn", {"ExecutionsAborted", "ExecutionsFailed", "ExecutionsTimedOut"}),
}
"""What AWS writes by itself, with the dimension that it has, as its documentation names them."""
KINDS = {
    "ApiId": "ApiGatewayV2::Api",
    "FunctionName": "Lambda::Function",
    "QueueName": "SQS::Queue",
    "StateMachineArn": "StepFunctions::StateMachine",
}
ON_A_QUIET_DAY = {
    "5xx": 1,
    "Count": 1000,
    "Latency": 300,
    "Invocations": 3,
    "IteratorAge": 200,
    "ApproximateAgeOfOldestMessage": 20,
    "PollLag": 60,
}
"""Whatever is not here is zero, or says nothing at all."""

LONGEST_WAIT = {
    "inbox": 600,
    "labels": 3600,
    "label-documents": 600,
    "nudges": 1800,
    "deliveries": 7200,
    "retries": 7200,
    "batches": 3600,
}
"""Seconds, for each kind of queue."""


@pytest.fixture
def alarms(aws: Template) -> dict[str, Alarm]:
    found = [Alarm(properties) for properties in aws.properties("CloudWatch::Alarm")]
    return {alarm.name: alarm for alarm in found}


@pytest.fixture
def quiet(alarms: dict[str, Alarm]) -> Figures:
    """A day on which nothing happens."""
    metrics = {metric for alarm in alarms.values() for metric in alarm.metrics.values()}
    return Figures({metric: [ON_A_QUIET_DAY.get(metric.name, 0)] for metric in metrics})


@pytest.fixture
def ringing(alarms: dict[str, Alarm]) -> Callable[[Figures], set[str]]:
    return lambda figures: {name for name, alarm in alarms.items() if alarm.rings(figures)}


def test_all_is_silent_on_a_quiet_day(quiet: Figures, ringing: Callable[[Figures], set[str]]) -> None:
    assert ringing(quiet) == set()


def test_all_is_silent_where_nothing_was_ever_used(
    quiet: Figures, ringing: Callable[[Figures], set[str]]
) -> None:
    """Metrics of quiet queues and functions end; only what runs by itself must be heard of."""
    assert ringing(Figures({})) == {"sweep-missing", "polls-missing"}
    heard = {metric: values for metric, values in quiet.values.items() if metric.name == "Invocations"}
    assert ringing(Figures(heard)) == set()


def of_api(template: Template, name: str) -> Metric:
    """A metric of the gateway."""
    (api,) = template.all("ApiGatewayV2::Api")
    return Metric("AWS/ApiGateway", name, frozenset({("ApiId", f"<{api}>")}))


class TestEachRings:
    def test_for_a_dead_letter_in_any_queue(
        self, aws: Template, quiet: Figures, ringing: Callable[[Figures], set[str]]
    ) -> None:
        for queue in queues(aws, dead=True):
            fault = {of_queue("ApproximateNumberOfMessagesVisible", queue): 1}
            assert ringing(quiet.but(fault)) == {f"dead-letters{group_of(queue)}"}
            # All others may never have had a message.
            alone = {metric for metric in quiet.values if metric.name == "Invocations"}
            assert ringing(Figures({metric: [3] for metric in alone}).but(fault)) == {
                f"dead-letters{group_of(queue)}"
            }

    def test_for_work_that_waits_too_long_in_any_queue(
        self, aws: Template, quiet: Figures, ringing: Callable[[Figures], set[str]]
    ) -> None:
        for queue in queues(aws, dead=False):
            oldest, longest = of_queue("ApproximateAgeOfOldestMessage", queue), LONGEST_WAIT[kind_of(queue)]
            rings = ringing(quiet.but({oldest: longest}))
            # One alarm has room for ten queues.
            assert len(rings) == 1
            assert rings <= {"oldest-message", "oldest-message-2"}
            assert ringing(quiet.but({oldest: longest - 1})) == set()

    @pytest.mark.parametrize("function", ["retry_order", "label_order"])
    def test_for_work_that_backs_off_and_whose_age_sqs_tells_no_more(
        self,
        aws: Template,
        quiet: Figures,
        ringing: Callable[[Figures], set[str]],
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        function: str,
    ) -> None:
        put_on(aws, function, monkeypatch)
        message = ReceivedMessage(queue="q", body="{}", receipt_handle="h", receive_count=9)
        for minutes, rings in ((59, set()), (60, {"work-waits"})):
            with pytest.raises(NotYetError):
                come_again(Mock(), "url", message, timedelta(0), age=timedelta(minutes=minutes))
            assert ringing(heard(quiet, capsys)) == rings

    def test_of_every_queue_whose_messages_are_received_again_and_again(self, aws: Template) -> None:
        """Elsewhere a message is a dead letter, for which another alarm rings, before it is that old."""
        often = {
            written(source["FunctionName"])
            for source in aws.properties("Lambda::EventSourceMapping")
            if (queue := aws.all("SQS::Queue").get(source["EventSourceArn"]["Fn::GetAtt"][0]))
            and queue["Properties"]["RedrivePolicy"]["maxReceiveCount"] > 20
        }
        assert {name.strip("<>").removeprefix("Functions").partition("Function")[0] for name in often} == {
            "RetryOrder",
            "LabelOrder",
            # A delivery waits for the merchant's own server, which is no reason to wake anybody.
            "DeliverEvent",
        }

    @pytest.mark.parametrize("carrier", registry.trackers())
    @pytest.mark.parametrize("function", ["create_order", "retry_order", "poll_trackings"])
    def test_within_minutes_for_a_carrier_that_is_down_whoever_calls_it(
        self,
        aws: Template,
        quiet: Figures,
        ringing: Callable[[Figures], set[str]],
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        function: str,
        carrier: str,
    ) -> None:
        put_on(aws, function, monkeypatch)
        count_overall("CarrierDown", carrier=carrier)
        assert ringing(heard(quiet, capsys)) == {"carrier-down"}

    def test_for_a_line_of_level_error_of_any_function_with_a_logger(
        self,
        aws: Template,
        quiet: Figures,
        ringing: Callable[[Figures], set[str]],
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        assert set(aws.functions) - logging() == {AUTHORIZER}
        for name in sorted(logging()):
            put_on(aws, name, monkeypatch)
            log.info("all is well")
            assert ringing(heard(quiet, capsys)) == set()
            log.error("a poll failed unexpectedly")
            assert ringing(heard(quiet, capsys)) == {"errors"}

    def test_for_an_error_that_leaves_a_handler(
        self,
        aws: Template,
        quiet: Figures,
        ringing: Callable[[Figures], set[str]],
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        put_on(aws, "check_order", monkeypatch)

        @instrumented(expected=(LookupError,))
        def handler(event: Exception, context: None) -> None:
            raise event

        with pytest.raises(LookupError):
            handler(LookupError(), None)
        assert ringing(heard(quiet, capsys)) == set()
        with pytest.raises(UnexpectedError):
            handler(ValueError(), None)
        assert ringing(heard(quiet, capsys)) == {"errors"}

    def test_not_for_another_stage_s_errors(
        self,
        local: Template,
        quiet: Figures,
        ringing: Callable[[Figures], set[str]],
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        put_on(local, "sweep", monkeypatch)
        log.error("an overdue item could not be handled; it is postponed")
        assert ringing(heard(quiet, capsys)) == set()

    def test_for_a_function_that_fails_in_the_background(
        self, aws: Template, quiet: Figures, ringing: Callable[[Figures], set[str]]
    ) -> None:
        for name in IN_THE_BACKGROUND:
            rings = ringing(quiet.but({of_function("Errors", aws, name): 1}))
            # One alarm has room for ten functions.
            assert len(rings) == 1
            assert rings <= {"failures", "failures-2"}

    def test_for_an_authorizer_that_fails(
        self, aws: Template, quiet: Figures, ringing: Callable[[Figures], set[str]]
    ) -> None:
        assert ringing(quiet.but({of_function("Errors", aws, AUTHORIZER): 1})) == {"authorizer"}

    @pytest.mark.parametrize(
        "line",
        [
            "2026-11-26T10:00:00.000Z 5d1f Task timed out after 60.06 seconds",
            "RequestId: 5d1f Error: Runtime exited with error: signal: killed",
            "[ERROR] Runtime.ImportModuleError: Unable to import module 'functions.check_order.handler'",
        ],
    )
    def test_for_the_death_of_a_function_that_raises_as_part_of_its_work(
        self, aws: Template, quiet: Figures, ringing: Callable[[Figures], set[str]], line: str
    ) -> None:
        filters = {written(each["LogGroupName"]): each for each in aws.properties("Logs::MetricFilter")}
        assert set(filters) == {written(aws.functions[name]["LoggingConfig"]["LogGroup"]) for name in RAISES}
        for each in filters.values():
            terms = re.findall(r'\?"([^"]+)"', each["FilterPattern"])
            assert any(term in line for term in terms)
            assert not any(
                term in '{"level":"INFO","message":"the work ended with an expected error"}' for term in terms
            )
            (made,) = each["MetricTransformations"]
            died = Metric(made["MetricNamespace"], made["MetricName"], frozenset())
            assert ringing(quiet.but({died: float(made["MetricValue"])})) == {"deaths"}

    def test_when_the_order_flow_is_turned_away_for_long(
        self, aws: Template, quiet: Figures, ringing: Callable[[Figures], set[str]]
    ) -> None:
        """One that has a limit of its own is turned away as part of its work, and called again."""
        limits = {
            name: each["ReservedConcurrentExecutions"]
            for name, each in aws.functions.items()
            if "ReservedConcurrentExecutions" in each and name not in ASK_CARRIERS
        }
        assert limits
        for name, limit in limits.items():
            throttles = of_function("Throttles", aws, name)
            assert ringing(quiet.but({throttles: 10 * limit})) == {"throttles"}
            assert ringing(quiet.but({throttles: 10 * limit - 1})) == set()

    @pytest.mark.parametrize(
        ("failed", "requests", "rings"),
        [(2, 2, False), (3, 3, True), (3, 1000, False), (19, 1000, False), (20, 1000, True), (0, 0, False)],
    )
    def test_when_clients_are_failed(
        self,
        aws: Template,
        quiet: Figures,
        ringing: Callable[[Figures], set[str]],
        failed: int,
        requests: int,
        rings: bool,
    ) -> None:
        figures = quiet.but({of_api(aws, "5xx"): failed, of_api(aws, "Count"): requests})
        if not requests:
            figures = quiet.without(of_api(aws, "5xx")).without(of_api(aws, "Count"))
        assert ringing(figures) == ({"api-failures"} if rings else set())

    @pytest.mark.parametrize(
        ("milliseconds", "requests", "rings"), [(9_999, 1000, False), (10_000, 20, True), (29_000, 19, False)]
    )
    def test_when_clients_wait_for_long(
        self,
        aws: Template,
        quiet: Figures,
        ringing: Callable[[Figures], set[str]],
        milliseconds: int,
        requests: int,
        rings: bool,
    ) -> None:
        figures = quiet.but({of_api(aws, "Latency"): milliseconds, of_api(aws, "Count"): requests})
        assert ringing(figures) == ({"api-slow"} if rings else set())

    @pytest.mark.parametrize("kind", sorted(TROUBLES))
    def test_for_an_order_that_needs_a_person(
        self,
        aws: Template,
        quiet: Figures,
        ringing: Callable[[Figures], set[str]],
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        kind: str,
    ) -> None:
        put_on(aws, "route_changes", monkeypatch)
        count("OrdersInTrouble", kind=kind)
        assert ringing(heard(quiet, capsys)) == {TROUBLES[kind][0]}

    def test_for_changes_of_the_table_that_wait(
        self, aws: Template, quiet: Figures, ringing: Callable[[Figures], set[str]]
    ) -> None:
        age = of_function("IteratorAge", aws, "route_changes")
        assert ringing(quiet.but({age: 600_000})) == {"oldest-change"}
        assert ringing(quiet.but({age: 599_000})) == set()

    @pytest.mark.parametrize("end", ["ExecutionsAborted", "ExecutionsFailed", "ExecutionsTimedOut"])
    def test_for_an_execution_of_the_order_flow_that_broke(
        self, aws: Template, quiet: Figures, ringing: Callable[[Figures], set[str]], end: str
    ) -> None:
        (flow,) = [name for name in aws.all("StepFunctions::StateMachine") if name.startswith("OrderFlow")]
        broken = Metric("AWS/States", end, frozenset({("StateMachineArn", f"<{flow}>")}))
        assert ringing(quiet.but({broken: 1})) == {"order-flow"}

    @pytest.mark.parametrize(
        ("function", "alarm"), [("sweep", "sweep-missing"), ("poll_trackings", "polls-missing")]
    )
    def test_when_what_runs_by_itself_runs_no_more(
        self,
        aws: Template,
        quiet: Figures,
        ringing: Callable[[Figures], set[str]],
        function: str,
        alarm: str,
    ) -> None:
        runs = of_function("Invocations", aws, function)
        assert ringing(quiet.without(runs)) == {alarm}
        assert ringing(quiet.but({runs: 0})) == {alarm}

    @pytest.mark.parametrize(
        ("metric", "value", "alarm"),
        [
            ("PollLag", 3600, "polls-late"),
            ("PollsNotAllowed", 1, "polls-not-allowed"),
            ("HistoriesUnmatched", 10, "polls-unmatched"),
        ],
    )
    def test_when_parcels_are_asked_about_late_or_not_at_all(
        self, quiet: Figures, ringing: Callable[[Figures], set[str]], metric: str, value: float, alarm: str
    ) -> None:
        told = Metric(OURS, metric, frozenset({("service", "poll_trackings")}))
        assert ringing(quiet.but({told: value})) == {alarm}
        assert ringing(quiet.but({told: value - 1})) == set()


def test_every_death_of_a_function_rings_somewhere(aws: Template) -> None:
    behind = set(FUNCTIONS)
    seen = behind | {AUTHORIZER} | set(IN_THE_BACKGROUND) | set(RAISES)
    # What dies over a label document, and is tried three times within minutes, becomes a dead letter. A
    # release whose check dies is taken back.
    assert set(aws.functions) - seen == {"check_release", "close_order_flow", "print_labels"}
    (config,) = [
        each
        for each in aws.properties("Lambda::EventInvokeConfig")
        if "CloseOrderFlow" in written(each["FunctionName"])
    ]
    assert "DeadLetters" in written(config["DestinationConfig"]["OnFailure"]["Destination"])


class TestWhatTheyRead:
    def test_is_written_by_aws_about_something_of_the_stack_or_by_our_code(
        self,
        aws: Template,
        alarms: dict[str, Alarm],
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        filtered = {
            Metric(made["MetricNamespace"], made["MetricName"], frozenset())
            for each in aws.properties("Logs::MetricFilter")
            for made in each["MetricTransformations"]
        }
        for alarm in alarms.values():
            for metric in alarm.metrics.values():
                if metric.namespace == OURS:
                    assert metric in filtered | set(written_by_code(metric, aws, monkeypatch, capsys))
                    continue
                dimension, names = AWS_METRICS[metric.namespace]
                assert metric.name in names
                ((name, value),) = metric.dimensions
                assert name == dimension
                assert value.strip("<>").partition(".")[0] in aws.all(KINDS[dimension])

    def test_is_within_what_cloudwatch_takes(self, alarms: dict[str, Alarm]) -> None:
        for alarm in alarms.values():
            assert len(alarm.metrics) <= 10
            assert "SEARCH" not in (alarm.expression or "")
            periods = {
                each["MetricStat"]["Period"]
                for each in alarm.properties.get("Metrics", [])
                if "MetricStat" in each
            }
            assert len(periods) <= 1

    def test_the_emulator_is_given_no_expression_and_aws_every_alarm(
        self, aws: Template, local: Template
    ) -> None:
        assert not any("Condition" in alarm for alarm in aws.all("CloudWatch::Alarm").values())
        conditions = set()
        for alarm in local.all("CloudWatch::Alarm").values():
            assert ("Condition" in alarm) == ("Metrics" in alarm["Properties"])
            conditions.add(alarm.get("Condition"))
        (condition,) = conditions - {None}
        compared, met_by = local.json["Conditions"][condition]["Fn::Equals"]
        assert local.json["Parameters"][compared["Ref"]]["Default"] != met_by

    def test_costs_what_the_readme_says(self, aws: Template, alarms: dict[str, Alarm]) -> None:
        assert sum(len(alarm.metrics) for alarm in alarms.values()) == bills.ALARM_METRICS
        assert len(aws.all("CloudWatch::Dashboard")) == bills.DASHBOARDS
        polled = [each for each in aws.properties("Lambda::EventSourceMapping") if "ScalingConfig" in each]
        assert len(polled) == bills.QUEUES
        assert len(alarms) <= 40
        found = re.search(
            r"its (\d+) alarms[^.]*?about \$(\d+)\s+a\s+month, and \$(\d+) for two dashboards",
            (ROOT / "README.md").read_text(),
        )
        assert found, "the README does not say what an idle stack costs"
        bill = bills.bill(bills.IDLE)
        dashboards = bill.pop("dashboards")
        assert [*map(int, found.groups())] == [len(alarms), round(sum(bill.values())), round(dashboards)]


class TestWhomTheyTell:
    def test_each_tells_people_and_names_a_section_of_the_runbook(
        self, aws: Template, alarms: dict[str, Alarm]
    ) -> None:
        (topic,) = aws.all("SNS::Topic")
        sections = set(headings())
        for alarm in alarms.values():
            assert alarm.properties["AlarmActions"] == [{"Ref": topic}]
            assert alarm.properties["AlarmDescription"].partition("docs/runbook.md#")[2] in sections

    def test_each_is_named_by_its_section_of_the_runbook(self, alarms: dict[str, Alarm]) -> None:
        sections = headings()
        for name, alarm in alarms.items():
            section = alarm.properties["AlarmDescription"].partition("docs/runbook.md#")[2]
            assert section == name or f"**{name}**" in sections[section], name

    def test_cloudwatch_may_publish_what_it_has_to_say(self, aws: Template, local: Template) -> None:
        for template in (aws, local):
            (topic,) = template.all("SNS::Topic")
            policy = template.only("SNS::TopicPolicy")
            assert policy["Topics"] == [{"Ref": topic}]
            statements = policy["PolicyDocument"]["Statement"]
            (allowed,) = [each for each in statements if each["Effect"] == "Allow"]
            assert allowed["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
            assert allowed["Action"] == "sns:Publish"
            assert allowed["Resource"] == {"Ref": topic}
            account = {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
            assert allowed["Condition"] == account
            # AWS itself comes over TLS, so this keeps nobody out who may come in.
            refused = [each["Condition"] for each in statements if each["Effect"] == "Deny"]
            assert refused == ([{"Bool": {"aws:SecureTransport": "false"}}] if template is aws else [])
            key = template.only("KMS::Key")["KeyPolicy"]["Statement"]
            (opened,) = [each for each in key if each["Principal"] == allowed["Principal"]]
            assert set(opened["Action"]) == {"kms:Decrypt", "kms:GenerateDataKey*"}


def test_a_budget_is_watched_by_the_alarm_topic_where_there_is_one() -> None:
    def made(dollars: int) -> dict[str, Any]:
        stack = Stack(App(), "Trial")
        settings = settings_for("production", monthly_budget=dollars)
        Alarms(stack, "Alarms", settings=settings, key=kms.Key(stack, "Key")).alarm_on_budget()
        resources: dict[str, Any] = assertions.Template.from_stack(stack).to_json()["Resources"]
        return {each["Type"]: each["Properties"] for each in resources.values()}

    assert "AWS::Budgets::Budget" not in made(0)
    there = made(50)
    budget = there["AWS::Budgets::Budget"]
    assert budget["Budget"]["BudgetLimit"] == {"Amount": 50, "Unit": "USD"}
    told = [each for told in budget["NotificationsWithSubscribers"] for each in told["Subscribers"]]
    assert {each["SubscriptionType"] for each in told} == {"SNS"}
    assert len(told) == 2
    # Who cannot publish, or not use the topic's key, tells nobody.
    for policy in ("AWS::SNS::TopicPolicy.PolicyDocument", "AWS::KMS::Key.KeyPolicy"):
        kind, _, name = policy.rpartition(".")
        principals = [
            each["Principal"].get("Service")
            for each in there[kind][name]["Statement"]
            if "Principal" in each and isinstance(each["Principal"], dict)
        ]
        assert "budgets.amazonaws.com" in principals


# What is asked of the template


def queues(template: Template, *, dead: bool) -> list[str]:
    return [name for name in template.all("SQS::Queue") if ("DeadLetters" in name) is dead]


def kind_of(queue: str) -> str:
    kinds = {
        "WebhooksInbox": "inbox",
        "LabelQueueLabels": "labels",
        "PrintQueuePrints": "label-documents",
        "TrackingPollsNudged": "nudges",
        "Deliveries": "deliveries",
        "Retries": "retries",
        "Batches": "batches",
    }
    return next((kind for beginning, kind in kinds.items() if queue.startswith(beginning)), "")


def group_of(queue: str) -> str:
    """What queues of carriers add to their alarms' names."""
    kind = kind_of(queue)
    return f"-{kind}" if kind in {"retries", "batches"} else ""


def of_queue(name: str, queue: str) -> Metric:
    return Metric("AWS/SQS", name, frozenset({("QueueName", f"<{queue}.QueueName>")}))


def of_function(name: str, template: Template, function: str) -> Metric:
    (logical_id,) = [
        each
        for each, resource in template.all("Lambda::Function").items()
        if resource["Properties"]["Handler"].split(".")[1] == function
    ]
    return Metric("AWS/Lambda", name, frozenset({("FunctionName", f"<{logical_id}>")}))


# What is asked of the code


def logging() -> set[str]:
    """The functions whose handlers have our logger, directly or through the API's."""
    return {
        path.parent.name
        for path in (ROOT / "functions").glob("*/handler.py")
        if re.search(r"parcelgate\.(observability|http\.api)", path.read_text())
    }


def put_on(template: Template, function: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give this process what Powertools reads of a function's environment, and one output for everything."""
    monkeypatch.setattr(log.registered_handler, "stream", sys.stdout)
    for name, value in template.functions[function]["Environment"]["Variables"].items():
        if name.startswith("POWERTOOLS"):
            monkeypatch.setenv(name, value)


def heard(quiet: Figures, capsys: pytest.CaptureFixture[str]) -> Figures:
    """A quiet day, and what was printed since."""
    told = figures_in(capsys.readouterr().out)
    return quiet.but({metric: max(values) for metric, values in told.values.items()})


def written_by_code(
    metric: Metric, template: Template, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Metric]:
    """What our code writes under a metric's name, in the function that the metric is of."""
    dimensions = dict(metric.dimensions)
    put_on(template, dimensions.pop("service", "sweep"), monkeypatch)
    log.error("some error")
    for names in calls_of_metrics().get(metric.name, []):
        write = count if "service" in dict(metric.dimensions) else count_overall
        write(metric.name, **{name: dimensions.get(name, "") for name in names})
    yield from figures_in(capsys.readouterr().out).values


@cache
def calls_of_metrics() -> dict[str, list[set[str]]]:
    """The names of all metrics that the layer writes, with the names of their dimensions."""
    found: dict[str, list[set[str]]] = {}
    for path in (ROOT / "shared" / "parcelgate").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(
                    ast.Name("count" | "count_overall" | "duration"), [ast.Constant(str(name)), *_], keywords
                ):
                    found.setdefault(name, []).append({str(each.arg) for each in keywords})
    return found


def headings() -> dict[str, str]:
    """The text of each section of the runbook, by the anchor of its heading."""
    sections: dict[str, Any] = {}
    anchor = ""
    for line in (ROOT / "docs" / "runbook.md").read_text().splitlines():
        if line.startswith("#"):
            anchor = line.lstrip("#").strip().lower().replace(" ", "-")
        sections[anchor] = f"{sections.get(anchor, '')}\n{line}"
    return sections
