"""What a deployment needs of the AWS account, held against what the template has."""

import ast
import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import pytest

from infra.bundle import ROOT
from infra.settings import GIVEN
from local.deploy import account, changes
from tests.infra.conftest import Synthesis, Template

POLICIES = ROOT / "infra" / "policies"
LONGEST_POLICY = 6144
"""Characters that IAM takes in a managed policy, white space not counted."""
NEVER_NEEDED = {
    "billing": ".*",
    "codedeploy": r"RegisterOnPremisesInstance",
    "dynamodb": r"AssociateTableReplica|CreateTableReplica|ImportTable|DescribeImport",
    "ec2": ".*",
    "elasticfilesystem": ".*",
    "firehose": ".*",
    "iam": r".*(User|Group)Policy|CreateServiceLinkedRole|(Put|Delete)RolePermissionsBoundary",
    "kinesis": ".*",
    "kms": r"ReEncrypt.*",
    "lambda": r"PassCapacityProvider|GetCodeSigningConfig",
    "logs": r"CreateLogStream|DescribeLogStreams|PutLogEvents",
    "s3": r"REST\..*",
    "s3files": ".*",
    "s3tables": ".*",
}
"""What AWS's handlers may call for what no resource of ours has: VPCs, file systems, replicas, imports,
billing views, users, permission boundaries, delivery streams, code signing, table buckets, a role for
provisioned capacity."""

NEVER_NEEDED_BY_OPTIONS = (
    "billing:.*|vpc-lattice:.*|vpce:.*"
    "|ec2:(AcceptAddressTransfer|.*Vpn.*|.*EncryptionControl.*|ModifyVpcTenancy)"
)
"""Billing views, networks of others, addresses of others, VPNs, and machines of one's own."""

NAMELESS = {
    "cloudwatch:DescribeAlarms",
    "codedeploy:ListApplications",
    "dynamodb:ListTables",
    "events:ListRules",
    "iam:ListRoles",
    "kms:CreateKey",
    "kms:ListAliases",
    "lambda:CreateEventSourceMapping",
    "lambda:GetEventSourceMapping",
    "lambda:ListEventSourceMappings",
    "logs:CreateLogDelivery",
    "logs:DeleteQueryDefinition",
    "logs:DescribeLogGroups",
    "logs:DescribeQueryDefinitions",
    "logs:PutQueryDefinition",
    "logs:PutResourcePolicy",
    "s3:ListAllMyBuckets",
    "scheduler:ListSchedules",
    "sns:ListTopics",
    "sqs:ListQueues",
    "states:ListStateMachines",
}
"""What AWS allows on all resources or on none."""


def statements(name: str) -> list[dict[str, Any]]:
    policy = json.loads((POLICIES / f"{name}.json").read_text())
    assert policy["Version"] == "2012-10-17"
    return list(policy["Statement"])


def actions(statement: dict[str, Any]) -> list[str]:
    given = statement["Action"]
    return [given] if isinstance(given, str) else given


def resources(statement: dict[str, Any]) -> list[str]:
    given = statement["Resource"]
    return [given] if isinstance(given, str) else given


def needed(kind: str) -> Iterator[str]:
    """What AWS's own handlers call for a resource of ours, by the schema of its type."""
    for permission in handled(kind):
        service, _, operation = permission.partition(":")
        if not re.fullmatch(NEVER_NEEDED.get(service, "(?!)"), operation):
            yield permission


def handled(kind: str) -> Iterator[str]:
    """All that the schema of a resource type names."""
    # Not at the top: each process that collects the tests would load it, and most need it for none of theirs.
    from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    for handler in schema["handlers"].values():
        yield from handler.get("permissions", [])


