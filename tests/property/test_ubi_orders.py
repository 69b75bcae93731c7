"""Whatever valid order a client describes, UBI takes it as it goes out, and every parcel gets its number."""

import random
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from parcelgate.carriers.results import Confirmed
from parcelgate.carriers.ubi import answers, validation
from parcelgate.carriers.ubi.mapping.create import prepared, unprintable, wire_order
from parcelgate.carriers.ubi.settings import CarrierSettings
from parcelgate.carriers.ubi.validation import violations
from parcelgate.carriers.ubi.wire import OrderAnswer, encode
from tests.unit.carriers.ubi.orders import Body, order_of

LATIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZàâäæçéèêëîïôöœùûüÿ"


def text(longest: int) -> st.SearchStrategy[str]:
    """What a client writes: any script, emoji and control characters included, and often too long."""
    anything = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=longest + 3)
    return st.one_of(latin(longest), anything)


def latin(longest: int) -> st.SearchStrategy[str]:
    letters = st.text(LATIN + "0123456789 .,'-/#&()🎉\n", max_size=longest - 1)
    return st.builds(lambda letter, rest: letter + rest, st.sampled_from(LATIN), letters)


def reference(longest: int = 60) -> st.SearchStrategy[str]:
    return st.text(LATIN + "0123456789-_", min_size=1, max_size=longest)


def number(least: str, most: str, places: int) -> st.SearchStrategy[str]:
    return st.decimals(Decimal(least), Decimal(most), places=places).map(lambda value: format(value, "f"))


def maybe(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Body]:
    return st.fixed_dictionaries({}, optional=fields)


def both(
    wanted: dict[str, st.SearchStrategy[Any]], optional: st.SearchStrategy[Body]
) -> st.SearchStrategy[Body]:
    return st.builds(lambda one, other: one | other, st.fixed_dictionaries(wanted), optional)


def addresses(name: int = 50, line: int = 200) -> st.SearchStrategy[Body]:
    return both(
        {
            "name": latin(name),
            "line1": latin(line),
            "city": text(80),
            "country": st.sampled_from(["AU", "CA", "US", "CN", "FR"]),
            "state": st.one_of(latin(80), st.sampled_from(["VIC", "ON", "NY", "Quebec"])),
        },
        maybe(
            line2=text(200),
            line3=text(80),
            postcode=text(16),
            phone=text(20),
            company=text(50),
            tax_id=text(100),
        ),
    )


def weights(most_kg: str) -> st.SearchStrategy[Body]:
    return st.one_of(
        st.fixed_dictionaries({"value": number("0.000001", most_kg, 6), "unit": st.just("kg")}),
        st.fixed_dictionaries({"value": number("0.001", "40000", 3), "unit": st.just("g")}),
        st.fixed_dictionaries({"value": number("0.001", "88", 3), "unit": st.just("lb")}),
        st.fixed_dictionaries({"value": number("0.001", "1400", 3), "unit": st.just("oz")}),
    )


def money(least: str = "0.01") -> st.SearchStrategy[Body]:
    return st.fixed_dictionaries({"amount": number(least, "9999", 2), "currency": st.just("AUD")})


