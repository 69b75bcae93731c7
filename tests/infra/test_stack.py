"""What must hold of the stack, whatever else it becomes."""

import json
import re
from collections import Counter
from typing import Any

import pytest

from infra.bundle import ROOT
from infra.settings import PUBLIC, settings_for
from parcelgate.carriers import registry
from parcelgate.http.routes import FUNCTIONS
from parcelgate.store.merchant_events.endpoints import IN_FLIGHT
from tests.infra.conftest import Synthesis, Template, written
from tests.support.table import EVENTS_INDEXES, INDEXES

REDUNDANT_DEPENDENCY = "W3005"
"""CDK makes every function and state machine wait for its role, which the reference to it does anyway."""


def test_the_stack_has_room_to_grow(aws: Template, options: Template) -> None:
    """CloudFormation takes 500 resources. Each endpoint of the contract is one, and cannot be fewer.

    A public function takes three more: a version, an alias and a deployment group, which CodeDeploy wants for
    each. So functions that no client calls have none of them.
    """
    kinds = Counter(each["Type"].removeprefix("AWS::") for each in aws.json["Resources"].values())
    releases = ("Lambda::Version", "Lambda::Alias", "CodeDeploy::DeploymentGroup")
    others = kinds.total() - sum(kinds[kind] for kind in ("ApiGatewayV2::Route", *releases))
    assert {kinds[kind] for kind in releases} == {len(PUBLIC)}
    assert others < 300
    assert kinds.total() < 465
    assert len(options.json["Resources"]) < 495
    design = (ROOT / "docs" / "design.md").read_text()
    ((told, routes),) = re.findall(r"production has (\d+): (\d+) routes", design)
    assert int(routes) == kinds["ApiGatewayV2::Route"]
    assert abs(int(told) - kinds.total()) <= 5


