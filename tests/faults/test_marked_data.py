"""Promise 8: marked names, addresses, keys and secrets go in everywhere, and come out nowhere.

The real functions take orders with marked addresses through accounts with marked logins, while everything
that can fail fails with a message that quotes them all. Then the marks are looked for in what was logged,
counted, queued, announced, given to the state machine, raised and answered, on pages that are open, and in
what an operator looks at.
"""

import io
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import ClientError

from functions.authorize.handler import handler as authorize
from parcelgate.carriers.results import ParcelHistory
from parcelgate.domain.orders import Order, OrderStatus
from parcelgate.domain.places.addresses import Address
from parcelgate.domain.trackings import Saying, Source, TrackingEvent, TrackingStatus
from parcelgate.observability.logs import log
from parcelgate.runtime import runtime
from parcelgate.services.accounts import api_keys
from parcelgate.services.orders import problems
from tests.support.api import TENANT, Body, Context, call
from tests.support.bodies import BODIES, CARRIERS
from tests.support.fake_carriers import Behaviour
from tests.support.faults import Fault, fails_with
from tests.support.orders import an_event, an_order
from tests.support.served import DEAD_LETTERS
from tests.support.table import all_items
from tests.support.world import World, events_name

PERSON = {
    "name": "Zqname Zqfamily",
    "company": "Zqcompany",
    "phone": "0499887766",
    "email": "zqmail@example.com",
    "line1": "77 Zqstreet",
    "line2": "Unit Zqunit",
    "city": "Zqcity",
}
SECRET = "zqsecretzqsecretzqsecret"
MARKS = (
    "Zqname",
    "Zqfamily",
    "Zqcompany",
    "0499887766",
    "zqmail",
    "Zqstreet",
    "Zqunit",
    "Zqcity",
    "zqsecret",
)
EVERYTHING = " ".join((*PERSON.values(), SECRET))
ADDRESS = Address(**PERSON, state="TX", postcode="78701", country="US")


class Watched(World):
    """A world that remembers what its functions answered and raised."""

    @property
    def said(self) -> list[str]:
        found: list[str] = self.__dict__.setdefault("_said", [])
        return found

    def _function(self, name: str) -> Callable[[dict[str, Any]], Any]:
        call = super()._function(name)

        def watched(event: dict[str, Any]) -> Any:
            try:
                answer = call(event)
            except BaseException as error:
                self.said.append(f"{name}: {type(error).__name__}: {error} {error.__cause__} {error.args}")
                raise
            # An order's own client is shown its address; nobody else is.
            if not (isinstance(answer, dict) and answer.get("statusCode", 500) < 400):
                self.said.append(f"{name}: {json.dumps(answer, default=str)}")
            return answer

        return watched


@pytest.fixture
def watched(new_sandbox_world: Callable[..., Watched]) -> Callable[..., Watched]:
    def make(**how: Any) -> Watched:
        made = new_sandbox_world(kind=Watched, **how)
        made.sweep_seconds = 3600
        return made

    return make


