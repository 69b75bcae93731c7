"""The order flow's definition: what is tried again, what is caught, and what the good path costs."""

import json
from typing import Any

import pytest

from infra.settings import Settings, settings_for
from infra.state_machines.order_flow import definition
from parcelgate.services.orders.order_flow import workflow
from parcelgate.services.orders.transitions import RETRY_LIFE
from tests.infra.conftest import Template, written

STATES = ("SubmitOrder", "CheckOrder", "FetchLabel", "Compensate", "NeedsAttention")
FUNCTIONS = ("submit_order", "check_order", "fetch_label", "compensate_order", "escalate_order")

EVENTS_OF_A_RETRY = 4
"""Scheduled, started, failed, and the invocation's own: more than Step Functions has ever written."""
EVENTS_OF_A_ROUND = 15
"""Of SubmitOrder, CheckOrder and the pause: six, five and two, and some to spare."""
SECONDS_OF_A_ROUND = 0.1
"""What its functions take at the least."""
HISTORY_LIMIT = 25_000


@pytest.fixture
def settings() -> Settings:
    return settings_for("production")


@pytest.fixture
def states(settings: Settings) -> dict[str, Any]:
    return definition(settings, {name: f"arn:{name}" for name in FUNCTIONS})["States"]


def retries(state: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {error: retry for retry in state.get("Retry", []) for error in retry["ErrorEquals"]}


def catches(state: dict[str, Any]) -> list[tuple[str, str]]:
    return [(error, catch["Next"]) for catch in state.get("Catch", []) for error in catch["ErrorEquals"]]


def test_what_is_deployed_is_this_definition(aws: Template, settings: Settings) -> None:
    (machine,) = [
        each
        for each in aws.properties("StepFunctions::StateMachine")
        if each["StateMachineName"].endswith("order-flow")
    ]
    deployed = json.loads(written(machine["DefinitionString"]))
    tasks = [state for state in deployed["States"].values() if state["Type"] == "Task"]
    arns = [task["Parameters"]["FunctionName"] for task in tasks]
    assert deployed == definition(settings, dict(zip(FUNCTIONS, arns, strict=True)))
    assert machine["StateMachineName"] == "parcelgate-production-order-flow"
    assert machine["StateMachineType"] == "STANDARD"
    assert machine["TracingConfiguration"] == {"Enabled": True}
    assert machine["LoggingConfiguration"]["IncludeExecutionData"] is False


def test_the_good_path_bills_three_transitions(states: dict[str, Any]) -> None:
    path = ["SubmitOrder"]
    while "Next" in states[path[-1]]:
        path.append(states[path[-1]]["Next"])
    assert path == ["SubmitOrder", "CheckOrder"]
    assert {states[name]["Type"] for name in path} == {"Task"}
    assert 1 + len(path) == 3


def test_a_label_that_is_not_there_at_once_has_a_state_of_its_own(states: dict[str, Any]) -> None:
    assert states["CheckOrder"]["Parameters"]["Payload"]["label_with_check"] is True
    assert "LabelPending" not in retries(states["CheckOrder"])
    assert [name for name in STATES if ("LabelPending", "FetchLabel") in catches(states[name])] == [
        "CheckOrder"
    ]


def test_only_a_second_submission_waits(states: dict[str, Any]) -> None:
    others = {name: state for name, state in states.items() if name not in STATES}
    assert others == {
        "SubmitAgain": {"Type": "Wait", "Seconds": 5, "Next": "SubmitOrder"},
        "SubmitLater": {"Type": "Wait", "Seconds": 60, "Next": "SubmitOrder"},
    }
    assert [name for name in STATES if ("NotSubmitted", "SubmitAgain") in catches(states[name])] == [
        "CheckOrder"
    ]


def test_no_machinery_sends_an_order_again(states: dict[str, Any], aws: Template) -> None:
    submit = states["SubmitOrder"]
    assert "Retry" not in submit
    assert submit["Resource"].endswith(":lambda:invoke.waitForTaskToken")
    (name,) = [name for name in aws.all("Lambda::Function") if name.startswith("FunctionsSubmitOrder")]
    (invoked,) = [
        each for each in aws.properties("Lambda::EventInvokeConfig") if each["FunctionName"] == {"Ref": name}
    ]
    assert invoked["MaximumRetryAttempts"] == 0


def test_submission_is_timed_out_after_the_function_and_the_callback(
    states: dict[str, Any], settings: Settings
) -> None:
    assert states["SubmitOrder"]["TimeoutSeconds"] == settings.size("submit_order").timeout + 20
    assert settings.size("submit_order").timeout >= 60


def test_a_create_is_over_before_the_state_misses_a_sign_of_it(states: dict[str, Any]) -> None:
    submit = states["SubmitOrder"]
    assert workflow.COMMIT_SECONDS < submit["HeartbeatSeconds"] < submit["TimeoutSeconds"]


def test_on_the_emulator_the_time_out_is_the_callbacks_alone() -> None:
    local = settings_for("local")
    assert local.submit_timeout == local.callback_wait
    submit = definition(local, {name: f"arn:{name}" for name in FUNCTIONS})["States"]["SubmitOrder"]
    assert "HeartbeatSeconds" not in submit


@pytest.mark.parametrize(
    ("state", "error"),
    [("CheckOrder", "OrderPending"), ("FetchLabel", "LabelPending"), ("Compensate", "RefundPending")],
)
def test_what_is_pending_is_asked_again_with_full_jitter(
    states: dict[str, Any], state: str, error: str
) -> None:
    retry = states[state]["Retry"][0]
    assert retry == {
        "ErrorEquals": [error],
        "IntervalSeconds": 2,
        "BackoffRate": 2,
        # A stuck refund is asked about by the hour, not 2,900 times in its day.
        "MaxDelaySeconds": 3600 if state == "Compensate" else 60,
        "MaxAttempts": 99_999_999,
        "JitterStrategy": "FULL",
    }


@pytest.mark.parametrize("stage", ["production", "local"])
@pytest.mark.parametrize(
    ("state", "patience"),
    [
        ("CheckOrder", "order_deadline"),
        ("FetchLabel", "order_deadline"),
        ("Compensate", "refund_deadline"),
        ("NeedsAttention", "order_deadline"),
    ],
)
def test_a_function_that_was_not_reached_is_called_again_as_long_as_its_work_may_take(
    stage: str, state: str, patience: str
) -> None:
    settings = settings_for(stage)
    states = definition(settings, {name: f"arn:{name}" for name in FUNCTIONS})["States"]
    for error in (
        "Lambda.ServiceException",
        "Lambda.TooManyRequestsException",
        "Sandbox.Timedout",
        "Runtime.ImportModuleError",
        "Runtime.HandlerNotFound",
        "Runtime.UserCodeSyntaxError",
    ):
        retry = retries(states[state])[error]
        assert retry["JitterStrategy"] == "FULL"
        limits = [
            min(retry["IntervalSeconds"] * retry["BackoffRate"] ** attempt, retry["MaxDelaySeconds"])
            for attempt in range(retry["MaxAttempts"])
        ]
        # Each wait is anything from nothing to its limit: the least that four of their deviations allow.
        least = sum(limits) / 2 - 4 * (sum(limit**2 for limit in limits) / 12) ** 0.5
        assert least >= getattr(settings, patience)
        assert len(limits) * EVENTS_OF_A_RETRY < HISTORY_LIMIT


def test_the_last_resort_is_tried_again_whatever_happens(states: dict[str, Any]) -> None:
    assert retries(states["NeedsAttention"])["States.ALL"]["MaxAttempts"] == 6
    assert states["NeedsAttention"]["Retry"][-1]["ErrorEquals"] == ["States.ALL"]
    assert "Catch" not in states["NeedsAttention"]


def test_every_error_leads_somewhere(states: dict[str, Any]) -> None:
    assert catches(states["SubmitOrder"]) == [("OrderRefused", "Compensate"), ("States.ALL", "CheckOrder")]
    assert catches(states["CheckOrder"]) == [
        ("OrderFailed", "Compensate"),
        ("NotSubmitted", "SubmitAgain"),
        ("SubmitLater", "SubmitLater"),
        ("LabelPending", "FetchLabel"),
        ("DeadlinePassed", "NeedsAttention"),
        ("States.ALL", "NeedsAttention"),
    ]
    for name in ("FetchLabel", "Compensate"):
        assert catches(states[name]) == [
            ("DeadlinePassed", "NeedsAttention"),
            ("States.ALL", "NeedsAttention"),
        ]


def test_the_input_travels_on_whatever_a_state_says(states: dict[str, Any]) -> None:
    for state in (states[name] for name in STATES):
        assert state["ResultPath"] is None
        assert all(catch["ResultPath"] is None for catch in state.get("Catch", []))
        payload = state["Parameters"]["Payload"]
        assert payload["tenant.$"] == "$.tenant"
        assert payload["order_id.$"] == "$.order_id"
        assert payload["started_at.$"] == "$$.Execution.StartTime"
    assert states["SubmitOrder"]["Parameters"]["Payload"]["task_token.$"] == "$$.Task.Token"


def tries(retry: dict[str, Any], seconds: float) -> int:
    """How often a state is tried again in so many seconds. Full jitter waits half of the limit on average."""
    waited, number = 0.0, 0
    while waited < seconds:
        limit = min(
            retry["IntervalSeconds"] * retry["BackoffRate"] ** min(number, 60), retry["MaxDelaySeconds"]
        )
        waited += limit / 2
        number += 1
    return number


def test_a_day_of_refused_refunds_fits_into_one_history(states: dict[str, Any], settings: Settings) -> None:
    asked = tries(retries(states["CheckOrder"])["OrderPending"], settings.order_deadline)
    refused = tries(retries(states["Compensate"])["RefundPending"], settings.refund_deadline)
    assert (asked + refused) * EVENTS_OF_A_RETRY < HISTORY_LIMIT
    assert refused < 100, "a refund that is stuck is asked about by the hour"


def test_twelve_hours_of_rounds_fit_into_one_history(states: dict[str, Any], settings: Settings) -> None:
    """So long an order goes round whose carrier is down: with short pauses at first, then with long ones."""
    soon, later = (states[name]["Seconds"] + SECONDS_OF_A_ROUND for name in ("SubmitAgain", "SubmitLater"))
    rounds = workflow._SHORT_WAIT.total_seconds() / soon + RETRY_LIFE.total_seconds() / later
    asked = tries(retries(states["CheckOrder"])["OrderPending"], settings.order_deadline)
    assert rounds * EVENTS_OF_A_ROUND + asked * EVENTS_OF_A_RETRY < HISTORY_LIMIT