def test_the_gateway_calls_the_functions_of_its_routes_in_a_role_that_may_do_nothing_else(
    aws: Template,
) -> None:
    (role,) = [
        each
        for each in aws.properties("IAM::Role")
        if "apigateway.amazonaws.com" in written(each["AssumeRolePolicyDocument"])
    ]
    (policy,) = role["Policies"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    behind = [each["IntegrationUri"] for each in aws.properties("ApiGatewayV2::Integration")]
    assert statement["Action"] == "lambda:InvokeFunction"
    assert sorted(map(written, statement["Resource"])) == sorted(map(written, behind))
    assert {written(each["CredentialsArn"]) for each in aws.properties("ApiGatewayV2::Integration")} == {
        written({"Fn::GetAtt": [name, "Arn"]})
        for name, each in aws.json["Resources"].items()
        if each.get("Properties") == role
    }
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def test_only_the_authorizer_and_the_backstop_are_let_in_by_a_permission(aws: Template) -> None:
    permissions = aws.properties("Lambda::Permission")
    let_in = [written(each["FunctionName"]) for each in permissions]
    assert len(let_in) == len(set(let_in))
    assert {each["Principal"] for each in permissions} == {"apigateway.amazonaws.com", "events.amazonaws.com"}


def test_cdk_nag_has_nothing_to_say(synthesis: Synthesis) -> None:
    assert synthesis.exit_code == 0, synthesis.output
    assert "WARNING" not in synthesis.output, synthesis.output


def test_cfn_lint_has_nothing_to_say(synthesis: Synthesis, aws: Template, options: Template) -> None:
    """About the stack with all options, which has all that production has."""
    from cfnlint.api import ManualArgs, lint_file

    found = lint_file(
        synthesis.path("options"), ManualArgs(regions=["us-east-1"], ignore_checks=[REDUNDANT_DEPENDENCY])
    )
    assert [str(match) for match in found] == []
    assert len(aws.json["Resources"]) < len(options.json["Resources"])
    kinds = [{each["Type"] for each in template.json["Resources"].values()} for template in (aws, options)]
    assert kinds[0] < kinds[1]


def test_every_exception_from_a_rule_has_a_reason(synthesis: Synthesis) -> None:
    metadata = json.loads((synthesis.folder / "production" / "Parcelgate.metadata.json").read_text())
    entries = [entry for entries in metadata.values() for entry in entries]
    acknowledged = [each["data"] for each in entries if each["type"] == "aws:cdk:acknowledged-rules"]
    assert acknowledged
    assert all(len(reason) > 20 for rules in acknowledged for reason in rules.values())


def test_the_tables_are_those_that_the_store_is_tested_with(aws: Template) -> None:
    stream = {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    for name, expected in (("StoreTable", (INDEXES, stream)), ("StoreEvents", (EVENTS_INDEXES, None))):
        (table,) = [each for id, each in aws.all("DynamoDB::Table").items() if id.startswith(name)]
        properties = table["Properties"]
        indexes = {
            each["IndexName"]: (*(key["AttributeName"] for key in each["KeySchema"]), each["Projection"])
            for each in properties["GlobalSecondaryIndexes"]
        }
        assert (indexes, properties.get("StreamSpecification")) == expected
        assert [key["AttributeName"] for key in properties["KeySchema"]] == ["pk", "sk"]
        assert properties["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}


def test_the_tables_cannot_be_lost(aws: Template) -> None:
    tables = aws.all("DynamoDB::Table").values()
    assert len(tables) == 3
    for table in tables:
        properties = table["Properties"]
        assert table["DeletionPolicy"] == "RetainExceptOnCreate"
        assert table["UpdateReplacePolicy"] == "Retain"
        assert properties["DeletionProtectionEnabled"] is True
        assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
        assert properties["BillingMode"] == "PAY_PER_REQUEST"


def test_everything_that_keeps_data_is_encrypted(aws: Template) -> None:
    (key_id,) = aws.all("KMS::Key")
    for table in aws.properties("DynamoDB::Table"):
        assert table["SSESpecification"]["SSEEnabled"] is True
        assert table["SSESpecification"]["KMSMasterKeyId"] == {"Fn::GetAtt": [key_id, "Arn"]}
    assert aws.only("KMS::Key")["EnableKeyRotation"] is True
    assert all(queue["SqsManagedSseEnabled"] for queue in aws.properties("SQS::Queue"))
    assert all(bucket["BucketEncryption"] for bucket in aws.properties("S3::Bucket"))
    assert aws.only("SNS::Topic")["KmsMasterKeyId"]


def test_the_key_opens_to_nobody_but_who_is_named(aws: Template) -> None:
    """To the account, whose roles say who may use it, and to those who tell the alarm topic."""
    principals = [each["Principal"] for each in aws.only("KMS::Key")["KeyPolicy"]["Statement"]]
    (account,) = [each["AWS"] for each in principals if "AWS" in each]
    assert written(account) == "arn:<AWS::Partition>:iam::<AWS::AccountId>:root"
    assert {each["Service"] for each in principals if "Service" in each} == {"cloudwatch.amazonaws.com"}


def test_no_bucket_is_public(aws: Template, local: Template) -> None:
    for template in (aws, local):
        for bucket in template.properties("S3::Bucket"):
            assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
            assert len(bucket["PublicAccessBlockConfiguration"]) == 4


def test_plain_http_is_refused_on_aws(aws: Template) -> None:
    queues = aws.only("SQS::QueuePolicy")
    assert {queue["Ref"] for queue in queues["Queues"]} == set(aws.all("SQS::Queue"))
    buckets = aws.properties("S3::BucketPolicy")
    assert len(buckets) == len(aws.all("S3::Bucket"))
    for policy in buckets:
        statements = policy["PolicyDocument"]["Statement"]
        assert {"Bool": {"aws:SecureTransport": "false"}} in [each.get("Condition") for each in statements]
    (refused,) = [each for each in queues["PolicyDocument"]["Statement"] if each["Effect"] == "Deny"]
    assert refused["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert {written(arn) for arn in refused["Resource"]} == {
        f"<{name}.Arn>" for name in aws.all("SQS::Queue")
    }


def test_a_queue_has_one_policy_since_a_second_would_replace_it(aws: Template, local: Template) -> None:
    """Yet the rule for broken executions may still put what it cannot deliver into dead letters."""
    for template in (aws, local):
        (rule,) = template.all("Events::Rule")
        policy = template.only("SQS::QueuePolicy")
        (allowed,) = [each for each in policy["PolicyDocument"]["Statement"] if each["Effect"] == "Allow"]
        assert allowed["Principal"] == {"Service": "events.amazonaws.com"}
        assert allowed["Action"] == "sqs:SendMessage"
        assert allowed["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": [rule, "Arn"]}}}
        assert written(allowed["Resource"]).startswith("<OrderFlowDeadLetters")


@pytest.mark.parametrize(("bucket", "days"), [("Labels", 400), ("Batches", 30)])
def test_labels_and_bodies_do_not_stay_for_ever(aws: Template, bucket: str, days: int) -> None:
    (found,) = [each for name, each in aws.all("S3::Bucket").items() if name.startswith(bucket)]
    (rule,) = [
        each for each in found["Properties"]["LifecycleConfiguration"]["Rules"] if "Prefix" not in each
    ]
    assert rule["Status"] == "Enabled"
    assert rule["ExpirationInDays"] == days
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}


