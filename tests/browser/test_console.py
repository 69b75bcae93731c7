"""The console's frame and its reading pages: keys that are wrong, an API that goes away, the keyboard.

That each page can be used by everybody is held by `test_every_page`, and here only of what is no page.
"""

from urllib.parse import quote

from playwright.sync_api import Page, Route, expect

from parcelgate.domain.places.addresses import Address
from tests.support.api import TENANT
from tests.support.browser import check_page
from tests.support.console import open_page, sign_in
from tests.support.orders import trackings_of
from tests.support.served import ServedWorld
from tests.support.trackings import seen

XSS = "\"><img src=x onerror=hit=1>'</b><script>hit=1</script>"


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

    page.get_by_label("Search").fill(order.tracking_numbers[0])
    page.keyboard.press("Enter")
    expect(page.get_by_role("rowheader", name="shop-18")).to_be_hidden()
    assert f"q={order.tracking_numbers[0]}" in page.url, "a colleague can be sent this link"

    page.get_by_role("link", name="shop-17").click()
    expect(page.get_by_role("heading", level=1, name="Order shop-17")).to_be_visible()
    expect(page.get_by_role("table", name="Audit trail, oldest first")).to_be_visible()

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
    expect(page.get_by_text("The order is cancelled.")).to_be_visible()
    expect(page.get_by_role("heading", name="Label", exact=True)).to_be_hidden()
    headings = page.locator("main").get_by_role("heading")
    expect(headings.filter(visible=True)).to_contain_text(
        ["Order shop-17", "The order", "Parcels", "Where the parcels are", "Audit trail"]
    )
    with served_world.hold() as world:
        assert world.order(order).status == "cancelled"


def test_a_parcel_that_is_gone_is_told_before_its_order_is_cancelled(
    page: Page, served_world: ServedWorld
) -> None:
    events = (seen("in_transit", at_is_local=True), seen("delivered", hours=1, utc_offset="+00:00"))
    with served_world.hold() as world:
        order = world.settle(world.start_order("shop-17"))
        (tracking,) = trackings_of(world.table, order)
        world.tracker(carrier=order.carrier).reports(order.tracking_numbers[0], *events)
        world.table.tenant(TENANT).trackings.plan(tracking.id, world.clock.now)
        world.poll()
        assert world.tracking_status(tracking) == "delivered"
    sign_in(page, served_world, at=f"orders/{order.id}")
    buttons = page.get_by_role("region", name="Actions").get_by_role("button")
    expect(buttons.last).to_have_text("Cancel the order")
    expect(buttons.last).not_to_have_class("danger")
    buttons.last.click()
    dialog = page.get_by_role("dialog", name="Cancel the order")
    expect(dialog).to_contain_text("The parcel has been delivered.")
    check_page(page)
    dialog.get_by_role("button", name="No, go back").click()

    uncertain = page.get_by_role("list", name="Timeline of").get_by_role("listitem").last
    expect(uncertain).to_contain_text("12:00")
    expect(uncertain).to_contain_text("UTC, zone unknown")


def test_a_parcel_is_followed_asked_about_and_paused(page: Page, served_world: ServedWorld) -> None:
    with served_world.hold() as world:
        order = world.settle(world.start_order("shop-17"))
        (tracking,) = trackings_of(world.table, order)
    sign_in(page, served_world, at=f"trackings?tracking_number={tracking.tracking_number}")
    page.get_by_role("link", name=tracking.tracking_number).click()
    expect(page.get_by_role("heading", level=1, name=f"Tracking {tracking.tracking_number}")).to_be_visible()

    page.get_by_role("button", name="Ask the carrier now").click()
    expect(page.get_by_text("The carrier is being asked.")).to_be_visible()
    page.get_by_role("button", name="Pause", exact=True).click()
    page.get_by_role("button", name="Yes, pause it").click()
    expect(page.get_by_role("button", name="Pause", exact=True)).to_be_hidden()
    with served_world.hold() as world:
        assert world.tracking(tracking).paused
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("button", name="Pause", exact=True)).to_be_visible()
    with served_world.hold() as world:
        assert not world.tracking(tracking).paused
    page.get_by_role("link", name=order.parcels[0].reference).click()
    expect(page.get_by_role("heading", level=1, name="Order shop-17")).to_be_visible()


