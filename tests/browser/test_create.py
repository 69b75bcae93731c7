"""Orders made in the console, by form and from a file: what is wrong is said before money is spent."""

import csv
import io
import json
import re
from collections import Counter
from datetime import timedelta

import pytest
from playwright.sync_api import Locator, Page, Route, expect
from pypdf import PdfReader

from local import ROOT
from local.command.order_files import COLUMNS
from parcelgate.domain.trackings import TrackingStatus
from tests.support.browser import check_axe, check_narrow, check_page
from tests.support.console import open_page, sign_in
from tests.support.served import ServedWorld

EXAMPLE = ROOT / "docs" / "examples" / "orders.csv"
XSS = "<img src=x onerror=alert(1)>"
LONG = 300_000
"""How long the page may wait for the carriers, in ms."""


@pytest.fixture
def served(served_sandbox_world: ServedWorld) -> ServedWorld:
    """A world whose carriers are the sandbox, and whose time passes quickly."""
    served_sandbox_world.step = timedelta(minutes=1)
    return served_sandbox_world


def bought(served: ServedWorld) -> Counter[str]:
    """The references of the stored orders."""
    with served.hold() as world:
        return Counter(order.reference for order in world.table.tenant("acme").orders.page(limit=100).data)


def table(*lines: str) -> dict[str, str | bytes]:
    """A file to be chosen, of these lines."""
    return {
        "name": "orders.csv",
        "mimeType": "text/csv",
        "buffer": "".join(f"{line}\n" for line in lines).encode(),
    }


def fill_form(page: Page, reference: str, *, chosen: bool = True) -> None:
    """Enter a good LSO order; unless `chosen`, without carrier and service."""
    if chosen:
        page.get_by_label("Carrier", exact=True).select_option("lso")
        page.get_by_label("Service", exact=True).select_option("GroundBasic")
    page.get_by_label("Reference").fill(reference)
    to = page.get_by_role("group", name="To", exact=True)
    for label, text in {
        "Name": "Ada Byrd",
        "Company": "Byrd Tools",
        "Street and number": "401 Congress Ave",
        "City": "Austin",
        "State": "TX",
        "Postcode": "78701",
        "Country (two letters)": "US",
        "Phone": "512-555-0142",
    }.items():
        to.get_by_label(label, exact=True).fill(text)
    for label, text in {"Weight": "2.5", "Length": "30", "Width": "20", "Height": "10"}.items():
        page.get_by_label(label, exact=True).fill(text)


def notice(page: Page) -> Locator:
    """What the page says of the order that was bought."""
    return page.locator("p.notice")


class TestTheForm:
    def test_says_what_is_wrong_at_each_field_and_the_price_before_it_buys(
        self, page: Page, served: ServedWorld
    ) -> None:
        sign_in(page, served, at="create")
        page.get_by_role("button", name="See the price").click()
        carrier = page.get_by_label("Carrier", exact=True)
        expect(carrier).to_have_attribute("aria-invalid", "true")
        expect(page.get_by_label("Reference")).to_have_accessible_description(re.compile("Is required"))
        check_page(page)

        fill_form(page, f"form-{XSS}")
        page.get_by_label("Weight", exact=True).fill("heavy")
        page.get_by_role("button", name="See the price").click()
        expect(page.get_by_label("Weight", exact=True)).to_have_attribute("aria-invalid", "true")
        expect(page.get_by_label("Reference")).not_to_have_attribute("aria-invalid", "true")

        page.get_by_label("Weight", exact=True).fill("2.5")
        page.get_by_role("button", name="See the price").click()
        offer = page.get_by_role("dialog", name="Buy this order?")
        expect(offer).to_contain_text("7.10 USD")
        expect(offer).to_contain_text(XSS)
        assert not bought(served), "nothing may be bought before yes was said"
        offer.get_by_role("button", name="No, go back").click()
        expect(offer).to_be_hidden()
        page.get_by_role("button", name="See the price").click()
        offer.get_by_role("button", name="Buy it").dblclick()

        expect(notice(page)).to_contain_text(f"Order form-{XSS} is")
        expect(page.get_by_label("Reference")).to_have_value("")
        assert bought(served) == {f"form-{XSS}": 1}

    def test_offers_what_can_be_chosen_by_its_price(self, page: Page, served: ServedWorld) -> None:
        sign_in(page, served, at="create")
        names = [
            "/reference",
            *(f"/ship_to/{name}" for name in ("name", "line1", "city", "country")),
            "/parcels/0/weight/value",
        ]
        required = page.locator("[aria-required=true]")
        expect(required).to_have_count(len(names))
        assert required.evaluate_all("all => all.map(one => one.name)") == names
        fill_form(page, "form-chosen", chosen=False)
        page.get_by_role("button", name="See the price").click()
        offer = page.get_by_role("dialog", name="Buy this order?")
        expect(offer).to_contain_text("Choose a service:")
        expect(offer.get_by_role("button", name="Buy it")).to_be_disabled()

        offer.get_by_role("button", name="Choose GroundBasic").click()
        expect(offer).to_contain_text("Price with lso GroundBasic: 7.10 USD")
        offer.get_by_role("button", name="Buy it").click()

        expect(notice(page)).to_contain_text("Order form-chosen is")
        expect(page.get_by_role("listitem").filter(has_text="Order form-chosen")).to_be_visible()
        assert bought(served) == {"form-chosen": 1}

    def test_buys_once_when_the_answer_is_lost(self, page: Page, served: ServedWorld) -> None:
        sign_in(page, served, at="create")
        fill_form(page, "form-lost")
        page.get_by_role("button", name="See the price").click()
        lose_answer(page, "**/v1/orders")
        offer = page.get_by_role("dialog", name="Buy this order?")
        offer.get_by_role("button", name="Buy it").click()
        expect(offer).to_contain_text("The API cannot be reached")
        assert bought(served) == {"form-lost": 1}

        offer.get_by_role("button", name="Buy it").click()

        expect(notice(page)).to_contain_text("Order form-lost is")
        assert bought(served) == {"form-lost": 1}


