"""What carriers tell of parcels unasked: believed when it is proven, a reason to ask when it is not.

Ingestion, the stream's router and the inbox queue's worker are the real ones; the carriers' side is written
apart, see `tests.support.webhooks`.
"""

import json
from codecs import BOM_UTF8
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from parcelgate.carriers.results import Confirmed, ParcelResult
from parcelgate.domain.orders import OrderStatus
from parcelgate.domain.trackings import Source, Tracking, TrackingStatus
from parcelgate.services.orders import transitions
from parcelgate.store.credentials.webhook_tokens import Hook
from parcelgate.store.inbox import PARKED, PROCESSED, RECEIVED
from tests.support.faults import Faults, at_every_call, die
from tests.support.webhooks import (
    EMAIL,
    LME_ACK,
    TENANT,
    address,
    confirmed,
    entries,
    followed,
    lme_order,
    nudged,
    pass_time,
    route,
    sealed,
    signed,
    tracking_of,
    verify_info,
    webhook,
)
from tests.support.world import World, worlds

INBOX = "https://sqs.test/inbox"


def work(world: World) -> None:
    """Have everything worked off that waits."""
    world.clock.run(until=lambda: not world.sqs.busy, hours=1)


def states(world: World) -> list[tuple[str, str | None]]:
    return sorted((entry.state, entry.reason) for entry in entries(world))


def status_of(answer: dict[str, Any] | None) -> int:
    assert answer is not None
    code: int = answer["statusCode"]
    return code


def codes(tracking: Tracking) -> list[str]:
    return [event.code for event in tracking.events]


