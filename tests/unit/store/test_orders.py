"""Orders in the store: one transaction for each change, and nothing half made."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from parcelgate.domain.ids import new_id
from parcelgate.domain.measures import Money
from parcelgate.domain.orders import Order, OrderStatus, first_tracking_id
from parcelgate.domain.trackings import Tracking, TrackingStatus
from parcelgate.store import calls
from parcelgate.store.credentials.webhook_tokens import Hook, hash_of
from parcelgate.store.errors import (
    CarrierNumberTakenError,
    ItemTooLargeError,
    OrderNotFoundError,
    ReferenceTakenError,
    StoreError,
    StoreUnavailableError,
    ThrottledError,
    VersionConflictError,
)
from parcelgate.store.table import Table
from tests.support.faults import (
    Faults,
    Killed,
    aws_error,
    condition_fails,
    conflict,
    die,
    throttle,
    time_out,
    unavailable,
)
from tests.support.orders import NOON, an_event, an_order, trackings_of
from tests.support.table import TABLE_NAME, all_items


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls.time, "sleep", lambda _: None)


@dataclass
class Shop:
    """A table whose calls can be made to fail."""

    table: Table
    faults: Faults
    client: Any


@pytest.fixture
def shop(dynamodb: Any) -> Shop:
    faults = Faults()
    return Shop(Table(faults.wrap(dynamodb, "dynamodb"), TABLE_NAME), faults, dynamodb)


def confirmed(order: Order, number: str = "LSO-1") -> Order:
    later = order.updated_at + timedelta(seconds=1)
    processing = order.move(OrderStatus.PROCESSING, at=later, watch_at=later)
    return msgspec.structs.replace(
        processing.move(OrderStatus.CONFIRMED, at=later, watch_at=None, carrier_order_number=number),
        version=order.version + 1,
    )


def failed(order: Order) -> Order:
    return order.move(OrderStatus.FAILED, at=order.updated_at, watch_at=None)


def a_tracking(order: Order, tracking_id: str) -> Tracking:
    return Tracking(
        id=tracking_id,
        tenant=order.tenant,
        carrier=order.carrier,
        account=order.account,
        tracking_number=f"Z{tracking_id}",
        order_id=order.id,
        created_at=NOON,
        updated_at=NOON,
    )


# Reading back


def test_an_order_comes_back_as_it_was_stored(table: Table) -> None:
    order = an_order(
        metadata={"note": "größer ≥ 3 #%"},
        price=Money(Decimal("12.30"), "USD"),
        carrier_details={"zone": 4, "words": ["a", None]},
    )
    orders = table.tenant("acme").orders
    orders.add(order, an_event())
    assert orders.get(order.id) == order
    assert orders.get(order.id).parcels[0].weight.value == Decimal("1.50")
    assert orders.events(order.id) == [an_event()]


@pytest.mark.parametrize("order_id", ["ord_missing", "", "#", "a" * 3000, "é", "x\ud800"])
def test_an_order_that_is_not_there_is_not_found(table: Table, order_id: str) -> None:
    orders = table.tenant("acme").orders
    with pytest.raises(OrderNotFoundError):
        orders.get(order_id)
    with pytest.raises(OrderNotFoundError):
        orders.events(order_id)
    with pytest.raises(OrderNotFoundError):
        orders.with_statuses(order_id)


def test_events_come_oldest_first_one_for_each_version(table: Table) -> None:
    orders = table.tenant("acme").orders
    order = an_order()
    orders.add(order, an_event("version.1"))
    for version in range(2, 13):
        changed = order.changed(at=NOON, metadata={"version": str(version)})
        orders.save(order, changed, an_event(f"version.{version}"))
        order = changed
    assert [event.type for event in orders.events(order.id)] == [f"version.{n}" for n in range(1, 13)]


def test_trackings_come_in_parcel_order(table: Table) -> None:
    orders = table.tenant("acme").orders
    parcel = an_order().parcels[0]
    ids = ["trk_3", "trk_1", "trk_2"]
    order = an_order(parcels=tuple(msgspec.structs.replace(parcel, reference=n) for n in ids))
    orders.add(order, an_event())
    parcels = tuple(msgspec.structs.replace(parcel, reference=n, tracking_id=n) for n in ids)
    after = msgspec.structs.replace(confirmed(order), parcels=parcels)
    orders.save(order, after, an_event(), trackings=[a_tracking(order, n) for n in ids])
    assert [tracking.id for tracking in trackings_of(table, after)] == ids
    assert trackings_of(table, order) == []


FIRST = "the id that an order's first parcel has"


def with_parcels(table: Table, *tracking_ids: str) -> Order:
    """A confirmed order in the store, with a parcel in transit for each of these ids."""
    orders, order = table.tenant("acme").orders, an_order()
    (parcel,) = order.parcels
    tracking_ids = tuple(first_tracking_id(order.id) if n == FIRST else n for n in tracking_ids)
    orders.add(order, an_event())
    parcels = tuple(msgspec.structs.replace(parcel, reference=n, tracking_id=n) for n in tracking_ids)
    after = msgspec.structs.replace(confirmed(order), parcels=parcels)
    moving = [
        msgspec.structs.replace(a_tracking(order, n), status=TrackingStatus.IN_TRANSIT) for n in tracking_ids
    ]
    orders.save(order, after, an_event(), trackings=moving)
    return after


@pytest.mark.parametrize("others", [(), ("trk_7", "trk_8")])
@pytest.mark.parametrize("first", [FIRST, "trk_9"])
def test_an_order_is_read_with_the_states_of_its_parcels(
    first: str, others: tuple[str, ...], table: Table
) -> None:
    order = with_parcels(table, first, *others)
    moving = dict.fromkeys(order.tracking_ids, TrackingStatus.IN_TRANSIT)
    assert len(moving) == 1 + len(others)
    assert table.tenant("acme").orders.with_statuses(order.id) == (order, moving)


def test_an_order_is_read_before_it_has_parcels_that_are_followed(table: Table) -> None:
    orders, order = table.tenant("acme").orders, an_order()
    orders.add(order, an_event())
    assert orders.with_statuses(order.id) == (order, {})


def test_a_parcel_that_came_while_its_order_was_read_is_read_again(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read of several items sees each at a moment of its own."""
    order = with_parcels(table, first := first_tracking_id(an_order().id))
    read, seen = calls.Items.get_many, list[str]()

    def get_many(*arguments: Any, **more: Any) -> list[calls.Item]:
        items = read(*arguments, **more)
        found = items if seen else [item for item in items if item["sk"] == "ORDER"]
        seen.extend(item["sk"] for item in found)
        return found

    monkeypatch.setattr(calls.Items, "get_many", get_many)
    after = table.tenant("acme").orders.with_statuses(order.id)
    assert after == (order, {first: TrackingStatus.IN_TRANSIT})
    assert seen == ["ORDER", "TRACKING"]


