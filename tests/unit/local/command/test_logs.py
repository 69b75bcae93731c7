"""`parcelgate logs`: lines by order, function, level and time, each of them once."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from local.command import access
from local.command.cli import app
from local.command.deployment import Deployment
from local.command.groups.logs import Reader
from parcelgate.http.smoke import event_for

ORDER = "ord_01M7ZRKREQ3FTG9PCR4VJ8JWXJ"
BEGIN = datetime(2026, 11, 27, 3, 0, tzinfo=UTC)


class NotThereError(Exception):
    pass


class RefusedError(Exception):
    response: dict[str, Any] = {"Error": {"Code": "ThrottlingException"}}  # noqa: RUF012


class Logs:
    """CloudWatch Logs: lines by log group, given two at a time."""

    exceptions = SimpleNamespace(ResourceNotFoundException=NotThereError, ClientError=RefusedError)

    def __init__(self, **groups: list[dict[str, Any]]) -> None:
        self.groups = {f"/logs/{name}": lines for name, lines in groups.items()}
        self.asked: list[dict[str, Any]] = []
        self.refusals = 0

    def filter_log_events(self, *, logGroupName: str, startTime: int, **more: Any) -> dict[str, Any]:  # noqa: N803
        self.asked.append({"group": logGroupName, **more})
        if self.refusals:
            self.refusals -= 1
            raise RefusedError
        if logGroupName not in self.groups:
            raise NotThereError
        place = int(more.get("nextToken", 0))
        lines = [line for line in self.groups[logGroupName] if line["timestamp"] >= startTime]
        page = {"events": lines[place : place + 2]}
        return page | ({"nextToken": str(place + 2)} if place + 2 < len(lines) else {})


def line(seconds: float, message: str, level: str = "INFO", **fields: Any) -> dict[str, Any]:
    """A line that a function has written so many seconds after the beginning."""
    text = json.dumps({"level": level, "message": message, "service": "any", **fields})
    return plain(seconds, text)


def plain(seconds: float, text: str) -> dict[str, Any]:
    at = int((BEGIN.timestamp() + seconds) * 1000)
    return {"timestamp": at, "message": f"{text}\n", "eventId": f"{seconds}-{text}"}


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    def show(logs: Logs, *words: str) -> Any:
        functions = [
            {"FunctionName": f"parcelgate-local-{name}", "LoggingConfig": {"LogGroup": f"/logs/{name}"}}
            for name in ("create_order", "sweep", "silent")
        ]
        others = [{"FunctionName": f"parcelgate-{name}"} for name in ("other-sweep", "local-eu-sweep")]
        paginator = SimpleNamespace(paginate=lambda: [{"Functions": functions}, {"Functions": others}])
        lambdas = SimpleNamespace(get_paginator=lambda _: paginator)
        stack = SimpleNamespace(client={"lambda": lambdas, "logs": logs}.get)
        monkeypatch.setattr(Deployment, "named", lambda name: stack)
        since = () if "--since" in words else ("--since", "2026-11-27T03:00")
        return CliRunner().invoke(app, ["logs", *since, *words])

    return show


def test_the_lines_of_all_functions_are_shown_in_the_sequence_of_time(show: Any) -> None:
    logs = Logs(
        create_order=[
            line(1, "first", order_id=ORDER),
            line(3, "third", "ERROR", error="X"),
            line(9, "last"),
        ],
        sweep=[
            line(2, "second"),
            plain(4, "REPORT RequestId: 1"),
            plain(5, "2026 1 Task timed out after 3 s"),
        ],
    )
    done = show(logs)
    assert done.exit_code == 0, done.output
    shown = done.stdout.splitlines()
    assert [text.split("  ")[0].split()[:3] for text in shown[:2]] == [
        ["2026-11-27", "03:00:01.000", "INFO"],
        ["2026-11-27", "03:00:02.000", "INFO"],
    ]
    assert [text.split(maxsplit=4)[3] for text in shown] == [
        "create_order", "sweep", "create_order", "sweep", "create_order",
    ]  # fmt: skip
    assert f"first  order_id={ORDER}" in shown[0]
    assert "REPORT" not in done.stdout
    assert "REPORT" in show(logs, "--level", "debug").stdout


def test_lines_are_chosen_by_order_function_and_level(show: Any) -> None:
    logs = Logs(
        create_order=[line(1, "first", order_id=ORDER), line(3, "third", "ERROR", error="X")],
        sweep=[line(2, "second", "WARNING"), plain(5, "2026 1 Task timed out after 3 s")],
    )
    found = json.loads(show(logs, "--level", "warning", "--json").stdout)
    assert [(each["function"], each["level"], each["message"][:6]) for each in found] == [
        ("sweep", "warning", "second"),
        ("create_order", "error", "third"),
        ("sweep", "error", "2026 1"),
    ]
    assert found[1]["fields"] == {"service": "any", "error": "X"}
    assert [each["message"] for each in json.loads(show(logs, ORDER, "--json").stdout)] == ["first"]
    assert len(show(logs, "--function", "sweep").stdout.splitlines()) == 2
    assert "newest 1 of 4" in show(logs, "--limit", "1").stderr
    unknown = show(logs, "-f", "sweeper")
    assert (unknown.exit_code, "create_order" in unknown.stderr) == (5, True)
    assert "Nothing was written" in show(logs, "--since", "0s").stderr
    silent = show(logs, "ord_other").stderr
    assert "The functions write from info on" in silent
    assert "an order that goes well can write none" in silent
    for wrong in ("yesterday", "99999999999d"):
        assert show(logs, "--since", wrong).exit_code == 2


def test_smoke_tests_are_shown_to_those_who_ask(show: Any) -> None:
    name = event_for("create_order")["requestContext"]["requestId"]
    tests = [line(1, "refused", request_id=name), line(2, "broken", "ERROR", request_id=name)]
    logs = Logs(create_order=[*tests, line(3, "refused", request_id="other")])
    assert "broken" in show(logs).stdout
    assert len(show(logs).stdout.splitlines()) == 2
    for words in (("--level", "debug"), ("--function", "create_order")):
        assert len(show(logs, *words).stdout.splitlines()) == 3


def test_nothing_in_a_line_controls_the_terminal(show: Any) -> None:
    logs = Logs(sweep=[line(1, "\x1b[2Jgone\r\n", error="\x9b2J"), plain(2, "Runtime.\x1b[2J")])
    for words in ((), ("--json",)):
        written = show(logs, *words).stdout
        assert all(letter.isprintable() for letter in written.replace("\n", ""))
    assert len(show(logs).stdout.splitlines()) == 2


def test_nothing_in_a_line_looks_like_another_line(show: Any) -> None:
    forged = "2026-11-27 03:00:09.000 INFO     sweep                all is well"
    logs = Logs(
        sweep=[line(1, f"a\n{forged}", error=f"b\n{forged}", **{f"c\r\n{forged}": f"d\u2028{forged}"})]
    )
    (written,) = show(logs).stdout.splitlines()
    assert written.startswith("2026-11-27 03:00:01.000")


def test_a_stack_whose_name_only_begins_alike_is_another(show: Any) -> None:
    refused = show(Logs(), "--function", "eu-sweep")
    assert (refused.exit_code, "create_order, silent, sweep." in refused.stderr) == (5, True), refused.output


def test_what_cloudwatch_leaves_out_is_asked_for_on_aws_alone(show: Any) -> None:
    logs = Logs(sweep=[])
    show(logs, "--level", "error", "--stack", "parcelgate-local")
    assert logs.asked[0]["filterPattern"].startswith('?ERROR ?CRITICAL ?"[ERROR]" ?"Task timed out"')
    show(logs, ORDER, "--level", "error", "--stack", "parcelgate-local")
    assert logs.asked[-1]["filterPattern"] == f'"{ORDER}"'
    show(logs, ORDER)
    assert "filterPattern" not in logs.asked[-1]


def test_who_follows_sees_each_line_once_also_one_that_comes_late(
    show: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = Logs(sweep=[line(number, f"line {number}") for number in range(5)])
    for each in logs.groups["/logs/sweep"]:
        # As the emulator's events are.
        del each["eventId"]
    later = [[line(60, "new")], [line(50, "late"), line(61, "newest")], []]

    def sleep(_: float) -> None:
        if not later:
            raise KeyboardInterrupt
        logs.groups["/logs/sweep"] = sorted(
            logs.groups["/logs/sweep"] + later.pop(0), key=lambda e: e["timestamp"]
        )

    monkeypatch.setattr(access, "sleep", sleep)
    done = show(logs, "--follow", "--json")
    assert done.exit_code == 130
    messages = [json.loads(text)["message"] for text in done.stdout.splitlines()]
    assert messages == [*(f"line {number}" for number in range(5)), "new", "late", "newest"]


def test_a_throttled_look_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(access, "sleep", waits.append)
    logs = Logs(sweep=[line(1, "here")])
    logs.refusals = 2
    assert [each.message for each in Reader(logs, {"sweep": "/logs/sweep"}, BEGIN, None).new()] == ["here"]
    assert waits == [1.0, 2.0]
