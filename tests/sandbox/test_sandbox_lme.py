"""LME's side of the sandbox: strict about seal, signature and fields, true in what it answers."""

import base64
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any

import httpx
import pypdf
import pypdfium2
import pytest
import zxingcpp
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key

from sandbox import Settings, serve
from sandbox.lme import new_login
from tests.sandbox.lme_client import LOGINS, Client, JsonObject, order


@pytest.fixture(scope="module")
def lme_http() -> Iterator[httpx.Client]:
    settings = Settings(accounts={"lme": LOGINS}, acceleration=1)
    with serve(settings) as url, httpx.Client(base_url=url, timeout=60, trust_env=False) as http:
        yield http


@pytest.fixture
def lme(lme_http: httpx.Client) -> Client:
    lme_http.post("/_sandbox/reset")
    return Client(lme_http, LOGINS["default"])


@pytest.fixture
def other(lme: Client) -> Client:
    return Client(lme.http, LOGINS["other"])


# The envelope.


def test_code_comes_as_text_and_as_a_number(lme: Client) -> None:
    lme.create()
    answers = [lme.post("order/query", {"outOrderNo": "shop-1"}).json() for _ in range(4)]
    assert [answer["code"] for answer in answers] in (["0", 0, "0", 0], [0, "0", 0, "0"])


def test_an_answer_is_sealed_for_the_client_alone(lme: Client, other: Client) -> None:
    answer = lme.post("order/create", order()).json()
    assert lme.opened(answer["data"])["outOrderNo"] == "shop-1"
    with pytest.raises(ValueError, match=r".*"):
        other.opened(answer["data"])


def test_longer_keys_have_longer_blocks(lme: Client) -> None:
    assert Client(lme.http, LOGINS["long"]).create().startswith("FHE")


def spoilt(**headers: str | None) -> Callable[[dict[str, str], JsonObject], Any]:
    def spoil(names: dict[str, str], body: JsonObject) -> Any:
        for name, value in headers.items():
            names.pop(name)
            if value is not None:
                names[name] = value
        return body

    return spoil


@pytest.mark.parametrize(
    ("spoil", "code", "status"),
    [
        (spoilt(sign="Zm9v"), 401, 401),
        (spoilt(sign="%%"), 401, 401),
        (spoilt(sign=None), 401, 401),
        (spoilt(appkey="APP-9"), 401, 401),
        (spoilt(appkey="APP-2"), 401, 401),
        (spoilt(timestamp="1795281875019"), 401, 401),
        (spoilt(timestamp="now"), 401, 401),
        (spoilt(version="2"), 20001, 200),
        (spoilt(requestid="0" * 32), 20001, 200),
        ({"content-type": "text/plain"}, 20001, 200),
    ],
)
def test_a_wrong_header_is_refused(lme: Client, spoil: Any, code: int, status: int) -> None:
    headers, body = lme.request(order())
    if isinstance(spoil, dict):
        headers |= spoil
    else:
        body = spoil(headers, body)
    answer = lme.http.post("/lme/server/gateway/order/create", headers=headers, content=json.dumps(body))
    assert (answer.status_code, int(answer.json()["code"])) == (status, code)
    assert lme.ledger()["orders"] == []


def test_another_clients_signature_is_refused(lme: Client, other: Client) -> None:
    other.app_key = "APP-1"
    assert other.post("order/create", order()).status_code == 401


@pytest.mark.parametrize(("late", "status"), [(290, 200), (-290, 200), (310, 401), (-310, 401)])
def test_five_minutes_are_how_far_a_clock_may_be_off(lme: Client, late: float, status: int) -> None:
    assert lme.post("order/create", order(), late=late).status_code == status


def test_time_that_was_moved_here_does_not_make_requests_old(lme: Client) -> None:
    lme.http.post("/_sandbox/advance", json={"seconds": 86400})
    assert lme.create()


