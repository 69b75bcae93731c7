"""Many orders at the same moment."""

from concurrent.futures import ThreadPoolExecutor

from tests.stack.shop import Shop, order_body

ORDERS = 20
"""More than twice the workers that any queue has here."""


def test_twenty_orders_at_once_are_twenty_labels_and_twenty_commits(shop: Shop) -> None:
    references = [f"burst-{number}" for number in range(ORDERS)]

    with ThreadPoolExecutor(ORDERS) as pool:
        created = list(pool.map(shop.post, references))
    orders = [shop.settled(order["id"]) for order in created]

    assert {order["status"] for order in orders} == {"confirmed"}
    assert {order["label"]["status"] for order in orders} == {"ready"}
    booked = [entry["reference"] for entry in shop.ledger()["orders"] if entry["reference"] in references]
    assert sorted(booked) == sorted(references)


def test_one_reference_twice_at_the_same_instant_is_one_order_and_one_commit(shop: Shop) -> None:
    body = order_body("stack-twice")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: shop.http.post("/v1/orders", json=body), range(8)))

    accepted = [answer for answer in answers if answer.status_code == 202]
    refused = [answer for answer in answers if answer.status_code == 409]
    assert (len(accepted), len(refused)) == (1, 7), [answer.text for answer in answers]
    order_id = accepted[0].json()["id"]
    for answer in refused:
        assert answer.json()["code"] == "reference_in_use"
        assert answer.json()["order_id"] == order_id
        assert answer.headers["location"].endswith(f"/v1/orders/{order_id}")
    shop.settled(order_id)
    assert len(shop.booked("stack-twice")) == 1