def test_a_label_that_was_deleted_or_overwritten_can_be_brought_back_for_a_while(aws: Template) -> None:
    """And no longer: it holds an address."""
    (labels,) = [
        each["Properties"] for name, each in aws.all("S3::Bucket").items() if name.startswith("Labels")
    ]
    assert labels["VersioningConfiguration"] == {"Status": "Enabled"}
    rule, printouts = labels["LifecycleConfiguration"]["Rules"]
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
    # A document of many labels is made anew whenever it is asked for.
    assert printouts == {
        "Prefix": "_documents/",
        "ExpirationInDays": 1,
        "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
        "Status": "Enabled",
    }


def test_every_log_is_deleted_after_a_while(aws: Template) -> None:
    assert {group["RetentionInDays"] for group in aws.properties("Logs::LogGroup")} == {30}


def test_every_function_has_a_log_of_its_own_traces_and_bounds(aws: Template) -> None:
    groups = [written(function["LoggingConfig"]["LogGroup"]) for function in aws.functions.values()]
    assert len(set(groups)) == len(aws.functions)
    for name, function in aws.functions.items():
        assert function["TracingConfig"] == {"Mode": "Active" if name in PUBLIC else "PassThrough"}
        assert function["Runtime"] == "python3.13"
        assert function["Architectures"] == ["arm64"]
        assert function["MemorySize"] >= 256
        assert function["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"] == name
        assert function["FunctionName"] == f"parcelgate-production-{name}"


def test_there_is_a_function_for_every_folder(aws: Template) -> None:
    assert set(aws.functions) == {path.parent.name for path in (ROOT / "functions").glob("*/handler.py")}


def test_nobody_waits_longer_than_the_gateway_does(aws: Template) -> None:
    behind = {written(each["IntegrationUri"]) for each in aws.properties("ApiGatewayV2::Integration")}
    aliases = {f"<{name}>": each["Properties"] for name, each in aws.all("Lambda::Alias").items()}
    assert len(behind) == len(FUNCTIONS)
    for alias in behind:
        function = aws.json["Resources"][aliases[alias]["FunctionName"]["Ref"]]
        assert function["Properties"]["Timeout"] < 30


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
    assert {"create_order", "submit_order", "check_order", "fetch_label", "compensate_order"} < set(limited)
    assert limited["create_order"] <= 200
    assert not any("ReservedConcurrentExecutions" in each for each in local.functions.values())


def test_slow_calls_that_a_client_waits_for_cannot_fill_the_aws_account(aws: Template) -> None:
    """Whoever may read carrier accounts may call carriers, save those that only look whether there is one."""
    look_only = {"create_batch", "manage_rate_cards"}
    ask = {name for name in FUNCTIONS if "secretsmanager:GetSecretValue" in json.dumps(aws.statements(name))}
    assert look_only < ask
    limits = {name: aws.functions[name].get("ReservedConcurrentExecutions") for name in ask - look_only}
    assert None not in limits.values(), limits
    assert sum(map(int, filter(None, limits.values()))) <= 500


def test_who_must_answer_at_once_never_waits_for_the_others(aws: Template) -> None:
    for name in ("authorize", "ingest_webhook", "route_changes"):
        assert aws.functions[name]["ReservedConcurrentExecutions"] >= 20


