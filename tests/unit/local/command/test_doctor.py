"""The doctor names what is wrong, how bad it is, and the next command; what is well needs no words."""

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, ClassVar

import httpx
import pytest
from botocore.exceptions import ClientError

from infra.settings import settings_for
from local.command.doctor import aws, tenant
from local.command.doctor.examination import Check, examine
from parcelgate.store.credentials.api_keys import ApiKey

NOW = datetime(2026, 11, 27, 3, 0, tzinfo=UTC)
FUNCTIONS = ("create_order", "sweep")


class Aws:
    """Every service at once: answers by operation, paged where it is asked for pages."""

    def __init__(self, **answers: Any) -> None:
        self.answers = {
            **stack("UPDATE_COMPLETE"),
            "list_functions": [{"Functions": [code("create_order"), code("sweep")]}],
            "list_schedules": {"Schedules": [schedule("sweep"), schedule("tracking-poll")]},
            "describe_alarms": [{"MetricAlarms": []}],
            "list_subscriptions_by_topic": {"Subscriptions": [{"SubscriptionArn": "arn:aws:sns:x"}]},
            "get_account_settings": {"AccountLimit": {"ConcurrentExecutions": 1000}},
            "get_function_concurrency": {"ReservedConcurrentExecutions": 50},
            "list_secrets": [{"SecretList": []}],
            "get_alias": {"FunctionVersion": "6"},
            **answers,
        }

    def __call__(self, _service: str) -> "Aws":
        return self

    exceptions = SimpleNamespace(ResourceNotFoundException=KeyError)

    def get_paginator(self, operation: str) -> "Pages":
        return Pages(self.answers[operation])

    def invoke(self, **_: Any) -> dict[str, Any]:
        return {"Payload": io.BytesIO(json.dumps(self.answers.get("invoke", {"statusCode": 401})).encode())}

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        return lambda **_: self.answers[operation]


class Pages:
    def __init__(self, pages: list[Any]) -> None:
        self.pages = pages

    def paginate(self, **_: Any) -> list[Any]:
        return self.pages


def code(name: str) -> dict[str, str]:
    return {"FunctionName": f"parcelgate-staging-{name}"}


def stack(status: str) -> dict[str, Any]:
    return {"describe_stacks": {"Stacks": [{"StackStatus": status}]}}


def schedule(name: str, state: str = "ENABLED") -> dict[str, str]:
    return {"Name": f"parcelgate-staging-{name}", "State": state}


def patient(**answers: Any) -> aws.Patient:
    outputs = {"SecretPrefix": "parcelgate/staging", "AlarmTopicArn": "arn:aws:sns:eu-central-1:1:alarms"}
    return aws.Patient(settings_for("staging"), Aws(**answers), outputs, FUNCTIONS, NOW)


CHECKS = (
    aws.functions,
    aws.release,
    aws.schedules,
    aws.alarms,
    aws.concurrency,
    aws.secrets,
    aws.shared_logins,
)


@pytest.mark.parametrize("check", CHECKS)
def test_a_healthy_stack_has_no_findings(check: Any) -> None:
    assert list(check(patient())) == []


