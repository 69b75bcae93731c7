"""The contract's "Input is read kindly": what people really send, and what is made of it.

Each row is one thing that somebody sends: where, what, and either what is understood or how it is refused.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from parcelgate.carriers import registry
from parcelgate.domain.orders import Order
from parcelgate.domain.problems import ProblemError
from parcelgate.http.openapi import document
from parcelgate.http.requests.formats.reading import at_pointer, read_json
from parcelgate.http.requests.orders import read_order
from parcelgate.http.requests.queries.orders import read_order_query
from parcelgate.http.requests.trackings import read_areas
from parcelgate.services.orders.create import Draft
from tests.support.api import Backend, a_box, call, order_body

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def an_order(changes: Mapping[str, object]) -> dict[str, Any]:
    """A good order with one item, and what `changes` puts at its JSON pointers."""
    value = {"amount": "2.50", "currency": "USD"}
    item = {"description": "Hammer", "quantity": 1, "unit_value": value}
    body = order_body(parcels=[a_box(items=[item])])
    for place, value_there in changes.items():
        *way, name = place.split("/")[1:]
        holder: Any = body
        for part in way:
            holder = holder[int(part)] if isinstance(holder, list) else holder.setdefault(part, {})
        holder[name] = value_there
    # As it comes over HTTP: numbers are never floats.
    return json.loads(json.dumps(body, default=float), parse_float=Decimal)  # type: ignore[no-any-return]


def read(changes: Mapping[str, object]) -> Draft:
    body = an_order(changes)
    return read_order(body, carriers=registry.names(), tenant="acme", order_id="ord_1", now=NOON)


def understood(order: Order, place: str) -> object:
    value: Any = order
    for part in place.split("/")[1:]:
        value = value[int(part)] if isinstance(value, tuple) else getattr(value, part)
    return value


def wide(text: str) -> str:
    """A text in full-width letters and digits."""
    return "".join(chr(ord(letter) + 0xFEE0) for letter in text)


ITEM = "/parcels/0/items/0"
AU = {"/ship_to/country": "AU", "/ship_to/state": "NSW", "/ship_to/postcode": "2000"}
CA = {"/ship_to/country": "CA", "/ship_to/state": "QC", "/ship_to/postcode": "H3Z 2Y7"}


@pytest.mark.parametrize(
    ("place", "given", "result", "others"),
    [
        # Blanks, lines and what cannot be seen
        ("/ship_to/postcode", "78701 ", "78701", {}),
        ("/ship_to/name", "Corrie\u00a0McKee\u202f", "Corrie McKee", {}),
        ("/ship_to/city", " Austin\u3000", "Austin", {}),
        ("/ship_to/line1", "12 Elm Street\nUnit 4", "12 Elm Street", {}),
        ("/ship_to/phone", "\u202a+1 512 555 0142\u202c", "+1 512 555 0142", {}),
        # Numbers that people copy
        ("/parcels/0/tracking_number", " RP123456789AU", "RP123456789AU", {}),
        ("/parcels/0/tracking_number", "rp 123 456 789 au", "RP123456789AU", {}),
        ("/parcels/0/tracking_number", wide("RP123456789AU"), "RP123456789AU", {}),
        ("/parcels/0/tracking_number", "\u200bRP123456789AU\ufeff", "RP123456789AU", {}),
        # Places
        ("/ship_to/country", "us", "US", {}),
        ("/ship_to/country", wide("US"), "US", {}),
        ("/ship_to/postcode", "787011234", "78701-1234", {}),
        ("/ship_to/postcode", "78701 1234", "78701-1234", {}),
        ("/ship_to/postcode", wide("78701"), "78701", {}),
        ("/ship_to/postcode", "h3z2y7", "H3Z 2Y7", CA),
        ("/ship_to/postcode", "h3z 2y7", "H3Z 2Y7", CA),
        ("/ship_to/postcode", "0800", "0800", AU | {"/ship_to/state": "NT"}),
        ("/ship_to/state", "Québec", "Québec", CA),
        ("/ship_to/state", "Que\u0301bec", "Québec", CA),
        ("/ship_to/state", "CA-QC", "CA-QC", CA),
        ("/ship_to/state", "AU-NSW", "AU-NSW", AU),
        ("/ship_to/state", "new south wales", "new south wales", AU),
        ("/ship_to/state", "D.C.", "D.C.", {}),
        ("/ship_to/state", "Virgin Islands", "Virgin Islands", {}),
        ("/ship_to/state", "Newfoundland", "Newfoundland", CA | {"/ship_to/postcode": "A1C 5H6"}),
        ("/ship_to/state", "FM", "FM", {}),
        ("/ship_to/state", "MH", "MH", {}),
        ("/ship_to/state", "PW", "PW", {}),
        (f"{ITEM}/origin_country", "cn", "CN", {}),
        (f"{ITEM}/origin_country", wide("CN"), "CN", {}),
        # Phones
        ("/ship_to/phone", wide("5125550142"), "5125550142", {}),
        ("/ship_to/phone", "+1 (512) 555-0142 ext. 12", "+1 (512) 555-0142 ext. 12", {}),
        ("/ship_to/phone", "512.555.0142x7", "512.555.0142x7", {}),
        ("/ship_to/phone", "030/123456", "030/123456", {}),
        # Money and measures
        ("/parcels/0/declared_value/currency", "usd", "USD", {"/parcels/0/declared_value/amount": 1}),
        (f"{ITEM}/unit_value/amount", 59.699999999999996, Decimal("59.70"), {}),
        (f"{ITEM}/unit_value/amount", "33.333333333333336", Decimal("33.33"), {}),
        (f"{ITEM}/unit_value/amount", f"552734200431.365{'0' * 20}1", Decimal("552734200431.37"), {}),
        (f"{ITEM}/unit_value/amount", "100.00", Decimal(100), {f"{ITEM}/unit_value/currency": "JPY"}),
        (f"{ITEM}/unit_value/amount", "1.234", Decimal("1.234"), {f"{ITEM}/unit_value/currency": "KWD"}),
        ("/parcels/0/weight/value", "1.5 ", Decimal("1.5"), {}),
        ("/parcels/0/weight/value", 0.30000000000000004, Decimal("0.3"), {}),
        # Codes of goods
        (f"{ITEM}/hs_code", "6204.42.00", "6204.42.00", {}),
        (f"{ITEM}/hs_code", "6204 42", "6204 42", {}),
        # Whose it is
        ("/carrier", "LSO", "lso", {}),
        ("/ship_to/line1", "13 O&#39;Connell Street", "13 O'Connell Street", {}),
        ("/ship_to/name", "Byrd &amp;amp; Sons", "Byrd & Sons", {}),
        ("/ship_to/name", "AT&T &copy Sons", "AT&T &copy Sons", {}),
        ("/ship_to/name", "Corrie\u200bMcKee", "Corrie McKee", {}),
        ("/ship_to/name", "Corrie\x07McKee", "Corrie McKee", {}),
        ("/parcels/0/description", "Ham\u00adm\x00er", "Ham m er", {}),
    ],
)
def test_is_understood(place: str, given: object, result: object, others: dict[str, object]) -> None:
    draft = read({**others, place: given})

    assert list(draft.errors) == []
    assert draft.order is not None
    assert understood(draft.order, place) == result


@pytest.mark.parametrize(
    ("place", "given", "code", "words", "others"),
    [
        ("/ship_to/country", "USA", "format", "US", {}),
        ("/ship_to/country", "UK", "format", "GB", {}),
        ("/ship_to/country", "United Kingdom", "format", "GB", {}),
        ("/ship_to/country", "PR", "format", "country US, state PR", {}),
        ("/ship_to/country", "Atlantis", "format", "ISO 3166-1", {}),
        (f"{ITEM}/origin_country", "CHN", "format", "CN", {}),
        (f"{ITEM}/origin_country", "UK", "format", "GB", {}),
        ("/ship_to/state", "New South Whales", "unknown_value", "New South Wales", AU),
        ("/ship_to/state", "Texass", "unknown_value", "Texas", {}),
        ("/ship_to/state", "Ontari", "unknown_value", "Ontario", CA),
        ("/ship_to/state", "Zzyzx", "unknown_value", "US", {}),
        ("/ship_to/postcode", "800", "format", "0800", AU),
        ("/ship_to/postcode", "2116", "format", "02116", {}),
        ("/ship_to/postcode", "ABC", "format", "95014", {}),
        ("/ship_to/postcode", "7870112", "format", "95014", {}),
        ("/ship_to/phone", "abc", "format", "digits", {}),
        ("/ship_to/phone", "1" * 40, "format", "20", {}),
        ("/ship_to/phone", "1234", "format", "5", {}),
        ("/ship_to/name", "Jos\ufffd", "characters", "U+FFFD", {}),
        ("/reference", " shop-17", "format", "blank", {}),
        ("/reference", "shop\x0017", "format", "control", {}),
        ("/parcels/0/tracking_number", "RP1\x002", "format", "control", {}),
        (f"{ITEM}/unit_value/currency", "RMB", "unknown_value", "CNY", {}),
        (f"{ITEM}/unit_value/currency", "XXX", "unknown_value", "ISO 4217", {}),
        (f"{ITEM}/unit_value/currency", "XAU", "unknown_value", "ISO 4217", {}),
        (f"{ITEM}/unit_value/currency", "DEM", "unknown_value", "ISO 4217", {}),
        (f"{ITEM}/unit_value/amount", "100.5", "out_of_range", "JPY", {f"{ITEM}/unit_value/currency": "JPY"}),
        (f"{ITEM}/unit_value/amount", "1.005", "out_of_range", "USD", {}),
        (f"{ITEM}/hs_code", "abc", "format", "6 to 14 digits", {}),
        (f"{ITEM}/hs_code", "1" * 15, "format", "6 to 14 digits", {}),
        ("/parcels/0/weight", "1,25 kg", "type", "1.25 kg", {}),
        ("/parcels/0/weight", "1.25 kg", "type", '{"value": 1.25, "unit": "kg"}', {}),
        (f"{ITEM}/unit_value", "12,50 USD", "type", "12.50 USD", {}),
        ("/parcels/0/weight/value", "1,25", "format", "1.25", {}),
    ],
)
def test_is_refused_with_what_is_likely_meant(
    place: str, given: object, code: str, words: str, others: dict[str, object]
) -> None:
    draft = read({**others, place: given})

    assert [(error.pointer, error.code) for error in draft.errors] == [(place, code)]
    assert words in draft.errors[0].message


@pytest.mark.parametrize(
    ("place", "given", "code", "words"),
    [
        ("/ship_to/line1", "13 O&#39;Connell Street", "html_entities", "13 O'Connell Street"),
        ("/ship_to/name", "Corrie\x07McKee", "characters_replaced", "replaced"),
        ("/ship_to/name", "Corrie\u200bMcKee", "characters_replaced", "replaced"),
        (f"{ITEM}/hs_code", "8471", "short_hs_code", "6"),
        (f"{ITEM}/hs_code", "84 71", "short_hs_code", "6"),
    ],
)
def test_is_changed_only_with_a_word(place: str, given: str, code: str, words: str) -> None:
    draft = read({place: given})

    assert list(draft.errors) == []
    assert draft.order is not None
    (notice,) = draft.order.warnings
    assert (notice.pointer, notice.code) == (place, code)
    assert words in notice.message


def test_a_second_line_moves_to_the_free_one() -> None:
    order = read({"/ship_to/line1": "12 Elm Street\r\nUnit 4\n"}).order
    taken = read({"/ship_to/line1": "12 Elm Street\nUnit 4", "/ship_to/line2": "Back door"}).order

    assert order is not None
    assert (order.ship_to.line1, order.ship_to.line2) == ("12 Elm Street", "Unit 4")
    assert taken is not None
    assert (taken.ship_to.line1, taken.ship_to.line2) == ("12 Elm Street Unit 4", "Back door")


def test_what_is_ours_alone_is_taken_as_it_is() -> None:
    order = read({"/metadata": {"note": "a &amp; b\u200b "}, "/reference": "a&amp;b"}).order

    assert order is not None
    assert (order.metadata, order.reference) == ({"note": "a &amp; b\u200b "}, "a&amp;b")


def test_a_sender_s_postcode_is_not_held_against_its_country() -> None:
    sender = order_body()["ship_to"] | {"country": "CA", "state": "ON", "postcode": "k1z3yz"}
    order = read({"/ship_from": sender}).order

    assert order is not None
    assert order.ship_from is not None
    assert order.ship_from.postcode == "K1Z3YZ"


def test_a_list_that_is_too_long_is_one_error() -> None:
    body = an_order({})
    body["parcels"][0]["items"] = body["parcels"][0]["items"] * 501

    draft = read_order(body, carriers=registry.names(), tenant="acme", order_id="ord_1", now=NOON)

    assert [(error.pointer, error.code) for error in draft.errors] == [("/parcels/0/items", "too_many")]
    assert draft.order is None


def test_a_body_may_begin_with_a_byte_order_mark() -> None:
    assert read_json(b'\xef\xbb\xbf{"a": 1}', "application/json") == {"a": 1}


def test_the_place_of_a_value_is_found_again() -> None:
    assert at_pointer(an_order({}), f"{ITEM}/quantity") == 1


class TestAQuery:
    @pytest.mark.parametrize("route", ["GET /v1/orders", "GET /v1/trackings"])
    def test_names_a_carrier_that_there_is(self, backend: Backend, route: str) -> None:
        reply = call(route, query={"carrier": "nosuch"})

        assert (reply.status, reply.errors) == (422, {"/carrier": "unknown_value"})
        assert call(route, query={"carrier": " LME"}).status == 200

    def test_may_give_a_day_for_a_time(self) -> None:
        query = read_order_query({"created_after": "2026-11-20", "created_before": "2026-11-21T09:30:00Z"})

        assert query.filter.created_after == datetime(2026, 11, 20, tzinfo=UTC)
        assert query.filter.created_before == datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
        with pytest.raises(ProblemError):
            read_order_query({"created_after": "2026-13-20"})

    def test_may_leave_a_parameter_empty(self) -> None:
        names = [each["name"] for each in described("/v1/orders", "get")["parameters"]]

        query = read_order_query(dict.fromkeys(names, ""))

        assert query.filter == read_order_query({}).filter
        for parameter in described("/v1/orders", "get")["parameters"]:
            assert Draft202012Validator(parameter["schema"]).is_valid("")


class TestTheDescription:
    def test_says_which_bodies_may_be_missing(self) -> None:
        assert described("/v1/orders", "post")["requestBody"]["required"] is True
        assert described("/v1/trackings/delete", "post")["requestBody"]["required"] is True
        assert described("/v1/trackings/{id}/refresh", "post")["requestBody"]["required"] is False
        assert described("/v1/orders/{id}/cancel", "post")["requestBody"]["required"] is False

    def test_lets_null_stand_for_what_is_absent(self) -> None:
        schemas = document()["components"]["schemas"]
        for name in ("ItemInput", "SubscriptionInput", "RefreshInput", "ManifestInput"):
            for field, schema in schemas[name]["properties"].items():
                whole = {**schema, "components": {"schemas": schemas}}
                is_required = field in schemas[name].get("required", ())
                assert Draft202012Validator(whole).is_valid(None) is not is_required, (name, field)


def described(path: str, method: str) -> dict[str, Any]:
    return document()["paths"][path][method]  # type: ignore[no-any-return]


def test_a_key_that_is_none_is_refused_by_a_call_that_stores_nothing_too(backend: Backend) -> None:
    check = {"orders": [order_body()], "validate_only": True}

    reply = call("POST /v1/orders/batch", body=check, headers={"idempotency-key": "k" * 256})

    assert (reply.status, reply.errors) == (422, {"": "invalid_idempotency_key"})
    assert call("POST /v1/orders/batch", body=check, headers={"idempotency-key": "k"}).status == 200


@pytest.mark.parametrize("nothing", ["\u200b", "\x96", " \ufeff\u00a0"])
def test_what_shows_nothing_counts_as_absent(nothing: str) -> None:
    draft = read({"/ship_to/name": nothing, "/ship_to/country": nothing, "/ship_to/company": nothing})

    assert {error.pointer: error.code for error in draft.errors} == {
        "/ship_to/name": "missing",
        "/ship_to/country": "missing",
    }
    with pytest.raises(ProblemError):
        read_areas([{"country": nothing, "postcode": "78701"}])


def test_an_address_is_checked_as_an_order_s_would_be_read(backend: Backend) -> None:
    address = order_body()["ship_to"] | {"line1": "13 O&#39;Connell Street", "state": "Texass"}

    reply = call("POST /v1/addresses/validate", body={"carrier": "lso", "address": address})

    assert (reply.status, reply.json()["valid"]) == (200, False)
    codes = {each["pointer"]: each["code"] for each in reply.json()["messages"]}
    assert codes == {"/address/line1": "html_entities", "/address/state": "unknown_value"}
