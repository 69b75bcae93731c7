"""The LSO order on the wire: accepted when it is as documented, refused when it is not."""

import base64
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from io import BytesIO
from typing import Any

import httpx
import pypdf
import pypdfium2
import pytest
import zxingcpp


def test_wrong_credentials_get_no_token(http):
    answer = http.post("/lso/external-interface/getToken", json={"appId": "app-1", "appSecret": "guess"})
    assert (answer.status_code, answer.json()["code"]) == (200, 401)


@pytest.mark.parametrize("path", ["lso/feePreview", "lso/orderCommit", "common/orderResult"])
def test_an_unknown_token_is_refused_in_the_body(lso, shipment, path):
    lso.token = "made-up"
    answer = lso.post(path, **shipment())
    assert (answer.status_code, answer.json()["code"]) == (200, 401)


def test_a_token_belongs_to_one_login(lso, other_lso, shipment):
    lso.token = other_lso.token
    assert lso.preview(shipment())["code"] == 401


def test_a_token_dies_with_the_seconds_it_was_given(lso, http, shipment):
    http.post("/_sandbox/advance", json={"seconds": 7190})
    assert lso.preview(shipment())["code"] == 200
    http.post("/_sandbox/advance", json={"seconds": 11})
    assert lso.preview(shipment())["code"] == 401
    lso.renew()
    assert lso.preview(shipment())["code"] == 200


def test_a_preview_and_a_result_cost_the_same(lso, shipment):
    preview = lso.preview(shipment(2))["data"]
    data = lso.finished(lso.order("shop-1", shipment(2)))["data"]
    assert preview == {"prepaidPrice": "11.80", "commission": "0.50", "closeWeightAll": "8.00"}
    assert {name: data[name] for name in preview} == preview
    assert lso.entry("shop-1")["price"] == "12.30"


def test_the_commit_answers_in_the_documents_shape(lso, shipment):
    answer = lso.send("shop-1", shipment(2)).json()
    assert set(answer) == {"code", "data", "err", "msg"}
    assert answer["code"] == 200
    number = answer["data"]["orderNumber"]
    assert answer["data"]["orderDetails"][1] == {
        "packWeight": 3.2,
        "boxLength": 12.0,
        "boxWidth": 8.25,
        "boxHight": 4.5,
        "referenceNo1": "box-2",
        "referenceNo2": "PO 4711",
        "detailNumber": f"{number}-2",
    }


def test_the_result_is_pending_and_then_has_the_documents_fields(lso, shipment):
    number = lso.order("shop-1", shipment(1))
    answer = lso.finished(number)
    assert (answer["code"], answer["msg"]) == (200, "订单下单已完成!")
    assert set(answer["data"]) == {
        "serviceNumber",
        "orderNumber",
        "customerNumber",
        "prepaidPrice",
        "averagePrice",
        "status",
        "piece",
        "weight",
        "nationName",
        "province",
        "city",
        "postcode",
        "address1",
        "address2",
        "address3",
        "closeWeightAll",
        "averageFee",
        "commission",
        "totalWeightlbs",
        "totalWeightkg",
        "masterServiceNumbers",
        "details",
    }
    (box,) = answer["data"]["details"]
    assert set(box) == {
        "boxHight",
        "boxLength",
        "boxWidth",
        "serviceNumber",
        "masterServiceNumber",
        "referenceNo1",
        "referenceNo2",
        "packWeight",
    }
    assert (box["boxHight"], box["boxLength"], box["boxWidth"]) == ("4.50", "12.00", "8.25")


def test_the_result_is_found_by_the_customers_number_too(lso):
    number = lso.order("shop-1")
    lso.finished(number)
    answer = lso.post("common/orderResult", customerNumber="shop-1").json()
    assert answer["data"]["orderNumber"] == number


@pytest.mark.parametrize("what", [{"orderNumber": "SYCO0"}, {"customerNumber": "never-sent"}])
def test_an_order_nobody_made_is_404(lso, what):
    assert lso.post("common/orderResult", **what).json()["code"] == 404


def test_another_logins_order_is_404(lso, other_lso):
    number = lso.order("shop-1")
    for path in ("common/orderResult", "common/label", "common/refund"):
        assert other_lso.post(path, orderNumber=number).json()["code"] == 404


