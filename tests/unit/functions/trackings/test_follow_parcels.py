"""Following anybody's parcels: each once, whatever dies in between, and no bad one spoils its neighbours."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from parcelgate.carriers.errors import (
    AuthenticationError,
    CarrierError,
    TransientError,
    UnknownOutcomeError,
)
from parcelgate.carriers.results import Waybill
from parcelgate.domain.clock import now
from parcelgate.domain.trackings import ProofOfDelivery, Source
from parcelgate.runtime import runtime
from parcelgate.store.errors import StoreUnavailableError
from parcelgate.store.trackings import Trackings
from tests.support.aggregator import FakeAggregator
from tests.support.api import Backend, Body, Reply, call
from tests.support.trackings import seen, told

ROUTE = "POST /v1/trackings"
NUMBER = "LK664578623CN"


@pytest.fixture
def aggregator() -> Iterator[FakeAggregator]:
    with FakeAggregator().in_place() as standing:
        yield standing


def parcel(number: str = NUMBER, **more: Any) -> Body:
    return {"carrier_code": "china-ems", "tracking_number": number, **more}


def follow(body: object, **more: Any) -> Reply:
    return call(ROUTE, body=body, **more)


class TestOneParcel:
    def test_is_followed_and_shown(self, backend: Backend, aggregator: FakeAggregator) -> None:
        reply = follow(parcel(title="Two dresses", metadata={"shelf": "7"}))

        assert reply.status == 201
        shown = reply.json()
        assert reply.headers["location"] == f"/v1/trackings/{shown['id']}"
        assert (shown["carrier"], shown["carrier_code"]) == ("trackingmore", "china-ems")
        assert (shown["tracking_number"], shown["status"], shown["account"]) == (NUMBER, "pending", "default")
        assert (shown["title"], shown["metadata"], shown["order_id"]) == ("Two dresses", {"shelf": "7"}, None)
        assert shown["next_poll_at"] == shown["created_at"], "it is asked about soon"
        assert call("GET /v1/trackings/{id}", id=shown["id"]).json() == shown

    def test_is_told_to_the_aggregator_with_all_that_is_said_of_it(
        self, backend: Backend, aggregator: FakeAggregator
    ) -> None:
        body = parcel(
            destination_country="us",
            special_destination="KR",
            postcode="78701",
            ship_date="2018-10-01",
            account_number="A-7",
            auto_correct=False,
            title="Two dresses",
            logistics_channel="4PX",
            customer={"name": "Ada", "email": "ada@example.com", "phone": "+1 512 555 0142"},
            order_reference="shop-1",
            order_created_at="2017-08-27T16:51:00+08:00",
            note="Fragile",
            lang="en",
        )
        assert follow(body).status == 201

        (following,) = aggregator.followed.values()
        assert following.waybill == Waybill("china-ems", NUMBER)
        assert (following.destination_country, following.special_destination) == ("US", "KR")
        assert (following.postcode, following.account_number, following.lang) == ("78701", "A-7", "en")
        assert (str(following.ship_date), following.auto_correct) == ("2018-10-01", False)
        assert str(following.order_created_at) == "2017-08-27 08:51:00+00:00"
        assert (following.title, following.logistics_channel) == ("Two dresses", "4PX")
        assert (following.order_reference, following.note) == ("shop-1", "Fragile")
        assert following.customer is not None
        assert following.customer.phone == "+1 512 555 0142"

    @pytest.mark.parametrize("day", ["2018-10-01", "20181001", "2018-10-01T10:00:00Z"])
    def test_may_have_its_day_written_in_several_ways(
        self, day: str, backend: Backend, aggregator: FakeAggregator
    ) -> None:
        follow(parcel(ship_date=day))

        assert [str(one.ship_date) for one in aggregator.followed.values()] == ["2018-10-01"]

    def test_may_be_written_as_in_the_aggregators_own_document(
        self, backend: Backend, aggregator: FakeAggregator
    ) -> None:
        bodies = json.loads(
            Path("events/trackings/trackingmore-two-parcels.json").read_text(encoding="utf-8")
        )

        assert follow(bodies).status == 201
        first, second = aggregator.followed.values()
        assert first.waybill == Waybill("singapore-post", "RP893531375SG")
        assert second.waybill == Waybill("china-ems", "LK894734223CN")
        assert str(first.order_created_at) == "2017-08-27 16:51:00+00:00"
        assert first.logistics_channel == "4PX挂号小包"

    @pytest.mark.parametrize("moment", ["2017/13/27 16:51", "2017/8/27 24:51", "2017/8/27"])
    def test_cannot_be_of_a_time_that_there_is_not(
        self, moment: str, backend: Backend, aggregator: FakeAggregator
    ) -> None:
        reply = follow(parcel(order_created_at=moment))

        assert (reply.status, reply.json()["errors"][0]["pointer"]) == (422, "/order_created_at")

    def test_that_is_followed_already_is_given_without_asking(
        self, backend: Backend, aggregator: FakeAggregator
    ) -> None:
        first = follow(parcel(title="Mine"))
        again = follow(parcel(title="Other"))

        assert (again.status, again.json()) == (200, first.json())
        assert aggregator.calls["follow"] == 1

    def test_of_which_something_is_known_already_has_it_in_its_timeline(
        self, backend: Backend, aggregator: FakeAggregator
    ) -> None:
        aggregator.histories[NUMBER] = told(seen("in_transit", hours=-5), number=NUMBER)

        shown = follow(parcel()).json()

        assert shown["status"] == "in_transit"
        assert [event["source"] for event in shown["events"]] == [Source.POLL]

    def test_whose_courier_the_aggregator_corrects_is_followed_with_the_right_one(
        self, backend: Backend, aggregator: FakeAggregator
    ) -> None:
        aggregator.corrects[NUMBER] = "china-post"

        first, again = follow(parcel()), follow(parcel())

        assert first.json()["carrier_code"] == "china-post"
        assert (again.status, again.json()["id"]) == (200, first.json()["id"])

    def test_is_another_one_for_another_account_and_for_another_tenant(
        self, backend: Backend, aggregator: FakeAggregator
    ) -> None:
        replies = [follow(parcel()), follow(parcel(account="second")), follow(parcel(), tenant="other")]

        assert [reply.status for reply in replies] == [201, 201, 201]
        assert len({reply.json()["id"] for reply in replies}) == 3

    def test_that_the_aggregator_refuses_is_refused_in_its_words(
        self, backend: Backend, aggregator: FakeAggregator
    ) -> None:
        aggregator.refuse(NUMBER)

        reply = follow(parcel())

        assert (reply.status, reply.code) == (422, "refused_by_carrier")
        assert reply.errors == {"/tracking_number": "invalid"}
        assert reply.json()["carrier"]["code"] == "4014"
        assert backend.stored("tracking") == []

    @pytest.mark.parametrize(
        ("error", "wait"),
        [
            (TransientError("x", retry_after=120), "120"),
            (UnknownOutcomeError("x"), "2"),
            (AuthenticationError("x"), "2"),
        ],
    )
    def test_is_not_followed_while_the_aggregator_cannot_be_asked(
        self, error: CarrierError, wait: str, backend: Backend, aggregator: FakeAggregator
    ) -> None:
        aggregator.down = error

        reply = follow(parcel(), headers={"Idempotency-Key": "k"})

        assert (reply.status, reply.code) == (503, "carrier_unavailable")
        assert reply.headers["retry-after"] == wait
        aggregator.down = None
        assert follow(parcel(), headers={"Idempotency-Key": "k"}).status == 201, "the trouble is not kept"

    def test_needs_an_account_that_there_is(self, backend: Backend, aggregator: FakeAggregator) -> None:
        assert follow(parcel(account="nobodys")).errors == {"/account": "unknown_account"}

    def test_is_followed_once_for_an_idempotency_key(
        self, backend: Backend, aggregator: FakeAggregator
    ) -> None:
        first, again = (follow(parcel(), headers={"Idempotency-Key": "k"}) for _ in range(2))

        assert (again.status, again.text) == (201, first.text)
        assert again.headers["idempotent-replayed"] == "true"
        reused = follow(parcel("OTHER-1"), headers={"Idempotency-Key": "k"})
        assert reused.code == "idempotency_key_reused"

    def test_is_followed_with_the_scope_for_it(self, backend: Backend, aggregator: FakeAggregator) -> None:
        assert follow(parcel(), scopes="trackings:read orders:write").code == "missing_scope"
        assert follow(parcel(), scopes="trackings:write").status == 201

    @pytest.mark.parametrize(
        ("change", "errors"),
        [
            ({"tracking_number": ""}, {"/tracking_number": "missing"}),
            ({"tracking_number": 5}, {"/tracking_number": "type"}),
            ({"tracking_number": "x" * 101}, {"/tracking_number": "too_long"}),
            ({"tracking_number": "a\x00b"}, {"/tracking_number": "format"}),
            ({"carrier_code": None}, {"/carrier_code": "missing"}),
            ({"carrier_code": "a/../b"}, {"/carrier_code": "format"}),
            ({"carrier_code": "x" * 51}, {"/carrier_code": "too_long"}),
            ({"colour": "red"}, {"/colour": "unknown_field"}),
            ({"customer": {"colour": "red"}}, {"/customer/colour": "unknown_field"}),
            ({"customer": "Ada"}, {"/customer": "type"}),
            ({"destination_country": "XX"}, {"/destination_country": "format"}),
            ({"auto_correct": "yes"}, {"/auto_correct": "type"}),
            ({"title": "x" * 256}, {"/title": "too_long"}),
            ({"note": "x" * 1001}, {"/note": "too_long"}),
            ({"ship_date": "yesterday"}, {"/ship_date": "format"}),
            ({"ship_date": 20181001}, {"/ship_date": "type"}),
            ({"order_created_at": "27.8.2017 16:51"}, {"/order_created_at": "format"}),
            ({"lang": "english"}, {"/lang": "format"}),
            ({"metadata": {str(n): "x" for n in range(51)}}, {"/metadata": "too_many"}),
            ({"account": "a b"}, {"/account": "format"}),
        ],
    )
    def test_is_checked_before_anybody_is_asked(
        self, change: Body, errors: dict[str, str], backend: Backend, aggregator: FakeAggregator
    ) -> None:
        reply = follow(parcel() | change)

        assert (reply.status, reply.errors) == (422, errors)
        assert aggregator.calls.total() == 0

    @pytest.mark.parametrize(
        "given", [" RP123456789AU", "RP 123 456 789 AU", "RP\uff11\uff12\uff13456789AU\n"]
    )
    def test_is_found_by_its_number_however_it_was_copied(
        self, given: str, backend: Backend, aggregator: FakeAggregator
    ) -> None:
        assert follow(parcel() | {"tracking_number": "RP123456789AU"}).status == 201

        assert follow(parcel() | {"tracking_number": given}).status == 200

    def test_says_everything_that_is_wrong(self, backend: Backend, aggregator: FakeAggregator) -> None:
        assert follow({"colour": 1}).errors == {
            "/carrier_code": "missing",
            "/tracking_number": "missing",
            "/colour": "unknown_field",
        }
        assert follow(None).errors == {"/carrier_code": "missing", "/tracking_number": "missing"}
        assert follow('"x"').errors == {"": "type"}


class TestSeveralParcels:
    def test_are_followed_in_one_call(self, backend: Backend, aggregator: FakeAggregator) -> None:
        numbers = [f"N{n}" for n in range(40)]

        reply = follow([parcel(number) for number in numbers])

        assert reply.status == 201
        assert [one["tracking_number"] for one in reply.json()["data"]] == numbers
        assert aggregator.sizes == [40]
        assert len(backend.stored("tracking")) == 40

    def test_are_given_though_some_were_followed_already(
        self, backend: Backend, aggregator: FakeAggregator
    ) -> None:
        known = follow(parcel("A")).json()

        reply = follow([parcel("B"), parcel("A")])

        assert reply.status == 201
        assert reply.json()["data"][1] == known
        assert aggregator.sizes == [1, 1]

    def test_are_one_in_whatever_spelling(self, backend: Backend, aggregator: FakeAggregator) -> None:
        """Two spellings of one number in one list never make two trackings."""
        spellings = [parcel(), parcel("lk 664 578 623 cn", carrier_code="China-EMS"), parcel("LK664578623cn")]

        reply = follow(spellings)

        assert reply.status == 201
        assert {one["tracking_number"] for one in reply.json()["data"]} == {NUMBER}
        assert len({one["id"] for one in reply.json()["data"]}) == 1
        assert len(backend.stored("tracking")) == 1
        assert follow(parcel(carrier_code="CHINA-EMS")).status == 200

    def test_are_asked_about_with_the_account_of_each(
        self, backend: Backend, aggregator: FakeAggregator
    ) -> None:
        reply = follow([parcel("A"), parcel("B", account="second"), parcel("C"), parcel("D", account="no")])

        assert reply.status == 207
        assert [one["status"] for one in reply.json()["data"]] == [201, 201, 201, 422]
        assert sorted(aggregator.sizes) == [1, 2]
        (error,) = reply.json()["data"][3]["problem"]["errors"]
        assert (error["pointer"], error["code"]) == ("/3/account", "unknown_account")

    def test_do_not_spoil_each_other(self, backend: Backend, aggregator: FakeAggregator) -> None:
        follow(parcel("KNOWN"))
        aggregator.refuse("BAD")

        reply = follow(
            [parcel("GOOD"), parcel("BAD"), parcel("KNOWN"), parcel("X", colour=1), 5, parcel("GOOD")]
        )

        assert reply.status == 207
        data = reply.json()["data"]
        assert [one["status"] for one in data] == [201, 422, 200, 422, 422, 200]
        trackings = [one["tracking"] for one in data if "tracking" in one]
        assert [one["tracking_number"] for one in trackings] == ["GOOD", "KNOWN", "GOOD"]
        assert trackings[2] == trackings[0]
        problems = {n: one["problem"] for n, one in enumerate(data) if "problem" in one}
        assert {n: problem["code"] for n, problem in problems.items()} == {
            1: "refused_by_carrier",
            3: "validation_failed",
            4: "validation_failed",
        }
        errors = [(e["pointer"], e["code"]) for problem in problems.values() for e in problem["errors"]]
        assert errors == [
            ("/1/tracking_number", "invalid"),
            ("/3/colour", "unknown_field"),
            ("/4", "type"),
        ]
        assert len(backend.stored("tracking")) == 2

    def test_that_are_named_twice_are_followed_once(
        self, backend: Backend, aggregator: FakeAggregator
    ) -> None:
        aggregator.refuse("BAD")

        reply = follow([parcel("A", title="First"), parcel("A", title="Second"), parcel("B")])
        refused = follow([parcel("BAD"), parcel("C"), parcel("BAD")])

        assert reply.status == 201
        shown = reply.json()["data"]
        assert shown[0] == shown[1]
        assert [one["title"] for one in shown] == ["First", "First", None]
        data = refused.json()["data"]
        assert [one["status"] for one in data] == [422, 201, 422]
        assert [data[n]["problem"]["errors"][0]["pointer"] for n in (0, 2)] == [
            "/0/tracking_number",
            "/2/tracking_number",
        ]
        assert aggregator.sizes == [2, 2]
        assert len(backend.stored("tracking")) == 3

    @pytest.mark.parametrize(
        ("body", "code"), [([], "missing"), ([parcel(f"N{n}") for n in range(41)], "too_many")]
    )
    def test_are_one_to_forty(
        self, body: object, code: str, backend: Backend, aggregator: FakeAggregator
    ) -> None:
        reply = follow(body)

        assert (reply.status, reply.errors) == (422, {"": code})
        assert aggregator.calls.total() == 0

    def test_of_which_some_cannot_be_asked_about_tell_when_to_try_again(
        self, backend: Backend, aggregator: FakeAggregator
    ) -> None:
        aggregator.refused["LATER"] = TransientError("x", retry_after=7)

        data = follow([parcel("A"), parcel("LATER")]).json()["data"]

        assert [one["status"] for one in data] == [201, 503]
        assert data[1]["retry_after"] == 7

    def test_of_which_none_can_be_asked_about_may_be_sent_again_under_the_same_key(
        self, backend: Backend, aggregator: FakeAggregator
    ) -> None:
        aggregator.down = TransientError("x", retry_after=7)
        body, key = [parcel("A"), parcel("B")], {"Idempotency-Key": "k"}

        reply = follow(body, headers=key)

        assert (reply.status, reply.code, reply.headers["retry-after"]) == (503, "carrier_unavailable", "7")
        aggregator.down = None
        assert follow(body, headers=key).status == 201


class TestAParcelOfARequestThatDied:
    def test_after_the_aggregator_said_yes_is_followed_by_the_next_one(
        self, backend: Backend, aggregator: FakeAggregator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def dies(*_: object) -> None:
            raise StoreUnavailableError("x")

        with monkeypatch.context() as patch:
            patch.setattr(Trackings, "add", dies)
            assert follow([parcel("A"), parcel("B")], headers={"Idempotency-Key": "k"}).status == 500
        assert len(aggregator.followed) == 2
        assert backend.stored("tracking") == []

        reply = follow([parcel("A"), parcel("B")], headers={"Idempotency-Key": "k"})

        assert reply.status == 201
        assert len(reply.json()["data"]) == len(backend.stored("tracking")) == 2

    def test_is_stored_once_when_two_requests_meet(
        self, backend: Backend, aggregator: FakeAggregator
    ) -> None:
        others: list[Reply] = []

        def meanwhile() -> None:
            aggregator.afterwards = lambda: None
            others.append(follow(parcel()))

        aggregator.afterwards = meanwhile
        mine = follow(parcel())

        assert (others[0].status, mine.status) == (201, 200)
        assert mine.json() == others[0].json()
        assert len(backend.stored("tracking")) == 1


class TestANumberThatIsUsedAgain:
    """A parcel that was delivered; its courier gives its number to another one months later."""

    WAYBILL = Waybill("china-ems", NUMBER)

    @pytest.fixture
    def later(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
        """Let so much time pass."""
        start = now()

        def pass_by(span: timedelta) -> None:
            service = msgspec.structs.replace(runtime.tracking_subscriptions, clock=lambda: start + span)
            monkeypatch.setitem(vars(runtime), "tracking_subscriptions", service)

        return pass_by

    @pytest.fixture
    def delivered(self, backend: Backend, aggregator: FakeAggregator) -> Body:
        """What was followed first, long after it was delivered."""
        event = seen("delivered", hours=-24 * 365)
        proof = ProofOfDelivery(image_url="https://a.test/door.jpg")
        aggregator.histories[NUMBER] = told(event, number=NUMBER, proof=proof)
        shown: Body = follow(parcel()).json()
        assert shown["status"] == "delivered"
        return shown

    def test_is_the_same_parcels_for_ninety_days(
        self, later: Callable[[timedelta], None], delivered: Body, aggregator: FakeAggregator
    ) -> None:
        later(timedelta(days=90) - timedelta(minutes=5))
        again = follow(parcel())

        assert (again.status, again.json()["id"]) == (200, delivered["id"])
        assert (aggregator.calls["follow"], aggregator.calls["forget"]) == (1, 0)

    def test_is_followed_anew_here_and_there_without_the_old_story(
        self, later: Callable[[timedelta], None], delivered: Body, aggregator: FakeAggregator
    ) -> None:
        later(timedelta(days=90, minutes=5))
        anew = follow(parcel(title="Another parcel"))

        shown = anew.json()
        assert anew.status == 201
        assert shown["id"] != delivered["id"]
        assert (shown["status"], shown["events"], shown["proof_of_delivery"]) == ("pending", [], None)
        assert aggregator.forgotten == [self.WAYBILL]
        assert aggregator.followed["default", self.WAYBILL].title == "Another parcel"
        again = follow(parcel())
        assert (again.status, again.json()["id"]) == (200, shown["id"])

    def test_leaves_the_old_parcel_to_be_read_and_forgotten_by_itself(
        self,
        backend: Backend,
        later: Callable[[timedelta], None],
        delivered: Body,
        aggregator: FakeAggregator,
    ) -> None:
        later(timedelta(days=90, minutes=5))
        anew = follow(parcel()).json()
        old = {"id": delivered["id"]}

        assert call("GET /v1/trackings/{id}", **old).json()["status"] == "delivered"
        told_since = told(seen("lost", hours=1), number=NUMBER)
        assert runtime.timelines.take("acme", old["id"], told_since, Source.POLL).status == "delivered"
        wrong = call("PATCH /v1/trackings/{id}", **old, body={"carrier_code": "dhl"})
        assert wrong.errors == {"/carrier_code": "not_supported_by_carrier"}
        assert call("PATCH /v1/trackings/{id}", **old, body={"note": "Came"}).status == 200
        assert call("POST /v1/trackings/{id}/pause", **old).status == 200
        assert call("DELETE /v1/trackings/{id}", **old).status == 204
        assert call("GET /v1/trackings/{id}", **old).status == 404
        assert aggregator.forgotten == [self.WAYBILL], "that was before it was followed anew"
        assert (aggregator.amended, aggregator.paused) == ([], [])
        assert backend.tenant().trackings.find("default", *self.WAYBILL) == anew["id"]

    def test_is_followed_anew_once_by_two_at_once(
        self, later: Callable[[timedelta], None], delivered: Body, aggregator: FakeAggregator
    ) -> None:
        later(timedelta(days=90, minutes=5))
        others: list[Reply] = []

        def meanwhile() -> None:
            aggregator.afterwards = lambda: None
            others.append(follow(parcel()))

        aggregator.afterwards = meanwhile
        mine = follow(parcel())

        (other,) = others
        assert (other.status, mine.status) == (201, 200)
        assert mine.json()["id"] == other.json()["id"] != delivered["id"]
        assert ("default", self.WAYBILL) in aggregator.followed

    def test_stays_the_old_parcels_while_the_aggregator_does_not_forget_it(
        self, later: Callable[[timedelta], None], delivered: Body, aggregator: FakeAggregator
    ) -> None:
        later(timedelta(days=90, minutes=5))
        aggregator.refuse(NUMBER)
        assert follow(parcel()).code == "refused_by_carrier"
        aggregator.refused.clear()

        replies = follow([parcel(), parcel("RR000000002CN")]).json()["data"]
        assert [reply["tracking_number"] for reply in replies] == [NUMBER, "RR000000002CN"]
        assert replies[0]["id"] != delivered["id"]
