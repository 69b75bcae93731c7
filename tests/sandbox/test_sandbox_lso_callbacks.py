"""The callback: the result's body, five times at most, until it is understood."""

import asyncio

import httpx
import pytest

from sandbox.controls.clock import Clock
from sandbox.controls.ledger import Ledger
from sandbox.wire.callbacks import Callback, Callbacks


def test_success_is_called_back_once_with_the_results_body(lso, receiver, eventually):
    number = lso.order("shop-1", url=receiver.url)
    eventually(lambda: lso.callbacks("shop-1"))
    assert receiver.got == [lso.result(number)]
    (attempt,) = lso.callbacks("shop-1")
    assert attempt["accepted"]
    assert (attempt["status"], attempt["url"]) == (200, receiver.url)


def test_failure_is_called_back_with_code_1001(lso, receiver, eventually):
    number = lso.order("SBX-FAIL", url=receiver.url)
    eventually(lambda: receiver.got)
    (body,) = receiver.got
    assert body["code"] == 1001
    assert body["data"]["orderNumber"] == number


@pytest.mark.parametrize(
    "misunderstanding", [(200, '{"code": 500}'), (500, '{"code": 200}'), (200, "ok"), (200, "[]")]
)
def test_it_is_repeated_until_http_200_with_code_200(lso, receiver, eventually, misunderstanding):
    receiver.answers = [misunderstanding] * 2
    lso.order("shop-1", url=receiver.url)
    eventually(lambda: len(lso.callbacks("shop-1")) == 3)
    assert [c["accepted"] for c in lso.callbacks("shop-1")] == [False, False, True]


def test_it_gives_up_after_five_attempts(lso, http, eventually):
    lso.order("shop-1", url="http://127.0.0.1:9/nobody")
    eventually(lambda: len(lso.callbacks("shop-1")) == 5)
    http.post("/_sandbox/advance", json={"seconds": 3600})
    lso.finished(lso.order("shop-2"))
    attempts = lso.callbacks("shop-1")
    assert [c["attempt"] for c in attempts] == [1, 2, 3, 4, 5]
    assert {c["status"] for c in attempts} == {None}


def test_nocallback_and_no_address_mean_none(lso, receiver):
    for reference, more in (("SBX-NOCALLBACK", {"url": receiver.url}), ("shop-1", {})):
        lso.finished(lso.order(reference, **more))
        assert lso.callbacks(reference) == []


@pytest.mark.parametrize("url", ["ftp://host/x", "/callback", 17])
def test_an_address_that_is_none_is_refused(lso, url):
    assert lso.send("shop-1", url=url).json()["code"] == 1002


def test_no_more_than_eight_are_on_their_way_at_one_time():
    on_their_way, most = 0, 0

    async def receive(_: httpx.Request) -> httpx.Response:
        nonlocal on_their_way, most
        on_their_way += 1
        most = max(most, on_their_way)
        for _ in range(5):
            await asyncio.sleep(0)
        on_their_way -= 1
        return httpx.Response(200)

    async def tell_of_forty() -> list[bool]:
        callbacks = Callbacks(Clock(), Ledger(), 1.0)
        callbacks._client = httpx.AsyncClient(transport=httpx.MockTransport(receive))
        told = [
            Callback("lso", f"N{n}", f"R{n}", "http://client.example/", b"{}", 1, lambda answer: True)
            for n in range(40)
        ]
        return await asyncio.gather(*(callbacks.attempt(one, 1) for one in told))

    assert asyncio.run(tell_of_forty()) == [True] * 40
    assert most == 8
