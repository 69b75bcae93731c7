"""Promise 11: each event reaches every endpoint that asked for it, or is shown as failed."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from parcelgate import aws_clients
from parcelgate.domain.merchants.endpoints import Delivery, DeliveryState
from parcelgate.domain.merchants.events import KEPT, Event, EventType
from parcelgate.runtime import Runtime, runtime
from parcelgate.services.endpoints.calls import SECONDS, Result
from parcelgate.services.endpoints.deliver import DELETED, DISABLED
from parcelgate.services.endpoints.fan_out import FirstDeliveryJob, read_job
from parcelgate.services.endpoints.passes import PASS_LASTS, Passes
from parcelgate.store.merchant_events.endpoints import IN_FLIGHT, SLOW_FOR, TRIPS_AFTER, Admission
from tests.support.api import TENANT, api_event
from tests.support.endpoints import DOWN, SLOW, refused
from tests.support.events import an_event_of
from tests.support.faults import Faults, at_every_call, die, time_out
from tests.support.world import World, queue

URL = "https://shop.example/hook"
OTHER = "https://other.example/hook"
DELIVERIES = queue("deliveries")
SLOWLY = Result(ms=4_000, status=200, body="at last")


@pytest.fixture
def worlds(new_world: Callable[..., World]) -> Iterator[Callable[[], World]]:
    key = aws_clients.client("kms").create_key()["KeyMetadata"]["Arn"]
    return lambda: new_world(environment={"PARCELGATE_KMS_KEY": key})


@pytest.fixture
def world(worlds: Callable[[], World]) -> World:
    return worlds()


def endpoint(world: World, url: str = URL, *events: str) -> Any:
    """A new endpoint, as its create shows it."""
    body = {"url": url, "events": list(events)}
    reply = world._request(api_event("POST /v1/webhook-endpoints", body=body))
    assert reply.status == 201, reply.text
    return reply.json()


def tell(world: World, number: int = 1) -> list[Event]:
    """So many events happen, and are given to the endpoints as the router does."""
    events = [an_event_of(f"ord_{place}", at=world.clock.now) for place in range(number)]
    for event in events:
        world._events_table.tenant(TENANT).log.add(event)
    assert runtime.fan_out.fan_out(TENANT, events) == set()
    return events


def deliveries(world: World, endpoint_id: str) -> list[Delivery]:
    """What was delivered, oldest first."""
    own = world._events_table.tenant(TENANT).deliveries
    return own.page(endpoint_id, at=world.clock.now, limit=100).data[::-1]


def all_deliveries(world: World, endpoint_id: str) -> list[Delivery]:
    """All that there are, of several pages."""
    own, found, cursor = world._events_table.tenant(TENANT).deliveries, [], None
    while True:
        page = own.page(endpoint_id, at=world.clock.now, limit=100, cursor=cursor)
        found += page.data
        if (cursor := page.next_cursor) is None:
            return found


def only(world: World, endpoint_id: str) -> Delivery:
    (delivery,) = deliveries(world, endpoint_id)
    return delivery


def shown(world: World, endpoint_id: str) -> Any:
    return world._request(api_event("GET /v1/webhook-endpoints/{id}", id=endpoint_id)).json()


def announced(world: World, kind: str) -> set[str]:
    """The ids of the events of a type that were put on the bus."""
    entries = [each for each in world.events.entries if each["DetailType"] == kind]
    return {json.loads(each["Detail"])["id"] for each in entries}


def run(world: World, hours: float = 100) -> None:
    world.clock.run(until=lambda: not world.sqs.messages.get(DELIVERIES), hours=hours)


def test_what_an_order_means_reaches_the_endpoint_signed_and_word_for_word(world: World) -> None:
    made = endpoint(world, URL, "order.*", "label.ready")
    world.settle(world.start_order())
    run(world)

    told = world.told()
    assert {event["type"] for event in told} == {"order.confirmed", "label.ready"}
    received = world.endpoints.of(URL)
    assert sorted(each.id for each in received) == sorted(event["id"] for event in told)
    for each in received:
        stored = world._events_table.tenant(TENANT).log.get(each.id, at=world.clock.now)
        assert each.body == stored.body
        assert each.signed_by(made["secret"])
        assert "," in each.headers["webhook-signature"]
        assert " " not in each.headers["webhook-signature"]


def test_an_endpoint_hears_of_what_it_asked_for_alone(world: World) -> None:
    endpoint(world, URL, "label.ready")
    endpoint(world, OTHER, "order.failed", "batch.*")
    world.settle(world.start_order())
    run(world)
    assert [json.loads(each.body)["type"] for each in world.endpoints.received] == ["label.ready"]


def test_down_for_six_attempts_then_slow_then_right(world: World) -> None:
    made = endpoint(world)
    (event,) = tell(world)
    world.endpoints.script(URL, [DOWN] * 6 + [SLOW])
    run(world)

    assert world.endpoints.ids(URL) == [event.id] * 8
    delivery = only(world, made["id"])
    assert delivery.state is DeliveryState.DELIVERED
    assert [(each.status, each.error) for each in delivery.attempts] == [
        *[(None, DOWN.error)] * 6,
        (None, SLOW.error),
        (200, None),
    ]
    assert [each.at for each in delivery.attempts] == [each.at for each in world.endpoints.of(URL)]
    pauses = [
        (later.at - earlier.at).total_seconds()
        for earlier, later in zip(delivery.attempts, delivery.attempts[1:], strict=False)
    ]
    planned = [5, 300, 1800, 7200, 18_000, 36_000, 50_400]
    for pause, plan in zip(pauses, planned, strict=True):
        assert plan <= pause <= plan * 1.11 + 1
    assert all(each.signed_by(made["secret"]) for each in world.endpoints.of(URL))


def test_many_events_to_an_endpoint_that_is_down_and_slow_at_first_are_all_heard(world: World) -> None:
    """The ledger of what was to be sent and what was received is equal, and so is that of the attempts."""
    made = endpoint(world)
    events = tell(world, 30)
    world.endpoints.script(URL, [DOWN] * 6 + [SLOW] * 10)
    run(world)

    assert set(world.endpoints.ids(URL)) == {event.id for event in events}
    every = deliveries(world, made["id"])
    assert {each.state for each in every} == {DeliveryState.DELIVERED}
    attempts = [(each.event_id, attempt.at) for each in every for attempt in each.attempts]
    assert sorted(attempts) == sorted((each.id, each.at) for each in world.endpoints.of(URL))
    assert len(attempts) == 30 + 16


def test_after_ten_attempts_it_has_failed_and_can_be_replayed(world: World) -> None:
    made = endpoint(world)
    (event,) = tell(world)
    world.endpoints.script(URL, [], then=refused(500))
    run(world)
    delivery = only(world, made["id"])
    assert (delivery.state, len(delivery.attempts), delivery.next_attempt_at) == ("failed", 10, None)
    hours = (delivery.attempts[-1].at - delivery.attempts[0].at).total_seconds() / 3600
    assert 75 <= hours <= 84

    world.endpoints.script(URL, [])
    reply = world._request(api_event("POST /v1/webhook-deliveries/{id}/replay", id=delivery.id))
    assert (reply.status, reply.json()["state"]) == (202, "pending")
    run(world)
    again = only(world, made["id"])
    assert (again.state, len(again.attempts), again.id) == ("delivered", 11, delivery.id)
    assert world.endpoints.ids(URL) == [event.id] * 11


@pytest.mark.parametrize("status", [300, 301, 302, 307, 308, 400, 404, 429, 500, 503])
def test_whatever_is_not_2xx_is_a_failure(world: World, status: int) -> None:
    made = endpoint(world)
    tell(world)
    world.endpoints.script(URL, [refused(status)])
    run(world)
    assert [each.status for each in only(world, made["id"]).attempts] == [status, 200]


@pytest.mark.parametrize(("wait", "least"), [(3600, 3600), (100 * 3600, 24 * 3600), (1, 5)])
def test_retry_after_is_kept_for_a_day_at_most_and_never_shortens_the_plan(
    world: World, wait: float, least: float
) -> None:
    endpoint(world)
    tell(world)
    bounded = min(wait, 24 * 3600)
    world.endpoints.script(URL, [refused(503, retry_after=bounded)])
    run(world)
    first, second = world.endpoints.of(URL)
    assert least <= (second.at - first.at).total_seconds() <= least * 1.2 + 1


def test_410_disables_at_once_and_the_other_endpoints_are_told(world: World) -> None:
    made, other = endpoint(world), endpoint(world, OTHER)
    first, second = tell(world, 2)
    world.endpoints.script(URL, [refused(410)])
    run(world)

    seen = shown(world, made["id"])
    assert (seen["enabled"], seen["disabled_reason"]) == (False, "gone")
    assert seen["disabled_at"]
    assert world.endpoints.ids(URL) == [first.id], "what waited is not sent"
    states = [(each.state, each.reason) for each in deliveries(world, made["id"])]
    assert {*states} == {("failed", None), ("failed", DISABLED)}
    (told,) = world.told(type=EventType.ENDPOINT_DISABLED)
    assert told["data"]["id"] == made["id"]
    assert set(world.endpoints.ids(OTHER)) == {first.id, second.id, told["id"]}
    assert len(deliveries(world, other["id"])) == 3

    tell(world)
    run(world)
    assert len(world.endpoints.of(URL)) == 1


def test_an_endpoint_that_fails_for_five_days_is_disabled(world: World) -> None:
    made = endpoint(world)
    endpoint(world, OTHER, "endpoint.disabled")
    world.endpoints.script(URL, [], then=refused(500))
    for _ in range(3):
        tell(world)
        run(world)
        if not shown(world, made["id"])["enabled"]:
            break
        world.clock.now += timedelta(hours=1)
    seen = shown(world, made["id"])
    assert (seen["enabled"], seen["disabled_reason"]) == (False, "failing")
    failing = world.endpoints.of(URL)
    assert failing[-1].at - failing[0].at >= timedelta(days=5)
    assert failing[-2].at - failing[0].at < timedelta(days=5)
    (told,) = world.told(type=EventType.ENDPOINT_DISABLED)
    assert world.endpoints.ids(OTHER) == [told["id"]]

    world._request(api_event("PATCH /v1/webhook-endpoints/{id}", id=made["id"], body={"enabled": True}))
    world.endpoints.script(URL, [])
    (event,) = tell(world)
    run(world)
    assert world.endpoints.ids(URL)[-1] == event.id


def test_a_success_ends_the_five_days(world: World) -> None:
    made = endpoint(world)
    for _ in range(4):
        world.endpoints.script(URL, [refused(500)] * 9)
        tell(world)
        run(world)
    assert shown(world, made["id"])["enabled"]


def test_an_endpoint_that_hangs_delays_no_other(world: World) -> None:
    """During every call of the slow one, which takes its 15 s, all others are served."""
    endpoint(world)
    endpoint(world, OTHER)
    began = world.clock.now
    world.endpoints.script(URL, [], then=SLOW)
    events = tell(world, 60)
    run(world, hours=0.1)
    assert sorted(world.endpoints.ids(OTHER)) == sorted(event.id for event in events)
    assert all(each.at - began <= timedelta(seconds=1) for each in world.endpoints.of(OTHER))
    # The circuit is open: of sixty events only a few make calls.
    assert len(world.endpoints.of(URL)) <= TRIPS_AFTER + 10


def in_processes_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each delivery worked on by another process, which holds no pass yet."""
    monkeypatch.setattr(Runtime, "endpoint_passes", property(lambda _: Passes()))