# Promise 1: stored together with the time by which somebody must have dealt with it


def test_promise_1_a_new_order_is_due_at_once_in_the_same_write(table: Table) -> None:
    order = an_order()
    table.tenant("acme").orders.add(order, an_event())
    assert order.watch_at is not None
    assert table.due.due("ORDER", order.watch_at) == [("acme", order.id)]
    assert table.due.due("ORDER", order.watch_at - timedelta(milliseconds=1)) == []


def test_promise_1_a_change_moves_or_clears_the_time(table: Table) -> None:
    orders = table.tenant("acme").orders
    order = an_order()
    orders.add(order, an_event())
    later = order.changed(at=NOON, watch_at=NOON + timedelta(hours=1))
    orders.save(order, later)
    assert table.due.due("ORDER", NOON + timedelta(minutes=59)) == []
    assert table.due.due("ORDER", NOON + timedelta(hours=1)) == [("acme", order.id)]
    orders.save(later, later.changed(at=NOON, watch_at=None))
    assert table.due.due("ORDER", NOON + timedelta(days=400)) == []


def test_the_due_index_gives_the_longest_overdue_first_over_all_tenants_and_shards(table: Table) -> None:
    expected = []
    for n in range(20):
        tenant = f"tenant-{n % 3}"
        order = an_order(tenant, reference=f"R-{n}", watch_at=NOON + timedelta(seconds=n))
        table.tenant(tenant).orders.add(order, an_event())
        expected.append((tenant, order.id))
    assert table.due.due("ORDER", NOON + timedelta(hours=1), limit=12) == expected[:12]
    assert table.due.due("ORDER", NOON + timedelta(hours=1), limit=100) == expected


# References


def test_a_living_order_holds_its_reference(table: Table) -> None:
    orders = table.tenant("acme").orders
    first = an_order()
    orders.add(first, an_event())
    second = an_order()
    with pytest.raises(ReferenceTakenError) as taken:
        orders.add(second, an_event())
    assert taken.value.order_id == first.id
    with pytest.raises(OrderNotFoundError):
        orders.get(second.id)
    assert orders.by_reference("lso", "default", "R-1") == first.id


