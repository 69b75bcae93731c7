"""What recorded calls come to, by function and by stage of an order's life."""

from typing import Any

import pytest

from bench import costs, prices
from bench.costs import Lane, Life, news_in, stages, usage_of, whole
from infra.settings import settings_for


def a_write(function: str, table: str = "main", **more: Any) -> dict[str, Any]:
    item = {"pk": {"S": "T#acme#ORDER#1"}, "sk": {"S": "ORDER"}}
    return {
        "function": function,
        "call": "dynamodb.PutItem",
        "status": 200,
        "table": table,
        "items": [[table, None, item]],
        **more,
    }


def a_call(function: str, call: str, **more: Any) -> dict[str, Any]:
    return {"function": function, "call": call, "status": 200, "sent": 1000, **more}


def test_a_functions_time_is_its_processor_time_stretched_by_its_memory_and_its_waits() -> None:
    lane = Lane("lso create", 1, lines=[a_write("check_order"), a_call("check_order", "lso POST /result")])
    lane.calls_of, lane.log_bytes, lane.cpu_of = (
        {"check_order": 1},
        {"check_order": 100},
        {"check_order": 0.01},
    )
    used = usage_of(lane, settings_for("production")).usage
    seconds = 0.01 * 1769 / 512 + 0.005 + 0.4
    assert used["lambda_gb_second"] == pytest.approx(seconds * 0.5)
    assert used["lambda_request"] == 1
    assert used["write_unit"] == 1
    assert used["gb_out"] == pytest.approx(1000 / 1e9)
    assert "api_request" not in used
    assert "sqs_request" not in used


def test_what_answers_clients_is_a_request_and_what_works_a_queue_off_two_of_sqs() -> None:
    lane = Lane("x", 1, calls_of={"create_order": 1, "deliver_event": 2, "authorize": 3})
    lane.log_bytes = {"create_order": 0, "deliver_event": 0}
    part = usage_of(lane, settings_for("production"))
    assert part.usage["api_request"] == 1
    assert part.usage["sqs_request"] == 4
    assert part.usage["lambda_request"] == 3, "the gateway keeps what the authorizer said"
    assert part.events["lambda_request"] == 2


def test_what_is_for_events_is_told_apart() -> None:
    lines = [a_write("route_changes"), a_write("route_changes", "events")]
    lines += [a_call("route_changes", "events.PutEvents", entries=3)]
    part = usage_of(Lane("x", 1, lines=lines), settings_for("production"))
    assert (part.usage["write_unit"], part.events["write_unit"]) == (2, 1)
    assert part.events["bus_event"] == part.usage["bus_event"] == 3


def test_news_is_another_version_of_a_parcel() -> None:
    def tracking(version: str) -> dict[str, Any]:
        return {"sk": {"S": "TRACKING"}, "pk": {"S": "x"}, "doc": {"S": ""}, "version": {"N": version}}

    changes = [(None, tracking("1")), (tracking("1"), tracking("2")), (tracking("2"), tracking("2"))]
    assert news_in([{"items": [["main", old, new]]} for old, new in changes]) == 1


def test_an_order_is_created_in_one_way_and_its_polls_and_news_are_those_of_its_life() -> None:
    joins = a_write("poll_trackings")
    joins["items"][0][2]["sk"] = {"S": "TRACKING"}
    polls = Lane("ubi polls", 4, lines=[joins] * 4)
    news = Lane("ubi news", 2, news=1, lines=[joins] * 5 + [a_write("route_changes")])
    lanes = {
        "ubi create": Lane("ubi create", 2, lines=[a_write("create_order")] * 20),
        "ubi row": Lane("ubi row", 2, lines=[a_write("work_batch")] * 10),
        "ubi polls": polls,
        "ubi news": news,
    }
    made = stages(lanes, "ubi", Life(days=10, polls=20, news=3, pushes=0), speed=100)
    assert made["polls"].usage["write_unit"] == 20
    # A poll with news writes three more than the two polls without, and the router one.
    assert made["news of the parcel"].usage["write_unit"] == 3 * (5 - 2 + 1)
    assert whole(made).usage["write_unit"] == 10 + 20 + 12
    assert whole(made, "created, in a batch (a file too)").usage["write_unit"] == 5 + 20 + 12


def test_parcels_wait_for_their_polls_together_though_each_is_made_due_by_itself_here() -> None:
    def planned(pk: str, sk: str) -> dict[str, Any]:
        item = {"pk": {"S": pk}, "sk": {"S": sk}}
        return a_write("poll_trackings") | {"items": [["main", None, item]]}

    lines = [
        planned("T#acme#TRACKING#1", "POLL"), planned("WHEEL#3", "2026"), planned("T#acme#LIMITS", "LIMITS"),
        planned("T#acme#TRACKING#1", "TRACKING"),
    ]  # fmt: skip
    lines += [a_call("poll_trackings", "dynamodb.Query", request={}, reply={})]
    lanes = {
        "ubi create": Lane("ubi create", 1),
        "ubi polls": Lane("ubi polls", 1, lines=lines),
        "ubi news": Lane("ubi news", 1, news=1, lines=lines * 2),
    }
    made = stages(lanes, "ubi", Life(days=10, polls=20, news=3, pushes=0, writes=7.5), speed=100)
    assert made["polls"].usage["write_unit"] == 20 + 7.5
    assert made["polls"].usage["read_unit"] == 0, "a round looks for what is due, and not a parcel"
    assert made["news of the parcel"].usage["write_unit"] == 3


@pytest.mark.parametrize(
    ("table", "pk", "sk", "thing"),
    [
        ("main", "T#acme#ORDER#ord_1", "ORDER", "the order"),
        ("main", "T#acme#ORDER#ord_1", "EVENT#0000000001", "audit trail"),
        ("main", "T#acme#ORDER#ord_1", "COUNTED", "figures"),
        ("main", "T#acme#STATS", "2026-11-27#ubi#", "figures"),
        ("main", "T#acme#ORDER#ord_1", "ACCOUNT", "entries and claims"),
        ("main", "HOOK#1", "HOOK", "entries and claims"),
        ("main", "T#acme#INBOX#lme#1", "ENTRY", "webhooks of carriers"),
        ("events", "T#acme#EVENT#evt_1", "EVENT", "event log"),
        ("events", "T#acme#ENDPOINTS", "PASSES", "places at endpoints"),
        ("usage", "USAGE#acme", "USAGE", "limits, and places at carriers"),
    ],
)
def test_it_is_said_what_is_written(table: str, pk: str, sk: str, thing: str) -> None:
    assert costs.thing_of(table, {"pk": {"S": pk}, "sk": {"S": sk}}) == thing


def test_what_is_written_of_an_order_is_that_of_its_creation_and_its_news() -> None:
    lanes = {
        "ubi create": Lane("ubi create", 2, lines=[a_write("create_order")] * 6),
        "ubi news": Lane("ubi news", 2, news=1, lines=[a_write("route_changes", "events")] * 2),
    }
    units = costs.written(lanes, "ubi", Life(days=10, polls=20, news=3, pushes=0, writes=7))
    assert units == {"the order": 3, "places at endpoints": 6, "polls": 7}


def test_every_goal_and_part_has_its_prices() -> None:
    assert costs.GOALS.keys() == costs.BODIES.keys()
    assert {kind for kinds in costs.PARTS.values() for kind in kinds} <= prices.table()["aws"].keys()