def most_at_once() -> int:
    """How many calls of one endpoint may be under way at once."""
    return IN_FLIGHT + runtime.settings.tenant_passes


def test_of_hundreds_of_orders_the_others_hear_in_seconds_while_one_endpoint_hangs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each call of the one that hangs takes its 15 s, in which all that is due then happens."""
    in_processes_of_their_own(monkeypatch)
    made = endpoint(world)
    endpoint(world, OTHER)
    began, under_way, most = world.clock.now, 0, 0
    held = timedelta(0)

    def hang() -> None:
        nonlocal under_way, most, held
        under_way += 1
        most = max(most, under_way)
        start = world.clock.now
        world.clock.run(until=lambda: False, hours=SECONDS / 3600)
        world.clock.now = max(world.clock.now, start + timedelta(seconds=SECONDS))
        held += world.clock.now - start
        under_way -= 1

    world.endpoints.script(URL, [], then=SLOW)
    world.endpoints.during(URL, hang)
    events = tell(world, 300)
    world.clock.run(until=lambda: False, hours=1 / 60)

    assert sorted(world.endpoints.ids(OTHER)) == sorted(event.id for event in events)
    assert max(each.at for each in world.endpoints.of(OTHER)) - began <= timedelta(seconds=2)
    assert IN_FLIGHT < most <= most_at_once() == 10
    waiting = world.sqs.messages[DELIVERIES]
    assert len(waiting) == 300, "one message each, however often they came"
    assert max(message["receives"] for message in waiting) <= 20
    calls = world.endpoints.of(URL)
    assert TRIPS_AFTER <= len(calls) <= TRIPS_AFTER + 10
    assert held <= len(calls) * timedelta(seconds=SECONDS + 1)
    attempts = [attempt for each in all_deliveries(world, made["id"]) for attempt in each.attempts]
    assert len(attempts) == len(calls)


@pytest.mark.parametrize("down", [30, 200])
def test_what_waits_while_an_endpoint_is_down_keeps_its_attempts(world: World, down: float) -> None:
    """One at a time tries the endpoint, so the attempts of each are further apart than planned."""
    made = endpoint(world)
    tell(world, 14)
    world.endpoints.script(URL, [], then=DOWN)
    run(world, hours=down)
    world.endpoints.script(URL, [])
    run(world)

    every = deliveries(world, made["id"])
    for each in every:
        ten = (len(each.attempts), each.reason) == (10, None)
        assert each.state is DeliveryState.DELIVERED or ten or each.reason == DISABLED
    assert {each.state for each in every} == {DeliveryState.DELIVERED if down == 30 else DeliveryState.FAILED}


@pytest.mark.parametrize("was_slow", [False, True])
def test_no_more_calls_than_a_few_are_under_way_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch, was_slow: bool
) -> None:
    """However many processes there are, and fewer while the endpoint is slow: then a pass is of no use."""
    endpoint(world)
    if was_slow:
        world.endpoints.script(URL, [SLOWLY], then=SLOWLY)
        tell(world)
        run(world)
        world.endpoints.received.clear()
        world.clock.now += timedelta(seconds=1)
    in_processes_of_their_own(monkeypatch)
    most = IN_FLIGHT if was_slow else most_at_once()
    events = tell(world, 24)
    depth, deepest = 0, 0

    def meanwhile() -> None:
        nonlocal depth, deepest
        depth += 1
        deepest = max(deepest, depth)
        if depth <= most + 3:
            world.sqs.deliver_others(DELIVERIES)
        depth -= 1

    world.endpoints.during(URL, meanwhile)
    run(world)
    assert deepest == most
    assert sorted(world.endpoints.ids(URL)) == sorted(event.id for event in events)


def test_endpoints_that_were_few_take_no_more_workers_than_their_tenant_has_places(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages wait since the tenant had one endpoint, which alone cannot have so many calls under way."""
    most = IN_FLIGHT + 1
    monkeypatch.setattr(runtime.settings, "tenant_places", most, raising=False)
    monkeypatch.setattr(runtime.settings, "tenant_passes", 1, raising=False)
    in_processes_of_their_own(monkeypatch)
    depth, deepest = 0, 0

    def meanwhile() -> None:
        nonlocal depth, deepest
        depth += 1
        deepest = max(deepest, depth)
        world.sqs.deliver_others(DELIVERIES)
        depth -= 1

    made = []
    for url in (URL, OTHER):
        made.append(endpoint(world, url)["id"])
        tell(world, 12)
        world.endpoints.during(url, meanwhile)
    world.sqs.deliver_others(DELIVERIES)
    assert deepest == most + runtime.settings.tenant_passes

    assert [beside(world, each) for each in made] == [{}, {}], "who found no place keeps no call's room"
    places = world._events_table.tenant(TENANT).places(most)
    taken = [places.take(world.clock.now, world.clock.now + timedelta(seconds=30)) for _ in range(most)]
    assert None not in taken, "each place was given back"


