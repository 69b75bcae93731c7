"""LME's pushes: every event to the account's address, sealed and signed, until code 200 comes back."""

import base64
import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

from sandbox import Settings, serve
from tests.sandbox.conftest import Receiver
from tests.sandbox.lme_client import LOGINS, Client, JsonObject, order

Eventually = Callable[..., Any]

ORDINARY = [
    "create_order", "collect_order", "order_sorting_finish", "allocate_out", "allocate_in", "allocate_order",
    "deliver_in_warehose", "out_warehorse_2", "sign_image",
]  # fmt: skip


class Pushed(Client):
    """A client that LME pushes to."""

    def __init__(self, http: httpx.Client, account: str, receiver: Receiver) -> None:
        super().__init__(http, LOGINS[account])
        self.receiver = receiver
        self.listen(account, receiver.url)

    def listen(self, account: str, url: str) -> None:
        self.http.post("/_sandbox/webhooks", json={"lme": {account: url}}).raise_for_status()

    def advance(self, hours: float) -> None:
        self.http.post("/_sandbox/advance", json={"seconds": hours * 3600}).raise_for_status()

    def messages(self) -> list[JsonObject]:
        """What was received, opened."""
        return [self.opened(body["data"]) for body in self.receiver.got]

    def attempts(self, reference: str) -> list[JsonObject]:
        return [one for one in self.ledger()["callbacks"] if one["reference"] == reference]

    def is_signed(self, headers: dict[str, str], body: JsonObject) -> bool:
        """Whether LME has made this push for us."""
        text = f"appKey={headers['appkey']}&data={body['data']}&timeStamp={headers['timestamp']}"
        try:
            self.theirs.verify(base64.b64decode(headers["sign"]), text.encode(), PKCS1v15(), hashes.SHA256())
        except (InvalidSignature, KeyError):
            return False
        return headers["appkey"] == self.app_key


@pytest.fixture(scope="module")
def running() -> Iterator[httpx.Client]:
    settings = Settings(accounts={"lme": LOGINS}, acceleration=1, callback_interval=0.01)
    with serve(settings) as url, httpx.Client(base_url=url, timeout=60, trust_env=False) as http:
        yield http


@pytest.fixture
def lme(running: httpx.Client, receiver: Receiver) -> Pushed:
    running.post("/_sandbox/reset")
    running.delete("/_sandbox/webhooks")
    return Pushed(running, "default", receiver)


def test_every_event_is_pushed_once_in_order_sealed_and_signed(lme: Pushed, eventually: Eventually) -> None:
    number = lme.create()
    lme.advance(60)
    eventually(lambda: len(lme.attempts("shop-1")) == len(ORDINARY))
    messages = lme.messages()
    assert [message["eventCode"] for message in messages] == ORDINARY
    assert all(map(lme.is_signed, lme.receiver.headers, lme.receiver.got))
    for headers, body in zip(lme.receiver.headers, lme.receiver.got, strict=True):
        assert (headers["version"], headers["content-type"]) == ("1", "application/json")
        named = f"{lme.app_key}.{headers['timestamp']}.{body['data']}"
        assert headers["requestid"] == hashlib.md5(named.encode()).hexdigest()
    assert {message["orderNo"] for message in messages} == {number}
    attempts = lme.attempts("shop-1")
    assert [one["about"] for one in attempts] == ORDINARY
    assert {(one["attempt"], one["status"], one["accepted"]) for one in attempts} == {(1, 200, True)}
    assert {one["order_number"] for one in attempts} == {number}


def test_a_parcel_that_is_sent_back_is_pushed_on_its_way_back(lme: Pushed, eventually: Eventually) -> None:
    number = lme.create()
    lme.advance(12)
    eventually(lambda: len(lme.attempts("shop-1")) == 4)

    lme.ask("order/return", {"orderNo": number, "outOrderNo": "shop-1"})

    lme.advance(60)
    eventually(lambda: len(lme.attempts("shop-1")) == 6)
    back = ["exception_withdrawing_re_in_warehouse", "sign_in"]
    assert [one["about"] for one in lme.attempts("shop-1")] == [*ORDINARY[:4], *back]


