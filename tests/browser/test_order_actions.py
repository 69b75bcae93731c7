"""What a person does about an order or a stopped part: hold, send back, ask, close a case, start again."""

from datetime import timedelta

from playwright.sync_api import Page, expect

from parcelgate.domain.orders import Order, OrderStatus, Refund
from parcelgate.domain.problems import Problem
from tests.stack.shop import BOX, ITEM, RECEIVER, SENDER
from tests.support.api import TENANT, api_event
from tests.support.console import open_page, sign_in
from tests.support.orders import an_event, an_order
from tests.support.served import QUEUES, ServedWorld
from tests.support.world import World

LOST = Problem(code="outcome_unknown", detail="The answer of the carrier was lost.")


def test_an_order_is_held_or_sent_back_once_a_person_says_yes(
    page: Page, served_sandbox_world: ServedWorld
) -> None:
    served = served_sandbox_world
    with served.hold() as world:
        held, returned = (_bought(world, carrier) for carrier in ("ubi", "lme"))
    sign_in(page, served)
    for order, button, yes, fact in (
        (held, "Hold", "Yes, hold it", "Held"),
        (returned, "Send back", "Yes, send it back", "Return asked for"),
    ):
        open_page(page, f"orders/{order['id']}", heading=f"Order {order['reference']}")
        page.get_by_role("button", name=button).click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_role("button", name="No, go back").click()
        expect(page.get_by_role("term").filter(has_text=fact)).to_have_count(0)

        page.get_by_role("button", name=button).click()
        dialog.get_by_role("button", name=yes).click()

        expect(page.get_by_role("term").filter(has_text=fact)).to_be_visible()
        expect(page.get_by_role("button", name=button)).to_have_count(0)
    asked = [call.path.rpartition("/")[2] for call in served.calls if call.method == "POST"]
    assert [each for each in asked if each in ("hold", "return")] == ["hold", "return"]


def test_an_order_without_an_answer_is_asked_about_and_then_closed(
    page: Page, served_world: ServedWorld
) -> None:
    with served_world.hold() as world:
        order = _stored(world, status=OrderStatus.NEEDS_ATTENTION, problem=LOST)
    sign_in(page, served_world, at=f"orders/{order.id}")
    expect(page.get_by_role("alert")).to_contain_text(LOST.detail)
    page.get_by_role("button", name="Ask the carrier again").click()
    expect(page.get_by_text("The carrier is being asked.")).to_be_visible()

    page.get_by_role("button", name="Not at the carrier").click()
    page.get_by_role("dialog").get_by_role("button", name="Close it").click()

    expect(page.get_by_role("button", name="Not at the carrier")).to_have_count(0)
    with served_world.hold() as world:
        assert world.order(order).status is OrderStatus.FAILED


def test_a_refund_is_closed_by_who_saw_the_money(page: Page, served_world: ServedWorld) -> None:
    with served_world.hold() as world:
        asked = Refund(status="requested", amount=world.carrier.price)
        order = _stored(world, status=OrderStatus.CANCELLED, refund=asked)
    sign_in(page, served_world, at=f"orders/{order.id}")
    page.get_by_role("button", name="Money came back").click()
    page.get_by_role("dialog").get_by_role("button", name="Close it").click()

    expect(page.get_by_role("button", name="Money came back")).to_have_count(0)
    expect(page.get_by_role("definition").filter(has_text="confirmed")).to_be_visible()
    with served_world.hold() as world:
        assert world.order(order).refund.status == "confirmed"


def test_a_stopped_account_and_a_queues_dead_letters_are_started_again_from_today(
    page: Page, served_sandbox_world: ServedWorld
) -> None:
    served = served_sandbox_world
    with served.hold() as world:
        own = world.table.tenant(TENANT)
        own.account_names.add("ubi", "default")
        own.limits("ubi", "default").failed(
            world.clock.now,
            probe=False,
            failures=1,
            window=timedelta(minutes=1),
            cool_down=timedelta(minutes=30),
            what="it did not answer",
        )
        letter = '{"tenant": "acme", "order_id": "ord_1"}'
        world.sqs.send_message(QueueUrl=f"{QUEUES}/letters-labels", MessageBody=letter)
    sign_in(page, served)
    check = page.get_by_role("button", name="Check the login")
    check.click()
    expect(page.get_by_text("The carrier was not asked: it is down")).to_be_visible()

    served.pass_time(hours=1)
    check.click()
    expect(page.get_by_text("The carrier accepts the account's login.")).to_be_visible()
    expect(check).to_have_count(0)

    page.get_by_role("button", name="Send again").click()
    page.get_by_role("dialog").get_by_role("button", name="Yes, send them again").click()
    expect(page.get_by_text("Nothing needs a person.")).to_be_visible()


def _stored(world: World, **facts: object) -> Order:
    order = an_order(watch_at=None, at=world.clock.now, **facts)
    world.table.tenant(TENANT).orders.add(order, an_event(at=world.clock.now))
    return order


def _bought(world: World, carrier: str) -> dict[str, str]:
    body = {
        "carrier": carrier,
        "reference": f"shop-{carrier}",
        "ship_to": RECEIVER,
        "ship_from": SENDER,
        "parcels": [BOX | {"items": [ITEM]}],
        **({"service": "UBI.AU2AU.AUPOST.1"} if carrier == "ubi" else {}),
    }
    answer = world._request(api_event("POST /v1/orders", body=body))
    assert answer.status == 201, answer.body
    order: dict[str, str] = answer.json()
    return order


def test_an_order_whose_recipient_was_erased_says_so_and_offers_no_label(
    page: Page, served_world: ServedWorld
) -> None:
    with served_world.hold() as world:
        order = world.settle(world.start_order("shop-17"))
        erased = world._request(api_event("POST /v1/orders/{id}/erase", body={"force": True}, id=order.id))
        assert erased.status == 200, erased.body
    sign_in(page, served_world, at=f"orders/{order.id}")

    expect(page.get_by_text("The recipient's data was erased")).to_be_visible()
    expect(page.get_by_role("heading", name="Parcels", exact=True)).to_be_visible()
    expect(page.get_by_role("heading", name="Label", exact=True)).to_have_count(0)
    assert order.ship_to.name not in page.locator("main").inner_text()
