"""The sandbox's UBI side on the wire: strict in what it takes, true in what it answers."""

import base64
import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pypdfium2
import pytest
import zxingcpp
from PIL import Image

from sandbox import Settings, serve
from tests.sandbox.ubi_client import LOGIN, OTHER, Etower, JsonObject, item, order, several

FIXTURES = Path(__file__).parents[1] / "unit" / "carriers" / "ubi" / "fixtures"


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    settings = Settings(accounts={"ubi": {"default": LOGIN, "other": OTHER}}, acceleration=1440)
    with serve(settings) as url, httpx.Client(base_url=url, timeout=60, trust_env=False) as http:
        yield http


@pytest.fixture
def ubi(client: httpx.Client) -> Etower:
    client.post("/_sandbox/reset")
    return Etower(client)


@pytest.mark.parametrize(
    "signing",
    [
        {"secret": "wrong"},
        {"url": "http://elsewhere/services/shipper/orders"},
        {"end": "\n"},
        {"skew": timedelta(minutes=15, seconds=5)},
        {"skew": timedelta(minutes=-15, seconds=-5)},
    ],
)
def test_a_wrong_signature_or_clock_is_401(ubi: Etower, signing: JsonObject) -> None:
    answer = ubi.send("orders", [order("r")], **signing)
    assert answer.status_code == 401
    assert answer.json()["errors"][0]["code"] == 100002
    assert ubi.ledger()["orders"] == []


@pytest.mark.parametrize("minutes", [-14, 14])
def test_a_clock_within_fifteen_minutes_passes(ubi: Etower, minutes: int) -> None:
    answer = ubi.send("service-catalog", method="GET", skew=timedelta(minutes=minutes))
    assert answer.status_code == 200
    assert {"serviceCode", "serviceName", "nativeName"} <= answer.json()["data"][0].keys()


def test_no_authorization_is_401(client: httpx.Client) -> None:
    assert client.post("/ubi/services/shipper/orders", json=[]).status_code == 401


@pytest.mark.parametrize("name", ["single_order", "four_pieces_order"])
def test_the_given_samples_are_taken_as_they_are(ubi: Etower, name: str) -> None:
    sample = json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))
    (told,) = ubi.create(*sample)
    assert (told["status"], told["errors"]) == ("Success", None)
    pieces = sample[0].get("pieces", [])
    assert [one["referenceNo"] for one in told["piecesResult"]] == [one["referenceNo"] for one in pieces]
    (entry,) = ubi.ledger()["orders"]
    assert len(entry["parcels"]) == max(len(pieces), 1)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"referenceNo": ""}, 110001),
        ({"referenceNo": "r" * 81}, 110002),
        ({"recipientName": None}, 110004),
        ({"recipientName": "x" * 51}, 110005),
        ({"recipientName": "王伟"}, 110014),
        ({"recipientName": "12345"}, 110014),
        ({"state": None}, 120009),
        ({"country": "AUS"}, 120021),
        ({"serviceCode": "UPS.1"}, 100013),
        ({"weight": None}, 130003),
        ({"weight": 40001}, 120053),
        ({"volume": 0.001}, 130017),
        ({"weightUnit": "OZ"}, 100001),
        ({"invoiceValue": 11.2}, 190019),
        ({"orderItems": [item(originCountry="")]}, 190007),
        ({"orderItems": [item(itemCount=0)], "invoiceValue": 0.05}, 190002),
        ({"returnName": "Back"}, 150001),
    ],
)
def test_an_order_is_held_against_the_table(ubi: Etower, changes: JsonObject, code: int) -> None:
    assert code in ubi.codes(order("r") | changes)
    assert ubi.ledger()["orders"] == []


def test_unknown_fields_are_tolerated(ubi: Etower) -> None:
    assert ubi.codes(order("r", brandNew={"x": 1})) == []