def test_a_push_has_the_fields_of_the_document_all_of_them_text(lme: Pushed, eventually: Eventually) -> None:
    number = lme.create()
    lme.advance(60)
    eventually(lambda: len(lme.receiver.got) == len(ORDINARY))
    *_, out, signed = lme.messages()
    required = {
        "orderNo", "outOrderNo", "action", "eventCode", "operatorTime", "eventTime", "timeZone",
        "routingDescription", "event", "updateTime", "orderLocation", "eventZipCode", "eventCity",
        "eventState", "eventCountry", "channel",
    }  # fmt: skip
    assert set(out) == required
    assert set(signed) == required | {"imageUrl", "shippingAddressImageUrl"}
    assert all(isinstance(value, str) and value for value in signed.values())
    (*_, route) = lme.ask("order/queryRouteV2", {"orderNo": number})["orderRoutes"]
    assert signed.items() <= route.items()


@pytest.mark.parametrize(
    "answer", [(200, '{"code": 500}'), (200, "ok"), (200, "[]"), (500, ""), (200, '{"code": "200"}')]
)
def test_a_push_is_repeated_the_same_until_its_code_is_200(
    lme: Pushed, eventually: Eventually, answer: tuple[int, str]
) -> None:
    lme.receiver.answers = [answer] * 2
    lme.create()
    eventually(lambda: len(lme.attempts("shop-1")) == 3)
    assert [one["accepted"] for one in lme.attempts("shop-1")] == [False, False, True]
    assert len({str(body) for body in lme.receiver.got}) == 1
    stamps = {(headers["timestamp"], headers["sign"]) for headers in lme.receiver.headers}
    assert len(stamps) == 1


def test_the_code_counts_and_not_the_http_status(lme: Pushed, eventually: Eventually) -> None:
    lme.receiver.answers = [(500, '{"code": 200, "message": "SUCCESS"}')]
    lme.create()
    eventually(lambda: lme.attempts("shop-1"))
    assert [(one["status"], one["accepted"]) for one in lme.attempts("shop-1")] == [(500, True)]


def test_it_gives_up_after_twenty_repeats_and_later_events_go_on(lme: Pushed, eventually: Eventually) -> None:
    lme.receiver.answers = [(200, '{"code": 500}')] * 21
    lme.create()
    eventually(lambda: len(lme.attempts("shop-1")) == 21)
    lme.advance(4.5)
    eventually(lambda: len(lme.attempts("shop-1")) == 22)
    attempts = lme.attempts("shop-1")
    assert [one["attempt"] for one in attempts] == [*range(1, 22), 1]
    assert [one["accepted"] for one in attempts] == [False] * 21 + [True]
    assert attempts[-1]["about"] == "collect_order"


def test_each_account_is_pushed_its_own_and_nobody_without_an_address(
    lme: Pushed, eventually: Eventually
) -> None:
    other = Client(lme.http, LOGINS["other"])
    other.create("theirs")
    mine = lme.create("mine")
    lme.advance(60)
    eventually(lambda: len(lme.receiver.got) == len(ORDINARY))
    assert {message["orderNo"] for message in lme.messages()} == {mine}
    assert lme.attempts("theirs") == []


def test_what_was_not_pushed_for_want_of_an_address_is_not_pushed_later(
    lme: Pushed, eventually: Eventually
) -> None:
    lme.http.delete("/_sandbox/webhooks")
    number = lme.create()
    lme.advance(20)
    eventually(lambda: len(lme.ask("order/queryRouteV2", {"orderNo": number})["orderRoutes"]) >= 5)
    lme.listen("default", lme.receiver.url)
    lme.advance(60)
    eventually(lambda: lme.attempts("shop-1")[-1:] and lme.attempts("shop-1")[-1]["about"] == ORDINARY[-1])
    assert "create_order" not in {one["about"] for one in lme.attempts("shop-1")}


