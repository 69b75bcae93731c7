"""Bills and quotas follow from what was recorded and from two dated tables."""

import pytest

from bench import bills, prices
from bench.bills import EXAMPLES, Merchants


def together(of: Merchants) -> float:
    return sum(bills.bill(of).values())


def test_a_bill_is_its_orders_and_what_costs_without_any() -> None:
    one, two = (Merchants(orders, 10, 10, 3) for orders in (100_000, 200_000))
    of_orders = [name for name in bills.bill(one) if name not in bills.fixed(one)]
    assert all(bills.bill(two)[name] == pytest.approx(2 * bills.bill(one)[name]) for name in of_orders)
    nothing = bills.bill(bills.IDLE)
    assert {name for name, dollars in nothing.items() if dollars} == {
        "rounds of polls and sweeps", "secrets and the key", "queues polled in vain",
        "alarms", "dashboards", "metrics",
    }  # fmt: skip


def test_everything_that_an_order_takes_is_on_the_bill() -> None:
    on_the_bill = {kind for kinds in bills.PARTS.values() for kind in kinds}
    assert set(bills.mixed("usage")) <= on_the_bill
    assert on_the_bill <= set(prices.table()["aws"])


def test_an_order_is_cheaper_where_there_are_more() -> None:
    each = [together(of) / of.orders for of in EXAMPLES if of.orders]
    assert each == sorted(each, reverse=True)


def test_the_narrowest_quota_comes_first_and_each_has_its_source() -> None:
    rows = bills.quotas()
    limits = [row["default"] / row["amount"] for row in rows if row["amount"]]
    assert limits == sorted(limits)
    assert all(row["page"].startswith("https://docs.aws.amazon.com/") and row["seen"] for row in rows)


def test_our_own_shares_are_those_of_production() -> None:
    shares = {function: most for function, most, _, _ in bills.own_shares()}
    assert shares["create_order"] == 200


def test_an_example_names_what_its_busiest_hour_passes() -> None:
    assert bills._passed(EXAMPLES[0]) == "none"
    assert "Lambda" in bills._passed(Merchants(50_000_000, 1, 1, 3))