@pytest.mark.parametrize("content", [b"not JSON", b"[]", b""])
def test_what_is_sealed_must_be_an_object(lme: Client, content: bytes) -> None:
    assert lme.refused("order/create", content)[0] == "20001"


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"data": 7}', b'{"data": "%"}'])
def test_a_body_without_data_is_refused(lme: Client, body: bytes) -> None:
    headers, _ = lme.request(order())
    answer = lme.http.post("/lme/server/gateway/order/create", headers=headers, content=body)
    assert answer.json()["code"] not in (0, "0")


# Orders.


def test_an_order_has_a_number_of_fourteen_digits_and_its_own_fields(lme: Client) -> None:
    data = lme.ask("order/create", order(colour="red"))
    assert data["orderNo"].startswith("FHE")
    assert len(data["orderNo"]) == 17
    assert (data["totalWeight"], data["colour"], data["orderStage"]) == (1.25, "red", 10)
    assert data["receiver"]["city"] == "Berwick"
    assert data["preDeliverWarehouseName"]
    (entry,) = lme.ledger()["orders"]
    assert (entry["order_number"], entry["reference"], entry["status"]) == (
        data["orderNo"],
        "shop-1",
        "completed",
    )


def contact(side: str, **changes: Any) -> JsonObject:
    return {side: order()[side] | changes}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"outOrderNo": ""}, "outOrderNo"),
        ({"outOrderNo": 7}, "outOrderNo"),
        ({"channel": "APP-2"}, "channel"),
        ({"preTimeStart": None}, "preTimeStart"),
        ({"preTimeStart": "2020-01-01 09:00:00"}, "preTimeStart"),
        ({"preTimeStart": "tomorrow"}, "preTimeStart"),
        ({"preTimeEnd": "2020-01-01 09:00:00"}, "preTimeEnd"),
        ({"totalLength": 2.001}, "totalLength"),
        ({"totalWidth": 0}, "totalWidth"),
        ({"totalHeight": "0.2"}, "totalHeight"),
        ({"totalWeight": None}, "totalWeight"),
        ({"totalWeight": 1.0001}, "totalWeight"),
        ({"orderNo": "FHE1"}, "orderNo"),
        ({"poster": None}, "poster"),
        (contact("poster", contact=" "), "poster.contact"),
        (contact("receiver", tel=None), "receiver.mobile"),
        (contact("receiver", city=""), "receiver.city"),
        (contact("receiver", zoneCode="AUS"), "receiver.zoneCode"),
        (contact("receiver", country="AU"), "receiver.country"),
        (contact("receiver", province="VIC"), "receiver.province"),
    ],
)
def test_a_wrong_field_is_named(lme: Client, changes: JsonObject, field: str) -> None:
    code, message = lme.refused("order/create", order(**changes))
    assert (code, field in message) == ("20001", True), message
    assert lme.ledger()["orders"] == []


def test_measures_may_be_left_out_and_a_number_held_before_is_used(lme: Client) -> None:
    bare = dict.fromkeys(("totalLength", "totalWidth", "totalHeight", "cargoDesc"))
    assert lme.create(orderNo="FHE16753011400000", **bare) == "FHE16753011400000"


def test_a_reference_is_unique_per_channel_until_its_order_is_cancelled(lme: Client, other: Client) -> None:
    number = lme.create()
    assert lme.refused("order/create", order())[0] == "30001"
    assert other.create() != number
    assert lme.ask("order/cancel", {"orderNo": number}) == {"orderNo": number, "isTrue": True}
    assert lme.refused("order/cancel", {"orderNo": number})[0] == "30005"
    assert lme.create() != number


def test_one_reference_at_the_same_instant_is_one_order(lme: Client) -> None:
    requests = [lme.request(order()) for _ in range(20)]

    def send(request: Any) -> str:
        headers, body = request
        return str(
            lme.http.post("/lme/server/gateway/order/create", headers=headers, json=body).json()["code"]
        )

    with ThreadPoolExecutor(20) as pool:
        assert sorted(pool.map(send, requests)) == ["0", *["30001"] * 19]


