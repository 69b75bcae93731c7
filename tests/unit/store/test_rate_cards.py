"""Rate cards, and the names of carrier accounts."""

from decimal import Decimal
from typing import Any

from parcelgate.domain.measures import Money, Weight, WeightUnit
from parcelgate.domain.merchants.rate_cards import MOST_ROWS, RateCard, RateCardRow
from parcelgate.store.table import Table
from tests.support.orders import NOON
from tests.support.table import all_items


def a_card(rows: int = 1, account: str = "default") -> RateCard:
    return RateCard(
        carrier="ubi",
        account=account,
        rows=tuple(
            RateCardRow(
                service=f"UBI.AU2AU.SERVICE.{place}",
                destination_country="AU",
                weight_up_to=Weight(Decimal("0.500000"), WeightUnit.KG),
                price=Money(Decimal("1234567.90"), "AUD"),
            )
            for place in range(rows)
        ),
        updated_at=NOON,
    )


def test_a_card_is_its_tenants_and_its_accounts(table: Table) -> None:
    cards = table.tenant("acme").rate_cards
    cards.put(a_card())

    assert cards.get("ubi", "default") == a_card()
    assert cards.get("ubi", "second") is cards.get("lme", "default") is None
    assert table.tenant("other").rate_cards.get("ubi", "default") is None

    cards.put(a_card(rows=2))
    assert cards.get("ubi", "default") == a_card(rows=2)
    cards.delete("ubi", "default")
    cards.delete("ubi", "default")
    assert cards.get("ubi", "default") is None


def test_the_largest_card_fits_into_an_item_many_times_over(table: Table, dynamodb: Any) -> None:
    table.tenant("acme").rate_cards.put(a_card(rows=MOST_ROWS))

    (item,) = all_items(dynamodb)
    assert len(item["doc"]["B"]) < 100_000
    card = table.tenant("acme").rate_cards.get("ubi", "default")
    assert card is not None
    assert len(card.rows) == MOST_ROWS


def test_the_names_of_accounts_are_their_tenants_each_once(table: Table) -> None:
    names = table.tenant("acme").account_names
    assert names.all() == []
    for carrier, account in (("ubi", "second"), ("lme", "default"), ("ubi", "second")):
        names.add(carrier, account)

    assert names.all() == [("lme", "default"), ("ubi", "second")]
    assert table.tenant("other").account_names.all() == []