@pytest.fixture
def logged(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> Iterator[Callable[[], str]]:
    """All that went into logs and metrics, by our own logger or by anybody's."""
    stream = io.StringIO()
    handler = log.registered_handler
    before = handler.setStream(stream)
    yield lambda: stream.getvalue() + "".join(capsys.readouterr()) + caplog.text
    if before is not None:
        handler.setStream(before)


def body(carrier: str, reference: str) -> Body:
    made = BODIES[carrier](reference)
    for side in ("ship_to", "ship_from"):
        made[side] = made[side] | PERSON
    return made | {"metadata": {"note": EVERYTHING}}


def places(world: Watched) -> dict[str, str]:
    """Everything that is not for the order's own client, by what it is."""
    executions = world.machine.executions.values()
    told = all_items(world._dynamodb, events_name(world._table_name))
    return {
        "queues and dead letters": json.dumps(world.sqs.messages, default=str),
        "events": json.dumps(world.events.entries, default=str),
        "state machine": " ".join(f"{one.name} {one.input} {vars(one)}" for one in executions),
        "answers and errors": "\n".join(world.said),
        "names of documents": " ".join(world.s3.objects),
        "keys of the tables": json.dumps([_beside_the_document(item) for item in [*world.items(), *told]]),
        "figures": json.dumps([item for item in world.items() if item["sk"]["S"] == "COUNTED"], default=str),
        "audit trail": " ".join(
            item["doc"]["S"] for item in world.items() if item["sk"]["S"].startswith("EVENT")
        ),
    }


def _beside_the_document(item: dict[str, Any]) -> dict[str, str]:
    """All attributes of an item, save those that hold what a client or a carrier has said."""
    said = ("doc", "body", "headers", "answer", "brand", "secret")
    return {name: str(value) for name, value in item.items() if name not in said}


def assert_unmarked(where: dict[str, str]) -> None:
    found = [
        f"{name}: ...{text[max(0, text.index(mark) - 90) : text.index(mark) + 60]}..."
        for name, text in where.items()
        for mark in MARKS
        if mark in text
    ]
    assert found == []


def lives(world: Watched, carrier: str, reference: str) -> None:
    """An order from its create to its cancellation, whatever fails."""
    with suppress(Exception):
        world.create_order(body(carrier, reference), **{"Idempotency-Key": SECRET})
    with suppress(Exception):
        order = world.only_order()
        world.settle(order, hours=2)
        world.cancel_order(order)
        world.settle(order, hours=14)


WORDS = ("plain", "SBX-REJECT", "SBX-LOST", "SBX-GARBAGE", "SBX-5XX-1", "SBX-BADLABEL")


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("word", WORDS)
def test_promise_8_no_mark_gets_out_of_an_orders_life(
    word: str, carrier: str, watched: Callable[[], Watched], logged: Callable[[], str]
) -> None:
    world = watched()

    lives(world, carrier, f"shop-{word}")

    text = logged()
    assert '"level"' in text or "_aws" in text, "nothing was logged, so nothing was looked at"
    assert_unmarked(places(world) | {"logs and metrics": text})


def aws_says(code: str) -> Fault:
    """An AWS call fails with a message that quotes everything."""
    error = ClientError(
        {"Error": {"Code": code, "Message": EVERYTHING}, "CancellationReasons": []}, "Anything"
    )
    return fails_with(error)


TROUBLES = {
    "an error of ours": lambda: fails_with(RuntimeError(EVERYTHING)),
    "an error of AWS": lambda: aws_says("ValidationException"),
    "an error with an error": lambda: fails_with(ExceptionGroup(EVERYTHING, [ValueError(EVERYTHING)])),
}


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("target", ["dynamodb", "sqs", "s3", "carrier", "secrets"])
def test_promise_8_no_mark_gets_out_of_what_fails_with_a_message_that_quotes_it(
    target: str, trouble: str, watched: Callable[[], Watched], logged: Callable[[], str]
) -> None:
    for nth in (1, 2, 4):
        for how in ({}, {"sandbox": None}):
            world = watched(**how)
            calls = iter(range(1, 10_000))
            world.faults.when(
                lambda call, calls=calls, nth=nth: call.target == target and next(calls) == nth,
                TROUBLES[trouble](),
            )
            if how:
                with suppress(Exception):
                    world.settle(world.start_order(f"lso-{nth}", ship_to=ADDRESS), hours=1)
            else:
                lives(world, "ubi", f"shop-{nth}")
            world.faults.forget()
            assert_unmarked(places(world) | {"logs and metrics": logged()})


def test_promise_8_no_mark_gets_out_of_an_lso_orders_flow(
    watched: Callable[[], Watched], logged: Callable[[], str]
) -> None:
    world = watched(sandbox=None)
    world.carrier.behaviour = Behaviour(fails=True, refund_troubles=2)
    world.settle(
        world.start_order("lso-1", ship_to=ADDRESS, ship_from=ADDRESS, metadata={"note": EVERYTHING})
    )
    (url,) = world.carrier.urls

    token = url.rpartition("/")[2]
    where = places(world) | {"logs and metrics": logged()}
    assert_unmarked(where)
    assert all(token not in text for text in where.values())
    assert token not in json.dumps(world.items(), default=str), (
        "the callback's token is stored only as a hash"
    )


@pytest.mark.parametrize("carrier", CARRIERS)
def test_promise_8_the_logins_of_an_account_get_out_nowhere(
    carrier: str, watched: Callable[[], Watched], logged: Callable[[], str]
) -> None:
    """Also where they are wrong and the carrier says so."""
    world = watched()
    login = "wqloginwqloginwqlogin"
    wrong = {name: f"{login}{place}" for place, name in enumerate(world.sandbox.logins[carrier])}
    world.put_account(carrier, wrong)

    lives(world, carrier, "shop-1")

    where = places(world) | {"logs": logged(), "table": json.dumps(world.items(), default=str)}
    assert [name for name, text in where.items() if login in text] == []
    assert_unmarked({name: text for name, text in where.items() if name != "table"})


def test_promise_8_an_api_key_gets_out_nowhere(
    watched: Callable[[], Watched], logged: Callable[[], str]
) -> None:
    world = watched()
    key = api_keys.create(world.table, "acme", ["orders:read"], "a key")
    secret = key.rpartition("_")[2]
    runtime.use(table=world.table)

    answers = [
        authorize({"headers": {"authorization": f"Bearer {one}"}}, Context())
        for one in (key, f"{key}x", secret)
    ]

    said = json.dumps(answers) + logged() + json.dumps(world.items(), default=str)
    assert secret not in said


def marked_journey(world: Watched) -> Order:
    """A confirmed order, and a parcel about which its carrier says everything that it knows."""
    created = world.create_order(body("ubi", "shop-1"))
    assert created.status == 201, created.text
    order = world.settle(world.only_order(), hours=2)
    (tracking_id,) = order.tracking_ids
    at = world.clock.now
    seen = TrackingEvent(
        at=at,
        code="POD",
        description=f"Left at {PERSON['line1']}, signed by {PERSON['name']}",
        status=TrackingStatus.DELIVERED,
        place=f"{PERSON['line1']}, {PERSON['line2']}",
        city="77 Zqcity",
        country="US",
    )
    history = ParcelHistory(
        tracking_number="N1",
        events=(seen,),
        signed_by=Saying(at, PERSON["name"]),
        estimated_delivery=Saying(at, f"call {PERSON['phone']}"),
    )
    runtime.timelines.take(order.tenant, tracking_id, history, Source.POLL)
    world.stream()
    return order


def test_promise_8_no_mark_is_on_a_page_that_is_open(watched: Callable[[], Watched]) -> None:
    """The recipient's page in each language and as data, and the answer to a wrong token."""
    world = watched()
    order = marked_journey(world)
    shown = call("GET /v1/orders/{id}", id=order.id).json()
    parcel = call("GET /v1/orders/{id}/tracking", id=order.id).json()["data"][0]
    assert "Zqstreet" in json.dumps(parcel), "its own client is shown it"
    where = {"health": call("GET /v1/health").text}
    for page in (shown["links"]["tracking_page"], parcel["tracking_page"]):
        token = page.rpartition("/")[2]
        for language in ("en", "de", "es", "fr", "zh"):
            reply = call("GET /track/{token}", token=token, query={"lang": language})
            assert reply.status == 200
            where[f"page in {language}"] = reply.text
        as_data = call("GET /track/{token}", token=token, headers={"accept": "application/json"})
        assert as_data.json()["status"] == "delivered"
        where["page as data"] = as_data.text
        where["wrong page"] = call("GET /track/{token}", token=f"{token}x").text

    assert_unmarked(where)


def test_promise_8_no_mark_is_in_what_an_operator_looks_at(
    watched: Callable[[], Watched], logged: Callable[[], str]
) -> None:
    """Lists of trouble, parked webhooks, dead letters, figures and accounts name orders by their ids."""
    world = watched(environment=DEAD_LETTERS)
    marked_journey(world)
    world.table.tenant(TENANT).inbox.put(
        carrier="lme",
        account="default",
        body=EVERYTHING.encode(),
        headers={"x-proof": SECRET},
        now=world.clock.now,
        parked="not_json",
    )
    lost = an_order(
        reference="lost-1",
        ship_to=ADDRESS,
        metadata={"note": EVERYTHING},
        status=OrderStatus.NEEDS_ATTENTION,
        problem=problems.unknown(None),
        watch_at=None,
    )
    world.table.tenant(TENANT).orders.add(lost, an_event())
    for queue in ("retry-ubi", "changes"):
        job = {"tenant": TENANT, "order_id": lost.id, "action": "create"}
        world.sqs.send_message(QueueUrl=f"https://sqs.test/letters-{queue}", MessageBody=json.dumps(job))

    attention = call("GET /v1/attention", query={"limit": "100"})
    assert lost.id in attention.text
    inbox = call("GET /v1/inbox")
    (parked,) = inbox.json()["data"]
    replies = {
        "attention": attention,
        "inbox": inbox,
        "parked webhook": call("GET /v1/inbox/{id}", id=parked["id"]),
        "dead letters": call("GET /v1/dead-letters"),
        "figures": call("GET /v1/stats", query={"by": "day,carrier,service"}),
        "accounts": call("GET /v1/carrier-accounts"),
    }
    assert {name: reply.status for name, reply in replies.items()} == dict.fromkeys(replies, 200)
    assert_unmarked({name: reply.text for name, reply in replies.items()} | {"logs": logged()})