@pytest.mark.parametrize("other", [{"carrier": "ubi"}, {"account": "second"}, {"reference": "r-1"}])
def test_a_reference_is_held_for_one_carrier_account_only(table: Table, other: dict[str, str]) -> None:
    orders = table.tenant("acme").orders
    orders.add(an_order(), an_event())
    orders.add(an_order(**other), an_event())


def test_parts_of_a_reference_cannot_run_into_each_other(table: Table) -> None:
    orders = table.tenant("acme").orders
    orders.add(an_order(account="a#b", reference="c"), an_event())
    orders.add(an_order(account="a", reference="b#c"), an_event())
    orders.add(an_order(account="a%23b", reference="c"), an_event())


@pytest.mark.parametrize("end", [OrderStatus.FAILED, OrderStatus.CANCELLED])
def test_a_final_order_frees_its_reference_in_the_same_write(shop: Shop, end: OrderStatus) -> None:
    orders = shop.table.tenant("acme").orders
    first = an_order()
    orders.add(first, an_event())
    before = len(shop.faults.calls)
    orders.save(first, first.move(end, at=NOON, watch_at=None), an_event())
    assert len(shop.faults.calls) == before + 1
    assert orders.by_reference("lso", "default", "R-1") is None
    orders.add(an_order(), an_event())


def test_an_order_that_goes_on_keeps_its_reference(table: Table) -> None:
    orders = table.tenant("acme").orders
    first = an_order()
    orders.add(first, an_event())
    orders.save(first, confirmed(first), an_event())
    with pytest.raises(ReferenceTakenError):
        orders.add(an_order(), an_event())


def test_a_reference_that_names_another_order_is_not_freed_and_the_order_still_ends(
    shop: Shop,
) -> None:
    orders = shop.table.tenant("acme").orders
    first = an_order()
    orders.add(first, an_event())
    claim = next(item for item in all_items(shop.client) if item["sk"]["S"] == "REFERENCE")
    shop.client.put_item(TableName=TABLE_NAME, Item=claim | {"order_id": {"S": "ord_other"}})
    orders.save(first, failed(first), an_event())
    assert orders.get(first.id).status is OrderStatus.FAILED
    assert orders.by_reference("lso", "default", "R-1") == "ord_other"


def test_of_two_creates_of_one_reference_at_the_same_instant_exactly_one_stands(dynamodb: Any) -> None:
    one_at_a_time = threading.Lock()

    class Atomic:
        """DynamoDB's transactions are atomic; moto's need a lock for that."""

        meta = dynamodb.meta

        def __getattr__(self, name: str) -> Any:
            def call(**arguments: Any) -> Any:
                with one_at_a_time:
                    return getattr(dynamodb, name)(**arguments)

            return call

    orders = Table(Atomic(), TABLE_NAME).tenant("acme").orders  # type: ignore[arg-type]
    created = [an_order() for _ in range(8)]
    start = threading.Barrier(len(created))
    won: list[str] = []
    lost: list[str | None] = []

    def create(order: Order) -> None:
        start.wait()
        try:
            orders.add(order, an_event())
        except ReferenceTakenError as error:
            lost.append(error.order_id)
        else:
            won.append(order.id)

    threads = [threading.Thread(target=create, args=(order,)) for order in created]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert lost == won * 7
    assert orders.page().data == [orders.get(won[0])]


def test_a_create_that_collides_is_tried_again(shop: Shop) -> None:
    order = an_order()
    shop.faults.on("transact_write_items", conflict(index=1), times=3)
    shop.table.tenant("acme").orders.add(order, an_event())
    assert shop.table.tenant("acme").orders.get(order.id) == order


def test_a_create_that_goes_on_colliding_is_a_conflict_naming_the_order_that_stands(shop: Shop) -> None:
    orders = shop.table.tenant("acme").orders
    first = an_order()
    orders.add(first, an_event())
    shop.faults.on("transact_write_items", conflict(index=1), times=calls.ATTEMPTS)
    with pytest.raises(ReferenceTakenError) as taken:
        orders.add(an_order(), an_event())
    assert taken.value.order_id == first.id


def test_a_collision_with_nobody_left_standing_is_a_conflict_too(shop: Shop) -> None:
    shop.faults.on("transact_write_items", conflict(index=1), times=calls.ATTEMPTS)
    with pytest.raises(ReferenceTakenError) as taken:
        shop.table.tenant("acme").orders.add(an_order(), an_event())
    assert taken.value.order_id is None


