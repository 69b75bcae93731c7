"""On the running stack: what carriers tell of parcels unasked, through the gateway, the stream and the queue.

`tests/faults/test_many_webhooks.py` has the large number of them, in one process.
"""

import json
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from local.command.deployment import Deployment
from local.stack.stack import TENANT, Stack
from parcelgate.services.operator import operations
from parcelgate.store import keys
from parcelgate.store.inbox import PARKED, PROCESSED, InboxEntry
from sandbox.lme import envelope
from sandbox.trackingmore.pushes import signature
from tests.stack.shop import Body, Shop, bought, until
from tests.stack.test_trackings_api import followed

TAKEN = {"code": 200, "message": "SUCCESS"}
PUSHED = ("collect_order", "deliver_in_warehose", "order_sorting_finish", "transport_order", "allocate_in")


@pytest.fixture
def login(accounts: Body) -> envelope.Login:
    """LME's side of the account."""
    return envelope.Login.of(accounts["lme"]["default"])


@pytest.fixture
def delivered(deployment: Deployment) -> Callable[..., InboxEntry]:
    """Give what became of a webhook, once something has."""
    inbox = deployment.table.tenant(TENANT).inbox

    def find(carrier: str, body: bytes, headers: dict[str, str] | None = None) -> InboxEntry:
        proving = {name: value for name, value in (headers or {}).items() if name in PROVING}
        parts = [part for pair in sorted(proving.items()) for part in pair]
        name = f"{carrier}#{keys.digest(body, '', 'default', *parts)}"
        found = until(lambda: inbox.get(name), lambda entry: entry is not None and bool(entry.closed_at))
        assert found is not None
        return found

    return find


PROVING = {"appkey", "timestamp", "sign"}


def event(order: Body, code: str, at: datetime) -> Body:
    """A push in LME's words, ten hours ahead of UTC."""
    return {
        "orderNo": order["carrier_order_number"],
        "outOrderNo": order["reference"],
        "eventCode": code,
        "eventTime": f"{at + timedelta(hours=10):%Y-%m-%d %H:%M:%S}",
        "timeZone": "UTC+10",
        "event": f"It was {code}",
    }


def sealed(login: envelope.Login, fields: Any) -> tuple[bytes, str]:
    data = envelope.sealed(fields, login.client)
    return json.dumps({"data": data}).encode(), data


def post(url: str, body: bytes, headers: dict[str, str] | None = None) -> httpx.Response:
    named = {"content-type": "application/json", **(headers or {})}
    return httpx.post(url, content=body, headers=named, timeout=60)


def timeline(shop: Shop, order: Body) -> list[Body]:
    (parcel,) = shop.parcels(order["id"])
    events: list[Body] = parcel["events"]
    return events


def test_shuffled_repeated_and_spoilt_pushes_give_the_true_timeline(
    shop: Shop, stack: Stack, login: envelope.Login, delivered: Callable[..., InboxEntry]
) -> None:
    order = bought(shop, "lme", reference=f"hooked-{uuid4().hex[:8]}-SBX-NOPUSH")
    url = stack.webhook_urls["lme"]["default"]
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
    truth = [(start + timedelta(minutes=7 * place), PUSHED[place % len(PUSHED)]) for place in range(30)]
    pushes: list[tuple[bytes, dict[str, str]]] = []
    for at, code in truth:
        body, data = sealed(login, event(order, code, at))
        pushes.append((body, envelope.signature(login, data)))
    lie, _ = sealed(login, event(order, "exception_lose", datetime.now(UTC)))
    garbage = [b"not JSON %s" % uuid4().hex.encode(), sealed(login, [uuid4().hex])[0]]
    chance = random.Random(5)
    everything = [*pushes, *chance.choices(pushes, k=12), (lie, {}), *((body, {}) for body in garbage)]
    chance.shuffle(everything)

    for body, headers in everything:
        answer = post(url, body, headers)
        assert (answer.status_code, answer.json()) == (200, TAKEN)

    def pushed() -> list[tuple[str, str]]:
        events = [one for one in timeline(shop, order) if one["source"] == "webhook"]
        return [(one["at"], one["code"]) for one in events]

    told = [(f"{at:%Y-%m-%dT%H:%M:%S}.000Z", code) for at, code in truth]
    assert until(pushed, lambda seen: len(seen) >= len(told)) == told
    assert delivered("lme", lie).state == PROCESSED
    assert [delivered("lme", body).reason for body in garbage] == ["not JSON", "cannot be read"]
    assert "exception_lose" not in {one["code"] for one in timeline(shop, order)}