def lose_answer(page: Page, address: str) -> None:
    """Let the next call of an address arrive, and its answer be lost."""

    def lose(route: Route) -> None:
        route.fetch()
        route.abort()

    page.route(address, lose, times=1)


def cell(page: Page, column: str, line: int) -> Locator:
    return page.get_by_label(f"{column}, line {line}", exact=True)


class TestAFile:
    def test_makes_the_day_of_a_newcomer(self, page: Page, served: ServedWorld) -> None:
        """The guide's example is bought and printed, one order is cancelled, the report shows the rest."""
        sign_in(page, served, at="create")
        page.get_by_role("link", name="Create orders from a file").click()
        page.get_by_label("CSV file").set_input_files(EXAMPLE)
        expect(page.get_by_label("ship_to.postcode", exact=True)).to_have_value("ship_to.postcode")
        check_axe(page)
        check_narrow(page)
        page.get_by_role("button", name="Check the orders").click()
        expect(page.get_by_role("heading", name="3 orders: 3 can be bought, 0 cannot")).to_be_visible()
        assert not bought(served)

        page.get_by_role("button", name="Buy 3 orders").click()
        question = page.get_by_role("dialog", name="Buy these orders?")
        expect(question).to_contain_text("Price: 7.10 USD. No price can be told beforehand for 2 orders.")
        question.get_by_role("button", name="Buy them").click()
        expect(page).to_have_url(re.compile("#/create/batches[?]ids=bat_"))
        page.reload()
        expect(page.get_by_text("3 confirmed, 0 failed, 0 need attention.")).to_be_visible(timeout=LONG)
        check_page(page)
        assert bought(served) == {"web-1001": 1, "web-1002": 1, "web-1003": 1}

        with page.expect_download() as download:
            page.get_by_role("button", name="Save the results as CSV").click()
        content = download.value.path().read_text("utf-8-sig")
        rows = [*csv.DictReader(io.StringIO(content))]
        assert tuple(rows[0]) == COLUMNS
        assert [(row["line"], row["reference"], row["status"]) for row in rows] == [
            ("2", "web-1001", "confirmed"),
            ("4", "web-1002", "confirmed"),
            ("6", "web-1003", "confirmed"),
        ]
        assert all(row["tracking_numbers"] and row["label"].startswith(served.url) for row in rows)
        with served.hold() as world:
            for carrier, reference in (("ubi", "web-1001"), ("ubi", "web-1002"), ("lso", "web-1003")):
                assert len(world.sandbox.bought(carrier, reference)) == 1

        page.get_by_role("link", name="Print the labels").click()
        expect(page.get_by_role("checkbox", checked=True)).to_have_count(3)
        page.get_by_role("button", name="Print 3 orders").click()
        expect(page.get_by_text("The PDF with 4 pages is ready.")).to_be_visible(timeout=LONG)
        assert len(PdfReader(io.BytesIO(pdf(page))).pages) == 4, "one order has two parcels"

        open_page(page, f"orders/{rows[0]['id']}", heading="web-1001")
        page.get_by_role("button", name="Cancel the order").click()
        page.get_by_role("button", name="Yes, cancel it").click()
        expect(page.get_by_role("button", name="Cancel the order")).to_have_count(0)
        deliver(served, 3)
        open_page(page, "reports?from=2026-11-01&to=2026-12-31", heading="Reports")
        expect(card(page, "Orders")).to_have_text("3")
        expect(card(page, "Confirmed")).to_have_text("2")
        expect(card(page, "Cancelled")).to_have_text("1")
        expect(card(page, "Delivered")).to_have_text("3")
        expect(card(page, "Spend")).to_contain_text("7.10 USD")
        with served.hold() as world:
            assert world.sandbox.living("ubi") + world.sandbox.living("lso") == {"web-1002": 1, "web-1003": 1}

    def test_is_corrected_in_its_cells_before_anything_is_bought(
        self, page: Page, served: ServedWorld
    ) -> None:
        heading, first, *rest = EXAMPLE.read_text().splitlines()
        first = first.replace("Corrie McKee", XSS).replace("264 g", '"0,264 kg"')
        rest[-1] = rest[-1].replace("78701", "").replace("5.5 lb", "5.5 lb")
        sign_in(page, served, at="create/file")
        page.get_by_label("CSV file").set_input_files([table(heading, first, *rest)])  # type: ignore[list-item]
        page.get_by_role("button", name="Check the orders").click()

        expect(page.get_by_role("heading", name="3 orders: 1 can be bought, 2 cannot")).to_be_visible()
        weight, postcode = cell(page, "parcel.weight", 2), cell(page, "ship_to.postcode", 6)
        expect(weight).to_have_accessible_description("This cannot be read. Write it as 0.264 kg.")
        expect(postcode).to_have_attribute("aria-invalid", "true")
        expect(page.get_by_role("cell", name=XSS)).to_be_visible()
        headings = page.get_by_role("columnheader").all_inner_texts()
        assert headings[:4] == ["Line", "reference", "ship_to.postcode", "parcel.weight"]
        check_page(page)
        weight.fill("0.264 kg")
        postcode.fill("78701")
        postcode.blur()
        expect(page.get_by_role("button", name="Buy 1 order")).to_be_disabled()
        page.get_by_role("button", name="Check again").click()

        expect(page.get_by_role("heading", name="3 orders: 3 can be bought, 0 cannot")).to_be_visible()
        page.get_by_role("button", name="Buy 3 orders").click()
        lose_answer(page, "**/v1/orders/batch")
        page.get_by_role("button", name="Buy them").click()
        expect(page.get_by_text("The API cannot be reached")).to_be_visible()
        page.get_by_role("button", name="Try again").click()
        expect(page.get_by_text("3 confirmed, 0 failed, 0 need attention.")).to_be_visible(timeout=LONG)
        assert bought(served) == {"web-1001": 1, "web-1002": 1, "web-1003": 1}

    def test_of_a_shop_is_matched_by_hand_where_needed_and_remembered(
        self, page: Page, served: ServedWorld
    ) -> None:
        lines = (
            "Name,Currency,Lineitem quantity,Lineitem name,Lineitem price,Shipping Name,Shipping Address1,"
            "Shipping City,Shipping Zip,Shipping Province,Shipping Country,Tel",
            "#1001,USD,1,Teapot,25.00,Ada Byrd,401 Congress Ave,Austin,'78701,TX,US,512-555-0142",
        )
        sign_in(page, served, at="create/file")
        page.get_by_label("CSV file").set_input_files([table(*lines)])  # type: ignore[list-item]
        expect(page.get_by_text("It looks like an export of Shopify.")).to_be_visible()
        expect(page.get_by_label("Name", exact=True)).to_have_value("reference")
        expect(page.get_by_label("Tel", exact=True)).to_have_value("")
        page.get_by_label("Tel", exact=True).select_option("ship_to.phone")
        page.get_by_label("Carrier", exact=True).select_option("lso")
        page.get_by_label("Service", exact=True).select_option("GroundBasic")
        page.get_by_label("Weight of a parcel").fill("2 lb")
        page.get_by_label("Dimensions of a parcel").fill("12x9x4 in")
        page.get_by_label("Dimensions of a parcel").blur()
        page.get_by_role("button", name="Check the orders").click()
        expect(page.get_by_role("heading", name="1 order: 1 can be bought, 0 cannot")).to_be_visible()
        kept = page.evaluate("({ ...localStorage })")
        assert {name: json.loads(text) for name, text in kept.items()} == {
            "parcelgate.columns": {"tel": "ship_to.phone"}
        }

        page.get_by_role("button", name="Choose another file").click()
        page.get_by_label("CSV file").set_input_files([table(*lines)])  # type: ignore[list-item]
        expect(page.get_by_label("Tel", exact=True)).to_have_value("ship_to.phone")

    def test_that_is_empty_is_refused_and_can_be_filled_in(self, page: Page, served: ServedWorld) -> None:
        sign_in(page, served, at="create/file")
        with page.expect_download() as download:
            page.get_by_role("button", name="Save an empty file with the usual columns").click()
        heading = download.value.path().read_text("utf-8-sig").strip()
        page.get_by_label("CSV file").set_input_files([table(heading)])  # type: ignore[list-item]
        expect(page.get_by_role("alert")).to_contain_text("orders.csv has no line below its heading.")

        row = "web-1,lso,GroundBasic,Ada Byrd,1 Elm Ave,Austin,TX,78701,US,512-555-0142,2.5 lb,12x9x4 in"
        page.get_by_label("CSV file").set_input_files([table(heading, row)])  # type: ignore[list-item]
        page.get_by_role("button", name="Check the orders").click()
        expect(page.get_by_role("heading", name="1 order: 1 can be bought, 0 cannot")).to_be_visible()

    def test_of_many_orders_is_dropped_on_the_page_and_bought_in_several_batches(
        self, page: Page, served: ServedWorld
    ) -> None:
        heading, *lines = EXAMPLE.read_text().splitlines()
        content = "\n".join([heading, *(lines[-1].replace("web-1003", f"many-{n}") for n in range(301))])
        sign_in(page, served, at="create/file")
        dropped = page.evaluate_handle(
            """content => {
                const dropped = new DataTransfer();
                dropped.items.add(new File([content], "many.csv", { type: "text/csv" }));
                return dropped;
            }""",
            content,
        )
        page.dispatch_event("section.drop", "drop", {"dataTransfer": dropped})
        expect(page.get_by_text("many.csv: 301 lines, 23 columns.")).to_be_visible()
        page.get_by_role("button", name="Check the orders").click()
        expect(page.get_by_role("heading", name="301 orders: 301 can be bought")).to_be_visible(timeout=LONG)
        sent: list[Route] = []
        page.route("**/v1/orders/batch", lambda route: sent.append(route))

        def answer(number: int) -> None:
            sent[number - 1].fulfill(
                status=202,
                json={"id": f"bat_{number}", "total": 1},
                headers={"location": f"/v1/batches/bat_{number}"},
            )

        page.get_by_role("button", name="Buy 301 orders").click()
        expect(page.get_by_role("dialog")).to_contain_text("Their prices were not asked for.")
        with page.expect_request("**/v1/orders/batch"):
            page.get_by_role("button", name="Buy them").click()
        expect(page.get_by_text("Batches sent: 0 of 2")).to_be_visible()
        open_page(page, "today", heading="Today")
        open_page(page, "create/file", heading="Create orders from a file")
        expect(page.get_by_text("Batches sent: 0 of 2")).to_be_visible()
        with page.expect_request("**/v1/orders/batch"):
            answer(1)
        expect(page.get_by_text("Batches sent: 1 of 2")).to_be_visible()
        answer(2)

        expect(page).to_have_url(re.compile("ids=bat_1%2Cbat_2"))
        expect(page.get_by_role("alert")).to_contain_text("There is no such batch.")
        assert [len(route.request.post_data_json["orders"]) for route in sent] == [300, 1]

    def test_is_taken_however_early_it_is_dropped(self, page: Page, served: ServedWorld) -> None:
        page.add_init_script("""
            new MutationObserver((_, observer) => {
                const place = document.querySelector("section.drop");
                if (!place) return;
                observer.disconnect();
                const dropped = new DataTransfer();
                dropped.items.add(new File(["reference\\na"], "early.csv", { type: "text/csv" }));
                place.dispatchEvent(new DragEvent("drop", { dataTransfer: dropped, cancelable: true }));
            }).observe(document, { childList: true, subtree: true });
        """)
        sign_in(page, served, at="create/file")

        expect(page.get_by_text("early.csv: 1 line, 1 column")).to_be_visible()

    def test_goes_with_the_session(self, page: Page, served: ServedWorld) -> None:
        sign_in(page, served, at="create/file")
        page.get_by_label("CSV file").set_input_files(EXAMPLE)
        expect(page.get_by_text("5 lines, 23 columns")).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        sign_in(page, served, at="create/file")
        expect(page.get_by_label("CSV file")).to_be_visible()

    def test_whose_carrier_refused_an_order_is_corrected_and_bought_again(
        self, page: Page, served: ServedWorld
    ) -> None:
        content = EXAMPLE.read_text().replace("web-1002", "web-SBX-REJECT")
        sign_in(page, served, at="create/file")
        page.get_by_label("CSV file").set_input_files([table(*content.splitlines()[:5])])  # type: ignore[list-item]
        page.get_by_role("button", name="Check the orders").click()
        page.get_by_role("button", name="Buy 2 orders").click()
        page.get_by_role("button", name="Buy them").click()
        expect(page.get_by_text("1 confirmed, 1 failed")).to_be_visible(timeout=LONG)
        page.get_by_label("Show").select_option("failed")
        expect(page.get_by_role("row", name=re.compile("SBX-REJECT"))).to_contain_text("failed")
        page.get_by_role("button", name="Correct the failed ones").click()

        expect(page.get_by_role("heading", name="1 order: 1 can be bought, 0 cannot")).to_be_visible()
        for line in (4, 5):
            page.get_by_role("button", name=f"Edit line {line}").click()
            cell(page, "reference", line).fill("web-1002")
        page.get_by_role("button", name="Check again").click()
        page.get_by_role("button", name="Buy 1 order").click()
        page.get_by_role("button", name="Buy them").click()

        expect(page.get_by_text("1 confirmed, 0 failed")).to_be_visible(timeout=LONG)
        assert bought(served) == {"web-1001": 1, "web-SBX-REJECT": 1, "web-1002": 1}


