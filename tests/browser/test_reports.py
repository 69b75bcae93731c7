"""The reports of the console: their figures are those of the API."""

import csv
import re
from typing import Any

from playwright.sync_api import Locator, Page, expect

from parcelgate.domain.measures import Money
from tests.support.api import api_event
from tests.support.browser import check_page
from tests.support.console import sign_in
from tests.support.served import ServedWorld

SPAN = {"from": "2026-11-01", "to": "2026-11-30"}


def test_figures_equal_the_api(page: Page, served_world: ServedWorld) -> None:
    with served_world.hold() as world:
        bought = [world.settle(world.start_order(f"R-{place}")) for place in range(3)]
        world.carrier.price = Money(world.carrier.price.amount * 2, "EUR")
        world.settle(world.start_order("R-euro", service=None))
        world.cancel_order(bought[0])
        world.settle(bought[0])
        world.carrier.behaviour.fails = True
        world.settle(world.start_order("R-fails"))
        stats = _stats(served_world, by="carrier,service")
        daily = _stats(served_world, by="day,carrier,service")
    total = stats["total"]
    assert (total["orders"]["confirmed"], total["orders"]["failed"]) == (3, 1), "there is something to show"

    sign_in(page, served_world, at="reports?from=2026-11-01&to=2026-11-30")

    expect(_card(page, "Orders")).to_have_text(str(total["orders"]["total"]))
    expect(_card(page, "Confirmed")).to_have_text(str(total["orders"]["confirmed"]))
    expect(_card(page, "Failed")).to_have_text(str(total["orders"]["failed"]))
    expect(_card(page, "Cancelled")).to_have_text(str(total["orders"]["cancelled"]))
    parts = ("Confirmed", "Failed", "Cancelled", "Under way", "Need a person")
    assert sum(int(_card(page, name).inner_text()) for name in parts) == total["orders"]["total"]
    expect(_card(page, "Labels ready")).to_have_text(str(total["labels"]["ready"]))
    expect(_card(page, "Parcels")).to_have_text(str(total["parcels"]["total"]))
    for figure in total["spend"]:
        expect(_card(page, "Spend")).to_contain_text(_money(figure["amount"]))
    assert {figure["amount"]["currency"] for figure in total["spend"]} == {"USD", "EUR"}
    for figure in total["refunds"]:
        expect(_card(page, "Refunds")).to_contain_text(_money(figure["amount"]))
    rows = page.get_by_role("table", name="Figures by carrier and service").get_by_role("row")
    expect(rows).to_have_count(len(stats["data"]) + 1)
    for group in stats["data"]:
        name = f"{group['carrier']}, {group['service'] or 'no service'}"
        row = rows.filter(has=page.get_by_role("rowheader", name=name, exact=True))
        cells = row.get_by_role("cell").all_inner_texts()
        shown = [group["orders"][name] for name in ("total", "confirmed", "failed", "cancelled")]
        assert cells[:4] == [*map(str, shown)]
        spent = [_money(figure["amount"]) for figure in group["spend"]]
        assert cells[4].split() == " ".join(spent or ["\N{EN DASH}"]).split()

    page.set_viewport_size({"width": 1280, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    columns = page.get_by_role("table", name="Figures by carrier and service").get_by_role("rowheader")
    assert columns.evaluate_all("all => all.every(one => getComputedStyle(one).overflowWrap !== 'anywhere')")

    picture = page.get_by_role("img", name="Orders by day")
    expect(picture.locator("canvas")).to_be_visible()
    page.get_by_text("Orders by day as a table").click()
    table = page.get_by_role("table", name="Orders by day")
    assert [row["orders"]["confirmed"] for row in _stats(served_world, by="day")["data"]] == [
        int(cell.split("\t")[1]) for cell in table.get_by_role("row").all_inner_texts()[1:]
    ]
    check_page(page)

    with page.expect_download() as download:
        page.get_by_role("button", name="Take the figures away as CSV").click()
    with download.value.path().open(encoding="utf-8-sig", newline="") as file:
        taken = list(csv.DictReader(file))
    assert [int(row["orders_total"]) for row in taken] == [row["orders"]["total"] for row in daily["data"]]
    assert [row["spend_carrier_USD"] for row in taken] == [
        next((each["amount"]["amount"] for each in row["spend"] if each["amount"]["currency"] == "USD"), "")
        for row in daily["data"]
    ]


def test_a_span_that_is_wrong_is_explained_in_the_words_of_the_api(
    page: Page, served_world: ServedWorld
) -> None:
    sign_in(page, served_world, at="reports?from=2026-11-30&to=2026-11-01")

    expect(page.get_by_role("alert")).to_contain_text("/from")
    page.get_by_role("button", name="90 days").click()
    expect(page.get_by_role("heading", name="All together")).to_be_visible()
    # A colleague can be sent this link.
    expect(page).to_have_url(re.compile("from=(?!2026-11-30)"))
    # The pictures' library comes last; a server that is gone then would be reported.
    page.wait_for_load_state("networkidle")


def _stats(served: ServedWorld, **query: str) -> Any:
    with served.hold() as world:
        return world._request(api_event("GET /v1/stats", query=SPAN | query)).json()


def _card(page: Page, name: str) -> Locator:
    term = page.get_by_role("term").filter(has_text=name).get_by_text(name, exact=True)
    return page.locator("dl.totals > div").filter(has=term).get_by_role("definition")


def _money(amount: dict[str, str]) -> str:
    return f"{amount['amount']} {amount['currency']}"
