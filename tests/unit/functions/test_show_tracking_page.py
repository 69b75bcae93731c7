"""The recipient's page: in five languages, with nothing that is not the recipient's to see."""

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib import import_module
from typing import Any

import msgspec
import pytest

from parcelgate.carriers import registry
from parcelgate.domain.measures import Money
from parcelgate.domain.merchants.tenant_settings import Brand, TenantSettings, TrackingPage
from parcelgate.domain.orders import Order, OrderStatus
from parcelgate.domain.places.addresses import Address
from parcelgate.domain.trackings import (
    Customer,
    NextCarrier,
    ProofOfDelivery,
    Saying,
    Source,
    Tracking,
    TrackingStatus,
    merge,
)
from parcelgate.http.answers import Site
from parcelgate.http.recipient.colours import ENOUGH, contrast, ink, readable
from parcelgate.http.recipient.words import LANGUAGES, words
from parcelgate.http.resources.events import rendering
from parcelgate.runtime import runtime
from parcelgate.store.table import Table
from tests.support.api import DOMAIN, TENANT, Backend, Reply, api_event, call
from tests.support.faults import Faults, unavailable
from tests.support.orders import NOON, an_event, an_order
from tests.support.table import TABLE_NAME
from tests.support.trackings import a_followed, a_tracking, seen

KEY = "GET /track/{token}"
BRAND = Brand(
    name="Byrd Tools",
    logo_url="https://cdn.shop.example:8443/logo.svg?v=2",
    colour="#ffe600",
    support_url="https://shop.example/help?a=1&b=2",
    support_email="help@shop.example",
)
MARKED = "zq"
"""Begins everything in these tests that a page must not show."""
ATTACK = "\"><script>alert(1)</script><img src=x onerror=alert(2)>'{7*7}"


@pytest.fixture(autouse=True)
def keyed(backend: Backend) -> None:
    # By a table of its own: who made a key remembers it, and each test begins without one.
    Table(backend.dynamodb, TABLE_NAME).page_tokens.ready()


def token_of(link: str) -> str:
    assert link.startswith(f"https://{DOMAIN}/track/")
    return link.rpartition("/")[2]


def token_of_tracking(tracking: Tracking) -> str:
    reply = call("GET /v1/trackings/{id}", id=tracking.id, tenant=tracking.tenant)
    return token_of(reply.json()["tracking_page"])


def token_of_order(order: Order) -> str:
    reply = call("GET /v1/orders/{id}", id=order.id, tenant=order.tenant)
    return token_of(reply.json()["links"]["tracking_page"])


def shown(token: str, lang: str = "", **headers: str) -> Reply:
    query = {"lang": lang} if lang else None
    return call(KEY, token=token, tenant=None, headers=headers, query=query)


def data(token: str, lang: str = "") -> dict[str, Any]:
    reply = shown(token, lang, accept="application/json")
    assert reply.status == 200
    return dict(reply.json())


def put(backend: Backend, tracking: Tracking, *events: Any, **more: Any) -> Tracking:
    told = merge(tracking, events, source=Source.POLL, at=NOON, **more) if events or more else tracking
    backend.tenant().trackings.add(told)
    return told


def bought(
    backend: Backend, count: int = 1, tenant: str = TENANT, **facts: Any
) -> tuple[Order, list[Tracking]]:
    """A confirmed order and its parcels."""
    order = an_order(tenant, **facts)
    order = backend.put(msgspec.structs.replace(order, parcels=order.parcels * count), an_event())
    trackings = [
        a_tracking(tenant, tracking_number=f"1Z{number}", order_id=order.id) for number in range(count)
    ]
    parcels = tuple(
        msgspec.structs.replace(parcel, tracking_id=tracking.id)
        for parcel, tracking in zip(order.parcels, trackings, strict=True)
    )
    after = order.changed(at=NOON, parcels=parcels)
    backend.tenant(tenant).orders.save(order, after, trackings=trackings)
    return after, trackings