@pytest.mark.parametrize("limit", [10, 100, 200, 250, 333, 1000, 3000, 50_000])
def test_what_is_reserved_fits_into_what_the_aws_account_has(limit: int) -> None:
    """Lambda refuses a reservation that leaves fewer than 100 for all other functions."""
    reserved = settings_for("production", account_concurrency=limit).reserved_concurrency
    assert sum(reserved.values()) <= max(0, limit - 100)
    assert all(share >= 5 for share in reserved.values())
    assert bool(reserved) == (limit >= 333)


@pytest.mark.parametrize("stage", ["production", "staging", "acme-2"])
def test_every_stage_on_aws_is_protected_unless_it_says_otherwise(stage: str) -> None:
    settings = settings_for(stage)
    assert settings.deletion_protected
    assert settings.removal_policy == "RETAIN_ON_UPDATE_OR_DELETE"
    unprotected = settings_for(stage, protect_data=False)
    assert not unprotected.deletion_protected
    assert unprotected.removal_policy == "DESTROY"


def test_a_first_deployment_that_fails_can_be_taken_back_whole() -> None:
    """What a failed creation cannot delete would stop the next one."""
    first = settings_for("production", first_deployment=True)
    assert not first.deletion_protected
    assert first.removal_policy == "RETAIN_ON_UPDATE_OR_DELETE"


def test_nothing_that_keeps_data_outlives_a_creation_that_failed(aws: Template) -> None:
    policies = {each.get("DeletionPolicy") for each in aws.json["Resources"].values()}
    assert policies == {"RetainExceptOnCreate", "Delete", None}


def test_no_stage_reads_the_carrier_accounts_of_another(aws: Template, local: Template) -> None:
    """Staging that buys on production's account spends real money."""
    for template, stage in ((aws, "production"), (local, "local")):
        assert template.json["Outputs"]["SecretPrefix"]["Value"] == f"parcelgate/{stage}"
        readers = [
            written(statement["Resource"])
            for name in template.functions
            for statement in template.statements(name)
            if statement["Action"] == "secretsmanager:GetSecretValue"
        ]
        assert readers
        assert all(f":secret:parcelgate/{stage}/*" in reader for reader in readers)


def test_every_carrier_has_a_retry_queue_with_a_concurrency_of_its_own(aws: Template) -> None:
    retry = aws.functions["retry_order"]
    urls = retry["Environment"]["Variables"]["PARCELGATE_RETRY_QUEUE_URLS"]
    assert set(json.loads(written(urls))) == set(registry.names())
    sources = [each for each in sources_of(aws, "RetryOrder") if "ScalingConfig" in each]
    assert len(sources) == len(registry.names())
    assert {source["ScalingConfig"]["MaximumConcurrency"] for source in sources} == {15}


def test_every_carrier_has_a_batch_queue_with_a_concurrency_of_its_own(aws: Template) -> None:
    for name in ("create_batch", "work_batch", "sweep"):
        urls = aws.functions[name]["Environment"]["Variables"]["PARCELGATE_BATCH_QUEUE_URLS"]
        assert set(json.loads(written(urls))) == set(registry.names())
    sources = sources_of(aws, "WorkBatch")
    assert len(sources) == len(registry.names())
    assert {source["ScalingConfig"]["MaximumConcurrency"] for source in sources} == {15}
    assert {source["BatchSize"] for source in sources} == {1}


@pytest.mark.parametrize(
    ("function", "queues_of"),
    [
        ("retry_order", "RetryOrder"),
        ("work_batch", "WorkBatch"),
        ("label_order", "LabelOrder"),
        ("poll_nudged", "PollNudged"),
    ],
)
def test_one_carrier_account_never_has_all_workers_of_a_queue(
    aws: Template, local: Template, function: str, queues_of: str
) -> None:
    for template in (aws, local):
        variables = template.functions[function]["Environment"]["Variables"]
        places = int(variables["PARCELGATE_ACCOUNT_PLACES"])
        sources = [each for each in sources_of(template, queues_of) if "ScalingConfig" in each]
        assert sources
        for source in sources:
            assert 0 < places < source["ScalingConfig"]["MaximumConcurrency"]


def test_one_tenant_never_has_all_workers_that_send_events(aws: Template, local: Template) -> None:
    for template in (aws, local):
        variables = template.functions["deliver_event"]["Environment"]["Variables"]
        (source,) = sources_of(template, "DeliverEvent")
        places = int(variables["PARCELGATE_TENANT_PLACES"])
        passes = int(variables["PARCELGATE_TENANT_PASSES"])
        assert places >= IN_FLIGHT
        assert passes > 0
        assert places + passes < source["ScalingConfig"]["MaximumConcurrency"]


