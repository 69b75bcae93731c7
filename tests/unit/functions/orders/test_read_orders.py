"""Reading orders: one, many, and what happened to one. Another tenant's order does not exist."""

from datetime import timedelta

import msgspec
import pytest

from parcelgate.domain.clock import rfc3339
from parcelgate.domain.orders import Actor, Order, OrderEvent, OrderStatus
from parcelgate.domain.problems import CarrierWords, Problem
from parcelgate.domain.trackings import Source, merge
from parcelgate.http import answers
from tests.support.api import Backend, call
from tests.support.orders import NOON, an_event, an_order
from tests.support.trackings import a_tracking, seen, told

UNKNOWN = ["ord_01JD", "x" * 600, "..", "a b", "ord_%00", "T#acme#ORDER", "ümlaut"]


def some_orders(backend: Backend, count: int) -> list[Order]:
    """Orders a minute apart, oldest first."""
    return [
        backend.put(an_order(reference=f"R-{number}", at=NOON + timedelta(minutes=number)), an_event(at=NOON))
        for number in range(count)
    ]


def confirmed(backend: Backend, **more: object) -> Order:
    """An order that the carrier has confirmed."""
    accepted = backend.put(an_order(**more), an_event())  # type: ignore[arg-type]
    orders = backend.tenant(accepted.tenant).orders
    sent = accepted.move(OrderStatus.PROCESSING, at=NOON, watch_at=NOON)
    orders.save(accepted, sent, an_event("order.processing"))
    parcel = msgspec.structs.replace(accepted.parcels[0], tracking_number="1Z", tracking_id="trk_1")
    done = sent.move(
        OrderStatus.CONFIRMED, at=NOON, watch_at=NOON, carrier_order_number="L1", parcels=(parcel,)
    )
    tracking = a_tracking(
        accepted.tenant, id="trk_1", order_id=accepted.id, parcel_reference=parcel.reference
    )
    words = CarrierWords("LSO", "200", "done")
    event = OrderEvent(
        at=NOON,
        type="order.confirmed",
        actor=Actor.CARRIER,
        from_=OrderStatus.PROCESSING,
        to=OrderStatus.CONFIRMED,
        carrier=words,
    )
    orders.save(sent, done, event, trackings=[tracking])
    return done


