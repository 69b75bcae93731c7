"""A release meets one call in ten first, and goes back by itself."""

import json
import re
from fnmatch import fnmatchcase
from typing import Any

import pytest

from infra.parts.releases import CHECKER
from infra.settings import ALIAS, PUBLIC, ROLLS_BACK, settings_for
from local.deploy.changes import FORMAT, format_findings
from parcelgate.store import formats
from tests.infra.conftest import Synthesis, Template, written

CANARY = "CodeDeployDefault.LambdaCanary10Percent5Minutes"
MOST_ALARMS = 10
"""CodeDeploy's limit for one deployment group."""


def function_of(template: Template, reference: dict[str, str]) -> str:
    """The folder's name of the function that a resource refers to."""
    handler: str = template.json["Resources"][reference["Ref"]]["Properties"]["Handler"]
    return handler.split(".")[1]


def aliases(template: Template) -> dict[str, dict[str, Any]]:
    """Each alias, whole, by its function."""
    found = template.all("Lambda::Alias").values()
    return {function_of(template, each["Properties"]["FunctionName"]): each for each in found}


def test_every_public_function_and_no_other_has_a_version_and_an_alias(aws: Template) -> None:
    """Orders in flight, queues and the stream call the others, which follow the last deployment at once."""
    assert set(aliases(aws)) == PUBLIC
    for name, alias in aliases(aws).items():
        properties = alias["Properties"]
        assert properties["Name"] == ALIAS
        version = aws.json["Resources"][properties["FunctionVersion"]["Fn::GetAtt"][0]]
        assert function_of(aws, version["Properties"]["FunctionName"]) == name


def test_clients_reach_a_function_by_its_alias_alone(aws: Template) -> None:
    behind = {written(each["IntegrationUri"]) for each in aws.properties("ApiGatewayV2::Integration")}
    names = {f"<{name}>": each["Properties"] for name, each in aws.all("Lambda::Alias").items()}
    authorizer = written(aws.only("ApiGatewayV2::Authorizer")["AuthorizerUri"])
    (let_in,) = [
        each
        for each in aws.properties("Lambda::Permission")
        if each["Principal"] == "apigateway.amazonaws.com"
    ]
    (by,) = [name for name in names if name in authorizer or name.strip("<>") in authorizer]
    assert written(let_in["FunctionName"]) == by
    assert behind == set(names) - {by}
    assert function_of(aws, names[by]["FunctionName"]) == "authorize"


def test_queues_streams_schedules_and_state_machines_call_functions_as_they_are(aws: Template) -> None:
    """An order in flight for a day would call a version that is gone."""
    names = set(aws.all("Lambda::Alias")) | set(aws.all("Lambda::Version"))
    for kind in ("Lambda::EventSourceMapping", "Scheduler::Schedule", "StepFunctions::StateMachine"):
        for properties in aws.properties(kind):
            assert not [name for name in names if name in json.dumps(properties)]


