"""What each page costs its reader, with 10,000 orders in the store: ``python -m bench.pages``.

The API runs in this process, over a store in memory that goes through all orders to find twenty. So the time
until data is shown is neither that of AWS nor that of the local stack, and is not printed. What is measured
is the page: the bytes that it loads, and when a real browser first paints. Prints Markdown.
"""

import os
import statistics
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, NamedTuple

from playwright.sync_api import BrowserContext, expect, sync_playwright

from local import arguments
from parcelgate.domain.measures import Money
from parcelgate.domain.orders import OrderStatus
from parcelgate.domain.places.addresses import Address
from tests.support.api import TENANT, api_event
from tests.support.browser import launch
from tests.support.console import sign_in
from tests.support.orders import an_event, an_order
from tests.support.served import ServedWorld
from tests.support.world import World, worlds

ORDERS = 10_000
DAYS = 30
RUNS = 5
PATIENCE = 300_000
PAGES = (
    *("today", "orders", "create", "create/file", "print", "trackings"),
    *("webhooks", "inbox", "accounts", "settings", "reports"),
)
_PEOPLE = ("Corrie McKee", "Ada Byrd", "Lin Wei", "Jonas Falk", "Marta Ruiz", "Sam Okafor", "Ines Dupont")
_STREETS = ("Market St", "Lakeside Drive", "Station Rd", "Elm Ave", "Harbour Lane")
_PLACES = {
    "lso": (
        ("Austin", "TX", "78701", "US"),
        ("Dallas", "TX", "75201", "US"),
        ("Houston", "TX", "77002", "US"),
    ),
    "ubi": (("Berwick", "VIC", "3806", "AU"), ("Perth", "WA", "6000", "AU")),
    "lme": (("Sydney", "NSW", "2000", "AU"), ("Brisbane", "QLD", "4000", "AU")),
}
_SERVICES = {"lso": "GroundBasic", "ubi": "UBI.AU2AU.AUPOST.1", "lme": "FHE-AU"}
_FIRST_PAINT = """new Promise(done => new PerformanceObserver(list => {
  for (const entry of list.getEntriesByName("first-contentful-paint")) done(entry.startTime);
}).observe({ type: "paint", buffered: true }))"""


class Visit(NamedTuple):
    """One visit of a page: ms from opening the address to the first paint, bytes as they came."""

    first_paint: float
    files: int
    data: int


def main() -> None:
    """Print a line for each page."""
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    # The functions write their metrics there.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    expect.set_options(timeout=PATIENCE)
    with worlds() as make, ServedWorld().running(make) as served, sync_playwright() as playwright:
        with served.hold() as world:
            _fill(world)
        browser = launch(playwright)
        signed_in = browser.new_page()
        sign_in(signed_in, served)
        session = signed_in.evaluate("sessionStorage.getItem('parcelgate.session')")
        heading = "| page | first paint, ms | files, KB | files again, KB | data, KB |"
        print(heading, "|---|---|---|---|---|", sep="\n", file=out)
        for page, address in _addresses(served).items():
            paints = []
            for run in range(RUNS):
                context = browser.new_context(locale="en-US")
                context.set_default_timeout(PATIENCE)
                context.add_init_script(f"sessionStorage.setItem('parcelgate.session', {session!r})")
                visit = _visit(context, address, with_data=not run)
                paints.append(visit.first_paint)
                if not run:
                    first, again = visit, _visit(context, address, with_data=False)
                context.close()
            cells = f"{statistics.median(paints):.0f} | {first.files / 1000:.0f} | {again.files / 1000:.0f}"
            print(f"| {page} | {cells} | {first.data / 1000:.0f} |", file=out, flush=True)
        browser.close()


def _addresses(served: ServedWorld) -> dict[str, str]:
    """The address of each page: of the console, the documentation and the recipient's page."""
    with served.hold() as world:
        parcel = world.add_parcel(carrier="lso")
        tracking = world._request(api_event("GET /v1/trackings/{id}", id=parcel.id)).json()
    return {
        **{page: f"{served.url}/console#/{page}" for page in PAGES},
        "`/docs`": f"{served.url}/docs",
        "a guide": f"{served.url}/docs/webhooks.html",
        "recipient's page": tracking["tracking_page"],
    }


def _visit(context: BrowserContext, address: str, *, with_data: bool) -> Visit:
    """Open a page; without data, the API does not answer it, which comes after the first paint anyway."""
    page = context.new_page()
    network = context.new_cdp_session(page)
    addresses: dict[str, str] = {}
    sizes: dict[str, int] = {}

    def answered(event: Any) -> None:
        addresses[event["requestId"]] = event["response"]["url"]

    def loaded(event: Any) -> None:
        sizes[event["requestId"]] = event["encodedDataLength"]

    network.on("Network.responseReceived", answered)
    network.on("Network.loadingFinished", loaded)
    network.send("Network.enable")
    if not with_data:
        network.send("Network.setBlockedURLs", {"urls": ["*/v1/*"]})
    page.goto(address)
    first_paint = page.evaluate(_FIRST_PAINT)
    if with_data:
        page.locator("h1").first.wait_for()
        expect(page.locator("main [aria-busy]")).to_have_count(0)
    page.wait_for_load_state("networkidle")
    data = sum(size for each, size in sizes.items() if "/v1/" in addresses[each])
    visit = Visit(first_paint, int(sum(sizes.values()) - data), int(data))
    page.close()
    return visit


def _fill(world: World) -> None:
    """Store the orders, of the last days, and count them as the stream does."""
    own = world.table.tenant(TENANT)
    now = world.clock.now = datetime.now(UTC)
    price = Money(Decimal("9.90"), "USD")
    for place, (reference, facts) in enumerate(_requests(ORDERS)):
        at = now - timedelta(days=DAYS - 1) * (1 - place / ORDERS)
        stands = {"status": OrderStatus.CONFIRMED, "watch_at": None, "price": price}
        own.orders.add(an_order(reference=reference, at=at, **stands, **facts), an_event(at=at))
    world.stream()
    # Each look at the stream would read the whole table.
    world.stream = lambda: None  # type: ignore[method-assign]


def _requests(number: int, *, seed: int = 7) -> Iterator[tuple[str, dict[str, object]]]:
    """References of orders, and the facts of each."""
    random = Random(seed)  # noqa: S311 - made-up orders
    for place in range(number):
        carrier = random.choice(("lso", "lso", "ubi", "lme"))
        city, state, postcode, country = random.choice(_PLACES[carrier])
        name, street = random.choice(_PEOPLE), random.choice(_STREETS)
        yield (
            f"web-{1001 + place}",
            {
                "carrier": carrier,
                "service": _SERVICES[carrier],
                "ship_to": Address(
                    name=name,
                    line1=f"{random.randint(1, 240)} {street}",
                    city=city,
                    state=state,
                    postcode=postcode,
                    country=country,
                ),
            },
        )


if __name__ == "__main__":
    arguments.none(__doc__)
    main()