def test_a_wrong_key_is_told_in_the_apis_own_words(page: Page, served_world: ServedWorld) -> None:
    page.goto(f"{served_world.url}/console")
    page.get_by_label("API key").fill("pg_nobody_nothing")
    page.keyboard.press("Enter")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("The API key is unknown or was revoked. Use a valid key.")
    assert alert.inner_text().count("unknown or was revoked") == 1
    expect(alert).to_contain_text("invalid_key")
    expect(alert).to_contain_text("request")
    explained = alert.get_by_role("link", name="invalid_key").get_attribute("href")
    assert explained == f"{served_world.url}/problems/invalid_key"
    assert page.evaluate("sessionStorage.length") == 0
    check_page(page)

    page.get_by_label("API key").fill(served_world.key())
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="Today")).to_be_visible()


def test_signing_in_with_every_scope_changes_nothing_and_fails_nowhere(
    page: Page, served_world: ServedWorld
) -> None:
    with served_world.hold() as world:
        before = {str(item["pk"]) for item in world.items()}
    sign_in(page, served_world)
    page.wait_for_load_state("networkidle")
    assert {call.status for call in served_world.calls} <= {200, 207}, served_world.calls
    with served_world.hold() as world:
        added = [item for item in world.items() if str(item["pk"]) not in before]
    assert {item["sk"]["S"] for item in added} == {"KEY"}, "nothing but the new API key itself"


def test_a_part_of_the_api_that_fails_keeps_nobody_out(page: Page, served_world: ServedWorld) -> None:
    failed = '{"title": "Something failed here", "status": 500, "code": "internal", "request_id": "req-7"}'
    page.route("**/v1/attention*", lambda route: route.fulfill(status=500, body=failed))
    sign_in(page, served_world)
    attention = page.get_by_role("region", name="What needs a person")
    expect(attention.get_by_role("alert")).to_contain_text("Something failed here")
    expect(attention.get_by_role("alert")).to_contain_text("req-7")
    page.unroute("**/v1/attention*")
    attention.get_by_role("button", name="Try again").click()
    expect(attention.get_by_text("Nothing needs a person.")).to_be_visible()


def test_todays_figures_are_those_of_the_orders(page: Page, served_world: ServedWorld) -> None:
    with served_world.hold() as world:
        kept, cancelled = (world.settle(world.start_order(name)) for name in ("shop-17", "shop-18"))
        assert world.cancel_order(cancelled).status == 200
        assert kept.price is not None
        price, currency = kept.price.amount, kept.price.currency
        page.clock.set_fixed_time(world.clock.now)
    sign_in(page, served_world)
    today = page.get_by_role("list", name="Orders of today")
    expect(today.get_by_role("listitem").filter(has_text="made")).to_contain_text("2")
    expect(today.get_by_role("listitem").filter(has_text="confirmed").first).to_contain_text("1")
    expect(today.get_by_role("listitem").filter(has_text="cancelled")).to_contain_text("1")
    spend, refunds = (today.get_by_role("listitem").filter(has_text=word) for word in ("spend", "refunds"))
    expect(spend).to_contain_text(f"{2 * price} {currency}")
    expect(refunds).to_contain_text(f"{price} {currency}")


