"""`make deploy` looks first: it says everything at once, and starts nothing while something is in the way."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from botocore.exceptions import ClientError

from infra.settings import settings_for
from local.deploy import account, changes, command
from local.deploy.account import Look, look
from local.deploy.findings import Finding
from local.toolchain import node

ROOT = Path(__file__).resolve().parents[4]
RESERVING = "these functions have nothing reserved"


def refusal(code: str, operation: str, message: str = "") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


class Aws:
    """An AWS account in which all is well, save for the answers that a test gives."""

    def __init__(self, **answers: Any) -> None:
        self.answers: dict[str, Any] = {
            "get_caller_identity": {"Account": "111122223333"},
            "get_parameter": {"Parameter": {"Value": "30"}},
            "describe_stacks": refusal("ValidationError", "DescribeStacks", "Stack with id x does not exist"),
            "get_template": {"TemplateBody": {"Resources": {}}},
            "describe_alarms": {"MetricAlarms": []},
            "describe_stack_events": {"StackEvents": []},
            "get_account_settings": concurrency(1000),
            "get_function_concurrency": refusal("ResourceNotFoundException", "GetFunctionConcurrency"),
            "get_account_summary": {"SummaryMap": {"Roles": 20, "RolesQuota": 1000}},
            "get_account": {"throttleSettings": {"rateLimit": 10_000.0, "burstLimit": 5000}},
            **answers,
        }
        self.calls: list[str] = []

    def __call__(self, _service: str) -> "Aws":
        return self

    def get_paginator(self, operation: str) -> SimpleNamespace:
        return SimpleNamespace(paginate=lambda **arguments: [getattr(self, operation)(**arguments)])

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def call(**arguments: Any) -> Any:
            self.calls.append(operation)
            answer = self.answers[operation]
            answer = answer(**arguments) if callable(answer) else answer
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


def concurrency(limit: int, unreserved: int | None = None) -> dict[str, Any]:
    left = limit if unreserved is None else unreserved
    return {"AccountLimit": {"ConcurrentExecutions": limit, "UnreservedConcurrentExecutions": left}}


def stack(status: str, *, protected: bool = False) -> dict[str, Any]:
    return {"Stacks": [{"StackStatus": status, "EnableTerminationProtection": protected}]}


def texts(seen: Look, *, stops: bool) -> list[str]:
    return [each.text for each in seen.findings if each.stops is stops]


class TestLook:
    def test_nothing_is_said_where_nothing_is_in_the_way(self) -> None:
        seen = look("production", {}, clients=Aws())
        assert (seen.findings, seen.not_looked_at, seen.stack) == ([], [], None)
        assert seen.account_concurrency == 1000

    def test_everything_is_said_at_once(self) -> None:
        seen = look(
            "production",
            {},
            clients=Aws(
                get_parameter=refusal("ParameterNotFound", "GetParameter"),
                describe_stacks=stack("UPDATE_IN_PROGRESS"),
                get_account_settings=concurrency(10),
                get_account={"throttleSettings": {"rateLimit": 50.0}},
            ),
        )
        bootstrap, busy = texts(seen, stops=True)
        assert "bootstrap stack is missing" in bootstrap
        assert "UPDATE_IN_PROGRESS" in busy
        quota, gateway = texts(seen, stops=False)
        assert RESERVING in quota
        assert "50 requests a second" in gateway

    def test_it_only_looks(self) -> None:
        aws = Aws(describe_stacks=stack("UPDATE_COMPLETE"))
        look("production", {}, clients=aws)
        assert all(call.startswith(("get_", "describe_")) for call in aws.calls)

    @pytest.mark.parametrize("code", ["ExpiredToken", "InvalidClientTokenId"])
    def test_credentials_that_aws_refuses_stop_it(self, code: str) -> None:
        seen = look("production", {}, clients=Aws(get_caller_identity=refusal(code, "GetCallerIdentity")))
        (text,) = texts(seen, stops=True)
        assert code in text
        assert seen.not_looked_at

    def test_an_old_bootstrap_stack_stops_it(self) -> None:
        seen = look("production", {}, clients=Aws(get_parameter={"Parameter": {"Value": "5"}}))
        (finding,) = seen.findings
        assert finding.stops
        assert "version 5" in finding.text
        assert finding.command is not None
        assert "cdk bootstrap aws://111122223333/" in finding.command

    def test_what_the_credentials_may_not_see_is_named(self) -> None:
        denied = refusal("AccessDenied", "GetAccountSummary")
        seen = look("production", {}, clients=Aws(get_account_summary=denied))
        assert not seen.stops
        (name,) = seen.not_looked_at
        assert "GetAccountSummary: the credentials do not allow it" in name

    def test_a_stack_that_cannot_be_seen_stops_it(self) -> None:
        """Taken for a first deployment, the next one would take the protection off the table."""
        denied = refusal("AccessDenied", "DescribeStacks")
        assert look("production", {}, clients=Aws(describe_stacks=denied)).stops


class TestAlarms:
    RINGS: ClassVar = {"MetricAlarms": [{"AlarmName": "parcelgate-staging-errors"}]}

    def test_one_that_rings_already_would_take_the_release_back(self) -> None:
        aws = Aws(describe_stacks=stack("UPDATE_COMPLETE"), describe_alarms=self.RINGS)
        (finding,) = look("staging", {}, clients=aws).findings
        assert finding.stops
        assert finding.text.startswith("parcelgate-staging-errors")
        assert finding.command == 'make deploy STAGE=staging OPTIONS="-c rollback_on_alarms=0"'

    def test_the_release_that_corrects_it_goes_without_them(self) -> None:
        aws = Aws(describe_stacks=stack("UPDATE_COMPLETE"), describe_alarms=self.RINGS)
        assert look("staging", {"rollback_on_alarms": 0}, clients=aws).findings == []

    def test_a_first_deployment_has_no_release_to_go_back_to(self) -> None:
        assert look("staging", {}, clients=Aws(describe_alarms=self.RINGS)).findings == []


class TestCertificate:
    ARN = "arn:aws:acm:eu-central-1:111122223333:certificate/1"
    GIVEN: ClassVar = {"domain": "api.example.com", "certificate": ARN}

    @pytest.mark.parametrize("names", [["api.example.com"], ["*.example.com"]])
    def test_one_that_is_issued_for_the_domain_stops_nothing(self, names: list[str]) -> None:
        aws = Aws(describe_certificate=certificate("ISSUED", *names))
        assert look("staging", self.GIVEN, clients=aws).findings == []

    @pytest.mark.parametrize(
        ("answer", "words"),
        [
            (("PENDING_VALIDATION", "api.example.com"), "has not issued"),
            (("ISSUED", "*.example.org"), "for *.example.org, not for api.example.com"),
        ],
    )
    def test_any_other_stops_it(self, answer: tuple[str, ...], words: str) -> None:
        aws = Aws(describe_certificate=certificate(*answer))
        (text,) = texts(look("staging", self.GIVEN, clients=aws), stops=True)
        assert words in text

    def test_one_of_another_region_stops_it(self) -> None:
        seen = Look(region="us-east-1")
        settings = settings_for("staging", **self.GIVEN)
        (finding,) = account._certificate(Aws(), settings, seen)
        assert finding.stops
        assert "is in the region eu-central-1" in finding.text


def certificate(status: str, *names: str) -> dict[str, Any]:
    return {"Certificate": {"Status": status, "DomainName": names[0], "SubjectAlternativeNames": [*names]}}


class TestConcurrency:
    @pytest.mark.parametrize("limit", [10, 100, 200])
    def test_a_small_limit_stops_nothing_and_names_the_quota(self, limit: int) -> None:
        seen = look("production", {}, clients=Aws(get_account_settings=concurrency(limit)))
        (finding,) = seen.findings
        assert not finding.stops
        assert f"may run {limit} functions at once" in finding.text
        for name in ("authorize", "ingest_webhook", "route_changes", "create_order"):
            assert name in finding.text
        assert finding.command is not None
        assert "--quota-code L-B99A9384" in finding.command
        assert seen.account_concurrency == limit

    def test_what_other_stacks_have_reserved_is_left_to_them(self) -> None:
        """Two stages in one account would else reserve 1,140 of its 1,000, which Lambda refuses."""
        aws = Aws(get_account_settings=concurrency(1000, unreserved=430))
        seen = look("staging", {}, clients=aws)
        assert seen.account_concurrency == 430
        mine = settings_for("staging", account_concurrency=430).reserved_concurrency
        assert 0 < sum(mine.values()) <= 430 - 100
        assert seen.findings == []

    def test_what_this_stack_has_reserved_already_counts_as_its_own(self) -> None:
        reserved = settings_for("production").reserved_concurrency
        names = {f"parcelgate-production-{name}": value for name, value in reserved.items()}
        aws = Aws(
            get_account_settings=concurrency(1000, unreserved=1000 - sum(reserved.values())),
            get_function_concurrency=lambda FunctionName: {  # noqa: N803
                "ReservedConcurrentExecutions": names[FunctionName]
            },
        )
        assert look("production", {}, clients=aws).account_concurrency == 1000

    def test_a_number_that_the_account_has_not_stops_it(self) -> None:
        seen = look("production", {"account_concurrency": 2000}, clients=Aws())
        (text,) = texts(seen, stops=True)
        assert "2000" in text


class TestStackState:
    @pytest.mark.parametrize(
        ("status", "words", "mend"),
        [
            ("CREATE_IN_PROGRESS", "Wait until", "describe-stack-events"),
            ("UPDATE_ROLLBACK_IN_PROGRESS", "Wait until", "describe-stack-events"),
            ("ROLLBACK_COMPLETE", "only its name is left", "delete-stack"),
            ("ROLLBACK_FAILED", "could not be undone", "delete-stack"),
            ("DELETE_FAILED", "delete it again", "delete-stack"),
            ("UPDATE_ROLLBACK_FAILED", "undoing it failed", "continue-update-rollback"),
            ("UPDATE_FAILED", "stopped halfway", "rollback-stack"),
        ],
    )
    def test_one_that_takes_no_deployment_stops_it_with_the_next_command(
        self, status: str, words: str, mend: str
    ) -> None:
        seen = look("staging", {}, clients=Aws(describe_stacks=stack(status)))
        (finding,) = seen.findings
        assert finding.stops
        assert words in finding.text
        assert finding.command is not None
        assert f"aws cloudformation {mend} --stack-name parcelgate-staging" in finding.command

    @pytest.mark.parametrize("status", ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"])
    def test_one_that_stands_stops_nothing(self, status: str) -> None:
        seen = look("staging", {}, clients=Aws(describe_stacks=stack(status)))
        assert not seen.stops
        assert seen.stack is not None
        assert seen.stack.was_created

    def test_a_failure_is_told_by_what_failed_first(self) -> None:
        events = [
            event("parcelgate-staging", "ROLLBACK_COMPLETE"),
            event("Queue", "CREATE_FAILED", "Resource creation cancelled"),
            event("Key", "CREATE_FAILED", "Account is not authorized"),
            event("parcelgate-staging", "CREATE_IN_PROGRESS", "User Initiated"),
            event("Table", "CREATE_FAILED", "of an earlier attempt"),
        ]
        aws = Aws(describe_stacks=stack("ROLLBACK_COMPLETE"), describe_stack_events={"StackEvents": events})
        (text,) = texts(look("staging", {}, clients=aws), stops=True)
        assert "Key: Account is not authorized" in text
        assert "cancelled" not in text
        assert "earlier" not in text

    def test_a_protected_one_is_let_go_first(self) -> None:
        seen = look("staging", {}, clients=Aws(describe_stacks=stack("DELETE_FAILED", protected=True)))
        (finding,) = seen.findings
        assert finding.command is not None
        assert finding.command.index("no-enable-termination-protection") < finding.command.index(
            "delete-stack"
        )


def event(name: str, status: str, reason: str = "") -> dict[str, str]:
    return {"LogicalResourceId": name, "ResourceStatus": status, "ResourceStatusReason": reason}


TABLE = {
    "Type": "AWS::DynamoDB::Table",
    "Properties": {
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "GlobalSecondaryIndexes": [{"IndexName": "by_time", "KeySchema": ["a"]}],
    },
    "DeletionPolicy": "RetainExceptOnCreate",
    "UpdateReplacePolicy": "Retain",
}


def template(**resources: Any) -> dict[str, Any]:
    return {"Resources": resources}


class TestChanges:
    def test_a_table_with_another_key_would_be_another_table(self) -> None:
        other = {**TABLE, "Properties": {**TABLE["Properties"], "KeySchema": []}}  # type: ignore[dict-item]
        (change,) = changes.compare(template(Table=TABLE), template(Table=other))
        assert (change.kind, change.because, change.kept) == ("replaced", ["KeySchema"], True)
        (finding,) = changes.findings([change])
        assert finding.stops
        assert "every order" in finding.text
        assert finding.command is not None
        assert "--accept-loss Table" in finding.command

    @pytest.mark.parametrize("kind", sorted(changes.STATEFUL))
    def test_nothing_that_keeps_something_goes_unless_its_name_is_given(self, kind: str) -> None:
        old = template(Kept={"Type": kind, "Properties": {}}, Other={"Type": kind, "Properties": {}})
        gone = changes.compare(old, template())
        assert [finding.stops for finding in changes.findings(gone)] == [True, True]
        assert [finding.stops for finding in changes.findings(gone, accepted=["Kept"])] == [False, True]

    def test_what_is_only_changed_or_keeps_nothing_stops_nothing(self) -> None:
        old = template(
            Table=TABLE,
            Role={"Type": "AWS::IAM::Role", "Properties": {"Path": "/a/"}},
            Gone={"Type": "AWS::CloudWatch::Alarm", "Properties": {}},
        )
        new = template(
            Table={**TABLE, "Properties": {**TABLE["Properties"], "DeletionProtectionEnabled": True}},  # type: ignore[dict-item]
            Role={"Type": "AWS::IAM::Role", "Properties": {"Path": "/b/"}},
            New={"Type": "AWS::CloudWatch::Alarm", "Properties": {}},
        )
        found = changes.compare(old, new)
        assert {each.resource: each.kind for each in found} == {
            "Table": "changed",
            "Role": "replaced",
            "Gone": "removed",
            "New": "added",
        }
        assert list(changes.findings(found)) == []
        assert list(changes.summary(found)) == [
            "1 added: 1 CloudWatch::Alarm",
            "1 changed: 1 DynamoDB::Table",
            "1 replaced: 1 IAM::Role",
            "1 removed: 1 CloudWatch::Alarm",
        ]

    def test_what_is_named_after_something_new_is_new_as_well(self) -> None:
        """A topic's name is its identity, and so is whatever is built into it."""
        old = template(
            Function={"Type": "AWS::Lambda::Function", "Properties": {"FunctionName": "a"}},
            Topic={"Type": "AWS::SNS::Topic", "Properties": {"TopicName": {"Fn::Sub": "on-${Function}"}}},
        )
        new = json.loads(json.dumps(old).replace('"a"', '"b"'))
        kinds = {each.resource: each.kind for each in changes.compare(old, new)}
        assert kinds == {"Function": "replaced", "Topic": "replaced"}

    def test_of_several_indexes_at_once_cloudformation_takes_none(self) -> None:
        def indexed(*names: str, on: str = "a") -> dict[str, Any]:
            indexes = [{"IndexName": name, "KeySchema": [on]} for name in names]
            return template(Table={**TABLE, "Properties": {"GlobalSecondaryIndexes": indexes}})

        old = indexed("by_time", "due")
        assert list(changes.index_findings(old, indexed("by_time", "due", "new"))) == []
        for new in (
            indexed("by_time", "a", "b", "due"),
            indexed("by_time", "a"),
            indexed("by_time", "due", on="b"),
        ):
            (finding,) = changes.index_findings(old, new)
            assert finding.stops


