"""A carrier account that is wrong loses no order, on whichever way in: the order waits until it is mended."""

import json
from typing import Any

import pytest

from parcelgate.domain.orders import LabelStatus, OrderStatus
from tests.support.api import TENANT
from tests.support.bodies import BODIES, CARRIERS
from tests.support.world import World

BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "no credential of that name": ({"credentials": {"foo": "s3cret"}}, "is missing"),
    "a credential of a wrong type": ({"credentials": {"app_key": 7, "token": 7}}, "credentials must be"),
    "no such override": ({"overrides": {"s3cret": 1}}, "overrides has an unknown field"),
    "an override that cannot be": ({"overrides": {"default_time_zone": "s3cret"}}, "no such zone"),
    "no address": ({"base_url": "s3cret"}, "base_url must be"),
    "no limits": ({"limits": {"rate": "s3cret"}}, "limits must be"),
    "a sender that cannot be": ({"ship_from": {"name": 7}}, "ship_from must be"),
}


@pytest.fixture
def world(sandbox_world: World) -> World:
    return sandbox_world


@pytest.fixture(autouse=True)
def nothing_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parcelgate.carriers.accounts._CACHE_SECONDS", 0.0)


def broken(world: World, carrier: str, content: dict[str, Any]) -> str:
    """Break the carrier's account; what it was."""
    name = f"parcelgate/{TENANT}/{carrier}/default"
    before = world.secrets.texts[name]
    world.secrets.texts[name] = json.dumps({**json.loads(before), **content})
    return before


def mended(world: World, carrier: str, before: str) -> None:
    world.secrets.texts[f"parcelgate/{TENANT}/{carrier}/default"] = before


@pytest.mark.parametrize("what", BROKEN)
@pytest.mark.parametrize("carrier", CARRIERS)
def test_an_order_waits_says_why_and_goes_on_when_the_account_is_mended(
    carrier: str, what: str, world: World
) -> None:
    content, words = BROKEN[what]
    before = broken(world, carrier, content)

    reply = world.create_order(BODIES[carrier]())

    assert reply.status == 202, reply.text
    attention = reply.json()["attention"]
    assert attention["code"] == "carrier_unavailable"
    assert f"The account default of carrier {carrier} is wrong: " in attention["detail"]
    assert words in attention["detail"]
    last_error = reply.json()["waiting"]["last_error"]
    assert last_error["code"] == "account_unusable"
    assert words in last_error["message"]
    assert "s3cret" not in reply.text
    assert world.carrier_calls == []
    mended(world, carrier, before)
    order = world.settle(world.only_order())
    world.assert_promises(order)
    assert order.status is OrderStatus.CONFIRMED
    assert order.attention is None
    assert order.label.status is LabelStatus.READY


@pytest.mark.parametrize("carrier", CARRIERS)
def test_text_that_is_no_json_is_an_account_that_is_wrong(carrier: str, world: World) -> None:
    name = f"parcelgate/{TENANT}/{carrier}/default"
    world.secrets.texts[name] = "s3cret, not JSON"
    reply = world.create_order(BODIES[carrier]())
    assert reply.status == 202, reply.text
    assert "the secret is not JSON" in reply.json()["attention"]["detail"]


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_cancellation_waits_for_the_account(carrier: str, world: World) -> None:
    world.create_order(BODIES[carrier]())
    order = world.settle(world.only_order())
    before = broken(world, carrier, {"credentials": {"foo": "x"}})

    assert world.cancel_order(order).status == 202

    mended(world, carrier, before)
    assert world.settle(world.order(order)).status is OrderStatus.CANCELLED