class TestSealedAndSigned:
    """LME: believed when it is sealed for us, signed by LME, and fresh when it came."""

    def test_a_signed_push_joins_the_timeline(self, world: World) -> None:
        order, url = lme_order(world), address(world, "lme")
        body = sealed(route("FHE1", "sign_in", world.clock.now))

        answer = world.push(url, body, signed(body, world.clock.now))
        work(world)

        assert answer is not None
        assert (answer["statusCode"], json.loads(answer["body"])) == (200, LME_ACK)
        after = tracking_of(world, order)
        assert (after.status, codes(after)) == (TrackingStatus.DELIVERED, ["sign_in"])
        assert after.events[0].source is Source.WEBHOOK
        assert nudged(world) == [], "what is believed need not be asked about"
        assert states(world) == [(PROCESSED, None)]

    def test_a_byte_order_mark_is_no_reason_not_to_believe_it(self, world: World) -> None:
        order, url = lme_order(world), address(world, "lme")
        body = sealed(route("FHE1", "sign_in", world.clock.now))

        world.push(url, BOM_UTF8 + body, signed(body, world.clock.now))
        work(world)

        assert codes(tracking_of(world, order)) == ["sign_in"]
        assert states(world) == [(PROCESSED, None)]

    def test_what_anybody_can_seal_changes_nothing_by_itself(self, world: World) -> None:
        order, url = lme_order(world), address(world, "lme")
        before = tracking_of(world, order)

        answer = world.push(url, sealed(route("FHE1", "sign_in", world.clock.now)))
        work(world)

        assert status_of(answer) == 200
        assert tracking_of(world, order) == before
        assert nudged(world) == [before.id]

    def test_a_plain_push_is_only_a_reason_to_ask(self, world: World) -> None:
        order, url = lme_order(world), address(world, "lme")
        before = tracking_of(world, order)

        world.push(url, json.dumps(route("FHE1", "lost", world.clock.now)).encode())
        work(world)

        assert tracking_of(world, order) == before
        assert nudged(world) == [before.id]

    @pytest.mark.parametrize("minutes", [-6, 6])
    def test_a_good_signature_of_another_time_is_only_a_reason_to_ask(
        self, minutes: int, world: World
    ) -> None:
        order, url = lme_order(world), address(world, "lme")
        body = sealed(route("FHE1", "sign_in", world.clock.now))

        world.push(url, body, signed(body, world.clock.now + timedelta(minutes=minutes)))
        work(world)

        assert tracking_of(world, order).events == ()
        assert len(nudged(world)) == 1

    def test_a_signature_taken_from_another_push_is_none(self, world: World) -> None:
        order, url = lme_order(world), address(world, "lme")
        theirs = sealed(route("FHE1", "collect_order", world.clock.now))
        mine = sealed(route("FHE1", "sign_in", world.clock.now))

        world.push(url, mine, signed(theirs, world.clock.now))
        work(world)

        assert tracking_of(world, order).events == ()

    def test_a_push_for_another_app_is_not_believed(self, world: World) -> None:
        order, url = lme_order(world), address(world, "lme")
        body = sealed(route("FHE1", "sign_in", world.clock.now))

        world.push(url, body, signed(body, world.clock.now, app_key="OTHER"))
        work(world)

        assert tracking_of(world, order).events == ()

    def test_a_push_is_as_fresh_as_it_was_when_it_came(self, world: World) -> None:
        order, url = lme_order(world), address(world, "lme")
        body = sealed(route("FHE1", "sign_in", world.clock.now))
        route_on, world.stream = world.stream, lambda: None  # type: ignore[method-assign]

        world.push(url, body, signed(body, world.clock.now))
        world.clock.sleep(3600)
        world.stream = route_on  # type: ignore[method-assign]
        world.stream()
        work(world)

        assert tracking_of(world, order).status is TrackingStatus.DELIVERED

    def test_a_repeat_has_no_effect(self, world: World) -> None:
        order, url = lme_order(world), address(world, "lme")
        body = sealed(route("FHE1", "sign_in", world.clock.now))
        headers = signed(body, world.clock.now)

        world.push(url, body, headers)
        work(world)
        after = tracking_of(world, order)
        for _ in range(20):
            world.clock.sleep(300)
            assert status_of(world.push(url, body, headers)) == 200
        work(world)

        assert tracking_of(world, order) == after
        assert states(world) == [(PROCESSED, None)]

    def test_an_unsigned_copy_that_came_first_does_not_stand_in_the_way_of_the_signed_one(
        self, world: World
    ) -> None:
        order, url = lme_order(world), address(world, "lme")
        body = sealed(route("FHE1", "sign_in", world.clock.now))

        world.push(url, body)
        work(world)
        world.push(url, body, signed(body, world.clock.now))
        work(world)

        assert tracking_of(world, order).status is TrackingStatus.DELIVERED

    def test_a_late_older_event_joins_and_leaves_the_status_alone(self, world: World) -> None:
        order, url = lme_order(world), address(world, "lme")
        for code, hours in (("sign_in", 5), ("out_warehorse_2", 3), ("collect_order", 1)):
            body = sealed(route("FHE1", code, world.clock.now + timedelta(hours=hours)))
            world.push(url, body, signed(body, world.clock.now))
        work(world)

        after = tracking_of(world, order)
        assert codes(after) == ["collect_order", "out_warehorse_2", "sign_in"]
        assert after.status is TrackingStatus.DELIVERED

    def test_a_push_without_a_readable_time_is_a_reason_to_ask(self, world: World) -> None:
        order, url = lme_order(world), address(world, "lme")
        body = sealed(route("FHE1", "sign_in", world.clock.now) | {"eventTime": "yesterday"})

        world.push(url, body, signed(body, world.clock.now))
        work(world)

        assert tracking_of(world, order).events == ()
        assert nudged(world) == [tracking_of(world, order).id]


