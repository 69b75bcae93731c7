"""TrackingMore's calls: what is followed, what is asked and what is refused, over real HTTP."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from sandbox import Settings, serve

JsonObject = dict[str, Any]

LOGIN = {"api_key": "key-1", "email": "shop@example.com"}
OTHER = {"api_key": "key-2", "email": "other@example.com", "quota": 1}
A_MONTH = 30 * 24 * 3600 / 1440


def parcel(number: str = "RP893531375SG", courier: str = "singapore-post", **more: Any) -> JsonObject:
    return {"tracking_number": number, "carrier_code": courier, **more}


class Client:
    """A client of the service; every answer is its decoded body."""

    def __init__(self, http: httpx.Client, key: str = LOGIN["api_key"]) -> None:
        self.http = http
        self.headers = {"Trackingmore-Api-Key": key}

    def send(self, method: str, path: str, body: Any = None, **query: Any) -> httpx.Response:
        return self.http.request(
            method, f"/trackingmore{path}", json=body, params=query, headers=self.headers
        )

    def post(self, call: str, body: Any) -> JsonObject:
        answer: JsonObject = self.send("POST", f"/trackings/{call}", body).json()
        return answer

    def batch(self, *parcels: JsonObject) -> JsonObject:
        return self.post("batch", list(parcels))

    def one(self, number: str = "RP893531375SG", courier: str = "singapore-post") -> JsonObject:
        answer: JsonObject = self.send("GET", f"/trackings/{courier}/{number}").json()
        return answer

    def item(self, *pair: str) -> JsonObject:
        item: JsonObject = self.one(*pair)["data"]
        return item

    def list(self, **query: Any) -> JsonObject:
        answer: JsonObject = self.send("GET", "/trackings/get", **query).json()
        return answer

    def later(self, seconds: float) -> None:
        self.http.post("/_sandbox/advance", json={"seconds": seconds})


@pytest.fixture(scope="module")
def world() -> Iterator[httpx.Client]:
    settings = Settings(
        accounts={"trackingmore": {"default": LOGIN, "other": OTHER}},
        processing_seconds=60,
        acceleration=1440,
    )
    with serve(settings) as url, httpx.Client(base_url=url, timeout=60, trust_env=False) as http:
        yield http


@pytest.fixture
def http(world: httpx.Client) -> httpx.Client:
    world.post("/_sandbox/reset")
    return world


@pytest.fixture
def client(http: httpx.Client) -> Client:
    return Client(http)


@pytest.mark.parametrize("key", ["", "wrong"])
def test_a_wrong_key_is_refused_by_its_code(http, key):
    answer = Client(http, key).send("GET", "/trackings/get")
    assert answer.status_code == 200
    assert answer.json()["meta"]["code"] == 4001


def test_it_answers_with_the_version_in_the_path_and_without(client):
    client.post("post", parcel())
    path = "/trackings/singapore-post/RP893531375SG"
    assert client.send("GET", f"/v2{path}").json() == client.send("GET", path).json()


def test_the_http_status_of_a_refusal_means_nothing(client):
    assert client.send("POST", "/trackings/post", parcel()).status_code == 200
    again = client.send("POST", "/trackings/post", parcel())
    assert (again.status_code, again.json()["meta"]["code"], again.json()["data"]) == (200, 4016, [])


def test_a_batch_of_new_parcels_is_answered_as_the_document_has_it(client):
    answer = client.batch(
        parcel(customer_phone="+110110", order_create_time="2017/8/27 16:51", order_id="213456"),
        parcel("LK894734223CN", "china-ems", title="title 1"),
    )
    assert answer["meta"] == {"code": 200, "type": "Success", "message": "Success"}
    assert set(answer["data"]) == {"submitted", "added", "trackings"}
    first = answer["data"]["trackings"][0]
    assert len(first.pop("id")) == 32
    assert first.pop("created_at").endswith("+00:00")
    assert first == {
        "tracking_number": "RP893531375SG",
        "carrier_code": "singapore-post",
        "order_create_time": "2017/8/27 16:51",
        "status": "pending",
        "customer_email": None,
        "customer_name": None,
        "customer_phone": "+110110",
        "order_id": "213456",
        "comment": None,
        "title": None,
        "logistics_channel": None,
    }


def test_a_batch_tells_of_each_parcel_that_it_did_not_take_under_a_code_that_sounds_well(client):
    client.batch(parcel())
    answer = client.batch(
        parcel(),
        {"carrier_code": "dhl"},
        parcel("x"),
        parcel("1234567890", "pigeon-post"),
        parcel("1234567890", "dhl"),
        parcel("1234567890", "dhl"),
        parcel("SBX-REJECT-1", "dhl"),
        parcel("1234567891", "dhl", order_create_time="27.8.2017"),
    )
    assert answer["meta"]["code"] == 201
    assert (answer["data"]["submitted"], answer["data"]["added"]) == (8, 1)
    assert [error["code"] for error in answer["data"]["errors"]] == [4016, 4013, 4014, 4015, 4016, 4014, 4012]
    assert answer["data"]["errors"][0] == parcel(code=4016, message="Tracking already exists.")


@pytest.mark.parametrize("call", ["batch", "delete", "updatemore", "notupdate"])
def test_more_than_forty_at_once_are_too_many(client, call):
    several = [parcel(f"1234567{place:03}", "dhl") for place in range(41)]
    assert client.post(call, several)["meta"]["code"] == 4020
    assert client.post(call, several[:40])["meta"]["code"] in {200, 201}


@pytest.mark.parametrize("body", [{}, [], "x", [1], None])
def test_a_batch_is_an_array_of_objects(client, body):
    assert client.post("batch", body)["meta"]["code"] == 4012


@pytest.mark.parametrize(
    "fields",
    [
        {"destination_code": "AUS"},
        {"title": 7},
        {"auto_correct": True},
        {"auto_correct": 2},
        {"tracking_ship_date": "2018-10-01"},
        {"lang": 1},
    ],
)
def test_a_field_of_another_form_is_refused(client, fields):
    assert client.post("post", parcel(**fields))["meta"]["code"] == 4012


def test_what_a_courier_wants_besides_is_taken(client):
    more = {"tracking_ship_date": "20181001", "tracking_postal_code": "2000", "auto_correct": 1, "lang": "en"}
    assert client.post("post", parcel(**more))["meta"]["code"] == 200


def test_a_courier_is_corrected_at_the_first_look_unless_that_is_forbidden(client):
    number = "1Z999AA10123456784"
    assert client.post("post", parcel(number, "usps"))["data"]["carrier_code"] == "usps"
    client.post("post", parcel("1Z999AA10123456785", "usps", auto_correct=1))
    client.later(61)
    assert client.one(number, "usps")["meta"]["code"] == 4017
    assert client.item(number, "ups")["carrier_code"] == "ups"
    assert client.post("post", parcel(number, "usps"))["meta"]["code"] == 4016
    assert client.item("1Z999AA10123456785", "usps")["carrier_code"] == "usps"


def test_an_account_knows_its_own_parcels_only_and_has_its_own_quota(client, http):
    client.post("post", parcel())
    other = Client(http, OTHER["api_key"])
    assert other.one()["meta"]["code"] == 4017
    assert other.list()["meta"]["code"] == 4031
    assert other.send("GET", "/trackings/getuserinfo").json()["data"]["track_number"] == 1
    assert other.batch(parcel(), parcel("1234567890", "dhl"))["data"]["errors"][0]["code"] == 4021


def test_parcels_can_have_been_followed_before(client, http):
    body = {"trackingmore": {"default": [parcel()]}}
    assert http.post("/_sandbox/parcels", json=body).status_code == 200
    assert client.batch(parcel())["data"]["errors"][0]["code"] == 4016


@pytest.mark.parametrize(
    "body",
    [[], {"lso": {"default": []}}, {"trackingmore": {"nobody": []}}, {"trackingmore": {"default": [{}]}}],
)
def test_parcels_that_cannot_be_entered_are_refused(http, body):
    assert http.post("/_sandbox/parcels", json=body).status_code == 422


def test_a_list_is_chosen_from_and_comes_in_pages(client):
    client.batch(*(parcel(f"123456789{place}", "dhl", order_id=f"o-{place}") for place in range(5)))
    page = client.list(page=2, limit=2)["data"]
    assert (page["page"], page["limit"], page["total"], page["count"]) == (2, 2, "5", 2)
    client.later(1)
    asked = client.list(numbers="1234567890,1234567893,none")["data"]["items"]
    assert {item["tracking_number"] for item in asked} == {"1234567890", "1234567893"}
    client.later(1)
    assert client.list(orders="o-1,o-9")["data"]["total"] == "1"
    client.later(1)
    assert client.list(status="pending")["data"]["total"] == "5"
    client.later(1)
    assert client.list(created_at_min=int(time.time()) - 60)["data"]["total"] == "5"
    client.later(1)
    assert client.list(created_at_max=int(time.time()) - 60)["data"]["items"] == []


def test_a_list_is_chosen_from_by_what_was_archived_and_when_something_became_known(client):
    client.batch(parcel(), parcel("1234567890", "dhl"))
    client.later(61)
    client.send("PUT", "/trackings/dhl/1234567890", {"archived": "true"})
    for query, number in (("true", "1234567890"), ("false", "RP893531375SG")):
        (item,) = client.list(archived=query)["data"]["items"]
        assert item["tracking_number"] == number
        client.later(1)
    assert client.list(archived="all", update_time_min=int(time.time()) - 60)["data"]["total"] == "2"
    client.later(1)
    assert client.list(update_time_max=int(time.time()) - 60)["data"]["items"] == []


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"limit": 2001}, 4012),
        ({"page": 0}, 4012),
        ({"status": "in_transit"}, 4033),
        ({"created_at_min": "today"}, 4012),
        ({"numbers": ",".join(["12345"] * 41)}, 4020),
        ({"orders": ",".join(["12345"] * 41)}, 4020),
        ({}, 4031),
    ],
)
def test_a_list_that_cannot_be_is_refused(client, query, code):
    assert client.list(**query)["meta"]["code"] == code


def test_an_account_lists_once_a_second(client, http):
    assert client.list()["meta"]["code"] == 4031
    assert client.list()["meta"]["code"] == 429
    assert Client(http, OTHER["api_key"]).list()["meta"]["code"] == 4031
    client.later(1)
    assert client.list()["meta"]["code"] == 4031


def test_realtime_answers_three_times_a_second_and_about_a_parcel_every_two_hours(client):
    answers = [client.post("realtime", parcel(f"123456789{place}", "dhl")) for place in range(4)]
    assert [answer["meta"]["code"] for answer in answers] == [200, 200, 200, 429]
    client.later(7190)
    assert client.post("realtime", parcel("1234567890", "dhl"))["meta"]["code"] == 429
    client.later(10)
    assert client.post("realtime", parcel("1234567890", "dhl"))["meta"]["code"] == 200


def test_realtime_does_not_leave_a_parcel_pending(client):
    client.post("post", parcel())
    assert client.item()["status"] == "pending"
    (item,) = client.post("realtime", parcel())["data"]["items"]
    assert item["status"] == client.item()["status"] == "notfound"


def test_a_parcel_is_amended(client):
    client.post("post", parcel(comment="kept"))
    change = {"title": "New", "customer_name": "Corrie", "archived": "true", "status": 4}
    answer = client.send("PUT", "/trackings/singapore-post/RP893531375SG", change).json()
    assert (answer["data"]["title"], answer["data"]["comment"]) == ("New", "kept")
    assert (client.item()["status"], client.item()["archived"]) == ("delivered", True)
    answer = client.post("updatemore", [parcel(status=8, archived="false"), parcel("1234567890", "dhl")])
    assert answer["data"]["change"] == 1
    assert answer["data"]["errors"] == [
        parcel("1234567890", "dhl", code=4017, message="Tracking does not exist.")
    ]
    assert (client.item()["status"], client.item()["archived"]) == ("pending", False)


@pytest.mark.parametrize(("change", "code"), [({"status": 5}, 4033), ({"archived": "yes"}, 4012), ([], 4012)])
def test_a_change_that_cannot_be_is_refused(client, change, code):
    client.post("post", parcel())
    assert (
        client.send("PUT", "/trackings/singapore-post/RP893531375SG", change).json()["meta"]["code"] == code
    )


def test_a_parcel_is_given_to_another_courier(client):
    client.batch(parcel("LK894734223CN", "china-ems"), parcel())
    change = parcel("LK894734223CN", "china-ems", update_carrier_code="china-post")
    assert client.post("update", change)["meta"]["code"] == 200
    assert client.post("update", change)["meta"]["code"] == 4017
    assert client.item("LK894734223CN", "china-post")["carrier_code"] == "china-post"
    assert client.post("update", parcel(update_carrier_code="pigeon"))["meta"]["code"] == 4015


def test_parcels_are_deleted_one_by_one_and_together(client):
    client.batch(parcel(), parcel("1234567890", "dhl"))
    assert client.send("DELETE", "/trackings/singapore-post/RP893531375SG").json()["data"] == []
    assert client.send("DELETE", "/trackings/singapore-post/RP893531375SG").json()["meta"]["code"] == 4017
    answer = client.post("delete", [parcel(), parcel("1234567890", "dhl")])
    assert (answer["meta"]["code"], answer["data"]["deleted"]) == (201, 1)
    answer = client.list()
    assert (answer["meta"]["code"], answer["data"]["items"]) == (200, [])


def test_a_parcel_is_put_as_it_was_read(client):
    client.post("post", parcel(customer_email="ada@example.com", title="shoes", order_id="shop-1"))
    item = {**client.item(), "title": "boots", "archived": True}
    path = "/trackings/singapore-post/RP893531375SG"
    answer = client.send("PUT", path, item).json()
    assert answer["meta"]["code"] == 200
    assert answer["data"]["title"] == "boots"
    assert answer["data"]["archived"] is True
    assert client.item()["customer_email"] == ["ada@example.com"]
    assert client.send("PUT", path).json()["data"]["title"] == "boots"


def test_a_pair_that_is_not_followed_does_not_exist_whatever_its_courier(client):
    for path in ("/trackings/pigeon/RP893531375SG", "/trackings/dhl/_"):
        for method in ("GET", "PUT", "DELETE"):
            assert client.send(method, path, {} if method == "PUT" else None).json()["meta"]["code"] == 4017


def test_what_is_not_updated_stays_as_it_is(client):
    client.batch(parcel())
    client.later(61)
    answer = client.post("notupdate", [parcel()])
    assert answer["data"] == {"submitted": 1, "change": 1, "trackings": [parcel()]}
    before = client.item()
    client.later(A_MONTH)
    after = client.item()
    assert after["status"] == before["status"]
    assert after["origin_info"] == before["origin_info"]
    assert not after["track_update"]


def test_statuses_are_counted(client):
    client.batch(parcel(), parcel("1234567890", "dhl"))
    counts = client.send("GET", "/trackings/getstatusnumber").json()["data"]
    assert (counts["pending"], counts["delivered"], sum(counts.values())) == (2, 0, 2)


def test_only_four_companies_have_remote_areas(client):
    areas = [{"country": "Japan", "postcode": "7621094"}, {"country": "NZ", "postcode": "Papaaroha"}]
    data = client.post("remote", areas)["data"]
    assert data["submitted"] == 2
    assert {area["far_express_company"] for area in data["remote"]} <= {"dhl", "ups", "fedex", "tnt"}
    assert set(data["remote"][0]) == {"far_express_company", "two_code", "far_country", "far_city_postcode"}
    assert (
        client.post("remote", [{"country": "JP", "postcode": "1", "company": "yto"}])["meta"]["code"] == 4015
    )
    assert client.post("remote", [{"country": "JP"}])["meta"]["code"] == 4012


def test_it_says_how_long_parcels_take(client):
    route = {"original": "CN", "destination": "US", "carrier_code": "dhl"}
    (told,) = client.post("costtime", [route])["data"]
    assert told.items() >= route.items()
    assert told["delivered"] < told["total"]
    assert {f"range{place}" for place in range(1, 6)} < set(told)
    assert client.post("costtime", [{**route, "destination": "USA"}])["meta"]["code"] == 4012


@pytest.mark.parametrize("number", ["172-28891936", "172 28891936", "17228891936", "172-2889193"])
def test_an_air_waybill_is_three_digits_and_seven_or_eight(client, number):
    (told,) = client.post("aircargo", {"track_number": [number], "lang": "en"})["data"]
    assert told["track_number"].startswith("172-288919")
    assert told["track_info"][0]["event"] == "Received from shipper"


@pytest.mark.parametrize(
    ("numbers", "code"), [(["17-28891936"], 4014), ([], 4013), (None, 4013), ([7], 4014)]
)
def test_any_other_air_waybill_is_refused(client, numbers, code):
    assert client.post("aircargo", {"track_number": numbers})["meta"]["code"] == code


def test_couriers_are_listed_and_detected(client):
    couriers = client.send("GET", "/carriers").json()["data"]
    assert set(couriers[0]) == {"name", "code", "phone", "homepage", "type", "picture"}
    assert {courier["type"] for courier in couriers} == {"express", "globalpost"}
    found = client.send("POST", "/carriers/detect", {"tracking_number": "LK894734223CN"}).json()["data"]
    assert [courier["code"] for courier in found] == ["china-ems", "china-post"]
    assert client.send("POST", "/carriers/detect", {"tracking_number": "?"}).json()["meta"]["code"] == 4032
    assert client.send("POST", "/carriers/detect", {}).json()["meta"]["code"] == 4013


def test_calls_are_counted_for_the_order_they_are_about(client, http):
    client.batch(parcel(order_id="shop-1"))
    client.one()
    client.list(numbers="RP893531375SG")
    book = http.get("/_sandbox/ledger").json()["trackingmore"]
    assert book["calls"] == {"batch": 1, "getOne": 1, "get": 1}
    assert book["calls_by_reference"]["shop-1"] == {"batch": 1, "getOne": 1, "get": 1}


def test_faults_and_steering_words_spoil_calls(client, http):
    fault = {"carrier": "trackingmore", "call": "batch", "kind": "code", "code": 429}
    http.post("/_sandbox/faults", json=[fault])
    assert client.batch(parcel())["meta"]["code"] == 429
    outage = client.send("POST", "/trackings/post", parcel(order_id="SBX-5XX-1"))
    assert outage.status_code == 500
    with pytest.raises(httpx.RemoteProtocolError):
        client.post("post", parcel(title="SBX-LOST"))
    assert client.item()["title"] == "SBX-LOST"


def test_a_body_that_is_not_json_is_not_understood(client):
    answer = client.http.post(
        "/trackingmore/trackings/post", content=b"tracking_number=1", headers=client.headers
    )
    assert answer.json()["meta"]["code"] == 4012