def release(writes: int, reads: tuple[int, int]) -> dict[str, Any]:
    read = "-".join(map(str, reads))
    return {"Outputs": {"FormatWritten": {"Value": str(writes)}, "FormatsRead": {"Value": read}}}


class TestFormats:
    @pytest.mark.parametrize(
        ("running", "coming"),
        [
            (release(1, (1, 1)), release(1, (1, 1))),
            (release(1, (1, 1)), release(1, (1, 2))),
            (release(1, (1, 2)), release(2, (1, 2))),
            (release(2, (1, 2)), release(1, (1, 2))),
            ({}, release(1, (1, 1))),
        ],
        ids=["the same", "reads the next", "writes the next", "goes back", "first"],
    )
    def test_releases_that_read_each_other_may_follow_each_other(self, running: Any, coming: Any) -> None:
        assert list(changes.format_findings(running, coming)) == []

    def test_one_that_skips_the_release_between_is_refused(self) -> None:
        """The functions of the running release would read what they do not understand."""
        (finding,) = changes.format_findings(release(1, (1, 1)), release(2, (1, 2)))
        assert finding.stops
        assert "reads format 2 and does not write it yet" in finding.text
        (accepted,) = changes.format_findings(
            release(1, (1, 1)), release(2, (1, 2)), accepted=["FormatWritten"]
        )
        assert not accepted.stops

    def test_one_that_cannot_read_what_is_stored_is_refused_whatever_is_accepted(self) -> None:
        (finding, _) = changes.format_findings(
            release(1, (1, 1)), release(3, (2, 3)), accepted=["FormatWritten"]
        )
        assert finding.stops
        assert "one that reads format 1 as well" in finding.text

    def test_going_back_behind_the_form_that_is_written_is_refused(self) -> None:
        assert [
            finding.stops for finding in changes.format_findings(release(2, (1, 2)), release(1, (1, 1)))
        ] == [True]