@pytest.mark.parametrize(
    ("check", "answers", "words", "broken"),
    [
        (aws.functions, {"invoke": {"statusCode": 500}}, "answers 500", True),
        (
            aws.release,
            {"list_functions": [{"Functions": [code("sweep")]}]},
            "no function create_order",
            False,
        ),
        (aws.release, stack("UPDATE_ROLLBACK_FAILED"), "could not be undone", True),
        (aws.release, stack("UPDATE_IN_PROGRESS"), "at this moment", False),
        (
            aws.release,
            {
                "get_alias": {
                    "FunctionVersion": "6",
                    "RoutingConfig": {"AdditionalVersionWeights": {"7": 0.1}},
                }
            },
            "create_order answers with two releases",
            True,
        ),
        (
            aws.schedules,
            {"list_schedules": {"Schedules": [schedule("sweep")]}},
            "tracking-poll is missing",
            True,
        ),
        (
            aws.schedules,
            {"list_schedules": {"Schedules": [schedule("sweep", "DISABLED"), schedule("tracking-poll")]}},
            "sweep is switched off",
            True,
        ),
        (
            aws.alarms,
            {
                "describe_alarms": [
                    {
                        "MetricAlarms": [
                            {
                                "AlarmName": "parcelgate-staging-throttles",
                                "AlarmDescription": "See docs/runbook.md#throttles",
                                "StateUpdatedTimestamp": NOW,
                            }
                        ]
                    }
                ]
            },
            "throttles rings since 2026-11-27 03:00 UTC. See docs/runbook.md#throttles",
            True,
        ),
        (
            aws.alarms,
            {"list_subscriptions_by_topic": {"Subscriptions": [{"SubscriptionArn": "PendingConfirmation"}]}},
            "Nobody hears an alarm",
            True,
        ),
        (
            aws.concurrency,
            {"get_function_concurrency": {}},
            "nothing is reserved for ask_aggregator, authorize",
            False,
        ),
        (
            aws.secrets,
            {
                "list_secrets": [
                    {
                        "SecretList": [
                            {
                                "Name": "parcelgate/staging/acme/lso/old",
                                "CreatedDate": NOW - timedelta(days=9),
                            },
                            {
                                "Name": "parcelgate/staging/acme/lso/new",
                                "CreatedDate": NOW - timedelta(days=6),
                            },
                            {
                                "Name": "parcelgate/staging/acme/lso/used",
                                "CreatedDate": NOW - timedelta(days=90),
                                "LastAccessedDate": NOW - timedelta(days=1),
                            },
                            {"Name": "another/parcelgate/staging/x", "CreatedDate": NOW - timedelta(days=99)},
                        ]
                    }
                ]
            },
            "acme/lso/old ever",
            False,
        ),
    ],
)
def test_what_is_wrong_is_said_with_how_bad_it_is(
    check: Any, answers: dict[str, Any], words: str, broken: bool
) -> None:
    findings = list(check(patient(**answers)))
    assert words.lower() in findings[0].text.lower()
    assert findings[0].stops is broken
    assert len(findings) == (len(FUNCTIONS) if check is aws.functions else 1)


def test_what_cannot_be_looked_at_is_said_and_the_rest_is_looked_at() -> None:
    def refused() -> Any:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "ListSchedules")

    def odd() -> Any:
        return tenant.dead_letters(lambda path: {"queues": []})

    strange, first, second = examine(
        [Check("dead letters", odd), Check("schedules", refused), Check("alarms", list)]
    )
    assert "another form than this release knows (KeyError: 'data')" in (strange.unseen or "")
    assert strange.is_broken
    assert "AccessDenied" in (first.unseen or "")
    assert first.is_broken
    assert second.is_well


def test_keys_that_nobody_uses_are_named() -> None:
    def key(name: str, days: int, *, revoked: bool = False) -> ApiKey:
        at = NOW - timedelta(days=days)
        return ApiKey(f"id-{name}", name, ("orders:read",), at, NOW if revoked else None)

    keys = [key("new", 3), key("gone", 90, revoked=True), key("busy", 90), key("idle", 90), key("never", 31)]
    days = {"id-busy": NOW.date(), "id-idle": NOW.date() - timedelta(days=31)}
    stack = SimpleNamespace(
        table=SimpleNamespace(tenant=lambda _: SimpleNamespace(api_keys=SimpleNamespace(all=lambda: keys))),
        usage=SimpleNamespace(last_used=lambda _, ids: {name: days[name] for name in ids if name in days}),
    )
    idle, never = tenant.keys(stack, "acme", NOW)  # type: ignore[arg-type]
    assert "key id-idle (idle) of acme since 2026-10-27" in idle.text
    assert "that is known, since it was made on 2026-10-27" in never.text
    assert (never.command, never.stops) == ("parcelgate keys revoke id-never --tenant acme", False)


