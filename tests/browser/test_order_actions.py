"""What a person does about an order or a stopped part: hold, send back, ask, close a case, start again."""

from datetime import timedelta

from playwright.sync_api import Page, expect

from parcelgate.domain.orders import Order, OrderStatus, Refund, Trouble, Waiting, WaitingFor
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
    for order, button, yes, fact, said in (
        (held, "Hold", "Yes, hold it", "Held", "The carrier holds the order."),
        (
            *(returned, "Send back", "Yes, send it back", "Return asked for"),
            "The carrier is asked to bring the parcels back.",
        ),
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
        expect(page.get_by_role("status").filter(has_text=said)).to_be_visible()
    asked = [call.path.rpartition("/")[2] for call in served.calls if call.method == "POST"]
    assert [each for each in asked if each in ("hold", "return")] == ["hold", "return"]


def test_a_refused_hold_is_said_once_and_the_order_is_read_again(
    page: Page, served_sandbox_world: ServedWorld
) -> None:
    served = served_sandbox_world
    with served.hold() as world:
        order = _bought(world, "ubi")
    sign_in(page, served, at=f"orders/{order['id']}")
    expect(page.get_by_role("button", name="Hold")).to_be_visible()
    with served.hold() as world:
        closed = world._request(
            api_event("POST /v1/manifests", body={"carrier": "ubi", "order_ids": [order["id"]]})
        )
        assert closed.status in (200, 201), closed.body
    page.get_by_role("button", name="Hold").click()
    page.get_by_role("dialog").get_by_role("button", name="Yes, hold it").click()

    expect(page.get_by_role("dialog")).to_have_count(0)
    refusal = page.get_by_role("alert")
    expect(refusal.get_by_role("paragraph").first).to_contain_text("The carrier ubi says: ")
    expect(refusal.get_by_role("paragraph").first).to_contain_text("is closed or on its way")
    expect(refusal.get_by_role("listitem")).to_have_count(0)
    expect(page.get_by_role("term").filter(has_text="Manifest")).to_be_visible()


def test_an_order_of_a_paused_account_says_who_paused_it_and_what_it_waits_for(
    page: Page, served_world: ServedWorld
) -> None:
    words = "The calls of the ubi account default are paused since 2026-03-02 09:00 UTC by ops: They move."
    with served_world.hold() as world:
        at = world.clock.now
        trouble = Trouble("account_paused", words)
        waiting = Waiting(for_=WaitingFor.CARRIER, since=at, last_error=trouble)
        order = _stored(world, status=OrderStatus.PROCESSING, waiting=waiting)
    sign_in(page, served_world, at=f"orders/{order.id}")

    box = page.get_by_role("status").filter(has_text="It is waiting.")
    expect(box).to_contain_text(f"It is waiting. {words} It goes on when they are resumed.")
    expect(box).not_to_contain_text("by itself")
    expect(box).not_to_contain_text("Last error")
    page.get_by_role("link", name="Look at the account").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"{order.carrier}, account {order.account}")


def test_an_order_without_an_answer_is_asked_about_and_then_closed(
    page: Page, served_world: ServedWorld
) -> None:
    with served_world.hold() as world:
        order = _stored(world, status=OrderStatus.NEEDS_ATTENTION, problem=LOST)
    sign_in(page, served_world, at=f"orders/{order.id}")
    expect(page.get_by_role("alert")).to_contain_text(LOST.detail)
    page.get_by_role("button", name="Ask the carrier again").click()
    asked = page.get_by_text("The carrier is being asked.")
    expect(asked).to_be_visible()

    page.get_by_role("button", name="Not at the carrier").click()
    page.get_by_role("dialog").get_by_role("button", name="Close it").click()

    expect(page.get_by_role("button", name="Not at the carrier")).to_have_count(0)
    expect(asked).to_have_count(0)
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
