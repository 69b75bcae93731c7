"""The steering words, over the wire: each makes the trouble it promises and no other."""

import base64
import json
import time

import httpx
import pytest

from sandbox.parcels.steering import WORDS, Steering


def test_words_combine_anywhere_in_a_reference():
    words = Steering("shop-17/SBX-FAIL-SBX-PENDING-3-SBX-NOCALLBACK")
    assert words.has("FAIL")
    assert words.has("NOCALLBACK")
    assert words.number("PENDING") == 3


@pytest.mark.parametrize(
    ("reference", "number"),
    [
        ("SBX-PENDING-5", 5),
        ("SBX-PENDING-5-17", 5),
        ("SBX-PENDING", 1),
        ("SBX-PENDING-3f2a", 1),
        ("SBX-PENDINGS-5", 0),
        ("shop", 0),
    ],
)
def test_a_number_belongs_to_its_word(reference, number):
    assert Steering(reference).number("PENDING") == number


def test_every_word_of_the_table_is_found():
    for word in WORDS:
        name = word.partition("-")[0]
        assert Steering(f"SBX-{name}-404" if name == "RESULT" else f"SBX-{name}").has(name)


def test_reject_refuses_readably_and_buys_nothing(lso):
    answer = lso.send("SBX-REJECT-1").json()
    assert answer["code"] == 1005
    assert "no LSO service" in answer["msg"]
    assert lso.ledger()["orders"] == []


def test_fail_keeps_the_money_until_the_refund(lso):
    number = lso.order("SBX-FAIL")
    answer = lso.finished(number)
    assert (answer["code"], answer["msg"]) == (1001, "下单失败")
    assert answer["data"]["orderNumber"] == number
    assert answer["data"]["errorMessage"]
    assert lso.label(number)["code"] == 1001
    assert lso.ledger()["money"] == {"held": "6.40", "charged": "0.00", "returned": "0.00"}
    lso.refund(number)
    assert lso.ledger()["money"] == {"held": "0.00", "charged": "0.00", "returned": "6.40"}


def test_pending_puts_the_result_off_and_the_callback_with_it(lso, receiver, eventually):
    number = lso.order("SBX-PENDING-3", url=receiver.url)
    assert [lso.result(number)["code"] for _ in range(2)] == [1024] * 2
    assert receiver.got == []
    assert lso.result(number)["code"] == 1024
    assert lso.finished(number)["code"] == 200
    eventually(lambda: receiver.got)


def test_nolabel_puts_the_label_off(lso):
    number = lso.order("SBX-NOLABEL-2")
    lso.finished(number)
    assert [lso.label(number)["code"] for _ in range(3)] == [1115, 1115, 200]


def test_a_label_of_an_unfinished_order_is_pending(lso):
    assert lso.label(lso.order("SBX-PENDING-1"))["code"] == 1115


@pytest.mark.parametrize("boxes", [1, 2])
def test_badlabel_is_no_document(lso, shipment, boxes):
    number = lso.order("SBX-BADLABEL-1", shipment(boxes))
    lso.finished(number)
    for _ in range(2):
        for label in lso.label(number)["data"]["labels"]:
            assert base64.b64decode(label["labelBase64"]).startswith(b"<html>")


def test_spoilt_is_a_bad_label_that_heals(lso):
    number = lso.order("SBX-SPOILT-1")
    lso.finished(number)
    starts = [base64.b64decode(lso.label(number)["data"]["labels"][0]["labelBase64"])[:5] for _ in range(2)]
    assert starts == [b"<html", b"%PDF-"]


def test_lost_commits_and_hangs_up(lso):
    with pytest.raises(httpx.RemoteProtocolError):
        lso.send("SBX-LOST")
    assert lso.entry("SBX-LOST")["price"] == "6.40"
    assert lso.post("common/orderResult", customerNumber="SBX-LOST").json()["code"] in (200, 1024)


def test_garbage_commits_and_answers_no_json(lso):
    answer = lso.send("SBX-GARBAGE")
    assert answer.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        answer.json()
    assert lso.entry("SBX-GARBAGE")


def test_5xx_counts_creates_and_questions_together_and_buys_nothing(lso):
    reference = "SBX-5XX-2"
    assert lso.send(reference).status_code == 500
    assert lso.post("common/orderResult", customerNumber=reference).status_code == 500
    assert lso.ledger()["orders"] == []
    assert lso.post("common/orderResult", customerNumber=reference).json()["code"] == 404
    assert lso.send(reference).json()["code"] == 200
    assert lso.ledger()["calls"]["orderCommit"] == 2


def test_slow_commits_at_once_and_answers_late(lso, http, receiver, eventually):
    started = time.monotonic()
    lso.order("SBX-SLOW-1", url=receiver.url)
    assert time.monotonic() - started >= 1
    assert receiver.got


def test_earlycallback_comes_before_the_commits_answer(lso, receiver):
    number = lso.order("SBX-EARLYCALLBACK", url=receiver.url)
    (body,) = receiver.got
    assert body["data"]["orderNumber"] == number


def test_a_refused_early_callback_is_tried_again(lso, receiver, eventually):
    receiver.answers = [(503, "")]
    lso.order("SBX-EARLYCALLBACK", url=receiver.url)
    eventually(lambda: len(receiver.got) == 2)


def test_liar_says_yes_and_means_no(lso, receiver, eventually):
    number = lso.order("SBX-LIAR", url=receiver.url)
    eventually(lambda: receiver.got)
    assert receiver.got[0]["code"] == 200
    assert lso.result(number)["code"] == 1001


def test_result_401_strikes_the_token(lso):
    number = lso.order("SBX-RESULT-401")
    assert lso.result(number)["code"] == 401
    assert lso.label(number)["code"] == 401
    lso.renew()
    assert lso.finished(number)["code"] == 200


@pytest.mark.parametrize(
    ("word", "status", "start"),
    [
        ("404", 200, '{"code":404'),
        ("500", 500, '{"code":500'),
        ("503x2", 503, '{"code":503'),
        ("HTML", 502, "<html>"),
    ],
)
def test_result_answers_once_what_it_is_told(lso, word, status, start):
    number = lso.order(f"SBX-RESULT-{word}")
    for _ in range(2 if "x2" in word else 1):
        answer = lso.post("common/orderResult", orderNumber=number)
        assert answer.status_code == status
        assert answer.text.startswith(start)
    assert lso.finished(number)["code"] == 200


def test_an_undocumented_result_is_a_failed_order(lso):
    number = lso.order("SBX-RESULT-1777")
    assert [lso.finished(number)["code"] for _ in range(2)] == [1777, 1777]
    entry = lso.entry("SBX-RESULT-1777")
    assert (entry["status"], entry["held"]) == ("failed", "6.40")
