"""Promise 7: every key in the store begins with the tenant, save a named list of routing items."""

import ast
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import parcelgate.store
from parcelgate import aws_clients
from parcelgate.domain.manifests import Manifest
from parcelgate.domain.merchants.rate_cards import RateCard
from parcelgate.domain.orders import OrderStatus
from parcelgate.domain.printouts import Printout, PrintRequest
from parcelgate.domain.trackings import Source, merge
from parcelgate.services import idempotency
from parcelgate.services.accounts import api_keys
from parcelgate.store import keys
from parcelgate.store.credentials.webhook_tokens import Hook, hash_of
from parcelgate.store.errors import (
    KeyNotFoundError,
    ManifestNotFoundError,
    OrderNotFoundError,
    TrackingNotFoundError,
)
from parcelgate.store.limits import LoginsTable
from parcelgate.store.table import Table
from tests.support.orders import NOON, an_event, an_order
from tests.support.table import TABLE_NAME, all_items
from tests.support.trackings import a_followed, a_tracking, seen

ROUTING = {
    "DOWN": {"pk", "sk", "until", "expires_at"},
    "LOGINS#": {"pk", "sk", "full_at", "expires_at"},
    "PAGES": {"pk", "sk", "secret"},
    "KEY#": {"pk", "sk", "tenant", "scopes", "secret_hash", "mark", "revoked_at"},
    "HOOK#": {"pk", "sk", "tenant", "carrier", "account", "order_id", "expires_at"},
}
"""The named list, with everything that such an item may hold."""


def fill(table: Table, tenant: str) -> str:
    """One of everything, and everything done to it."""
    own = table.tenant(tenant)
    order = an_order(tenant)
    begun = idempotency.begin(own, method="POST", path="/v1/orders", key="k", body=b"{}", now=NOON)
    assert isinstance(begun, idempotency.Fresh)
    own.orders.add(order, an_event(), begun.claim)
    idempotency.finish(begun.claim, idempotency.Answer(201, {}, "{}"), now=NOON)
    tracking = a_tracking(tenant, id="trk_1")
    named = order.changed(at=NOON, carrier_order_number="N-1")
    own.orders.save(order, named, an_event(), trackings=[tracking], hook=hash_of(f"{tenant} order"))
    own.orders.save(named, named.move(OrderStatus.NEEDS_ATTENTION, at=NOON, watch_at=None), an_event())
    followed = a_followed(tenant=tenant, id="trk_2")
    own.trackings.add(followed)
    told = merge(followed, [seen("in_transit")], source=Source.POLL, at=NOON)
    own.trackings.save(followed, told)
    own.trackings.recode(told, msgspec.structs.replace(told, carrier_code="dhl", version=told.version + 1))
    own.trackings.plan("trk_2", NOON)
    own.trackings.claim("trk_2", at=NOON, until=NOON + timedelta(minutes=1), claimant="one")
    own.trackings.realtime("trk_2", at=NOON, interval=timedelta(hours=2))
    other = an_order(tenant, reference="R-2")
    own.orders.add(other, an_event())
    own.orders.save(other, other.move(OrderStatus.FAILED, at=NOON, watch_at=None), an_event())
    table.webhook_tokens.put(f"{tenant} account", Hook(tenant, "lme", "default"))
    own.inbox.put(carrier="lso", account="default", body=b"{}", now=NOON)
    entry = own.inbox.put(carrier="lso", account="default", body=b"[]", now=NOON)
    own.inbox.park(entry, "why", NOON)
    own.inbox.put(carrier="lso", account="default", body=b"1", now=NOON, proof="p", parked="why")
    printout = Printout(id="lbl_1", tenant=tenant, request=PrintRequest(order_ids=("o",)), created_at=NOON)
    assert own.printouts.put(printout)
    own.account_names.add("ubi", "default")
    own.limits("ubi", "default").show_down(NOON)
    logins = LoginsTable(aws_clients.client("dynamodb"), TABLE_NAME)
    logins.limits("ubi", f"{tenant}-login").enter(NOON, rate=1, burst=1)
    own.rate_cards.put(RateCard(carrier="ubi", account="default", rows=(), updated_at=NOON))
    own.manifests.add(
        Manifest(id="man_1", carrier="ubi", account="default", entries=(), created_at=NOON), [order.id]
    )
    key = api_keys.create(table, tenant, ["orders:read"], "a key")
    api_keys.revoke(table, tenant, api_keys.create(table, tenant, ["orders:read"], "old").split("_")[1])
    kms = aws_clients.client("kms")
    vault = own.token_vault("lso", "default", key_id=kms.create_key()["KeyMetadata"]["Arn"], kms=kms)
    vault.renew(None, lambda: ("secret", 100))
    table.page_tokens.ready()
    return key