def test_a_lesser_key_is_offered_only_what_it_may_do(page: Page, served_world: ServedWorld) -> None:
    with served_world.hold() as world:
        order = world.settle(world.start_order("shop-17"))
    sign_in(page, served_world, "orders:read")
    navigation = page.get_by_role("navigation", name="Pages")
    expect(navigation.get_by_role("link", name="Orders")).to_be_visible()
    assert navigation.get_by_role("link").all_inner_texts()[:2] == ["Today", "Orders"]
    documentation = navigation.get_by_role("link", name="API and guides")
    assert documentation.get_attribute("href") == f"{served_world.url}/docs"
    for title in ("Trackings", "Webhooks", "Settings", "Reports", "Carrier accounts"):
        expect(navigation.get_by_role("link", name=title)).to_have_count(0)
    expect(page.get_by_role("heading", name="What needs a person")).to_have_count(0)
    expect(page.get_by_text("This key may not see what needs a person")).to_contain_text("(scope operator)")

    open_page(page, f"orders/{order.id}", heading="Order shop-17")
    expect(page.get_by_role("button", name="Show the label")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel the order")).to_have_count(0)
    open_page(page, "trackings", heading="Not with this key")
    expect(page.get_by_text("trackings:read")).to_be_visible()
    check_page(page)
    refused = [call for call in served_world.calls if call.status == 403]
    assert len(refused) == 6, "only signing in asks for what the key may not do, once for each scope"


def test_a_key_that_is_revoked_meanwhile_takes_nothing_with_it(page: Page, served_world: ServedWorld) -> None:
    with served_world.hold() as world:
        world.settle(world.start_order("shop-17"))
    key = sign_in(page, served_world, at="orders")
    expect(page.get_by_role("rowheader", name="shop-17")).to_be_visible()
    page.get_by_label("Search").fill("shop-1")
    served_world.revoke(key)
    page.get_by_label("Search").press("Enter")

    dialog = page.get_by_role("dialog", name="Sign in again")
    expect(dialog).to_contain_text("The API refused this key")
    for _ in range(3):
        page.keyboard.press("Escape")
    expect(dialog).to_be_visible()
    check_page(page)
    dialog.get_by_label("API key").fill(served_world.key())
    dialog.get_by_role("button", name="Sign in").click()

    expect(dialog).to_be_hidden()
    expect(page.get_by_label("Search")).to_have_value("shop-1")
    expect(
        page.get_by_text("No order has the reference, order number or tracking number shop-1.")
    ).to_be_visible()


def test_an_api_that_goes_away_is_told_and_nothing_is_lost(page: Page, served_world: ServedWorld) -> None:
    with served_world.hold() as world:
        order = world.settle(world.start_order("shop-17"))
    sign_in(page, served_world, at=f"orders/{order.id}")
    expect(page.get_by_role("heading", level=1, name="Order shop-17")).to_be_visible()
    expect(page.get_by_role("table", name="Audit trail, oldest first")).to_be_visible()
    page.get_by_role("button", name="Cancel the order").click()
    served_world.down = True
    dialog = page.get_by_role("dialog", name="Cancel the order")
    dialog.get_by_role("button", name="Yes, cancel it").click()
    expect(dialog.get_by_role("alert")).to_contain_text("The API cannot be reached")
    expect(dialog.get_by_role("alert")).to_contain_text("It is not known whether the call arrived")

    served_world.down = False
    dialog.get_by_role("button", name="Yes, cancel it").click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("button", name="Cancel the order")).to_have_count(0)
    with served_world.hold() as world:
        assert world.order(order).status == "cancelled"


def test_a_list_that_cannot_be_read_is_read_when_the_api_is_back(
    page: Page, served_world: ServedWorld
) -> None:
    with served_world.hold() as world:
        world.settle(world.start_order("shop-17"))
    sign_in(page, served_world, at="orders")
    expect(page.get_by_role("rowheader", name="shop-17")).to_be_visible()
    page.clock.install()
    served_world.down = True
    page.get_by_label("Status").select_option("confirmed")
    page.clock.run_for(10_000)
    expect(page.get_by_role("alert").first).to_contain_text("The API cannot be reached")
    served_world.down = False
    page.get_by_role("button", name="Try again").first.click()
    expect(page.get_by_role("rowheader", name="shop-17")).to_be_visible()


def test_all_of_it_works_from_the_keyboard(page: Page, served_world: ServedWorld) -> None:
    with served_world.hold() as world:
        order = world.settle(world.start_order("shop-17"))
    page.goto(f"{served_world.url}/console")
    expect(page.get_by_label("API key")).to_be_visible()
    press(page, "Tab", until="API key")
    page.keyboard.type(served_world.key())
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="Today")).to_be_visible()

    press(page, "Tab", until="Orders")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="Orders")).to_be_visible()
    # A reader goes on where the new page begins.
    expect(page.locator("#main")).to_be_focused()
    press(page, "Tab", until="Search")
    page.keyboard.type("shop-17")
    page.keyboard.press("Enter")
    expect(page.get_by_role("rowheader", name="shop-17")).to_be_visible()
    press(page, "Tab", until="shop-17")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="Order shop-17")).to_be_visible()
    press(page, "Tab", until="Cancel the order")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Cancel the order")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("button", name="Cancel the order")).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog).to_be_visible()
    press(page, "Tab", until="Yes, cancel it")
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("button", name="Cancel the order")).to_have_count(0)
    expect(page.locator("#main")).to_be_focused()
    with served_world.hold() as world:
        assert world.order(order).status == "cancelled"


