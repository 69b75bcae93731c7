"""What holds of every page of the console: it can be used by everybody, and words of strangers stay words.

The world behind it is full of words that would be markup, or a script, if a page took them for that. They
stand in every field that a client or a carrier can set.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest
from playwright.sync_api import Page, expect

from local import ROOT
from parcelgate.domain.measures import Money, Weight, WeightUnit
from parcelgate.domain.merchants.rate_cards import RateCard, RateCardRow
from parcelgate.domain.merchants.tenant_settings import Brand, TenantSettings
from parcelgate.domain.orders import Charge, Customs, OrderStatus, Trouble, Waiting, WaitingFor
from parcelgate.domain.places.addresses import Address
from parcelgate.domain.problems import CarrierWords, FieldError, Notice, Problem
from parcelgate.domain.trackings import Customer, OtherNumber, ProofOfDelivery, Saying, TrackingEvent
from parcelgate.services.endpoints.calls import Result
from tests.support.api import TENANT, api_event
from tests.support.browser import check_page
from tests.support.console import sign_in
from tests.support.orders import an_event, an_order
from tests.support.served import ServedWorld
from tests.support.trackings import a_followed, seen
from tests.support.world import World, worlds

WORDS = "\"'><img src=x onerror=broken=1><script>broken=1</script>"
LINK = "javascript:broken=1"
SHOP = "https://shop.example/hooks"
PATHS = re.findall(r'^  page\("([^"]+)"', (ROOT / "console/app.js").read_text(), re.MULTILINE)
SILENT = {
    *("create", "create/file", "create/batches", "print"),
    *("inbox", "inbox/:id", "reports", "webhooks/new"),
}
"""Pages that show nothing of strangers' words while they are as they are opened."""


@pytest.fixture(scope="module")
def addresses() -> Iterator[tuple[ServedWorld, Mapping[str, str]]]:
    """A world full of words, and what stands in place of `:id` on each page."""
    with worlds() as make, ServedWorld().running(make) as served:
        with served.hold() as world:
            order = _order(world)
            tracking = _tracking(world)
            webhook = _webhook(world)
            endpoint = _endpoint(served, world)
            _account(world)
            _settings(world)
        yield (
            served,
            {
                "orders/:id": f"orders/{order}",
                "trackings/:id": f"trackings/{tracking}",
                "webhooks/:id": f"webhooks/{endpoint}",
                "inbox/:id": f"inbox/{webhook}",
                "accounts/:carrier/:account": "accounts/ubi/default",
            },
        )


@pytest.mark.parametrize("path", [*PATHS, "webhooks/new"])
def test_the_page_can_be_used_by_everybody_and_runs_no_words(
    path: str, addresses: tuple[ServedWorld, Mapping[str, str]], page: Page
) -> None:
    served, places = addresses
    assert ":" not in places.get(path, path), "this test has no address for the page: give it one"

    sign_in(page, served, at=places.get(path, path))
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    page.locator("details").evaluate_all("all => all.forEach(details => { details.open = true })")

    if path not in SILENT:
        shown = page.locator("main").inner_text()
        fields = page.locator("main input, main textarea").evaluate_all("all => all.map(one => one.value)")
        assert any(WORDS in text for text in (shown, *fields)), "the words are not shown as they are"
    assert page.locator("img[src=x]").count() == 0
    assert page.evaluate("globalThis.broken") is None
    links = page.locator("a[href]").evaluate_all("links => links.map(link => link.protocol)")
    assert {"http:", "https:", "mailto:"} >= set(links)
    check_page(page)