def test_every_box_has_a_number_and_two_share_a_master(lso, shipment):
    data = lso.finished(lso.order("shop-1", shipment(5)))["data"]
    services = [box["serviceNumber"] for box in data["details"]]
    masters = [box["masterServiceNumber"] for box in data["details"]]
    assert len(set(services)) == 5
    assert masters == [data["masterServiceNumbers"][index // 2] for index in range(5)]
    assert data["serviceNumber"] == masters[0]
    assert [p["tracking_number"] for p in lso.entry("shop-1")["parcels"]] == services


def test_a_commit_without_a_preview_is_refused(lso, shipment):
    answer = lso.post("lso/orderCommit", customerNumber="shop-1", **shipment()).json()
    assert (answer["code"], answer["data"]) == (1003, None)


def test_a_commit_of_something_else_than_was_previewed_is_refused(lso, shipment):
    lso.preview(shipment(2))
    answer = lso.post("lso/orderCommit", customerNumber="shop-1", **shipment(3)).json()
    assert answer["code"] == 1003
    assert lso.ledger()["orders"] == []


def test_a_living_reference_is_refused_and_a_failed_one_is_free_again(lso):
    reference = "SBX-FAIL-SBX-PENDING-1"
    number = lso.order(reference)
    assert lso.send(reference).json()["code"] == 1004
    lso.finished(number)
    again = lso.order(reference)
    ledger = lso.ledger()
    assert ledger["duplicates"] == {reference: [number, again]}
    assert ledger["calls_by_reference"][reference]["orderCommit"] == 3


def test_two_logins_may_use_one_reference(lso, other_lso):
    assert lso.order("shop-1") != other_lso.order("shop-1")


REQUIRED = [
    "city",
    "province",
    "receiver",
    "receiverPhone",
    "postcode",
    "address1",
    "nationCode",
    "receiveCompany",
    "lsoServiceType",
    "orderDetails",
]


@pytest.mark.parametrize("call", ["lso/feePreview", "lso/orderCommit"])
@pytest.mark.parametrize("field", REQUIRED)
def test_a_required_field_may_not_be_missing(lso, shipment, call, field):
    content = shipment()
    del content[field]
    answer = lso.post(call, customerNumber="shop-1", **content).json()
    assert answer["code"] == 1002
    assert field in answer["msg"]


def test_a_commit_needs_a_customer_number(lso, shipment):
    lso.preview(shipment())
    answer = lso.post("lso/orderCommit", **shipment()).json()
    assert (answer["code"], "customerNumber" in answer["msg"]) == (1002, True)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("nationCode", "CA"),
        ("lsoServiceType", "Ground"),
        ("province", "Texas"),
        ("province", "tx"),
        ("postcode", "787"),
        ("receiverPhone", 5125550100),
        ("city", " "),
        ("orderDetails", []),
        ("orderDetails", {}),
        ("orderDetails", ["box"]),
    ],
)
def test_a_field_of_the_wrong_kind_is_named(lso, shipment, field, value):
    answer = lso.preview(shipment(**{field: value}))
    assert (answer["code"], field in answer["msg"]) == (1002, True)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("packWeight", None),
        ("packWeight", 0),
        ("packWeight", "0.00"),
        ("packWeight", -1),
        ("packWeight", 1.005),
        ("packWeight", "heavy"),
        ("packWeight", True),
        ("packWeight", 10**400),
        ("boxHight", None),
        ("boxLength", "1e2"),
        ("boxWidth", [8]),
        ("lsoDeclaredValue", "1.234"),
        ("referenceNo1", 17),
    ],
)
def test_a_box_field_of_the_wrong_kind_is_named(lso, shipment, field, value):
    content = shipment(2)
    content["orderDetails"][1][field] = value
    answer = lso.preview(content)
    assert (answer["code"], f"orderDetails[1].{field}" in answer["msg"]) == (1002, True)


def test_box_height_is_spelt_as_documented(lso, shipment):
    content = shipment()
    content["orderDetails"][0]["boxHeight"] = content["orderDetails"][0].pop("boxHight")
    assert "boxHight" in lso.preview(content)["msg"]


def test_a_boxs_reference_may_stand_at_the_order_and_the_boxs_own_wins(lso, shipment):
    content = shipment(2, referenceNo1="order-level")
    del content["orderDetails"][0]["referenceNo1"]
    data = lso.finished(lso.order("shop-1", content))["data"]
    assert [box["referenceNo1"] for box in data["details"]] == ["order-level", "box-2"]