class TestOneOrder:
    def test_is_shown(self, backend: Backend) -> None:
        order = confirmed(backend)

        shown = call("GET /v1/orders/{id}", id=order.id).json()

        assert shown["status"] == "confirmed"
        assert shown["tracking_numbers"] == ["1Z"]
        assert shown["parcels"][0]["weight"] == {"value": 1.5, "unit": "lb"}
        assert not {"submission", "watch_at", "version", "tenant"} & set(shown)

    def test_says_why_it_failed_in_the_form_of_a_problem(self, backend: Backend) -> None:
        accepted = backend.put(an_order(), an_event())
        problem = Problem(
            code="refused_by_carrier", detail="No.", carrier=CarrierWords("LSO", "1001", "bad address")
        )
        failed = accepted.move(OrderStatus.FAILED, at=NOON, watch_at=None, problem=problem)
        backend.tenant().orders.save(accepted, failed, an_event("order.failed"))

        shown = call("GET /v1/orders/{id}", id=accepted.id).json()["problem"]

        assert shown["type"].endswith("/problems/refused_by_carrier")
        assert (shown["status"], shown["order_id"]) == (422, accepted.id)
        assert shown["carrier"] == {"name": "LSO", "code": "1001", "message": "bad address"}

    @pytest.mark.parametrize("path", ["", "/events", "/tracking"])
    def test_of_another_tenant_is_not_found(self, path: str, backend: Backend) -> None:
        order = confirmed(backend)

        reply = call(f"GET /v1/orders/{{id}}{path}", id=order.id, tenant="other")

        assert (reply.status, reply.code) == (404, "not_found")

    @pytest.mark.parametrize("path", ["", "/events", "/tracking"])
    @pytest.mark.parametrize("order_id", UNKNOWN)
    def test_of_an_impossible_id_is_not_found(self, order_id: str, path: str, backend: Backend) -> None:
        reply = call(f"GET /v1/orders/{{id}}{path}", id=order_id)

        assert (reply.status, reply.code) == (404, "not_found")

    @pytest.mark.parametrize("path", ["", "/{id}", "/{id}/events", "/{id}/tracking"])
    def test_is_read_with_the_scope_for_it(self, path: str, backend: Backend) -> None:
        order = backend.put(an_order(), an_event())
        parameters = {"id": order.id} if path else {}

        assert call(f"GET /v1/orders{path}", scopes="orders:read", **parameters).status == 200
        assert call(f"GET /v1/orders{path}", scopes="orders:write", **parameters).code == "missing_scope"
        assert call(f"GET /v1/orders{path}", tenant=None, **parameters).code == "invalid_key"

    def test_has_its_trail_oldest_first(self, backend: Backend) -> None:
        order = confirmed(backend)

        trail = call("GET /v1/orders/{id}/events", id=order.id).json()["data"]

        assert [event["type"] for event in trail] == ["order.accepted", "order.processing", "order.confirmed"]
        assert trail[-1] == {
            "at": rfc3339(NOON),
            "type": "order.confirmed",
            "from": "processing",
            "to": "confirmed",
            "actor": "carrier",
            "detail": None,
            "carrier": {"code": "200", "message": "done"},
        }

    def test_has_its_parcels_followed(self, backend: Backend) -> None:
        order = confirmed(backend)

        (tracking,) = call("GET /v1/orders/{id}/tracking", id=order.id).json()["data"]

        assert (tracking["tracking_number"], tracking["order_id"]) == ("1Z", order.id)
        assert (tracking["status"], tracking["events"]) == ("pending", [])
        assert tracking["next_poll_at"] == rfc3339(NOON)

    def test_has_the_timelines_of_its_parcels_and_when_they_are_asked_about(self, backend: Backend) -> None:
        order = confirmed(backend)
        trackings = backend.tenant().trackings
        before = trackings.get("trk_1")
        story = told(seen("delivered", hours=2), seen("in_transit", hours=1)).events
        trackings.save(before, merge(before, story, source=Source.POLL, at=NOON))
        trackings.schedule("trk_1", NOON + timedelta(hours=5))

        (tracking,) = call("GET /v1/orders/{id}/tracking", id=order.id).json()["data"]

        assert [event["status"] for event in tracking["events"]] == ["in_transit", "delivered"]
        assert tracking["delivered_at"] == rfc3339(NOON + timedelta(hours=2))
        assert tracking["next_poll_at"] == rfc3339(NOON + timedelta(hours=5))

    def test_that_is_not_confirmed_has_none_followed(self, backend: Backend) -> None:
        order = backend.put(an_order(), an_event())

        assert call("GET /v1/orders/{id}/tracking", id=order.id).json() == {"data": []}


