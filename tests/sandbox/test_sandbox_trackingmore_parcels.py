"""TrackingMore's parcels: their way in the service's own words, and the webhooks that tell of it."""

import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from sandbox import Settings, serve
from sandbox.parcels.routes import Stage
from sandbox.trackingmore.parcels import WORDS
from sandbox.trackingmore.pushes import pause_after
from sandbox.trackingmore.wire import STATUSES

JsonObject = dict[str, Any]

LOGIN = {"api_key": "key-1", "email": "shop@example.com"}
ACCELERATION = 1440
A_WEEK = 7 * 24 * 3600 / ACCELERATION
TWO_MONTHS = 62 * 24 * 3600 / ACCELERATION


class Client:
    """Follows parcels, moves the clock and reads what is told."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def follow(self, number: str = "RP893531375SG", courier: str = "singapore-post", **more: Any) -> None:
        body = {"tracking_number": number, "carrier_code": courier, **more}
        answer = self.http.post("/trackingmore/trackings/post", json=body, headers=HEADERS).json()
        assert answer["meta"]["code"] == 200, answer

    def item(self, number: str = "RP893531375SG", courier: str = "singapore-post") -> JsonObject:
        answer = self.http.get(f"/trackingmore/trackings/{courier}/{number}", headers=HEADERS)
        item: JsonObject = answer.json()["data"]
        return item

    def later(self, seconds: float) -> None:
        self.http.post("/_sandbox/advance", json={"seconds": seconds})

    def truth(self) -> JsonObject:
        (told,) = self.http.get("/_sandbox/truth").json()["trackingmore"]
        return dict(told)

    def listen(self, url: str) -> None:
        self.http.post("/_sandbox/webhooks", json={"trackingmore": {"default": url}})

    def attempts(self) -> list[JsonObject]:
        ledger = self.http.get("/_sandbox/ledger").json()
        return list(ledger["trackingmore"]["callbacks"])


HEADERS = {"Trackingmore-Api-Key": LOGIN["api_key"]}


def rows(item: JsonObject) -> list[JsonObject]:
    """Both countries' steps, newest first."""
    return [*(item["destination_info"]["trackinfo"] or []), *(item["origin_info"]["trackinfo"] or [])]


@pytest.fixture(scope="module")
def world() -> Iterator[httpx.Client]:
    settings = Settings(
        accounts={"trackingmore": {"default": LOGIN}},
        processing_seconds=5,
        callback_interval=0.001,
        acceleration=ACCELERATION,
    )
    with serve(settings) as url, httpx.Client(base_url=url, timeout=60, trust_env=False) as http:
        yield http


@pytest.fixture
def client(world: httpx.Client) -> Client:
    world.post("/_sandbox/reset")
    world.delete("/_sandbox/webhooks")
    return Client(world)


def test_a_new_parcel_is_pending_for_a_moment_and_nothing_is_known_of_it(client):
    client.follow(customer_email="someone@example.com", customer_name="Corrie")
    item = client.item()
    assert item["status"] == "pending"
    assert (item["origin_info"]["trackinfo"], item["destination_info"]["trackinfo"]) == (None, None)
    assert (item["updated_at"], item["lastUpdateTime"], item["singed_by"]) == (None, None, None)
    assert item["customer_email"] == ["someone@example.com"]
    client.later(5)
    assert (client.item()["status"], client.item()["substatus"]) == ("notfound", "notfound001")


def test_a_parcel_that_goes_abroad_is_told_of_in_two_parts_newest_first(client):
    client.follow(destination_code="au", customer_name="Corrie")
    client.later(A_WEEK)
    item = client.item()
    assert (item["status"], item["substatus"], item["singed_by"]) == ("delivered", "delivered001", "Corrie")
    assert (item["original_country"], item["destination_country"]) == ("Singapore", "Australia")
    assert [row["substatus"] or row["checkpoint_status"] for row in rows(item)] == [
        "delivered001",
        "pickup",
        "transit003",
        "transit001",
        "transit005",
        "transit004",
        "transit001",
        "transit002",
        "transit001",
        "notfound001",
    ]
    assert len(item["origin_info"]["trackinfo"]) == 4
    dates = [row["Date"] for row in rows(item)]
    assert dates == sorted(dates, reverse=True)
    assert set(rows(item)[-1]) == {"Date", "StatusDescription", "Details", "checkpoint_status", "substatus"}
    assert item["origin_info"]["ItemReceived"] == dates[-2]
    assert item["destination_info"]["CustomsClearance"] == dates[4]
    assert item["lastEvent"] == f"Delivered,Berwick,{dates[0]}"
    assert item["updated_at"].endswith("+00:00")


def test_a_parcel_that_stays_in_its_country_has_one_part(client):
    client.follow("1234567890", "dhl")
    client.later(A_WEEK)
    item = client.item("1234567890", "dhl")
    assert item["destination_info"]["trackinfo"] is None
    assert item["origin_info"]["trackinfo"][0]["checkpoint_status"] == "delivered"