def test_words_of_clients_and_carriers_are_text_and_nothing_else(
    page: Page, served_world: ServedWorld
) -> None:
    with served_world.hold() as world:
        recipient = Address(name=XSS, company=XSS, line1=XSS, city=XSS, country="US")
        order = world.start_order(XSS, ship_to=recipient, metadata={XSS: XSS})
        world.settle(order)
    sign_in(page, served_world, at="orders")
    expect(page.get_by_role("rowheader", name=XSS)).to_be_visible()
    page.get_by_role("link", name=XSS).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Order {XSS}")
    expect(page.get_by_role("table", name="Audit trail, oldest first")).to_be_visible()
    open_page(page, f"orders?q={quote(XSS)}", heading="Orders")
    expect(page.get_by_role("rowheader", name=XSS)).to_be_visible()
    assert page.evaluate("window.hit") is None
    assert page.locator("main img").count() == 0


def test_a_busy_api_is_asked_again_by_itself_and_only_for_what_reads(
    page: Page, served_world: ServedWorld
) -> None:
    with served_world.hold() as world:
        order = world.settle(world.start_order("shop-17"))
    sign_in(page, served_world, at="settings")
    busy = {
        "title": "Too many requests",
        "status": 429,
        "code": "too_many_requests",
        "detail": "Wait a moment.",
    }
    asked: list[str] = []

    def refuse(route: Route) -> None:
        method = route.request.method
        asked.append(method)
        if method == "GET" and asked.count("GET") > 2:
            route.continue_()
        else:
            route.fulfill(status=429, headers={"Retry-After": "0"}, json=busy)

    page.route(f"**/v1/orders/{order.id}", refuse)
    page.route(f"**/v1/orders/{order.id}/cancel", refuse)
    open_page(page, f"orders/{order.id}", heading="Order shop-17")
    assert asked == ["GET"] * 3
    page.get_by_role("button", name="Cancel the order").click()
    page.get_by_role("button", name="Yes, cancel it").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("Wait a moment.")
    assert asked.count("POST") == 1


def test_a_page_that_is_left_asks_no_more(page: Page, served_world: ServedWorld) -> None:
    sign_in(page, served_world, at="settings")
    expect(page.get_by_role("heading", level=1, name="Settings")).to_be_visible()
    page.route("**/v1/orders?*", lambda route: None)
    with page.expect_request("**/v1/orders?*"):
        page.get_by_role("link", name="Orders").click()
    with page.expect_event("requestfailed", lambda request: "/v1/orders?" in request.url) as failed:
        page.get_by_role("link", name="Settings").click()
    assert failed.value.failure == "net::ERR_ABORTED"
    expect(page.get_by_role("alert")).to_have_count(0)


def test_on_a_phone_the_menu_opens_and_closes(page: Page, served_world: ServedWorld) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    sign_in(page, served_world)
    link = page.get_by_role("link", name="Orders", exact=True)
    expect(link).to_be_hidden()
    menu = page.get_by_role("button", name="Menu")
    menu.click()
    expect(menu).to_have_attribute("aria-expanded", "true")
    check_page(page)
    link.click()
    expect(page.get_by_role("heading", level=1, name="Orders")).to_be_visible()
    expect(link).to_be_hidden()


def press(page: Page, key: str, *, until: str, most: int = 60) -> None:
    """Press a key until what has the focus is named so."""
    for _ in range(most):
        page.keyboard.press(key)
        name = page.evaluate(
            "(document.activeElement.labels?.[0] ?? document.activeElement).textContent.trim()"
        )
        if name == until:
            return
    raise AssertionError(f"the keyboard never came to {until}")