class TestTheList:
    def test_comes_newest_first_in_full_pages(self, backend: Backend) -> None:
        orders = some_orders(backend, 5)
        seen = []
        query = {"limit": "2"}
        while True:
            page = call("GET /v1/orders", query=query).json()
            seen.append([order["id"] for order in page["data"]])
            if page["next_cursor"] is None:
                break
            query["cursor"] = page["next_cursor"]

        newest = [order.id for order in reversed(orders)]
        assert seen == [newest[:2], newest[2:4], newest[4:]]

    def test_is_of_one_s_own_orders(self, backend: Backend) -> None:
        some_orders(backend, 1)

        assert call("GET /v1/orders", tenant="other").json() == {"data": [], "next_cursor": None}

    def test_is_of_an_account_or_a_number_however_it_is_spelt(self, backend: Backend) -> None:
        order = confirmed(backend)
        backend.put(an_order(reference="R-2", account="other"), an_event())

        def found(tenant: str = "acme", **query: str) -> list[str]:
            reply = call("GET /v1/orders", query=query, tenant=tenant)
            return [one["id"] for one in reply.json()["data"]]

        for query in (
            {"tracking_number": "1 z"},
            {"carrier_order_number": " l1\u200b"},
            {"account": "default"},
            {"account": "default", "status": "confirmed", "tracking_number": "1Z", "carrier": "lso"},
        ):
            assert found(**query) == [order.id], query
            assert found("other", **query) == []
        assert found(tracking_number="1Z9") == found(account="nosuch") == found(account="a#" * 100) == []
        refused = call("GET /v1/orders", query={"tracking_number": "1\x00Z"})
        assert (refused.status, refused.errors) == (422, {"/tracking_number": "format"})

    def test_is_filtered(self, backend: Backend) -> None:
        orders = some_orders(backend, 3)
        first, second, third = orders
        moment = {"created_after": rfc3339(first.created_at), "created_before": rfc3339(third.created_at)}

        def ids(**query: str) -> list[str]:
            return [order["id"] for order in call("GET /v1/orders", query=query).json()["data"]]

        assert ids(reference="R-1") == [second.id]
        assert ids(status="accepted", limit="1") == [third.id]
        assert ids(status="confirmed") == []
        assert ids(carrier="lso") == [third.id, second.id, first.id]
        assert ids(carrier="ubi") == []
        assert ids(**moment) == [second.id]
        assert ids(created_after="2026-11-21T13:02:30 01:00", reference="") == []

    @pytest.mark.parametrize(
        ("query", "pointer", "code"),
        [
            ({"limit": "0"}, "/limit", "out_of_range"),
            ({"limit": "101"}, "/limit", "out_of_range"),
            ({"limit": "9" * 400}, "/limit", "out_of_range"),
            ({"limit": "ten"}, "/limit", "type"),
            ({"limit": "-1"}, "/limit", "type"),
            ({"limit": "٣"}, "/limit", "type"),
            ({"status": "lost"}, "/status", "unknown_value"),
            ({"status": "accepted,failed"}, "/status", "unknown_value"),
            ({"created_after": "yesterday"}, "/created_after", "format"),
            ({"created_before": "2026-11"}, "/created_before", "format"),
            ({"created_before": "0001-01-01T00:00:00+14:00"}, "/created_before", "out_of_range"),
            ({"cursor": "bm9ib2R5"}, "/cursor", "format"),
            ({"cursor": "ü"}, "/cursor", "format"),
            ({"colour": "red"}, "/colour", "unknown_field"),
        ],
    )
    def test_is_refused_for_a_bad_filter_or_cursor(
        self, query: dict[str, str], pointer: str, code: str, backend: Backend
    ) -> None:
        reply = call("GET /v1/orders", query=query)

        assert (reply.status, reply.code) == (422, "validation_failed")
        assert reply.errors == {pointer: code}

    def test_is_refused_for_a_cursor_of_another_list(self, backend: Backend) -> None:
        some_orders(backend, 3)
        cursor = call("GET /v1/orders", query={"limit": "1"}).json()["next_cursor"]

        for more in (
            {"query": {"cursor": cursor, "status": "accepted"}},
            {"query": {"cursor": cursor}, "tenant": "other"},
        ):
            assert call("GET /v1/orders", **more).errors == {"/cursor": "format"}

    def test_of_very_large_orders_is_cut_and_goes_on(
        self, backend: Backend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        orders = some_orders(backend, 3)
        monkeypatch.setattr(answers, "LARGEST_PAGE", 1)

        page = call("GET /v1/orders").json()
        rest = call("GET /v1/orders", query={"cursor": page["next_cursor"]}).json()

        assert [order["id"] for order in page["data"] + rest["data"]] == [orders[2].id, orders[1].id]
