"""Reading trackings: one with its timeline, and lists."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from parcelgate.domain.clock import rfc3339
from parcelgate.domain.trackings import Tracking, TrackingStatus
from parcelgate.http import answers
from tests.support.api import Backend, call
from tests.support.orders import NOON, an_event, an_order
from tests.support.trackings import a_followed, a_tracking, seen


def some(backend: Backend, count: int, **more: Any) -> list[Tracking]:
    """Trackings a minute apart, oldest first."""
    made = [a_followed(f"N{number}", at=NOON + timedelta(minutes=number), **more) for number in range(count)]
    for tracking in made:
        backend.tenant().trackings.add(tracking)
    return made


class TestOne:
    def test_is_shown_with_its_timeline_and_its_next_poll(self, backend: Backend) -> None:
        tracking = a_followed(status=TrackingStatus.IN_TRANSIT, events=(seen("in_transit"),))
        backend.tenant().trackings.add(tracking)

        shown = call("GET /v1/trackings/{id}", id=tracking.id).json()

        assert (shown["id"], shown["status"]) == (tracking.id, "in_transit")
        assert [event["status"] for event in shown["events"]] == ["in_transit"]
        assert shown["next_poll_at"] == shown["created_at"]
        backend.tenant().trackings.schedule(tracking.id, None)
        assert call("GET /v1/trackings/{id}", id=tracking.id).json()["next_poll_at"] is None

    @pytest.mark.parametrize("tracking_id", ["trk_1", "x" * 600, "..", "a b", "T#acme#TRACKING", "ümlaut"])
    def test_that_there_is_not_is_not_found(self, tracking_id: str, backend: Backend) -> None:
        assert call("GET /v1/trackings/{id}", id=tracking_id).code == "not_found"

    def test_of_another_tenant_is_not_found(self, backend: Backend) -> None:
        (tracking,) = some(backend, 1)

        assert call("GET /v1/trackings/{id}", id=tracking.id, tenant="other").code == "not_found"

    @pytest.mark.parametrize("path", ["", "/{id}"])
    def test_is_read_with_the_scope_for_it(self, path: str, backend: Backend) -> None:
        (tracking,) = some(backend, 1)
        parameters = {"id": tracking.id} if path else {}

        assert call(f"GET /v1/trackings{path}", scopes="trackings:read", **parameters).status == 200
        refused = call(f"GET /v1/trackings{path}", scopes="trackings:write", **parameters)
        assert refused.code == "missing_scope"
        assert call(f"GET /v1/trackings{path}", tenant=None, **parameters).code == "invalid_key"


class TestTheList:
    def test_comes_newest_first_in_full_pages(self, backend: Backend) -> None:
        trackings = some(backend, 5)
        seen_ids: list[str] = []
        query = {"limit": "2"}
        sizes = []
        while True:
            page = call("GET /v1/trackings", query=query).json()
            sizes.append(len(page["data"]))
            seen_ids += [one["id"] for one in page["data"]]
            if page["next_cursor"] is None:
                break
            query = {"limit": "2", "cursor": page["next_cursor"]}

        assert sizes == [2, 2, 1]
        assert seen_ids == [tracking.id for tracking in reversed(trackings)]

    def test_is_filtered_by_status_and_carrier(self, backend: Backend) -> None:
        some(backend, 2)
        store = backend.tenant().trackings
        own = a_tracking(order_id="ord_1")
        store.add(own)
        there = a_followed("THERE", status=TrackingStatus.DELIVERED)
        store.add(there)

        def ids(**query: str) -> set[str]:
            return {one["id"] for one in call("GET /v1/trackings", query=query).json()["data"]}

        assert ids(status="delivered") == {there.id}
        assert ids(carrier="lso") == {own.id}
        assert len(ids(carrier="trackingmore")) == 3
        assert ids(carrier="trackingmore", status="delivered") == {there.id}
        assert ids(carrier="LSO") == {own.id}

    def test_is_of_a_number_a_courier_or_an_order(self, backend: Backend) -> None:
        order = backend.put(an_order(), an_event())
        known = msgspec.structs.replace(order.parcels[0], tracking_id="trk_1")
        earlier = a_tracking(id="trk_0", tracking_number="T-0", order_id=order.id)
        now = a_tracking(id="trk_1", tracking_number="T-1", order_id=order.id)
        after = order.changed(at=NOON, parcels=(known,), earlier_tracking_ids=("trk_0",))
        backend.tenant().orders.save(order, after, trackings=(earlier, now))
        followed = a_followed("rr 1 cn", code="dhl")
        backend.tenant().trackings.add(followed)

        def ids(tenant: str = "acme", **query: str) -> list[str]:
            reply = call("GET /v1/trackings", query=query, tenant=tenant)
            return [one["id"] for one in reply.json()["data"]]

        assert ids(tracking_number="RR1 cn") == ids(carrier_code=" DHL") == [followed.id]
        assert ids(order_id=order.id) == ["trk_1", "trk_0"]
        assert ids(order_id=order.id, tracking_number="t-0") == ["trk_0"]
        first = call("GET /v1/trackings", query={"order_id": order.id, "limit": "1"}).json()
        assert ids(order_id=order.id, cursor=first["next_cursor"]) == ["trk_0"]
        assert ids(order_id="ord_x") == ids(order_id="../#" * 60) == ids(carrier_code="ups") == []
        assert ids(created_before=rfc3339(NOON)) == []
        assert ids("other", order_id=order.id) == ids("other", tracking_number="T-1") == []

    def test_shows_the_next_poll_of_each(self, backend: Backend) -> None:
        first, _ = some(backend, 2)
        backend.tenant().trackings.schedule(first.id, None)

        data = call("GET /v1/trackings").json()["data"]

        assert [one["next_poll_at"] is None for one in data] == [False, True]

    def test_of_long_timelines_is_cut_to_what_an_answer_can_hold(
        self, backend: Backend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        trackings = some(backend, 3)
        monkeypatch.setattr(answers, "LARGEST_PAGE", 1500)

        page = call("GET /v1/trackings").json()

        assert [one["id"] for one in page["data"]] == [t.id for t in (trackings[2], trackings[1])]
        rest = call("GET /v1/trackings", query={"cursor": page["next_cursor"]}).json()
        assert [one["id"] for one in rest["data"]] == [trackings[0].id]
        assert rest["next_cursor"] is None

    @pytest.mark.parametrize(
        ("query", "errors"),
        [
            ({"status": "lovely"}, {"/status": "unknown_value"}),
            ({"status": "accepted"}, {"/status": "unknown_value"}),
            ({"limit": "0"}, {"/limit": "out_of_range"}),
            ({"limit": "101"}, {"/limit": "out_of_range"}),
            ({"limit": "many"}, {"/limit": "type"}),
            ({"cursor": "nonsense"}, {"/cursor": "format"}),
            ({"reference": "R"}, {"/reference": "unknown_field"}),
            ({"limit": "0", "colour": "red"}, {"/limit": "out_of_range", "/colour": "unknown_field"}),
        ],
    )
    def test_refuses_what_it_does_not_know(
        self, query: dict[str, str], errors: dict[str, str], backend: Backend
    ) -> None:
        reply = call("GET /v1/trackings", query=query)

        assert (reply.status, reply.errors) == (422, errors)

    def test_gives_no_page_for_the_cursor_of_another_list(self, backend: Backend) -> None:
        some(backend, 2)
        cursor = call("GET /v1/trackings", query={"limit": "1"}).json()["next_cursor"]

        reply = call("GET /v1/trackings", query={"cursor": cursor, "carrier": "lso"})

        assert reply.errors == {"/cursor": "format"}

    def test_is_the_tenants_own(self, backend: Backend) -> None:
        some(backend, 1)

        assert call("GET /v1/trackings", tenant="other").json() == {"data": [], "next_cursor": None}
