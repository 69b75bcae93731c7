"""The console's frame: signing in and out, navigation, keys that are wrong, and an API that goes away."""

from playwright.sync_api import Page, expect

from tests.support.browser import check_page
from tests.support.console import sign_in
from tests.support.served import ServedWorld


def test_a_key_opens_the_console_and_stays_in_its_tab(page: Page, served_world: ServedWorld) -> None:
    page.goto(f"{served_world.url}/console")
    expect(page.get_by_role("heading", name="Parcelgate")).to_be_visible()
    check_page(page)

    key = sign_in(page, served_world)

    expect(page.get_by_role("heading", level=1, name="Today")).to_be_visible()
    expect(page.get_by_role("heading", name="What needs a person")).to_be_visible()
    expect(page.get_by_text("Nothing needs a person.")).to_be_visible()
    assert page.evaluate("localStorage.length") == 0
    assert page.context.cookies() == []
    assert key not in page.url
    check_page(page)

    page.reload()
    expect(page.get_by_role("heading", level=1, name="Today")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("API key")).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 0
