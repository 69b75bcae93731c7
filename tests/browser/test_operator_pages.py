"""The operator's pages of the console: webhooks, inbox, dead letters, accounts, settings, attention."""

import re

from playwright.sync_api import Page, expect

from parcelgate.domain.merchants.events import EventType
from parcelgate.domain.orders import OrderStatus
from parcelgate.domain.problems import Problem
from parcelgate.services.endpoints.calls import NOT_SUCCESS, Result
from tests.support.api import TENANT
from tests.support.console import sign_in
from tests.support.endpoints import OK
from tests.support.orders import an_event, an_order
from tests.support.served import QUEUES, ServedWorld

SHOP = "https://shop.example/hooks"
CARD = "service,destination_country,weight_up_to,price,currency\n"
LOST = Problem(code="outcome_unknown", detail="The answer of the carrier was lost.")


def test_an_endpoint_is_made_tested_paused_and_deleted(page: Page, served_world: ServedWorld) -> None:
    sign_in(page, served_world, at="webhooks")
    page.get_by_role("button", name="New endpoint").click()
    page.get_by_label("Address").fill("http://shop.example/hooks")
    page.get_by_role("button", name="Create the endpoint").click()
    expect(page.get_by_label("Address")).to_have_accessible_description(re.compile("https"))

    page.get_by_label("Address").fill(SHOP)
    page.get_by_label("Only these").check()
    page.get_by_label("order.failed").check()
    for name in ("label.ready", "label.unavailable"):
        page.get_by_label(name).check()
    page.get_by_role("button", name="Create the endpoint").click()
    secret = page.get_by_label("Secret", exact=True).input_value()
    assert secret.startswith("whsec_")
    page.get_by_role("button", name="Go to the endpoint").click()
    expect(page.get_by_text("label.*", exact=True)).to_be_visible()
    expect(page.get_by_text("order.failed", exact=True)).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Deliveries")).to_be_visible()
    assert secret not in page.content(), "the secret is shown once"

    page.get_by_role("button", name="Send a test").click()
    expect(page.get_by_role("cell", name="delivered")).to_be_visible()
    with served_world.hold() as world:
        (ping,) = world.endpoints.of(SHOP)
        assert ping.signed_by(secret)

    page.get_by_role("button", name="Pause").click()
    page.get_by_role("dialog").get_by_role("button", name="Pause").click()
    expect(page.get_by_text("paused", exact=True)).to_be_visible()
    page.get_by_role("button", name="Enable").click()
    expect(page.get_by_text("enabled", exact=True)).to_be_visible()
    page.get_by_role("button", name="Rotate the secret").click()
    page.get_by_role("dialog").get_by_role("button", name="Rotate the secret").click()
    expect(page.get_by_label("Secret", exact=True)).not_to_have_value(secret)

    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="No, go back").click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("No endpoint is set up.")).to_be_visible()


def test_a_delivery_that_failed_is_replayed_under_the_same_id(page: Page, served_world: ServedWorld) -> None:
    gone = Result(ms=5, status=410, body="we <b>moved</b>", error=NOT_SUCCESS)
    with served_world.hold() as world:
        world.endpoints.script(SHOP, [gone], then=OK)
    sign_in(page, served_world, at="webhooks/new")
    page.get_by_label("Address").fill(SHOP)
    page.get_by_role("button", name="Create the endpoint").click()
    page.get_by_role("button", name="Go to the endpoint").click()
    page.get_by_role("button", name="Send a test").click()

    expect(page.get_by_role("cell", name="failed")).to_be_visible()
    page.get_by_text("1 attempt").click()
    expect(page.get_by_text("we <b>moved</b>")).to_be_visible()
    page.reload()
    expect(page.get_by_text("it answered 410")).to_be_visible()
    page.get_by_role("button", name="Enable").click()
    page.get_by_role("button", name="Replay").click()
    expect(page.get_by_role("cell", name="delivered")).to_be_visible()
    with served_world.hold() as world:
        first, second = world.endpoints.ids(SHOP)
        assert first == second


