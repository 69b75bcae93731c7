"""The documentation: the reference, whose calls work against this very stack, and the guides."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from infra.bundle import ROOT
from infra.guides import GROUPS, groups, read_guides
from tests.support.api import order_body
from tests.support.browser import NARROW, NewPage, check_narrow, check_page
from tests.support.served import ServedWorld

GUIDES = [name for names in groups(ROOT / "docs").values() for name in names]
CREATE, LIST = "#operations-Orders-createOrder", "#operations-Orders-listOrders"


def opened(page: Page, served: ServedWorld, *operations: str) -> Page:
    """The reference, with some of its calls opened."""
    page.goto(f"{served.url}/docs")
    for operation in operations:
        page.locator(f"{operation} .opblock-summary-control").click()
        expect(page.locator(f"{operation} .execute")).to_be_visible()
    return page


def sign_in(page: Page, key: str) -> None:
    page.get_by_role("button", name="Authorize").click()
    dialog = page.locator(".dialog-ux")
    dialog.get_by_role("textbox").fill(key)
    dialog.get_by_role("button", name="Apply credentials").click()
    dialog.get_by_text("Close", exact=True).click()


def answer_of(page: Page, operation: str) -> tuple[int, dict[str, object]]:
    """Execute a call: the status and the body that the page shows."""
    page.locator(f"{operation} .execute").click()
    shown = page.locator(f"{operation} .live-responses-table")
    status = shown.locator(".response-col_status").last.inner_text()
    return int(status), json.loads(shown.locator(".response-col_description pre").first.inner_text())


class TestReference:
    def test_holds_to_what_every_page_must(self, page: Page, served_world: ServedWorld) -> None:
        check_page(opened(page, served_world, CREATE, LIST))

    def test_its_tables_are_read_in_words(self, page: Page, served_world: ServedWorld) -> None:
        opened(page, served_world, CREATE, LIST)
        answer_of(page, LIST)

        for width in (NARROW["width"], 1280, 1600):
            page.set_viewport_size({"width": width, "height": 900})
            looked_at = page.evaluate(
                """cells => [...document.querySelectorAll(cells)].map(cell => {
                     const words = document.createRange();
                     words.selectNodeContents(cell.querySelector(".parameter__name") ?? cell);
                     const lines = new Set([...words.getClientRects()].map(each => Math.round(each.bottom)));
                     return [cell.innerText, cell.getBoundingClientRect().width, lines.size];
                   })""",
                ".swagger-ui :is(.parameters-col_name, .response-col_status)",
            )
            assert len(looked_at) > 20
            poor = [each for each in looked_at if each[1] < 60 or each[2] > 2]
            assert not poor, (width, poor)
            names = page.locator("td.parameters-col_name").evaluate_all(
                "cells => cells.map(cell => cell.getBoundingClientRect().width)"
            )
            assert min(names) >= 80, width
        check_narrow(page)

    def test_leads_to_the_console(self, page: Page, served_world: ServedWorld) -> None:
        for path in ("docs", "docs/events.html"):
            page.goto(f"{served_world.url}/{path}")
            page.get_by_role("banner").get_by_role("link", name="Console").click()
            expect(page).to_have_url(re.compile(re.escape(f"{served_world.url}/console")))

    def test_its_dialog_holds_to_it_too(self, page: Page, served_world: ServedWorld) -> None:
        opened(page, served_world)
        page.get_by_role("button", name="Authorize").click()

        check_page(page)

    def test_executes_calls_on_the_stack_that_shows_it(self, page: Page, served_world: ServedWorld) -> None:
        with served_world.hold() as world:
            world.put_account("lso", {"app_id": "a-7", "app_secret": "made-up"})
        opened(page, served_world, CREATE, LIST)
        sign_in(page, served_world.key("orders:write"))
        page.locator(f"{CREATE} textarea").fill(json.dumps(order_body("from-the-docs")))

        status, order = answer_of(page, CREATE)

        assert (status, order.get("reference")) == (202, "from-the-docs"), order
        with served_world.hold() as world:
            assert world.only_order().id == order["id"]
        # What is wrong is shown in the API's own words.
        status, problem = answer_of(page, LIST)
        assert (status, problem["code"]) == (403, "missing_scope")
        assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]

    def test_works_from_the_keyboard(self, page: Page, served_world: ServedWorld) -> None:
        page.goto(f"{served_world.url}/docs")
        page.locator(f"{LIST} .opblock-summary-control").focus()
        page.keyboard.press("Enter")
        execute = page.locator(f"{LIST} .execute")
        expect(execute).to_be_visible()
        for _ in range(40):
            page.keyboard.press("Tab")
            if execute.evaluate("each => each === document.activeElement"):
                break
        page.keyboard.press("Enter")

        expect(page.locator(f"{LIST} .live-responses-table .response-col_status").last).to_contain_text("401")

    def test_says_so_when_the_description_cannot_be_had(
        self, new_page: NewPage, served_world: ServedWorld
    ) -> None:
        page = new_page()
        page.route("**/v1/openapi.json", lambda route: route.abort())
        page.goto(f"{served_world.url}/docs")

        expect(page.get_by_text("could not be loaded")).to_be_visible()

    def test_leads_to_the_description_without_javascript(
        self, new_page: NewPage, served_world: ServedWorld
    ) -> None:
        page = new_page(java_script_enabled=False)
        page.goto(f"{served_world.url}/docs")

        assert page.get_by_role("link", name="v1/openapi.json").is_visible()
        page.get_by_role("link", name="Webhooks to your server").click()
        assert page.get_by_role("heading", level=1).inner_text() == "Webhooks to your server"


class TestGuides:
    def test_hold_to_what_every_page_must(self, page: Page, served_world: ServedWorld) -> None:
        # They share one template: the one with the widest tables and one with much code stand for all.
        for name in ("carriers", "webhooks"):
            page.goto(f"{served_world.url}/docs/{name}.html")
            check_page(page)

    def test_every_link_leads_somewhere(self, page: Page, served_world: ServedWorld) -> None:
        names: dict[str, set[str]] = {}
        links: set[tuple[str, str]] = set()
        for name in GUIDES:
            page.goto(f"{served_world.url}/docs/{name}.html")
            names[page.url] = set(
                page.evaluate("[...document.querySelectorAll('[id]')].map(each => each.id)")
            )
            links |= {
                (page.url, each) for each in page.evaluate("[...document.links].map(each => each.href)")
            }
        broken = []
        for source, link in sorted(links):
            address, _, anchor = link.partition("#")
            if not address.startswith(served_world.url):
                continue
            if address not in names:
                names[address] = set()
                if page.request.get(address).status != 200:
                    broken.append((source, link))
            elif anchor and anchor not in names[address]:
                broken.append((source, link))

        assert not broken

    def test_are_read_on_a_phone_without_scrolling_sideways(
        self, new_page: NewPage, served_world: ServedWorld
    ) -> None:
        page = new_page(viewport=NARROW)
        for name in GUIDES:
            page.goto(f"{served_world.url}/docs/{name}.html")
            assert page.evaluate("document.scrollingElement.scrollWidth") <= NARROW["width"], name

    def test_say_where_the_reader_is(self, page: Page, served_world: ServedWorld) -> None:
        page.goto(f"{served_world.url}/docs/events.html")
        here = page.locator("nav [aria-current=page]")

        expect(here).to_have_text("Events")
        page.get_by_role("link", name="Skip to the text").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#main")).to_be_focused()


def test_every_file_of_docs_is_a_guide(tmp_path: Path) -> None:
    assert sorted(GUIDES) == sorted(path.stem for path in (ROOT / "docs").glob("*.md"))
    assert set(GUIDES) >= {name for names in GROUPS.values() for name in names}
    (tmp_path / "something-new.md").write_text("# Something new")
    assert groups(tmp_path)["More"] == ("something-new",)


def test_no_guide_shows_its_source_s_marks() -> None:
    for guide in read_guides(ROOT / "docs"):
        text = re.sub(r"<(code|pre)\b.*?</\1>", "", guide.html, flags=re.DOTALL)
        words = re.sub(r"<[^>]*>", "", text)
        assert not re.findall(r".*(?:\]\(|\*\*|^#|^\||&lt;!--).*", words, re.MULTILINE), guide.name


@pytest.mark.parametrize("path", ["index", "nothing.html", "page.html", "%2e%2e%2fconsole%2findex.html"])
def test_what_is_no_page_is_not_found(page: Page, served_world: ServedWorld, path: str) -> None:
    assert page.request.get(f"{served_world.url}/docs/{path}").status == 404
