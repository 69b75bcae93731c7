"""Every function can do what it does, and nothing else: exact actions on exact resources."""

from collections import defaultdict
from typing import Any

import pytest

from parcelgate.carriers import registry
from parcelgate.store.limits import DOWN, LOGINS
from tests.infra.conftest import Template, written
from tests.infra.permissions import (
    ASKED_BY_LAMBDA,
    BATCHES,
    COUNT_LOGINS,
    COUNT_LOGINS_ALONE,
    MAY,
    NOT_USED_BY_TESTS,
    OWN,
    SEND,
    USE_THE_TABLES_KEY,
    differences,
)
from tests.support.table import EVENTS_INDEXES


@pytest.fixture(scope="module")
def names(aws: Template) -> dict[str, str]:
    """What the resources of the stack are called in the table above."""
    things = {
        "DynamoDB::Table": {
            "table": "StoreTable",
            "events table": "StoreEvents",
            "usage table": "StoreUsage",
        },
        "KMS::Key": {"key": "Store"},
        "SQS::Queue": {
            "inbox queue": "WebhooksInboxQueue",
            "label queue": "LabelQueueLabelsQueue",
            "print queue": "PrintQueuePrintsQueue",
            "nudge queue": "TrackingPollsNudgedQueue",
            "delivery queue": "DeliveriesQueue",
            "order flow dead letters": "OrderFlowDeadLetters",
            "changes dead letters": "EventsDeadLetters",
            "sweep dead letters": "SweepDeadLetters",
            "poll dead letters": "TrackingPollsDeadLetters",
            "inbox dead letters": "WebhooksInboxDeadLetters",
            "delivery dead letters": "DeliveriesDeadLetters",
            "label dead letters": "LabelQueueLabelsDeadLetters",
        },
        "S3::Bucket": {"labels": "Labels", "batch bodies": "Batches"},
    }
    for carrier in map(str.capitalize, registry.names()):
        things["SQS::Queue"] |= {
            f"retry queue {carrier}": f"Retries{carrier}Queue",
            f"retry dead letters {carrier}": f"Retries{carrier}DeadLetters",
            f"batch queue {carrier}": f"Batches{carrier}Queue",
            f"batch dead letters {carrier}": f"Batches{carrier}DeadLetters",
        }
    called = {}
    for kind, wanted in things.items():
        for name, beginning in wanted.items():
            (logical_id,) = [each for each in aws.all(kind) if each.startswith(beginning)]
            called[f"<{logical_id}.Arn>{'/*' if kind == 'S3::Bucket' else ''}"] = name
    (labels,) = [arn for arn, name in called.items() if name == "labels"]
    called[f"{labels.removesuffix('*')}_documents/*"] = "label documents"
    called[labels.removesuffix("/*")] = "list of labels"
    (table,) = [arn for arn, name in called.items() if name == "table"]
    for index in ("by_time", "by_status", "by_reference", "due"):
        called[f"{table}/index/{index}"] = f"table {index}"
    (events,) = [arn for arn, name in called.items() if name == "events table"]
    for index in EVENTS_INDEXES:
        called[f"{events}/index/{index}"] = f"events table {index}"
    called[table.replace(".Arn", ".StreamArn")] = "stream"
    account = "<AWS::Region>:<AWS::AccountId>"
    called |= {
        f"arn:<AWS::Partition>:states:{account}:stateMachine:parcelgate-production-order-flow": "order flow",
        f"arn:<AWS::Partition>:states:{account}:execution:parcelgate-production-order-flow:*": "executions",
        f"arn:<AWS::Partition>:secretsmanager:{account}:secret:parcelgate/production/*": "accounts",
        f"arn:<AWS::Partition>:events:{account}:event-bus/parcelgate-production-events": "event bus",
        f"arn:<AWS::Partition>:lambda:{account}:function:parcelgate-production-*": "any function",
        f"arn:<AWS::Partition>:codedeploy:{account}:deploymentgroup:parcelgate-production-releases/*": (
            "deployments"
        ),
        "*": "*",
    }
    return called


def test_the_table_is_about_every_function(aws: Template) -> None:
    assert set(MAY) == set(aws.functions)


