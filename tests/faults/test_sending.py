"""UBI and LME, over real HTTP: an order is sent once, whatever happens to the call."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import msgspec
import pytest

from parcelgate.carriers.toolkit.transport import HttpTransport
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.ids import new_id
from parcelgate.domain.orders import LabelStatus, Order, OrderStatus
from parcelgate.http.requests.orders import read_order
from parcelgate.runtime import runtime
from parcelgate.services.orders.retry_queues import RetryMessage
from sandbox.lme.envelope import new_login
from tests.support.api import TENANT
from tests.support.bodies import BODIES, CARRIERS, lme_body, ubi_body
from tests.support.faults import Killed, die, unavailable
from tests.support.world import World

CONFIRMED, FAILED, CANCELLED, NEEDS_ATTENTION = (
    OrderStatus.CONFIRMED,
    OrderStatus.FAILED,
    OrderStatus.CANCELLED,
    OrderStatus.NEEDS_ATTENTION,
)
PROCESSING = OrderStatus.PROCESSING
CREATE = {"ubi": "orders", "lme": "create"}
QUERY = {"ubi": "queryorders", "lme": "query"}
LABEL = {"ubi": "labels", "lme": "queryLabel"}
CANCEL = {"ubi": "delete", "lme": "cancel"}
SENT = {"ubi": "ubi.orders", "lme": "lme.create"}
ASKED = {"ubi": "ubi.query_orders", "lme": "lme.detail"}


@pytest.fixture
def world(sandbox_world: World) -> World:
    return sandbox_world


def settled(world: World) -> Order:
    """The only order, once nothing is under way any more, held to the promises."""
    order = world.settle(world.only_order())
    world.assert_promises(order)
    return order


def somebody_elses(new_sandbox_world: Callable[..., World], carrier: str) -> None:
    """The carrier account has an order under our reference that we know nothing of."""
    ship_to = BODIES[carrier]()["ship_to"] | {"line1": "1 Another Street", "name": "Ada Byrd"}
    assert new_sandbox_world().create_order(BODIES[carrier](ship_to=ship_to)).status == 201


@pytest.mark.parametrize("carrier", CARRIERS)
def test_an_order_is_confirmed_in_the_request_itself(carrier: str, world: World) -> None:
    reply = world.create_order(BODIES[carrier]())

    assert reply.status == 201
    told = reply.json()
    assert told["status"] == "confirmed"
    assert all(parcel["tracking_number"] for parcel in told["parcels"])
    assert reply.headers["location"] == f"/v1/orders/{told['id']}"
    assert settled(world).label.status is LabelStatus.READY


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_refusal_is_told_at_once_kept_and_frees_the_reference(carrier: str, world: World) -> None:
    body = BODIES[carrier]("shop-SBX-REJECT")

    reply = world.create_order(body, **{"Idempotency-Key": "k-1"})

    assert (reply.status, reply.code) == (422, "refused_by_carrier")
    assert reply.json()["carrier"]["name"] == carrier
    order = settled(world)
    assert reply.json()["order_id"] == order.id
    assert order.status is FAILED
    again = world.create_order(body, **{"Idempotency-Key": "k-1"})
    assert (again.status, again.text) == (422, reply.text)
    assert again.headers["idempotent-replayed"] == "true"


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_reference_that_the_carrier_itself_refuses_is_told_so(
    carrier: str, new_sandbox_world: Callable[..., World]
) -> None:
    somebody_elses(new_sandbox_world, carrier)

    reply = new_sandbox_world().create_order(BODIES[carrier]())

    assert (reply.status, reply.code) == (422, "reference_in_use")
    assert reply.errors == {"/reference": "reference_in_use"}


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize(
    "kind",
    ["reset_before", "reset_after", "timeout", "half_body", "wrong_type", "status_500", "html_502", "429"],
)
@pytest.mark.parametrize(
    ("of", "times"), [("create", 1), ("create", 3), ("query", 1), ("query", 3), ("label", 1), ("cancel", 1)]
)
def test_whatever_fails_an_order_ends_well_and_is_bought_once_at_most(
    of: str, kind: str, times: int, carrier: str, world: World, record_property: Callable[[str, str], None]
) -> None:
    call = {"create": CREATE, "query": QUERY, "label": LABEL, "cancel": CANCEL}[of][carrier]
    if of == "query":
        # It is only asked for an order of which nobody knows.
        world.sandbox.fault(carrier, CREATE[carrier], "reset_after")
    world.sandbox.fault(carrier, call, kind, times=times, **({"retry_after": 7} if kind == "429" else {}))

    reply = world.create_order(BODIES[carrier]())
    if of == "cancel":
        reply = world.cancel_order(world.only_order())

    order = settled(world)
    assert order.status is (CANCELLED if of == "cancel" else CONFIRMED)
    bought = len(world.sandbox.bought(carrier, order.reference))
    record_property(
        "run", f"{carrier:8}{of:12}{kind:14}{times:>5}  {reply.status:<8}{order.status:17}{bought}"
    )


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("kind", ["status_500", "reset_before", "429", "unauthorized"])
def test_after_twelve_hours_a_person_is_told(
    kind: str,
    carrier: str,
    new_sandbox_world: Callable[..., World],
    record_property: Callable[[str, str], None],
) -> None:
    world = new_sandbox_world(environment={"PARCELGATE_RETRY_CAP": "3600"})
    world.sweep_seconds = 3600
    world.sandbox.fault(carrier, CREATE[carrier], kind, times=100_000)
    begun = world.clock.now

    reply = world.create_order(BODIES[carrier]())
    order = settled(world)

    assert reply.status == 202
    assert order.status is NEEDS_ATTENTION
    assert timedelta(hours=12) <= world.clock.now - begun < timedelta(hours=13)
    assert len(world.sqs.bodies(f"https://sqs.test/dead-{carrier}")) >= 1
    assert world.sandbox.bought(carrier, order.reference) == []
    record_property(
        "run", f"{carrier:8}{'create':12}{kind:14}{'ever':>5}  {reply.status:<8}{order.status:17}0"
    )


@pytest.mark.parametrize("carrier", CARRIERS)
def test_an_order_that_never_arrived_is_sent_again_only_after_two_questions_a_minute_apart(
    carrier: str, world: World
) -> None:
    world.sandbox.fault(carrier, CREATE[carrier], "reset_before")
    begun = world.clock.now

    reply = world.create_order(BODIES[carrier]())

    assert reply.status == 202
    order = settled(world)
    events = world.table.tenant(TENANT).orders.events(order.id)
    at = {event.type: event.at for event in events}
    assert at["carrier.not_found"] >= begun + timedelta(seconds=60)
    assert at["order.sent_again"] >= at["carrier.not_found"] + timedelta(seconds=60)
    creates = [place for place, call in enumerate(world.carrier_calls) if call == SENT[carrier]]
    assert len(creates) == 2
    assert world.carrier_calls[creates[0] : creates[1]].count(ASKED[carrier]) >= 2


@pytest.mark.parametrize("carrier", CARRIERS)
def test_an_order_whose_answer_was_lost_is_found_and_not_sent_again(carrier: str, world: World) -> None:
    reply = world.create_order(BODIES[carrier]("shop-SBX-LOST"))

    assert reply.status == 202
    assert settled(world).status is CONFIRMED
    assert world.carrier_calls.count(SENT[carrier]) == 1


@pytest.mark.parametrize("carrier", CARRIERS)
def test_what_the_carrier_has_under_the_reference_but_is_not_ours_is_never_adopted(
    carrier: str, new_sandbox_world: Callable[..., World]
) -> None:
    somebody_elses(new_sandbox_world, carrier)
    world = new_sandbox_world()
    world.sandbox.fault(carrier, CREATE[carrier], "reset_before")

    world.create_order(BODIES[carrier]())

    order = world.settle(world.only_order())
    assert order.status is NEEDS_ATTENTION
    assert order.problem is not None
    assert order.problem.code == "answer_mismatch"
    assert order.carrier_order_number is None, "the other order would be cancelled with ours"


def test_pieces_that_were_taken_are_cancelled_when_others_are_refused(world: World) -> None:
    body = ubi_body(parcels=3)
    body["parcels"][1]["reference"] = "piece-SBX-REJECT"

    reply = world.create_order(body)

    assert (reply.status, reply.code) == (422, "refused_by_carrier")
    assert list(reply.errors) != []
    order = settled(world)
    assert order.status is FAILED
    assert [parcel.problem is not None for parcel in order.parcels] == [False, True, False]
    assert order.tracking_numbers == ()
    assert all(entry["refunded"] for entry in world.sandbox.bought("ubi", order.reference))


def test_pieces_that_cannot_be_cancelled_now_are_cancelled_later(world: World) -> None:
    body = ubi_body(parcels=2)
    body["parcels"][1]["reference"] = "piece-SBX-REJECT"
    world.sandbox.fault("ubi", "delete", "html_502", times=2)

    assert world.create_order(body).status == 202
    assert settled(world).status is FAILED


@pytest.mark.parametrize("carrier", CARRIERS)
def test_wrong_credentials_fail_no_order_and_right_ones_let_it_go_on(carrier: str, world: World) -> None:
    wrong = {"token": "t-7", "secret": "stale"} if carrier == "ubi" else new_login()
    world.put_account(carrier, wrong)

    reply = world.create_order(BODIES[carrier]())

    assert reply.status == 202
    order = world.only_order()
    assert order.status is PROCESSING
    assert order.attention is not None
    assert order.attention.code == "carrier_unavailable"
    world.clock.after(600, lambda: world.put_account(carrier, world.sandbox.logins[carrier]))
    order = settled(world)
    assert order.status is CONFIRMED
    assert order.attention is None


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_function_dies_at_every_call_and_the_order_is_bought_once(
    carrier: str, new_sandbox_world: Callable[..., World]
) -> None:
    whole = new_sandbox_world()
    assert whole.create_order(BODIES[carrier]()).status == 201
    calls = len(whole.faults.calls)
    for n in range(1, calls + 1):
        for after in (False, True):
            reference = f"shop-{n}-{after}"
            world = new_sandbox_world()
            world.faults.at(n, die(after=after))
            with suppress(Killed):  # the router, too, may be the one that dies
                world.create_order(BODIES[carrier](reference))
            if not world.table.tenant(TENANT).orders.page(limit=2).data:
                assert world.sandbox.bought(carrier, reference) == []
                continue
            assert settled(world).status is CONFIRMED, f"died at call {n} ({world.faults.names[n - 1]})"


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_create_whose_queue_is_out_of_order_is_resumed_by_the_sweep(carrier: str, world: World) -> None:
    world.sandbox.fault(carrier, CREATE[carrier], "429")
    world.faults.on("send_message", unavailable(), target="sqs")

    assert world.create_order(BODIES[carrier]()).status == 202
    assert settled(world).status is CONFIRMED


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_carriers_answer_that_cannot_be_stored_leaves_an_order_that_goes_on(
    carrier: str, world: World
) -> None:
    """The client is told so: an error would make him send an order again that the carrier has."""
    world.faults.when(
        lambda call: call.method == "transact_write_items" and SENT[carrier] in world.carrier_calls,
        unavailable(),
        times=100,
    )

    reply = world.create_order(BODIES[carrier]())
    world.faults.forget()

    assert reply.status == 202
    assert reply.json()["id"] == world.only_order().id
    assert settled(world).status is CONFIRMED
    assert world.carrier_calls.count(SENT[carrier]) == 1


def test_a_create_gives_its_carrier_ten_seconds(world: World) -> None:
    """Its function may live longer, but the client waits for it, and so does the gateway."""
    given: list[float] = []

    def transport(deadline: Deadline) -> HttpTransport:
        given.append(deadline.remaining())
        return HttpTransport(deadline)

    runtime.use(transport=transport)

    assert world.create_order(ubi_body()).status == 201

    assert 5 < max(given) <= 10


def test_a_carrier_asks_for_time_and_gets_it_from_every_order(world: World) -> None:
    world.sandbox.fault("ubi", "orders", "429", retry_after=1800)
    begun = world.clock.now

    assert world.create_order(ubi_body("first")).status == 202
    assert world.create_order(ubi_body("second")).status == 202

    assert world.carrier_calls == ["ubi.orders"], "the second call was not made"
    for order in world.table.tenant(TENANT).orders.page(limit=3).data:
        ended = world.settle(order)
        confirmed = next(
            event
            for event in world.table.tenant(TENANT).orders.events(order.id)
            if event.type == "order.confirmed"
        )
        assert ended.status is CONFIRMED
        assert confirmed.at >= begun + timedelta(seconds=1800)


def test_a_message_of_the_queue_says_since_when_it_is_tried(world: World) -> None:
    world.sandbox.fault("lme", "create", "429")
    world.create_order(lme_body())

    (body,) = world.sqs.bodies("https://sqs.test/retry-lme")

    message = msgspec.json.decode(body, type=RetryMessage)
    order = world.only_order()
    assert (message.action, message.order_id) == ("create", order.id)
    assert message.first_attempt_at == order.created_at


# Many at once


def stored(world: World, carrier: str, *references: str) -> list[Order]:
    """Orders that are stored and not sent yet, as a batch's worker has them."""
    return [
        runtime.order_intake.accept(
            read_order(
                BODIES[carrier](reference),
                carriers=CARRIERS,
                tenant=TENANT,
                order_id=new_id("ord"),
                now=world.clock.now,
            )
        )
        for reference in references
    ]


