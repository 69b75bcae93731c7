"""Orders and parcels do not stay for good: DynamoDB deletes them when their time has passed."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from parcelgate.domain.manifests import Manifest
from parcelgate.domain.orders import Order, OrderStatus
from parcelgate.domain.problems import Problem
from parcelgate.services.settings import Settings
from parcelgate.store.calls import KEPT
from parcelgate.store.table import Table
from tests.support.orders import NOON, an_event, an_order
from tests.support.table import TABLE_NAME, all_items
from tests.support.trackings import a_followed, a_tracking

FORGOTTEN = int((NOON + KEPT).timestamp())


@pytest.fixture
def kept(dynamodb: Any) -> Any:
    """Says when each item of the table is deleted, by its `sk`."""

    def ends() -> dict[str, int | None]:
        items = all_items(dynamodb, TABLE_NAME)
        return {item["sk"]["S"]: int(at["N"]) if (at := item.get("expires_at")) else None for item in items}

    return ends


def settled(order: Order, **more: Any) -> Order:
    later = NOON + timedelta(minutes=1)
    ended = order.move(OrderStatus.PROCESSING, at=later, watch_at=later)
    return ended.move(OrderStatus.CONFIRMED, at=later, watch_at=None, carrier_order_number="L-1", **more)


def test_everything_of_an_order_is_deleted_at_one_time(table: Table, kept: Any) -> None:
    order = an_order(created_at=NOON, updated_at=NOON, watch_at=NOON)
    orders = table.tenant("acme").orders
    orders.add(order, an_event())
    assert kept()["ORDER"] is None
    after = settled(order)
    orders.save(
        order, after, an_event(), trackings=[a_tracking(order_id=order.id, created_at=NOON, updated_at=NOON)]
    )
    assert len(kept()) >= 6
    assert set(kept().values()) == {FORGOTTEN}


def test_no_order_is_deleted_that_has_a_deadline_or_needs_a_person(table: Table, kept: Any) -> None:
    order = an_order(created_at=NOON, updated_at=NOON, watch_at=NOON)
    orders = table.tenant("acme").orders
    orders.add(order, an_event())
    troubled = settled(order, attention=Problem(code="late_success", detail="Bought after all."))
    orders.save(order, troubled)
    assert kept()["ORDER"] is None
    late = NOON + KEPT
    orders.save(troubled, troubled.changed(at=late, attention=None))
    assert kept()["ORDER"] == int((late + timedelta(days=30)).timestamp())


def test_a_parcel_and_what_leads_to_it_are_deleted_and_a_poll_after_its_last(table: Table, kept: Any) -> None:
    parcel = a_followed("RR1CN", created_at=NOON, updated_at=NOON)
    trackings = table.tenant(parcel.tenant).trackings
    trackings.add(parcel)
    trackings.plan(parcel.id, NOON + timedelta(days=1))
    trackings.lead_to(parcel, parcel.account, "dhl", "JD1")
    assert kept() == {
        "TRACKING": FORGOTTEN,
        "FOLLOWED": FORGOTTEN,
        "COURIER": FORGOTTEN,
        "POLL": FORGOTTEN + 86_400,
    }
    at = NOON + timedelta(days=2)
    claim = trackings.claim(parcel.id, at=at, until=at + timedelta(minutes=1), claimant="me")
    assert claim is not None
    trackings.settle(claim, None, at=at)
    assert kept()["POLL"] == FORGOTTEN + 2 * 86_400


def test_a_parcel_of_an_earlier_release_gets_its_end_with_its_next_change(
    table: Table, dynamodb: Any, kept: Any
) -> None:
    parcel = a_followed("RR1CN", created_at=NOON, updated_at=NOON)
    trackings = table.tenant(parcel.tenant).trackings
    trackings.add(parcel)
    item = next(each for each in all_items(dynamodb, TABLE_NAME) if each["sk"]["S"] == "TRACKING")
    del item["expires_at"]
    dynamodb.put_item(TableName=TABLE_NAME, Item=item)
    trackings.save(parcel, msgspec.structs.replace(parcel, title="Two dresses", version=parcel.version + 1))
    assert kept()["TRACKING"] == FORGOTTEN


def test_a_manifest_is_deleted_with_its_orders(table: Table, kept: Any) -> None:
    manifest = Manifest(id="man_1", carrier="ubi", account="default", entries=(), created_at=NOON)
    table.tenant("acme").manifests.add(manifest, ["ord_1"])
    assert kept() == {"MANIFEST": FORGOTTEN, "CLOSING": FORGOTTEN}


def test_the_environment_says_for_how_long(dynamodb: Any, kept: Any) -> None:
    retention = Settings({"PARCELGATE_RETENTION": str(30 * 86_400)}).retention
    table = Table(dynamodb, TABLE_NAME, retention)
    table.tenant("acme").manifests.put(
        Manifest(id="man_1", carrier="ubi", account="default", entries=(), created_at=NOON)
    )
    assert kept() == {"MANIFEST": int((NOON + timedelta(days=30)).timestamp())}