def beside(world: World, endpoint_id: str) -> dict[str, Any]:
    """What stands in an endpoint's item of its calls."""
    item = world._events_table.tenant(TENANT).endpoints.get(endpoint_id).item
    return {name: item[name] for name in item if name.startswith(("slot_", "slow_", "fail"))}


def test_while_an_endpoint_is_quick_its_calls_take_no_place(world: World) -> None:
    """Each would be two writes."""
    made = endpoint(world)
    seen: list[dict[str, Any]] = []
    world.endpoints.during(URL, lambda: seen.append(beside(world, made["id"])))

    def call(*results: Result) -> dict[str, Any]:
        world.clock.now += timedelta(seconds=1)
        world.endpoints.script(URL, results)
        seen.clear()
        tell(world)
        run(world)
        return seen[0]

    assert call() == {}
    call(SLOWLY)
    assert [*beside(world, made["id"])] == ["slow_until"]
    assert any(name.startswith("slot_") for name in call(SLOWLY)), "it was slow lately"
    assert any(name.startswith("slot_") for name in call())
    assert beside(world, made["id"]) == {}, "it is quick again"
    assert call(DOWN) == {}
    assert beside(world, made["id"]) == {}, "its second attempt was a success"
    call(SLOWLY)
    world.clock.now += SLOW_FOR
    assert not any(name.startswith("slot_") for name in call()), "that was long ago"