def test_a_living_reference_is_a_duplicate_and_a_deleted_one_is_free(ubi: Etower) -> None:
    (told,) = ubi.create(order("r"))
    assert ubi.codes(order("r")) == [110003]
    assert ubi.ask(f"order/{told['orderId']}", method="DELETE")["status"] == "Success"
    assert ubi.codes(order("r")) == []
    assert list(ubi.ledger()["duplicates"]) == ["r"]


def test_another_account_has_references_of_its_own(ubi: Etower) -> None:
    ubi.create(order("r"))
    other = Etower(ubi.http, OTHER)
    (found,) = other.ask("queryorders", ["r"])["data"]
    assert found["errors"][0]["code"] == 100009
    assert other.codes(order("r")) == []


def test_three_hundred_orders_are_taken_at_once_and_one_more_is_refused(ubi: Etower) -> None:
    answer = ubi.ask("orders", [order(f"r{number}") for number in range(300)])
    assert {one["status"] for one in answer["data"]} == {"Success"}
    refused = ubi.ask("orders", [order(f"x{number}") for number in range(301)])
    assert (refused["status"], refused["data"]) == ("Failed", None)
    assert len(ubi.ledger()["orders"]) == 300


def test_hundreds_of_single_creates_at_once_are_all_taken(ubi: Etower) -> None:
    with ThreadPoolExecutor(8) as pool:
        told = [*pool.map(lambda number: ubi.create(order(f"r{number}"))[0], range(300))]
    assert len({one["orderId"] for one in told}) == 300


def test_a_bad_order_spoils_only_itself(ubi: Etower) -> None:
    answer = ubi.ask("orders", [order("a"), order("b", weight=None), order("c")])
    assert answer["status"] == "Partial Success"
    assert [one["status"] for one in answer["data"]] == ["Success", "Failed", "Success"]


def test_a_bad_piece_spoils_only_itself(ubi: Etower) -> None:
    wanted = several("r")
    wanted["pieces"][1]["weight"] = 50_000
    wanted["pieces"][2]["referenceNo"] = "r-1"
    (told,) = ubi.create(wanted)
    assert told["status"] == "Partial Success"
    assert [one["status"] for one in told["piecesResult"]] == ["Success", "Failed", "Failed"]
    assert [one["errors"][0]["code"] for one in told["piecesResult"][1:]] == [120053, 110003]
    assert ubi.ask(f"order/{told['orderId']}", method="DELETE")["status"] == "Success"


def test_pieces_that_are_all_bad_make_no_order(ubi: Etower) -> None:
    wanted = several("r", 2)
    for piece in wanted["pieces"]:
        piece["recipientName"] = "Somebody Else"
    (told,) = ubi.create(wanted)
    assert (told["status"], told["orderId"]) == ("Failed", None)
    assert {one["errors"][0]["code"] for one in told["piecesResult"]} == {400001}
    assert ubi.ledger()["orders"] == []


def numbers(told: JsonObject) -> list[str]:
    return [one["trackingNo"] for one in told["piecesResult"]] or [told["trackingNo"]]


@pytest.mark.parametrize(
    ("label_type", "inches"), [(1, (4, 6)), (2, (8.27, 11.69)), (4, (3.94, 3.94))], ids=["4x6", "a4", "4x4"]
)
def test_a_pdf_label_has_its_size_and_scans_to_its_number(
    ubi: Etower, label_type: int, inches: tuple[float, float]
) -> None:
    (told,) = ubi.create(several("r", 2))
    ids = [one["orderId"] for one in told["piecesResult"]]
    for entry, number in zip(ubi.labels(*ids, labelType=label_type), numbers(told), strict=True):
        (page,) = pypdfium2.PdfDocument(base64.b64decode(entry["labelContent"]))
        assert page.get_size() == pytest.approx([72 * side for side in inches], abs=1)
        (code,) = zxingcpp.read_barcodes(page.render(scale=203 / 72).to_pil())
        assert code.text == number
        assert "3 Lakeside Drive" in page.get_textpage().get_text_range()