@pytest.mark.parametrize("function", ["retry_order", "work_batch", "label_order", "deliver_event"])
def test_no_message_waits_for_the_one_before_it_in_one_call(aws: Template, function: str) -> None:
    words = "".join(map(str.capitalize, function.split("_")))
    assert {source["BatchSize"] for source in sources_of(aws, words)} == {1}


@pytest.mark.parametrize("stage", ["local", "production"])
def test_an_endpoint_that_hangs_leaves_workers_to_the_others(stage: str) -> None:
    settings = settings_for(stage)
    assert settings.delivery_concurrency > IN_FLIGHT + settings.delivery_passes


def test_a_batch_spoils_nobody(aws: Template) -> None:
    for source in aws.properties("Lambda::EventSourceMapping"):
        assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_a_message_stays_hidden_long_enough(aws: Template, local: Template) -> None:
    """AWS advises six time-outs. The local stack has two: what died comes again before its deadline."""
    for template, times in ((aws, 6), (local, 2)):
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
            assert hidden >= times * timeout


def test_a_dead_workers_entries_come_again_before_the_sweep_takes_them_for_forgotten(aws: Template) -> None:
    """And never while it may still live. A message is one call, so that none waits within a batch."""
    worker = aws.functions["work_batch"]
    hidden = {
        queue["Properties"]["VisibilityTimeout"]
        for name, queue in aws.all("SQS::Queue").items()
        if name.startswith("Batches") and "DeadLetters" not in name
    }
    margin = int(worker["Environment"]["Variables"]["PARCELGATE_DEADLINE_MARGIN"])
    assert all(worker["Timeout"] < seconds < margin for seconds in hidden)