def test_an_order_is_found_by_either_number_and_only_by_its_owner(lme: Client, other: Client) -> None:
    number = lme.create()
    for asked in ({"orderNo": number}, {"outOrderNo": "shop-1", "channel": "APP-1"}):
        assert lme.ask("order/query", asked)["orderNo"] == number
        assert other.refused("order/query", asked | ({"channel": None}))[0] == "30004"
    assert lme.refused("order/query", {"outOrderNo": "nobody"})[0] == "30004"
    assert lme.refused("order/query", {})[0] == "20001"
    assert lme.refused("order/query", {"orderNo": number, "channel": "APP-2"})[0] == "20001"


def test_an_order_changes_under_its_number(lme: Client) -> None:
    number = lme.create()
    changed = order(orderNo=number, totalWeight=2, **contact("receiver", city="Officer"))
    assert lme.ask("order/update", changed)["receiver"]["city"] == "Officer"
    assert lme.ask("order/query", {"orderNo": number})["totalWeight"] == 2
    assert lme.refused("order/update", order("another", orderNo=number))[0] == "20001"
    assert lme.refused("order/update", order())[0] == "20001"
    lme.ask("order/cancel", {"orderNo": number})
    assert lme.refused("order/update", changed)[0] == "30005"


def test_a_parcel_that_is_out_for_delivery_stays_ordered(lme: Client) -> None:
    number = lme.create()
    lme.http.post("/_sandbox/advance", json={"seconds": 40 * 3600})
    assert lme.refused("order/cancel", {"orderNo": number})[0] == "30006"
    assert lme.refused("order/update", order(orderNo=number))[0] == "30006"


# Returns.


def sent_back(number: str, reference: str = "shop-1") -> JsonObject:
    return {"orderNo": number, "outOrderNo": reference}


def codes(lme: Client, number: str) -> list[str]:
    routes = lme.ask("order/queryRouteV2", {"orderNo": number})["orderRoutes"]
    return [event["eventCode"] for event in routes]


def test_an_order_that_is_sent_back_turns_round_where_it_is(lme: Client) -> None:
    number = lme.create()
    lme.http.post("/_sandbox/advance", json={"seconds": 12 * 3600})
    way = codes(lme, number)

    assert lme.ask("order/return", sent_back(number)) == {"orderNo": number}

    lme.http.post("/_sandbox/advance", json={"seconds": 60 * 3600})
    assert codes(lme, number) == [*way, "exception_withdrawing_re_in_warehouse", "sign_in"]
    assert "out_warehorse_2" not in way


def test_an_order_is_sent_back_once(lme: Client) -> None:
    number = lme.create()
    lme.ask("order/return", sent_back(number))
    code, message = lme.refused("order/return", sent_back(number))
    assert (code, "already exists" in message) == ("30001", True)


def test_what_cannot_come_back_is_not_sent_back(lme: Client, other: Client) -> None:
    number = lme.create()
    assert lme.refused("order/return", {"orderNo": number})[0] == "20001"
    assert lme.refused("order/return", {"outOrderNo": "shop-1"})[0] == "20001"
    assert lme.refused("order/return", sent_back(number, "shop-2"))[0] == "30004"
    assert lme.refused("order/return", sent_back("FHE00000000000000"))[0] == "30004"
    assert other.refused("order/return", sent_back(number))[0] == "30004"
    cancelled = lme.create("shop-2")
    lme.ask("order/cancel", {"orderNo": cancelled})
    assert lme.refused("order/return", sent_back(cancelled, "shop-2"))[0] == "30005"
    receiver = order()["receiver"] | {"province": "Queensland", "city": "Cairns"}
    far = lme.create("shop-3", receiver=receiver)
    # At the slowest pace a parcel is handed on after 24 hours, at the quickest it is delivered then.
    lme.http.post("/_sandbox/advance", json={"seconds": 24 * 3600})
    assert lme.refused("order/return", sent_back(far, "shop-3"))[0] == "30008"
    lme.http.post("/_sandbox/advance", json={"seconds": 40 * 3600})
    code, message = lme.refused("order/return", sent_back(number))
    assert (code, "already delivered" in message) == ("30007", True)