class TestWhoseParcel:
    """LME names an order by its own number, or by our reference."""

    def test_a_push_that_knows_the_reference_alone_has_the_order_asked_about(self, world: World) -> None:
        order, url = lme_order(world), address(world, "lme")
        body = sealed({**route("", "sign_in", world.clock.now), "orderNo": ""})

        world.push(url, body, signed(body, world.clock.now))
        work(world)

        assert nudged(world) == [tracking_of(world, order).id]

    def test_of_several_parcels_the_one_that_is_named_is_asked_about(self, world: World) -> None:
        order, url = lme_order(world, status=OrderStatus.PROCESSING), address(world, "lme")
        (parcel,) = order.parcels
        both = order.changed(
            at=world.clock.now, parcels=(parcel, msgspec.structs.replace(parcel, reference="R-1-2"))
        )
        world.table.tenant(TENANT).orders.save(order, both)
        numbers = zip(both.parcels, ("FHE1", "FHE2"), strict=True)
        parcels = tuple(
            ParcelResult(reference=each.reference, tracking_number=number) for each, number in numbers
        )
        change = transitions.confirmed(
            both,
            Confirmed(carrier_order_number="FHE1", parcels=parcels),
            at=world.clock.now,
            watch_at=world.clock.now,
        )
        orders = world.table.tenant(TENANT).orders
        orders.save(both, change.after, change.event, trackings=change.trackings)

        world.push(url, sealed(route("FHE2", "sign_in", world.clock.now)))
        work(world)

        assert nudged(world) == [change.trackings[1].id]

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            (b'{"data": "\xff"}', "cannot be read"),
            ('{"data": "你好"}'.encode("gbk"), "cannot be read"),
            (b'{"data": ' + b"[" * 100_000, "not JSON"),
        ],
    )
    def test_what_no_parser_takes_is_parked(self, body: bytes, reason: str, world: World) -> None:
        url = address(world, "lme")

        assert status_of(world.push(url, body)) == 200
        work(world)

        assert states(world) == [(PARKED, reason)]

    def test_half_an_emoji_spoils_no_push(self, world: World) -> None:
        order, url = lme_order(world), address(world, "lme")
        body = sealed(route("FHE1", "sign_in", world.clock.now, event="Left with the \ud83d"))

        world.push(url, body, signed(body, world.clock.now))
        work(world)

        (event,) = tracking_of(world, order).events
        assert event.description == "Left with the \ufffd"

    @pytest.mark.parametrize("number", ["fhe1", " FHE 1", "\uff26\uff28\uff25\uff11"])
    @pytest.mark.parametrize("is_signed", [True, False])
    def test_a_push_that_spells_the_number_otherwise_is_of_the_same_parcel(
        self, number: str, is_signed: bool, world: World
    ) -> None:
        order, url = lme_order(world), address(world, "lme")
        body = sealed(route(number, "sign_in", world.clock.now, reference="R-404"))

        world.push(url, body, signed(body, world.clock.now) if is_signed else None)
        work(world)

        after = tracking_of(world, order)
        assert (codes(after), nudged(world)) == ((["sign_in"], []) if is_signed else ([], [after.id]))
        assert states(world) == [(PROCESSED, None)]

    def test_what_is_told_of_another_number_does_not_join(self, world: World) -> None:
        """The reference may have been used before, for an order that was cancelled."""
        order, url = lme_order(world, number="FHE2"), address(world, "lme")
        body = sealed(route("FHE1", "lost", world.clock.now))

        world.push(url, body, signed(body, world.clock.now))
        work(world)

        assert tracking_of(world, order).events == ()
        assert nudged(world) == [tracking_of(world, order).id]

    @pytest.mark.parametrize("number", ["FHE404", "x" * 5000, "\ud800", "a\nb"])
    @pytest.mark.parametrize("is_signed", [True, False])
    def test_an_unknown_parcel_is_parked(self, number: str, is_signed: bool, world: World) -> None:
        url = address(world, "lme")
        body = sealed(route(number, "lost", world.clock.now, reference="R-404"))

        world.push(url, body, signed(body, world.clock.now) if is_signed else None)
        work(world)

        assert states(world) == [(PARKED, "no such parcel")]
        asked = [call.arguments.get("Key", {}).get("pk", {}).get("S", "") for call in world.faults.calls]
        # Half a character is read as U+FFFD, which a number may have.
        could_be = number in ("FHE404", "\ud800")
        assert any("#NUMBER#" in pk for pk in asked) is could_be, (
            "what the table cannot hold is not asked for"
        )

    def test_promise_7_another_tenants_parcel_is_not_there(self, world: World) -> None:
        order, url = lme_order(world), address(world, "lme")
        theirs = address(world, "lme", token="u" * 43)
        world.secrets.texts["parcelgate/other/lme/default"] = world.secrets.texts[
            "parcelgate/acme/lme/default"
        ]
        world.table.webhook_tokens.put("u" * 43, Hook("other", "lme", "default"))
        body = sealed(route("FHE1", "lost", world.clock.now))

        world.push(theirs, body, signed(body, world.clock.now))
        work(world)

        assert tracking_of(world, order).events == ()
        assert [entry.reason for entry in world.table.tenant("other").inbox.parked()] == ["no such parcel"]
        assert url != theirs

    def test_a_push_that_is_quicker_than_our_own_write_waits_for_it(self, world: World) -> None:
        order, url = lme_order(world, status=OrderStatus.PROCESSING), address(world, "lme")
        body = sealed(route("FHE1", "collect_order", world.clock.now))
        world.push(url, body, signed(body, world.clock.now))
        work(world)
        assert states(world) == [(RECEIVED, None)]
        (due,) = [item["due_at"]["S"] for item in world.items() if item["sk"]["S"] == "ENTRY"]
        assert datetime.fromisoformat(due) == world.clock.now + timedelta(minutes=1)

        confirmed(world, order)
        pass_time(world)

        assert codes(tracking_of(world, order)) == ["collect_order"]
        assert states(world) == [(PROCESSED, None)]

    def test_nobody_waits_longer_than_a_day(self, world: World) -> None:
        url = address(world, "lme")
        lme_order(world, status=OrderStatus.PROCESSING)
        body = sealed(route("FHE1", "collect_order", world.clock.now))
        world.push(url, body, signed(body, world.clock.now))

        world.sweep_seconds = 3600
        pass_time(world, hours=50)

        assert states(world) == [(PARKED, "its order was not confirmed within a day")]

    @pytest.mark.parametrize(
        ("status", "state"),
        [(OrderStatus.NEEDS_ATTENTION, (RECEIVED, None)), (OrderStatus.FAILED, None)],
    )
    def test_the_carrier_is_asked_once_about_an_order_that_it_seems_to_have(
        self, status: OrderStatus, state: Any, world: World
    ) -> None:
        url = address(world, "lme")
        # What is put into the queue stays there to be seen.
        world.sqs.workers.pop("https://sqs.test/retry-lme")
        order = lme_order(world, status=OrderStatus.NEEDS_ATTENTION)
        orders = world.table.tenant(TENANT).orders
        named = order.changed(at=world.clock.now, carrier_order_number="FHE1")
        orders.save(order, named)
        if status is OrderStatus.FAILED:
            orders.save(named, named.move(status, at=world.clock.now, watch_at=None))
        before = world.order(order)
        body = sealed(route("FHE1", "collect_order", world.clock.now))

        world.push(url, body)
        pass_time(world, hours=3)

        asked = [json.loads(one)["action"] for one in world.sqs.bodies("https://sqs.test/retry-lme")]
        assert asked == ["reread"]
        assert world.order(order) == before
        assert states(world) == [state or (PARKED, "its order is failed")]