def test_a_process_keeps_its_pass_and_one_that_died_holds_it_for_some_minutes(world: World) -> None:
    own, now, call = world._events_table.tenant(TENANT), world.clock.now, timedelta(seconds=30)

    def has(process: Passes) -> bool:
        with process.use(own, 1, now, call) as has_pass:
            with process.use(own, 1, now, call) as another:
                assert not another, "a pass is good for one call at a time"
            return has_pass

    first, second = Passes(), Passes()
    assert has(first)
    assert not has(second)
    now += PASS_LASTS - call
    assert has(first), "it is renewed before a call could outlive it"
    now += call
    assert not has(second)
    now += PASS_LASTS
    assert has(second)
    assert not has(first)


def test_workers_of_a_burst_seldom_want_the_same_place(world: World) -> None:
    """Each time one does, it has paid for a write that failed."""
    own, now = world._events_table.tenant(TENANT).endpoints, world.clock.now
    stored = own.get(endpoint(world)["id"])
    taken = set()
    for _ in range(60):
        admission = own.admit(stored, now, timedelta(seconds=30))
        assert isinstance(admission, Admission)
        taken.add(admission.slot)
        own.release(stored.endpoint.id, admission)
    assert len(taken) == IN_FLIGHT


def test_while_the_circuit_is_open_one_at_a_time_tries(world: World) -> None:
    endpoint(world)
    world.endpoints.script(URL, [], then=DOWN)
    tell(world, 20)
    run(world, hours=0.01)
    assert len(world.endpoints.of(URL)) == TRIPS_AFTER
    under_way = 0

    def meanwhile() -> None:
        nonlocal under_way
        under_way += 1
        assert under_way == 1
        world.sqs.deliver_others(DELIVERIES)
        under_way -= 1

    world.endpoints.during(URL, meanwhile)
    world.clock.now += timedelta(minutes=2)
    world.sqs.deliver_others(DELIVERIES)
    assert len(world.endpoints.of(URL)) == TRIPS_AFTER + 1


