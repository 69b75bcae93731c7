"""What parcels cost by a merchant's own price list."""

from decimal import Decimal

import pytest

from parcelgate.domain.measures import Money, Weight, WeightUnit
from parcelgate.domain.merchants.rate_cards import RateCard, RateCardRow
from tests.support.orders import NOON


def row(line: str) -> RateCardRow:
    service, country, weight, unit, price, currency = line.split()
    return RateCardRow(
        service=service,
        destination_country=country,
        weight_up_to=Weight(Decimal(weight), WeightUnit(unit)),
        price=Money(Decimal(price), currency),
    )


def card(*lines: str) -> RateCard:
    return RateCard(carrier="ubi", account="default", rows=tuple(map(row, lines)), updated_at=NOON)


def price(card: RateCard, *weights: str, service: str | None = "POST", country: str = "AU") -> str | None:
    parcels = [Weight(Decimal(value), WeightUnit(unit)) for value, unit in map(str.split, weights)]
    found = card.price(service, country, parcels)
    return found and f"{found.amount} {found.currency}"


@pytest.mark.parametrize(
    ("weight", "expected"),
    [
        ("1 g", "4.00 AUD"),
        ("500 g", "4.00 AUD"),
        ("0.5 kg", "4.00 AUD"),
        ("500.000001 g", "7.50 AUD"),
        ("1.1023 lb", "4.00 AUD"),
        ("1.1024 lb", "7.50 AUD"),
        ("2 kg", "7.50 AUD"),
        ("2.000001 kg", None),
    ],
)
def test_the_smallest_weight_that_holds_the_parcel_counts(weight: str, expected: str | None) -> None:
    rows = ("POST AU 2 kg 7.50 AUD", "POST AU 500 g 4.00 AUD")
    assert price(card(*rows), weight) == expected
    assert price(card(*reversed(rows)), weight) == expected


def test_each_parcel_costs_by_its_own_weight_and_their_prices_add_up() -> None:
    rows = card("POST AU 500 g 4.05 AUD", "POST AU 2 kg 7.50 AUD")
    assert price(rows, "400 g", "400 g", "1 kg") == "15.60 AUD"
    assert price(rows, "400 g", "3 kg") is None, "a parcel without a price leaves the order without one"
    assert price(rows) is None


@pytest.mark.parametrize(
    ("service", "country", "expected"),
    [
        ("POST", "AU", "1 AUD"),
        ("post", "AU", "1 AUD"),
        ("POST", "NZ", "2 AUD"),
        ("EXPRESS", "AU", "3 AUD"),
        ("EXPRESS", "NZ", "4 AUD"),
        (None, "AU", "3 AUD"),
    ],
)
def test_a_row_that_names_the_service_comes_first_then_one_that_names_the_country(
    service: str | None, country: str, expected: str
) -> None:
    rows = card("* * 1 kg 4 AUD", "* AU 1 kg 3 AUD", "POST * 1 kg 2 AUD", "POST AU 1 kg 1 AUD")
    assert price(rows, "1 kg", service=service, country=country) == expected


def test_what_is_too_heavy_for_the_narrow_rows_costs_by_a_wide_one() -> None:
    rows = card("POST AU 1 kg 1 AUD", "* * 30 kg 40 AUD")
    assert price(rows, "2 kg") == "40 AUD"


def test_nothing_is_converted() -> None:
    rows = card("POST AU 1 kg 1 AUD", "* * 30 kg 40 USD")
    assert price(rows, "1 kg", "2 kg") is None
    assert price(rows, "2 kg", "3 kg") == "80 USD"


def test_a_card_says_which_services_it_names() -> None:
    rows = card("POST AU 1 kg 1 AUD", "POST NZ 1 kg 1 AUD", "FAST * 1 kg 1 AUD")
    assert (rows.services, rows.has_any_service) == (("POST", "FAST"), False)
    assert card("* AU 1 kg 1 AUD").has_any_service