# Labels, routes, addresses.


def test_a_label_is_a_4x6_page_that_scans_to_its_number(lme: Client) -> None:
    number = lme.create()
    data = lme.ask("order/queryLabel", {"orderNo": number})
    assert (data["orderNo"], data["labelType"]) == (number, "PDF")
    document = base64.b64decode(data["labelData"])
    (page,) = pypdfium2.PdfDocument(document)
    assert page.get_size() == (4 * 72, 6 * 72)
    (barcode,) = zxingcpp.read_barcodes(page.render(scale=203 / 72).to_pil())
    assert (barcode.text, barcode.format) == (number, zxingcpp.BarcodeFormat.Code128)
    text = pypdf.PdfReader(BytesIO(document)).pages[0].extract_text()
    for printed in ("Corrie McKee", "3 Lakeside Drive", "Berwick Victoria 3806", "1.250 kg"):
        assert printed in text


def test_a_label_may_come_late_bad_or_as_an_address(lme: Client) -> None:
    late = lme.create("SBX-NOLABEL-2")
    assert [lme.refused("order/queryLabel", {"orderNo": late})[0] for _ in range(2)] == ["30020"] * 2
    assert lme.ask("order/queryLabel", {"orderNo": late})["labelData"]
    bad = lme.ask("order/queryLabel", {"orderNo": lme.create("SBX-BADLABEL")})["labelData"]
    assert not base64.b64decode(bad).startswith(b"%PDF-")
    link = lme.ask("order/queryLabel", {"orderNo": lme.create("SBX-LABELURL")})["labelUrl"]
    assert httpx.get(link, trust_env=False).content.startswith(b"%PDF-")
    assert lme.http.get("/lme/labels/FHE0.pdf").status_code == 404


def test_a_parcel_travels_in_lmes_words_and_local_times(lme: Client) -> None:
    number = lme.create()
    (first,) = lme.ask("order/queryRouteV2", {"orderNo": number})["orderRoutes"]
    assert (first["eventCode"], first["timeZone"], first["outOrderNo"]) == (
        "create_order",
        "UTC+10",
        "shop-1",
    )
    lme.http.post("/_sandbox/advance", json={"seconds": 60 * 3600})
    routes = lme.ask("order/queryRouteV2", {"orderNo": number})["orderRoutes"]
    assert [route["eventCode"] for route in routes] == [
        "create_order", "collect_order", "order_sorting_finish", "allocate_out", "allocate_in",
        "allocate_order", "deliver_in_warehose", "out_warehorse_2", "sign_image",
    ]  # fmt: skip
    for route in routes:
        assert datetime.fromisoformat(route["eventTime"]) - datetime.fromisoformat(
            route["utcOperatorTime"]
        ) == timedelta(hours=10)
    assert routes[-1]["imageUrl"] != routes[-1]["shippingAddressImageUrl"]
    older = lme.ask("order/queryRoute", {"orderNo": number, "channel": "APP-1"})["orderRoutes"]
    assert [route["action"] for route in older] == [route["eventCode"] for route in routes]
    assert isinstance(older[0]["updatedTime"], int)
    assert lme.refused("order/queryRoute", {"orderNo": number})[0] == "20001"


def test_disorder_is_the_same_story_told_badly(lme: Client) -> None:
    number = lme.create("SBX-DISORDER")
    lme.http.post("/_sandbox/advance", json={"seconds": 60 * 3600})
    routes = lme.ask("order/queryRouteV2", {"orderNo": number})["orderRoutes"]
    times = [route["eventTime"] for route in routes]
    assert len(times) > len(set(times)) == 9
    assert times != sorted(times)