@pytest.mark.parametrize("dpi", [203, 300])
def test_a_jpg_label_scans_at_either_resolution(ubi: Etower, dpi: int) -> None:
    (told,) = ubi.create(order("r"))
    (entry,) = ubi.labels(told["orderId"], labelFormat="JPG", labelType=1, dpi=dpi)
    content = base64.b64decode(entry["labelContent"])
    assert content[:3] == b"\xff\xd8\xff"
    image = Image.open(io.BytesIO(content))
    assert image.size == (4 * dpi, 6 * dpi)
    (code,) = zxingcpp.read_barcodes(image)
    assert code.text == told["trackingNo"]


def test_a_zpl_label_holds_the_number_as_a_code_128(ubi: Etower) -> None:
    (told,) = ubi.create(order("r"))
    (entry,) = ubi.labels(told["trackingNo"], labelFormat="ZPL", dpi=203)
    zpl = base64.b64decode(entry["labelContent"]).decode()
    assert zpl.startswith("^XA")
    assert zpl.endswith("^XZ")
    assert "^PW812" in zpl
    assert f"^FD{told['trackingNo']}^FS" in zpl


def test_labels_merge_into_one_document_in_the_order_asked(ubi: Etower) -> None:
    (told,) = ubi.create(several("r", 3))
    ids = [one["orderId"] for one in told["piecesResult"]][::-1]
    (entry,) = ubi.labels(*ids, merged=True)
    pages = [*pypdfium2.PdfDocument(base64.b64decode(entry["labelContent"]))]
    found = [zxingcpp.read_barcodes(page.render(scale=3).to_pil())[0].text for page in pages]
    assert found == numbers(told)[::-1]


def test_labels_of_unknown_orders_fail_by_themselves(ubi: Etower) -> None:
    (told,) = ubi.create(order("r"))
    good, bad = ubi.labels(told["orderId"], "unknown")
    assert (good["status"], bad["status"], bad["errors"][0]["code"]) == ("Success", "Failed", 100009)


@pytest.mark.parametrize("wanted", [{"labelType": 3}, {"labelFormat": "GIF"}, {"dpi": 72}])
def test_labels_are_of_the_kinds_there_are(ubi: Etower, wanted: JsonObject) -> None:
    (told,) = ubi.create(order("r"))
    assert ubi.ask("labels", {"orderIds": [told["orderId"]], **wanted})["status"] == "Failed"


def advance(ubi: Etower, seconds: float) -> None:
    ubi.http.post("/_sandbox/advance", json={"seconds": seconds})


def test_parcels_move_along_a_believable_way_newest_event_first(ubi: Etower) -> None:
    told = ubi.create(*(order(f"r{number}") for number in range(20)))
    ways = set()
    advance(ubi, 86_400)
    for entry in ubi.ask("trackingEvents", [one["trackingNo"] for one in told])["data"]:
        times = [datetime.fromisoformat(one["eventTime"] + one["timeZone"][3:]) for one in entry["events"]]
        assert times == sorted(times, reverse=True)
        ways.add(tuple(one["eventCode"] for one in entry["events"]))
        assert (entry["events"][0]["timeZone"], entry["events"][-1]["timeZone"]) == ("GMT+10:00", "GMT+08:00")
    assert ways == {("DLD", "RCV", "CCD", "DVR", "SCN", "RCV", "INF")}


def test_a_signature_is_taken_however_far_the_sandboxs_clock_was_moved(ubi: Etower) -> None:
    advance(ubi, 864_000)
    assert ubi.send("service-catalog", method="GET").status_code == 200


def test_tracking_calls_have_their_limits(ubi: Etower) -> None:
    (told,) = ubi.create(order("r"))
    known, unknown = ubi.ask("trackingEvents", [told["trackingNo"], "X"])["data"]
    assert (known["status"], unknown["status"]) == ("Success", "Failure")
    assert unknown["errors"][0]["code"] == 950005
    assert ubi.ask("trackingEvents", ["X"] * 31)["errors"][0]["code"] == 950003
    assert ubi.ask("trackingEvents", [])["errors"][0]["code"] == 950002


