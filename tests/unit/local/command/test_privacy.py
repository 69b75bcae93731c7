"""`parcelgate privacy`: one recipient's data, given out and erased."""

import json
import stat
from pathlib import Path
from typing import Any

import msgspec
import pytest

from local.command.recipients import Recipient
from parcelgate.domain.orders import Order, OrderStatus
from parcelgate.domain.places.addresses import Address
from parcelgate.domain.trackings import Customer
from tests.support.aggregator import FakeAggregator
from tests.support.orders import an_event, an_order
from tests.support.served import ServedWorld
from tests.support.trackings import a_followed
from tests.support.world import World
from tests.unit.local.command.conftest import Run

ADA = Address(
    name="Ada Núñez Byrd",
    line1="401 Congress Ave",
    city="Austin",
    state="TX",
    postcode="78701-1234",
    country="US",
    phone="+1 (512) 555-0142 ext. 7",
    email="Ada@Example.com",
)
BOB = Address(name="Bob Byrd", line1="1 Main St", city="Austin", postcode="78701", country="US")


@pytest.fixture
def world(served_world: ServedWorld) -> World:
    with served_world.hold() as world:
        return world


def stored(world: World, reference: str, to: Address, **more: Any) -> Order:
    facts = {"status": OrderStatus.CANCELLED, "watch_at": None} | more
    order = an_order(reference=reference, ship_to=to, **facts)
    world.table.tenant("acme").orders.add(order, an_event())
    return order


@pytest.mark.parametrize(
    "known",
    [
        {"email": " ada@example.COM"},
        {"phone": "512.555.0142"},
        {"phone": "0015125550142"},
        {"name": "byrd ada NUNEZ", "postcode": "78701"},
        {"name": "Ada Núñez Byrd", "postcode": "787011234"},
        {"reference": "A-1"},
        {"email": "ada@example.com", "phone": "5125550142"},
    ],
)
def test_a_recipient_is_known_in_any_spelling(known: dict[str, str]) -> None:
    person = Recipient(**known)
    assert person.has(shown(ADA))
    assert not person.has(shown(BOB, reference="B-1"))


@pytest.mark.parametrize(
    "known",
    [
        {},
        {"email": "ada@example.org"},
        {"phone": "555-0143"},
        {"phone": "0142"},
        {"name": "Ada Byrd", "postcode": "78701"},
        {"name": "Ada Núñez Byrd", "postcode": "78702"},
        {"email": "ada@example.com", "phone": "5125550143"},
    ],
)
def test_nobody_else_is_taken_for_them(known: dict[str, str]) -> None:
    assert not Recipient(**known).has(shown(ADA))


@pytest.mark.parametrize(
    ("known", "country", "held"),
    [
        ("512 555 0142", "US", "212 555 0142"),
        ("+1 512 555 0142", "US", "(412) 555-0142"),
        ("555 0142", "US", "+1 512 555 0142"),
        ("5550142", "US", "212 555 0142"),
        ("138 1234 5678", "CN", "158 1234 5678"),
        ("98765 43210", "IN", "+91 88765 43210"),
        ("0113 496 0000", "GB", "0213 496 0000"),
    ],
)
def test_numbers_that_merely_end_alike_are_those_of_two_people(known: str, country: str, held: str) -> None:
    other = msgspec.structs.replace(ADA, country=country, phone=held)
    assert not Recipient(phone=known).has(shown(other))
    assert not Recipient(phone=held).has(shown(msgspec.structs.replace(other, phone=known)))


@pytest.mark.parametrize(
    ("country", "one", "other"),
    [
        ("GB", "07911 123456", "+44 7911 123456"),
        ("GB", "07911 123456", "0044 7911 123456"),
        ("GB", "+44 (0) 7911 123456", "7911123456"),
        ("FR", "06 12 34 56 78", "+33 6 12 34 56 78"),
        ("DK", "12 34 56 78", "+45 12345678"),
        ("AU", "0412 345 678", "+61 412 345 678"),
        ("NZ", "021 123 4567", "+64 21 123 4567"),
        ("IS", "555 1234", "+354 555 1234"),
        ("CN", "138 1234 5678", "+86 138 1234 5678"),
        ("US", "512-555-0142 x7", "1 512 555 0142"),
        ("GB", "\uff10\uff17\uff19\uff11\uff11 123456", "+447911123456"),
    ],
)
def test_a_number_is_the_same_with_and_without_its_countrys_prefix(
    country: str, one: str, other: str
) -> None:
    for known, held in ((one, other), (other, one), (one, one)):
        assert Recipient(phone=known).has(shown(msgspec.structs.replace(ADA, country=country, phone=held)))


def shown(address: Address, reference: str = "A-1") -> dict[str, Any]:
    names = Address.__struct_fields__
    return {"reference": reference, "ship_to": {name: getattr(address, name) for name in names}}


