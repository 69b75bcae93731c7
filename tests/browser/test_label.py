"""A label in its order's page: loaded from the bucket once somebody asks for it, and shown if it can be."""

import base64
from decimal import Decimal

from playwright.sync_api import Page, expect

from parcelgate.domain.measures import Weight, WeightUnit
from parcelgate.domain.orders import Order, OrderStatus, Parcel
from tests.support.api import TENANT
from tests.support.browser import NewPage, check_axe, check_narrow
from tests.support.console import sign_in
from tests.support.orders import an_event, an_order
from tests.support.served import FILES, ServedWorld

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)
VIEWER = "Object.defineProperty(Navigator.prototype, 'pdfViewerEnabled', { get: () => %s })"


def test_a_picture_is_shown_in_the_page_once_it_is_asked_for(
    new_page: NewPage, served_world: ServedWorld
) -> None:
    order = settled(served_world, PNG)
    page = new_page(origins=[served_world.files_origin])
    sign_in(page, served_world, at=f"orders/{order.id}")
    label = page.get_by_role("region", name="Label")
    expect(label.get_by_role("button", name="Show the label")).to_be_visible()
    assert not looked_at(served_world), "each look is logged, so nobody looks by opening the order"

    show(page, served_world)

    picture = label.get_by_role("img", name="Label")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 1
    expect(label.get_by_role("link", name="Open the label")).to_be_visible()
    check_axe(page)
    check_narrow(page)


def test_each_parcel_has_its_own_picture(new_page: NewPage, served_world: ServedWorld) -> None:
    weight = Weight(Decimal(1), WeightUnit.LB)
    with served_world.hold() as world:
        world.carrier.behaviour.labels = [PNG]
        parcels = tuple(Parcel(reference=each, weight=weight) for each in ("box 1", "box 2"))
        order = world.settle(world.start_order("shop-17", parcels=parcels))
    page = new_page(origins=[served_world.files_origin])
    sign_in(page, served_world, at=f"orders/{order.id}")
    page.get_by_role("button", name="Show the label").click()

    for name in ("box 1", "box 2"):
        picture = page.get_by_role("figure").filter(has_text=f"Label of {name}").get_by_role("img")
        expect(picture).to_be_visible()
        expect(page.get_by_role("link", name=f"Open the label of {name}")).to_be_visible()
    check_narrow(page)


def test_a_picture_whose_link_has_ended_is_loaded_again(new_page: NewPage, served_world: ServedWorld) -> None:
    order = settled(served_world, PNG)
    page = new_page(origins=[served_world.files_origin], expected=["Failed to load resource"])
    sign_in(page, served_world, at=f"orders/{order.id}")
    page.route(f"**{FILES}/**", lambda route: route.fulfill(status=403))
    page.get_by_role("button", name="Show the label").click()
    expect(page.get_by_role("alert")).to_contain_text("Its link may have ended")

    page.unroute(f"**{FILES}/**")
    served_world.pass_time(minutes=1)
    page.get_by_role("button", name="Renew the links").click()
    expect(page.get_by_role("img", name="Label")).to_be_visible()


def test_a_pdf_is_shown_where_the_browser_has_a_viewer(new_page: NewPage, served_world: ServedWorld) -> None:
    order = settled(served_world)
    page = new_page(origins=[served_world.files_origin])
    page.add_init_script(VIEWER % "true")
    sign_in(page, served_world, at=f"orders/{order.id}")

    show(page, served_world)

    frame = page.locator("iframe")
    expect(frame).to_have_attribute("title", "Label")
    check_axe(page)
    check_narrow(page)


def test_without_a_viewer_a_pdf_is_opened_by_its_link(new_page: NewPage, served_world: ServedWorld) -> None:
    order = settled(served_world)
    page = new_page()
    page.add_init_script(VIEWER % "false")
    sign_in(page, served_world, at=f"orders/{order.id}")
    page.get_by_role("button", name="Show the label").click()

    expect(page.get_by_text("This browser shows no PDF inside of a page.")).to_be_visible()
    expect(page.get_by_role("link", name="Open the label (PDF)")).to_be_visible()
    assert not looked_at(served_world), "it would come as a download that nobody asked for"


def test_a_label_for_printers_is_downloaded(new_page: NewPage, served_world: ServedWorld) -> None:
    order = settled(served_world, b"^XA^FO50,50^FDParcel^FS^XZ")
    page = new_page()
    sign_in(page, served_world, at=f"orders/{order.id}")
    page.get_by_role("button", name="Show the label").click()

    expect(page.get_by_text("the language of label printers")).to_be_visible()
    expect(page.get_by_role("link", name="Download the label (ZPL)")).to_be_visible()
    assert not looked_at(served_world)


def test_an_order_without_a_label_shows_none(new_page: NewPage, served_world: ServedWorld) -> None:
    with served_world.hold() as world:
        order = an_order(status=OrderStatus.NEEDS_ATTENTION, watch_at=None, at=world.clock.now)
        world.table.tenant(TENANT).orders.add(order, an_event(at=world.clock.now))
    page = new_page()
    sign_in(page, served_world, at=f"orders/{order.id}")
    expect(page.get_by_role("heading", name="Label", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Show the label")).to_have_count(0)
    expect(page.locator(".labels")).to_have_count(0)
    assert not [call for call in served_world.calls if call.path.endswith("/label")]


def settled(served: ServedWorld, label: bytes | None = None) -> Order:
    """A confirmed order whose label is there."""
    with served.hold() as world:
        if label is not None:
            world.carrier.behaviour.labels = [label]
        return world.settle(world.start_order("shop-17"))


def show(page: Page, served: ServedWorld) -> None:
    """Have the label shown, and wait until the bucket was asked for it."""
    with page.expect_response(lambda answer: FILES in answer.url) as answer:
        page.get_by_role("button", name="Show the label").click()
    assert answer.value.status == 200
    assert answer.value.url.startswith(served.files_origin)
    assert len(looked_at(served)) == 1


def looked_at(served: ServedWorld) -> list[str]:
    """The files that were asked for."""
    return [call.path for call in served.calls if call.path.startswith(FILES)]