def sent_many(world: World, orders: list[Order], seconds: float = 60) -> dict[str, OrderStatus]:
    after = world.submitter.submit_many(orders, Deadline(lambda: seconds))
    assert [order.id for order in after] == [order.id for order in orders]
    return {order.reference: order.status for order in after}


def test_orders_of_a_batch_go_out_in_one_request_and_end_each_for_itself(world: World) -> None:
    orders = stored(world, "ubi", "good", "bad-SBX-REJECT", "better")

    ended = sent_many(world, orders)

    assert ended == {"good": CONFIRMED, "bad-SBX-REJECT": FAILED, "better": CONFIRMED}
    assert world.carrier_calls == ["ubi.orders"]


def test_orders_of_a_carrier_that_takes_them_one_by_one_are_sent_one_by_one(world: World) -> None:
    orders = stored(world, "lme", "good", "bad-SBX-REJECT")

    assert sent_many(world, orders) == {"good": CONFIRMED, "bad-SBX-REJECT": FAILED}
    assert world.carrier_calls == ["lme.create", "lme.create"]


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize(
    "kind", ["reset_before", "reset_after", "half_body", "status_500", "429", "unauthorized"]
)
def test_a_batch_that_fails_as_a_whole_is_bought_once_order_by_order(
    kind: str, carrier: str, world: World
) -> None:
    orders = stored(world, carrier, "first", "second", "third")
    world.sandbox.fault(carrier, CREATE[carrier], kind, times=len(orders))

    assert set(sent_many(world, orders).values()) == {PROCESSING}

    for order in orders:
        assert world.settle(order).status is CONFIRMED
        world.assert_promises(order)