class TestWhatCloudFormationMayDo:
    def test_is_enough_for_every_resource_of_the_template(self, aws: Template) -> None:
        kinds = {resource["Type"] for resource in aws.json["Resources"].values()}
        allowed = [each.lower() for statement in statements("cloudformation") for each in actions(statement)]
        missing = {
            permission: kind
            for kind in kinds
            for permission in needed(kind)
            if not any(fnmatchcase(permission.lower(), each) for each in allowed)
        }
        assert missing == {}

    def test_names_no_resource_where_aws_takes_none(self) -> None:
        """A statement that names one then allows nothing."""
        everywhere = {
            each.lower()
            for statement in statements("cloudformation")
            if "*" in resources(statement)
            for each in actions(statement)
        }
        for action in NAMELESS:
            assert any(fnmatchcase(action.lower(), each) for each in everywhere), action

    def test_is_enough_for_a_budget_too(self) -> None:
        allowed = [each for statement in statements("cloudformation") for each in actions(statement)]
        for permission in needed("AWS::Budgets::Budget"):
            assert any(fnmatchcase(permission, each) for each in allowed), permission

    def test_names_the_resources_of_each_kind(self, aws: Template) -> None:
        patterns = [each for statement in statements("cloudformation") for each in resources(statement)]
        for example in (
            "arn:aws:lambda:eu-central-1:1:function:parcelgate-production-sweep",
            "arn:aws:cloudwatch:eu-central-1:1:alarm:parcelgate-production-errors",
            "arn:aws:cloudwatch::1:dashboard/parcelgate-production-business",
            "arn:aws:dynamodb:eu-central-1:1:table/parcelgate-production-StoreTable-X/index/due",
            "arn:aws:logs:eu-central-1:1:log-group:parcelgate-production-Functions-X:*",
            "arn:aws:scheduler:eu-central-1:1:schedule/default/parcelgate-production-sweep",
            "arn:aws:states:eu-central-1:1:stateMachine:parcelgate-production-order-flow",
            "arn:aws:sns:eu-central-1:1:parcelgate-production-alarms",
            "arn:aws:events:eu-central-1:1:event-bus/parcelgate-production-events",
            "arn:aws:apigateway:eu-central-1::/apis/abc/routes/def",
            "arn:aws:budgets::1:budget/parcelgate-production-budget",
            "arn:aws:codedeploy:eu-central-1:1:application:parcelgate-production-releases",
            "arn:aws:codedeploy:eu-central-1:1:deploymentgroup:parcelgate-production-releases/x",
            "arn:aws:lambda:eu-central-1:1:function:parcelgate-production-create_order:live",
        ):
            assert any(fnmatchcase(example, each) for each in patterns if each != "*"), example

    def test_touches_no_service_that_the_template_does_not_have(self, aws: Template) -> None:
        kinds = {resource["Type"] for resource in aws.json["Resources"].values()}
        services = {permission.partition(":")[0] for kind in kinds for permission in needed(kind)}
        allowed = {
            each.partition(":")[0] for every in statements("cloudformation") for each in actions(every)
        }
        # The bootstrap's version, and what a setting adds.
        assert allowed - services == {"ssm", "budgets"}

    def test_reaches_only_what_is_named_after_the_product(self) -> None:
        for statement in statements("cloudformation"):
            if any(each.endswith(":*") for each in actions(statement)):
                assert "*" not in resources(statement), statement["Sid"]
            if "*" in resources(statement):
                assert not any(each.startswith(("iam:P", "iam:C", "iam:A")) for each in actions(statement))

    def test_names_what_the_template_names(self, aws: Template) -> None:
        """The names that CloudFormation makes begin with the stack's, which begins like all others."""
        keys = ("FunctionName", "AlarmName", "TopicName", "StateMachineName", "ApplicationName", "Name")
        names = {
            value
            for resource in aws.json["Resources"].values()
            for key, value in resource.get("Properties", {}).items()
            if key in keys
            and isinstance(value, str)
            and resource["Type"]
            not in ("AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::Authorizer", "AWS::Lambda::Alias")
        }
        assert names
        assert all(name.startswith("parcelgate-") for name in names)


class TestWhatADeployerMayDo:
    def test_is_to_look_to_take_the_bootstraps_roles_to_ask_functions_and_to_take_back(self) -> None:
        allowed = {each for statement in statements("deployer") for each in actions(statement)}
        changing = {each for each in allowed if not re.match(r"\w+:(Get|GET|Describe|List)", each)}
        assert changing == {
            "sts:AssumeRole",
            "lambda:InvokeFunction",
            "cloudformation:CancelUpdateStack",
            "cloudformation:ContinueUpdateRollback",
            "cloudformation:RollbackStack",
        }

    def test_is_enough_for_every_look(self) -> None:
        allowed = {each.lower() for statement in statements("deployer") for each in actions(statement)}
        free = {"get_caller_identity"}
        special = {"get_account": "apigateway:get"}
        called = set()
        for node in ast.walk(ast.parse((ROOT / "local" / "deploy" / "account.py").read_text())):
            match node:
                case ast.Call(ast.Attribute(_, str(name))) | ast.Call(
                    ast.Attribute(_, "get_paginator"), [ast.Constant(str(name))]
                ) if re.match(r"(get|describe)_[a-z_]+$", name):
                    called.add(name)
        asked = called - free - {"get_partition_for_region", "get_available_regions", "get_paginator"}
        assert len(asked) >= 7
        for name in asked:
            operation = name.replace("_", "")
            assert any(
                each == special.get(name) or each.partition(":")[2] == operation for each in allowed
            ), name