class Cdk:
    """Stands in for the CDK's command line: notes what it is asked, and leaves what it would leave."""

    def __init__(
        self,
        state: Path,
        *,
        fails: str = "",
        resources: Mapping[str, Any] | None = None,
        outputs: Mapping[str, str] | None = None,
        says: Mapping[str, Any] | None = None,
    ) -> None:
        self.state, self.fails, self.more, self.says = state, fails, outputs or {}, says or {}
        self.resources = {"Table": TABLE} if resources is None else resources
        self.asked: list[str] = []

    def __call__(self, arguments: Sequence[str], **_: Any) -> subprocess.CompletedProcess[str]:
        verb, rest = arguments[len(node.CDK)], list(arguments)
        context = [rest[at + 1] for at, each in enumerate(rest) if each == "-c"]
        if verb == "synth":
            folder = Path(rest[rest.index("--output") + 1])
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "Parcelgate.template.json").write_text(
                json.dumps({"Resources": self.resources, **self.says})
            )
            self.asked.append(f"synth {' '.join(sorted(context))}")
        else:
            self.asked.append(f"deploy {Path(rest[rest.index('--app') + 1]).name}")
            outputs = {
                "Parcelgate": {"ApiUrl": "https://api.example", "AlarmTopicArn": "arn:topic", **self.more}
            }
            Path(rest[rest.index("--outputs-file") + 1]).write_text(json.dumps(outputs))
        return subprocess.CompletedProcess(arguments, int(self.asked[-1] == self.fails), "", "it broke")