def test_a_box_without_any_reference_is_refused(lso, shipment):
    content = shipment()
    del content["orderDetails"][0]["referenceNo1"]
    assert lso.preview(content)["code"] == 1002


def test_unknown_fields_do_no_harm(lso, shipment):
    assert lso.order("shop-1", shipment(serviceType="x", colour="red"))


@pytest.mark.parametrize("content", [b"", b"not json", b"[]", b"\xff"])
def test_a_body_that_is_no_json_object_is_refused(http, content):
    answer = http.post("/lso/external-interface/lso/orderCommit", content=content)
    assert (answer.status_code, answer.json()["code"]) == (200, 1002)


def test_money_is_held_then_charged_and_comes_back_once(lso):
    number = lso.order("SBX-PENDING-1")
    assert lso.entry("SBX-PENDING-1")["held"] == "6.40"
    lso.finished(number)
    assert lso.ledger()["money"] == {"held": "0.00", "charged": "6.40", "returned": "0.00"}
    for _ in range(2):
        assert lso.refund(number)["code"] == 200
    assert lso.ledger()["money"] == {"held": "0.00", "charged": "0.00", "returned": "6.40"}
    assert lso.label(number)["code"] == 1006


def test_a_refund_before_the_end_stops_the_order(lso, eventually):
    number = lso.order("SBX-PENDING-1")
    lso.refund(number)
    assert lso.finished(number)["code"] == 1001
    assert lso.ledger()["money"]["returned"] == "6.40"


def test_fifty_orders_at_once_are_fifty_orders(lso, shipment):
    lso.preview(shipment())

    def commit(index: int) -> Any:
        return lso.post("lso/orderCommit", customerNumber=f"shop-{index}", **shipment()).json()

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(commit, range(50)))
    assert {answer["code"] for answer in answers} == {200}
    ledger = lso.ledger()
    assert len({order["order_number"] for order in ledger["orders"]}) == 50
    assert (ledger["calls"]["orderCommit"], ledger["duplicates"]) == (50, {})


def test_one_reference_at_the_same_instant_is_one_order(lso, shipment):
    lso.preview(shipment())

    def commit(_: int) -> Any:
        return lso.post("lso/orderCommit", customerNumber="shop-1", **shipment()).json()["code"]

    with ThreadPoolExecutor(10) as pool:
        assert sorted(pool.map(commit, range(10))) == [200, *[1004] * 9]
    assert Decimal(lso.entry("shop-1")["price"]) == Decimal("6.40")


def documents(answer: dict[str, Any]) -> list[tuple[str, bytes]]:
    labels = answer["data"]["labels"]
    return [(one["serviceNumber"], base64.b64decode(one["labelBase64"])) for one in labels]


def test_a_label_is_a_4x6_page_that_scans_to_its_number(lso, shipment):
    number = lso.order("shop-1", shipment(3))
    numbers = [box["serviceNumber"] for box in lso.finished(number)["data"]["details"]]
    labels = documents(lso.label(number))
    assert [service for service, _ in labels] == numbers
    for index, (service, document) in enumerate(labels, 1):
        (page,) = pypdfium2.PdfDocument(document)
        assert page.get_size() == (4 * 72, 6 * 72)
        (barcode,) = zxingcpp.read_barcodes(page.render(scale=203 / 72).to_pil())
        assert (barcode.text, barcode.format) == (service, zxingcpp.BarcodeFormat.Code128)
        text = pypdf.PdfReader(BytesIO(document)).pages[0].extract_text()
        for printed in ("María López", "1100 Congress Ave", "Austin, TX 78701", f"{index} of 3"):
            assert printed in text


def test_a_label_takes_any_name(lso, shipment):
    content = shipment(receiver="王小明 " * 10, address1="x" * 200)
    number = lso.order("shop-1", content)
    lso.finished(number)
    assert documents(lso.label(number))[0][1].startswith(b"%PDF-")


def test_a_label_may_come_as_an_address(lso):
    number = lso.order("SBX-LABELURL")
    lso.finished(number)
    (label,) = lso.label(number)["data"]["labels"]
    document = httpx.get(label["labelUrl"], trust_env=False)
    assert document.headers["content-type"] == "application/pdf"
    assert document.content.startswith(b"%PDF-")
    assert lso.http.get("/lso/labels/ZQ0.pdf").status_code == 404
