"""What follows from an order's facts, and its next versions, field by field."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from parcelgate.domain.orders import (
    Concern,
    Label,
    LabelDocument,
    LabelStatus,
    OrderStatus,
    Refund,
    Submission,
    TransitionError,
    Trouble,
    Waiting,
    WaitingFor,
    default_parcel_reference,
    first_tracking_id,
)
from parcelgate.domain.problems import Problem
from tests.support.orders import NOON, an_order

HOUR = timedelta(hours=1)
TROUBLE = Trouble("held_back", "Not now.")


@pytest.mark.parametrize(
    ("paused_until", "began"), [(None, NOON), (NOON - HOUR, NOON), (NOON, NOON), (NOON + HOUR, NOON + HOUR)]
)
def test_what_began_before_the_end_of_a_pause_counts_from_there(paused_until: Any, began: Any) -> None:
    assert Submission(paused_until=paused_until).began(NOON) == began


def test_a_wait_counts_its_attempts_and_a_pause_counts_none() -> None:
    wait = Waiting(for_=WaitingFor.LABEL, since=NOON, attempts=2, next_attempt_at=NOON)
    assert wait.troubled(TROUBLE, next_attempt_at=NOON + HOUR) == Waiting(
        for_=WaitingFor.LABEL, since=NOON, attempts=3, last_error=TROUBLE, next_attempt_at=NOON + HOUR
    )
    assert wait.paused(TROUBLE) == Waiting(
        for_=WaitingFor.LABEL, since=NOON, attempts=2, last_error=TROUBLE, next_attempt_at=None
    )


def test_a_label_that_is_thrown_away_is_fetched_again_in_the_same_form() -> None:
    document = LabelDocument(key="k", sha256="s")
    label = Label(
        status=LabelStatus.READY,
        format="zpl",
        size="4x8",
        dpi=203,
        document=document,
        parcels=(document,),
        revision=3,
        last_try=True,
        first_ready_at=NOON,
    )
    assert label.thrown_away() == Label(format="zpl", size="4x8", dpi=203, revision=4, first_ready_at=NOON)


def test_a_parcel_s_own_reference_has_eighty_characters_at_most_and_is_never_that_of_another() -> None:
    assert default_parcel_reference("R", 2) == "R-2"
    assert default_parcel_reference("x" * 78, 1) == "x" * 78 + "-1"
    one, other = (default_parcel_reference("x" * 79 + end, 1) for end in "ab")
    assert one != other
    assert [len(one), one[:61], one[-2:]] == [75, "x" * 60 + "-", "-1"]
    assert one != default_parcel_reference("x" * 79 + "a", 2)


def test_an_order_s_numbers_are_those_of_its_parcels_in_their_order() -> None:
    (parcel,) = an_order().parcels
    parcels = [
        msgspec.structs.replace(parcel, tracking_number=number, tracking_id=tracking)
        for number, tracking in (("N1", "trk_1"), (None, None), ("N3", "trk_3"))
    ]
    order = an_order(parcels=tuple(parcels), earlier_tracking_ids=("trk_0",))
    assert order.tracking_numbers == ("N1", "N3")
    assert order.tracking_ids == ("trk_1", "trk_3", "trk_0")


LOST, UNPAID = Problem(code="outcome_unknown", detail="."), Problem(code="refund_failed", detail=".")


@pytest.mark.parametrize(
    ("facts", "concern"),
    [
        ({}, None),
        ({"problem": UNPAID}, None),
        ({"refund": Refund(status="confirmed")}, None),
        ({"refund": Refund(status="requested")}, Concern.REFUND_OUTSTANDING),
        ({"refund": Refund(status="rejected")}, Concern.REFUND_OUTSTANDING),
        ({"refund": Refund(status="requested"), "attention": LOST}, Concern.ATTENTION),
        ({"status": OrderStatus.NEEDS_ATTENTION, "attention": LOST}, Concern.NEEDS_ATTENTION),
        ({"status": OrderStatus.NEEDS_ATTENTION, "problem": LOST}, Concern.NEEDS_ATTENTION),
        ({"status": OrderStatus.NEEDS_ATTENTION, "problem": UNPAID}, Concern.REFUND_GIVEN_UP),
    ],
)
def test_of_several_reasons_for_a_person_the_worst_is_named(facts: Any, concern: Concern | None) -> None:
    assert an_order(**facts).concern is concern


def test_log_lines_name_an_order_and_nobody() -> None:
    order = an_order(correlation_id="c")
    assert order.log_keys == {
        "order_id": order.id,
        "tenant": "acme",
        "carrier": "lso",
        "correlation_id": "c",
    }


def test_a_change_makes_the_next_version_and_keeps_the_rest() -> None:
    wait = Waiting(for_=WaitingFor.CARRIER, since=NOON)
    order = an_order(version=4, waiting=wait)
    later = NOON + HOUR
    changed = order.changed(at=later, manifest_id="m")
    assert changed == msgspec.structs.replace(order, updated_at=later, version=5, manifest_id="m")

    moved = order.move(OrderStatus.PROCESSING, at=later, watch_at=later + HOUR)
    assert moved == msgspec.structs.replace(
        order,
        updated_at=later,
        version=5,
        status=OrderStatus.PROCESSING,
        watch_at=later + HOUR,
        waiting=None,
    )
    assert order.move(OrderStatus.PROCESSING, at=later, watch_at=None, waiting=wait).waiting == wait


def test_a_forbidden_change_is_told_with_the_order_and_both_statuses() -> None:
    order = an_order()
    with pytest.raises(TransitionError) as raised:
        order.move(OrderStatus.CONFIRMED, at=NOON, watch_at=None)
    assert str(raised.value) == f"{order.id} cannot go from accepted to confirmed"


def test_the_first_parcel_has_the_id_of_its_order() -> None:
    assert first_tracking_id("ord_01KAJ2W3X4Y5Z6A7B8C9D0E1F2") == "trk_01KAJ2W3X4Y5Z6A7B8C9D0E1F2"