class TestWhatOptionsAdd:
    def test_is_in_a_policy_of_its_own(self, aws: Template, options: Template) -> None:
        kinds = [
            {each["Type"] for each in template.json["Resources"].values()} for template in (options, aws)
        ]
        allowed = [
            each.lower()
            for name in ("cloudformation", "options")
            for statement in statements(name)
            for each in actions(statement)
        ]
        missing = {
            permission: kind
            for kind in kinds[0] - kinds[1]
            for permission in handled(kind)
            if not re.fullmatch(NEVER_NEEDED_BY_OPTIONS, permission)
            if not any(fnmatchcase(permission.lower(), each) for each in allowed)
        }
        assert missing == {}

    def test_names_the_resources_of_the_domain(self) -> None:
        patterns = [each for statement in statements("options") for each in resources(statement)]
        for example in (
            "arn:aws:apigateway:eu-central-1::/domainnames",
            "arn:aws:apigateway:eu-central-1::/domainnames/api.example.com/apimappings/x",
        ):
            assert any(fnmatchcase(example, each) for each in patterns if each != "*"), example

    def test_lets_nobody_touch_machines(self) -> None:
        """The network of carriers' callers has none; other parts of the account may."""
        allowed = [each.lower() for statement in statements("options") for each in actions(statement)]
        for action in ("ec2:RunInstances", "ec2:TerminateInstances", "ec2:CreateVpcPeeringConnection"):
            assert not any(fnmatchcase(action.lower(), each) for each in allowed), action


@pytest.mark.parametrize("name", ["cloudformation", "options", "deployer"])
def test_a_policy_fits_into_what_iam_takes(name: str) -> None:
    assert len(re.sub(r"\s", "", (POLICIES / f"{name}.json").read_text())) <= LONGEST_POLICY
    sids = [statement["Sid"] for statement in statements(name)]
    assert len(sids) == len(set(sids))


def test_the_look_asks_for_the_bootstrap_stack_that_the_template_needs(synthesis: Synthesis) -> None:
    manifest = json.loads((synthesis.folder / "production" / "manifest.json").read_text())
    needs = manifest["artifacts"]["Parcelgate"]["properties"]["requiresBootstrapStackVersion"]
    assert needs == account.BOOTSTRAP_VERSION


def test_the_look_asks_for_as_many_roles_as_the_template_has(aws: Template) -> None:
    assert len(aws.all("IAM::Role")) < account.ROLES


def test_whatever_is_protected_is_not_let_go_in_silence(aws: Template, options: Template) -> None:
    """And so are the queues, the topic, the bus and the API, which CloudFormation deletes without a word."""
    kept = {
        each["Type"]
        for each in aws.json["Resources"].values()
        if each.get("DeletionPolicy", "Delete") != "Delete"
    }
    assert {"AWS::DynamoDB::Table", "AWS::KMS::Key", "AWS::S3::Bucket", "AWS::Logs::LogGroup"} <= kept
    assert kept <= set(changes.STATEFUL)
    assert set(changes.STATEFUL) <= {each["Type"] for each in options.json["Resources"].values()}


def test_a_release_of_the_same_code_changes_nothing(aws: Template) -> None:
    assert changes.compare(aws.json, aws.json) == []


class TestThePageOfDeployments:
    PAGE = (ROOT / "docs" / "deploy.md").read_text()

    def test_names_settings_files_and_alarms_that_there_are(self, aws: Template) -> None:
        for name in re.findall(r"-c (\w+)=", self.PAGE.replace("-c name=", "")):
            assert name in GIVEN, name
        for path in re.findall(r"\]\(\.\./([^)#]+)", self.PAGE) + re.findall(r"file://(\S+)", self.PAGE):
            assert (ROOT / path).exists(), path
        alarms = {each["AlarmName"] for each in aws.properties("CloudWatch::Alarm")}
        assert set(re.findall(r"--alarm-name (\S+)", self.PAGE)) <= alarms

    def test_is_where_the_readme_leads(self) -> None:
        assert "(docs/deploy.md)" in (ROOT / "README.md").read_text()
