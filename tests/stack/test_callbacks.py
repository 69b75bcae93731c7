"""LSO's callback: it wakes the order's flow and proves nothing."""

from typing import Any

import httpx
import pytest

from local.stack.stack import Stack
from tests.stack.shop import Body, Shop, until

SUCCESS = {"code": 200, "msg": "success"}


def callback_of(shop: Shop, reference: str) -> str:
    """The address the carrier was given for an order."""
    (entry,) = until(lambda: shop.booked(reference), bool)
    address: str = entry["callback_url"]
    return address


def lie(number: str) -> Body:
    return {
        "code": 200,
        "data": {"orderNumber": number, "status": "1", "details": [{"serviceNumber": "LIE0000001"}]},
        "err": "",
        "msg": "订单下单已完成!",
    }


def test_a_wrong_token_changes_nothing_and_is_told_nothing(shop: Shop, stack: Stack) -> None:
    for path in ("lso/default/" + "x" * 43, "lso/other/" + "x" * 43, "pigeon/default/token"):
        answer = httpx.post(f"{stack.webhook_base_url}/webhooks/{path}", json=lie("?"), timeout=60)
        assert answer.status_code in {401, 404}, answer.text


def test_a_callback_that_lies_moves_no_order(shop: Shop) -> None:
    order = shop.post("stack-liar-SBX-FAIL-SBX-PENDING-2")
    address = callback_of(shop, order["reference"])

    answer = httpx.post(address, json=lie("whatever"), timeout=60)

    assert (answer.status_code, answer.json()) == (200, SUCCESS)
    ended = shop.settled(order["id"])
    assert ended["status"] == "failed"
    assert "LIE0000001" not in str(ended)


@pytest.mark.parametrize("body", [b"", b"not json", b"[]", b'{"code": {}}'])
def test_a_malformed_callback_is_acknowledged_and_changes_nothing(body: bytes, shop: Shop) -> None:
    order = shop.settled(shop.post(f"stack-odd-{len(body)}")["id"])
    address = callback_of(shop, order["reference"])

    answer = httpx.post(address, content=body, headers={"content-type": "application/json"}, timeout=60)

    assert (answer.status_code, answer.json()) == (200, SUCCESS)
    assert shop.get(order["id"])["status"] == "confirmed"


def test_a_repeated_callback_has_no_effect(shop: Shop) -> None:
    order = shop.settled(shop.post("stack-repeat")["id"])
    address = callback_of(shop, order["reference"])
    before = shop.get(order["id"])

    answers = [httpx.post(address, json=lie(order["carrier_order_number"]), timeout=60) for _ in range(3)]

    assert {answer.status_code for answer in answers} == {200}
    assert shop.get(order["id"])["tracking_numbers"] == before["tracking_numbers"]


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "unauthorized"},
        {"kind": "html_502"},
        {"kind": "status_500"},
        {"kind": "half_body"},
        {"kind": "reset_before"},
        {"kind": "code", "code": 500},
        {"kind": "code", "code": 404},
        {"kind": "code", "code": 7777},
    ],
    ids=lambda fault: "-".join(map(str, fault.values())),
)
def test_every_answer_to_the_order_result_is_read_as_documented(fault: dict[str, Any], shop: Shop) -> None:
    """None of them speaks of the order, so the carrier is asked again, and a live order is never refunded."""
    reference = "stack-result-" + "-".join(str(part) for part in fault.values())
    shop.faults({"carrier": "lso", "call": "orderResult", "reference": reference, **fault})

    order = shop.settled(shop.post(reference)["id"])

    assert order["status"] == "confirmed", order
    (entry,) = shop.booked(reference)
    assert entry["refunded"] is False
    assert entry["held"] == "0.00"