def test_what_the_carrier_pushes_by_itself_is_believed(shop: Shop) -> None:
    order = bought(shop, "lme")
    events = until(lambda: timeline(shop, order), lambda seen: "webhook" in {one["source"] for one in seen})
    assert {one["source"] for one in events} <= {"webhook", "poll"}


def test_a_signature_that_is_forged_or_captured_is_refused(
    shop: Shop, stack: Stack, accounts: Body, delivered: Callable[..., InboxEntry]
) -> None:
    email = accounts["trackingmore"]["default"]["email"]
    url = stack.webhook_urls["trackingmore"]["default"]
    parcel, other = followed(shop), followed(shop)

    def webhook(of: Body, stamp: int | None, sign: str | None = None) -> bytes:
        item = {"tracking_number": of["tracking_number"], "carrier_code": of["carrier_code"]}
        whole = {"meta": {"code": 200}, "data": item | {"status": "delivered", "mark": uuid4().hex}}
        proof = {"timeStr": stamp, "signature": sign or signature(email, str(stamp))}
        return json.dumps(whole | ({} if stamp is None else {"verifyInfo": proof})).encode()

    # In milliseconds, so that it is no second of the carrier's own pushes.
    now = time.time_ns() // 1_000_000
    good = webhook(parcel, now)
    unsigned, stale = webhook(parcel, None), webhook(parcel, now - 3_600_000)
    assert post(url, webhook(parcel, now + 1, "0" * 64)).status_code == 401
    assert [post(url, good).status_code for _ in range(3)] == [200] * 3
    assert post(url, webhook(other, now)).status_code == 401
    assert [post(url, body).status_code for body in (unsigned, stale)] == [200, 200]

    assert delivered("trackingmore", good).state == PROCESSED
    assert delivered("trackingmore", unsigned).reason == "not signed"
    assert delivered("trackingmore", stale).reason == "its time differs too much from our clock"


def test_a_webhook_that_was_parked_is_worked_on_again(
    shop: Shop, stack: Stack, login: envelope.Login, deployment: Deployment, delivered: Any
) -> None:
    stranger = {"carrier_order_number": f"FHE{uuid4().hex}", "reference": uuid4().hex}
    body, data = sealed(login, event(stranger, "sign_in", datetime.now(UTC)))
    headers = envelope.signature(login, data)
    post(stack.webhook_urls["lme"]["default"], body, headers)
    first = delivered("lme", body, headers)
    assert (first.state, first.reason) == (PARKED, "no such parcel")
    table = deployment.table
    assert first.id in [entry.id for entry in table.tenant(TENANT).inbox.parked()]

    operations.replay(table, TENANT, first.id)

    again = until(lambda: delivered("lme", body, headers), lambda entry: entry.closed_at != first.closed_at)
    assert again == first._replace(closed_at=again.closed_at)


@pytest.mark.parametrize("carrier", ["lme", "trackingmore"])
def test_a_wrong_address_takes_nothing_in(carrier: str, stack: Stack) -> None:
    for path in (f"{carrier}/default/{'x' * 43}", f"{carrier}/other/{'x' * 43}"):
        assert post(f"{stack.webhook_base_url}/webhooks/{path}", b"{}").status_code == 404
    assert stack.webhook_urls[carrier]["default"].startswith(f"{stack.webhook_base_url}/webhooks/{carrier}/")