def test_a_cancelled_parcel_is_not_pushed_any_more(lme: Pushed, eventually: Eventually) -> None:
    number = lme.create("cancelled")
    eventually(lambda: lme.attempts("cancelled"))
    lme.ask("order/cancel", {"orderNo": number})
    lme.create("goes on")
    lme.advance(60)
    eventually(lambda: len(lme.attempts("goes on")) == len(ORDINARY))
    assert [one["about"] for one in lme.attempts("cancelled")] == ["create_order"]


def test_disorder_pushes_all_in_the_end_but_late_twice_and_shuffled(
    lme: Pushed, eventually: Eventually
) -> None:
    lme.create("SBX-DISORDER")
    lme.advance(60)
    eventually(lambda: len(lme.receiver.got) == len(ORDINARY) + 5)
    codes = [message["eventCode"] for message in lme.messages()]
    assert set(codes) == set(ORDINARY)
    assert codes[:3] == ["create_order", "order_sorting_finish", "collect_order"]
    assert codes[-5:] == ORDINARY[::2]
    late = {message["eventCode"]: message for message in lme.messages()[: len(ORDINARY)]}["collect_order"]
    assert late["updateTime"] > late["eventTime"].replace(" ", "T")


def test_who_is_not_pushed_can_ask(lme: Pushed, eventually: Eventually) -> None:
    number = lme.create("SBX-NOPUSH")
    lme.create("shop-1")
    lme.advance(60)
    eventually(lambda: len(lme.attempts("shop-1")) == len(ORDINARY))
    assert lme.attempts("SBX-NOPUSH") == []
    assert len(lme.ask("order/queryRouteV2", {"orderNo": number})["orderRoutes"]) == len(ORDINARY)


def test_a_push_may_be_sealed_and_not_signed(lme: Pushed, eventually: Eventually) -> None:
    lme.create("SBX-UNSIGNED")
    eventually(lambda: lme.receiver.got)
    assert lme.messages()[0]["eventCode"] == "create_order"
    assert not {"appkey", "timestamp", "sign", "requestid", "version"} & set(lme.receiver.headers[0])


def test_a_push_may_be_plain(lme: Pushed, eventually: Eventually) -> None:
    lme.create("SBX-PLAINPUSH")
    eventually(lambda: lme.receiver.got)
    assert lme.receiver.got[0]["eventCode"] == "create_order"
    assert "sign" not in lme.receiver.headers[0]


def test_a_push_may_be_of_the_older_version(lme: Pushed, eventually: Eventually) -> None:
    number = lme.create("SBX-PUSHV1", **{"receiver": order()["receiver"] | {"city": "Officer"}})
    lme.advance(60)
    eventually(lambda: len(lme.receiver.got) == len(ORDINARY))
    assert all(map(lme.is_signed, lme.receiver.headers, lme.receiver.got))
    *_, last = lme.messages()
    assert set(last) == {
        "action", "channel", "occurLocation", "operatorTime", "orderNo", "routingDescription", "timeZone",
        "updatedTime", "utcOperatorTime",
    }  # fmt: skip
    assert (last["orderNo"], last["action"], last["occurLocation"]) == (
        number,
        "sign_image",
        "Officer, Victoria",
    )
    assert isinstance(last["updatedTime"], int)


def test_a_reset_ends_all_pushing(lme: Pushed, eventually: Eventually) -> None:
    lme.receiver.answers = [(200, "no")] * 5
    lme.create("before")
    eventually(lambda: lme.receiver.got)
    lme.http.post("/_sandbox/reset")
    lme.receiver.got.clear()
    lme.receiver.answers.clear()
    lme.create("after")
    lme.advance(60)
    eventually(lambda: len(lme.attempts("after")) == len(ORDINARY))
    assert lme.attempts("before") == []
