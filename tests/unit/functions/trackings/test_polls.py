"""The two functions that ask carriers about parcels, as Lambda calls them."""

import json
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from parcelgate.domain.clock import rfc3339
from parcelgate.observability.logs import bound_correlation_id
from parcelgate.runtime import runtime
from tests.support.world import World

CONTEXT = SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000, aws_request_id="request")


def call(function: str, event: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = import_module(f"functions.{function}.handler").handler(event, CONTEXT)
    json.dumps(answer)
    return answer


def sample(function: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(Path(f"events/{function}.json").read_text())
    return event


def test_a_worker_asks_about_its_share_and_hands_its_input_on(world: World) -> None:
    event = sample("poll_trackings") | {"started_at": rfc3339(world.clock.now)}
    parcels = world.due_parcels(30)
    for worker in range(event["workers"]):
        given = event | {"worker": worker}
        assert call("poll_trackings", given) == given | {"more": False}
    assert sorted(world.tracker().numbers) == sorted(parcel.tracking_number for parcel in parcels)


def test_a_worker_is_called_again_while_it_leaves_something(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CONTEXT, "get_remaining_time_in_millis", lambda: 1000)
    world.due_parcels(3)
    event = {"worker": 0, "workers": 1, "started_at": rfc3339(world.clock.now)}
    answer = call("poll_trackings", event)
    assert answer == event | {"more": True}
    # What it answers is what it is called with next.
    monkeypatch.setattr(CONTEXT, "get_remaining_time_in_millis", lambda: 60_000)
    assert call("poll_trackings", answer) == event | {"more": False}


def test_the_lines_of_a_scheduled_round_share_an_id(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    bound = []
    polls = SimpleNamespace(run=lambda *_: bound.append(bound_correlation_id()))
    runtime.use(polls=polls)
    event = sample("poll_trackings")

    for worker in range(2):
        call("poll_trackings", event | {"worker": worker})

    assert bound == [f"poll-{event['started_at']}"] * 2


def test_a_batch_of_nudges_is_asked_about_and_only_what_must_comes_again(world: World) -> None:
    (record,) = sample("poll_nudged")["Records"]
    gone = record | {"messageId": "gone"}
    unreadable = record | {"messageId": "unreadable", "body": "{"}
    (parcel,) = world.due_parcels()
    body = json.dumps({"tenant": parcel.tenant, "tracking_id": parcel.id})
    known = record | {"messageId": "known", "body": body}
    answer = call("poll_nudged", {"Records": [gone, unreadable, known]})
    assert answer == {"batchItemFailures": [{"itemIdentifier": "unreadable"}]}
    assert world.tracker().requests == [(parcel.tracking_number,)]