@pytest.mark.parametrize(
    ("changes", "valid"),
    [
        ({}, True),
        ({"postCode": "38"}, False),
        ({"address": "PO Box 7"}, False),
        ({"country": "France"}, False),
    ],
)
def test_an_address_is_checked(lme: Client, changes: JsonObject, valid: bool) -> None:
    asked = {"country": "Australia", "province": "VICTORIA", "city": "BERWICK", "postCode": "3806",
             "address": "3 Lakeside Drive"} | changes  # fmt: skip
    data = lme.ask("address/validate", asked)
    assert (data["isValid"], bool(data["message"])) == (valid, not valid)
    assert data["suggest"]["city"] == "Berwick"


# Steering, faults, ledger.


def test_a_rejected_order_is_not_taken(lme: Client) -> None:
    assert lme.refused("order/create", order("SBX-REJECT"))[0] == "30010"
    assert lme.ledger()["orders"] == []


@pytest.mark.parametrize("word", ["LOST", "GARBAGE"])
def test_an_order_may_be_taken_without_an_answer(lme: Client, word: str) -> None:
    try:
        with pytest.raises(ValueError, match=r".*"):
            lme.post("order/create", order(f"SBX-{word}")).json()
    except httpx.RemoteProtocolError:
        assert word == "LOST"
    assert lme.ask("order/query", {"outOrderNo": f"SBX-{word}"})


def test_an_outage_takes_creates_and_questions(lme: Client) -> None:
    assert [lme.post("order/create", order("SBX-5XX-2")).status_code for _ in range(3)] == [500, 500, 200]
    assert lme.ledger()["calls_by_reference"] == {"SBX-5XX-2": {"create": 3}}


@pytest.mark.parametrize(("answer", "status"), [("HTML", 502), ("503", 503), ("401", 401), ("404", 200)])
def test_the_answer_to_a_question_can_be_steered(lme: Client, answer: str, status: int) -> None:
    reference = f"SBX-RESULT-{answer}"
    lme.create(reference)
    assert lme.post("order/query", {"outOrderNo": reference}).status_code == status
    assert lme.ask("order/query", {"outOrderNo": reference})


def test_faults_find_their_order_through_the_seal(lme: Client) -> None:
    number = lme.create("shop-1")
    lme.create("shop-2")
    fault = {"carrier": "lme", "call": "*", "kind": "code", "code": 77, "reference": "shop-1"}
    lme.http.post("/_sandbox/faults", json=[fault]).raise_for_status()
    assert lme.ask("order/query", {"outOrderNo": "shop-2"})
    assert lme.refused("order/cancel", {"orderNo": number}) == ("77", "refused by an injected fault")
    assert lme.ledger()["calls_by_reference"]["shop-1"] == {"create": 1, "cancel": 1}


def test_wrong_types_are_inside_the_seal(lme: Client) -> None:
    lme.http.post("/_sandbox/faults", json=[{"carrier": "lme", "call": "create", "kind": "wrong_type"}])
    data = lme.ask("order/create", order())
    assert data["orderNo"] == {"unexpected": "object"}


def test_a_made_up_account_has_both_pairs_of_keys() -> None:
    login = new_login()
    assert set(login) == {"app_key", "client_private", "client_public", "lme_private", "lme_public"}
    for side in ("client", "lme"):
        private: Any = load_der_private_key(base64.b64decode(login[f"{side}_private"]), None)
        public: Any = load_der_public_key(base64.b64decode(login[f"{side}_public"]))
        assert private.public_key() == public
        assert private.key_size == 1024


def test_hundreds_of_orders_stand_in_the_books(lme: Client) -> None:
    requests = [lme.request(order(f"shop-{number}")) for number in range(300)]
    for headers, body in requests:
        assert (
            lme.http.post("/lme/server/gateway/order/create", headers=headers, json=body).status_code == 200
        )
    assert len(lme.ledger()["orders"]) == 300
