"""What becomes of a create body that is good: the order as understood, with its defaults."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from parcelgate.carriers.ubi.wire import EXTEND, ITEM, PARCEL, RETURN, SHARED, Row
from parcelgate.domain.measures import LengthUnit, Money, WeightUnit
from parcelgate.domain.orders import Order
from parcelgate.http.openapi import document, example, sample
from parcelgate.http.requests.formats.reading import read_json
from parcelgate.http.requests.orders import OrderInput, read_order
from parcelgate.http.routes import ROUTES, Route
from parcelgate.services.orders.create import Draft
from tests.support.api import a_box, order_body

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def read(body: object) -> Draft:
    return read_order(body, carriers=("lso",), tenant="acme", order_id="ord_1", now=NOON)


def good(body: object) -> Order:
    draft = read(body)
    assert list(draft.errors) == []
    assert draft.order is not None
    return draft.order


def an_item(**changes: Any) -> dict[str, Any]:
    return {
        "description": "Hammer",
        "quantity": 1,
        "unit_value": {"amount": "2.50", "currency": "USD"},
    } | changes


class TestDefaults:
    def test_account_label_options_and_metadata(self) -> None:
        order = good(order_body())

        assert (order.account, order.label.format, order.label.size, order.label.dpi) == (
            "default",
            "pdf",
            "4x6",
            None,
        )
        assert order.options.max_price is None
        assert order.metadata == {}
        assert order.customs is None

    def test_a_parcel_s_reference_is_the_order_s_with_its_place(self) -> None:
        order = good(order_body(parcels=[a_box(), a_box(reference="own"), a_box()]))

        assert [parcel.reference for parcel in order.parcels] == ["shop-17-1", "own", "shop-17-3"]

    def test_the_only_parcel_may_have_the_order_s_reference(self) -> None:
        assert good(order_body(parcels=[a_box(reference="shop-17")])).parcels[0].reference == "shop-17"

    def test_a_default_reference_that_is_somebody_else_s_own_is_refused(self) -> None:
        draft = read(order_body(parcels=[a_box(), a_box(reference="shop-17-1")]))

        assert [(error.pointer, error.code) for error in draft.errors] == [
            ("/parcels/1/reference", "not_unique")
        ]

    def test_an_item_s_number_is_its_place_and_its_sku_the_number(self) -> None:
        items = [an_item(), an_item(number=7), an_item(number="A", sku="S")]
        order = good(order_body(parcels=[a_box(items=items)]))

        assert [(item.number, item.sku) for item in order.parcels[0].items] == [
            ("1", "1"),
            ("7", "7"),
            ("A", "S"),
        ]

    def test_customs_are_described_by_the_first_item_and_worth_the_sum(self) -> None:
        boxes = [a_box(items=[an_item(quantity=3)]), a_box(items=[an_item(description="Nail")])]
        customs = good(order_body(parcels=boxes)).customs

        assert customs is not None
        assert (customs.description, customs.value) == ("Hammer", Money(Decimal("10.00"), "USD"))

    def test_customs_given_are_kept(self) -> None:
        given = {"description": "Tools", "value": {"amount": 1, "currency": "EUR"}}
        customs = good(order_body(parcels=[a_box(items=[an_item()])], customs=given)).customs

        assert customs is not None
        assert (customs.description, customs.value) == ("Tools", Money(Decimal(1), "EUR"))

    def test_items_of_several_currencies_have_no_sum(self) -> None:
        items = [an_item(), an_item(unit_value={"amount": 1, "currency": "EUR"})]
        customs = good(order_body(parcels=[a_box(items=items)])).customs

        assert customs is not None
        assert customs.value is None

    @pytest.mark.parametrize("absent", [None, "", "   ", []])
    def test_what_is_empty_counts_as_absent(self, absent: object) -> None:
        body = order_body(
            account=absent, options=absent, customs=absent, label=absent, metadata=absent, ship_from=absent
        )
        body["parcels"][0] |= {"items": absent, "volume": absent, "reference": absent}
        body["ship_to"]["email"] = absent

        assert good(body) == good(order_body())


class TestNumbers:
    @pytest.mark.parametrize(
        ("given", "understood"),
        [
            (264, "264"),
            ("264.50", "264.50"),
            (" 1.5 ", "1.5"),
            (Decimal("1E+2"), "100"),
            (Decimal("2.0000000000"), "2.000000"),
            (Decimal("0.30000000000000004"), "0.300000"),
            ("1.0000005", "1.000001"),
        ],
    )
    def test_are_decimals_from_numbers_and_texts(self, given: object, understood: str) -> None:
        weight = good(order_body(parcels=[a_box(weight={"value": given, "unit": "g"})])).parcels[0].weight

        assert (str(weight.value), weight.unit) == (understood, WeightUnit.G)

    @pytest.mark.parametrize(
        "given", ["1e3", "+1", "1.", ".5", "0x1", "1,5", "\u0661", "NaN", "Infinity", "1_0"]
    )
    def test_have_one_spelling_as_texts(self, given: str) -> None:
        draft = read(order_body(parcels=[a_box(weight={"value": given, "unit": "g"})]))

        assert [(error.pointer, error.code) for error in draft.errors] == [
            ("/parcels/0/weight/value", "format")
        ]

    @pytest.mark.parametrize(
        "given", [Decimal("1e-7"), Decimal("1e-400"), Decimal("1e400"), Decimal("Infinity"), 10**9, 0, -1]
    )
    def test_have_bounds(self, given: object) -> None:
        draft = read(order_body(parcels=[a_box(weight={"value": given, "unit": "g"})]))

        assert [error.code for error in draft.errors] == ["out_of_range"]

    @pytest.mark.parametrize("given", ["1e999999999", "-1e999999999", "1e-999999999", "9" * 5000])
    def test_beyond_all_measure_are_refused_in_every_field(self, given: str) -> None:
        raw = f'{{"number": {given}}}'.encode()
        number = read_json(raw, "application/json")["number"]  # type: ignore[index]
        money = {"amount": number, "currency": "USD"}
        sides = {"length": number, "width": number, "height": number, "unit": "cm"}
        weight = {"value": number, "unit": "g"}
        item = an_item(quantity=number, unit_value=money, weight=weight)
        box = a_box(items=[item], weight=weight, dimensions=sides, volume=number, declared_value=money)
        body = order_body(
            parcels=[box],
            label={"dpi": number},
            customs={"description": "Hats", "value": money},
            options={"max_price": money},
        )

        errors = {error.pointer for error in read(body).errors}

        assert errors >= {
            "/parcels/0/items/0/quantity",
            "/parcels/0/items/0/unit_value/amount",
            "/parcels/0/items/0/weight/value",
            "/parcels/0/weight/value",
            "/parcels/0/dimensions/length",
            "/parcels/0/dimensions/width",
            "/parcels/0/dimensions/height",
            "/parcels/0/volume",
            "/parcels/0/declared_value/amount",
            "/customs/value/amount",
            "/options/max_price/amount",
            "/label/dpi",
        }

    def test_of_money_are_rounded_and_not_refused(self) -> None:
        value = {"amount": Decimal("59.699999999999996"), "currency": "USD"}
        item = good(order_body(parcels=[a_box(items=[an_item(unit_value=value)])])).parcels[0].items[0]

        assert item.unit_value.amount == Decimal("59.7")

    def test_of_pieces_may_be_written_with_a_point(self) -> None:
        order = good(order_body(parcels=[a_box(items=[an_item(quantity=Decimal("2.0"))])]))

        assert order.parcels[0].items[0].quantity == 2
        assert (
            read(order_body(parcels=[a_box(items=[an_item(quantity=Decimal("2.5"))])])).errors[0].code
            == "type"
        )

    def test_of_lengths_end_at_ten_metres(self) -> None:
        sides = {"length": 1, "width": 1, "height": Decimal("10.01"), "unit": "m"}
        draft = read(order_body(parcels=[a_box(dimensions=sides)]))

        assert [(error.pointer, error.code) for error in draft.errors] == [
            ("/parcels/0/dimensions", "out_of_range")
        ]
        assert (
            good(order_body(parcels=[a_box(dimensions=sides | {"height": 10})])).parcels[0].dimensions
            is not None
        )
        assert LengthUnit.M == "m"


class TestTexts:
    def test_lose_blanks_around_and_have_their_lines_joined(self) -> None:
        body = order_body()
        body["ship_to"] |= {"postcode": " 78701 ", "name": "Corrie\tMcKee\n", "line1": "12 Elm Street"}

        ship_to = good(body).ship_to

        assert (ship_to.postcode, ship_to.name) == ("78701", "Corrie McKee")

    def test_that_lost_a_letter_are_refused(self) -> None:
        body = order_body()
        body["ship_to"]["name"] = "Jos\ufffd"

        assert [(error.pointer, error.code) for error in read(body).errors] == [
            ("/ship_to/name", "characters")
        ]


class TestTheRest:
    def test_a_country_may_be_small(self) -> None:
        body = order_body()
        body["ship_to"]["country"] = "us"

        assert good(body).ship_to.country == "US"

    def test_a_window_is_kept_in_utc(self) -> None:
        window = {"from": "2026-12-01T10:00:00+01:00", "to": "2026-12-01T12:30:00.250Z"}
        options = good(order_body(options={"delivery_window": window})).options

        assert options.delivery_window is not None
        assert options.delivery_window.from_ == datetime(2026, 12, 1, 9, tzinfo=UTC)

    def test_mistakes_do_not_hide_what_is_good(self) -> None:
        draft = read(order_body(colour="red", metadata={"a": 1, "b": "c"}))

        assert draft.order is not None
        assert draft.order.metadata == {"b": "c"}

    def test_no_order_is_made_without_what_is_required(self) -> None:
        body = order_body(colour="red")
        del body["reference"]

        assert read(body).order is None

    def test_an_unknown_carrier_is_told_along_with_everything_else(self) -> None:
        draft = read({"carrier": "pigeon"})

        assert [error.code for error in draft.errors] == ["unknown_carrier", "missing", "missing", "missing"]


class TestLengths:
    @pytest.mark.parametrize(
        "row",
        [row for row in (*SHARED, *RETURN, *EXTEND, *PARCEL, *ITEM) if row.longest],
        ids=lambda row: row.source,
    )
    def test_are_never_narrower_than_a_carrier_s(self, row: Row) -> None:
        pointer = row.source.format_map(
            {
                "parcel": "/parcels/0",
                "item": "/parcels/0/items/0",
                "reference": "/reference",
                "description": "/customs/description",
                "native_description": "/customs/native_description",
                "value": "/customs/value/currency",
                "sender_tax_id": "/customs/sender_tax_id",
            }
        )
        body = order_body(parcels=[a_box(items=[an_item()])])
        *way, name = pointer.split("/")[1:]
        place: Any = body
        for step in way:
            place = place[int(step)] if isinstance(place, list) else place.setdefault(step, {})
        place[name] = "x" * row.longest  # type: ignore[operator]

        errors = [error for error in read(body).errors if error.pointer == pointer]

        assert "too_long" not in {error.code for error in errors}

    def test_of_where_a_thing_comes_from_allow_its_name(self) -> None:
        for given, understood in [("de", "DE"), ("People's Republic of China", None)]:
            order = good(order_body(parcels=[a_box(items=[an_item(origin_country=given)])]))
            assert order.parcels[0].items[0].origin_country == (understood or given)
        draft = read(order_body(parcels=[a_box(items=[an_item(origin_country="QQ")])]))
        assert [error.code for error in draft.errors] == ["format"]


WITH_BODY = [route for route in ROUTES.values() if route.body]


class TestTheDescription:
    @pytest.mark.parametrize(
        "route", [route for route in ROUTES.values() if route.body], ids=lambda r: r.name
    )
    def test_has_an_example_of_each_body_that_fits_its_schema(self, route: Route) -> None:
        described = document()
        operation = described["paths"][route.path][route.method.lower()]
        for content in operation["requestBody"]["content"].values():
            fits(content["schema"], content["example"])
            assert content["example"] == sample(route)["body"]

    def test_has_an_example_of_an_order_that_fits_its_schema(self) -> None:
        fits({"$ref": "#/components/schemas/OrderResource"}, example())

    @pytest.mark.parametrize("empty", [None, "", []])
    def test_says_that_null_counts_as_absent(self, empty: str | list[Any] | None) -> None:
        """Whatever may be left out may be null; whatever is required may not."""
        schemas = document()["components"]["schemas"]
        validator = Draft202012Validator({"$ref": "#/components/schemas/OrderInput", **described()})
        for name in OrderInput.names:
            body = order_body() | {name: empty}
            assert (read(body).errors == []) == (name not in schemas["OrderInput"]["required"])
            if empty is None:
                assert validator.is_valid(body) == (name not in schemas["OrderInput"]["required"])
        nothing = order_body(metadata={"a": None}, options={"locker": None}, label={"dpi": None})
        assert good(nothing) == good(order_body())
        assert validator.is_valid(nothing)

    def test_says_what_the_gateway_answers_by_itself(self) -> None:
        for status in (401, 404, 413, 429):
            content = document()["components"]["responses"][f"Problem{status}"]["content"]
            fits(content["application/json"]["schema"], {"message": "Unauthorized"})

    def test_says_that_every_post_and_patch_takes_an_idempotency_key(self) -> None:
        for path, methods in document()["paths"].items():
            for method, operation in methods.items():
                named = "Idempotency-Key" in [each["name"] for each in operation["parameters"]]
                assert named == (method in ("post", "patch")), path

    def test_shows_no_name_of_the_inside(self) -> None:
        assert not [name for name in document()["components"]["schemas"] if name.startswith("_")]


def described() -> dict[str, Any]:
    return {"components": document()["components"]}


def fits(schema: dict[str, Any], shown: object) -> None:
    Draft202012Validator(schema | described()).validate(shown)
