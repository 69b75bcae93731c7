"""TrackingMore's eighteen calls: how each is sent, and what its trouble means."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from parcelgate.carriers import port, results
from parcelgate.carriers.errors import (
    AccountError,
    AuthenticationError,
    RefusedError,
    TooManyRequestsError,
    TransientError,
)
from parcelgate.carriers.results import Amendment, Area, Followed, Route
from parcelgate.carriers.toolkit.calls import Response
from parcelgate.carriers.trackingmore import PROFILE, WEBHOOK_ANSWER
from parcelgate.carriers.trackingmore.adapter import Adapter as TrackingMore
from parcelgate.carriers.trackingmore.client import verdict
from parcelgate.carriers.trackingmore.settings import PATHS, Call
from parcelgate.domain.problems import CarrierWords
from parcelgate.domain.trackings import Customer
from tests.support.adapters import FakeTransport
from tests.unit.carriers.trackingmore.parcels import (
    API,
    LK,
    RP,
    Body,
    account,
    adapter,
    answer,
    fixture,
    following,
    item,
    printed,
    refusal,
)

PAIR = {"tracking_number": "RP893531375SG", "carrier_code": "singapore-post"}
OTHER = {"tracking_number": "LK894734223CN", "carrier_code": "china-ems"}

type Ask = Callable[[TrackingMore], Any]

# Call, method, path, body, how it comes to be made.
CALLS: list[tuple[str, str, str, Any, Ask]] = [
    ("post", "POST", "/trackings/post", PAIR, lambda tm: tm.follow([following()])),
    ("get_one", "GET", "/trackings/singapore-post/RP893531375SG", None, lambda tm: tm.history(RP)),
    (
        "put_one",
        "PUT",
        "/trackings/singapore-post/RP893531375SG",
        {"title": "Shoes"},
        lambda tm: tm.amend([Amendment(waybill=RP, title="Shoes")]),
    ),
    ("delete_one", "DELETE", "/trackings/singapore-post/RP893531375SG", None, lambda tm: tm.forget([RP])),
    ("batch", "POST", "/trackings/batch", [PAIR, OTHER], lambda tm: tm.follow([following(), following(LK)])),
    (
        "get",
        "GET",
        "/trackings/get?numbers=RP893531375SG%2CLK894734223CN&page=1&limit=2000",
        None,
        lambda tm: tm.track([RP.tracking_number, LK.tracking_number]),
    ),
    (
        "updatemore",
        "POST",
        "/trackings/updatemore",
        [PAIR | {"title": "Shoes"}, OTHER | {"archived": "true"}],
        lambda tm: tm.amend([Amendment(waybill=RP, title="Shoes"), Amendment(waybill=LK, archived=True)]),
    ),
    ("delete", "POST", "/trackings/delete", [PAIR, OTHER], lambda tm: tm.forget([RP, LK])),
    ("realtime", "POST", "/trackings/realtime", PAIR, lambda tm: tm.realtime(RP)),
    (
        "update",
        "POST",
        "/trackings/update",
        PAIR | {"update_carrier_code": "dhl"},
        lambda tm: tm.correct(RP, "dhl"),
    ),
    ("getuserinfo", "GET", "/trackings/getuserinfo", None, lambda tm: tm.usage()),
    ("getstatusnumber", "GET", "/trackings/getstatusnumber", None, lambda tm: tm.counts()),
    ("notupdate", "POST", "/trackings/notupdate", [PAIR], lambda tm: tm.pause([RP])),
    (
        "remote",
        "POST",
        "/trackings/remote",
        [{"country": "NZ", "postcode": "7000", "company": "dhl"}, {"country": "JP", "postcode": "1"}],
        lambda tm: tm.remote_areas(
            [Area(country="NZ", postcode="7000", company="dhl"), Area(country="JP", postcode="1")]
        ),
    ),
    (
        "costtime",
        "POST",
        "/trackings/costtime",
        [{"original": "CN", "destination": "US", "carrier_code": "dhl"}],
        lambda tm: tm.transit_times([Route(origin="CN", destination="US", carrier_code="dhl")]),
    ),
    (
        "aircargo",
        "POST",
        "/trackings/aircargo",
        {"track_number": ["180-12345675"]},
        lambda tm: tm.air_cargo("180-12345675"),
    ),
    ("carriers", "GET", "/carriers", None, lambda tm: tm.couriers("en")),
    (
        "detect",
        "POST",
        "/carriers/detect",
        {"tracking_number": "RP893531375SG"},
        lambda tm: tm.detect("RP893531375SG"),
    ),
]
EMPTY: Body = {"list": answer({"items": [], "total": 0}), "one": answer([])}


def test_there_are_the_sixteen_calls_of_the_document_and_two_of_the_couriers() -> None:
    assert [name for name, *_ in CALLS] == list(Call)
    assert set(PATHS) == set(Call)
    assert len(CALLS) == 18
    documented = {(method, path.partition("?")[0]) for _, method, path, *_ in CALLS}
    assert len({pair for pair in documented if pair[1].startswith("/trackings/")}) == 16


@pytest.mark.parametrize(("name", "method", "path", "body", "ask"), CALLS, ids=[name for name, *_ in CALLS])
def test_each_call_is_sent_as_it_is_documented(
    name: str, method: str, path: str, body: Any, ask: Ask
) -> None:
    transport = FakeTransport({f"trackingmore.{name}": [answer([])]})
    ask(adapter(transport))
    (request,) = transport.requests
    assert (request.method, request.url) == (method, API + path)
    assert request.headers["Trackingmore-Api-Key"] == "made-up"
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers.get("Lang") == ("en" if name == "carriers" else None)
    assert request.safe, "all of them may be made again"
    assert request.lane == {"get": "list", "realtime": "realtime"}.get(name)
    assert (request.body and json.loads(request.body)) == body


def test_a_parcel_is_told_of_in_the_documents_own_forms() -> None:
    parcel = following(
        destination_country="CN",
        special_destination="China",
        postcode="100000",
        ship_date=date(2018, 10, 1),
        account_number="A-7",
        auto_correct=False,
        title="title 1",
        logistics_channel="4PX挂号小包",
        customer=Customer(name="Ada", email="ada@example.com", phone="+110110"),
        order_reference="213456",
        order_created_at=datetime(2017, 8, 27, 8, 51, tzinfo=UTC),
        note="备注",
        lang="en",
    )
    transport = FakeTransport({"trackingmore.post": [answer(item())]})
    adapter(transport, default_time_zone="Asia/Shanghai").follow([parcel])
    assert transport.bodies("trackingmore.post") == [
        {
            "tracking_number": "RP893531375SG",
            "carrier_code": "singapore-post",
            "destination_code": "cn",
            "title": "title 1",
            "logistics_channel": "4PX挂号小包",
            "customer_name": "Ada",
            "customer_email": "ada@example.com",
            "customer_phone": "+110110",
            "order_id": "213456",
            "order_create_time": "2017/8/27 16:51",
            "tracking_ship_date": "20181001",
            "tracking_postal_code": "100000",
            "tracking_account_number": "A-7",
            "specialNumberDestination": "China",
            "lang": "en",
            "auto_correct": 1,
            "comment": "备注",
        }
    ]


def test_the_documents_own_request_is_what_we_send() -> None:
    parcels = [
        following(
            waybill,
            logistics_channel="4PX挂号小包",
            customer=Customer(email="[email protected]", phone=phone),
            destination_country="CN",
            title="title 1",
            order_reference="213456",
            note="备注",
            order_created_at=datetime(2017, 8, 27, 16, 51, tzinfo=UTC),
            lang="en",
        )
        for waybill, phone in ((RP, "+110110"), (LK, "+22222222"))
    ]
    transport = FakeTransport({"trackingmore.batch": [fixture("batch_answer_201.json")]})
    adapter(transport).follow(parcels)
    assert transport.bodies("trackingmore.batch") == [fixture("batch_request.json")]


def test_what_is_changed_goes_out_by_trackingmores_names_and_nothing_else_does() -> None:
    transport = FakeTransport({"trackingmore.put_one": [answer([])]})
    change = Amendment(
        waybill=RP,
        logistics_channel="air",
        customer=Customer(name="Ada", email="ada@example.com", phone="1"),
        order_reference="213",
        note="n",
        destination_country="AU",
        archived=False,
    )
    assert adapter(transport).amend([change]) == [None]
    assert transport.bodies("trackingmore.put_one") == [
        {
            "logistics_channel": "air",
            "customer_name": "Ada",
            "customer_email": "ada@example.com",
            "customer_phone": "1",
            "order_id": "213",
            "destination_code": "au",
            "archived": "false",
            "comment": "n",
        }
    ]


def test_no_change_at_all_is_not_sent() -> None:
    assert adapter(FakeTransport()).amend([Amendment(waybill=RP)]) == [None]


@pytest.mark.parametrize("ask", [lambda tm: tm.follow([]), lambda tm: tm.forget([]), lambda tm: tm.pause([])])
def test_nobody_is_asked_about_nothing(ask: Ask) -> None:
    assert ask(adapter(FakeTransport())) == []


def test_more_than_forty_parcels_are_the_callers_mistake() -> None:
    many = [results.Waybill("dhl", str(number)) for number in range(41)]
    tm = adapter(FakeTransport())
    for ask in (tm.forget, tm.pause):
        with pytest.raises(ValueError, match="41"):
            ask(many)
    with pytest.raises(ValueError, match="41"):
        tm.follow([following(waybill) for waybill in many])


@pytest.mark.parametrize(
    ("config", "url"),
    [
        ({}, "https://api.trackingmore.com/v2/carriers"),
        (
            {"base_url": "http://127.0.0.1:8080/trackingmore/"},
            "http://127.0.0.1:8080/trackingmore/v2/carriers",
        ),
        ({"base_url": "http://127.0.0.1:8080/tm/v2"}, "http://127.0.0.1:8080/tm/v2/carriers"),
        ({"overrides": {"version": "v3"}}, "https://api.trackingmore.com/v3/carriers"),
        ({"overrides": {"version": ""}}, "https://api.trackingmore.com/carriers"),
        (
            {"overrides": {"paths": {"carriers": "/couriers/all"}}},
            "https://api.trackingmore.com/v2/couriers/all",
        ),
    ],
)
def test_host_version_and_paths_are_the_accounts(config: Any, url: str) -> None:
    transport = FakeTransport({"trackingmore.carriers": [answer([])]})
    adapter(transport, config=account(**config)).couriers()
    assert transport.requests[0].url == url


def test_the_header_of_the_key_is_the_accounts() -> None:
    transport = FakeTransport({"trackingmore.carriers": [answer([])]})
    adapter(transport, key_header="Tracking-Api-Key").couriers()
    assert transport.requests[0].headers["Tracking-Api-Key"] == "made-up"
    assert "Trackingmore-Api-Key" not in transport.requests[0].headers


@pytest.mark.parametrize(
    "config",
    [
        {"credentials": {"email": "a@b"}},
        {"base_url": "ftp://x"},
        {"overrides": {"paths": {"get": "trackings"}}},
        {"overrides": {"page_size": 2001}},
        {"overrides": {"key_header": "a: b"}},
        {"overrides": {"default_time_zone": "Mars/Olympus"}},
        {"overrides": {"colour": "red"}},
    ],
)
def test_an_account_that_cannot_be_meant_is_the_operators_mistake(config: Any) -> None:
    with pytest.raises(AccountError):
        adapter(FakeTransport(), config=account(**config)).usage()


def test_numbers_and_couriers_cannot_lead_elsewhere() -> None:
    transport = FakeTransport({"trackingmore.get_one": [refusal(4017)]})
    adapter(transport).history(results.Waybill("a/b", "1?x=ü #"))
    assert transport.requests[0].url == f"{API}/trackings/a%2Fb/1%3Fx%3D%C3%BC%20%23"
    for waybill in (results.Waybill("dhl", ".."), results.Waybill(".", "1")):
        with pytest.raises(RefusedError):
            adapter(transport).history(waybill)
    assert len(transport.requests) == 1


# Trouble.


@pytest.mark.parametrize(("name", "ask"), [(name, ask) for name, *_, ask in CALLS])
@pytest.mark.parametrize(
    ("told", "error"),
    [
        (refusal(4001), AuthenticationError),
        (refusal(4002), AuthenticationError),
        (refusal(401), AuthenticationError),
        (refusal(403), AuthenticationError),
        (refusal(429), TooManyRequestsError),
        (refusal(500), TransientError),
        (refusal(503), TransientError),
        (b"<html>Bad gateway</html>", TransientError),
        (b'{"meta": {"code": 200}, "data": {"track', TransientError),
        (b"", TransientError),
        (b"[]", TransientError),
        (b'{"meta": null}', TransientError),
        (b'{"meta": {"code": true}}', TransientError),
        (Response(status=200, body=b"\xff\xfe"), TransientError),
        (Response(status=500, body=json.dumps(refusal(4001)).encode()), AuthenticationError),
    ],
)
def test_trouble_is_classed_alike_for_every_call(name: str, ask: Ask, told: Any, error: Any) -> None:
    transport = FakeTransport({f"trackingmore.{name}": [told]})
    with pytest.raises(error):
        ask(adapter(transport))
    assert len(transport.requests) == 1


@pytest.mark.parametrize("code", [402, 4019, 4021])
def test_an_account_that_is_not_served_is_no_fault_of_the_parcels(code: int) -> None:
    transport = FakeTransport({"trackingmore.get": [refusal(code, "Expired.")]})
    with pytest.raises(AuthenticationError) as caught:
        adapter(transport).track([RP.tracking_number])
    assert caught.value.words == CarrierWords("trackingmore", str(code), "Expired.")
    assert len(transport.requests) == 1


@pytest.mark.parametrize("status", [200, 201, 400, 404, 500])
def test_the_http_status_means_nothing(status: int) -> None:
    good = Response(status=status, body=json.dumps(answer({"items": [item()]})).encode())
    (history,) = adapter(FakeTransport({"trackingmore.get": [good]})).track([RP.tracking_number])
    assert history.tracking_number == RP.tracking_number
    bad = Response(status=status, body=json.dumps(refusal(4015)).encode())
    (found,) = adapter(FakeTransport({"trackingmore.post": [bad]})).follow([following()])
    assert isinstance(found, RefusedError)


@pytest.mark.parametrize("code", [200, "200", 201])
def test_a_code_may_be_a_number_or_a_text(code: Any) -> None:
    told = answer(item(), code)
    (found,) = adapter(FakeTransport({"trackingmore.post": [told]})).follow([following()])
    assert isinstance(found, Followed)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (refusal(429), 429),
        (refusal(503), 503),
        (refusal(4016), 4016),
        (answer({}), 200),
        ({"meta": {"code": "429"}}, 429),
        ({"meta": {"code": "no"}}, 500),
        ({"meta": {"code": "9" * 5000}}, 500),
        ([], 500),
    ],
)
def test_what_counts_for_the_limits_is_what_the_answer_says(body: Any, status: int) -> None:
    assert verdict(Response(status=500, body=json.dumps(body).encode())) == status


def test_every_request_brings_its_verdict() -> None:
    transport = FakeTransport({"trackingmore.getuserinfo": [answer({})]})
    adapter(transport).usage()
    assert transport.requests[0].verdict is verdict


def test_another_key_in_the_account_is_used_at_once() -> None:
    transport = FakeTransport({"trackingmore.getuserinfo": [refusal(4001), answer({"money": "7"})]})
    tm = adapter(transport, reread=lambda: account(credentials={"api_key": "new", "email": "e"}))
    assert tm.usage() == {"money": "7"}
    assert [request.headers["Trackingmore-Api-Key"] for request in transport.requests] == ["made-up", "new"]


def test_the_same_key_is_not_tried_twice() -> None:
    transport = FakeTransport({"trackingmore.getuserinfo": [refusal(4001)]})
    with pytest.raises(AuthenticationError):
        adapter(transport, reread=account).usage()
    assert len(transport.requests) == 1


def test_the_sample_that_is_no_json_as_it_is_printed_is_asked_for_again() -> None:
    as_printed = printed("batch_answer_200_as_printed.txt")
    transport = FakeTransport({"trackingmore.batch": [as_printed]})
    with pytest.raises(TransientError):
        adapter(transport).follow([following(), following(LK)])


# The other questions.


def test_usage_keeps_the_key_of_the_webhooks_to_itself() -> None:
    told = {"email": "shop@example.com", "phone": "1", "regtime": "2018", "money": "4.5", "track_number": 12}
    transport = FakeTransport({"trackingmore.getuserinfo": [answer(told)]})
    assert adapter(transport).usage() == {"regtime": "2018", "money": "4.5", "track_number": 12}


def test_counts_are_by_our_statuses() -> None:
    told = {"pending": 1, "notfound": "2", "transit": 3, "delivered": 4, "total": 10, "pickup": None}
    transport = FakeTransport({"trackingmore.getstatusnumber": [answer(told)]})
    assert adapter(transport).counts() == {"pending": 3, "in_transit": 3, "delivered": 4}


def test_transit_times_are_matched_by_route_and_not_by_place() -> None:
    routes = [Route(origin="CN", destination=to, carrier_code="dhl") for to in ("US", "RU", "AU")]
    told = [
        {"carrier_code": "dhl", "original": "cn", "destination": "RU", "total": "9", "delivered": 8,
         "range2": 0.25, "range1": "0.75"},
        {"carrier_code": "dhl", "original": "CN", "destination": "US", "total": 5, "delivered": 5},
    ]  # fmt: skip
    transport = FakeTransport({"trackingmore.costtime": [answer(told)]})
    us, ru, au = adapter(transport).transit_times(routes)
    assert (us.total, us.delivered, us.ranges) == (5, 5, ())
    assert (ru.total, ru.delivered) == (9, 8)
    assert ru.ranges == ({"range": "range1", "share": "0.75"}, {"range": "range2", "share": 0.25})
    assert (au.total, au.delivered) == (0, 0)


def test_remote_areas_come_in_their_own_words() -> None:
    told = [{"far_express_company": "tnt", "two_code": "NZ", "far_city_postcode": "7000"}]
    for data in (told, {"submitted": 1, "other": [], "remote": told}):
        transport = FakeTransport({"trackingmore.remote": [answer(data)]})
        assert adapter(transport).remote_areas([Area(country="NZ", postcode="7000")]) == told
    nowhere = answer({"submitted": 1, "other": [{"country": "NZ"}], "remote": []})
    transport = FakeTransport({"trackingmore.remote": [nowhere]})
    assert adapter(transport).remote_areas([Area(country="NZ", postcode="7000")]) == []


@pytest.mark.parametrize("awb", ["180-12345675", "180 1234567", "18012345675"])
def test_air_cargo_comes_in_its_own_words(awb: str) -> None:
    transport = FakeTransport(
        {"trackingmore.aircargo": [answer({"awb_number": "180-12345675", "events": []})]}
    )
    assert adapter(transport).air_cargo(awb) == {"awb_number": "180-12345675", "events": []}


@pytest.mark.parametrize(
    "awb", ["", "180-123456", "180-123456789", "18-12345675", "180--1234567", "18O12345675"]
)
def test_what_is_no_air_waybill_is_not_asked_for(awb: str) -> None:
    with pytest.raises(RefusedError) as caught:
        adapter(FakeTransport()).air_cargo(awb)
    assert caught.value.errors[0].pointer == "/awb"


def test_a_courier_that_cannot_be_told_is_an_empty_list() -> None:
    for told in (refusal(4032), refusal(4031), answer([])):
        assert adapter(FakeTransport({"trackingmore.detect": [told]})).detect("1") == []


def test_couriers_are_read_with_all_that_is_told() -> None:
    told = [
        {"name": "DHL", "code": "dhl", "phone": "1", "homepage": "https://dhl.example", "type": "express",
         "picture": "//x/dhl.png"},
        {"name": "No code"},
        "nonsense",
        {"code": "ems"},
    ]  # fmt: skip
    found = adapter(FakeTransport({"trackingmore.carriers": [answer(told)]})).couriers()
    assert found[0] == results.Courier(
        code="dhl",
        name="DHL",
        type="express",
        phone="1",
        homepage="https://dhl.example",
        picture="//x/dhl.png",
    )
    assert [courier.code for courier in found] == ["dhl", "ems"]


@pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,x", "https://", "//", "a b", 7])
def test_what_is_no_web_address_is_not_shown_as_a_courier_s(address: Any) -> None:
    told = [{"name": "DHL", "code": "dhl", "homepage": address, "picture": address}]
    (courier,) = adapter(FakeTransport({"trackingmore.carriers": [answer(told)]})).couriers()
    assert (courier.homepage, courier.picture) == (None, None)


@pytest.mark.parametrize(
    "ask", [ask for name, *_, ask in CALLS if name in {"costtime", "remote", "aircargo"}]
)
def test_a_question_that_is_refused_says_why(ask: Ask) -> None:
    told = refusal(4021, "Remaining quota is deficient.")
    script = {f"trackingmore.{name}": [told] for name in ("costtime", "remote", "aircargo")}
    with pytest.raises(RefusedError) as caught:
        ask(adapter(FakeTransport(script)))
    assert caught.value.words == CarrierWords("trackingmore", "4021", "Remaining quota is deficient.")


# The package.


def test_the_adapter_is_what_the_profile_says() -> None:
    found = adapter(FakeTransport())
    assert isinstance(found, port.Aggregates)
    assert isinstance(found, port.VerifiesWebhooks)
    assert not isinstance(found, port.Carrier)
    assert all(hasattr(found, name) for name in PROFILE.capabilities)
    assert set(PROFILE.capabilities) <= set(PROFILE.grades)
    assert PROFILE.track_batch == found.track_batch == 40
    assert PROFILE.limits == port.Limits(rest=120, lanes={"list": 1.0, "realtime": 3.0})
    assert (PROFILE.services, PROFILE.countries) == ((), ())
    assert WEBHOOK_ANSWER is not None
    assert json.loads(WEBHOOK_ANSWER) == {}