class TestEndedAndPaused:
    def believed(self, world: World, url: str, code: str = "sign_in") -> None:
        body = sealed(route("FHE1", code, world.clock.now))
        world.push(url, body, signed(body, world.clock.now))
        work(world)

    def pause(self, world: World, tracking: Tracking) -> None:
        after = msgspec.structs.replace(tracking, paused=True, version=tracking.version + 1)
        world.table.tenant(TENANT).trackings.save(tracking, after)

    def test_a_paused_parcel_takes_what_is_believed_and_is_not_asked_about(self, world: World) -> None:
        order, url = lme_order(world), address(world, "lme")
        self.pause(world, tracking_of(world, order))

        world.push(url, sealed(route("FHE1", "collect_order", world.clock.now)))
        self.believed(world, url)

        after = tracking_of(world, order)
        assert codes(after) == ["sign_in"]
        assert nudged(world) == []
        assert world.table.tenant(TENANT).trackings.polls([after.id], now=world.clock.now)[after.id] is None

    def test_an_ended_parcel_takes_what_is_believed_and_is_asked_about_when_nudged(
        self, world: World
    ) -> None:
        order, url = lme_order(world), address(world, "lme")
        self.believed(world, url)
        parcel = tracking_of(world, order).id
        assert world.table.tenant(TENANT).trackings.polls([parcel], now=world.clock.now)[parcel] is None

        world.push(url, sealed(route("FHE1", "collect_order", world.clock.now)))
        self.believed(world, url, "modify_sign_in")

        assert set(codes(tracking_of(world, order))) == {"modify_sign_in", "sign_in"}
        assert nudged(world) == [parcel]