def test_what_the_key_may_not_do_is_not_offered(page: Page, served_world: ServedWorld) -> None:
    sign_in(page, served_world, "orders:read", at="create")
    expect(page.get_by_role("heading", name="Not with this key")).to_be_visible()
    expect(page.get_by_role("link", name="Create", exact=True)).to_have_count(0)
    expect(page.get_by_role("link", name="Print", exact=True)).to_be_visible()


def deliver(served: ServedWorld, parcels: int) -> None:
    """Let time pass for the carriers and for the world until so many parcels have arrived."""
    with served.hold() as world:
        for _ in range(40):
            world.sandbox.advance(hours=12)
            world.clock.sleep(12 * 3600)
            while world.poll():
                pass
            world.stream()
            found = world.table.tenant("acme").trackings.page(status=TrackingStatus.DELIVERED)
            if len(found.data) == parcels:
                return
    raise AssertionError(f"{parcels} parcels did not arrive")


def card(page: Page, name: str) -> Locator:
    """A figure of the report."""
    return page.locator("dl.cards > div").filter(has=page.get_by_text(name, exact=True)).locator("dd")


def pdf(page: Page) -> bytes:
    """The document that the page links to."""
    address = page.get_by_role("button", name="Open the PDF").get_attribute("href")
    assert address is not None
    return page.request.get(address).body()


