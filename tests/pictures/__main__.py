"""Makes the pictures of the README: pages of a served world full of made-up orders, in a real browser."""

from playwright.sync_api import Page, expect, sync_playwright

from local import ROOT
from parcelgate.domain.orders import OrderStatus
from parcelgate.domain.trackings import Tracking
from tests.pictures.made_up import fill
from tests.support.api import TENANT, api_event
from tests.support.browser import launch
from tests.support.console import sign_in
from tests.support.orders import trackings_of
from tests.support.served import ServedWorld
from tests.support.world import World, worlds

FOLDER = ROOT / "docs" / "pictures"
SIZE = {"width": 1280, "height": 800}
PHONE = {"width": 400, "height": 800}
MOST_BYTES = 150_000
_FILE = """\
reference,carrier,service,name,address,city,state,zip,country,phone,weight,dimensions
web-2001,lso,GroundBasic,Ada Byrd,401 Congress Ave,Austin,TX,78701,US,512-555-0142,2.5 lb,12x9x4 in
web-2002,lso,GroundBasic,Lin Wei,12 Elm Ave,Dallas,TX,75201,US,512-555-0143,heavy,12x9x4 in
web-2003,lso,GroundBasic,Marta Ruiz,7 Market St,Houston,TX,,US,512-555-0144,800 g,30x20x10 cm
"""


def main() -> int:
    """Write all pictures."""
    FOLDER.mkdir(exist_ok=True)
    expect.set_options(timeout=60_000)
    with worlds() as make, ServedWorld().running(make) as served, sync_playwright() as playwright:
        browser = launch(playwright)
        page = browser.new_context(
            viewport=SIZE, locale="en-GB", timezone_id="UTC", reduced_motion="reduce", color_scheme="light"
        ).new_page()
        page.set_default_timeout(60_000)
        with served.hold() as world:
            fill(world)
            served.pass_time(seconds=1)
            parcel, today = _delivered(world), world.clock.now
        page.clock.set_fixed_time(today)
        sign_in(page, served)
        _take(page, "today", "today")
        _take(page, "orders", "orders")
        _take(page, f"orders/{parcel.order_id}", "order")
        _take(page, "reports", "reports", below="Pictures")
        page.evaluate("location.hash = '#/create/file'")
        page.locator("input[type=file]").set_input_files(
            {"name": "orders.csv", "mimeType": "text/csv", "buffer": _FILE.encode()}
        )
        page.get_by_role("button", name="Check the orders").click()
        page.get_by_role("button", name="Check again").wait_for()
        _shot(page, "file")
        _recipients_page(page, served, parcel)
        browser.close()
    return 0


def _delivered(world: World) -> Tracking:
    """A parcel of an order that was delivered, of the newest order that has one."""
    own = world.table.tenant(TENANT)
    for order in own.orders.page(limit=100).data:
        if order.status is not OrderStatus.CONFIRMED:
            continue
        for tracking in trackings_of(world.table, order):
            if tracking.delivered_at:
                return tracking
    raise SystemExit("No made-up parcel was delivered.")


def _recipients_page(page: Page, served: ServedWorld, parcel: Tracking) -> None:
    with served.hold() as world:
        shown = world._request(api_event("GET /v1/trackings/{id}", id=parcel.id)).json()
    page.goto(shown["tracking_page"])
    page.set_viewport_size(PHONE)
    _shot(page, "recipient")


def _take(page: Page, address: str, name: str, *, below: str | None = None) -> None:
    page.evaluate("address => { location.hash = `#/${address}` }", address)
    _shot(page, name, below=below)


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
    raise SystemExit(main())