def test_a_closed_order_can_neither_change_nor_go(ubi: Etower) -> None:
    (told,) = ubi.create(order("r"))
    closed = ubi.ask("manifests", [told["orderId"], "unknown"])
    assert [one["status"] for one in closed["data"]] == ["Success", "Failed"]
    assert ubi.ask("manifests", ["r"])["data"][0]["errors"][0]["code"] == 100011
    assert ubi.ask("order/r", method="DELETE")["errors"][0]["code"] == 100010
    changed = ubi.ask("update-order", {**order("r"), "orderId": told["orderId"]})
    assert changed["errors"][0]["code"] == 100011
    (found,) = ubi.ask("queryorders", ["r"])["data"]
    assert found["order"]["status"] == "Closed"


def test_an_order_is_deleted_once_and_pieces_through_their_master(ubi: Etower) -> None:
    (told,) = ubi.create(several("r", 2))
    piece = told["piecesResult"][0]["orderId"]
    assert ubi.ask(f"order/{piece}", method="DELETE")["errors"][0]["code"] == 100011
    assert ubi.ask("order/r", method="DELETE")["status"] == "Success"
    assert ubi.ask("order/r", method="DELETE")["errors"][0]["code"] == 100009
    assert ubi.codes(several("r", 2)) == []


def test_an_order_is_held_while_nothing_has_happened_to_it(ubi: Etower) -> None:
    (told,) = ubi.create(order("r"))
    wanted = {"orderIds": [told["orderId"]], "holdType": 1}
    assert ubi.ask("hold", {**wanted, "holdType": 2})["errors"][0]["code"] == 100011
    assert ubi.ask("hold", wanted)["status"] == "Success"
    (late,) = ubi.create(order("late"))
    advance(ubi, 3600)
    assert ubi.ask("hold", {"orderIds": [late["orderId"]], "holdType": 1})["status"] == "Failed"
    (history,) = ubi.ask("trackingEvents", [told["trackingNo"]])["data"]
    assert [one["eventCode"] for one in history["events"]] == ["INF"]


@pytest.mark.parametrize("as_list", [True, False])
def test_an_order_changes_under_its_number(ubi: Etower, as_list: bool) -> None:
    (told,) = ubi.create(several("r", 2))
    wanted = several("r", 2, city="Dandenong", orderId=told["orderId"])
    for piece, known in zip(wanted["pieces"], told["piecesResult"], strict=True):
        piece |= {"orderId": known["orderId"], "city": "Dandenong"}
    (changed,) = ubi.ask("update-order", [wanted] if as_list else wanted)["data"]
    assert numbers(changed) == numbers(told)
    (found,) = ubi.ask("queryorders", ["r"])["data"]
    assert (found["order"]["city"], found["order"]["pieces"][1]["city"]) == ("Dandenong", "Dandenong")


def test_words_in_a_reference_steer_what_happens(ubi: Etower) -> None:
    assert ubi.codes(order("SBX-REJECT")) == [120023]
    assert ubi.send("orders", [order("SBX-5XX-1")]).status_code == 500
    assert ubi.codes(order("SBX-5XX-1")) == []
    (lame,) = ubi.create(order("SBX-NOLABEL-1"))
    assert [ubi.labels(lame["orderId"])[0]["labelContent"] is None for _ in range(2)] == [True, False]
    (bad,) = ubi.create(order("SBX-BADLABEL"))
    assert base64.b64decode(ubi.labels(bad["orderId"])[0]["labelContent"]).startswith(b"<html>")
    with pytest.raises(httpx.HTTPError):
        ubi.send("orders", [order("SBX-LOST")])
    assert ubi.codes(order("SBX-LOST")) == [110003]