def test_labels_are_chosen_by_filters_or_by_the_address(page: Page, served_world: ServedWorld) -> None:
    with served_world.hold() as world:
        made, other = (world.settle(world.start_order(reference)) for reference in ("R-1", "R-2"))
    sign_in(page, served_world, at="print")
    expect(page.get_by_role("checkbox")).to_have_count(2)
    page.get_by_label("Paper").select_option("a4_4")
    page.get_by_label("First free place of the sheet").select_option("3")
    page.get_by_role("checkbox", name=made.reference).check()
    expect(page.get_by_role("row").filter(has_text=made.reference)).to_contain_text(made.ship_to.name)
    expect(page.get_by_role("button", name="Print 1 order")).to_be_enabled()

    open_page(page, f"print?ids={other.id},{made.id},ord_none", heading="Print labels")
    expect(page.get_by_role("checkbox", checked=True)).to_have_count(3)
    page.get_by_role("button", name="Print 3 orders").click()

    expect(page).to_have_url(re.compile("documents=lbl_"))
    page.reload()
    # The labels of carriers in memory are no documents, so none is left.
    expect(page.get_by_role("alert")).to_contain_text("No PDF was made", timeout=LONG)
    expect(page.get_by_role("row", name=re.compile("ord_none"))).to_contain_text("There is no such order.")
    unreadable = page.get_by_role("row").filter(has=page.get_by_role("link", name="R-2", exact=True))
    expect(unreadable).to_contain_text("The label's file cannot be drawn.")
    check_page(page)