ITEMS = both(
    {
        "number": text(128),
        "sku": text(128),
        "description": latin(60),
        "quantity": st.integers(1, 99),
        "unit_value": money(),
        "origin_country": st.sampled_from(["CN", "AU", "USA", "China"]),
    },
    maybe(
        native_description=text(255),
        hs_code=text(60),
        weight=weights("2"),
        url=text(512),
        warehouse_number=text(80),
    ),
)
SIDES = st.fixed_dictionaries(
    {
        "length": number("0.01", "99", 2),
        "width": number("0.01", "99", 2),
        "height": number("0.01", "99", 2),
        "unit": st.sampled_from(["cm", "in", "m", "mm"]),
    }
)
PARCELS = both(
    {"weight": weights("40"), "items": st.lists(ITEMS, min_size=1, max_size=3)},
    maybe(
        dimensions=SIDES,
        volume=number("0.01", "9", 2),
        secondary_reference=reference(80),
        description=text(60),
        native_description=text(255),
        sku_on_label=text(128),
    ),
)
BODIES = both(
    {
        "service": reference(64),
        "reference": reference(),
        "carrier": st.just("ubi"),
        "ship_to": addresses(),
        "ship_from": addresses(),
        "parcels": st.lists(PARCELS, min_size=1, max_size=4),
    },
    maybe(
        return_to=addresses(),
        customs=maybe(
            description=text(60),
            native_description=text(255),
            incoterm=st.sampled_from(["DDU", "DDP"]),
            dangerous_goods=st.booleans(),
            inject_port=text(256),
            vendor_id=text(12),
        ),
        options=maybe(
            pick_up=st.booleans(),
            authority_to_leave=st.booleans(),
            instruction=text(255),
            facility=text(20),
        ),
    ),
)


def answer_to(sent: dict[str, Any], shuffle: random.Random) -> OrderAnswer:
    """What UBI says to a wire order, its pieces in any order."""
    pieces = [
        {"status": "Success", "referenceNo": piece["referenceNo"], "orderId": f"O{n}", "trackingNo": f"T{n}"}
        for n, piece in enumerate(sent.get("pieces") or ())
    ]
    shuffle.shuffle(pieces)
    master = {"status": "Success", "referenceNo": sent["referenceNo"], "orderId": "M", "trackingNo": "T"}
    return OrderAnswer.model_validate({**master, "piecesResult": pieces})


@pytest.mark.parametrize("repeats", [False, True])
@settings(max_examples=80)
@given(body=BODIES, shuffle=st.randoms(use_true_random=False))
def test_a_valid_order_passes_the_table_and_its_parcels_come_back_in_order(
    repeats: bool, body: Body, shuffle: random.Random
) -> None:
    """Any valid canonical order maps to a wire order that passes the table's rules, and what comes back
    maps to the same parcels in the same order."""
    account = CarrierSettings(master_repeats_first_piece=repeats)
    order = order_of(body)
    assume(not validation.examine(order, account).errors)
    wire = wire_order(prepared(order, account).order, account)
    assert list(violations(wire)) == []
    assert msgspec.json.decode(encode([wire]))[0]["referenceNo"] == order.reference

    result = answers.result(order, answer_to(wire, shuffle))
    assert isinstance(result, Confirmed)
    assert [one.reference for one in result.parcels] == [one.reference for one in order.parcels]
    expected = ["T"] if len(order.parcels) == 1 else [f"T{n}" for n in range(len(order.parcels))]
    assert [one.tracking_number for one in result.parcels] == expected


@settings(max_examples=80)
@given(body=BODIES)
def test_what_goes_out_breaks_the_table_only_where_the_examination_says_so(body: Body) -> None:
    """The examination is neither blind nor louder than the table for what the table alone decides."""
    order = order_of(body)
    wire = wire_order(prepared(order, CarrierSettings()).order, CarrierSettings())
    broken = {found.code for found in violations(wire)}
    found = {error.code for error in validation.examine(order, CarrierSettings()).errors}
    assert broken <= found


@settings(max_examples=100)
@given(text(60))
def test_a_printable_text_is_left_as_it_is_and_any_other_becomes_printable(given_text: str) -> None:
    order = order_of(
        {
            "carrier": "ubi",
            "reference": "r",
            "ship_to": {"name": given_text, "line1": "x", "city": "x", "country": "AU"},
            "parcels": [{"weight": {"value": 1, "unit": "kg"}}],
        }
    )
    ready = prepared(order, CarrierSettings())
    name = ready.order.ship_to.name
    assert not any(unprintable(character) for character in name)
    spoilt = any(unprintable(character) for character in given_text.strip(" "))
    assert ("characters_replaced" in {warning.code for warning in ready.warnings}) == spoilt
    assert prepared(ready.order, CarrierSettings()).order == ready.order