def test_a_record_that_comes_again_sends_nothing_again(world: World) -> None:
    made = endpoint(world)
    (event,) = tell(world)
    run(world)
    assert runtime.fan_out.fan_out(TENANT, [event]) == set()
    run(world)
    assert world.endpoints.ids(URL) == [event.id]
    assert len(only(world, made["id"]).attempts) == 1


@pytest.mark.parametrize("results", [[], [DOWN], [DOWN] * 2])
def test_a_record_that_comes_again_at_once_may_send_twice_and_shows_both(
    world: World, results: list[Result]
) -> None:
    """A first attempt is not begun by a write, so there may be two at once. Endpoints drop known ids."""
    made = endpoint(world)
    (event,) = tell(world)
    assert runtime.fan_out.fan_out(TENANT, [event]) == set()
    world.endpoints.script(URL, results)
    world.endpoints.during(URL, lambda: world.sqs.deliver_others(DELIVERIES))
    run(world)
    calls = max(2, len(results) + 1)
    assert world.endpoints.ids(URL) == [event.id] * calls
    delivery = only(world, made["id"])
    assert delivery.state is DeliveryState.DELIVERED
    assert sorted(each.status or 0 for each in delivery.attempts) == sorted(
        [0] * len(results) + [200] * (calls - len(results))
    )


def test_an_endpoint_that_is_gone_ends_a_delivery_that_its_message_stored_meanwhile(world: World) -> None:
    """A message that comes twice at once may find the circuit open, and only one of the two goes on."""
    made = endpoint(world)
    tell(world)
    world.endpoints.script(URL, [refused(410)])

    def wait_in_the_second_receipt() -> None:
        own = world._events_table.tenant(TENANT)
        job = read_job(world.sqs.bodies(DELIVERIES)[0])
        assert isinstance(job, FirstDeliveryJob)
        own.deliveries.add(job.delivery())

    world.endpoints.during(URL, wait_in_the_second_receipt)
    run(world)
    delivery = only(world, made["id"])
    assert (delivery.state, [each.status for each in delivery.attempts]) == ("failed", [410])