@pytest.mark.parametrize("function", sorted(MAY))
def test_a_function_may_do_exactly_this(aws: Template, names: dict[str, str], function: str) -> None:
    logs = written(aws.functions[function]["LoggingConfig"]["LogGroup"]).strip("<>")
    expected: dict[str, set[str]] = defaultdict(set)
    for table in (MAY[function], OWN):
        for thing, actions in table.items():
            for each_thing in every(thing):
                expected[each_thing] |= actions
    if MAY[function].keys() & {"table", "events table"}:
        expected["key through the table"] |= USE_THE_TABLES_KEY
    if "stream" in MAY[function]:
        expected["key through the table"] |= {"kms:Decrypt", "kms:DescribeKey"}
    assert granted(aws.statements(function), {**names, f"<{logs}.Arn>": "own logs"}) == expected


@pytest.mark.parametrize("function", sorted(MAY))
def test_the_emulator_differs_only_where_it_must(aws: Template, local: Template, function: str) -> None:
    """It takes task tokens from anywhere or not at all, and calls a batch of messages by another name."""
    there, here = granted(local.statements(function), {}), granted(aws.statements(function), {})
    batches = {action for actions in there.values() for action in actions} & {"sqs:SendMessageBatch"}
    tokens = {action for action in there["*"] if action.startswith("states:SendTask")}
    assert bool(tokens) == (function in {"submit_order", "process_webhook"})
    assert bool(batches) == (function in BATCHES)
    everything_here = {action for actions in here.values() for action in actions}
    assert {action for actions in there.values() for action in actions} == everything_here | batches
    assert there["*"] - tokens == here["*"]


def test_what_no_test_uses_and_what_no_role_allows_is_found() -> None:
    """After a run of the whole suite `tests/conftest.py` compares all calls with the table like this."""
    seen = {
        function: {
            (thing, action)
            for thing, actions in things.items()
            for action in actions
            if action not in ASKED_BY_LAMBDA and (function, thing, action) not in NOT_USED_BY_TESTS
        }
        for function, things in MAY.items()
    }
    assert differences(seen) == []
    seen["authorize"] = {("table", "dynamodb:Scan")}
    assert differences(seen) == [
        "authorize may dynamodb:GetItem on table: no test uses it",
        "authorize used dynamodb:Scan on table: it may not",
    ]


def test_no_two_functions_share_a_role_and_none_has_a_managed_policy(aws: Template) -> None:
    roles = [written(function["Role"]) for function in aws.functions.values()]
    assert len(set(roles)) == len(roles)
    assert not [role for role in aws.properties("IAM::Role") if role.get("ManagedPolicyArns")]


def test_the_order_flow_may_call_the_functions_of_its_states_alone(aws: Template) -> None:
    (role,) = [role for name, role in aws.all("IAM::Role").items() if name.startswith("OrderFlowRole")]
    (policy,) = role["Properties"]["Policies"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement["Action"] == "lambda:InvokeFunction"
    called = {written(resource) for resource in statement["Resource"]}
    states = ("SubmitOrder", "CheckOrder", "FetchLabel", "CompensateOrder", "EscalateOrder")
    assert {next(state for state in states if state in name) for name in called} == set(states)
    assert len(called) == len(states)


def test_the_scheduler_may_call_the_sweep_alone(aws: Template) -> None:
    (role,) = [role for name, role in aws.all("IAM::Role").items() if name.startswith("SweepRunsRole")]
    (policy,) = role["Properties"]["Policies"]
    allowed = granted(policy["PolicyDocument"]["Statement"], {})
    (sweep,) = [name for name in allowed if "FunctionsSweepFunction" in name]
    (letters,) = [name for name in allowed if "SweepDeadLetters" in name]
    assert allowed == {sweep: {"lambda:InvokeFunction"}, letters: SEND}
    trust = role["Properties"]["AssumeRolePolicyDocument"]["Statement"][0]
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def test_a_round_of_polls_may_be_started_by_the_scheduler_and_calls_its_worker_alone(aws: Template) -> None:
    roles = {name: role["Properties"] for name, role in aws.all("IAM::Role").items()}
    (machine,) = [role for name, role in roles.items() if name.startswith("TrackingPollsRole")]
    allowed = granted(machine["Policies"][0]["PolicyDocument"]["Statement"], {})
    assert list(allowed.values()) == [{"lambda:InvokeFunction"}]
    assert "FunctionsPollTrackingsFunction" in next(iter(allowed))
    (scheduler,) = [role for name, role in roles.items() if name.startswith("TrackingPollsRoundsRole")]
    allowed = granted(scheduler["Policies"][0]["PolicyDocument"]["Statement"], {})
    (started,) = [name for name in allowed if "TrackingPollsMachine" in name]
    (letters,) = [name for name in allowed if "TrackingPollsDeadLetters" in name]
    assert allowed == {started: {"states:StartExecution"}, letters: SEND}
    trust = scheduler["AssumeRolePolicyDocument"]["Statement"][0]
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def test_who_is_asked_by_everybody_reads_nothing_but_which_carriers_are_down(aws: Template) -> None:
    (statement,) = [each for each in aws.statements("describe_service") if each["Action"] == "dynamodb:Query"]
    assert statement["Condition"] == {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [DOWN]}}