def test_promise_7_every_key_begins_with_its_tenant_save_the_named_routing_items(
    table: Table, dynamodb: Any
) -> None:
    fill(table, "acme")
    kinds = set()
    for item in all_items(dynamodb):
        pk = item["pk"]["S"]
        routing = next((fields for prefix, fields in ROUTING.items() if pk.startswith(prefix)), None)
        if routing is not None:
            assert set(item) <= routing, "a routing item holds nothing but the way to the tenant"
            kinds.add(pk.split("#")[0])
            continue
        assert pk.startswith("T#acme#")
        kinds.add(pk.split("#")[2])
        for attribute in ("list_pk", "status_pk", "reference_pk"):
            assert item.get(attribute, {"S": "T#acme#"})["S"].startswith("T#acme#")
        assert item.get("due_pk", {"S": "DUE#"})["S"].startswith("DUE#")
    assert kinds == {
        "ACCOUNTS",
        "MANIFEST",
        "RATE_CARD",
        "ORDER",
        "TRACKING",
        "FOLLOWED",
        "REFERENCE",
        "NUMBER",
        "IDEMPOTENCY",
        "TOKEN",
        "INBOX",
        "PROOF",
        "PRINTOUT",
        "KEY",
        "HOOK",
        "DOWN",
        "LOGINS",
        "PAGES",
    }


def test_promise_7_a_tenant_whose_name_begins_like_anothers_sees_nothing_of_it(table: Table) -> None:
    fill(table, "acme")
    for tenant in ("acm", "acme-2", "acme.eu", "ACME", "T"):
        own = table.tenant(tenant)
        assert own.orders.page().data == []
        assert own.orders.page(status="failed").data == []
        assert own.orders.page(reference="R-1").data == []
        assert own.orders.page(account="default").data == []
        assert own.orders.page(carrier_order_number="N-1").data == []
        assert own.trackings.page(tracking_number="1Z").data == []
        assert own.trackings.page(carrier_code="dhl").data == []
        assert own.orders.by_reference("lso", "default", "R-1") is None
        assert own.orders.by_carrier_number("lso", "default", "N-1") is None
        assert own.trackings.page().data == []
        assert own.trackings.page(status="in_transit").data == []
        assert own.trackings.many(["trk_1", "trk_2"]) == []
        assert own.trackings.statuses(["trk_1", "trk_2"]) == {}
        assert own.trackings.polls(["trk_2"], now=NOON) == {"trk_2": None}
        assert own.trackings.find("default", "dhl", "RR1CN") is None
        assert own.manifests.last_of(["ord_1"]) == {}
        with pytest.raises(ManifestNotFoundError):
            own.manifests.get("man_1")
        assert own.api_keys.all() == []
        assert list(own.inbox.parked()) == []
        assert own.printouts.get("lbl_1", now=NOON) is None


