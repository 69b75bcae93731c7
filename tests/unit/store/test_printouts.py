"""Printouts in the table: the last request counts, and everything ends after a day."""

from datetime import timedelta

import pytest

from parcelgate.domain.printouts import Printout, PrintoutStatus, PrintRequest
from parcelgate.store.table import Table
from tests.support.orders import NOON

MINUTE = timedelta(minutes=1)


def a_printout(at: int = 0, tenant: str = "acme") -> Printout:
    request = PrintRequest(order_ids=("ord_1", "ord_2"))
    return Printout(id="lbl_1", tenant=tenant, request=request, created_at=NOON + at * MINUTE)


def made(printout: Printout) -> Printout:
    return printout.ready(pages=2, key="k", sha256="s", missing=())


def test_the_first_of_a_request_stays_until_a_later_one(table: Table) -> None:
    printouts = table.tenant("acme").printouts
    assert printouts.put(a_printout())
    assert printouts.finish(made(a_printout()))
    assert not printouts.put(a_printout()), "what is made is not unmade by its own request"
    assert printouts.get("lbl_1", now=NOON) == made(a_printout())
    assert printouts.put(a_printout(1))
    assert not printouts.finish(made(a_printout())), "nobody waits for the earlier one any more"
    assert printouts.get("lbl_1", now=NOON) == a_printout(1)


def test_what_is_made_before_its_request_is_stored_is_kept(table: Table) -> None:
    printouts = table.tenant("acme").printouts
    assert printouts.finish(made(a_printout()))
    assert not printouts.put(a_printout())
    stored = printouts.get("lbl_1", now=NOON)
    assert stored is not None
    assert stored.status is PrintoutStatus.READY


def test_it_is_gone_after_a_day(table: Table) -> None:
    printouts = table.tenant("acme").printouts
    printouts.put(a_printout())
    assert printouts.get("lbl_1", now=NOON + timedelta(hours=24, seconds=-1)) is not None
    assert printouts.get("lbl_1", now=NOON + timedelta(hours=24)) is None


def test_nobody_stores_what_is_anothers(table: Table) -> None:
    with pytest.raises(ValueError, match="another tenant"):
        table.tenant("acme").printouts.put(a_printout(tenant="other"))


@pytest.mark.parametrize("other", ["other", "acm"])
def test_the_same_request_of_another_tenant_has_another_id(other: str) -> None:
    request = PrintRequest(order_ids=("ord_1",))
    assert request.id_for("acme") == request.id_for("acme") != request.id_for(other)