# Versions


def test_a_change_of_an_order_that_has_changed_is_refused(table: Table) -> None:
    orders = table.tenant("acme").orders
    order = an_order()
    orders.add(order, an_event())
    orders.save(order, order.changed(at=NOON, metadata={"by": "first"}), an_event())
    with pytest.raises(VersionConflictError):
        orders.save(order, order.changed(at=NOON, metadata={"by": "second"}), an_event())
    with pytest.raises(VersionConflictError):
        orders.save(order, order.changed(at=NOON, metadata={"by": "second"}))
    assert orders.get(order.id).metadata == {"by": "first"}


def test_an_order_that_was_never_stored_cannot_be_changed(table: Table) -> None:
    order = an_order()
    with pytest.raises(VersionConflictError):
        table.tenant("acme").orders.save(order, order.changed(at=NOON), an_event())
    with pytest.raises(OrderNotFoundError):
        table.tenant("acme").orders.get(order.id)


def test_of_two_identical_changes_only_one_is_made(table: Table) -> None:
    """Promise 2: both senders compute the very same mark in the same millisecond; one may send."""
    orders = table.tenant("acme").orders
    order = an_order()
    orders.add(order, an_event())
    marked = order.changed(at=NOON, submission=msgspec.structs.replace(order.submission, sending_at=NOON))
    orders.save(order, marked)
    with pytest.raises(VersionConflictError):
        orders.save(order, marked)


@pytest.mark.parametrize("wrong", ["older", "other"])
def test_after_must_follow_before(table: Table, wrong: str) -> None:
    order = an_order()
    after = order if wrong == "older" else an_order().changed(at=NOON)
    with pytest.raises(ValueError, match="later version"):
        table.tenant("acme").orders.save(order, after)


# What is written along


def test_the_carriers_number_leads_to_the_order(table: Table) -> None:
    orders = table.tenant("acme").orders
    order = an_order()
    orders.add(order, an_event())
    orders.save(order, confirmed(order), an_event())
    assert orders.by_carrier_number("lso", "default", "LSO-1") == order.id
    assert orders.by_carrier_number("lso", "default", "LSO-2") is None
    assert orders.by_carrier_number("ubi", "default", "LSO-1") is None


def test_promise_2_a_carriers_number_belongs_to_one_order_only(table: Table) -> None:
    orders = table.tenant("acme").orders
    first, second = an_order(), an_order(reference="R-2")
    for order in (first, second):
        orders.add(order, an_event())
    orders.save(first, confirmed(first), an_event())
    with pytest.raises(CarrierNumberTakenError) as taken:
        orders.save(second, confirmed(second), an_event())
    assert taken.value.order_id == first.id
    assert orders.get(second.id) == second


def test_a_number_already_ours_can_be_claimed_again(table: Table) -> None:
    orders = table.tenant("acme").orders
    order = an_order()
    orders.add(order, an_event())
    named = confirmed(order)
    orders.save(order, named, an_event())
    nameless = named.changed(at=NOON, carrier_order_number=None)
    orders.save(named, nameless)
    orders.save(nameless, nameless.changed(at=NOON, carrier_order_number="LSO-1"))


def test_a_hook_lets_webhooks_for_the_order_in_from_the_same_write_on(shop: Shop) -> None:
    orders = shop.table.tenant("acme").orders
    order = an_order()
    orders.add(order, an_event())
    orders.save(order, order.changed(at=NOON), hook=hash_of("a token"))
    tokens = shop.table.webhook_tokens
    assert tokens.find("lso", "default", "a token") == Hook("acme", "lso", "default", order.id)
    item = next(item for item in all_items(shop.client) if item["pk"]["S"].startswith("HOOK#"))
    assert int(item["expires_at"]["N"]) > (NOON + timedelta(days=30)).timestamp()


def test_everything_that_follows_from_a_change_is_in_one_call(shop: Shop) -> None:
    orders = shop.table.tenant("acme").orders
    order = an_order()
    orders.add(order, an_event())
    orders.save(
        order,
        confirmed(order),
        an_event(),
        trackings=[a_tracking(order, new_id("trk")) for _ in range(50)],
        hook=hash_of("a token"),
    )
    assert shop.faults.names == ["dynamodb.transact_write_items"] * 2