def test_promise_7_another_tenants_things_are_not_there(table: Table) -> None:
    key = fill(table, "acme")
    fill(table, "other")
    mine, theirs = table.tenant("acme").orders, table.tenant("other").orders
    assert len(mine.page().data) == 2
    for order in mine.page().data:
        with pytest.raises(OrderNotFoundError):
            theirs.get(order.id)
        with pytest.raises(OrderNotFoundError):
            theirs.events(order.id)
        with pytest.raises(ValueError, match="another tenant"):
            theirs.add(order, an_event())
        with pytest.raises(ValueError, match="another tenant"):
            theirs.save(order, order.changed(at=NOON))
        with pytest.raises(ValueError, match="another tenant"):
            theirs.save(order, msgspec.structs.replace(order.changed(at=NOON), tenant="other"))
    own, others = table.tenant("acme").trackings, table.tenant("other").trackings
    assert len(own.page().data) == 2
    for tracking in own.page().data:
        assert tracking.tenant == "acme"
        later = msgspec.structs.replace(tracking, version=tracking.version + 1)
        for refused in (
            lambda one=tracking: others.add(one),
            lambda one=tracking, after=later: others.save(one, after),
            lambda one=tracking, after=later: others.recode(
                one, msgspec.structs.replace(after, carrier_code="ups")
            ),
            lambda one=tracking: others.remove(one),
        ):
            with pytest.raises(ValueError, match="another tenant"):
                refused()
    others.schedule("trk_2", None)
    others.remove(others.get("trk_2"))
    assert own.polls(["trk_2"], now=NOON) == {"trk_2": NOON}
    with pytest.raises(TrackingNotFoundError):
        others.get("trk_2")
    assert own.get("trk_2").tenant == "acme"
    with pytest.raises(KeyNotFoundError):
        api_keys.revoke(table, "other", key.split("_")[1])


def test_the_due_index_leads_to_each_tenants_own_item(table: Table) -> None:
    fill(table, "acme")
    fill(table, "other")
    for tenant, entry_id in table.due.due("INBOX", NOON + timedelta(days=1)):
        entry = table.tenant(tenant).inbox.get(entry_id)
        assert entry is not None
        assert entry.tenant == tenant
    for tenant, order_id in table.due.due("ORDER", NOON + timedelta(days=1)):
        assert table.tenant(tenant).orders.get(order_id).tenant == tenant
    polls = [ref for page in table.due.polls(0, 1, NOON) for ref in page]
    assert sorted((ref.tenant, ref.id) for ref in polls) == [
        (tenant, tracking_id) for tenant in ("acme", "other") for tracking_id in ("trk_1", "trk_2")
    ]
    for tenant, tracking_id, _ in polls:
        assert table.tenant(tenant).trackings.get(tracking_id).tenant == tenant


NAMES = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,20}\Z")
PARTS = st.lists(st.text(max_size=8), min_size=1, max_size=3)


@given(NAMES, PARTS, NAMES, PARTS)
def test_promise_7_two_keys_are_equal_only_when_all_their_parts_are(
    tenant: str, parts: list[str], other: str, others: list[str]
) -> None:
    mine, theirs = keys.key(tenant, "KIND", *parts), keys.key(other, "KIND", *others)
    assert (mine == theirs) == ((tenant, parts) == (other, others))
    assert mine.startswith(f"T#{tenant}#KIND#")
    name = keys.parse(mine)
    assert name is not None
    assert name.tenant == tenant


@given(st.text(max_size=70))
def test_a_name_is_a_tenants_or_refused(name: str) -> None:
    try:
        prefix = keys.tenant_prefix(name)
    except ValueError:
        return
    assert prefix == f"T#{name}#"
    assert "#" not in name


def test_a_routing_key_names_nobodys_item() -> None:
    assert [keys.parse(pk) for pk in ("KEY#1", "HOOK#abc", "T#a", "T#a#ORDER", "")] == [None] * 5
    assert keys.parse("T#a#ORDER#ord_1") == ("a", "ORDER", "ord_1")
    assert keys.parse("T#a#INBOX#lso#ab") == ("a", "INBOX", "lso#ab")


def test_nothing_is_ever_scanned() -> None:
    """And `Table` alone, without a tenant, opens routing items only."""
    folder = Path(parcelgate.store.__file__).parent
    for path in folder.rglob("*.py"):
        names = {
            node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)
        }
        assert not names & {"scan", "execute_statement"}, path.name
    assert {name for name in vars(Table) if not name.startswith("_")} == {
        "tenant",
        "keys_by_id",
        "webhook_tokens",
        "due",
        "wheel",
        "open_circuits",
        "page_tokens",
    }