def test_every_type_of_event_can_be_chosen(page: Page, served_world: ServedWorld) -> None:
    sign_in(page, served_world, at="webhooks/new")
    page.get_by_label("Only these").check()

    offered = {box.get_attribute("name") for box in page.locator("input[type=checkbox]").all()}

    # A ping is sent for the asking alone.
    assert {name for name in offered if name and "*" not in name} == {*EventType} - {"ping"}


def test_a_case_is_resolved(page: Page, served_world: ServedWorld) -> None:
    with served_world.hold() as world:
        order = an_order(status=OrderStatus.NEEDS_ATTENTION, problem=LOST, watch_at=None, at=world.clock.now)
        world.table.tenant(TENANT).orders.add(order, an_event(at=world.clock.now))
    sign_in(page, served_world)

    row = page.get_by_role("row", name=order.reference)
    expect(row).to_contain_text("Nobody can tell whether the carrier has the order.")
    row.get_by_role("button", name="Not at the carrier").click()
    page.get_by_role("dialog").get_by_role("button", name="Close it").click()

    expect(page.get_by_text("Nothing needs a person.")).to_be_visible()
    with served_world.hold() as world:
        assert world.order(order).status is OrderStatus.FAILED


def test_a_parked_webhook_is_replayed(page: Page, served_world: ServedWorld) -> None:
    with served_world.hold() as world:
        inbox = world.table.tenant(TENANT).inbox
        for body in (b"secret words", b"others"):
            inbox.put(carrier="lme", account="default", body=body, now=world.clock.now, parked="not JSON")
    sign_in(page, served_world, at="inbox")

    expect(page.get_by_role("row").filter(has_text="not JSON")).to_have_count(2)
    page.get_by_role("rowheader").filter(has_text="lme-").first.get_by_role("link").click()
    expect(page.get_by_role("heading", name="Webhook of a carrier")).to_be_visible()
    assert "secret words" not in page.content()
    with page.expect_response(lambda answer: answer.url.endswith("/replay")) as answer:
        page.get_by_role("button", name="Replay").click()

    assert answer.value.status == 202
    expect(page.get_by_role("button", name="Replay")).to_be_visible()
    expect(page.get_by_text("parked", exact=True)).to_be_visible()
    page.get_by_role("button", name="Dismiss").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("How was it dealt with?").fill("<i>Garbage</i>")
    dialog.get_by_role("button", name="Dismiss").click()
    expect(page.get_by_text(re.compile(r"by .+: <i>Garbage</i>"))).to_be_visible()
    expect(page.get_by_role("button", name="Replay")).to_have_count(0)


def test_dead_letters_are_sent_again_after_a_question(page: Page, served_world: ServedWorld) -> None:
    with served_world.hold() as world:
        world.sqs.send_message(
            QueueUrl=f"{QUEUES}/letters-labels", MessageBody='{"tenant": "acme", "order_id": "ord_1"}'
        )
    sign_in(page, served_world, at="inbox")

    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="labels"))
    expect(row.get_by_role("cell", name="1", exact=True)).to_be_visible()
    row.get_by_role("button", name="Redrive").click()
    page.get_by_role("dialog").get_by_role("button", name="No, go back").click()
    assert not [call for call in served_world.calls if "redrive" in call.path]
    row.get_by_role("button", name="Redrive").click()
    page.get_by_role("dialog").get_by_role("button", name="Redrive").click()

    expect(page.get_by_text("1 message of labels went back")).to_be_visible()
    expect(row.get_by_role("cell", name="0", exact=True)).to_be_visible()


