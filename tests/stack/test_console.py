"""On the running stack: the pages are sent by the gateway, and work there as they do in process."""

import re
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import expect

from tests.stack.shop import Shop, bought, until
from tests.support.browser import NewPage

PATIENCE = 300_000
"""Milliseconds that a busy machine may take to start the functions that are called at once."""


@pytest.mark.parametrize("site", ["console", "docs"])
def test_a_page_and_its_files_pass_the_gateway_as_they_are(shop: Shop, site: str) -> None:
    base = shop.stack.api_url
    page = httpx.get(f"{base}/{site}", timeout=60)
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    scripts = re.findall(r'src="([^"]+\.js)"', page.text)
    assert scripts
    for address in scripts:
        packed = httpx.get(f"{base}/{address}", timeout=60)
        plain = httpx.get(f"{base}/{address}", headers={"accept-encoding": "identity"}, timeout=60)
        assert (packed.status_code, packed.headers["content-encoding"]) == (200, "gzip")
        assert "content-encoding" not in plain.headers
        assert packed.text == plain.text
    assert httpx.get(f"{base}/{site}/none.js", timeout=60).status_code == 404


def test_a_desk_signs_in_finds_an_order_and_cancels_it(shop: Shop, new_page: NewPage) -> None:
    order = bought(shop, "ubi")
    number = order["parcels"][0]["tracking_number"]
    origin = re.match(r"https?://[^/]+", shop.stack.api_url)
    assert origin is not None
    page = new_page(origins=[origin[0]])
    page.set_default_timeout(PATIENCE)
    page.goto(f"{shop.stack.api_url}/console#/orders?q={number}")
    page.get_by_label("API key").fill(shop.stack.api_key)
    page.keyboard.press("Enter")
    page.get_by_role("link", name=order["reference"]).click()
    page.get_by_role("button", name="Cancel the order").click()
    page.get_by_role("button", name="Yes, cancel it").click()
    expect(page.get_by_role("button", name="Cancel the order")).to_have_count(0, timeout=PATIENCE)
    # A cancellation that its function did not see to its end is finished later.
    until(lambda: shop.get(order["id"])["status"], lambda status: status == "cancelled")


def test_the_console_may_show_the_labels_that_the_api_links_to(shop: Shop) -> None:
    order = shop.settled(bought(shop, "ubi")["id"])
    label = shop.http.get(f"/v1/orders/{order['id']}/label").json()
    page = httpx.get(f"{shop.stack.api_url}/console", timeout=60)
    parts = (part.split() for part in page.headers["content-security-policy"].split(";"))
    allowed = {name: sources for name, *sources in parts}
    assert allowed["img-src"][:-1] == ["'self'", "data:"]
    assert allowed["frame-src"] == allowed["img-src"][-1:]
    # The links are signed for the proxy before the emulator, as all calls of the tests' stack are.
    links, seen = (urlsplit(address) for address in (allowed["frame-src"][0], label["url"]))
    assert (seen.scheme, seen.hostname) == (links.scheme, links.hostname)
    assert seen.path.startswith(links.path)