def test_who_polls_reads_the_parcels_that_wait_together_by_their_partitions(aws: Template) -> None:
    (statement,) = [
        each
        for each in aws.statements("poll_trackings")
        if each["Action"] == "dynamodb:Query" and "Condition" in each
    ]
    partitions = [f"WHEEL#{shard}" for shard in range(32)]
    assert statement["Condition"] == {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": partitions}}


@pytest.mark.parametrize("function", sorted(COUNT_LOGINS))
def test_who_calls_carriers_counts_logins_and_nothing_else_beside_the_counts_of_clients(
    aws: Template, function: str
) -> None:
    variables = aws.functions[function]["Environment"]["Variables"]
    (usage,) = [name for name in aws.all("DynamoDB::Table") if name.startswith("StoreUsage")]
    assert variables["PARCELGATE_LIMITS_TABLE"] == {"Ref": usage}
    conditions = [
        statement.get("Condition")
        for statement in aws.statements(function)
        if written(statement["Resource"]) == f"<{usage}.Arn>"
    ]
    of_logins = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [f"{LOGINS}*"]}}
    assert of_logins in conditions
    assert (conditions == [of_logins]) == (function in COUNT_LOGINS_ALONE)


def granted(statements: list[dict[str, Any]], names: dict[str, str]) -> dict[str, set[str]]:
    """Actions by resource; nothing may be denied, conditioned or said in another way.

    The conditions are that a key is used through DynamoDB, and that a table is read or written in some
    partitions alone.
    """
    allowed: dict[str, set[str]] = defaultdict(set)
    for statement in statements:
        through = ""
        partitions = {"ForAllValues:StringEquals", "ForAllValues:StringLike"}
        if partitions & statement.get("Condition", {}).keys():
            ((_, condition),) = statement["Condition"].items()
            assert set(condition) == {"dynamodb:LeadingKeys"}
        elif "Condition" in statement:
            ((operator, (condition,)),) = (
                (name, given.items()) for name, given in statement["Condition"].items()
            )
            assert (operator, condition[0]) == ("StringEquals", "kms:ViaService")
            assert written(condition[1]) == "dynamodb.<AWS::Region>.amazonaws.com"
            assert all(action.startswith("kms:") for action in each(statement["Action"]))
            through = " through the table"
        assert set(statement) - {"Condition"} == {"Effect", "Action", "Resource"}
        assert statement["Effect"] == "Allow"
        for resource in each(statement["Resource"]):
            name = written(resource)
            allowed[names.get(name, name) + through] |= set(each(statement["Action"]))
    return allowed


def every(thing: str) -> list[str]:
    """Of what each carrier has one of, all of them."""
    per_carrier = thing in {"retry queue", "retry dead letters", "batch queue", "batch dead letters"}
    return [f"{thing} {carrier.capitalize()}" for carrier in registry.names()] if per_carrier else [thing]


def each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