class TestOnlyTheTimeSigned:
    """TrackingMore: at most a reason to ask, and forged webhooks do not get in."""

    def test_a_signed_webhook_has_the_parcel_asked_about_and_changes_nothing(self, world: World) -> None:
        parcel, url = followed(world), address(world, "trackingmore")
        stamp = int(world.clock.now.timestamp())

        answer = world.push(url, webhook(verify_info(stamp)))
        work(world)

        assert status_of(answer) == 200
        assert nudged(world) == [parcel.id]
        assert world.table.tenant(TENANT).trackings.get(parcel.id) == parcel
        assert states(world) == [(PROCESSED, None)]

    @pytest.mark.parametrize(("number", "code"), [("rr1cn", "china-ems"), ("RR 1CN", "China-EMS")])
    def test_the_parcel_may_be_spelt_otherwise(self, number: str, code: str, world: World) -> None:
        parcel, url = followed(world), address(world, "trackingmore")
        stamp = int(world.clock.now.timestamp())

        world.push(url, webhook(verify_info(stamp), number, code=code))
        work(world)

        assert (nudged(world), states(world)) == ([parcel.id], [(PROCESSED, None)])

    def test_the_proof_may_stand_inside_the_data(self, world: World) -> None:
        parcel, url = followed(world), address(world, "trackingmore")
        proof = verify_info(str(int(world.clock.now.timestamp())))

        world.push(url, webhook(None, verifyInfo=proof))
        work(world)

        assert nudged(world) == [parcel.id]

    @pytest.mark.parametrize(
        "proof", [{"signature": "0" * 64}, {"email": "other@example.com"}, {"timeStr": 1}]
    )
    def test_a_wrong_signature_is_refused_and_leaves_nothing_but_a_line(
        self, proof: dict[str, Any], world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        followed(world)
        url = address(world, "trackingmore")
        changes = {**proof}
        good = verify_info(int(world.clock.now.timestamp()), email=changes.pop("email", EMAIL))
        world.stream()
        before = world.items()

        answer = world.push(url, webhook(good | changes))
        work(world)

        assert status_of(answer) == 401
        (line,) = [each for each in caplog.records if "is refused" in each.message]
        assert line.reason == "forged"  # type: ignore[attr-defined]
        assert world.items() == before
        assert nudged(world) == []

    def test_a_captured_signature_on_another_body_changes_nothing(self, world: World) -> None:
        followed(world)
        other, url = followed(world, "RR2CN"), address(world, "trackingmore")
        proof = verify_info(int(world.clock.now.timestamp()))
        world.push(url, webhook(proof))
        work(world)
        before = world.items(), nudged(world)

        answers = [
            world.push(url, webhook(proof, "RR2CN")),
            world.push(url, webhook(None, "RR2CN", verifyInfo=proof)),
            world.push(url, webhook(proof) + b" "),
        ]
        work(world)

        assert [status_of(answer) for answer in answers] == [401] * 3
        assert (world.items(), nudged(world)) == before
        assert world.table.tenant(TENANT).trackings.get(other.id) == other

    def test_a_captured_signature_is_of_no_use_at_another_account(self, world: World) -> None:
        first = address(world, "trackingmore")
        second = address(world, "trackingmore", account="second", token="u" * 43)
        proof = verify_info(int(world.clock.now.timestamp()))

        assert status_of(world.push(first, webhook(proof))) == 200
        assert status_of(world.push(second, webhook(proof, "RR2CN"))) == 401

    def test_a_byte_order_mark_is_no_reason_not_to_read_it(self, world: World) -> None:
        parcel, url = followed(world), address(world, "trackingmore")
        body = webhook(verify_info(int(world.clock.now.timestamp())))

        assert status_of(world.push(url, BOM_UTF8 + body)) == 200
        work(world)

        assert (nudged(world), states(world)) == ([parcel.id], [(PROCESSED, None)])

    def test_a_true_repeat_has_no_effect(self, world: World) -> None:
        followed(world)
        url = address(world, "trackingmore")
        body = webhook(verify_info(int(world.clock.now.timestamp())))
        world.push(url, body)
        work(world)
        before = world.items()

        for seconds in (1, 30, 3600):
            world.clock.sleep(seconds)
            assert status_of(world.push(url, body)) == 200
        work(world)

        assert world.items() == before
        assert len(nudged(world)) == 1

    @pytest.mark.parametrize("minutes", [-6, 6])
    def test_a_stale_time_is_kept_without_effect(self, minutes: int, world: World) -> None:
        followed(world)
        url = address(world, "trackingmore")
        proof = verify_info(int((world.clock.now + timedelta(minutes=minutes)).timestamp()))

        assert status_of(world.push(url, webhook(proof))) == 200
        assert status_of(world.push(url, webhook(proof, "RR2CN"))) == 401
        pass_time(world)

        assert states(world) == [(PARKED, "its time differs too much from our clock")]
        assert nudged(world) == []

    def test_a_webhook_that_names_no_parcel_is_parked_and_says_so(self, world: World) -> None:
        followed(world)
        url = address(world, "trackingmore")

        world.push(url, webhook(verify_info(int(world.clock.now.timestamp())), ""))
        work(world)

        assert states(world) == [(PARKED, "it names no parcel")]

    def test_a_webhook_is_as_fresh_as_it_was_when_it_came(self, world: World) -> None:
        parcel, url = followed(world), address(world, "trackingmore")
        world.stream, route_on = lambda: None, world.stream  # type: ignore[method-assign]
        world.push(url, webhook(verify_info(int(world.clock.now.timestamp()))))

        world.clock.sleep(3600)
        world.stream = route_on  # type: ignore[method-assign]
        world.stream()
        work(world)

        assert nudged(world) == [parcel.id]

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            (webhook(None), "not signed"),
            (webhook({}), "not signed"),
            (webhook({"timeStr": 1795262400}), "not signed"),
            (webhook({"timeStr": 1795262400, "signature": ""}), "not signed"),
            (webhook({"timeStr": 1795262400, "signature": 7}), "not signed"),
            (b'{"verifyInfo": "yes"}', "not signed"),
            (b"not JSON", "not a JSON object"),
            (b"[]", "not a JSON object"),
            (b"", "not a JSON object"),
            (b'{"x": "' + b"y" * 300_000 + b'"}', "too long"),
        ],
    )
    def test_what_carries_no_proof_is_acknowledged_and_parked(
        self, body: bytes, reason: str, world: World
    ) -> None:
        followed(world)
        url = address(world, "trackingmore")

        assert status_of(world.push(url, body)) == 200
        pass_time(world)

        assert states(world) == [(PARKED, reason)]
        assert nudged(world) == []

    def test_what_is_not_followed_here_is_parked(self, world: World) -> None:
        followed(world)
        url = address(world, "trackingmore")
        at = int(world.clock.now.timestamp())

        world.push(url, webhook(verify_info(at), "RR404CN"))
        world.push(url, webhook(verify_info(at + 1), code="dhl"))
        work(world)

        assert states(world) == [(PARKED, "no such parcel")] * 2

    def test_without_its_secret_nothing_is_acknowledged(self, world: World) -> None:
        parcel, url = followed(world), address(world, "trackingmore")
        body = webhook(verify_info(int(world.clock.now.timestamp())))
        secrets, world.secrets.texts = world.secrets.texts, {}
        world.stream()
        before = world.items()

        assert status_of(world.push(url, body)) == 503
        assert world.items() == before
        world.secrets.texts = dict.fromkeys(secrets, '{"credentials": {"api_key": "k"}}')
        assert status_of(world.push(url, body)) == 503
        world.secrets.texts = secrets
        world.forget_accounts()
        assert status_of(world.push(url, body)) == 200
        work(world)

        assert nudged(world) == [parcel.id]

    def test_a_changed_e_mail_is_used_at_once(self, world: World) -> None:
        parcel, url = followed(world), address(world, "trackingmore")
        at = int(world.clock.now.timestamp())
        assert status_of(world.push(url, webhook(verify_info(at), "RR404CN"))) == 200
        (name,) = world.secrets.texts
        world.secrets.texts[name] = world.secrets.texts[name].replace(EMAIL, "new@example.com")

        assert status_of(world.push(url, webhook(verify_info(at + 1, "new@example.com")))) == 200
        world.forget_accounts()
        work(world)

        assert nudged(world) == [parcel.id]

    def test_of_two_bodies_with_one_proof_at_once_one_gets_in(self, world: World) -> None:
        followed(world)
        url = address(world, "trackingmore")
        proof = verify_info(int(world.clock.now.timestamp()))
        inner: list[int] = []
        world.faults.before(
            "transact_write_items",
            lambda: inner.append(status_of(world.push(url, webhook(proof, "RR2CN")))),
        )

        assert status_of(world.push(url, webhook(proof))) == 401
        assert inner == [200]


