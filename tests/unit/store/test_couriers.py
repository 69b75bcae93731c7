"""Lists of couriers, kept for a day."""

import secrets
from datetime import timedelta

from parcelgate.store.table import Table
from tests.support.orders import NOON


def test_a_list_is_its_tenants_its_accounts_and_its_languages(table: Table) -> None:
    kept = table.tenant("acme").couriers
    kept.put("default", "en", b"[1]", now=NOON)

    assert kept.get("default", "en", now=NOON + timedelta(hours=23)) == b"[1]"
    assert kept.get("default", "en", now=NOON + timedelta(hours=24)) is None
    assert kept.get("default", "", now=NOON) is kept.get("second", "en", now=NOON) is None
    assert table.tenant("other").couriers.get("default", "en", now=NOON) is None


def test_a_list_that_no_item_can_hold_is_not_kept(table: Table) -> None:
    kept = table.tenant("acme").couriers

    kept.put("default", "", secrets.token_bytes(500_000), now=NOON)

    assert kept.get("default", "", now=NOON) is None
