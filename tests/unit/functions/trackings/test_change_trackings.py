"""What clients do to parcels that are followed: change, correct, pause, refresh, forget."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from parcelgate.carriers.errors import OverLimitError, TooManyRequestsError, TransientError
from parcelgate.carriers.results import Waybill
from parcelgate.domain.trackings import Customer, Source, Tracking
from parcelgate.runtime import runtime
from parcelgate.services.trackings.timeline import Timelines
from parcelgate.store.trackings import Trackings
from tests.support.aggregator import FakeAggregator
from tests.support.api import TENANT, Backend, Body, Reply, call
from tests.support.orders import NOON, an_event, an_order
from tests.support.trackings import a_tracking, seen, told

type Own = Tracking


@pytest.fixture
def aggregator() -> Iterator[FakeAggregator]:
    with FakeAggregator().in_place() as standing:
        yield standing


def followed(number: str = "N1", **more: Any) -> Body:
    """A parcel that the aggregator follows."""
    reply = call("POST /v1/trackings", body={"carrier_code": "china-ems", "tracking_number": number, **more})
    assert reply.status == 201, reply.text
    shown: Body = reply.json()
    return shown


@pytest.fixture
def own(backend: Backend) -> Tracking:
    """A parcel of an order of ours."""
    order = an_order()
    tracking = a_tracking(order_id=order.id, destination_country="US")
    backend.put(order, an_event())
    trackings = backend.tenant().trackings
    trackings.add(tracking)
    return tracking


def tracking(backend: Backend, tracking_id: str) -> Tracking:
    return backend.tenant().trackings.get(tracking_id)


def next_poll(backend: Backend, tracking_id: str) -> datetime | None:
    return backend.tenant().trackings.polls([tracking_id], now=NOON)[tracking_id]


def patch(tracking_id: str, body: object, **more: Any) -> Reply:
    return call("PATCH /v1/trackings/{id}", id=tracking_id, body=body, **more)


def learns(backend: Backend, tracking_id: str, *events: Any) -> None:
    """Something has become known of the parcel."""
    timelines = runtime.timelines
    timelines.take(TENANT, tracking_id, told(*events), Source.POLL)


def dies(*_: object) -> None:
    raise RuntimeError("x")


class TestAChange:
    def test_is_told_to_the_aggregator_and_kept(self, backend: Backend, aggregator: FakeAggregator) -> None:
        one = followed(title="Old", note="Gone", customer={"name": "Ada", "phone": "12345"})
        body = {
            "title": "New",
            "note": None,
            "customer": {"email": "ada@example.com", "phone": ""},
            "order_reference": "shop-2",
            "destination_country": "de",
            "archived": True,
            "metadata": {"shelf": "7"},
        }

        reply = patch(one["id"], body)

        assert reply.status == 200
        shown = reply.json()
        assert (shown["title"], shown["note"], shown["order_reference"]) == ("New", None, "shop-2")
        assert shown["customer"] == {"name": "Ada", "email": "ada@example.com", "phone": None}
        assert (shown["destination_country"], shown["archived"], shown["metadata"]) == (
            "DE",
            True,
            {"shelf": "7"},
        )
        (amendment,) = aggregator.amended
        assert amendment.waybill == Waybill("china-ems", "N1")
        assert (amendment.title, amendment.note, amendment.archived) == ("New", "", True)
        assert amendment.customer == Customer(name="Ada", email="ada@example.com", phone="")
        assert call("GET /v1/trackings/{id}", id=one["id"]).json() == shown

    def test_that_changes_nothing_asks_nobody(self, backend: Backend, aggregator: FakeAggregator) -> None:
        one = followed(title="Old")

        assert patch(one["id"], {"title": "Old"}).json() == one
        assert patch(one["id"], {}).json() == one
        assert aggregator.calls["amend"] == 0

    def test_of_metadata_is_ours_alone(self, backend: Backend, aggregator: FakeAggregator) -> None:
        one = followed(metadata={"a": "1", "b": "2"})

        assert patch(one["id"], {"metadata": {"a": None, "c": "3"}}).json()["metadata"] == {
            "b": "2",
            "c": "3",
        }
        assert patch(one["id"], {"metadata": None}).json()["metadata"] == {}
        assert aggregator.calls["amend"] == 0

    def test_of_the_destination_may_be_named_as_the_contract_does(
        self, backend: Backend, aggregator: FakeAggregator
    ) -> None:
        assert patch(followed()["id"], {"destination": "fr"}).json()["destination_country"] == "FR"

    def test_that_the_aggregator_refuses_is_not_kept(
        self, backend: Backend, aggregator: FakeAggregator
    ) -> None:
        one = followed(title="Old")
        aggregator.refuse("N1")

        reply = patch(one["id"], {"title": "New"})

        assert (reply.status, reply.code) == (422, "refused_by_carrier")
        assert tracking(backend, one["id"]).title == "Old"

    def test_is_not_lost_when_something_becomes_known_meanwhile(
        self, backend: Backend, aggregator: FakeAggregator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one = followed(title="Old")
        save = Trackings.save

        def late(store: Trackings, before: Tracking, after: Tracking) -> None:
            monkeypatch.setattr(Trackings, "save", save)
            learns(backend, one["id"], seen("in_transit"))
            save(store, before, after)

        monkeypatch.setattr(Trackings, "save", late)
        shown = patch(one["id"], {"title": "New"}).json()

        assert (shown["title"], shown["status"]) == ("New", "in_transit")

    @pytest.mark.parametrize(
        ("body", "errors"),
        [
            ({"tracking_number": "X"}, {"/tracking_number": "cannot_change"}),
            ({"account": "second"}, {"/account": "cannot_change"}),
            ({"status": "delivered"}, {"/status": "unknown_field"}),
            ({"title": 5}, {"/title": "type"}),
            ({"title": "x" * 256}, {"/title": "too_long"}),
            ({"archived": "yes"}, {"/archived": "type"}),
            ({"carrier_code": "a b"}, {"/carrier_code": "format"}),
            ({"destination_country": "XX"}, {"/destination_country": "format"}),
            ({"customer": {"tracking_number": "X"}}, {"/customer/tracking_number": "unknown_field"}),
            ([], {"": "type"}),
        ],
    )
    def test_is_checked_before_anybody_is_asked(
        self, body: object, errors: dict[str, str], backend: Backend, aggregator: FakeAggregator
    ) -> None:
        one = followed()

        reply = patch(one["id"], body)

        assert (reply.status, reply.errors) == (422, errors)
        assert aggregator.calls["amend"] == 0

    def test_of_an_orders_parcel_is_of_what_is_only_ours(
        self, own: Tracking, backend: Backend, aggregator: FakeAggregator
    ) -> None:
        body = {
            "title": "T",
            "note": "n",
            "archived": True,
            "customer": {"name": "Ada"},
            "metadata": {"a": "b"},
        }

        shown = patch(own.id, body).json()

        assert (shown["title"], shown["note"], shown["archived"]) == ("T", "n", True)
        for name, value in {"carrier_code": "usps", "destination_country": "DE"}.items():
            reply = patch(own.id, {name: value, "title": "No"})
            assert (reply.status, reply.code) == (422, "not_supported_by_carrier")
            assert reply.errors == {f"/{name}": "not_supported_by_carrier"}
        assert patch(own.id, {"destination_country": "US"}).status == 200, "that is where it goes"
        assert tracking(backend, own.id).title == "T"
        assert aggregator.calls.total() == 0


class TestTheRightCourier:
    def test_is_told_to_the_aggregator_and_begins_the_timeline_anew(
        self, backend: Backend, aggregator: FakeAggregator
    ) -> None:
        one = followed(title="Old")
        learns(backend, one["id"], seen("delivered"))

        reply = patch(one["id"], {"carrier_code": "usps", "title": "New"})

        assert reply.status == 200
        shown = reply.json()
        assert (shown["id"], shown["carrier_code"], shown["title"]) == (one["id"], "usps", "New")
        assert (shown["status"], shown["events"]) == ("pending", [])
        assert aggregator.amended[0].waybill == Waybill("usps", "N1")
        assert backend.nudges() == [
            {"tenant": TENANT, "tracking_id": one["id"], "correlation_id": "JKJaXmPLvHcESHA="}
        ]
        assert tracking(backend, one["id"]).wrong_couriers == ("china-ems",)
        again = call("POST /v1/trackings", body={"carrier_code": "usps", "tracking_number": "N1"})
        assert (again.status, again.json()["id"]) == (200, one["id"])

    def test_leaves_the_number_free_for_the_wrong_one(
        self, backend: Backend, aggregator: FakeAggregator
    ) -> None:
        one = followed()
        patch(one["id"], {"carrier_code": "usps"})

        assert followed()["id"] != one["id"]

    def test_is_corrected_once(self, backend: Backend, aggregator: FakeAggregator) -> None:
        one = followed()

        assert [patch(one["id"], {"carrier_code": "usps"}).status for _ in range(2)] == [200, 200]
        assert aggregator.calls["correct"] == 1

    def test_is_kept_by_the_next_request_when_one_died_before_that(
        self, backend: Backend, aggregator: FakeAggregator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one = followed()

        with monkeypatch.context() as patched:
            patched.setattr(Trackings, "recode", dies)
            assert patch(one["id"], {"carrier_code": "usps"}).status == 500

        assert patch(one["id"], {"carrier_code": "usps"}).json()["carrier_code"] == "usps"

    def test_is_asked_also_by_the_next_request_when_one_died_before_that(
        self, backend: Backend, aggregator: FakeAggregator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one = followed()
        learns(backend, one["id"], seen("delivered"))
        backend.tenant().trackings.schedule(one["id"], None)

        with monkeypatch.context() as patched:
            patched.setattr(Timelines, "nudge", dies)
            assert patch(one["id"], {"carrier_code": "usps"}).status == 500
        assert next_poll(backend, one["id"]) is None

        assert patch(one["id"], {"carrier_code": "usps"}).json()["next_poll_at"] is not None

    def test_that_has_the_parcel_as_another_tracking_is_a_conflict(
        self, backend: Backend, aggregator: FakeAggregator
    ) -> None:
        followed(carrier_code="usps")
        one = followed()

        reply = patch(one["id"], {"carrier_code": "usps"})

        assert (reply.status, reply.code) == (409, "cannot_change")
        assert reply.errors == {"/carrier_code": "already_followed"}
        assert aggregator.calls["correct"] == 0

    def test_that_is_none_is_refused(self, backend: Backend, aggregator: FakeAggregator) -> None:
        one = followed()
        aggregator.refuse("N1")

        assert patch(one["id"], {"carrier_code": "usps"}).code == "refused_by_carrier"
        assert tracking(backend, one["id"]).carrier_code == "china-ems"


class TestAPause:
    def test_ends_the_polls_and_keeps_what_is_known(
        self, backend: Backend, aggregator: FakeAggregator
    ) -> None:
        one = followed()
        learns(backend, one["id"], seen("in_transit"))

        replies = [call("POST /v1/trackings/{id}/pause", id=one["id"]) for _ in range(2)]

        for reply in replies:
            shown = reply.json()
            assert (reply.status, shown["paused"], shown["next_poll_at"]) == (200, True, None)
            assert len(shown["events"]) == 1
        assert aggregator.paused == [Waybill("china-ems", "N1")]

    def test_of_an_orders_parcel_can_be_taken_back(
        self, own: Tracking, backend: Backend, aggregator: FakeAggregator
    ) -> None:
        assert call("POST /v1/trackings/{id}/pause", id=own.id).json()["paused"] is True
        assert next_poll(backend, own.id) is None

        shown = patch(own.id, {"paused": False}).json()

        assert shown["paused"] is False
        assert shown["next_poll_at"] is not None
        assert aggregator.calls.total() == 0

    def test_is_taken_back_by_the_next_request_when_one_died_over_it(
        self, own: Tracking, backend: Backend, aggregator: FakeAggregator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        call("POST /v1/trackings/{id}/pause", id=own.id)

        with monkeypatch.context() as patched:
            patched.setattr(Timelines, "nudge", dies)
            assert patch(own.id, {"paused": False}).status == 500
        assert next_poll(backend, own.id) is None

        assert patch(own.id, {"paused": False}).json()["next_poll_at"] is not None

    def test_of_an_aggregators_parcel_cannot(self, backend: Backend, aggregator: FakeAggregator) -> None:
        one = followed()
        assert patch(one["id"], {"paused": True}).json()["paused"] is True

        reply = patch(one["id"], {"paused": False})

        assert (reply.status, reply.errors) == (422, {"/paused": "not_supported_by_carrier"})

    def test_that_the_aggregator_does_not_hear_is_none(
        self, backend: Backend, aggregator: FakeAggregator
    ) -> None:
        one = followed()
        aggregator.down = TransientError("x")

        assert call("POST /v1/trackings/{id}/pause", id=one["id"]).code == "carrier_unavailable"
        assert tracking(backend, one["id"]).paused is False

    def test_says_nothing(self, backend: Backend, aggregator: FakeAggregator) -> None:
        one = followed()

        reply = call("POST /v1/trackings/{id}/pause", id=one["id"], body={"for": "ever"})

        assert reply.errors == {"/for": "unknown_field"}


class TestARefresh:
    def test_has_the_parcel_asked_about_now(
        self, own: Tracking, backend: Backend, aggregator: FakeAggregator
    ) -> None:
        for tracking_id in (own.id, followed()["id"]):
            reply = call("POST /v1/trackings/{id}/refresh", id=tracking_id)

            assert reply.status == 202
            assert reply.headers["location"] == f"/v1/trackings/{tracking_id}"
            due = datetime.fromisoformat(reply.json()["next_poll_at"])
            assert due <= datetime.now(UTC)
            assert backend.nudges()[-1] == {
                "tenant": TENANT,
                "tracking_id": tracking_id,
                "correlation_id": "JKJaXmPLvHcESHA=",
            }
        assert aggregator.calls["realtime"] == 0

    def test_of_a_paused_parcel_does_not_resume_it(
        self, backend: Backend, aggregator: FakeAggregator
    ) -> None:
        one = followed()
        call("POST /v1/trackings/{id}/pause", id=one["id"])

        shown = call("POST /v1/trackings/{id}/refresh", id=one["id"]).json()

        assert (shown["paused"], shown["next_poll_at"] is None) == (True, False)

    def test_is_checked(self, backend: Backend, aggregator: FakeAggregator) -> None:
        one = followed()

        for body, errors in (
            ({"realtime": "yes"}, {"/realtime": "type"}),
            ({"now": True}, {"/now": "unknown_field"}),
            ([], {"": "type"}),
        ):
            assert call("POST /v1/trackings/{id}/refresh", id=one["id"], body=body).errors == errors


class TestARealtimeRefresh:
    @pytest.fixture
    def refresh(self, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Reply]:
        """Ask the courier, `later` than now."""

        def send(tracking_id: str, *, later: timedelta = timedelta(0), **more: Any) -> Reply:
            service = runtime.tracking_subscriptions
            at_that_time = msgspec.structs.replace(service, clock=lambda: NOON + later)
            monkeypatch.setitem(vars(runtime), "tracking_subscriptions", at_that_time)
            body = {"realtime": True}
            return call("POST /v1/trackings/{id}/refresh", id=tracking_id, body=body, **more)

        return send

    def test_joins_what_the_courier_says(
        self, refresh: Callable[..., Reply], backend: Backend, aggregator: FakeAggregator
    ) -> None:
        one = followed()
        aggregator.histories["N1"] = told(seen("out_for_delivery"), number="N1")

        reply = refresh(one["id"])

        assert (reply.status, reply.json()["status"]) == (202, "out_for_delivery")
        assert reply.json()["next_poll_at"] is not None
        assert backend.nudges() == []

    def test_that_finds_the_end_ends_the_polls(
        self, refresh: Callable[..., Reply], backend: Backend, aggregator: FakeAggregator
    ) -> None:
        one = followed()
        aggregator.histories["N1"] = told(seen("delivered"), number="N1")

        assert refresh(one["id"]).json()["next_poll_at"] is None

    def test_is_made_once_in_two_hours_for_each_parcel(
        self, refresh: Callable[..., Reply], backend: Backend, aggregator: FakeAggregator
    ) -> None:
        one, other = followed(), followed("N2")
        assert refresh(one["id"]).status == 202

        reply = refresh(one["id"], later=timedelta(minutes=45), headers={"Idempotency-Key": "k"})

        assert (reply.status, reply.code, reply.headers["retry-after"]) == (429, "too_many_requests", "4500")
        assert refresh(other["id"], later=timedelta(minutes=45)).status == 202
        hours = timedelta(hours=2)
        assert refresh(one["id"], later=hours, headers={"Idempotency-Key": "k"}).status == 202
        assert aggregator.calls["realtime"] == 3

    @pytest.mark.parametrize(
        "error", [TooManyRequestsError("x", retry_after=120), OverLimitError("x", retry_after=119.2)]
    )
    def test_that_the_aggregator_has_no_room_for_may_be_tried_again(
        self,
        error: TransientError,
        refresh: Callable[..., Reply],
        backend: Backend,
        aggregator: FakeAggregator,
    ) -> None:
        one = followed()
        aggregator.down = error

        reply = refresh(one["id"])

        assert (reply.status, reply.code, reply.headers["retry-after"]) == (429, "too_many_requests", "120")
        aggregator.down = None
        assert refresh(one["id"]).status == 202, "the call that was not made counts for nothing"

    def test_is_not_made_while_the_aggregator_is_down(
        self, refresh: Callable[..., Reply], backend: Backend, aggregator: FakeAggregator
    ) -> None:
        one = followed()
        aggregator.down = TransientError("x")

        assert refresh(one["id"]).code == "carrier_unavailable"
        assert next_poll(backend, one["id"]) is not None, "it is still polled"

    def test_of_a_parcel_of_an_order_is_not_offered(
        self, own: Tracking, refresh: Callable[..., Reply], aggregator: FakeAggregator
    ) -> None:
        reply = refresh(own.id)

        assert (reply.status, reply.code) == (422, "not_supported_by_carrier")


class TestForgetting:
    def test_ends_it_here_and_there(self, backend: Backend, aggregator: FakeAggregator) -> None:
        one = followed()

        reply = call("DELETE /v1/trackings/{id}", id=one["id"])

        assert (reply.status, reply.text) == (204, "")
        assert aggregator.followed == {}
        assert backend.stored("tracking") == []
        assert call("DELETE /v1/trackings/{id}", id=one["id"]).code == "not_found"
        assert followed()["id"] != one["id"]

    def test_is_done_by_the_next_request_when_one_died_half_way(
        self, backend: Backend, aggregator: FakeAggregator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one = followed()

        with monkeypatch.context() as patched:
            patched.setattr(Trackings, "remove", dies)
            assert call("DELETE /v1/trackings/{id}", id=one["id"]).status == 500

        assert call("DELETE /v1/trackings/{id}", id=one["id"]).status == 204

    def test_a_parcel_of_an_order_is_not_offered(
        self, own: Tracking, backend: Backend, aggregator: FakeAggregator
    ) -> None:
        reply = call("DELETE /v1/trackings/{id}", id=own.id)

        assert (reply.status, reply.code, reply.json()["order_id"]) == (409, "cannot_change", own.order_id)
        assert "pause" in reply.json()["detail"]
        assert tracking(backend, own.id) == own

    def test_does_not_happen_while_the_aggregator_cannot_be_told(
        self, backend: Backend, aggregator: FakeAggregator
    ) -> None:
        one = followed()
        aggregator.down = TransientError("x")

        assert call("DELETE /v1/trackings/{id}", id=one["id"]).code == "carrier_unavailable"
        assert tracking(backend, one["id"]).id == one["id"]


class TestSeveral:
    def test_are_changed_each_for_itself(
        self, own: Tracking, backend: Backend, aggregator: FakeAggregator
    ) -> None:
        one, two, three = followed("N1"), followed("N2"), followed("N3", account="second")
        aggregator.refuse("N2")
        body = [
            {"id": one["id"], "title": "1"},
            {"id": two["id"], "title": "2"},
            {"id": three["id"], "title": "3", "carrier_code": "usps"},
            {"id": own.id, "title": "4"},
            {"id": own.id, "title": "5"},
            {"id": "trk_nobody", "title": "6"},
            {"title": "7"},
            {"id": own.id + "x", "account": "no"},
        ]

        reply = call("POST /v1/trackings/update", body=body)

        assert reply.status == 207
        data = reply.json()["data"]
        assert [one["status"] for one in data] == [200, 422, 200, 200, 422, 404, 422, 422]
        assert [one["tracking"]["title"] for one in data if "tracking" in one] == ["1", "3", "4"]
        assert data[2]["tracking"]["carrier_code"] == "usps"
        errors = {
            error["pointer"]: error["code"]
            for one in data
            for error in one.get("problem", {}).get("errors", ())
        }
        assert errors == {
            "/1/tracking_number": "invalid",
            "/4/id": "not_unique",
            "/6/id": "missing",
            "/7/account": "cannot_change",
        }
        assert aggregator.calls["amend"] == 2, "one for each account"

    def test_are_forgotten_each_for_itself(
        self, own: Tracking, backend: Backend, aggregator: FakeAggregator
    ) -> None:
        one, two, three = followed("N1"), followed("N2"), followed("N3")
        aggregator.refuse("N3")
        body = [one["id"], {"id": two["id"]}, three["id"], own.id, "trk_nobody", one["id"], 5, ""]

        reply = call("POST /v1/trackings/delete", body=body)

        assert reply.status == 207
        data = reply.json()["data"]
        assert [one["status"] for one in data] == [204, 204, 422, 409, 404, 422, 422, 422]
        assert [one.get("id") for one in data[:2]] == [one["id"], two["id"]]
        assert aggregator.calls["forget"] == 1
        again = call("POST /v1/trackings/delete", body=[one["id"], two["id"]]).json()["data"]
        assert [one["problem"]["code"] for one in again] == ["not_found", "not_found"]

    @pytest.mark.parametrize("route", ["update", "delete"])
    @pytest.mark.parametrize(
        ("body", "code"), [([], "missing"), ([{"id": f"t{n}"} for n in range(41)], "too_many"), ({}, "type")]
    )
    def test_are_one_to_forty(
        self, route: str, body: object, code: str, backend: Backend, aggregator: FakeAggregator
    ) -> None:
        reply = call(f"POST /v1/trackings/{route}", body=body)

        assert (reply.status, reply.errors) == (422, {"": code})

    @pytest.mark.parametrize("route", ["update", "delete"])
    def test_of_which_none_was_heard_may_be_sent_again_under_the_same_key(
        self, route: str, backend: Backend, aggregator: FakeAggregator
    ) -> None:
        one = followed()
        aggregator.down = TransientError("x", retry_after=9)
        entry = {"id": one["id"]} | ({"title": "New"} if route == "update" else {})

        reply = call(f"POST /v1/trackings/{route}", body=[entry], headers={"Idempotency-Key": "k"})

        assert (reply.status, reply.headers["retry-after"]) == (503, "9")
        aggregator.down = None
        again = call(f"POST /v1/trackings/{route}", body=[entry], headers={"Idempotency-Key": "k"})
        assert again.status == 207


ROUTES: dict[str, Any] = {
    "PATCH /v1/trackings/{id}": {"title": "x"},
    "DELETE /v1/trackings/{id}": None,
    "POST /v1/trackings/{id}/pause": None,
    "POST /v1/trackings/{id}/refresh": None,
}


@pytest.mark.parametrize("route", ROUTES)
def test_another_tenants_tracking_does_not_exist(
    route: str, backend: Backend, aggregator: FakeAggregator
) -> None:
    one = followed()

    for tracking_id, tenant in (
        (one["id"], "other"),
        ("trk_nobody", TENANT),
        ("x" * 600, TENANT),
        ("..", TENANT),
    ):
        reply = call(route, id=tracking_id, body=ROUTES[route], tenant=tenant)
        assert (reply.status, reply.code) == (404, "not_found")


@pytest.mark.parametrize("route", ROUTES)
def test_a_tracking_is_changed_with_the_scope_for_it(
    route: str, backend: Backend, aggregator: FakeAggregator
) -> None:
    one = followed()

    assert call(route, id=one["id"], body=ROUTES[route], scopes="trackings:read").code == "missing_scope"
    assert call(route, id=one["id"], body=ROUTES[route], scopes="trackings:write").status < 300


@pytest.mark.parametrize("route", [route for route in ROUTES if not route.startswith("DELETE")])
def test_a_repeat_under_the_same_key_has_the_same_answer(
    route: str, backend: Backend, aggregator: FakeAggregator
) -> None:
    one = followed()
    replies = [
        call(route, id=one["id"], body=ROUTES[route], headers={"Idempotency-Key": "k"}) for _ in range(2)
    ]

    assert replies[0].text == replies[1].text
    assert replies[1].headers["idempotent-replayed"] == "true"
