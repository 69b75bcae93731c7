"""One tenant's slow carrier, or its endpoints that hang, keep no other tenant waiting.

Waits are simulated seconds. A neighbour waits at most three times as long as it does alone.
"""

import json
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from typing import Any

import msgspec
import pytest

from parcelgate import aws_clients
from parcelgate.carriers import registry
from parcelgate.carriers.accounts import AccountName
from parcelgate.domain.batches import Batch
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.orders import Order, OrderStatus
from parcelgate.http.requests.batches import read_batch
from parcelgate.http.requests.formats.reading import read_json
from parcelgate.runtime import runtime
from parcelgate.services.accounts.places import AccountPlaces
from parcelgate.services.endpoints.calls import SECONDS
from parcelgate.services.labels.fetch import LabelJob
from parcelgate.services.orders.retry_queues import Action
from parcelgate.store.errors import StoreError
from tests.support.api import api_event
from tests.support.bodies import BODIES
from tests.support.crowded import CrowdedWorld, SlowTracker
from tests.support.endpoints import SLOW
from tests.support.events import an_event_of
from tests.support.faults import unavailable
from tests.support.orders import an_event, an_order
from tests.support.world import queue

MOST = 3.0
"""How many times longer than alone a neighbour waits at most."""
HOG, NEIGHBOUR = "hog", "neighbour"
_numbers = count(1)


@pytest.fixture
def world(new_world: Callable[..., Any]) -> CrowdedWorld:
    world: CrowdedWorld = new_world(kind=CrowdedWorld)
    login = {"base_url": "https://lme.test", "credentials": {}}
    for tenant in (HOG, NEIGHBOUR):
        world.secrets.texts[f"parcelgate/{tenant}/lme/default"] = json.dumps(login)
    return world


def create_batch(tenant: str, orders: int) -> Batch:
    entries = [BODIES["lme"](f"{tenant}-{number}") for number in range(orders)]
    raw = json.dumps({"orders": entries}).encode()
    lines = read_batch(read_json(raw, "application/json", most=len(raw)), carriers=registry.names())
    return runtime.batches.create(tenant, lines, raw)


def waited(world: CrowdedWorld, begin: Callable[[], Callable[[], bool]]) -> float:
    """Begin something, and say how many seconds later it is done."""
    at, is_done = world.clock.now, begin()
    world.clock.run(until=is_done, hours=1)
    assert is_done()
    return float((world.clock.now - at).total_seconds())


def test_a_batch_of_one_does_not_wait_for_a_slow_carrier_of_another_tenant(world: CrowdedWorld) -> None:
    def one() -> Callable[[], bool]:
        batch = create_batch(NEIGHBOUR, 1)
        return lambda: runtime.batches.read(NEIGHBOUR, batch.id)[1].finished

    alone = waited(world, one)
    world.carrier.seconds[HOG] = 5.0
    slow = create_batch(HOG, 30)
    world.clock.run(until=lambda: world.carrier.creates[HOG] > 1, hours=1)

    beside = waited(world, one)

    assert beside <= MOST * alone
    assert not runtime.batches.read(HOG, slow.id)[1].finished
    world.clock.run(until=lambda: runtime.batches.read(HOG, slow.id)[1].finished, hours=12)
    assert runtime.batches.read(HOG, slow.id)[1].confirmed == 30
    assert world.carrier.creates[HOG] == 30


def stored(world: CrowdedWorld, tenant: str, reference: str) -> Order:
    """An order that its retry queue is to send."""
    at = world.clock.now
    order = an_order(
        tenant=tenant, carrier="lme", reference=reference, at=at, watch_at=at + timedelta(hours=1)
    )
    runtime.table.tenant(tenant).orders.add(order, an_event(at=at))
    runtime.retry_queues.enqueue(order, Action.CREATE, at=at)
    return order