class TestTenant:
    ACCOUNT: ClassVar[dict[str, Any]] = {
        "carrier": "lso",
        "account": "default",
        "circuit": "closed",
        "held_calls": 0,
        "last_error": None,
        "login": "works",
    }

    def logins(self, **state: Any) -> list[str]:
        account = self.ACCOUNT | state
        asked: list[str] = []

        def post(path: str) -> Any:
            asked.append(path)
            return account

        findings = list(tenant.logins(lambda path: {"data": [self.ACCOUNT]}, post))
        assert asked == ["/v1/carrier-accounts/lso/default/check"]
        return [each.text for each in findings]

    def test_each_login_is_tried(self) -> None:
        assert self.logins() == []
        (text,) = self.logins(login="refused")
        assert text.startswith("lso/default: the carrier refuses its login")
        (text,) = self.logins(circuit="open", held_calls=7, last_error={"message": "It answered 500."})
        assert "It answered 500." in text
        assert "7 calls were held back" in text
        (text,) = self.logins(circuit="open", held_calls=1)
        assert "1 call was held back" in text
        pause = {"since": "2026-11-27T02:00:00Z", "by": "Ada", "reason": "They move."}
        (text,) = self.logins(paused=pause, circuit="open", held_calls=7)
        assert "paused since 2026-11-27 02:00 UTC by Ada: They move. 7 calls" in text

    def test_dead_letters_are_named_with_what_brings_them_back(self) -> None:
        queues = [
            {"queue": "inbox", "messages": 0, "redrivable": True},
            {"queue": "retries-lso", "messages": 3, "redrivable": True},
            {"queue": "changes", "messages": 1, "redrivable": False},
        ]
        finding, stuck = tenant.dead_letters(lambda path: {"data": queues})
        assert finding.text.startswith("3 messages")
        assert finding.command == "parcelgate dlq list && parcelgate dlq redrive retries-lso"
        assert stuck.text.startswith("1 message ")
        assert "docs/runbook.md#dead-letters" in stuck.text
        assert stuck.command == "parcelgate dlq show changes"

    def test_what_needs_a_person_is_counted_by_kind_and_told_once(self) -> None:
        page = {
            "data": [
                {"kind": "order", "since": "2026-11-26T10:00:00Z"},
                {"kind": "order", "since": "2026-11-25T09:30:00Z"},
                {"kind": "dead_letter", "since": "2026-11-25T09:30:00Z"},
            ],
            "next_cursor": "x",
        }
        (finding,) = tenant.attention(lambda path, **query: page)
        assert (
            finding.text == "at least 2 of kind `order` need a person, the oldest since 2026-11-25 09:30 UTC."
        )


