"""The recipient's page in a real browser: without a script, in two languages, for everybody's eyes."""

import re

import pytest
from playwright.sync_api import Page, Request, expect

from parcelgate.domain.merchants.tenant_settings import Brand, TenantSettings
from parcelgate.domain.trackings import Source, merge
from parcelgate.http.recipient.words import words
from parcelgate.store.credentials.page_tokens import Place
from tests.support.browser import NARROW, NewPage, check_page
from tests.support.served import ServedWorld
from tests.support.trackings import a_followed, seen

BRAND = Brand(
    name="Byrd Tools",
    colour="#ffe600",
    support_url="https://shop.example/help",
    support_email="help@shop.example",
)


@pytest.fixture
def address(served_world: ServedWorld) -> str:
    """The address of the page of a parcel on its way."""
    with served_world.hold() as world:
        own = world.table.tenant("acme")
        own.settings.put(TenantSettings(brand=BRAND))
        tracking = merge(
            a_followed(),
            [
                seen("in_transit", sub_status="customs_cleared", utc_offset="+08:00", city="Shenzhen"),
                seen("out_for_delivery", hours=30, utc_offset="-06:00", city="Austin", state="TX"),
            ],
            source=Source.POLL,
            at=world.clock.now,
        )
        own.trackings.add(tracking)
        token = world.table.page_tokens.first_token(Place("acme", tracking_id=tracking.id))
    return f"{served_world.url}/track/{token}"


def test_a_parcel_is_followed_in_two_languages_without_a_script(new_page: NewPage, address: str) -> None:
    german = new_page(locale="de-DE", java_script_enabled=False, viewport=NARROW)
    asked: list[Request] = []
    german.on("request", lambda request: asked.append(request))
    german.goto(address)

    expect(german).to_have_title(re.compile("^In Zustellung - Ihr Paket von Byrd Tools$"))
    expect(german.get_by_role("heading", level=1, name="In Zustellung")).to_be_visible()
    expect(german.get_by_role("listitem").filter(has_text="Vom Zoll freigegeben")).to_contain_text("Shenzhen")
    expect(german.get_by_role("main")).to_contain_text("(UTC+08:00)")
    assert [request.url for request in asked] == [address], "the page is one answer"

    german.get_by_role("link", name="中文").click()
    expect(
        german.get_by_role("heading", level=1, name=words("zh").statuses["out_for_delivery"])
    ).to_be_visible()  # type: ignore[index]
    expect(german.locator("html")).to_have_attribute("lang", "zh")
    assert german.context.cookies() == []


def test_everybody_can_read_it(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.get_by_role("heading", level=1, name="Out for delivery")).to_be_visible()
    check_page(page)
    expect(page.get_by_role("navigation", name="Language")).to_be_visible()
    expect(page.get_by_role("link", name="help@shop.example")).to_be_visible()


def test_a_link_that_leads_nowhere_says_so(new_page: NewPage, served_world: ServedWorld) -> None:
    page = new_page(locale="fr-FR", expected=["404"])
    page.goto(f"{served_world.url}/track/x")
    expect(page.get_by_role("heading", level=1, name=words("fr").not_found)).to_be_visible()
    check_page(page)
