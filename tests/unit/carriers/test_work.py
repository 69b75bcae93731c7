"""Twice the goods are twice the work: to read an order, to examine and send it, and to read a file of orders.

Work is counted in calls of functions, ours and built in, so that no clock decides.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec
import pytest

import sandbox.carriers
from local.command import order_files
from parcelgate.carriers import registry
from parcelgate.carriers.accounts import AccountConfig, Connection
from parcelgate.carriers.errors import TransientError
from parcelgate.carriers.port import Carrier, Manifests
from parcelgate.domain.orders import Order
from parcelgate.domain.problems import MOST_FINDINGS, FieldError, Notice, bounded, invalid
from parcelgate.http.requests.orders import read_order
from parcelgate.services.orders.create import Draft, examined
from tests.support.adapters import NOON, FakeTransport, FakeVault, lso_account
from tests.support.carriers import address_for, first_service, is_carrier

SENDER = {"name": "Depot", "line1": "1 Dock Road", "city": "Foshan", "country": "CN", "state": "Guangdong"}
MOST_PARCELS = 5


class _CannotBeReached(FakeTransport):
    def send(self, request: Any) -> Any:
        self.requests.append(request)
        raise TransientError("nobody is there")


def calls(work: Callable[[], object]) -> int:
    """How many calls a piece of work takes."""
    count = 0

    def seen(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(seen)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def twice(work: Callable[[int], Callable[[], object]], size: int) -> None:
    """Twice the size takes at most twice the calls, and a little that does not depend on it."""
    work(size)()  # Whatever is imported or compiled only once.
    once, doubled = calls(work(size)), calls(work(2 * size))
    assert doubled < 2.1 * once


def parcels_of(carrier: str) -> int:
    return min(registry.profile(carrier).max_parcels, MOST_PARCELS)


def body(carrier: str, items: int, **item: Any) -> dict[str, Any]:
    """An order of so many items in several parcels, if the carrier takes several."""
    parcels = parcels_of(carrier)
    goods = {"description": "Hat", "quantity": 1, "unit_value": {"amount": "1.50", "currency": "USD"}, **item}
    box = {
        "weight": {"value": 1, "unit": "kg"},
        "dimensions": {"length": 30, "width": 20, "height": 10, "unit": "cm"},
        "items": [goods] * (items // parcels),
    }
    return {
        "carrier": carrier,
        "service": first_service(carrier),
        "reference": "shop-17",
        "ship_to": {"name": "Ada Byrd", "company": "Byrd", "phone": "512-555-0142", **address_for(carrier)},
        **({} if carrier == "lso" else {"ship_from": SENDER}),
        "parcels": [box] * parcels,
    }


def read(carrier: str, items: int, **item: Any) -> Draft:
    content = json.loads(json.dumps(body(carrier, items, **item)))
    return read_order(content, carriers=[carrier], tenant="shop", order_id="ord_1", now=NOON)


def adapter(carrier: str, transport: FakeTransport | None = None) -> Carrier:
    login = sandbox.carriers.package(carrier).new_login()
    account = lso_account(carrier=carrier, credentials=login)
    built = registry.adapter(carrier)(
        Connection(account, transport or _CannotBeReached(), FakeVault(), lambda: NOON)
    )
    assert is_carrier(built, carrier)
    return built


@pytest.mark.parametrize("carrier", registry.names())
class TestAnOrderOfTwiceTheItemsIsTwiceTheWork:
    @pytest.mark.parametrize("fault", [{}, {"colour": "red"}, {"quantity": "many"}])
    def test_to_read(self, carrier: str, fault: dict[str, Any]) -> None:
        twice(lambda items: lambda: read(carrier, items, **fault), 100)

    # UBI wants an origin: every item without one is a finding.
    @pytest.mark.parametrize("origin", [{}, {"origin_country": "CN"}])
    def test_to_examine(self, carrier: str, origin: dict[str, str]) -> None:
        def work(items: int) -> Callable[[], object]:
            order, built = read(carrier, items, **origin).order, adapter(carrier)
            assert order is not None
            return lambda: built.examine(order)

        twice(work, 200)

    def test_to_send(self, carrier: str) -> None:
        def work(items: int) -> Callable[[], object]:
            order, built = read(carrier, items, origin_country="CN").order, adapter(carrier)
            assert order is not None

            def send() -> None:
                with pytest.raises(TransientError):
                    built.create(order, callback_url="https://shop.example/callback")

            return send

        twice(work, 200)


def test_to_close_twice_the_orders_is_twice_the_work() -> None:
    def work(count: int) -> Callable[[], object]:
        order = read("ubi", 5).order
        assert order is not None
        orders = [msgspec.structs.replace(order, carrier_order_number=f"M{n}") for n in range(count)]
        entries = [{"status": "Success", "orderId": f"M{n}"} for n in range(count)]
        answer: Any = {"status": "Success", "errors": None, "data": entries}
        built = adapter("ubi", FakeTransport({"ubi.manifests": [answer]}))
        assert isinstance(built, Manifests)
        return lambda: built.close(orders)

    twice(work, 50)


@pytest.mark.parametrize("fault", ["", "1.23E+11"])
def test_a_file_of_twice_the_lines_is_twice_the_work(tmp_path: Path, fault: str) -> None:
    def work(lines: int) -> Callable[[], object]:
        rows = "".join(f"shop-{line // 3},1.25 kg,{fault},Hat\n" for line in range(lines))
        path = tmp_path / f"{lines}.csv"
        path.write_text(f"reference,parcel.weight,ship_to.postcode,item.description\n{rows}", "utf-8")

        def reads() -> None:
            try:
                order_files.read(path)
            except order_files.FileError:
                assert fault

        return reads

    twice(work, 300)


@pytest.mark.parametrize("kind", [FieldError, Notice])
def test_of_thousands_of_findings_the_first_are_named_and_the_others_counted(kind: Any) -> None:
    findings = [kind(f"/parcels/0/items/{place}", "missing", "Is required.") for place in range(5000)]
    few, shown = bounded(findings[:MOST_FINDINGS]), bounded(findings)
    assert list(few) == findings[:MOST_FINDINGS]
    assert (len(shown), shown[-1].code, shown[-1].message) == (101, "more", "And 4900 more.")


def test_a_problem_names_as_many_fields_as_anybody_reads_and_says_how_many_there_are() -> None:
    problem = invalid([FieldError(f"/{place}", "missing", "") for place in range(5000)]).problem
    assert len(problem.errors) == 101
    assert problem.detail.startswith("5000 fields")


class _OneCarrier:
    """Stands for all carriers of an environment."""

    def account(self, *_: str) -> AccountConfig:
        return lso_account(carrier="ubi")

    def of(self, _order: Order) -> Carrier:
        return adapter("ubi")


def test_an_order_has_no_more_warnings_than_anybody_reads() -> None:
    draft = read("ubi", 500, description="Mütze Łódź", origin_country="CN")
    order = examined(draft, _OneCarrier())  # type: ignore[arg-type]
    assert [warning.code for warning in order.warnings] == [*["transliterated"] * MOST_FINDINGS, "more"]
    assert order.warnings[-1].message == "And 400 more."


@pytest.mark.parametrize("carrier", registry.names())
def test_a_list_that_is_too_long_is_one_mistake(carrier: str) -> None:
    parcels = parcels_of(carrier)
    draft = read(carrier, 501 * parcels)
    assert [error.code for error in draft.errors] == ["too_many"] * parcels
    assert draft.order is None
