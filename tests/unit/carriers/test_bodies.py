"""JSON as carriers write it: what was cut off in the middle of a character is read all the same."""

import json
from decimal import Decimal

import pytest

from parcelgate.carriers.lme import wire as lme
from parcelgate.carriers.lso import wire as lso
from parcelgate.carriers.toolkit.bodies import UnreadableError, decoded
from parcelgate.carriers.trackingmore import wire as trackingmore
from parcelgate.carriers.ubi import wire as ubi

HALVES = [
    (rb'"a\ud83d"', "a�"),
    (rb'"\uDE9A b"', "� b"),
    (rb'"\uD83D\uD83D\uDE9A"', "�🚚"),
    (rb'"\\\ud83d"', "\\�"),
    (b'"caf\xc3"', "caf�"),
    (b'"\xed\xa0\xbd"', "���"),
]
WHOLE = [
    rb'"\ud83d\ude9a"',
    rb'"\\ud83d"',
    rb'"\\\\ud83d"',
    '"🚚 é"'.encode(),
    rb'{"a": "\u00e9\n\""}',
    b"[1.50, null]",
]


@pytest.mark.parametrize(("body", "text"), HALVES)
def test_half_a_character_is_replaced(body: bytes, text: str) -> None:
    assert decoded(body) == text


@pytest.mark.parametrize("body", WHOLE)
def test_what_is_right_stays_as_it_is(body: bytes) -> None:
    assert decoded(body) == json.loads(body, parse_float=Decimal)


@pytest.mark.parametrize("body", [b"", b"\xff", rb"\ud83d", rb'"\ud83', b'{"a": "\\'])
def test_what_is_no_json_does_not_become_any(body: bytes) -> None:
    with pytest.raises(UnreadableError):
        decoded(body)


@pytest.mark.parametrize(("half", "text"), HALVES)
def test_promise_6_half_a_character_spoils_no_other_parcel_of_the_answer(half: bytes, text: str) -> None:
    answer = b'{"meta": {"code": 200}, "data": {"items": [{"tracking_number": "A", "lastEvent": %s}, '
    answer = answer % half + b'{"tracking_number": "B"}]}}'
    read = trackingmore.items(trackingmore.read_answer(answer).data, "items")
    assert [item.tracking_number for item in read] == ["A", "B"]

    envelope = ubi.read_envelope(b'{"status": "Success", "data": [{"description": %s}, {}]}' % half)
    assert [json.dumps(entry, ensure_ascii=False).encode() for entry in envelope.data] == [
        json.dumps({"description": text}, ensure_ascii=False).encode(),
        b"{}",
    ]


def test_a_byte_order_mark_is_no_reason_not_to_read() -> None:
    assert decoded(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


def test_an_answer_of_every_carrier_is_read_by_the_one_reader() -> None:
    digits = "0.10000000000000000555111512"
    envelope = ubi.read_envelope(
        b'\xef\xbb\xbf{"status": "Success", "data": [{"weight": %s}]}' % digits.encode()
    )
    assert envelope.data == ({"weight": Decimal(digits)},)

    other = trackingmore.read_answer(b'\xef\xbb\xbf{"meta": {"code": 200}, "data": {"items": []}}')
    assert trackingmore.items(other.data, "items") == []

    sealed = lme.read_envelope(b'\xef\xbb\xbf{"code": 0, "data": {"weight": %s}}' % digits.encode())
    assert sealed is not None
    assert sealed.data == {"weight": Decimal(digits)}

    price = lso.read(b'\xef\xbb\xbf{"code": 200, "data": {"prepaidPrice": %s}}' % digits.encode())
    assert price is not None
    assert price.data == {"prepaidPrice": Decimal(digits)}