def test_a_message_that_is_older_than_its_event_is_dropped(world: World) -> None:
    """DynamoDB may take days to delete the delivery that has expired."""
    endpoint(world)
    world.endpoints.script(URL, [], then=DOWN)
    tell(world)
    run(world, hours=0.0001)
    assert len(world.sqs.bodies(DELIVERIES)) == 1
    world.clock.now += KEPT
    world.sqs.deliver_others(DELIVERIES)
    assert world.sqs.bodies(DELIVERIES) == []
    assert len(world.endpoints.received) == 1


def test_what_waits_for_its_endpoint_is_shown_before_its_first_attempt(world: World) -> None:
    made = endpoint(world)
    world.endpoints.script(URL, [], then=DOWN)
    tell(world, 20)
    run(world, hours=0.01)
    assert len(world.endpoints.of(URL)) == TRIPS_AFTER
    states = [(each.state, len(each.attempts)) for each in deliveries(world, made["id"])]
    assert sorted(states) == [*[("pending", 0)] * (20 - TRIPS_AFTER), *[("pending", 1)] * TRIPS_AFTER]


def test_what_has_not_had_its_first_attempt_has_failed_when_its_endpoint_was_disabled(world: World) -> None:
    made = endpoint(world)
    tell(world)
    world._request(api_event("PATCH /v1/webhook-endpoints/{id}", id=made["id"], body={"enabled": False}))
    run(world)
    delivery = only(world, made["id"])
    assert (delivery.state, delivery.reason, delivery.attempts) == ("failed", DISABLED, ())
    world._request(api_event("PATCH /v1/webhook-endpoints/{id}", id=made["id"], body={"enabled": True}))
    assert world._request(api_event("POST /v1/webhook-deliveries/{id}/replay", id=delivery.id)).status == 202
    run(world)
    assert only(world, made["id"]).state is DeliveryState.DELIVERED


def test_whatever_dies_at_whatever_call_the_event_arrives(worlds: Callable[[], World]) -> None:
    def story(call: int) -> Faults:
        world = worlds()
        made = endpoint(world)
        endpoint(world, OTHER, "endpoint.disabled")
        (event,) = tell(world)
        world.endpoints.script(URL, [refused(500)])
        world.faults.calls.clear()
        world.faults.at(call, die())
        run(world)
        assert only(world, made["id"]).state is DeliveryState.DELIVERED
        assert set(world.endpoints.ids(URL)) == {event.id}
        assert len(only(world, made["id"]).attempts) >= 2
        return world.faults

    at_every_call(story, least=12)


def test_whatever_dies_while_an_endpoint_is_disabled_the_others_hear_of_it_once(
    worlds: Callable[[], World],
) -> None:
    def story(call: int) -> Faults:
        world = worlds()
        made = endpoint(world)
        other = endpoint(world, OTHER, "endpoint.disabled")
        tell(world)
        world.endpoints.script(URL, [], then=refused(410))
        world.faults.calls.clear()
        world.faults.at(call, die())
        run(world)
        assert only(world, made["id"]).state is DeliveryState.FAILED
        (told,) = world.told(type=EventType.ENDPOINT_DISABLED)
        assert only(world, other["id"]).event_id == told["id"]
        assert world.endpoints.ids(OTHER)
        assert set(world.endpoints.ids(OTHER)) == {told["id"]}
        assert announced(world, "endpoint.disabled") == {told["id"]}
        return world.faults

    at_every_call(story, least=12)


def test_an_attempt_whose_function_died_is_shown_and_made_again(world: World) -> None:
    made = endpoint(world)
    tell(world)
    world.faults.on("post", die(after=True), target="endpoint")
    run(world)
    cut_off, made_again = only(world, made["id"]).attempts
    assert (cut_off.status, made_again.status) == (None, 200)
    assert "cut off" in str(cut_off.error)
    assert len(world.endpoints.of(URL)) == 2


def test_a_write_that_is_not_answered_makes_no_second_attempt(world: World) -> None:
    made = endpoint(world)
    tell(world)
    world.faults.on("change_message_visibility", time_out())
    world.endpoints.script(URL, [DOWN])
    run(world)
    assert [each.status for each in only(world, made["id"]).attempts] == [None, 200]