def test_all_of_a_recipient_is_written_for_you_alone(world: World, run: Run, tmp_path: Path) -> None:
    mine = [stored(world, f"A-{number}", ADA, metadata={"note": "a gift"}) for number in range(2)]
    stored(world, "B-1", BOB)
    followed = a_followed("LK1CN", customer=Customer(name="Ada", email="ada@example.com"))
    world.table.tenant("acme").trackings.add(followed)
    world.table.tenant("acme").trackings.add(a_followed("LK2CN", order_id=mine[0].id))
    file = tmp_path / "ada.json"

    done = run("privacy", "export", "--email", "ada@example.com", "-o", str(file), "--json")

    assert done.exit_code == 0, done.output
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    content = json.loads(file.read_text())
    assert {each["order"]["id"] for each in content["orders"]} == {order.id for order in mine}
    assert [each["id"] for each in content["trackings"]] == [followed.id]
    assert content["orders"][0]["order"]["metadata"] == {"note": "a gift"}
    assert content["orders"][0]["audit_trail"]
    assert json.loads(done.stdout)["file"] == str(file)
    assert "3 orders looked at, 2 found" in done.stderr
    assert "1 tracking without an order looked at, 1 found" in done.stderr
    again = run("privacy", "export", "--email", "ada@example.com", "-o", str(file))
    assert (again.exit_code, "there already" in again.stderr) == (2, True)


def test_a_recipient_is_shown_and_erased_after_a_yes(world: World, run: Run) -> None:
    mine = [stored(world, f"A-{number}", ADA) for number in range(2)]
    other = stored(world, "B-1", BOB)
    words = ("privacy", "erase", "--name", "Ada Núñez Byrd", "--postcode", "78701")

    refused = run(*words, input="n\n")
    assert refused.exit_code == 1
    assert "Ada Núñez Byrd" in refused.stderr
    assert world.order(mine[0]) == mine[0]

    done = run(*words, input="y\n")
    assert done.exit_code == 0, done.output
    assert done.output.index("\terased") < done.output.index("Ends by itself")
    assert [world.order(order).ship_to.name for order in mine] == ["erased", "erased"]
    assert world.order(other) == other
    again = run(*words)
    assert (again.exit_code, "Nothing is held" in again.stderr) == (5, True)
    shown = run("orders", "get", mine[0].id).stdout
    assert "erased" in shown
    assert "Ada" not in shown


def test_what_was_erased_can_be_named_and_erased_again(world: World, run: Run) -> None:
    order = stored(world, "A-1", ADA)
    for _ in range(2):
        done = run("privacy", "erase", "--order", order.id, "--yes", "--json")
        assert json.loads(done.stdout) == [{"id": order.id, "result": "erased", "refused": False}]
    assert "30 days" in done.stderr


def test_an_order_that_still_needs_its_address_is_told_and_holds_up_nothing(world: World, run: Run) -> None:
    alive = stored(world, "A-1", ADA, status=OrderStatus.NEEDS_ATTENTION)
    done = stored(world, "A-2", ADA)
    words = ("privacy", "erase", "--phone", "512 555 0142", "--yes", "--json")

    told = run(*words)
    assert told.exit_code == 1
    results = {row["id"]: row for row in json.loads(told.stdout)}
    assert results[alive.id]["refused"]
    assert "needs a person" in results[alive.id]["result"]
    assert not results[done.id]["refused"]
    assert run("privacy", "erase", "--order", alive.id, "--yes", "--force").exit_code == 0
    assert world.order(alive).ship_to.name == "erased"


def test_a_parcel_without_an_order_is_forgotten(world: World, run: Run) -> None:
    followed = a_followed("LK1CN", customer=Customer(email="ada@example.com"))
    store = world.table.tenant("acme").trackings
    store.add(followed)
    world.put_account("trackingmore", {"api_key": "k", "email": "shop@example.com"})
    with FakeAggregator().in_place():
        done = run("privacy", "erase", "--email", "ada@example.com", "--yes", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == [{"id": followed.id, "result": "forgotten", "refused": False}]
    assert store.many([followed.id]) == []


def test_lists_that_commands_print_name_nobody(world: World, run: Run) -> None:
    """They end in logs of scripts. One order, looked at, shows whom it goes to."""
    order = stored(world, "A-1", ADA, status=OrderStatus.NEEDS_ATTENTION, metadata={"note": ADA.line1})
    for words in (("orders", "list"), ("attention", "list"), ("events", "list"), ("track", order.id)):
        done = run(*words)
        assert not [mark for mark in ("Byrd", "Congress", "555", "ada@") if mark in done.output], words
    assert "Byrd" in run("orders", "get", order.id).output


def test_it_must_be_said_who_it_is(run: Run) -> None:
    for words in (
        (),
        ("--name", "Ada Byrd"),
        ("--postcode", "78701"),
        ("--email", ""),
        ("--email", "a@b.example", "--order", "ord_1"),
    ):
        assert run("privacy", "erase", *words, "--yes").exit_code == 2, words