def test_a_retry_does_not_wait_for_a_slow_carrier_of_another_tenant(world: CrowdedWorld) -> None:
    def one() -> Callable[[], bool]:
        order = stored(world, NEIGHBOUR, f"R-{world.clock.now}")
        return lambda: world.order(order).status is OrderStatus.CONFIRMED

    alone = waited(world, one)
    world.carrier.seconds[HOG] = 20.0
    slow = [stored(world, HOG, f"R-{number}") for number in range(8)]
    world.clock.run(until=lambda: world.carrier.creates[HOG] > 0, hours=1)

    beside = waited(world, one)

    assert beside <= MOST * alone
    world.clock.run(until=lambda: not world.sqs.messages[queue("retry-lme")], hours=12)
    assert {world.order(each).status for each in slow} == {OrderStatus.CONFIRMED}


def test_a_retry_that_was_held_back_keeps_its_attempts(world: CrowdedWorld) -> None:
    world.carrier.seconds[HOG] = 20.0
    slow = [stored(world, HOG, f"R-{number}") for number in range(4)]

    def bodies() -> list[Any]:
        return [json.loads(body) for body in world.sqs.bodies(queue("retry-lme"))]

    world.clock.run(until=lambda: any(body["held"] for body in bodies()), hours=1)
    held = [body for body in bodies() if body["held"]]

    assert {body["attempts"] for body in held} == {0}
    assert {body["order_id"] for body in bodies()} == {order.id for order in slow}


def label_job(world: CrowdedWorld, tenant: str) -> None:
    """A confirmed order, on the label queue."""
    order = an_order(
        tenant=tenant, carrier="lme", reference=f"L-{next(_numbers)}", status=OrderStatus.CONFIRMED
    )
    runtime.table.tenant(tenant).orders.add(order, an_event())
    job = LabelJob(
        tenant=tenant,
        order_id=order.id,
        since=world.clock.now,
        carrier=order.carrier,
        account=order.account,
    )
    world.sqs.send_message(QueueUrl=queue("labels"), MessageBody=msgspec.json.encode(job).decode())


def test_a_label_does_not_wait_for_a_slow_carrier_of_another_tenant(world: CrowdedWorld) -> None:
    def one() -> Callable[[], bool]:
        asked = world.carrier.labels[NEIGHBOUR]
        label_job(world, NEIGHBOUR)
        return lambda: world.carrier.labels[NEIGHBOUR] > asked

    alone = waited(world, one)
    world.carrier.seconds[HOG] = 20.0
    began = world.clock.now
    for _ in range(8):
        label_job(world, HOG)
    world.clock.run(until=lambda: world.clock.now > began, hours=1)

    assert waited(world, one) <= MOST * alone


def test_a_refresh_does_not_wait_for_a_silent_carrier_of_another_tenant(world: CrowdedWorld) -> None:
    def one() -> Callable[[], bool]:
        (parcel,) = world.due_parcels(tenant=NEIGHBOUR, carrier="trackingmore")
        world.nudge(parcel)
        return lambda: parcel.tracking_number in quick.answered

    quick = SlowTracker(world, 1.0)
    world.trackers[AccountName(NEIGHBOUR, "trackingmore", "default")] = quick
    alone = waited(world, one)
    silent = SlowTracker(world, 15.0, silent=True)
    world.trackers[AccountName(HOG, "lme", "default")] = silent
    parcels = world.due_parcels(8, tenant=HOG, carrier="lme")
    world.nudge(*parcels)
    world.clock.run(until=lambda: silent.asked > 1, hours=1)

    beside = waited(world, one)

    assert beside <= MOST * alone
    world.clock.run(until=lambda: not world.sqs.messages[queue("polls")], hours=1)
    assert silent.asked == len(parcels), "each was asked about, in its turn"