def test_a_release_goes_by_a_canary_and_comes_back_when_an_alarm_rings(aws: Template) -> None:
    alarms = {name: each["AlarmName"] for name, each in named(aws, "CloudWatch::Alarm").items()}
    groups = named(aws, "CodeDeploy::DeploymentGroup")
    assert len(groups) == len(PUBLIC)
    for group in groups.values():
        assert group["DeploymentConfigName"] == CANARY
        assert group["AutoRollbackConfiguration"]["Enabled"] is True
        assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
        watched = [alarms[each["Name"]["Ref"]] for each in group["AlarmConfiguration"]["Alarms"]]
        assert sorted(watched) == [f"parcelgate-production-{name}" for name in ROLLS_BACK]
        assert len(watched) <= MOST_ALARMS
    for name, alias in aliases(aws).items():
        policy = alias["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
        assert groups[policy["DeploymentGroupName"]["Ref"]]["DeploymentGroupName"].endswith(f"-{name}")


def test_no_part_of_an_alarm_that_is_split_is_left_out(aws: Template) -> None:
    """CloudWatch takes ten metrics in an alarm. With more, there is a second alarm."""
    there = {
        each["AlarmName"].removeprefix("parcelgate-production-")
        for each in named(aws, "CloudWatch::Alarm").values()
    }
    parts = {name for name in there if re.sub(r"-\d+$", "", name) in ROLLS_BACK}
    assert parts == set(ROLLS_BACK)


def test_a_release_can_go_slower_and_without_the_alarms(options: Template) -> None:
    """The alarms stay named: CloudFormation keeps those that are left out."""
    for group in named(options, "CodeDeploy::DeploymentGroup").values():
        assert group["DeploymentConfigName"] == "CodeDeployDefault.LambdaCanary10Percent30Minutes"
        assert group["AlarmConfiguration"]["Enabled"] is False
        assert len(group["AlarmConfiguration"]["Alarms"]) == len(ROLLS_BACK)
        assert "DEPLOYMENT_STOP_ON_ALARM" not in group["AutoRollbackConfiguration"]["Events"]


def test_a_version_is_checked_before_its_alias_moves(aws: Template) -> None:
    """By the check of the same release. With the authorizer it asks all that have no alias."""
    background = set(aws.functions) - PUBLIC - {CHECKER}
    for name, alias in aliases(aws).items():
        policy = alias["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
        assert function_of(aws, policy["BeforeAllowTrafficHook"]) == CHECKER
        after = {function_of(aws, {"Ref": each}) for each in alias["DependsOn"]}
        assert after == {CHECKER} | (background if name == "authorize" else set())
    together = json.loads(aws.functions[CHECKER]["Environment"]["Variables"]["PARCELGATE_CHECKED_TOGETHER"])
    assert {name: set(others.split()) for name, others in together.items()} == {"authorize": background}


def test_codedeploy_moves_aliases_calls_the_check_and_may_do_nothing_else(aws: Template) -> None:
    (role,) = [
        each
        for each in aws.properties("IAM::Role")
        if "codedeploy.amazonaws.com" in written(each["AssumeRolePolicyDocument"])
    ]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    (policy,) = role["Policies"]
    may = {written(each["Resource"]): each["Action"] for each in policy["PolicyDocument"]["Statement"]}
    (check,) = [resource for resource, action in may.items() if action == "lambda:InvokeFunction"]
    assert "CheckRelease" in check
    assert may.pop(check)
    assert may.pop("*") == "cloudwatch:DescribeAlarms"
    ((pattern, actions),) = may.items()
    assert set(actions) == {
        "lambda:GetAlias",
        "lambda:GetProvisionedConcurrencyConfig",
        "lambda:UpdateAlias",
    }
    assert fnmatchcase("function:parcelgate-production-sweep", pattern.partition("AccountId>:")[2])


def test_another_layer_makes_another_version_and_another_reservation_none(synthesis: Synthesis) -> None:
    """Or a release of shared code would never reach clients, and a raised quota would fail to deploy."""
    one, same, other = (
        list(Template(synthesis.folder / "layers" / f"{name}.template.json").all("Lambda::Version"))
        for name in ("One", "Same", "Other")
    )
    assert len(one) == 1
    assert one == same
    assert one != other


def test_a_stack_says_which_format_its_release_writes_and_reads(aws: Template) -> None:
    oldest, newest = formats.READS
    outputs = {name: output["Value"] for name, output in aws.json["Outputs"].items()}
    assert outputs[FORMAT] == str(formats.WRITES)
    assert outputs["FormatsRead"] == f"{oldest}-{newest}"
    assert list(format_findings(aws.json, aws.json)) == []


def test_a_local_stack_has_neither_aliases_nor_canaries(local: Template) -> None:
    kinds = {each["Type"] for each in local.json["Resources"].values()}
    assert not kinds & {"AWS::Lambda::Alias", "AWS::Lambda::Version"}
    assert not [kind for kind in kinds if kind.startswith("AWS::CodeDeploy")]
    assert settings_for("local").called_as("create_order") == "parcelgate-local-create_order"
    assert settings_for("production").called_as("create_order") == "parcelgate-production-create_order:live"
    assert settings_for("production").called_as("sweep") == "parcelgate-production-sweep"


@pytest.mark.parametrize("minutes", [1, 7, 60])
def test_a_canary_that_codedeploy_does_not_know_is_refused(minutes: int) -> None:
    with pytest.raises(ValueError, match="0, 5, 10, 15, 30"):
        settings_for("production", canary_minutes=minutes)


def named(template: Template, kind: str) -> dict[str, dict[str, Any]]:
    return {name: each["Properties"] for name, each in template.all(kind).items()}