class TestNothingIsLost:
    def test_a_repeat_sends_a_webhook_on_its_way_whose_message_was_lost(self, world: World) -> None:
        order, url = lme_order(world), address(world, "lme")
        body = sealed(route("FHE1", "sign_in", world.clock.now))
        headers = signed(body, world.clock.now)
        world.push(url, body, headers)
        world.sqs.messages[INBOX].clear()
        world.clock.sleep(60)

        world.push(url, body, headers)
        work(world)

        assert tracking_of(world, order).status is TrackingStatus.DELIVERED

    def test_the_sweep_finds_a_webhook_whose_message_was_lost(self, world: World) -> None:
        order, url = lme_order(world), address(world, "lme")
        body = sealed(route("FHE1", "sign_in", world.clock.now))
        world.push(url, body, signed(body, world.clock.now))
        world.sqs.messages[INBOX].clear()

        pass_time(world)

        assert tracking_of(world, order).status is TrackingStatus.DELIVERED

    def test_a_webhook_to_an_account_that_cannot_be_used_waits_until_it_can(self, world: World) -> None:
        order, url = lme_order(world), address(world, "lme")
        body = sealed(route("FHE1", "sign_in", world.clock.now))
        secrets, world.secrets.texts = world.secrets.texts, {}
        world.push(url, body, signed(body, world.clock.now))
        pass_time(world, hours=2)
        assert states(world) == [(RECEIVED, None)]

        world.secrets.texts = secrets
        pass_time(world, hours=3)

        assert tracking_of(world, order).status is TrackingStatus.DELIVERED

    @pytest.mark.parametrize("text", [None, "not JSON"], ids=["gone", "wrong"])
    def test_a_webhook_to_an_account_that_nobody_mends_is_parked_after_a_day(
        self, text: str | None, world: World
    ) -> None:
        lme_order(world)
        url, body = address(world, "lme"), sealed(route("FHE1", "sign_in", world.clock.now))
        world.secrets.texts = {} if text is None else dict.fromkeys(world.secrets.texts, text)
        world.forget_accounts()
        world.push(url, body, signed(body, world.clock.now))

        pass_time(world, hours=60)

        assert states(world) == [(PARKED, "its account was not corrected within a day")]
        assert not world.sqs.messages.get(f"{INBOX}-dead")

    def test_one_bad_webhook_spoils_no_other(self, world: World) -> None:
        order, url = lme_order(world), address(world, "lme")
        for number, bad in enumerate((b"{", sealed([]), sealed("x"), b'{"data": "AAAA"}', sealed({}))):
            world.push(url, bad)
            body = sealed(route("FHE1", "transport_order", world.clock.now + timedelta(minutes=number)))
            world.push(url, body, signed(body, world.clock.now))
        work(world)

        assert len(tracking_of(world, order).events) == 5
        assert [state for state, _ in states(world)] == [PARKED] * 5 + [PROCESSED] * 5

    @pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
    def test_promise_4_whoever_dies_at_any_call_what_was_acknowledged_is_worked_off(
        self, after: bool
    ) -> None:
        """Before the acknowledgement the carrier comes again, as carriers do."""
        with worlds() as new_world:
            calls = worked_off(new_world())
            assert 20 < len(calls) < 60
            for n in range(1, len(calls) + 1):
                world = new_world()
                world.faults.at(n, die(after=after))
                worked_off(world)

    def test_promise_4_dying_twice_is_survived_as_well(self) -> None:
        with worlds() as new_world:
            calls = worked_off(new_world())

            def with_two_deaths(n: int) -> Faults:
                world = new_world()
                world.faults.at(n, die(after=True)).at(n + 1, die())
                worked_off(world)
                return world.faults

            at_every_call(with_two_deaths, least=len(calls) - 1)


def worked_off(world: World) -> list[str]:
    """A believed push and a nudge, delivered until they are acknowledged; the outward calls of it all."""
    order, parcel = lme_order(world), followed(world)
    lme, trackingmore = address(world, "lme"), address(world, "trackingmore", token="u" * 43)
    pushed = sealed(route("FHE1", "sign_in", world.clock.now))
    headers = signed(pushed, world.clock.now)
    told_of = webhook(verify_info(int(world.clock.now.timestamp())))

    def until_acknowledged(url: str, body: bytes, headers: dict[str, str] | None = None) -> None:
        answer = world.push(url, body, headers)
        if answer is None or answer["statusCode"] != 200:
            world.clock.after(60, lambda: until_acknowledged(url, body, headers))

    until_acknowledged(lme, pushed, headers)
    until_acknowledged(trackingmore, told_of)
    world.start_sweeping()
    world.clock.run(until=lambda: states(world) == [(PROCESSED, None)] * 2, hours=2)

    made = world.faults.names
    assert codes(tracking_of(world, order)) == ["sign_in"], made
    assert parcel.id in nudged(world), made
    assert states(world) == [(PROCESSED, None)] * 2, made
    assert not world.sqs.messages.get(f"{INBOX}-dead")
    return made