class TestClocks:
    def clocks(self, answer: Callable[[httpx.Request], httpx.Response]) -> list[str]:
        with httpx.Client(transport=httpx.MockTransport(answer)) as http:
            findings = tenant.clocks({"lso": "https://lso.example"}, http, now=lambda: NOW)
            return [each.text for each in findings]

    @pytest.mark.parametrize(
        ("date", "words"),
        [
            ("Fri, 27 Nov 2026 03:01:50 GMT", None),
            ("Fri, 27 Nov 2026 03:06:00 GMT", "lso is 360 seconds ahead of"),
            ("Fri, 27 Nov 2026 02:50:00 GMT", "lso is 600 seconds behind"),
            ("soon", None),
            ("", None),
        ],
    )
    def test_a_clock_that_is_minutes_off_is_named(self, date: str, words: str | None) -> None:
        found = self.clocks(lambda request: httpx.Response(404, headers={"date": date} if date else {}))
        assert [words in text for text in found] == [True] if words else found == []

    def test_a_server_that_cannot_be_reached_is_named(self) -> None:
        def away(request: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError("no route")

        assert self.clocks(away) == ["lso cannot be reached from here: no route"]


class TestSharedLogins:
    """Accounts that have one login with their carrier are counted together only if each says so."""

    class Vault(Aws):
        """Secrets by name, and the table of each stage. Who may not read a secret is told so."""

        def __init__(
            self, accounts: dict[str, dict[str, Any] | None], tables: dict[str, str] | None = None
        ) -> None:
            names = [{"Name": f"parcelgate/{name}", "CreatedDate": NOW} for name in accounts]
            super().__init__(list_secrets=[{"SecretList": names}])
            self.accounts, self.tables, self.read = accounts, tables or {}, list[str]()

        def get_secret_value(self, SecretId: str) -> dict[str, str]:  # noqa: N803 - AWS's own name
            self.read.append(SecretId)
            content = self.accounts[SecretId.removeprefix("parcelgate/")]
            if content is None:
                raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "GetSecretValue")
            return {"SecretString": json.dumps(content)}

        def get_function_configuration(self, FunctionName: str) -> dict[str, Any]:  # noqa: N803
            table = self.tables.get(FunctionName.split("-")[1])
            if table is None:
                raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "GetFunction")
            return {"Environment": {"Variables": {"PARCELGATE_LIMITS_TABLE": table}}}

    @staticmethod
    def lso(app_id: str, **more: Any) -> dict[str, Any]:
        return {"credentials": {"app_id": app_id, "app_secret": "made-up"}, **more}

    def found(self, vault: Vault) -> list[Any]:
        outputs = {"SecretPrefix": "parcelgate/staging"}
        return list(aws.shared_logins(aws.Patient(settings_for("staging"), vault, outputs, FUNCTIONS, NOW)))

    def test_each_that_does_not_say_so_is_named_with_the_command(self) -> None:
        vault = self.Vault(
            {
                "staging/acme/lso/default": self.lso("app-7"),
                "production/acme/lso/default": self.lso("app-7", shared_login=True),
                "staging/bolt/lso/main": self.lso("app-7"),
                "staging/bolt/lso/own": self.lso("app-8"),
                "staging/bolt/ubi/default": {"credentials": {"token": "app-7"}},
            }
        )
        findings = self.found(vault)
        assert [each.command for each in findings] == [
            "parcelgate accounts put lso --tenant acme --account default --shared-login "
            "--stack parcelgate-staging",
            "parcelgate accounts put lso --tenant bolt --account main --shared-login "
            "--stack parcelgate-staging",
        ]
        told = str(findings)
        assert "production/acme/lso/default, staging/acme/lso/default, staging/bolt/lso/main" in told
        assert "made-up" not in told
        assert "app-7" not in told
        assert not any(each.stops for each in findings)
        assert "parcelgate/staging/bolt/ubi/default" not in vault.read, "nobody can share with it"

    def test_of_other_stages_it_says_nothing_that_is_not_this_stages_affair(self) -> None:
        assert not self.found(
            self.Vault({"production/a/lso/x": self.lso("app-7"), "production/b/lso/x": self.lso("app-7")})
        )

    def test_who_may_not_read_other_stages_sees_his_own(self) -> None:
        accounts = {
            "production/acme/lso/default": None,
            "staging/acme/lso/default": self.lso("app-7"),
            "staging/bolt/lso/default": self.lso("app-7", shared_login=True),
        }
        (finding,) = self.found(self.Vault(accounts))
        assert "--tenant acme" in finding.command

    def test_what_he_may_not_read_of_his_own_is_an_error(self) -> None:
        with pytest.raises(ClientError):
            self.found(
                self.Vault({"staging/acme/lso/default": None, "production/a/lso/x": self.lso("app-7")})
            )

    @pytest.mark.parametrize("content", [{}, {"credentials": []}, {"credentials": {}}, ["x"], "x"])
    def test_an_account_that_is_wrong_shares_nothing(self, content: Any) -> None:
        assert not self.found(self.Vault({"staging/a/lso/x": content, "staging/b/lso/x": content}))

    @pytest.mark.parametrize(
        ("tables", "said"),
        [
            ({"staging": "one", "production": "one"}, False),
            ({"staging": "one", "production": "two"}, True),
            ({"staging": "one"}, False),
        ],
    )
    def test_stages_that_count_apart_are_told_of_the_setting(
        self, tables: dict[str, str], said: bool
    ) -> None:
        shared = self.lso("app-7", shared_login=True)
        vault = self.Vault(
            {"staging/acme/lso/default": shared, "production/acme/lso/default": shared}, tables
        )
        findings = self.found(vault)
        assert bool(findings) == said
        assert all("limits_table" in each.text and "production in two" in each.text for each in findings)

    def test_an_account_that_nothing_reads_is_not_read(self) -> None:
        vault = self.Vault(
            {"staging/acme/lso/default": self.lso("app-7"), "staging/bolt/lso/default": self.lso("app-7")}
        )
        vault.answers["list_secrets"][0]["SecretList"][0]["CreatedDate"] = NOW - timedelta(days=8)
        assert not self.found(vault)
        assert not vault.read
