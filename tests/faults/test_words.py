"""LSO itself, over real HTTP: every steering word of the sandbox ends as the promises say.

The adapter and the transport are the real ones; only time is made up, so that nothing waits.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest

from parcelgate.carriers.accounts import Connection
from parcelgate.carriers.lso.adapter import Adapter as Lso
from parcelgate.carriers.toolkit.transport import HttpTransport
from parcelgate.domain.measures import Money
from parcelgate.domain.orders import LabelStatus, Options, Order, OrderStatus
from sandbox import Settings, serve
from tests.support.adapters import FakeVault, lso_account, lso_address, lso_parcel
from tests.support.faults import die
from tests.support.world import World

LOGIN = {"app_id": "app-7", "app_secret": "made-up"}
CONFIRMED, FAILED, NEEDS_ATTENTION = (
    OrderStatus.CONFIRMED,
    OrderStatus.FAILED,
    OrderStatus.NEEDS_ATTENTION,
)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[httpx.Client]:
    settings = Settings(accounts={"lso": {"default": LOGIN}}, processing_seconds=0, callback_interval=3600)
    with serve(settings) as url, httpx.Client(base_url=url) as client:
        yield client


@pytest.fixture(autouse=True)
def _clean(sandbox: httpx.Client) -> None:
    sandbox.post("/_sandbox/reset").raise_for_status()


@pytest.fixture
def lso_world(sandbox: httpx.Client, new_world: Callable[..., World]) -> Callable[..., World]:
    def make(**overrides: Any) -> World:
        account = lso_account(
            base_url=str(sandbox.base_url.join("/lso")), credentials=LOGIN, overrides=overrides
        )
        vault = FakeVault(None)

        def adapter(world: World) -> Lso:
            transport = world.faults.wrap(HttpTransport(), "carrier")
            return Lso(Connection(account, send=transport, tokens=vault, clock=world.clock))

        # Nobody listens there: the flow has to do without the callback.
        return new_world(carrier=adapter, environment={"PARCELGATE_WEBHOOK_BASE_URL": "http://127.0.0.1:9"})

    return make


def place(world: World, reference: str, boxes: int = 1, **facts: Any) -> Order:
    parcels = tuple(lso_parcel(f"{reference}-{n}") for n in range(1, boxes + 1))
    return world.start_order(reference, parcels=parcels, ship_to=lso_address(), **facts)


def assert_ledger(sandbox: httpx.Client, world: World, *orders: Order) -> None:
    ledger = sandbox.get("/_sandbox/ledger").json()["lso"]
    assert ledger["duplicates"] == {}
    for order in orders:
        world.assert_promises(order)
        entries = [entry for entry in ledger["orders"] if entry["reference"] == order.reference]
        assert len(entries) <= 1, "bought twice"
        ended = world.order(order)
        if ended.status is FAILED:
            assert [entry["held"] for entry in entries] in ([], ["0.00"]), "money is held"
        if ended.status is CONFIRMED:
            assert entries[0]["order_number"] == ended.carrier_order_number
            assert entries[0]["refunded"] is False
            numbers = [parcel["tracking_number"] for parcel in entries[0]["parcels"]]
            assert list(ended.tracking_numbers) == numbers


@pytest.mark.parametrize(
    ("word", "status", "problem"),
    [
        ("plain", CONFIRMED, None),
        ("SBX-REJECT", FAILED, "refused_by_carrier"),
        ("SBX-FAIL", FAILED, "refused_by_carrier"),
        ("SBX-FAIL-SBX-PENDING-2", FAILED, "refused_by_carrier"),
        ("SBX-PENDING-5", CONFIRMED, None),
        ("SBX-NOLABEL-3", CONFIRMED, None),
        ("SBX-NOCALLBACK", CONFIRMED, None),
        ("SBX-LOST", CONFIRMED, None),
        ("SBX-LOST-SBX-FAIL", FAILED, "refused_by_carrier"),
        # The first two calls are not carried out, the commit among them, and LSO is not sent it again.
        ("SBX-5XX-2", NEEDS_ATTENTION, "outcome_unknown"),
        ("SBX-GARBAGE", CONFIRMED, None),
        ("SBX-SPOILT-2", CONFIRMED, None),
        ("SBX-LABELURL", CONFIRMED, None),
        ("SBX-DISORDER", CONFIRMED, None),
        ("SBX-EARLYCALLBACK", CONFIRMED, None),
        ("SBX-LIAR", FAILED, "refused_by_carrier"),
        ("SBX-RESULT-401", CONFIRMED, None),
        ("SBX-RESULT-404", CONFIRMED, None),
        ("SBX-RESULT-500", CONFIRMED, None),
        ("SBX-RESULT-HTMLx3", CONFIRMED, None),
        ("SBX-RESULT-4711", FAILED, "refused_by_carrier"),
    ],
)
def test_an_order_ends_as_its_word_says(
    word: str,
    status: OrderStatus,
    problem: str | None,
    lso_world: Callable[..., World],
    sandbox: httpx.Client,
) -> None:
    world = lso_world()
    order = place(world, f"shop-{word}", boxes=2)

    ended = world.settle(order)

    assert ended.status is status
    assert (ended.problem.code if ended.problem else None) == problem
    if status is CONFIRMED:
        assert ended.label.status is LabelStatus.READY
        assert len(ended.label.parcels) == 2
    assert_ledger(sandbox, world, order)


def test_a_label_that_is_never_one_leaves_the_order_confirmed(
    lso_world: Callable[..., World], sandbox: httpx.Client
) -> None:
    world = lso_world()
    order = place(world, "shop-SBX-BADLABEL")
    ended = world.settle(order)
    assert (ended.status, ended.label.status) == (CONFIRMED, LabelStatus.UNAVAILABLE)
    assert_ledger(sandbox, world, order)


def test_an_account_that_allows_it_is_sent_a_lost_commit_again(
    lso_world: Callable[..., World], sandbox: httpx.Client
) -> None:
    world = lso_world(resend_when_not_found=True)
    order = place(world, "shop-SBX-5XX-2")
    assert world.settle(order).status is CONFIRMED
    assert_ledger(sandbox, world, order)


def test_an_order_over_max_price_is_not_committed(
    lso_world: Callable[..., World], sandbox: httpx.Client
) -> None:
    world = lso_world()
    order = place(world, "shop-dear", options=Options(max_price=Money(Decimal("0.01"), "USD")))
    ended = world.settle(order)
    assert ended.problem is not None
    assert (ended.status, ended.problem.code) == (FAILED, "price_above_max")
    assert sandbox.get("/_sandbox/ledger").json()["lso"]["orders"] == []


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("word", ["plain", "SBX-FAIL", "SBX-LOST"])
def test_a_function_that_dies_at_any_call_to_lso_leaves_the_ledger_clean(
    word: str, after: bool, lso_world: Callable[..., World], sandbox: httpx.Client
) -> None:
    rehearsal = lso_world()
    rehearsal.settle(place(rehearsal, f"shop-{word}"))
    sends = [n for n, name in enumerate(rehearsal.faults.names, 1) if name == "carrier.send"]
    assert len(sends) >= 4

    for n in sends:
        world = lso_world()
        world.faults.at(n, die(after=after))
        order = place(world, f"shop-{word}-{n}")
        world.settle(order)
        assert_ledger(sandbox, world, order)
