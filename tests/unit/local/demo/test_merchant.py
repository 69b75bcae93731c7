"""The demo's small merchant: it hears of each event once, and finds what is missing or different."""

from datetime import UTC, datetime
from typing import Any

import httpx
from standardwebhooks.webhooks import Webhook

from local.demo.merchant import Merchant, open_shop
from parcelgate.services.endpoints.secrets import new_secret

SECRET = new_secret()


def event(number: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"evt_{number}",
        "type": "order.confirmed",
        "timestamp": f"2026-11-21T12:0{number}:00.000Z",
        "sequence": number,
        "data": {"id": "ord_1"},
    } | changes


def send(merchant: Merchant, number: int = 1, *, secret: str = SECRET) -> int:
    body = httpx.Request("POST", "http://a", json=event(number)).content
    at = datetime.now(UTC)
    signature = Webhook(secret).sign(f"evt_{number}", at, body.decode())
    headers = {
        "webhook-id": f"evt_{number}",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signature,
    }
    return httpx.post(merchant.url, content=body, headers=headers).status_code


def test_what_was_heard_is_held_against_the_log() -> None:
    with open_shop() as merchant:
        merchant.secret = SECRET
        assert [send(merchant, number) for number in (2, 1, 2)] == [204, 204, 204]
        log = [event(1), event(2)]
        assert merchant.mistakes(log) == []
        assert merchant.summary() == "2 events of 1 orders and parcels, 1 of them more than once"
        assert [each["id"] for each in merchant.timelines()["ord_1"]] == ["evt_1", "evt_2"]
        assert merchant.mistakes([*log, event(3)]) == ["order.confirmed evt_3 was never heard"]
        assert merchant.mistakes([event(1)]) == ["order.confirmed evt_2 is in no log"]
        assert merchant.mistakes([event(1), event(2, type="ping")]) == ["evt_2 was heard otherwise"]
        assert send(merchant, 3, secret=new_secret()) == 401
        assert merchant.mistakes(log) == ["1 webhooks had a wrong signature"]


def test_what_comes_before_the_secret_is_known_is_no_mistake_and_comes_again() -> None:
    with open_shop() as merchant:
        assert send(merchant) == 503
        merchant.secret = SECRET
        assert send(merchant) == 204
        assert merchant.mistakes([event(1)]) == []


def test_a_sequence_that_goes_against_the_times_is_a_mistake() -> None:
    merchant = Merchant()
    merchant.events = [event(1, timestamp="2026-11-21T13:00:00.000Z"), event(2)]
    assert merchant.mistakes(merchant.events) == ["the sequences of ord_1 are not in the order of its times"]