def test_a_batch_that_is_sent_twice_is_bought_once(world: World) -> None:
    orders = stored(world, "ubi", "first", "second")

    assert set(sent_many(world, orders).values()) == {CONFIRMED}
    assert set(sent_many(world, orders).values()) == {CONFIRMED}

    assert world.carrier_calls == ["ubi.orders"]


@pytest.mark.parametrize(
    ("method", "target"),
    [("transact_write_items", "dynamodb"), ("send", "carrier")],
    ids=["while it is marked", "while the carrier is called"],
)
def test_a_batch_that_two_workers_have_at_once_is_bought_once(method: str, target: str, world: World) -> None:
    orders = stored(world, "ubi", "first", "second")
    other: list[dict[str, OrderStatus]] = []
    world.faults.before(method, lambda: other.append(sent_many(world, orders)), target=target)

    sent_many(world, orders)

    assert len(other) == 1
    assert world.carrier_calls == ["ubi.orders"]
    assert {world.order(order).status for order in orders} == {CONFIRMED}


def test_what_time_does_not_suffice_for_goes_to_the_queue_unsent(world: World) -> None:
    orders = stored(world, "ubi", "first", "second")

    sent_many(world, orders, seconds=1)

    assert world.carrier_calls == []
    assert len(world.sqs.bodies("https://sqs.test/retry-ubi")) == len(orders)
    assert [world.settle(order).status for order in orders] == [CONFIRMED, CONFIRMED]


def test_a_worker_that_dies_in_a_batch_has_bought_nothing_twice(
    new_sandbox_world: Callable[..., World],
) -> None:
    whole = new_sandbox_world()
    orders = stored(whole, "ubi", "first-0", "second-0")
    before = len(whole.faults.calls)
    sent_many(whole, orders)
    for n in range(1, len(whole.faults.calls) - before + 1):
        world = new_sandbox_world()
        orders = stored(world, "ubi", f"first-{n}", f"second-{n}")
        world.faults.at(len(world.faults.calls) + n, die(after=bool(n % 2)))
        with pytest.raises(Killed):
            sent_many(world, orders)
        for order in orders:
            assert world.settle(order).status is CONFIRMED, f"died at call {n}"
            world.assert_promises(order)
