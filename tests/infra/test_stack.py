"""What must hold of the stack, whatever else it becomes."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from infra.bundle import ROOT
from infra.constructs.alarms import CALLED_AGAIN, EXPECTED_ERRORS, LOGLESS, TROUBLES
from infra.constructs.api import ROUTES
from parcelgate.carriers import registry
from parcelgate.observability.metrics import count
from tests.infra.conftest import Synthesis, Template, written
from tests.support.table import INDEXES

REDUNDANT_DEPENDENCY = "W3005"
"""CDK makes every function and state machine wait for its role, which the reference to it does anyway."""


def test_cdk_nag_has_nothing_to_say(synthesis: Synthesis) -> None:
    assert synthesis.exit_code == 0, synthesis.output
    assert "WARNING" not in synthesis.output, synthesis.output


def test_cfn_lint_has_nothing_to_say(synthesis: Synthesis) -> None:
    from cfnlint.api import ManualArgs, lint_file

    found = lint_file(
        synthesis.path("production"), ManualArgs(regions=["us-east-1"], ignore_checks=[REDUNDANT_DEPENDENCY])
    )
    assert [str(match) for match in found] == []


def test_every_exception_from_a_rule_has_a_reason(synthesis: Synthesis) -> None:
    metadata = json.loads((synthesis.folder / "production" / "Parcelgate.metadata.json").read_text())
    entries = [entry for entries in metadata.values() for entry in entries]
    acknowledged = [each["data"] for each in entries if each["type"] == "aws:cdk:acknowledged-rules"]
    assert acknowledged
    assert all(len(reason) > 20 for rules in acknowledged for reason in rules.values())


def test_the_table_is_the_one_that_the_store_is_tested_with(aws: Template) -> None:
    table = aws.only("DynamoDB::Table")
    indexes = {
        each["IndexName"]: (*(key["AttributeName"] for key in each["KeySchema"]), each["Projection"])
        for each in table["GlobalSecondaryIndexes"]
    }
    assert indexes == INDEXES
    assert [key["AttributeName"] for key in table["KeySchema"]] == ["pk", "sk"]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert table["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}


def test_the_table_cannot_be_lost(aws: Template) -> None:
    (table,) = aws.all("DynamoDB::Table").values()
    properties = table["Properties"]
    assert table["DeletionPolicy"] == "Retain"
    assert properties["DeletionProtectionEnabled"] is True
    assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert properties["BillingMode"] == "PAY_PER_REQUEST"


def test_everything_that_keeps_data_is_encrypted(aws: Template) -> None:
    (key_id,) = aws.all("KMS::Key")
    table = aws.only("DynamoDB::Table")
    assert table["SSESpecification"]["SSEEnabled"] is True
    assert table["SSESpecification"]["KMSMasterKeyId"] == {"Fn::GetAtt": [key_id, "Arn"]}
    assert aws.only("KMS::Key")["EnableKeyRotation"] is True
    assert all(queue["SqsManagedSseEnabled"] for queue in aws.properties("SQS::Queue"))
    assert all(bucket["BucketEncryption"] for bucket in aws.properties("S3::Bucket"))
    assert aws.only("SNS::Topic")["KmsMasterKeyId"]


def test_the_key_opens_to_others_through_the_table_alone(aws: Template) -> None:
    for statement in aws.only("KMS::Key")["KeyPolicy"]["Statement"]:
        if statement["Principal"] == {"AWS": "*"}:
            condition = statement["Condition"]["StringEquals"]
            assert condition["kms:CallerAccount"] == {"Ref": "AWS::AccountId"}
            assert written(condition["kms:ViaService"]) == "dynamodb.<AWS::Region>.amazonaws.com"


def test_no_bucket_is_public(aws: Template, local: Template) -> None:
    for template in (aws, local):
        for bucket in template.properties("S3::Bucket"):
            assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
            assert len(bucket["PublicAccessBlockConfiguration"]) == 4


def test_plain_http_is_refused_on_aws(aws: Template) -> None:
    policies = aws.properties("S3::BucketPolicy") + aws.properties("SQS::QueuePolicy")
    assert len(policies) == len(aws.all("S3::Bucket")) + len(aws.all("SQS::Queue"))
    for policy in policies:
        statements = policy["PolicyDocument"]["Statement"]
        assert {"Bool": {"aws:SecureTransport": "false"}} in [each.get("Condition") for each in statements]


@pytest.mark.parametrize(("bucket", "days"), [("Labels", 400), ("Batches", 30)])
def test_labels_and_bodies_do_not_stay_for_ever(aws: Template, bucket: str, days: int) -> None:
    (found,) = [each for name, each in aws.all("S3::Bucket").items() if name.startswith(bucket)]
    (rule,) = found["Properties"]["LifecycleConfiguration"]["Rules"]
    assert rule["Status"] == "Enabled"
    assert rule["ExpirationInDays"] == days
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}


def test_every_log_is_deleted_after_a_while(aws: Template) -> None:
    assert {group["RetentionInDays"] for group in aws.properties("Logs::LogGroup")} == {30}


def test_every_function_has_a_log_of_its_own_traces_and_bounds(aws: Template) -> None:
    groups = [written(function["LoggingConfig"]["LogGroup"]) for function in aws.functions.values()]
    assert len(set(groups)) == len(aws.functions)
    for name, function in aws.functions.items():
        assert function["TracingConfig"] == {"Mode": "Active"}
        assert function["Runtime"] == "python3.13"
        assert function["Architectures"] == ["arm64"]
        assert function["MemorySize"] >= 512
        assert function["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"] == name
        assert function["FunctionName"] == f"parcelgate-production-{name}"


def test_there_is_a_function_for_every_folder(aws: Template) -> None:
    assert set(aws.functions) == {path.parent.name for path in (ROOT / "functions").glob("*/handler.py")}


def test_nobody_waits_longer_than_the_gateway_does(aws: Template) -> None:
    behind = {written(each["IntegrationUri"]) for each in aws.properties("ApiGatewayV2::Integration")}
    names = [name for name in aws.all("Lambda::Function") if f"<{name}.Arn>" in behind]
    assert len(names) == len({route.function for route in ROUTES})
    assert all(aws.json["Resources"][name]["Properties"]["Timeout"] < 30 for name in names)


def test_every_queue_gives_up_into_another(aws: Template) -> None:
    queues = aws.all("SQS::Queue")
    dead_letters = {name for name in queues if "DeadLetters" in name}
    targets = set()
    for name, queue in queues.items():
        if name not in dead_letters:
            targets.add(queue["Properties"]["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0])
        assert queue["Properties"]["MessageRetentionPeriod"] == 14 * 86_400
    assert targets < dead_letters


def test_a_carrier_that_is_down_cannot_take_all_of_the_accounts_concurrency(
    aws: Template, local: Template
) -> None:
    limited = {
        name: each["ReservedConcurrentExecutions"]
        for name, each in aws.functions.items()
        if "ReservedConcurrentExecutions" in each
    }
    assert set(limited) == {"submit_order", "check_order", "fetch_label", "compensate_order"}
    assert sum(limited.values()) <= 200
    assert not any("ReservedConcurrentExecutions" in each for each in local.functions.values())


def test_every_carrier_has_a_retry_queue_with_a_concurrency_of_its_own(aws: Template) -> None:
    retry = aws.functions["retry_order"]
    urls = retry["Environment"]["Variables"]["PARCELGATE_RETRY_QUEUE_URLS"]
    assert set(json.loads(written(urls))) == set(registry.names())
    sources = [each for each in sources_of(aws, "RetryOrder") if "ScalingConfig" in each]
    assert len(sources) == len(registry.names())
    assert {source["ScalingConfig"]["MaximumConcurrency"] for source in sources} == {5}


def test_every_carrier_has_a_batch_queue_with_a_concurrency_of_its_own(aws: Template) -> None:
    for name in ("create_batch", "work_batch", "sweep"):
        urls = aws.functions[name]["Environment"]["Variables"]["PARCELGATE_BATCH_QUEUE_URLS"]
        assert set(json.loads(written(urls))) == set(registry.names())
    sources = sources_of(aws, "WorkBatch")
    assert len(sources) == len(registry.names())
    assert {source["ScalingConfig"]["MaximumConcurrency"] for source in sources} == {5}
    assert {source["BatchSize"] for source in sources} == {1}


def test_a_batch_spoils_nobody(aws: Template) -> None:
    for source in aws.properties("Lambda::EventSourceMapping"):
        assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_a_message_stays_hidden_long_enough(aws: Template, local: Template) -> None:
    for template in (aws, local):
        queues = template.all("SQS::Queue")
        for worker, queue in (
            ("ProcessWebhook", "WebhooksInboxQueue"),
            ("LabelOrder", "LabelQueueLabelsQueue"),
            ("RetryOrder", "RetriesLsoQueue"),
            ("PollNudged", "TrackingPollsNudgedQueue"),
        ):
            (hidden,) = [
                each["Properties"]["VisibilityTimeout"]
                for name, each in queues.items()
                if name.startswith(queue)
            ]
            (timeout,) = [
                each["Properties"]["Timeout"]
                for name, each in template.all("Lambda::Function").items()
                if name.startswith(f"Functions{worker}")
            ]
            assert hidden >= 6 * timeout


def test_a_dead_workers_entries_come_again_before_the_sweep_takes_them_for_forgotten(aws: Template) -> None:
    """And never while it may still live. A message is one call, so that none waits within a batch."""
    worker = aws.functions["work_batch"]
    hidden = {
        queue["Properties"]["VisibilityTimeout"]
        for name, queue in aws.all("SQS::Queue").items()
        if name.startswith("Batches") and "DeadLetters" not in name
    }
    margin = int(worker["Environment"]["Variables"]["PARCELGATE_WATCH_MARGIN"])
    assert all(worker["Timeout"] < seconds < margin for seconds in hidden)


def test_the_stream_is_read_with_care(aws: Template) -> None:
    (source,) = sources_of(aws, "RouteChanges")
    assert source["BisectBatchOnFunctionError"] is True
    # Tried until it is too old: whatever the bus or a queue suffers from, it is over within a day.
    assert source.get("MaximumRetryAttempts", -1) == -1
    assert 0 < source["MaximumRecordAgeInSeconds"] < 86_400
    assert "DeadLetters" in written(source["DestinationConfig"]["OnFailure"]["Destination"])
    patterns = [json.loads(each["Pattern"]) for each in source["FilterCriteria"]["Filters"]]
    by_kind = {kind: pattern for pattern in patterns for kind in pattern["dynamodb"]["Keys"]["sk"]["S"]}
    # Not the next polls: they change far more often than the parcels.
    assert set(by_kind) == {"ORDER", "TRACKING", "ENTRY"}
    assert by_kind["TRACKING"]["eventName"] == ["INSERT", "MODIFY"]
    # Whoever closes a delivery calls nobody; whoever has it worked on again does.
    assert by_kind["ENTRY"]["eventName"] == ["INSERT", "MODIFY"]
    assert by_kind["ENTRY"]["dynamodb"]["NewImage"] == {"entry_state": {"S": ["received"]}}


@pytest.mark.parametrize("name", ["sweep", "tracking-poll"])
def test_the_sweep_and_the_polls_run_every_few_minutes(aws: Template, local: Template, name: str) -> None:
    for template, stage, rate in ((aws, "production", "5 minutes"), (local, "local", "1 minute")):
        schedules = {each["Name"]: each for each in template.properties("Scheduler::Schedule")}
        assert len(schedules) == 2
        schedule = schedules[f"parcelgate-{stage}-{name}"]
        assert schedule["ScheduleExpression"] == f"rate({rate})"
        assert schedule["Target"]["DeadLetterConfig"]


def test_broken_executions_reach_the_backstop(aws: Template) -> None:
    rule = aws.only("Events::Rule")
    detail = rule["EventPattern"]["detail"]
    assert set(detail["status"]) == {"FAILED", "TIMED_OUT", "ABORTED"}
    assert written(detail["stateMachineArn"][0]).endswith(":stateMachine:parcelgate-production-order-flow")
    (target,) = rule["Targets"]
    assert "CloseOrderFlow" in written(target["Arn"])
    assert target["DeadLetterConfig"]


class TestRoutes:
    OPEN = frozenset(
        {
            "GET /v1/health",
            "GET /v1/openapi.json",
            "GET /docs",
            "GET /problems/{code}",
            "POST /webhooks/{carrier}/{account}/{token}",
        }
    )
    KEYED = frozenset(
        {
            "POST /v1/orders",
            "POST /v1/orders/batch",
            "GET /v1/batches/{id}",
            "GET /v1/orders",
            "GET /v1/orders/{id}",
            "GET /v1/orders/{id}/events",
            "GET /v1/orders/{id}/tracking",
            "GET /v1/orders/{id}/label",
            "POST /v1/orders/{id}/cancel",
            "PATCH /v1/orders/{id}",
            "POST /v1/orders/{id}/hold",
            "POST /v1/manifests",
            "POST /v1/addresses/validate",
            "POST /v1/rates",
            "POST /v1/trackings",
            "GET /v1/trackings",
            "GET /v1/trackings/{id}",
            "PATCH /v1/trackings/{id}",
            "DELETE /v1/trackings/{id}",
            "POST /v1/trackings/{id}/pause",
            "POST /v1/trackings/{id}/refresh",
            "POST /v1/trackings/update",
            "POST /v1/trackings/delete",
            "POST /v1/trackings/transit-times",
            "POST /v1/trackings/remote-areas",
            "POST /v1/trackings/detect",
            "GET /v1/trackings/air-cargo/{awb}",
            "GET /v1/trackings/usage",
            "GET /v1/trackings/summary",
            "GET /v1/carriers",
            "GET /v1/carriers/{carrier}/services",
        }
    )

    def test_these_are_open_and_the_rest_wants_a_key(self, aws: Template) -> None:
        routes = {route["RouteKey"]: route for route in aws.properties("ApiGatewayV2::Route")}
        assert set(routes) == self.OPEN | self.KEYED
        assert {key for key, route in routes.items() if route["AuthorizationType"] == "NONE"} == self.OPEN
        assert {routes[key]["AuthorizationType"] for key in self.KEYED} == {"CUSTOM"}

    def test_what_is_open_is_throttled(self, aws: Template) -> None:
        stage = aws.only("ApiGatewayV2::Stage")
        assert set(stage["RouteSettings"]) == self.OPEN
        for limits in [*stage["RouteSettings"].values(), stage["DefaultRouteSettings"]]:
            assert limits["ThrottlingRateLimit"] > 0
            assert limits["ThrottlingBurstLimit"] > 0

    def test_the_authorizer_only_identifies(self, aws: Template) -> None:
        authorizer = aws.only("ApiGatewayV2::Authorizer")
        assert authorizer["EnableSimpleResponses"] is True
        assert authorizer["AuthorizerResultTtlInSeconds"] == 30
        assert authorizer["IdentitySource"] == ["$request.header.Authorization"]

    def test_the_access_log_holds_no_path_and_nobodys_address(self, aws: Template) -> None:
        log = json.loads(aws.only("ApiGatewayV2::Stage")["AccessLogSettings"]["Format"])
        assert log["route"] == "$context.routeKey"
        for value in log.values():
            assert "path" not in value.lower()
            assert "identity" not in value
            assert "authorizer" not in value


class TestAlarms:
    @pytest.fixture
    def alarms(self, aws: Template) -> list[dict[str, Any]]:
        return aws.properties("CloudWatch::Alarm")

    def watched(self, alarms: list[dict[str, Any]], metric: str) -> set[str]:
        return {
            written(alarm["Dimensions"][0]["Value"]).strip("<>").split(".")[0]
            for alarm in alarms
            if alarm["MetricName"] == metric and alarm.get("Dimensions")
        }

    def test_every_dead_letter_queue_is_watched(self, aws: Template, alarms: list[dict[str, Any]]) -> None:
        dead_letters = {name for name in aws.all("SQS::Queue") if "DeadLetters" in name}
        assert self.watched(alarms, "ApproximateNumberOfMessagesVisible") == dead_letters

    def test_every_queue_is_watched_for_waiting_and_for_trying(
        self, aws: Template, alarms: list[dict[str, Any]]
    ) -> None:
        queues = {name for name in aws.all("SQS::Queue") if "DeadLetters" not in name}
        assert self.watched(alarms, "ApproximateAgeOfOldestMessage") == queues
        assert self.watched(alarms, "ApproximateNumberOfMessagesNotVisible") == queues

    def test_every_function_is_watched(self, aws: Template, alarms: list[dict[str, Any]]) -> None:
        names = {each["Handler"].split(".")[1]: name for name, each in _named(aws).items()}
        expected = {names[name] for name in EXPECTED_ERRORS}
        assert self.watched(alarms, "Throttles") == {names[name] for name in set(names) - set(CALLED_AGAIN)}
        assert self.watched(alarms, "Errors") == set(names.values()) - expected

    def test_a_function_that_answers_whatever_happens_is_watched_by_its_log(
        self, aws: Template, alarms: list[dict[str, Any]]
    ) -> None:
        logging = {
            path.parent.name
            for path in (ROOT / "functions").glob("*/handler.py")
            if re.search(r"parcelgate\.(observability|http\.api)", path.read_text())
        }
        assert set(aws.functions) - logging == set(LOGLESS)
        watched = {
            (alarm["Namespace"], alarm["MetricName"].removeprefix("UnexpectedErrors-"))
            for alarm in alarms
            if alarm["MetricName"].startswith("UnexpectedErrors-")
        }
        assert watched == {("Parcelgate/production", name) for name in logging}
        counted: dict[str, set[str]] = {}
        for each in aws.properties("Logs::MetricFilter"):
            (metric,) = each["MetricTransformations"]
            assert metric["MetricNamespace"] == "Parcelgate/production"
            name = metric["MetricName"].removeprefix("UnexpectedErrors-")
            group = aws.functions[name]["LoggingConfig"]["LogGroup"]
            assert each["LogGroupName"] == group
            counted.setdefault(name, set()).add(each["FilterPattern"])
        lines = '{ $.level = "ERROR" }'
        assert all(lines in counted[name] for name in logging)
        # Lambda's own count of errors is no use for these, so their deaths are read in the log too.
        assert {name for name in logging if counted[name] != {lines}} == set(EXPECTED_ERRORS)

    def test_each_trouble_with_an_order_rings_its_own_alarm_and_no_other_stage_s(
        self,
        aws: Template,
        local: Template,
        alarms: list[dict[str, Any]],
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        def counted(template: Template) -> set[tuple[str, str, frozenset[tuple[str, str]]]]:
            for name, value in template.functions["route_changes"]["Environment"]["Variables"].items():
                if name.startswith("POWERTOOLS"):
                    monkeypatch.setenv(name, value)
            for kind in TROUBLES:
                count("OrdersInTrouble", kind=kind)
            found = set()
            for line in map(json.loads, capsys.readouterr().out.splitlines()):
                (told,) = line["_aws"]["CloudWatchMetrics"]
                (names,) = told["Dimensions"]
                given = frozenset((each, line[each]) for each in names)
                found.add((told["Namespace"], told["Metrics"][0]["Name"], given))
            return found

        watched = {
            (
                alarm["Namespace"],
                alarm["MetricName"],
                frozenset((each["Name"], each["Value"]) for each in alarm["Dimensions"]),
            )
            for alarm in alarms
            if alarm["MetricName"] == "OrdersInTrouble"
        }
        assert watched == counted(aws)
        assert not watched & counted(local)

    def test_changes_that_wait_are_watched(self, aws: Template, alarms: list[dict[str, Any]]) -> None:
        (name,) = self.watched(alarms, "IteratorAge")
        assert name.startswith("FunctionsRouteChanges")

    def test_who_has_a_limit_may_be_turned_away_a_while(
        self, aws: Template, alarms: list[dict[str, Any]]
    ) -> None:
        for name, properties in _named(aws).items():
            thresholds = [
                alarm["Threshold"]
                for alarm in alarms
                if alarm["MetricName"] == "Throttles" and name in str(alarm["Dimensions"])
            ]
            if properties["Handler"].split(".")[1] not in CALLED_AGAIN:
                assert thresholds == [10 * properties.get("ReservedConcurrentExecutions", 0.1)]

    def test_who_is_turned_away_unwatched_is_missed_elsewhere(
        self, aws: Template, alarms: list[dict[str, Any]]
    ) -> None:
        fed = {written(each["FunctionName"]) for each in aws.properties("Lambda::EventSourceMapping")}
        fed = {name.strip("<>").split(".")[0] for name in fed}
        names = {each["Handler"].split(".")[1]: name for name, each in _named(aws).items()}
        assert {names[name] for name in CALLED_AGAIN} == fed | self.watched(alarms, "Invocations")

    def test_the_order_flow_the_sweep_and_the_polls_are_watched(self, alarms: list[dict[str, Any]]) -> None:
        metrics = {alarm["MetricName"] for alarm in alarms if alarm["Namespace"] == "AWS/States"}
        assert metrics == {"ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted"}
        missing = [alarm for alarm in alarms if alarm["MetricName"] == "Invocations"]
        assert {alarm["AlarmName"].rpartition("production-")[2] for alarm in missing} == {
            "sweep-missing",
            "polls-missing",
        }
        assert {alarm["TreatMissingData"] for alarm in missing} == {"breaching"}

    def test_polls_that_are_late_or_not_allowed_ring(self, alarms: list[dict[str, Any]]) -> None:
        watched = {alarm["MetricName"]: alarm for alarm in alarms if alarm["MetricName"].startswith("Poll")}
        assert set(watched) == {"PollLag", "PollsNotAllowed"}
        for alarm in watched.values():
            assert alarm["Namespace"] == "Parcelgate/production"
            assert alarm["Dimensions"] == [{"Name": "service", "Value": "poll_trackings"}]

    def test_are_as_many_as_the_readme_says_that_they_cost(self, alarms: list[dict[str, Any]]) -> None:
        (told,) = re.findall(r"its (\d+) alarms", (ROOT / "README.md").read_text())
        assert int(told) == len(alarms)

    def test_each_tells_people_and_names_a_section_of_the_runbook(
        self, aws: Template, alarms: list[dict[str, Any]]
    ) -> None:
        (topic,) = aws.all("SNS::Topic")
        sections = _sections(ROOT / "docs" / "runbook.md")
        for alarm in alarms:
            assert alarm["AlarmActions"] == [{"Ref": topic}]
            assert alarm["AlarmDescription"].partition("docs/runbook.md#")[2] in sections


def test_the_outputs_tell_where_everything_is(aws: Template, local: Template) -> None:
    for template in (aws, local):
        assert {
            "ApiUrl",
            "ApiId",
            "WebhookBaseUrl",
            "TableName",
            "LabelBucket",
            "KeyArn",
            "OrderFlowArn",
            "TrackingPollArn",
            "EventBus",
            "InboxQueueUrl",
            "RetryQueueUrlLso",
            "SecretPrefix",
            "AlarmTopicArn",
        } <= set(template.json["Outputs"])
    (api,) = local.all("ApiGatewayV2::Api")
    url = f"http://localhost:4566/_aws/execute-api/<{api}>/$default"
    assert written(local.json["Outputs"]["ApiUrl"]["Value"]) == url


def test_a_function_has_the_variables_of_what_it_may_use(aws: Template) -> None:
    needs = {
        "TABLE": {"dynamodb:GetItem", "dynamodb:Query"},
        "SECRET_PREFIX": {"secretsmanager:GetSecretValue"},
        "KMS_KEY": {"kms:Decrypt"},
        "LABEL_BUCKET BATCH_BUCKET": {"s3:GetObject", "s3:PutObject"},
        "ORDER_FLOW_ARN": {"states:StartExecution"},
        "EVENT_BUS": {"events:PutEvents"},
    }
    for name, function in aws.functions.items():
        variables = function["Environment"]["Variables"]
        may = {
            action
            for statement in aws.statements(name)
            for action in (
                [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
            )
        }
        for variable, actions in needs.items():
            given = {f"PARCELGATE_{either}" for either in variable.split()} & set(variables)
            assert bool(given) == bool(actions & may), (name, variable)


def sources_of(template: Template, function: str) -> list[dict[str, Any]]:
    return [
        source
        for source in template.properties("Lambda::EventSourceMapping")
        if f"Functions{function}Function" in written(source["FunctionName"])
    ]


def _named(template: Template) -> dict[str, dict[str, Any]]:
    return {name: each["Properties"] for name, each in template.all("Lambda::Function").items()}


def _sections(runbook: Path) -> set[str]:
    headings = [line.lstrip("#").strip() for line in runbook.read_text().splitlines() if line[:1] == "#"]
    return {heading.lower().replace(" ", "-") for heading in headings}