def test_nothing_is_written_when_one_part_is_refused(shop: Shop) -> None:
    orders = shop.table.tenant("acme").orders
    order = an_order()
    orders.add(order, an_event())
    orders.save(order, confirmed(order), an_event(), trackings=[a_tracking(order, "trk_1")])
    after = orders.get(order.id)
    stood = sorted(all_items(shop.client), key=str)
    with pytest.raises(VersionConflictError):
        orders.save(after, after.changed(at=NOON), an_event(), trackings=[a_tracking(order, "trk_1")])
    assert sorted(all_items(shop.client), key=str) == stood


# Unknown outcomes


type Change = Callable[[Table], None]


def create(table: Table) -> None:
    table.tenant("acme").orders.add(ORDER, an_event())


def change(table: Table) -> None:
    table.tenant("acme").orders.save(ORDER, ORDER.changed(at=NOON, metadata={"a": "b"}), an_event())


ORDER = an_order()


@pytest.mark.parametrize("fault", [time_out, unavailable])
@pytest.mark.parametrize("after", [True, False], ids=["it happened", "it did not happen"])
def test_a_create_or_change_that_nobody_answered_is_settled_by_asking_again(
    shop: Shop, fault: Callable[..., Any], after: bool
) -> None:
    shop.faults.on("transact_write_items", fault(after=after))
    create(shop.table)
    shop.faults.on("transact_write_items", fault(after=after))
    change(shop.table)
    assert shop.table.tenant("acme").orders.get(ORDER.id).metadata == {"a": "b"}
    tokens = [call.arguments.get("ClientRequestToken") for call in shop.faults.calls]
    assert tokens[0] == tokens[1] != tokens[2] == tokens[3]


def test_a_change_that_was_never_answered_is_reported_as_unknown(shop: Shop) -> None:
    shop.faults.on("transact_write_items", time_out(), times=calls.ATTEMPTS)
    with pytest.raises(StoreUnavailableError):
        create(shop.table)


def test_a_create_that_died_after_its_write_left_the_whole_order(shop: Shop) -> None:
    shop.faults.at(1, die(after=True))
    with pytest.raises(Killed):
        create(shop.table)
    orders = shop.table.tenant("acme").orders
    assert orders.get(ORDER.id) == ORDER
    assert orders.by_reference("lso", "default", "R-1") == ORDER.id
    assert shop.table.due.due("ORDER", NOON + timedelta(days=1)) == [("acme", ORDER.id)]


def test_a_create_that_died_before_its_write_left_nothing(shop: Shop) -> None:
    shop.faults.at(1, die())
    with pytest.raises(Killed):
        create(shop.table)
    assert all_items(shop.client) == []


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (throttle(), ThrottledError),
        (aws_error("ProvisionedThroughputExceededException"), ThrottledError),
        (unavailable(), StoreUnavailableError),
        (time_out(), StoreUnavailableError),
        (aws_error("AccessDeniedException"), StoreError),
    ],
)
def test_errors_speak_the_stores_own_words(shop: Shop, fault: Any, error: type[Exception]) -> None:
    for method in ("get_item", "query", "transact_write_items"):
        shop.faults.on(method, fault, times=calls.ATTEMPTS)
    orders = shop.table.tenant("acme").orders
    with pytest.raises(error):
        orders.get("ord_1")
    with pytest.raises(error):
        orders.page()
    with pytest.raises(error):
        create(shop.table)


def test_a_throttled_part_of_a_transaction_is_tried_again(shop: Shop) -> None:
    def throttled(call: Any) -> BaseException:
        error = conflict().error(call)
        error.response["CancellationReasons"][0]["Code"] = "ThrottlingError"  # type: ignore[attr-defined]
        return error

    shop.faults.on("transact_write_items", conflict()._replace(error=throttled), times=2)
    create(shop.table)
    shop.faults.on("transact_write_items", conflict()._replace(error=throttled), times=calls.ATTEMPTS)
    with pytest.raises(ThrottledError):
        change(shop.table)


def test_an_order_that_does_not_fit_is_refused_by_name(table: Table) -> None:
    huge = an_order(carrier_details={"words": "x" * 420_000})
    with pytest.raises(ItemTooLargeError):
        table.tenant("acme").orders.add(huge, an_event())


def test_a_refusal_without_a_look_at_the_item_is_a_conflict_all_the_same(shop: Shop) -> None:
    shop.faults.on("transact_write_items", condition_fails(index=0))
    with pytest.raises(VersionConflictError):
        create(shop.table)
