"""The rounds of tracking polls: everybody's share, again while something is left, and never for too long."""

import json
from typing import Any

import pytest

from infra.settings import Settings, settings_for
from infra.state_machines.tracking_poll import LONGEST_ROUND, definition
from parcelgate.store.keys import POLL_SHARDS
from tests.infra.conftest import Template, written


@pytest.fixture
def settings() -> Settings:
    return settings_for("production")


def worker(machine: dict[str, Any]) -> dict[str, Any]:
    states: dict[str, Any] = machine["States"]["Workers"]["ItemProcessor"]["States"]
    return states


def test_what_is_deployed_is_this_definition(aws: Template, settings: Settings) -> None:
    (machine,) = [
        each
        for each in aws.properties("StepFunctions::StateMachine")
        if each["StateMachineName"] == "parcelgate-production-tracking-poll"
    ]
    deployed = json.loads(written(machine["DefinitionString"]))
    function = worker(deployed)["Poll"]["Parameters"]["FunctionName"]
    assert "PollTrackings" in function
    assert deployed == definition(settings, function)
    assert machine["StateMachineType"] == "EXPRESS"
    assert machine["TracingConfiguration"] == {"Enabled": True}
    assert machine["LoggingConfiguration"]["IncludeExecutionData"] is False


@pytest.mark.parametrize("workers", [1, 4, POLL_SHARDS])
def test_every_worker_gets_its_share(workers: int) -> None:
    machine = definition(settings_for("production", poll_workers=workers), "arn")
    assert machine["States"]["Shares"]["Result"] == [*range(workers)]
    selector = machine["States"]["Workers"]["ItemSelector"]
    assert selector["workers"] == workers
    assert selector["worker.$"] == "$$.Map.Item.Value"
    # All of them at once: a limit would make some begin when the others are done.
    assert "MaxConcurrency" not in machine["States"]["Workers"]


def test_a_worker_runs_again_only_while_it_says_so(settings: Settings) -> None:
    states = worker(definition(settings, "arn"))
    assert states["Poll"]["OutputPath"] == "$.Payload"
    assert states["Poll"]["Next"] == "More"
    (choice,) = states["More"]["Choices"]
    assert choice == {"Variable": "$.more", "BooleanEquals": True, "Next": "Poll"}
    assert states["More"]["Default"] == "Done"
    payload = states["Poll"]["Parameters"]["Payload"]
    assert {name.removesuffix(".$") for name in payload} == {"worker", "workers", "started_at"}


def test_one_worker_that_fails_stops_no_other(settings: Settings) -> None:
    states = worker(definition(settings, "arn"))
    (catch,) = states["Poll"]["Catch"]
    assert catch == {"ErrorEquals": ["States.ALL"], "ResultPath": None, "Next": "Done"}
    assert states["Done"] == {"Type": "Succeed"}


@pytest.mark.parametrize("stage", ["production", "local"])
@pytest.mark.parametrize("minutes", [1, 5, 15])
def test_a_round_is_over_before_the_next_and_before_it_is_cut_off(stage: str, minutes: int) -> None:
    settings = settings_for(stage, poll_minutes=minutes)
    last_ends = settings.poll_round + settings.size("poll_trackings").timeout
    assert settings.poll_round == 0 or last_ends < min(60 * minutes, LONGEST_ROUND)


def test_the_worker_knows_how_long_a_round_is_and_whoever_plans_how_fast_parcels_travel(
    aws: Template, local: Template
) -> None:
    for template, pace in ((aws, "1"), (local, "2880")):
        for name in ("poll_trackings", "poll_nudged", "change_trackings", "process_webhook"):
            assert template.functions[name]["Environment"]["Variables"]["PARCELGATE_POLL_PACE"] == pace
    variables = aws.functions["poll_trackings"]["Environment"]["Variables"]
    assert variables["PARCELGATE_POLL_ROUND"] == str(settings_for("production").poll_round) == "225"


def test_many_nudges_are_asked_about_together(aws: Template) -> None:
    (source,) = [
        each
        for each in aws.properties("Lambda::EventSourceMapping")
        if "PollNudged" in written(each["FunctionName"])
    ]
    assert source["BatchSize"] >= 100
    assert 0 < source["MaximumBatchingWindowInSeconds"] <= 5
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