@pytest.mark.parametrize(
    ("word", "ends"),
    [
        ("ATTEMPT", ["undelivered", "transit003", "pickup", "delivered001"]),
        ("PARCELLOST", ["transit001", "exception007"]),
        ("DAMAGED", ["pickup", "exception007", "exception005"]),
        ("RETURN", ["pickup", "exception009", "exception011", "exception010"]),
        ("COLLECTPOINT", ["undelivered", "pickup", "delivered002"]),
    ],
)
@pytest.mark.parametrize("where", ["order_id", "title", "tracking_number"])
def test_a_steering_word_chooses_the_way(client, word, ends, where):
    number = f"SBX-{word}" if where == "tracking_number" else "1234567890"
    client.follow(number, "dhl", **({} if where == "tracking_number" else {where: f"x SBX-{word}"}))
    client.later(A_WEEK)
    told = [row["substatus"] or row["checkpoint_status"] for row in rows(client.item(number, "dhl"))]
    assert told[: len(ends)] == ends[::-1]


def test_customs_hold_a_parcel_and_let_it_go(client):
    client.follow(destination_code="us", order_id="SBX-CUSTOMS")
    client.later(A_WEEK)
    told = [row["substatus"] for row in client.item()["destination_info"]["trackinfo"]]
    assert told[-3:] == ["transit005", "exception006", "transit004"]


def test_a_parcel_of_which_nothing_more_is_heard_expires(client):
    client.follow("1234567890", "dhl", title="SBX-DAMAGED")
    client.later(A_WEEK)
    assert client.item("1234567890", "dhl")["status"] == "exception"
    client.later(TWO_MONTHS)
    assert client.item("1234567890", "dhl")["status"] == "expired"


def test_a_parcel_goes_on_while_it_is_not_followed(client):
    client.follow()
    client.http.request("DELETE", "/trackingmore/trackings/singapore-post/RP893531375SG", headers=HEADERS)
    client.later(A_WEEK)
    client.follow()
    assert client.item()["status"] == "pending"
    client.later(5)
    assert client.item()["status"] == "delivered"


def test_the_truth_is_the_way_so_far_whatever_is_known(client):
    client.follow(order_id="shop-1 SBX-DISORDER")
    client.later(A_WEEK)
    told = client.truth()
    assert (told["tracking_number"], told["carrier_code"]) == ("RP893531375SG", "singapore-post")
    assert (told["reference"], told["status"]) == ("shop-1 SBX-DISORDER", "delivered")
    assert (told["events"][0]["stage"], told["events"][-1]["code"]) == ("label_created", "delivered001")
    times = [event["at"] for event in told["events"]]
    assert times == sorted(set(times))
    item = client.item()
    assert {row["Date"] for row in rows(item)} == {at[:19].replace("T", " ") for at in times}
    assert len(rows(item)) > len(times)


def test_a_time_has_no_zone_and_posts_tell_it_to_the_minute():
    settings = Settings(accounts={"trackingmore": {"default": LOGIN}}, processing_seconds=0, acceleration=1)
    with serve(settings) as url, httpx.Client(base_url=url, timeout=60, trust_env=False) as http:
        client = Client(http)
        client.follow()
        client.follow("1234567890", "dhl")
        post, express = (rows(client.item(*pair))[0]["Date"] for pair in ((), ("1234567890", "dhl")))
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", post)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", express)


def test_half_of_the_parcels_have_the_other_spelling_of_an_announced_one(client):
    for number in ("1234567890", "1234567891"):
        client.follow(number, "dhl")
    client.later(5)
    told = [rows(client.item(number, "dhl"))[0]["substatus"] for number in ("1234567890", "1234567891")]
    assert sorted(told) == ["not found001", "notfound001"]
    truth = client.http.get("/_sandbox/truth").json()["trackingmore"]
    assert [parcel["events"][0]["code"] for parcel in truth] == told


@pytest.mark.parametrize("stage", Stage)
def test_everything_that_can_happen_has_words(stage):
    assert WORDS[stage].status in STATUSES


# Webhooks.


def verify_info(body: JsonObject) -> JsonObject:
    found: JsonObject = body.get("verifyInfo") or body["data"]["verifyInfo"]
    return found


def test_every_change_is_told_to_the_account_with_the_item_as_it_stands(client, receiver, eventually):
    client.listen(receiver.url)
    client.follow("1234567890", "dhl")
    client.later(A_WEEK)
    eventually(lambda: receiver.got and receiver.got[-1]["data"]["status"] == "delivered")
    said = [body["data"]["status"] for body in receiver.got]
    assert (
        said
        == [
            "notfound",
            "transit",
            "transit",
            "transit",
            "transit",
            "transit",
            "transit",
            "pickup",
            "delivered",
        ][-len(said) :]
    )
    last = {key: value for key, value in receiver.got[-1]["data"].items() if key != "verifyInfo"}
    now = client.item("1234567890", "dhl")
    assert {**last, "stayTimeLength": 0} == {**now, "stayTimeLength": 0}
    assert receiver.got[-1]["meta"] == {"code": 200, "type": "Success", "message": "Success"}


