"""Tokens of recipients' pages: each leads to its page alone, says nothing, and cannot be made elsewhere."""

import base64
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parcelgate.domain import ids
from parcelgate.domain.ids import new_id
from parcelgate.store.credentials.page_tokens import PageTokens, Place
from parcelgate.store.errors import StoreUnavailableError
from parcelgate.store.table import Table
from tests.support.faults import Faults, unavailable
from tests.support.table import TABLE_NAME, all_items

ULIDS = st.binary(min_size=16, max_size=16).map(lambda data: ids.text_of(int.from_bytes(data)))
PLACES = st.builds(
    Place,
    st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z"),
    st.none() | ULIDS.map("ord_{}".format),
    st.none() | ULIDS.map("trk_{}".format),
)


def moment_of(name: str) -> bytes:
    """The bytes of the moment in an id."""
    digits = name.partition("_")[2].translate(str.maketrans(ids.DIGITS, "0123456789abcdefghijklmnopqrstuv"))
    return int(digits, 32).to_bytes(16)[:6]


@pytest.fixture
def tokens(table: Table) -> PageTokens:
    made = table.page_tokens
    made.ready()
    return made


def of(tokens: PageTokens, place: Place) -> str:
    token = tokens.token(place)
    assert token is not None
    return token


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=PLACES, other=PLACES)
def test_a_token_leads_to_its_page_and_to_no_other(tokens: PageTokens, place: Place, other: Place) -> None:
    assert tokens.open(of(tokens, place)) == place
    assert (of(tokens, place) == of(tokens, other)) == (place == other)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=PLACES, data=st.data())
def test_one_bit_makes_it_a_strangers(tokens: PageTokens, place: Place, data: st.DataObject) -> None:
    token = of(tokens, place)
    raw = bytearray(base64.urlsafe_b64decode(token + "=="))
    bit = data.draw(st.integers(0, 8 * len(raw) - 1))
    raw[bit // 8] ^= 1 << bit % 8

    assert tokens.open(base64.urlsafe_b64encode(raw).decode().rstrip("=")) is None


@pytest.mark.parametrize("cut", [1, 16, 32, 63, 85])
def test_a_part_of_a_token_leads_nowhere(tokens: PageTokens, cut: int) -> None:
    token = of(tokens, Place("acme", new_id("ord"), new_id("trk")))

    assert tokens.open(token[:cut]) is tokens.open(token[cut:]) is None
    assert tokens.open(f"{token}=") is tokens.open(f"{token[:cut]}!{token[cut:]}") is None


@pytest.mark.parametrize("text", ["", "x", "ü", "....", "A", "A" * 401, "A" * 64, "trk_1", "%00", " " * 64])
def test_other_texts_lead_nowhere(tokens: PageTokens, text: str) -> None:
    assert tokens.open(text) is None


def test_a_token_says_nothing(tokens: PageTokens) -> None:
    """Neither whose it is, nor how old, nor that two are of one tenant or one order."""
    order, tracking = new_id("ord"), new_id("trk")
    for tenant in ("acme", "a", "a-longer-name.x"):
        token = of(tokens, Place(tenant, order, tracking))
        raw = base64.urlsafe_b64decode(token + "==")
        assert len(token) == 86
        assert tenant.encode() not in raw or len(tenant) == 1
        assert moment_of(order) not in raw
        assert order not in token
    one, two = (
        base64.urlsafe_b64decode(of(tokens, Place("acme", order, each)) + "==")
        for each in (new_id("trk"), new_id("trk"))
    )
    assert sum(a == b for a, b in zip(one, two, strict=True)) < 8


@pytest.mark.parametrize(
    "name", ["trk_1", "ord_01KAJ2W3X4Y5Z6A7B8C9D0E1F2", "trk_" + "Z" * 26, "trk_" + "U" * 26]
)
def test_what_is_no_id_of_ours_has_no_page(tokens: PageTokens, name: str) -> None:
    assert tokens.token(Place("acme", tracking_id=name)) is None


def test_a_stack_that_was_upgraded_has_no_links_until_there_is_a_key(table: Table, dynamodb: Any) -> None:
    place = Place("acme", tracking_id=new_id("trk"))
    reader, maker = Table(dynamodb, TABLE_NAME).page_tokens, table.page_tokens
    assert reader.token(place) is reader.open("A" * 64) is None
    assert [item["pk"]["S"] for item in all_items(dynamodb)] == []

    token = maker.first_token(place)

    assert token is not None
    assert reader.token(place) == token
    assert Table(dynamodb, TABLE_NAME).page_tokens.open(token) == place


def test_of_two_who_make_the_key_at_once_one_counts(table: Table, dynamodb: Any) -> None:
    place = Place("acme", tracking_id=new_id("trk"))
    one, two = table.page_tokens, Table(dynamodb, TABLE_NAME).page_tokens
    assert one._key() is two._key() is None

    assert one.first_token(place) == two.first_token(place) is not None


def test_the_key_is_read_once(tokens: PageTokens, dynamodb: Any) -> None:
    faults = Faults()
    watched = Table(faults.wrap(dynamodb, "dynamodb"), TABLE_NAME).page_tokens
    for _ in range(3):
        watched.token(Place("acme", tracking_id=new_id("trk")))

    assert faults.names == ["dynamodb.get_item"]


def test_a_store_that_does_not_answer_is_not_taken_for_one_without_a_key(
    tokens: PageTokens, dynamodb: Any
) -> None:
    faults = Faults().on("get_item", unavailable())
    watched = Table(faults.wrap(dynamodb, "dynamodb"), TABLE_NAME).page_tokens
    place = Place("acme", tracking_id=new_id("trk"))

    with pytest.raises(StoreUnavailableError):
        watched.ready()
    assert watched.token(place) == tokens.token(place)