def test_a_nudge_is_not_lost_when_no_place_can_be_taken(
    world: CrowdedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    take, failed = AccountPlaces.take, []

    def broken_once(places: AccountPlaces, account: AccountName, deadline: Deadline) -> Any:
        if not failed:
            failed.append(account)
            raise StoreError("the table does not answer")
        return take(places, account, deadline)

    monkeypatch.setattr(AccountPlaces, "take", broken_once)
    carrier = SlowTracker(world, 1.0)
    world.trackers[AccountName(NEIGHBOUR, "lme", "default")] = carrier
    parcels = world.due_parcels(1, tenant=NEIGHBOUR, carrier="lme")

    world.nudge(*parcels)
    world.clock.run(until=lambda: not world.sqs.messages[queue("polls")], hours=1)

    assert (len(failed), carrier.asked) == (1, 1)


def endpoint(world: CrowdedWorld, tenant: str, number: int = 0) -> str:
    """The address of a new endpoint."""
    url = f"https://{tenant}-{number}.example/hook"
    reply = world._request(api_event("POST /v1/webhook-endpoints", tenant=tenant, body={"url": url}))
    assert reply.status == 201, reply.text
    return url


def tell(world: CrowdedWorld, tenant: str) -> None:
    """An event happens, and is given to the tenant's endpoints as the router does."""
    event = an_event_of(f"ord_{next(_numbers)}", tenant=tenant, at=world.clock.now)
    runtime.events_table.tenant(tenant).log.add(event)
    assert runtime.fan_out.fan_out(tenant, [event]) == set()


def test_an_event_does_not_wait_for_the_endpoints_of_another_tenant(new_world: Callable[..., Any]) -> None:
    key = aws_clients.client("kms").create_key()["KeyMetadata"]["Arn"]
    world: CrowdedWorld = new_world(kind=CrowdedWorld, environment={"PARCELGATE_KMS_KEY": key})
    for number in range(10):
        hanging = endpoint(world, HOG, number)
        world.endpoints.script(hanging, [], then=SLOW)
        world.endpoints.during(hanging, lambda: world.clock.sleep(SECONDS))
    quick, answered = endpoint(world, NEIGHBOUR), []

    def answer() -> None:
        world.clock.sleep(1.0)
        answered.append(world.clock.now)

    world.endpoints.during(quick, answer)

    def one() -> Callable[[], bool]:
        before = len(answered)
        tell(world, NEIGHBOUR)
        return lambda: len(answered) > before

    alone = waited(world, one)
    tell(world, HOG)
    world.clock.run(until=lambda: len(world.endpoints.received) > 2, hours=1)

    assert waited(world, one) <= MOST * alone
    world.clock.run(until=lambda: len({each.url for each in world.endpoints.received}) == 11, hours=1)
    assert len({each.url for each in world.endpoints.received}) == 11, "each was called, in its turn"


def test_a_place_is_free_again_when_its_holder_has_died(world: CrowdedWorld) -> None:
    places = runtime.table.tenant(HOG).places("batches", "lme", "default", most=2)
    now, minute = world.clock.now, timedelta(minutes=1)

    first, second = places.take(now, now + minute), places.take(now, now + minute)

    assert first
    assert second
    assert places.take(now, now + minute) is None
    places.give_back(first)
    assert places.take(now, now + minute)
    assert places.take(now, now + minute) is None
    third = places.take(now + minute * 2, now + minute * 3)
    assert third
    places.give_back(second)
    assert places.take(now + minute * 2, now + minute * 3)
    assert places.take(now + minute * 2, now + minute * 3) is None, "a lease that is over gives nothing back"


def test_a_place_is_its_holder_s_for_some_seconds_after_the_holder_must_be_dead(world: CrowdedWorld) -> None:
    """The clock of whoever comes next may be ahead."""
    account = AccountName(NEIGHBOUR, "lme", "default")
    places = AccountPlaces(table=runtime.table, kind="trials", most=1, clock=world.clock)
    assert places.take(account, Deadline(lambda: 60.0))

    world.clock.sleep(64)
    assert places.take(account, Deadline(lambda: 60.0)) is None

    world.clock.sleep(2)
    assert places.take(account, Deadline(lambda: 60.0))


@pytest.mark.parametrize("after", [False, True])
def test_a_place_is_given_back_also_when_the_store_fails_once(world: CrowdedWorld, after: bool) -> None:
    """The account's other work would wait for the lease's end otherwise, up to minutes."""
    account = AccountName(NEIGHBOUR, "lme", "default")
    places = AccountPlaces(table=runtime.table, kind="trials", most=1, clock=world.clock)
    give_back = places.take(account, Deadline(lambda: 60.0))
    assert give_back

    world.faults.on("update_item", unavailable(after=after))
    give_back()

    assert places.take(account, Deadline(lambda: 60.0))
