"""The console's frame: signing in and out, navigation, keys that are wrong, and an API that goes away."""

from playwright.sync_api import Page, expect

from tests.support.browser import check_page
from tests.support.console import sign_in
from tests.support.orders import trackings_of
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


def test_orders_are_found_opened_and_cancelled(page: Page, served_world: ServedWorld) -> None:
    with served_world.hold() as world:
        order = world.settle(world.start_order("shop-17"))
        world.start_order("shop-18")
    sign_in(page, served_world, at="orders")
    expect(page.get_by_role("rowheader", name="shop-17")).to_be_visible()
    expect(page.get_by_role("rowheader", name="shop-18")).to_be_visible()
    check_page(page)

    page.get_by_label("Search").fill(order.tracking_numbers[0])
    page.keyboard.press("Enter")
    expect(page.get_by_role("rowheader", name="shop-18")).to_be_hidden()
    assert f"q={order.tracking_numbers[0]}" in page.url, "a colleague can be sent this link"

    page.get_by_role("link", name="shop-17").click()
    expect(page.get_by_role("heading", level=1, name="Order shop-17")).to_be_visible()
    expect(page.get_by_role("table", name="Audit trail, oldest first")).to_be_visible()
    check_page(page)

    page.get_by_role("button", name="Cancel the order").click()
    dialog = page.get_by_role("dialog", name="Cancel the order")
    expect(dialog).to_contain_text("This cannot be undone.")
    dialog.get_by_role("button", name="No, go back").click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("button", name="Cancel the order")).to_be_focused()
    page.keyboard.press("Enter")
    dialog.get_by_role("button", name="Yes, cancel it").click()

    expect(
        page.get_by_role("heading", level=1).locator("..").get_by_text("cancelled", exact=True)
    ).to_be_visible()
    expect(page.get_by_role("button", name="Cancel the order")).to_be_hidden()
    with served_world.hold() as world:
        assert world.order(order).status == "cancelled"


def test_a_parcel_is_followed_asked_about_and_paused(page: Page, served_world: ServedWorld) -> None:
    with served_world.hold() as world:
        order = world.settle(world.start_order("shop-17"))
        (tracking,) = trackings_of(world.table, order)
    sign_in(page, served_world, at=f"trackings?tracking_number={tracking.tracking_number}")
    page.get_by_role("link", name=tracking.tracking_number).click()
    expect(page.get_by_role("heading", level=1, name=f"Tracking {tracking.tracking_number}")).to_be_visible()
    check_page(page)

    page.get_by_role("button", name="Ask the carrier now").click()
    expect(page.get_by_text("The carrier is being asked.")).to_be_visible()
    page.get_by_role("button", name="Pause", exact=True).click()
    page.get_by_role("button", name="Yes, pause it").click()
    expect(page.get_by_role("button", name="Pause", exact=True)).to_be_hidden()
    with served_world.hold() as world:
        assert world.tracking(tracking).paused
    page.get_by_role("link", name=order.parcels[0].reference).click()
    expect(page.get_by_role("heading", level=1, name="Order shop-17")).to_be_visible()