def test_the_signature_covers_the_time_alone_and_lies_in_either_place(client, receiver, eventually):
    client.listen(receiver.url)
    client.follow("1234567890", "dhl")
    client.later(A_WEEK)
    eventually(lambda: receiver.got and receiver.got[-1]["data"]["status"] == "delivered")
    for body in receiver.got:
        info = verify_info(body)
        command = ["openssl", "dgst", "-sha256", "-hmac", LOGIN["email"]]
        ended = subprocess.run(command, input=str(info["timeStr"]).encode(), capture_output=True, check=True)
        assert ended.stdout.decode().split()[-1] == info["signature"]
    places = {"verifyInfo" in body for body in receiver.got}
    assert places == {True, False}
    assert {type(verify_info(body)["timeStr"]) for body in receiver.got} == {int, str}


def test_it_is_repeated_until_http_200(client, receiver, eventually):
    receiver.answers = [(201, "ok"), (500, "ok")]
    client.listen(receiver.url)
    client.follow("1234567890", "dhl")
    eventually(lambda: client.later(1) or any(attempt["accepted"] for attempt in client.attempts()))
    first = [attempt for attempt in client.attempts() if not attempt["accepted"]]
    assert {attempt["status"] for attempt in first} == {201, 500}
    assert {(attempt["order_number"], attempt["reference"]) for attempt in first} == {("1234567890",) * 2}
    eventually(lambda: receiver.got.count(receiver.got[0]) > 1)


def test_the_pause_between_repetitions_doubles_from_a_minute_in_life():
    assert [300 * pause_after(made) for made in (1, 2, 3, 14)] == [60, 120, 240, 30 * 2**14]


def test_it_gives_up_after_fourteen_repetitions(client, eventually):
    client.listen("http://127.0.0.1:9/nobody")
    client.follow("1234567890", "dhl")
    client.later(A_WEEK)
    eventually(lambda: client.later(10) or len(client.attempts()) >= 9 * 15)
    client.later(A_WEEK)
    assert client.item("1234567890", "dhl")["status"] == "delivered"
    assert Counter(attempt["attempt"] for attempt in client.attempts()) == dict.fromkeys(range(1, 16), 9)


def test_disorder_tells_of_changes_late_and_twice(client, receiver, eventually):
    client.listen(receiver.url)
    client.follow("1234567890", "dhl", order_id="SBX-DISORDER")
    client.later(A_WEEK)
    eventually(lambda: len(receiver.got) >= 13)
    known = [len(rows(body["data"])) for body in receiver.got]
    assert known != sorted(known)
    texts = [json.dumps(body) for body in receiver.got]
    assert len(set(texts)) < len(texts)


def test_it_is_told_when_a_parcel_has_expired(client, receiver, eventually):
    client.listen(receiver.url)
    client.follow("1234567890", "dhl", order_id="SBX-DAMAGED")
    client.later(TWO_MONTHS)
    eventually(lambda: receiver.got and receiver.got[-1]["data"]["status"] == "expired")


def told_of(receiver: Any) -> set[str]:
    return {body["data"]["tracking_number"] for body in receiver.got}


def is_over(receiver: Any, number: str) -> bool:
    said = [body["data"] for body in receiver.got]
    return any(item["tracking_number"] == number and item["status"] == "delivered" for item in said)


def test_a_parcel_that_is_deleted_or_stopped_is_told_of_no_more(client, receiver, eventually):
    client.listen(receiver.url)
    for number in ("1234567890", "1234567891", "1234567892"):
        client.follow(number, "dhl")
    client.http.request("DELETE", "/trackingmore/trackings/dhl/1234567891", headers=HEADERS)
    pairs = [{"tracking_number": "1234567890", "carrier_code": "dhl"}]
    client.http.post("/trackingmore/trackings/notupdate", json=pairs, headers=HEADERS)
    client.later(A_WEEK)
    assert client.item("1234567890", "dhl")["status"] == "pending"
    eventually(lambda: is_over(receiver, "1234567892"))
    assert told_of(receiver) == {"1234567892"}


@pytest.mark.parametrize("word", ["NOCALLBACK", "NOPUSH"])
def test_a_steering_word_keeps_it_silent(client, receiver, eventually, word):
    client.listen(receiver.url)
    client.follow("1234567890", "dhl", order_id=f"SBX-{word}")
    client.follow("1234567891", "dhl")
    client.later(A_WEEK)
    eventually(lambda: is_over(receiver, "1234567891"))
    assert told_of(receiver) == {"1234567891"}


def test_nobody_is_told_without_an_address(client):
    client.follow()
    client.later(A_WEEK)
    assert client.item()["status"] == "delivered"
    assert client.attempts() == []
