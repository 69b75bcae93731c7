"""The console for tests: signing in, and going to its pages.

def test_an_order_is_found(page: Page, served_world: ServedWorld) -> None:
    sign_in(page, served_world)
    open_page(page, "orders?status=confirmed", heading="Orders")
"""

from playwright.sync_api import Page, expect

from tests.support.served import ServedWorld


def sign_in(page: Page, served: ServedWorld, *scopes: str, at: str = "today") -> str:
    """Open the console at a page of it, and sign in with a new key of these scopes, or of all; the key."""
    key = served.key(*scopes)
    page.goto(f"{served.url}/console#/{at}")
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("nav#pages")).to_be_attached()
    return key


def open_page(page: Page, address: str, *, heading: str) -> None:
    """Go to a page of the console, and wait for its heading."""
    page.evaluate("address => { location.hash = `#/${address}` }", address)
    expect(page.get_by_role("heading", level=1, name=heading)).to_be_visible()
