"""`parcelgate orders` and `parcelgate track`: an order's life, from the terminal."""

import json
from pathlib import Path

import pytest
from rich.console import Console

from local.command import access, rendering
from local.command.groups import tracking
from parcelgate.domain.orders import OrderStatus
from tests.support.api import order_body
from tests.support.fake_carriers import Behaviour
from tests.support.served import ServedWorld
from tests.support.trackings import seen
from tests.unit.local.command.conftest import Run


@pytest.fixture(autouse=True)
def _account(served_world: ServedWorld) -> None:
    with served_world.hold() as world:
        world.secrets.texts["parcelgate/acme/lso/default"] = '{"credentials": {}}'


def a_file(folder: Path, reference: str = "shop-17") -> str:
    file = folder / "order.json"
    file.write_text(json.dumps(order_body(reference)))
    return str(file)


def test_an_order_is_created_and_waited_for(run: Run, tmp_path: Path) -> None:
    done = run("orders", "create", a_file(tmp_path), "--wait", "--json")

    assert done.exit_code == 0, done.output
    order = json.loads(done.stdout)
    assert order["status"] == "confirmed"
    shown = run("orders", "get", order["id"]).stdout
    for word in (order["id"], "shop-17", "confirmed", "9.90 USD", *order["tracking_numbers"]):
        assert word in shown
    listed = run("orders", "list", "--reference", "shop-17").stdout
    assert listed.split("\t")[0] == order["id"]
    trail = json.loads(run("orders", "get", order["id"], "--events", "--json").stdout)
    assert "confirmed" in [each["to"] for each in trail]


def test_an_order_that_fails_ends_the_command_with_1(
    served_world: ServedWorld, run: Run, tmp_path: Path
) -> None:
    with served_world.hold() as world:
        world.carrier.behaviour = Behaviour(fails=True)
    done = run("orders", "create", a_file(tmp_path), "--wait")
    assert done.exit_code == 1
    assert "problem" in done.stdout


def test_one_key_creates_one_order(run: Run, tmp_path: Path) -> None:
    words = ("orders", "create", a_file(tmp_path), "--idempotency-key", "k-1", "--json")
    first, second = (json.loads(run(*words).stdout) for _ in range(2))
    assert first["id"] == second["id"]


def test_what_is_wrong_with_an_order_is_told_with_its_places(run: Run, tmp_path: Path) -> None:
    done = run("orders", "create", "-", input='{"carrier": "lso"}')
    assert done.exit_code == 1
    assert "/parcels: Is required." in done.stderr
    for text, words in (("{", "not JSON: line 1"), ("", "not JSON")):
        done = run("orders", "create", "-", input=text)
        assert (done.exit_code, words in done.stderr) == (2, True)
    done = run("orders", "create", str(tmp_path / "none.json"))
    assert (done.exit_code, "cannot be read" in done.stderr) == (2, True)


def test_orders_are_cancelled_and_each_refusal_is_told(served_world: ServedWorld, run: Run) -> None:
    with served_world.hold() as world:
        order = world.settle(world.start_order())
    done = run("orders", "cancel", order.id, "ord_unknown", "--json")
    assert done.exit_code == 1
    first, second = json.loads(done.stdout)
    assert (first["id"], first["refused"]) == (order.id, False)
    assert (second["id"], second["refused"]) == ("ord_unknown", True)
    assert "1 of 2 were refused" in done.stderr
    with served_world.hold() as world:
        assert world.order(order).status in (OrderStatus.CANCELLING, OrderStatus.CANCELLED)


def test_the_timelines_of_an_order_are_drawn(served_world: ServedWorld, run: Run) -> None:
    with served_world.hold() as world:
        order = world.settle(world.start_order())
    number = order.parcels[0].tracking_number
    for target in (order.id, str(number)):
        drawn = run("track", target)
        assert drawn.exit_code == 0, drawn.output
        assert drawn.stdout.startswith(f"{number}  lso  pending")
    (parcel,) = json.loads(run("track", order.id, "--json").stdout)
    assert run("track", parcel["id"]).stdout == drawn.stdout
    assert run("track", "nobodys").exit_code == 5


@pytest.mark.parametrize("terminal", [False, True])
def test_a_parcel_is_watched_until_it_has_arrived(
    terminal: bool, served_world: ServedWorld, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served_world.hold() as world:
        (parcel,) = world.due_parcels()
    number = parcel.tracking_number
    looks = []

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        assert len(looks) < 10, "the parcel never arrived"
        with served_world.hold() as world:
            world.tracker().reports(number, seen("delivered" if len(looks) > 1 else "in_transit"))
            world.clock.now = max(world.clock.now, world.next_poll(parcel) or world.clock.now)
            world.poll()

    monkeypatch.setattr(access, "sleep", sleep)
    monkeypatch.setattr(rendering, "out", Console(force_terminal=terminal, width=120))
    monkeypatch.setattr(tracking, "out", rendering.out)

    done = run("track", number, "--watch", "--interval", "3")

    assert done.exit_code == 0, done.output
    assert set(looks) == {3.0}
    newest = done.stdout[done.stdout.rindex("●") :]
    assert newest.index("delivered") < newest.index("in_transit")