def test_an_account_is_checked_and_gets_a_rate_card(page: Page, served_world: ServedWorld) -> None:
    with served_world.hold() as world:
        world.put_account("ubi", {"token": "t", "secret": "s"})
        world.table.tenant(TENANT).account_names.add("ubi", "default")
    sign_in(page, served_world, at="accounts")
    page.get_by_role("link", name="ubi, default").click()
    page.get_by_role("button", name="Check the login now").click()
    expect(page.get_by_text("The carrier accepts the account's login.")).to_be_visible()

    expect(page.get_by_text("This account has no rate card.")).to_be_visible()
    _upload(page, f"{CARD}*,AU,500 g,12.50,AUD\n*,AU,heavy,<b>13</b>,AUD\n")
    wrong = page.get_by_role("table", name="Wrong lines").get_by_role("row")
    expect(wrong).to_have_count(3)
    expect(wrong.nth(1)).to_contain_text("*,AU,heavy,<b>13</b>,AUD")
    expect(page.get_by_text("This account has no rate card.")).to_be_visible()

    _upload(page, f"{CARD}*,AU,500 g,12.50,AUD\n*,NZ,1 kg,14.00,AUD\n")
    expect(page.get_by_text("The rate card is stored: 2 rows.")).to_be_visible()
    expect(page.get_by_role("table", name="Rows of the rate card").get_by_role("row")).to_have_count(3)
    with page.expect_download() as download:
        page.get_by_role("button", name="Take it away as CSV").click()
    assert download.value.path().read_text("utf-8-sig").splitlines()[1] == "*,AU,500 g,12.50,AUD"

    page.get_by_role("button", name="Delete the rate card").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete the rate card").click()
    expect(page.get_by_text("This account has no rate card.")).to_be_visible()


def test_the_calls_of_an_account_are_paused_and_resumed(page: Page, served_world: ServedWorld) -> None:
    with served_world.hold() as world:
        world.put_account("ubi", {"token": "t", "secret": "s"})
        world.table.tenant(TENANT).account_names.add("ubi", "default")
    sign_in(page, served_world, at="accounts")
    page.get_by_role("link", name="ubi, default").click()
    page.get_by_role("button", name="Pause the calls").click()
    page.get_by_role("dialog").get_by_label("Reason").fill("<b>They</b> move.")
    page.get_by_role("dialog").get_by_role("button", name="Pause the calls").click()
    expect(page.get_by_text(re.compile(r"by .+: <b>They</b> move\."))).to_be_visible()

    page.get_by_role("link", name="All carrier accounts").click()
    listed = page.get_by_role("table", name="Carrier accounts").get_by_role("row").nth(1)
    expect(listed).to_contain_text(re.compile(r"paused\s*since .+ by .+: <b>They</b> move\."))

    page.get_by_role("link", name="Today").click()
    entry = page.get_by_role("table", name="What needs a person").get_by_role("row").nth(1)
    expect(entry).to_contain_text("account_paused")
    entry.get_by_role("button", name="Resume the calls").click()
    expect(page.get_by_text("The calls of ubi/default are made again.")).to_be_visible()
    expect(page.get_by_text("Nothing needs a person.")).to_be_visible()


def _upload(page: Page, text: str) -> None:
    card = {"name": "card.csv", "mimeType": "text/csv", "buffer": text.encode()}
    page.get_by_label("A rate card").set_input_files(card)  # type: ignore[arg-type]
    page.get_by_role("button", name="Upload").click()


def test_settings_are_stored_and_mistakes_stand_at_their_fields(
    page: Page, served_world: ServedWorld
) -> None:
    sign_in(page, served_world, at="settings")
    page.get_by_label("Name").fill("<b>Byrd</b> & sons")
    page.get_by_label("Colour", exact=True).fill("#1A7F5A")
    page.get_by_label("Address of the logo").fill("http://shop.example/logo.png")
    page.get_by_label("E-mail").fill("help@shop.example")
    expect(page.get_by_label("Preview")).to_contain_text("<b>Byrd</b> & sons")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("Address of the logo")).to_have_accessible_description(re.compile("https"))

    page.get_by_label("Address of the logo").fill("https://shop.example/logo.png")
    page.get_by_role("switch").uncheck()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The settings are stored.")).to_be_visible()

    page.reload()
    expect(page.get_by_label("Name")).to_have_value("<b>Byrd</b> & sons")
    expect(page.get_by_label("Colour", exact=True)).to_have_value("#1a7f5a")
    expect(page.get_by_role("switch")).not_to_be_checked()
    expect(page.get_by_label("Preview")).to_contain_text("the page is switched off")