def test_what_the_queue_does_not_take_comes_again(world: World) -> None:
    endpoint(world)
    world.faults.when(
        lambda call: call.method == "send_message_batch" and call.arguments["QueueUrl"] == DELIVERIES,
        time_out(),
    )
    world.settle(world.start_order())
    run(world)
    assert set(world.endpoints.ids(URL)) == {event["id"] for event in world.told()}


def test_rotation_signs_with_both_secrets_for_a_day(world: World) -> None:
    made = endpoint(world)
    reply = world._request(api_event("POST /v1/webhook-endpoints/{id}/rotate-secret", id=made["id"]))
    new, old = reply.json()["secret"], made["secret"]
    assert new != old
    tell(world)
    run(world)
    world.clock.now += timedelta(hours=24, seconds=1)
    tell(world)
    run(world)
    first, second = world.endpoints.of(URL)
    assert (first.signed_by(new), first.signed_by(old)) == (True, True)
    assert (second.signed_by(new), second.signed_by(old)) == (True, False)


def test_deleting_an_endpoint_ends_what_is_on_its_way(world: World) -> None:
    made = endpoint(world)
    tell(world)
    world.endpoints.script(URL, [], then=DOWN)
    run(world, hours=1)
    before = deliveries(world, made["id"])
    world._request(api_event("DELETE /v1/webhook-endpoints/{id}", id=made["id"]))
    calls = len(world.endpoints.of(URL))
    run(world)
    (after,) = deliveries(world, made["id"])
    assert (before[0].state, after.state, after.reason) == ("pending", "failed", DELETED)
    assert len(world.endpoints.of(URL)) == calls


def test_a_ping_goes_the_same_way_and_to_a_disabled_endpoint_too(world: World) -> None:
    made, _ = endpoint(world), endpoint(world, OTHER)
    world._request(api_event("PATCH /v1/webhook-endpoints/{id}", id=made["id"], body={"enabled": False}))
    reply = world._request(api_event("POST /v1/webhook-endpoints/{id}/test", id=made["id"]))
    run(world)
    (received,) = world.endpoints.received
    body = json.loads(received.body)
    assert (body["type"], body["data"]["id"], received.url) == ("ping", made["id"], URL)
    assert received.signed_by(made["secret"])
    assert reply.json()["event_id"] == received.id == only(world, made["id"]).event_id
    assert announced(world, "ping") == {received.id}


def test_a_message_of_no_delivery_is_dropped_and_one_that_came_too_often_is_replaced(world: World) -> None:
    body = json.dumps({"tenant": TENANT, "delivery_id": "whd_none"})
    world.sqs.send_message(QueueUrl=DELIVERIES, MessageBody=body)
    run(world)
    assert world.sqs.bodies(DELIVERIES) == []

    endpoint(world)
    tell(world)
    world.endpoints.script(URL, [DOWN] * 3)
    (message,) = world.sqs.messages[DELIVERIES]
    message["receives"] = 499
    run(world)
    assert len(world.endpoints.of(URL)) == 4


def test_nothing_of_the_address_the_secret_or_the_body_is_logged(
    world: World, logged: Callable[[], str]
) -> None:
    url = f"{URL}/TOKEN-IN-PATH?key=TOKEN-IN-QUERY"
    made = endpoint(world, url)
    tell(world)
    world.endpoints.script(url, [refused(500), refused(410)])
    run(world)
    text = logged()
    assert "an event was sent to an endpoint" in text
    for secret in ("TOKEN-IN", made["secret"], "order.confirmed", "shop.example"):
        assert secret not in text
    assert '"WebhooksFailed"' in text


def test_two_workers_that_read_a_delivery_at_once_make_one_attempt(world: World) -> None:
    made = endpoint(world)
    world.endpoints.script(URL, [DOWN])
    (event,) = tell(world)
    run(world, hours=0.0001)
    assert runtime.fan_out.fan_out(TENANT, [event]) == set()
    assert len(world.sqs.bodies(DELIVERIES)) == 2
    world.clock.now += timedelta(seconds=10)
    # Just before the one begins its second attempt, the other does.
    world.faults.before("put_item", lambda: world.sqs.deliver_others(DELIVERIES), target="dynamodb")
    run(world)
    assert world.endpoints.ids(URL) == [event.id] * 2
    assert len(only(world, made["id"]).attempts) == 2