class TestCommand:
    UNREACHABLE = "https://api.shop.example"
    """A name whose DNS does not lead to the API yet."""

    def answer(self, url: str) -> Any:
        if url.startswith(self.UNREACHABLE):
            raise command.httpx.ConnectError("no such name")
        return command.httpx.Response(200)

    @pytest.fixture
    def deploy(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, list[str]]]:
        def run(
            aws: Aws, *arguments: str, given_findings: Sequence[Finding] = (), **given: Any
        ) -> tuple[int, list[str]]:
            cdk = Cdk(tmp_path, **given)
            monkeypatch.setattr(command, "STATE", tmp_path)
            monkeypatch.setattr(account, "_clients", lambda session, region: aws)
            monkeypatch.setattr(subprocess, "run", cdk)
            monkeypatch.setattr(account, "client", lambda service, region: None)
            monkeypatch.setattr(command.smoke, "ask", lambda client, settings, functions: given_findings)
            monkeypatch.setattr(command.httpx, "get", lambda url, timeout: self.answer(url))
            monkeypatch.setenv("AWS_REGION", "eu-central-1")
            return command.main(*arguments), cdk.asked

        return run

    def test_a_name_of_ones_own_need_not_lead_to_the_api_yet(
        self, deploy: Callable[..., tuple[int, list[str]]], capsys: pytest.CaptureFixture[str]
    ) -> None:
        outputs = {
            "ApiUrl": self.UNREACHABLE,
            "GatewayUrl": "https://abc.example",
            "DomainTarget": "d-1.example",
            "OutgoingAddresses": "192.0.2.1,192.0.2.2",
        }
        given = (
            "-c",
            "domain=api.shop.example",
            "-c",
            "certificate=arn:aws:acm:eu-central-1:1:certificate/1",
        )
        aws = Aws(describe_certificate=certificate("ISSUED", "api.shop.example"))
        status, asked = deploy(aws, "staging", "--yes", *given, outputs=outputs)
        printed = capsys.readouterr().out
        assert status == 0
        assert "domain=api.shop.example" in asked[0]
        assert "api.shop.example must lead to d-1.example" in printed
        assert "192.0.2.1,192.0.2.2" in printed

    def test_a_release_that_the_running_one_cannot_read_starts_nothing(
        self, deploy: Callable[..., tuple[int, list[str]]], capsys: pytest.CaptureFixture[str]
    ) -> None:
        running = {"Resources": {"Table": TABLE}, **release(1, (1, 1))}
        aws = Aws(describe_stacks=stack("UPDATE_COMPLETE"), get_template={"TemplateBody": running})
        status, asked = deploy(aws, "staging", "--yes", says=release(2, (1, 2)))
        assert status == 1
        assert [each for each in asked if each.startswith("deploy")] == []
        assert "reads format 2 and does not write it yet" in capsys.readouterr().out

    def test_several_new_indexes_of_a_table_start_nothing(
        self, deploy: Callable[..., tuple[int, list[str]]], capsys: pytest.CaptureFixture[str]
    ) -> None:
        indexes = [{"IndexName": name, "KeySchema": ["a"]} for name in ("by_time", "one", "two")]
        properties = {**TABLE["Properties"], "GlobalSecondaryIndexes": indexes}  # type: ignore[dict-item]
        there = Aws(
            describe_stacks=stack("UPDATE_COMPLETE"), get_template={"TemplateBody": template(Table=TABLE)}
        )
        status, asked = deploy(
            there, "staging", "--yes", resources={"Table": {**TABLE, "Properties": properties}}
        )
        assert status == 1
        assert [each for each in asked if each.startswith("deploy")] == []
        assert "CloudFormation takes one in each update" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("setting", "why"),
        [
            ("canary_minutes=7", "canary_minutes is one of 0, 5, 10, 15, 30"),
            ("retention_days=29", "retention_days is 30 or more"),
        ],
    )
    def test_a_setting_that_cannot_be_is_refused_before_anything_is_asked(
        self,
        deploy: Callable[..., tuple[int, list[str]]],
        capsys: pytest.CaptureFixture[str],
        setting: str,
        why: str,
    ) -> None:
        with pytest.raises(SystemExit):
            deploy(Aws(), "staging", "-c", setting)
        assert why in capsys.readouterr().err

    def test_settings_in_the_apps_own_file_start_nothing(
        self,
        deploy: Callable[..., tuple[int, list[str]]],
        capsys: pytest.CaptureFixture[str],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        left = {"context": {"@aws-cdk/core:other": True, "table_stream": "arn:aws:dynamodb:of-this-machine"}}
        (tmp_path / "cdk.json").write_text(json.dumps(left))
        monkeypatch.setattr(command, "ROOT", tmp_path)
        status, asked = deploy(Aws(get_account_settings=concurrency(500)), "staging", "--yes")
        assert (status, asked) == (1, [])
        assert "cdk.json sets table_stream" in capsys.readouterr().out

    def test_a_first_deployment_is_protected_in_a_second_pass(
        self, deploy: Callable[..., tuple[int, list[str]]], capsys: pytest.CaptureFixture[str]
    ) -> None:
        code, asked = deploy(Aws(get_account_settings=concurrency(500)), "staging", "--yes")
        assert code == 0
        assert asked == [
            "synth account_concurrency=500 first_deployment=1 stage=staging",
            "deploy first",
            "synth account_concurrency=500 stage=staging",
            "deploy full",
        ]
        assert "aws sns subscribe" in capsys.readouterr().out

    def test_the_second_pass_is_made_by_whoever_comes_next(
        self, deploy: Callable[..., tuple[int, list[str]]]
    ) -> None:
        code, asked = deploy(Aws(), "staging", "--yes", fails="deploy full")
        assert code == 1
        assert asked[-1] == "deploy full"
        there = Aws(
            describe_stacks=stack("CREATE_COMPLETE"),
            get_template={"TemplateBody": template(Table={**TABLE, "Properties": {}})},
        )
        code, asked = deploy(there, "staging", "--yes")
        assert code == 1, "another key schema must be accepted by name"
        there.answers["get_template"] = {"TemplateBody": template(Table=TABLE)}
        code, asked = deploy(there, "staging", "--yes")
        assert code == 0
        assert asked == ["synth account_concurrency=1000 stage=staging", "deploy full"]

    def test_a_first_pass_that_fails_is_the_last(
        self, deploy: Callable[..., tuple[int, list[str]]], capsys: pytest.CaptureFixture[str]
    ) -> None:
        code, asked = deploy(Aws(), "staging", "--yes", fails="deploy first")
        assert (code, asked[-1]) == (1, "deploy first")
        assert "Run the same command again" in capsys.readouterr().out.replace("\n", " ")

    def test_an_unprotected_stage_needs_one_pass(self, deploy: Callable[..., tuple[int, list[str]]]) -> None:
        code, asked = deploy(Aws(), "trial", "-c", "protect_data=0", "--yes")
        assert code == 0
        assert asked == ["synth account_concurrency=1000 protect_data=0 stage=trial", "deploy full"]

    @pytest.mark.parametrize("also", [(), ("--check",), ("--yes",)])
    def test_nothing_is_started_while_something_is_in_the_way(
        self,
        deploy: Callable[..., tuple[int, list[str]]],
        capsys: pytest.CaptureFixture[str],
        also: tuple[str, ...],
    ) -> None:
        code, asked = deploy(
            Aws(get_parameter=refusal("ParameterNotFound", "GetParameter")), "staging", *also
        )
        assert (code, asked) == (1, [])
        assert "Nothing was started" in capsys.readouterr().out

    def test_a_loss_stops_it_unless_its_name_is_given(
        self, deploy: Callable[..., tuple[int, list[str]]], capsys: pytest.CaptureFixture[str]
    ) -> None:
        there = Aws(
            describe_stacks=stack("UPDATE_COMPLETE"),
            get_template={"TemplateBody": template(Table=TABLE, Bucket={"Type": "AWS::S3::Bucket"})},
        )
        code, asked = deploy(there, "staging", "--yes")
        assert code == 1
        assert [each for each in asked if each.startswith("deploy")] == []
        assert "--accept-loss Bucket" in capsys.readouterr().out
        code, asked = deploy(there, "staging", "--yes", "--accept-loss", "Bucket")
        assert (code, asked[-1]) == (0, "deploy full")

    def test_a_function_that_cannot_be_loaded_fails_it_in_the_end(
        self, deploy: Callable[..., tuple[int, list[str]]], capsys: pytest.CaptureFixture[str]
    ) -> None:
        broken = Finding("sweep does not work (Runtime.ImportModuleError)")
        code, asked = deploy(Aws(), "staging", "--yes", given_findings=[broken])
        assert (code, asked[-1]) == (1, "deploy full")
        assert "sweep does not work" in capsys.readouterr().out

    def test_to_look_starts_nothing(self, deploy: Callable[..., tuple[int, list[str]]]) -> None:
        code, asked = deploy(Aws(), "staging", "--check")
        assert code == 0
        assert not any(each.startswith("deploy") for each in asked)

    def test_where_nobody_can_be_asked_nothing_is_started(
        self, deploy: Callable[..., tuple[int, list[str]]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
        code, asked = deploy(Aws(), "staging")
        assert code == 1
        assert not any(each.startswith("deploy") for each in asked)

    @pytest.mark.parametrize(
        "arguments",
        [["local"], ["Staging"], ["x" * 31], ["staging", "-c", "colour=1"], ["s", "-c", "poll_pace=x"]],
    )
    def test_what_cannot_be_meant_is_said(
        self, arguments: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit) as ended:
            command.main(*arguments)
        assert ended.value.code == 2
        assert "error:" in capsys.readouterr().err


def test_without_credentials_it_says_all_that_is_missing_and_starts_nothing(tmp_path: Path) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    env = {**clean, "HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"}
    done = subprocess.run(
        [sys.executable, "-m", "local", "deploy", "staging"],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr == ""
    said = re.findall(r"^  \d+\. (.*)$", done.stdout, re.MULTILINE)
    assert len(said) == 2
    assert "No region" in said[0]
    assert "No AWS credentials" in said[1]
    assert "Not checked" in done.stdout
    assert done.stdout.endswith("Nothing was started.\n")


def test_an_unknown_profile_is_no_reason_for_a_traceback(tmp_path: Path) -> None:
    env = {**os.environ, "HOME": str(tmp_path), "AWS_PROFILE": "nobody"}
    done = subprocess.run(
        [sys.executable, "-m", "local", "deploy"], cwd=ROOT, env=env, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert "nobody" in done.stdout