def _order(world: World) -> str:
    at = world.clock.now
    spoken = CarrierWords(WORDS, WORDS, WORDS)
    problem = Problem(
        code="outcome_unknown", detail=WORDS, errors=(FieldError("/ship_to", "x", WORDS),), carrier=spoken
    )
    fields = ("name", "line1", "line2", "line3", "city", "company", "phone", "email", "state", "postcode")
    address = Address(country="US", **dict.fromkeys(fields, WORDS))
    order = an_order(
        reference=WORDS,
        at=at,
        status=OrderStatus.NEEDS_ATTENTION,
        ship_to=address,
        ship_from=address,
        return_to=address,
        service=WORDS,
        customs=Customs(description=WORDS, native_description=WORDS),
        metadata={"note": WORDS},
        carrier_order_number=WORDS,
        price=Money(Decimal("9.90"), "USD"),
        charges=(Charge(WORDS, Money(Decimal("9.90"), "USD")),),
        warnings=(Notice("/ship_to/name", "shortened", WORDS),),
        problem=problem,
        attention=problem,
        waiting=Waiting(for_=WaitingFor.CARRIER, since=at, attempts=1, last_error=Trouble("x", WORDS)),
        watch_at=None,
    )
    parcel = msgspec.structs.replace(
        order.parcels[0], reference=WORDS, problem=problem, tracking_number=WORDS
    )
    order = msgspec.structs.replace(order, parcels=(parcel,))
    world.table.tenant(TENANT).orders.add(order, an_event(at=at, detail=WORDS, carrier=spoken))
    return order.id


def _tracking(world: World) -> str:
    at = world.clock.now
    events: tuple[TrackingEvent, ...] = (
        seen(code=WORDS, description=WORDS, city=WORDS, state=WORDS, postcode=WORDS, place=WORDS),
        seen("delivered", hours=1, description=WORDS, carrier=WORDS),
    )
    tracking = a_followed(
        WORDS,
        code=WORDS,
        at=at,
        title=WORDS,
        note=WORDS,
        order_reference=WORDS,
        customer=Customer(name=WORDS, email=WORDS, phone=WORDS),
        signed_by=Saying(at, WORDS),
        estimated_delivery=Saying(at, WORDS),
        other_numbers=(OtherNumber(WORDS, WORDS),),
        proof=ProofOfDelivery(image_url=LINK, address_image_url=LINK, expires_at=at + timedelta(days=1)),
        metadata={"note": WORDS},
        events=tuple(
            msgspec.structs.replace(event, id=f"e{n}", source="poll") for n, event in enumerate(events)
        ),
    )
    world.table.tenant(TENANT).trackings.add(tracking)
    return tracking.id


def _webhook(world: World) -> str:
    inbox = world.table.tenant(TENANT).inbox
    entry = inbox.put(
        carrier="lme", account="default", body=WORDS.encode(), now=world.clock.now, parked="not JSON",
        headers={WORDS: WORDS},
    )  # fmt: skip
    return inbox.page(limit=1, cursor=None).data[0].name if entry else ""


def _endpoint(served: ServedWorld, world: World) -> str:
    world.endpoints.script(SHOP, [], then=Result(ms=5, status=410, body=WORDS, error=WORDS))
    body = {"url": SHOP, "description": WORDS}
    made = world._request(api_event("POST /v1/webhook-endpoints", body=body)).json()
    world._request(api_event("POST /v1/webhook-endpoints/{id}/test", id=made["id"]))
    served.pass_time(seconds=10)
    return str(made["id"])


def _account(world: World) -> None:
    own = world.table.tenant(TENANT)
    own.account_names.add("ubi", "default")
    world.put_account("ubi", {"token": "t", "secret": "s"})
    own.limits("ubi", "default").failed(
        world.clock.now, probe=False, failures=1, window=timedelta(minutes=1), cool_down=timedelta(days=9),
        what=WORDS,
    )  # fmt: skip
    row = RateCardRow(
        service=WORDS,
        destination_country="AU",
        weight_up_to=Weight(Decimal(1), WeightUnit.KG),
        price=Money(Decimal(1), "AUD"),
    )
    own.rate_cards.put(RateCard(carrier="ubi", account="default", rows=(row,), updated_at=world.clock.now))


def _settings(world: World) -> None:
    brand = Brand(name=WORDS, logo_url=LINK, colour="#ffff00", support_url=LINK, support_email=WORDS)
    world.table.tenant(TENANT).settings.put(TenantSettings(brand=brand))