class Page(HTMLParser):
    """A page as a browser reads it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._inside: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._inside and self._inside.pop() != tag:
            pass

    def handle_data(self, text: str) -> None:
        if "style" not in self._inside:
            self.text += f" {text}"

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


class TestAParcel:
    @pytest.mark.parametrize("lang", LANGUAGES)
    def test_is_shown_in_the_language_of_the_reader(self, lang: str, backend: Backend) -> None:
        tracking = put(
            backend,
            a_followed(),
            seen("in_transit", sub_status="customs_cleared", hours=1, utc_offset="+08:00", city="Shenzhen"),
            seen("out_for_delivery", hours=30),
            estimated_delivery=Saying(NOON, "2026-12-03"),
        )
        token = token_of_tracking(tracking)

        by_header = shown(token, **{"accept-language": f"it, {lang}-XX;q=0.9, en;q=0.1"})
        by_query = shown(token, lang, **{"accept-language": "it"})

        spoken = words(lang)
        page = Page(by_header.text)
        assert by_header.text == by_query.text
        assert page.of("html") == [{"lang": lang}]
        assert by_header.headers["content-language"] == lang
        for text in (
            spoken.statuses[TrackingStatus.OUT_FOR_DELIVERY],
            spoken.sub_statuses["customs_cleared"],
            "Shenzhen",
            "China EMS",
            "RR1CN",
            "21:00 Uhr (UTC+08:00)" if lang == "de" else "21:00 (UTC+08:00)",
            spoken.day(NOON.replace(month=12, day=3)),
        ):
            assert text in page.text
        assert {"datetime": "2026-11-21T13:00:00.000Z"} in page.of("time")

    def test_is_shown_as_the_same_data(self, backend: Backend) -> None:
        tracking = put(
            backend,
            a_followed(),
            seen("in_transit", utc_offset="-06:00", city="Austin", state="TX", country="US"),
            seen("delivered", hours=5),
            next_carrier=NextCarrier(NOON, "usps", "92001", followed=True),
        )

        page = data(token_of_tracking(tracking), "es")

        (parcel,) = page["parcels"]
        assert (page["object"], page["language"]) == ("tracking_page", "es")
        assert (page["status"], page["words"]) == ("delivered", "Entregado")
        assert parcel["next_carrier"] == {"carrier": "USPS", "tracking_number": "92001"}
        assert parcel["delivered_at"] == parcel["last_event_at"] == "2026-11-21T17:00:00.000Z"
        assert parcel["events"][0] == {
            "at": "2026-11-21T12:00:00.000Z",
            "utc_offset": "-06:00",
            "at_is_local": False,
            "status": "in_transit",
            "sub_status": None,
            "words": "En camino",
            "carrier": "China EMS",
            "location": {"city": "Austin", "state": "TX", "country": "US", "text": None},
        }

    def test_is_shown_only_what_a_recipient_may_see(self, backend: Backend) -> None:
        """An event that is not for recipients is not shown, and neither is the status that it gave."""
        tracking = put(
            backend,
            a_tracking(),
            seen("in_transit", city="Austin"),
            seen("damaged", hours=2, city="Dallas", visible_to_recipient=False),
            seen(None, hours=3, code="X99", city="Waco", description="unknown"),
        )
        assert tracking.status is TrackingStatus.DAMAGED

        page = data(token_of_tracking(tracking))

        assert page["status"] == page["parcels"][0]["status"] == "in_transit"
        assert [event["location"]["city"] for event in page["parcels"][0]["events"]] == ["Austin"]
        assert page["parcels"][0]["last_event_at"] == "2026-11-21T12:00:00.000Z"

    def test_without_news_says_so(self, backend: Backend) -> None:
        page = Page(shown(token_of_tracking(put(backend, a_tracking()))).text)

        assert words("en").statuses[TrackingStatus.PENDING] in page.text
        assert words("en").nothing_yet in page.text

    def test_with_a_time_of_no_zone_says_so(self, backend: Backend) -> None:
        tracking = put(backend, a_tracking(), seen("in_transit", at_is_local=True))

        assert "12:00 (UTC, time zone unknown)" in shown(token_of_tracking(tracking)).text

    def test_is_one_read_of_the_store(self, backend: Backend) -> None:
        order, _ = bought(backend)
        tokens = [token_of_tracking(put(backend, a_followed())), token_of_order(order)]
        faults = Faults()
        runtime.use(table=Table(faults.wrap(backend.dynamodb, "dynamodb"), TABLE_NAME))
        shown("x")  # The key is read once in the life of a process.
        before = len(faults.names)

        for token in tokens:
            assert shown(token).status == 200

        assert faults.names[before:] == ["dynamodb.batch_get_item"] * 2


class TestAnOrder:
    def test_shows_all_its_parcels_and_the_one_that_is_furthest_behind(self, backend: Backend) -> None:
        order, (first, second) = bought(backend, 2)
        for tracking, status in ((first, "delivered"), (second, "in_transit")):
            after = merge(tracking, [seen(status)], source=Source.POLL, at=NOON)
            backend.tenant().trackings.save(tracking, after)

        token = token_of_order(order)

        page = data(token)
        assert (page["status"], [one["status"] for one in page["parcels"]]) == (
            "in_transit",
            ["delivered", "in_transit"],
        )
        text = Page(shown(token).text).text
        assert "Parcel 1 of 2: Delivered" in text
        assert "Parcel 2 of 2: On its way" in text

    def test_has_its_link_from_the_first_answer_on_and_each_stays_good(self, backend: Backend) -> None:
        order = backend.put(an_order(), an_event())
        early = token_of_order(order)
        assert (data(early)["status"], data(early)["parcels"]) == ("pending", [])
        assert words("en").nothing_yet in shown(early).text

        tracking = a_tracking(order_id=order.id)
        parcel = msgspec.structs.replace(order.parcels[0], tracking_id=tracking.id)
        after = order.changed(at=NOON, parcels=(parcel,))
        backend.tenant().orders.save(order, after, trackings=[tracking])
        late = token_of_order(order)

        assert late != early
        assert data(early) == data(late)
        assert len(data(early)["parcels"]) == 1

    def test_whose_parcel_got_another_number_shows_the_new_one(self, backend: Backend) -> None:
        order, (old,) = bought(backend)
        token = token_of_order(order)
        new = a_tracking(tracking_number="NEW", order_id=order.id)
        parcel = msgspec.structs.replace(order.parcels[0], tracking_id=new.id)
        after = order.changed(at=NOON, parcels=(parcel,), earlier_tracking_ids=(old.id,))
        backend.tenant().orders.save(order, after, trackings=[new])

        assert [one["tracking_number"] for one in data(token)["parcels"]] == ["NEW"]

    def test_that_was_cancelled_before_it_was_bought_says_so(self, backend: Backend) -> None:
        order = backend.put(an_order(status=OrderStatus.CANCELLED), an_event())

        assert data(token_of_order(order))["status"] == "cancelled"


class TestWhatIsNotThere:
    def gone(self, backend: Backend) -> Iterator[str]:
        """Tokens that lead to no page, each for another reason."""
        yield "x"
        yield "A" * 64
        yield "../v1"
        good = token_of_tracking(put(backend, a_followed("KEPT")))
        yield good[:-2] + ("AA" if good[-2:] != "AA" else "BB")
        tracking = put(backend, a_followed())
        yield token_of_tracking(tracking)
        backend.tenant().trackings.remove(tracking)
        order = backend.put(an_order(), an_event())
        yield token_of_order(order)
        failed = order.move(OrderStatus.FAILED, at=NOON, watch_at=None)
        backend.tenant().orders.save(order, failed)
        assert call("GET /v1/orders/{id}", id=order.id).json()["links"]["tracking_page"] is None
        # Another tenant has no pages.
        for count in (1, 3):
            order, (tracking, *_) = bought(backend, count, "other", reference=f"R-{count}")
            yield token_of_order(order)
            yield token_of_tracking(tracking)
        off = TenantSettings(brand=BRAND, tracking_page=TrackingPage(enabled=False))
        backend.tenant("other").settings.put(off)

    @pytest.mark.parametrize("accept", ["text/html", "application/json"])
    def test_is_one_and_the_same_and_costs_one_read(self, accept: str, backend: Backend) -> None:
        tokens = list(self.gone(backend))
        faults = Faults()
        runtime.use(table=Table(faults.wrap(backend.dynamodb, "dynamodb"), TABLE_NAME))
        shown("x")
        before = len(faults.names)

        replies = [shown(token, accept=accept) for token in tokens]

        assert {reply.status for reply in replies} == {404}
        assert len({reply.text for reply in replies}) == 1
        assert len({json.dumps(reply.headers) for reply in replies}) == 1
        assert faults.names[before:] == ["dynamodb.batch_get_item"] * len(tokens)
        assert "Byrd" not in replies[0].text

    @pytest.mark.parametrize("lang", LANGUAGES)
    def test_is_a_page_in_the_language_of_the_reader(self, lang: str) -> None:
        reply = shown("x", lang)

        assert (reply.status, reply.headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert words(lang).not_found in Page(reply.text).text
        assert reply.headers["x-robots-tag"] == "noindex, nofollow"

    def test_is_a_problem_for_a_program(self) -> None:
        reply = shown("x", accept="application/json")

        assert (reply.status, reply.code) == (404, "not_found")

    def test_another_tenants_parcel_of_that_id_is_not(self, backend: Backend) -> None:
        tracking = put(backend, a_followed())
        token = token_of_tracking(tracking)
        backend.tenant().trackings.remove(tracking)
        backend.tenant("other").trackings.add(msgspec.structs.replace(tracking, tenant="other"))

        assert shown(token).status == 404

    @pytest.mark.parametrize("accept", ["text/html", "application/json"])
    def test_a_store_that_does_not_answer_is_not_taken_for_it(self, accept: str, backend: Backend) -> None:
        token = token_of_tracking(put(backend, a_followed()))
        faults = Faults().on("batch_get_item", unavailable(), times=9)
        runtime.use(table=Table(faults.wrap(backend.dynamodb, "dynamodb"), TABLE_NAME))

        reply = shown(token, "fr", accept=accept)

        assert reply.status == 500
        assert int(reply.headers["retry-after"]) > 0
        assert reply.headers["cache-control"] == "no-store"
        if accept == "text/html":
            assert words("fr").unavailable in Page(reply.text).text


class TestPrivacy:
    """Promise 12: a page shows a recipient nothing that is not theirs to see."""

    def marked(self, backend: Backend) -> list[str]:
        """Tokens of an order and of a parcel whose every text is marked, save what a page is for."""
        marks = {name: f"{MARKED}{name}" for name in ("title", "note", "order_reference", "parcel_reference")}
        customer = Customer(name=f"{MARKED}name Byrd", email=f"{MARKED}@mail.example", phone="0499887766")
        events = (
            seen("in_transit", description=f"{MARKED}description", place=f"77 {MARKED}street", city="Austin"),
            seen("in_transit", hours=1, place=f"{MARKED}name", code=f"{MARKED}code"),
            seen("in_transit", hours=2, city="Mr Byrd", state="0499887766", country=f"{MARKED}@mail.example"),
            seen("delivered", hours=3, place=f"Signed {MARKED}signature", postcode=f"{MARKED}9"),
        )
        followed = put(
            backend,
            a_followed(customer=customer, metadata={MARKED: MARKED}, **marks),
            *events,
            signed_by=Saying(NOON, f"{MARKED}signature"),
            estimated_delivery=Saying(NOON, f"Friday, for {MARKED}name"),
            proof=ProofOfDelivery(image_url=f"https://{MARKED}.example/1.jpg"),
        )
        person = Address(
            name=f"{MARKED}name",
            company=f"{MARKED}company",
            phone="0499887766",
            email=f"{MARKED}@mail.example",
            line1=f"77 {MARKED}street",
            city=f"{MARKED}city",
            country="US",
        )
        price = Money("77.31", "USD")  # type: ignore[arg-type]
        order, (tracking,) = bought(
            backend, ship_to=person, ship_from=person, reference=f"{MARKED}-1", metadata={MARKED: MARKED}
        )
        priced = order.changed(at=NOON, price=price, carrier_order_number=f"{MARKED}-N")
        backend.tenant().orders.save(order, priced)
        call_first = Saying(NOON, "Friday, call 0499 887 766")
        told = merge(
            tracking, [seen("in_transit")], source=Source.POLL, at=NOON, estimated_delivery=call_first
        )
        backend.tenant().trackings.save(tracking, told)
        return [token_of_tracking(followed), token_of_order(order)]

    @pytest.mark.parametrize("accept", ["text/html", "application/json"])
    def test_promise_12_no_name_street_telephone_email_or_price(self, accept: str, backend: Backend) -> None:
        for token in self.marked(backend):
            reply = shown(token, accept=accept)

            assert reply.status == 200
            said = (reply.text + json.dumps(reply.headers)).casefold()
            for text in (MARKED, "byrd", "0499", "887", "77.31", "usd", "mail.example", TENANT):
                assert text not in said, text
        assert "Austin" in reply.text

    @pytest.mark.parametrize(
        ("name", "place"),
        [
            ("Ada Byrd", "深圳市科技园\uff11\uff12号"),
            ("Ada Byrd", "a.b\uff20mail.example"),
            ("王明", "王明"),
            ("王明", "由王明代收"),
            ("王小明", "王小明签收"),
            ("\uff22\uff59\uff52\uff44", "Mr Byrd"),
            ("Byrd", "\uff2d\uff52 \uff22\uff59\uff52\uff44"),
            ("山田 花子", "花子様"),
        ],
    )
    def test_a_place_is_left_out_in_whatever_letters_it_names_somebody(
        self, name: str, place: str, backend: Backend
    ) -> None:
        tracking = put(
            backend,
            a_followed(customer=Customer(name=name)),
            seen("in_transit", place=place, city="深圳"),
        )
        (parcel,) = data(token_of_tracking(tracking))["parcels"]
        assert parcel["events"][0]["location"] == {
            "city": "深圳", "state": None, "country": None, "text": None
        }  # fmt: skip

    def test_a_preview_says_whose_page_it_is_and_nothing_of_the_parcel(self, backend: Backend) -> None:
        backend.tenant().settings.put(TenantSettings(brand=BRAND))
        tracking = put(backend, a_followed(), seen("delivered"))

        page = Page(shown(token_of_tracking(tracking)).text)

        previews = {one["property"]: one["content"] for one in page.of("meta") if "property" in one}
        assert previews == {
            "og:type": "website",
            "og:title": "Your parcel from Byrd Tools",
            "og:description": words("en").preview,
            "og:locale": "en",
        }
        assert {"name": "robots", "content": "noindex,nofollow"} in page.of("meta")

    def test_a_token_is_in_no_answer_and_no_log(self, backend: Backend, logged: Any) -> None:
        token = token_of_tracking(put(backend, a_followed()))

        assert token not in shown(token).text + shown(token, accept="application/json").text
        assert token not in logged()


class TestWhatOthersWrote:
    def test_is_shown_as_text(self, backend: Backend) -> None:
        """In every field that a client or a carrier can set, also past the checks of the settings."""
        brand = Brand(
            name=ATTACK,
            logo_url=f"https://shop.example;{ATTACK}".replace(" ", ""),
            colour=f"#fff;}}{ATTACK}",
            support_url=f"https://shop.example/{ATTACK}".replace(" ", ""),
            support_email=ATTACK,
        )
        backend.tenant().settings.put(TenantSettings(brand=brand))
        texts = dict.fromkeys(
            (
                "code",
                "description",
                "city",
                "state",
                "country",
                "place",
                "sub_status",
                "carrier",
                "utc_offset",
            ),
            ATTACK,
        )
        tracking = put(
            backend,
            a_followed(ATTACK, code=ATTACK, title=ATTACK),
            seen("in_transit", **texts),
            seen("delivered", hours=1, **texts),
            next_carrier=NextCarrier(NOON, ATTACK, ATTACK, followed=True),
            signed_by=Saying(NOON, ATTACK),
        )
        waiting = put(
            backend,
            a_tracking(),
            seen("in_transit", city='Smith & "Sons"'),
            estimated_delivery=Saying(NOON, "<b>soon</b>"),
        )

        reply = shown(token_of_tracking(tracking))
        page = Page(reply.text)

        assert not {"script", "img", "b"} & {tag for tag, _ in page.tags}
        assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
        assert "<script>alert(1)" in page.text
        assert ATTACK not in reply.text
        assert "shop.example" not in reply.headers["content-security-policy"]
        assert "alert" not in re.findall("<style>(.*?)</style>", reply.text, re.DOTALL)[0]
        assert "&lt;b&gt;soon" in shown(token_of_tracking(waiting)).text
        assert "Smith &amp; &quot;Sons&quot;" in shown(token_of_tracking(waiting)).text

    @pytest.mark.parametrize("lang", [ATTACK, "xx", "EN", "..", "de-CH"])
    def test_a_language_that_there_is_not_is_not_spoken(self, lang: str) -> None:
        reply = shown("x", lang, **{"accept-language": "fr"})

        assert f'lang="{"en" if lang == "EN" else "fr"}"' in reply.text
        assert "alert" not in reply.text


class TestTheAnswer:
    def test_is_for_the_reader_alone_and_loads_nothing_but_the_logo(self, backend: Backend) -> None:
        backend.tenant().settings.put(TenantSettings(brand=BRAND))
        reply = shown(token_of_tracking(put(backend, a_followed(), seen("delivered"))))
        page = Page(reply.text)

        policy = dict(
            part.strip().split(" ", 1) for part in reply.headers["content-security-policy"].split(";")
        )
        assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == "'none'"
        assert policy["frame-ancestors"] == "'none'"
        assert policy["img-src"] == "https://cdn.shop.example:8443"
        assert policy["style-src"].startswith("'sha256-")
        assert "unsafe" not in reply.headers["content-security-policy"]
        assert reply.headers["cache-control"] == "private, max-age=60"
        assert reply.headers["referrer-policy"] == "no-referrer"
        assert reply.headers["x-robots-tag"] == "noindex, nofollow"
        assert reply.headers["vary"] == "Accept, Accept-Language"
        assert "set-cookie" not in reply.headers
        assert [one["src"] for one in page.of("img")] == [BRAND.logo_url]
        assert page.of("img")[0]["alt"] == "Byrd Tools"
        assert not {"script", "link", "iframe", "form", "object"} & {tag for tag, _ in page.tags}
        links = {one["href"] for one in page.of("a")}
        assert links == {
            *(f"?lang={code}" for code in LANGUAGES),
            BRAND.support_url,
            "mailto:help@shop.example",
        }

    def test_without_a_logo_loads_no_picture(self, backend: Backend) -> None:
        reply = shown(token_of_tracking(put(backend, a_followed())))

        assert "img-src 'none'" in reply.headers["content-security-policy"]

    def test_has_its_headers_alone_for_whoever_wants_no_more(self, backend: Backend) -> None:
        token = token_of_tracking(put(backend, a_followed()))
        handler = import_module("functions.show_tracking_page.handler").handler

        whole = handler(api_event(KEY, token=token, tenant=None), None)
        head = handler(api_event("HEAD /track/{token}", token=token, tenant=None), None)

        assert head == whole | {"body": ""}

    def test_is_small_however_much_there_is_to_show(self, backend: Backend) -> None:
        backend.tenant().settings.put(TenantSettings(brand=BRAND))
        events = [
            seen("in_transit", hours=number, city="Llanfairpwllgwyngyll" * 3, sub_status="customs_hold")
            for number in range(800)
        ]
        one = token_of_tracking(put(backend, a_followed(), *events))
        order, trackings = bought(backend, 50)
        for tracking in trackings:
            after = merge(tracking, events[:100], source=Source.POLL, at=NOON)
            backend.tenant().trackings.save(tracking, after)

        for token in (one, token_of_order(order)):
            for lang in LANGUAGES:
                reply = shown(token, lang)
                assert len(reply.text.encode()) < 50_000
                assert words(lang).older_left_out in reply.text
        assert len(Page(shown(one).text).of("time")) > 30

    def test_has_one_heading_of_each_kind_and_a_name_for_all_parts(self, backend: Backend) -> None:
        page = Page(shown(token_of_tracking(put(backend, a_followed(), seen("delivered")))).text)

        tags = [tag for tag, _ in page.tags]
        assert [tags.count(tag) for tag in ("h1", "main", "header", "nav", "title")] == [1] * 5
        assert page.of("nav") == [{"aria-label": "Language"}]
        assert [one["lang"] for one in page.of("a")] == list(LANGUAGES)
        assert [one["lang"] for one in page.of("a") if "aria-current" in one] == ["en"]

    @pytest.mark.parametrize("colour", ["#000000", "#ffffff", "#ffe600", "#777777", "#1a7f5a", "#ff0000"])
    def test_can_be_read_whatever_the_merchants_colour(self, colour: str, backend: Backend) -> None:
        backend.tenant().settings.put(TenantSettings(brand=Brand(colour=colour)))
        style = shown("x").text + shown(token_of_tracking(put(backend, a_followed()))).text

        assert f"--brand:{colour};--ink:{ink(colour)}" in style
        assert contrast(ink(colour), colour) >= ENOUGH
        for paper in ("#ffffff", "#15181c"):
            assert f"--paper:{paper};--link:{readable(colour, paper)}" in style
            assert contrast(readable(colour, paper), paper) >= ENOUGH


class TestLinks:
    def test_stand_in_events_for_merchants_too(self, backend: Backend) -> None:
        order, (tracking,) = bought(backend)
        shows = rendering(Site.at("https://api.test", runtime.table.page_tokens.token))

        for link in (
            json.loads(shows.order(order, {}))["links"]["tracking_page"],
            json.loads(shows.tracking(tracking, None))["tracking_page"],
        ):
            assert link.startswith("https://api.test/track/")
            assert shown(link.rpartition("/")[2]).status == 200

    def test_are_in_every_answer_that_shows_a_tracking(self, backend: Backend) -> None:
        order, (tracking,) = bought(backend)
        link = call("GET /v1/trackings/{id}", id=tracking.id).json()["tracking_page"]

        (listed,) = call("GET /v1/trackings").json()["data"]
        (of_order,) = call("GET /v1/orders/{id}/tracking", id=order.id).json()["data"]

        assert listed["tracking_page"] == of_order["tracking_page"] == link

    def test_are_left_out_of_an_answer_rather_than_to_hold_it_up(self, backend: Backend) -> None:
        tracking = put(backend, a_followed())
        faults = Faults().when(
            lambda one: one.method == "get_item" and one.arguments["Key"]["pk"] == {"S": "PAGES"},
            unavailable(),
        )
        runtime.use(table=Table(faults.wrap(backend.dynamodb, "dynamodb"), TABLE_NAME))

        reply = call("GET /v1/trackings/{id}", id=tracking.id)

        assert (reply.status, reply.json()["tracking_page"]) == (200, None)


class TestWords:
    @pytest.mark.parametrize("code", LANGUAGES)
    def test_there_are_some_for_all_that_can_happen(self, code: str) -> None:
        """A new status or sub-status fails here until each language has its words."""
        spoken = words(code)

        assert set(spoken.statuses) == set(TrackingStatus)
        assert set(spoken.sub_statuses) == sub_statuses()
        assert len(spoken.months) == 12
        assert all(msgspec.to_builtins(spoken).values())
        for name in ("parcel", "parcels", "title_of", "date_form", "moment_form"):
            fields = re.findall(r"\{(\w+)\}", getattr(spoken, name))
            assert sorted(fields) == sorted(re.findall(r"\{(\w+)\}", getattr(words("en"), name)))

    def test_no_two_languages_have_the_same_words(self) -> None:
        for status in TrackingStatus:
            assert len({words(code).statuses[status] for code in LANGUAGES}) == len(LANGUAGES)


def sub_statuses() -> set[str]:
    """Every sub-status that the tables of a carrier or an aggregator have, and those of the contract."""
    found = {
        "arrived_at_hub",
        "at_delivery_facility",
        "in_destination_country",
        "customs_cleared",
        "dispatched",
        "left_airport",
        "customs_hold",
        "refused",
        "unclaimed",
        "address_problem",
        "rescheduled",
        "oversize",
    }
    for package in (*registry.CARRIERS.values(), *registry.AGGREGATORS.values()):
        for table in vars(import_module(f"{package}.codes")).values():
            for meaning in table.values() if isinstance(table, dict) else ():
                named = getattr(meaning, "sub_status", None)
                if named is None and isinstance(meaning, tuple) and len(meaning) == 2:
                    named = meaning[1]
                if isinstance(named, str):
                    found.add(named)
    return found