def test_the_stream_is_read_with_care(aws: Template) -> None:
    (source,) = sources_of(aws, "RouteChanges")
    assert source["BisectBatchOnFunctionError"] is True
    # Tried until it is too old: whatever the bus or a queue suffers from, it is over within a day.
    assert source.get("MaximumRetryAttempts", -1) == -1
    assert 0 < source["MaximumRecordAgeInSeconds"] < 86_400
    assert "DeadLetters" in written(source["DestinationConfig"]["OnFailure"]["Destination"])
    patterns = [json.loads(each["Pattern"]) for each in source["FilterCriteria"]["Filters"]]
    (row,) = [pattern for pattern in patterns if "Keys" not in pattern["dynamodb"]]
    came_in = {"eventName": ["INSERT"], "dynamodb": {"Keys": {"sk": {"S": ["ENTRY"]}}}}
    assert came_in in patterns, "webhooks that are parked at once are counted, too"
    by_kind = {
        kind: pattern
        for pattern in patterns
        if pattern not in (row, came_in)
        for kind in pattern["dynamodb"]["Keys"]["sk"]["S"]
    }
    # Not the next polls: they change far more often than the parcels.
    assert set(by_kind) == {"ORDER", "TRACKING", "ENTRY"}
    assert by_kind["TRACKING"]["eventName"] == ["INSERT", "MODIFY"]
    # Whoever closes a webhook calls nobody; whoever has it worked on again does.
    assert by_kind["ENTRY"]["eventName"] == ["MODIFY"]
    assert by_kind["ENTRY"]["dynamodb"]["NewImage"] == {"entry_state": {"S": ["received"]}}
    # Entries of batches, once they are settled.
    assert row["dynamodb"]["NewImage"]["type"] == {"S": ["batch row"]}
    assert not {*row["dynamodb"]["NewImage"]["status"]["S"]} & {"accepted", "processing"}


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
            "GET /console",
            "GET /console/{path+}",
            "GET /docs/{path+}",
            "GET /problems/{code}",
            "GET /track/{token}",
            "HEAD /track/{token}",
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
            "POST /v1/label-documents",
            "GET /v1/label-documents/{id}",
            "POST /v1/orders/{id}/cancel",
            "PATCH /v1/orders/{id}",
            "POST /v1/orders/{id}/hold",
            "POST /v1/orders/{id}/return",
            "POST /v1/manifests",
            "GET /v1/manifests/{id}",
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
            "GET /v1/couriers",
            "GET /v1/trackings/air-cargo/{awb}",
            "GET /v1/trackings/usage",
            "GET /v1/trackings/summary",
            "GET /v1/events",
            "GET /v1/events/{id}",
            "GET /v1/carrier-accounts",
            "POST /v1/carrier-accounts/{carrier}/{account}/check",
            "POST /v1/carrier-accounts/{carrier}/{account}/pause",
            "POST /v1/carrier-accounts/{carrier}/{account}/resume",
            "GET /v1/settings",
            "PUT /v1/settings",
            "GET /v1/attention",
            "POST /v1/orders/{id}/resolve",
            "POST /v1/orders/{id}/erase",
            "GET /v1/inbox",
            "GET /v1/inbox/{id}",
            "POST /v1/inbox/{id}/replay",
            "POST /v1/inbox/{id}/dismiss",
            "GET /v1/dead-letters",
            "POST /v1/dead-letters/{queue}/redrive",
            "GET /v1/stats",
            "POST /v1/webhook-endpoints",
            "GET /v1/webhook-endpoints",
            "GET /v1/webhook-endpoints/{id}",
            "PATCH /v1/webhook-endpoints/{id}",
            "DELETE /v1/webhook-endpoints/{id}",
            "POST /v1/webhook-endpoints/{id}/rotate-secret",
            "POST /v1/webhook-endpoints/{id}/test",
            "GET /v1/webhook-endpoints/{id}/deliveries",
            "POST /v1/webhook-deliveries/{id}/replay",
            "GET /v1/carriers",
            "GET /v1/carriers/{carrier}/services",
            "PUT /v1/carrier-accounts/{carrier}/{account}/rate-card",
            "GET /v1/carrier-accounts/{carrier}/{account}/rate-card",
            "DELETE /v1/carrier-accounts/{carrier}/{account}/rate-card",
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
        "TABLE EVENTS_TABLE": {"dynamodb:GetItem", "dynamodb:Query"},
        "SECRET_PREFIX": {"secretsmanager:GetSecretValue"},
        "KMS_KEY": {"kms:Decrypt"},
        "LABEL_BUCKET BATCH_BUCKET": {"s3:GetObject", "s3:PutObject", "s3:DeleteObject"},
        "ORDER_FLOW_ARN": {"states:StartExecution"},
        "EVENT_BUS": {"events:PutEvents"},
    }
    for name, function in aws.functions.items():
        variables = function["Environment"]["Variables"]
        may = {
            action
            for statement in aws.statements(name)
            if "kms:ViaService" not in str(statement.get("Condition"))
            for action in (
                [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
            )
        }
        for variable, actions in needs.items():
            given = {f"PARCELGATE_{either}" for either in variable.split()} & set(variables)
            assert bool(given) == bool(actions & may), (name, variable)


def test_the_pages_are_told_where_links_to_labels_lead(aws: Template, local: Template) -> None:
    def told(template: Template) -> str:
        variables = template.functions["serve_pages"]["Environment"]["Variables"]
        return written(variables["PARCELGATE_LABEL_LINKS"])

    bucket = next(name for name in aws.all("S3::Bucket") if name.startswith("Labels"))
    assert told(aws) == f"https://<{bucket}.RegionalDomainName>"
    assert re.fullmatch(rf"http://127\.0\.0\.1:\w+/<{bucket}>/", told(local))


def test_carriers_are_called_without_tls_in_the_local_environment_alone(
    aws: Template, local: Template
) -> None:
    for template in (aws, local):
        for name, function in template.functions.items():
            variables = set(function["Environment"]["Variables"])
            may_be_anywhere = "PARCELGATE_ENDPOINTS_ANYWHERE" in variables
            assert may_be_anywhere == (template is local and name in ("manage_endpoints", "deliver_event"))
            reads_accounts = template is local and "PARCELGATE_SECRET_PREFIX" in variables
            assert ("PARCELGATE_CARRIERS_OVER_HTTP" in variables) == reads_accounts, name


def sources_of(template: Template, function: str) -> list[dict[str, Any]]:
    return [
        source
        for source in template.properties("Lambda::EventSourceMapping")
        if f"Functions{function}Function" in written(source["FunctionName"])
    ]
