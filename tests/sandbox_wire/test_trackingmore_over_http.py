"""Parcels of any courier: the functions, TrackingMore's stand-in over HTTP, moto in place of AWS."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from functions.poll_nudged.handler import handler as poll_nudged
from parcelgate import aws_clients
from parcelgate.carriers.results import Waybill
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.trackings import TrackingStatus
from parcelgate.runtime import runtime
from sandbox import Settings, serve
from tests.support.api import Backend, Body, Context, Reply, backend, call, shared_backend
from tests.support.table import TABLE_NAME, all_items

__all__ = ["backend", "shared_backend"]

LOGIN = {"api_key": "k-7", "email": "shop@example.com"}
DAY = 24 * 3600


class Shop:
    """A merchant with an account at TrackingMore, and an eye on its stand-in."""

    def __init__(self, backend: Backend, url: str) -> None:
        self.backend = backend
        self.control = httpx.Client(base_url=f"{url}/_sandbox", trust_env=False)

    def follows(self, number: str, code: str = "china-ems", **more: Any) -> Body:
        """A parcel that is followed from now on."""
        reply = call("POST /v1/trackings", body={"carrier_code": code, "tracking_number": number, **more})
        assert reply.status == 201, reply.text
        shown: Body = reply.json()
        return shown

    def read(self, tracking: Body) -> Body:
        shown: Body = call("GET /v1/trackings/{id}", id=tracking["id"]).json()
        return shown

    def refresh(self, tracking: Body, **body: Any) -> Reply:
        return call("POST /v1/trackings/{id}/refresh", id=tracking["id"], body=body)

    def days_pass(self, days: float) -> None:
        self.control.post("/advance", json={"seconds": days * DAY}).raise_for_status()

    def nudged_are_asked_about(self) -> None:
        """The poll queue is worked off."""
        records = [
            {"messageId": str(n), "receiptHandle": "r", "body": json.dumps(message)}
            for n, message in enumerate(self.backend.nudges())
        ]
        assert poll_nudged({"Records": records}, Context()) == {"batchItemFailures": []}

    def fault(self, name: str, kind: str, **more: Any) -> None:
        given = {"carrier": "trackingmore", "call": name, "kind": kind, **more}
        self.control.post("/faults", json=[given]).raise_for_status()

    def rested(self) -> None:
        """The time is over for which an aggregator that said 429 is left alone."""
        for item in all_items(self.backend.dynamodb):
            if item["sk"]["S"] == "LIMITS":
                key = {"pk": item["pk"], "sk": item["sk"]}
                self.backend.dynamodb.delete_item(TableName=TABLE_NAME, Key=key)

    @property
    def calls(self) -> dict[str, int]:
        """How often each call was made."""
        book: dict[str, int] = self.control.get("/ledger").json()["trackingmore"]["calls"]
        return book

    def there(self) -> dict[tuple[str, str], Any]:
        """What TrackingMore truly follows, by courier and number."""
        told = self.control.get("/truth").json()["trackingmore"]
        return {(one["carrier_code"], one["tracking_number"]): one for one in told}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serve(Settings(accounts={"trackingmore": {"default": LOGIN}}, acceleration=1)) as url:
        yield url


@pytest.fixture
def shop(
    shared_backend: Backend, backend: Backend, url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shop]:
    secret = {"credentials": LOGIN, "base_url": f"{url}/trackingmore"}
    aws_clients.client("secretsmanager").put_secret_value(
        SecretId="parcelgate/acme/trackingmore/default", SecretString=json.dumps(secret)
    )
    runtime.reset()
    found = Shop(backend, url)
    found.control.post("/reset").raise_for_status()
    yield found
    runtime.reset()


class TestAParcel:
    def test_is_followed_to_its_end(self, shop: Shop) -> None:
        one = shop.follows("LK664578623CN", destination_country="US", customer={"phone": "+1 512 555 0142"})
        assert (one["status"], list(shop.there())) == ("pending", [("china-ems", "LK664578623CN")])

        shop.days_pass(40)
        assert shop.refresh(one).status == 202
        shop.nudged_are_asked_about()

        shown = shop.read(one)
        assert shown["status"] in {TrackingStatus.DELIVERED, TrackingStatus.EXPIRED, TrackingStatus.RETURNED}
        assert len(shown["events"]) > 3
        assert shown["next_poll_at"] is None
        assert shop.calls["post"] == shop.calls["get"] == 1

    def test_that_they_follow_already_is_followed_here_too(self, shop: Shop) -> None:
        entry = [{"tracking_number": "LK664578623CN", "carrier_code": "china-ems"}]
        shop.control.post("/parcels", json={"trackingmore": {"default": entry}}).raise_for_status()

        one = shop.follows("LK664578623CN")

        assert call("GET /v1/trackings/{id}", id=one["id"]).status == 200

    @pytest.mark.parametrize(("number", "code"), [("NSBX-REJECT", "china-ems"), ("LK1CN", "no-such-courier")])
    def test_that_is_refused_is_told_in_their_words(self, number: str, code: str, shop: Shop) -> None:
        reply = call("POST /v1/trackings", body={"carrier_code": code, "tracking_number": number})

        assert (reply.status, reply.code) == (422, "refused_by_carrier")
        assert reply.json()["carrier"]["code"] in {"4014", "4015"}
        assert set(reply.errors) <= {"/tracking_number", "/carrier_code"}

    def test_whose_answer_was_lost_is_followed_when_it_is_asked_for_again(self, shop: Shop) -> None:
        body = {"carrier_code": "china-ems", "tracking_number": "LK664578623CN", "title": "SBX-LOST"}

        assert call("POST /v1/trackings", body=body).code == "carrier_unavailable"
        assert len(shop.there()) == 1
        assert call("POST /v1/trackings", body=body).status == 201

    def test_cannot_be_followed_when_they_take_no_more_for_now(self, shop: Shop) -> None:
        shop.fault("post", "code", code=429)
        body = {"carrier_code": "china-ems", "tracking_number": "LK664578623CN"}

        reply = call("POST /v1/trackings", body=body)

        assert (reply.status, reply.code, reply.headers["retry-after"]) == (503, "carrier_unavailable", "120")
        shop.rested()
        assert call("POST /v1/trackings", body=body).status == 201

    def test_is_changed_there_and_here(self, shop: Shop) -> None:
        one = shop.follows("LK664578623CN")

        patch = {"title": "Hats", "note": "n", "destination_country": "DE", "archived": True}
        assert call("PATCH /v1/trackings/{id}", id=one["id"], body=patch).status == 200

        assert shop.calls["putOne"] == 1
        told = runtime.tracking_subscriptions.ask(
            "acme",
            "default",
            lambda one: one.history(Waybill("china-ems", "LK664578623CN")),
            Deadline.after(10),
        )
        assert told is not None
        assert shop.calls["getOne"] == 1

    def test_gets_its_right_courier(self, shop: Shop) -> None:
        one = shop.follows("LK664578623CN", "china-post", auto_correct=False)

        for _ in range(2):
            reply = call("PATCH /v1/trackings/{id}", id=one["id"], body={"carrier_code": "china-ems"})
            assert (reply.status, reply.json()["carrier_code"]) == (200, "china-ems")

        assert list(shop.there()) == [("china-ems", "LK664578623CN")]
        assert shop.calls["update"] == 1

    def test_is_paused_there_and_here_and_asked_about_once_when_it_is_refreshed(self, shop: Shop) -> None:
        one = shop.follows("LK664578623CN")
        shop.days_pass(3)

        shown = call("POST /v1/trackings/{id}/pause", id=one["id"]).json()

        assert (shown["paused"], shown["next_poll_at"]) == (True, None)
        assert shop.calls["notupdate"] == 1
        shop.refresh(one)
        shop.nudged_are_asked_about()
        shown = shop.read(one)
        assert (shown["paused"], shown["next_poll_at"], shown["events"] != []) == (True, None, True)

    def test_is_asked_about_at_its_courier_once_in_two_hours(self, shop: Shop) -> None:
        one = shop.follows("LK664578623CN")
        shop.days_pass(5)

        reply = shop.refresh(one, realtime=True)

        assert (reply.status, reply.json()["events"] != []) == (202, True)
        again = shop.refresh(one, realtime=True)
        assert (again.status, again.code) == (429, "too_many_requests")
        assert 0 < int(again.headers["retry-after"]) <= 7200
        assert shop.calls["realtime"] == 1

    def test_is_forgotten_there_and_here(self, shop: Shop) -> None:
        one = shop.follows("LK664578623CN")

        assert [call("DELETE /v1/trackings/{id}", id=one["id"]).status for _ in range(2)] == [204, 404]

        assert shop.there() == {}
        assert shop.calls["deleteOne"] == 1

    def test_that_they_have_forgotten_can_be_forgotten_here(self, shop: Shop) -> None:
        one = shop.follows("LK664578623CN")
        shop.control.post("/reset").raise_for_status()

        assert call("DELETE /v1/trackings/{id}", id=one["id"]).status == 204


class TestSeveralParcels:
    def test_are_followed_changed_and_forgotten_together(self, shop: Shop) -> None:
        numbers = [f"LK{n:09}CN" for n in range(40)]
        known = shop.follows(numbers[7])
        entries = [{"carrier_code": "china-ems", "tracking_number": number} for number in numbers]

        reply = call("POST /v1/trackings", body=entries)

        assert reply.status == 201, reply.text
        ids = [one["id"] for one in reply.json()["data"]]
        assert ids[7] == known["id"]
        assert len(shop.there()) == 40
        patches = [{"id": one, "title": f"Parcel {n}"} for n, one in enumerate(ids)]
        changed = call("POST /v1/trackings/update", body=patches).json()["data"]
        assert {one["status"] for one in changed} == {200}
        assert {one["status"] for one in call("POST /v1/trackings/delete", body=ids).json()["data"]} == {204}
        assert shop.there() == {}
        assert {name: shop.calls[name] for name in ("post", "batch", "updatemore", "delete")} == {
            "post": 1,
            "batch": 1,
            "updatemore": 1,
            "delete": 1,
        }

    def test_do_not_spoil_each_other(self, shop: Shop) -> None:
        entries = [
            {"carrier_code": "china-ems", "tracking_number": "LK000000001CN"},
            {"carrier_code": "china-ems", "tracking_number": "LK000000002CN-SBX-REJECT"},
            {"carrier_code": "china-ems", "tracking_number": "LK000000003CN"},
        ]

        reply = call("POST /v1/trackings", body=entries)

        assert reply.status == 207
        data = reply.json()["data"]
        assert [one["status"] for one in data] == [201, 422, 201]
        assert data[1]["problem"]["carrier"]["code"] == "4014"
        assert data[1]["problem"]["errors"][0]["pointer"] == "/1/tracking_number"


class TestAQuestion:
    def test_of_each_kind_is_answered(self, shop: Shop) -> None:
        shop.follows("LK664578623CN")

        route = {"origin": "CN", "destination": "US", "carrier_code": "china-ems"}
        times = call("POST /v1/trackings/transit-times", body=route).json()["data"]
        assert 0 < times["delivered"] <= times["total"]
        assert len(times["ranges"]) == 5

        places = [{"country": "US", "postcode": f"9950{n}", "company": "DHL"} for n in range(10)]
        areas = call("POST /v1/trackings/remote-areas", body=places)
        assert areas.status == 200
        assert areas.json()["data"]

        cargo = call("GET /v1/trackings/air-cargo/{awb}", awb="016-10354966")
        assert (cargo.status, cargo.json()["data"] != {}) == (200, True)

        usage = call("GET /v1/trackings/usage")
        assert usage.json()["data"]["track_number"] == 999_999
        assert LOGIN["email"] not in usage.text

        counts = call("GET /v1/trackings/summary").json()["data"]
        assert counts["pending"] == 1

        found = call("POST /v1/trackings/detect", body={"tracking_number": "LK664578623CN"}).json()["data"]
        assert "china-ems" in [one["code"] for one in found]

        service = runtime.tracking_subscriptions
        assert len(service.ask("acme", "default", lambda one: one.couriers(), Deadline.after(10))) > 20
        asked = {"costtime", "remote", "aircargo", "getuserinfo", "getstatusnumber", "detect", "carriers"}
        assert asked <= set(shop.calls)

    def test_that_they_refuse_is_told_in_their_words(self, shop: Shop) -> None:
        body = {"origin": "CN", "destination": "US", "carrier_code": "no-such-courier"}

        reply = call("POST /v1/trackings/transit-times", body=body)

        assert (reply.status, reply.code) == (422, "refused_by_carrier")
        assert reply.json()["carrier"]["code"] == "4015"

    def test_of_whose_a_strange_number_is_has_no_answer(self, shop: Shop) -> None:
        assert call("POST /v1/trackings/detect", body={"tracking_number": "?!"}).json() == {"data": []}


REQUESTS: dict[str, tuple[str, Any]] = {
    "post": ("POST /v1/trackings", {"carrier_code": "china-ems", "tracking_number": "LK000000009CN"}),
    "batch": (
        "POST /v1/trackings",
        [{"carrier_code": "china-ems", "tracking_number": f"LK00000000{n}CN"} for n in range(3)],
    ),
    "putOne": ("PATCH /v1/trackings/{id}", {"title": "New"}),
    "update": ("PATCH /v1/trackings/{id}", {"carrier_code": "china-post"}),
    "notupdate": ("POST /v1/trackings/{id}/pause", None),
    "deleteOne": ("DELETE /v1/trackings/{id}", None),
    "realtime": ("POST /v1/trackings/{id}/refresh", {"realtime": True}),
    "costtime": (
        "POST /v1/trackings/transit-times",
        {"origin": "CN", "destination": "US", "carrier_code": "china-ems"},
    ),
    "remote": ("POST /v1/trackings/remote-areas", [{"country": "US", "postcode": "99501"}]),
    "detect": ("POST /v1/trackings/detect", {"tracking_number": "LK664578623CN"}),
    "aircargo": ("GET /v1/trackings/air-cargo/{awb}", None),
    "getuserinfo": ("GET /v1/trackings/usage", None),
    "getstatusnumber": ("GET /v1/trackings/summary", None),
}
KINDS = (
    "reset_before",
    "reset_after",
    "half_body",
    "wrong_type",
    "status_500",
    "html_502",
    "429",
    "unauthorized",
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", REQUESTS)
def test_trouble_on_the_way_is_mended_by_the_same_request_again(name: str, kind: str, shop: Shop) -> None:
    one = shop.follows("LK664578623CN", auto_correct=False)
    route, body = REQUESTS[name]
    named = {"id": one["id"]} if "{id}" in route else {"awb": "016-10354966"} if "{awb}" in route else {}
    # Refused credentials are read anew and tried again, so that is to be said twice.
    shop.fault(name, kind, times=2 if kind == "unauthorized" else 1)

    first = call(route, body=body, **named)
    shop.rested()
    shop.control.delete("/faults")
    again = call(route, body=body, **named)

    # What was asked of the courier may have been done, and counts.
    done = {429} if name == "realtime" and kind not in ("status_500", "html_502", "429") else set()
    assert first.status in {200, 201, 202, 204, 429, 503}, first.text
    assert again.status in {200, 201, 202, 204} | done | ({404} if first.status == 204 else set()), again.text
    if name == "batch":
        assert len(shop.backend.stored("tracking")) == len(shop.there()) == 4
    if name == "deleteOne":
        assert shop.backend.stored("tracking") == []


def test_a_wrong_key_is_told_as_an_aggregator_that_cannot_be_asked(shop: Shop) -> None:
    secret = {"credentials": LOGIN | {"api_key": "wrong"}, "base_url": "http://127.0.0.1:9/trackingmore"}
    secrets = aws_clients.client("secretsmanager")
    held = json.loads(
        secrets.get_secret_value(SecretId="parcelgate/acme/trackingmore/default")["SecretString"]
    )
    secrets.put_secret_value(
        SecretId="parcelgate/acme/trackingmore/default",
        SecretString=json.dumps(secret | {"base_url": held["base_url"]}),
    )

    reply = call("POST /v1/trackings", body={"carrier_code": "china-ems", "tracking_number": "LK1CN"})

    assert (reply.status, reply.code) == (503, "carrier_unavailable")
