"""Makes the pictures of the README: the pages of a running stack full of orders, in a real browser."""

from playwright.sync_api import Page, expect, sync_playwright

from local import ROOT, arguments
from local.demo.merchant import open_shop
from local.stack import stack
from tests.pictures.shop import Shop, close, open_for_business
from tests.support.browser import launch

FOLDER = ROOT / "docs" / "pictures"
SIZE = {"width": 1280, "height": 800}
PHONE = {"width": 400, "height": 800}
MOST_BYTES = 150_000
_FILE = """\
reference,carrier,service,name,address,city,state,zip,country,phone,weight,dimensions
web-{0},lso,GroundBasic,Ada Byrd,401 Congress Ave,Austin,TX,78701,US,512-555-0142,2.5 lb,12x9x4 in
web-{1},lso,GroundBasic,Lin Wei,12 Elm Ave,Dallas,TX,75201,US,512-555-0143,heavy,12x9x4 in
web-{2},lso,GroundBasic,Marta Ruiz,7 Market St,Houston,TX,,US,512-555-0144,800 g,30x20x10 cm
"""


def main() -> int:
    """Write all pictures, from the stack that runs or from one that is started for them."""
    FOLDER.mkdir(exist_ok=True)
    expect.set_options(timeout=60_000)
    with stack.at_hand() as running, open_shop() as merchant, sync_playwright() as playwright:
        shop = open_for_business(running, merchant, stack.PollRounds(stack.STATE))
        browser = launch(playwright)
        page = browser.new_context(
            viewport=SIZE, locale="en-GB", timezone_id="UTC", reduced_motion="reduce", color_scheme="light"
        ).new_page()
        page.set_default_timeout(60_000)
        page.goto(f"{running.api_url}/console")
        page.get_by_label("API key").fill(running.api_key)
        page.get_by_role("button", name="Sign in").click()
        page.locator("nav#pages").wait_for()
        _take_all(page, shop)
        browser.close()
        close(running, shop)
    return 0


def _take_all(page: Page, shop: Shop) -> None:
    _open(page, "today")
    _shot(page, "today")
    _open(page, "orders")
    _shot(page, "orders")
    _open(page, f"orders/{shop.order}")
    page.get_by_role("button", name="Show the label").click()
    page.get_by_role("img", name="Label").evaluate("image => image.decode()")
    _shot(page, "order", below="Label")
    _open(page, f"create/batches?ids={shop.batch}")
    _shot(page, "batch")
    _open(page, f"webhooks/{shop.endpoint}")
    _shot(page, "webhooks")
    _open(page, "reports")
    _shot(page, "reports")
    _open(page, "create/file")
    page.locator("input[type=file]").set_input_files(
        {
            "name": "orders.csv",
            "mimeType": "text/csv",
            "buffer": _FILE.format(*range(shop.next_number, shop.next_number + 3)).encode(),
        }
    )
    page.get_by_role("button", name="Check the orders").click()
    page.get_by_role("button", name="Check again").wait_for()
    _shot(page, "file")
    page.goto(shop.recipients_page)
    page.set_viewport_size(PHONE)
    _shot(page, "recipient")


def _open(page: Page, address: str) -> None:
    page.evaluate("address => { location.hash = `#/${address}` }", address)


def _shot(page: Page, name: str, *, below: str | None = None) -> None:
    """Take a picture of the page, or of what is below one of its headings."""
    page.locator("main h1").wait_for()
    page.wait_for_load_state("networkidle")
    expect(page.locator("main [aria-busy]")).to_have_count(0)
    page.evaluate("document.activeElement.blur(); window.scrollTo(0, 0)")
    if below:
        page.get_by_role("heading", name=below, exact=True).evaluate("heading => heading.scrollIntoView()")
    path = FOLDER / f"{name}.png"
    path.write_bytes(page.screenshot())
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise SystemExit(f"{path.name} has {size} bytes; at most {MOST_BYTES} are allowed.")
    print(f"{path.relative_to(ROOT)}: {size // 1000} KB")


if __name__ == "__main__":
    arguments.none(__doc__)
    raise SystemExit(main())
