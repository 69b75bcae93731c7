"""A whole Parcelgate in this process whose carriers answer at once: the sandbox, over real HTTP.

It is the `World` with real adapters and the real transport, past the limits of each account. Time is made
up for Parcelgate alone: the carriers judge signatures by the clock on the wall, so the adapters read that.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import msgspec
import pytest

from parcelgate.carriers import registry
from parcelgate.carriers.toolkit.calls import Request, Response
from parcelgate.carriers.toolkit.transport import HttpTransport
from parcelgate.domain.clock import now
from parcelgate.domain.deadline import Deadline
from parcelgate.domain.orders import Order, OrderStatus
from parcelgate.runtime import runtime
from parcelgate.services.labels.documents import LabelStore
from parcelgate.services.labels.fetch import LabelFetcher, LabelWorker
from parcelgate.services.orders.cancel import Canceller
from parcelgate.services.orders.create import Intake
from parcelgate.services.orders.retries import Retrier
from parcelgate.services.orders.retry_queues import RetryQueues
from parcelgate.services.orders.submission import OrderSubmitter
from parcelgate.store.table import Table
from sandbox import Settings, serve
from sandbox.lme.envelope import new_login
from tests.support.api import TENANT, Reply, api_event
from tests.support.carriers import carriers_over
from tests.support.orders import trackings_of
from tests.support.world import FUNCTION_SECONDS, World, worlds

type Body = dict[str, Any]

CARRIERS = ("ubi", "lme")
READ_SECONDS = 0.4
"""How long an answer is waited for here; the sandbox answers in milliseconds, or is told not to."""
QUEUES = {
    "PARCELGATE_RETRY_QUEUE_URLS": msgspec.json.encode(
        {carrier: f"https://sqs.test/retry-{carrier}" for carrier in CARRIERS}
    ).decode(),
    "PARCELGATE_RETRY_DEAD_LETTER_URLS": msgspec.json.encode(
        {carrier: f"https://sqs.test/dead-{carrier}" for carrier in CARRIERS}
    ).decode(),
    "PARCELGATE_LABEL_QUEUE_URL": "https://sqs.test/labels",
}


class Sandbox:
    """The running sandbox, and the accounts that it lets in."""

    def __init__(self, url: str, logins: dict[str, dict[str, str]]) -> None:
        self.url = url
        self.logins = logins
        self._control = httpx.Client(base_url=f"{url}/_sandbox", trust_env=False)
        self._ordered: list[tuple[str, str, str, int]] = []

    def reset(self) -> None:
        self._control.post("/reset").raise_for_status()
        self._ordered.clear()

    def fault(self, carrier: str, call: str, kind: str, *, times: int = 1, **more: Any) -> None:
        """Spoil the next `times` of a carrier's calls. Each fault has to be met before the test is over."""
        fault = {"carrier": carrier, "call": call, "kind": kind, "times": times, **more}
        self._control.post("/faults", json=[{"seconds": 2 * READ_SECONDS, **fault}]).raise_for_status()
        self._ordered.append((carrier, call, kind, times))

    def assert_every_fault_was_met(self) -> None:
        left = [(each["carrier"], each["call"], each["kind"], each["times"]) for each in self.left_faults()]
        unmet = [fault for fault in left if fault in self._ordered]
        assert not unmet, f"never met, so nothing was tested: {unmet}"

    def left_faults(self) -> list[Body]:
        faults: list[Body] = self._control.get("/faults").json()["faults"]
        return faults

    def bought(self, carrier: str, reference: str) -> list[Body]:
        """The carrier's orders under a reference, also those that it has taken back."""
        ledger = self._control.get("/ledger").json()[carrier]
        return [entry for entry in ledger["orders"] if entry["reference"] == reference]


@contextmanager
def sandboxes() -> Iterator[Sandbox]:
    logins = {"ubi": {"token": "t-7", "secret": "made-up"}, "lme": new_login()}
    settings = Settings(accounts={carrier: {"default": login} for carrier, login in logins.items()})
    with serve(settings) as url:
        yield Sandbox(url, logins)


class HastyTransport:
    """The real transport, waiting for answers as long as a test can."""

    def __init__(self, deadline: Deadline | None) -> None:
        self._inner = HttpTransport(deadline)

    def send(self, request: Request) -> Response:
        return self._inner.send(msgspec.structs.replace(request, read_seconds=READ_SECONDS))


class Desk(World):
    """Where orders for UBI and LME are taken. Make it with `desks`."""

    def __init__(self, sandbox: Sandbox, *given: Any, limits: Body | None = None, **how: Any) -> None:
        self.sandbox = sandbox
        environment = QUEUES | how.pop("environment", {})
        super().__init__(*given, environment=environment, **how)
        for carrier in CARRIERS:
            self.store_account(carrier, sandbox.logins[carrier], **({"limits": limits} if limits else {}))
        for carrier in CARRIERS:
            self.sqs.workers[f"https://sqs.test/retry-{carrier}"] = self._function("retry_order")
        self.sqs.workers["https://sqs.test/labels"] = self._function("label_order")

    def store_account(self, carrier: str, credentials: dict[str, str], **more: Any) -> None:
        name = f"parcelgate/{TENANT}/{carrier}/default"
        secret = {"base_url": f"{self.sandbox.url}/{carrier}", "credentials": credentials, **more}
        self.secrets.texts[name] = msgspec.json.encode(secret).decode()

    def create(self, body: Body, **headers: str) -> Reply:
        """`POST /v1/orders`."""
        return self._ask("create_order", api_event("POST /v1/orders", body=body, headers=headers))

    def cancel(self, order: Order) -> Reply:
        """`POST /v1/orders/{id}/cancel`."""
        return self._ask("cancel_order", api_event("POST /v1/orders/{id}/cancel", id=order.id))

    @property
    def sent(self) -> list[str]:
        """The calls that went out to carriers, such as `ubi.orders`."""
        return [call.arguments["args"][0].call for call in self.faults.calls if call.target == "carrier"]

    def only_order(self) -> Order:
        """The one order that there is."""
        (order,) = self.table.tenant(TENANT).orders.page(limit=2).data
        return order

    def assert_promises(self, order: Order) -> None:
        """What must hold of an order at its end, whatever went wrong on the way."""
        order = self.read(order)
        assert order.status in {
            OrderStatus.CONFIRMED,
            OrderStatus.CANCELLED,
            OrderStatus.FAILED,
            OrderStatus.NEEDS_ATTENTION,
        }
        assert order.watch_at is None, "nobody is to look after a settled order"
        if order.status in (OrderStatus.FAILED, OrderStatus.NEEDS_ATTENTION):
            assert order.problem is not None
        orders = self.table.tenant(order.tenant).orders
        holder = orders.by_reference(order.carrier, order.account, order.reference)
        assert (holder is None) == order.status.final, "a final order frees its reference, no other does"
        bought = self.sandbox.bought(order.carrier, order.reference)
        assert len(bought) <= 1, "bought twice"
        living = [entry for entry in bought if not entry["refunded"]]
        if order.status is OrderStatus.CONFIRMED:
            assert [entry["order_number"] for entry in living] == [order.carrier_order_number]
            assert len(trackings_of(self.table, order)) == len(order.parcels)
        if order.status in (OrderStatus.FAILED, OrderStatus.CANCELLED):
            assert living == [], "the carrier still has it"

    def _ask(self, function: str, event: Body) -> Reply:
        found = self._function(function)(event)
        self.stream()
        return Reply(found["statusCode"], found["headers"], found.get("body", ""))

    def _wire(self, patch: pytest.MonkeyPatch) -> None:
        super()._wire(patch)
        wrap, settings = self.faults.wrap, self.settings
        table = Table(wrap(self._dynamodb, "dynamodb"), self._table_name)
        sqs: Any = wrap(self.sqs, "sqs")
        queues = RetryQueues(sqs, settings)
        store: Any = wrap(self.s3, "s3")
        carriers = carriers_over(
            table,
            settings,
            transport=lambda deadline: wrap(HastyTransport(deadline), "carrier"),
            clock=self.clock,
            sleep=self.clock.sleep,
        )
        submitter = OrderSubmitter(
            table=table,
            carriers=carriers,
            settings=settings,
            retries=lambda: queues,
            clock=self.clock,
            roll=lambda: 0.999,
            workers=1,
        )
        intake = Intake(
            table=table,
            carriers=carriers,
            settings=settings,
            stepfunctions=lambda: wrap(self.machine, "states"),  # type: ignore[arg-type, return-value]
            submitter=lambda: submitter,
            clock=self.clock,
        )
        canceller = Canceller(
            table=table,
            carriers=carriers,
            retries=lambda: queues,
            settings=settings,
            clock=self.clock,
        )
        fetcher = LabelFetcher(
            table=table, carriers=carriers, labels=lambda: LabelStore(store, "labels"), clock=self.clock
        )
        retrier = Retrier(
            table=table,
            settings=settings,
            fetcher=fetcher,
            sqs=sqs,
            submitter=submitter,
            deadline=Deadline(lambda: FUNCTION_SECONDS),
            clock=self.clock,
            roll=lambda: 0.999,
        )
        worker = LabelWorker(
            fetcher=fetcher,
            settings=settings,
            sqs=sqs,
            clock=self.clock,
            roll=lambda: 0.999,
        )
        self.intake, self.submitter = intake, submitter
        runtime.use(
            order_intake=intake,
            order_canceller=canceller,
            retrier=lambda deadline: retrier,
            label_worker=worker,
        )
        really = registry.build
        patch.setattr(registry, "build", lambda code, given: really(code, given._replace(clock=now)))


@contextmanager
def desks(sandbox: Sandbox) -> Iterator[Callable[..., Desk]]:
    """A maker of fresh desks, all over one moto and one sandbox."""
    with worlds() as make:
        yield lambda **how: make(kind=lambda *given, **named: Desk(sandbox, *given, **named), **how)


def ubi_body(reference: str = "shop-17", parcels: int = 1, **changes: Any) -> Body:
    """What `POST /v1/orders` is given for an order by UBI."""
    items = [
        {
            "description": "Cotton dress",
            "quantity": 1,
            "unit_value": {"amount": "20.00", "currency": "AUD"},
            "origin_country": "CN",
        }
    ]
    return {
        "carrier": "ubi",
        "service": "UBI.AU2AU.AUPOST.1",
        "reference": reference,
        "ship_to": _RECEIVER,
        "ship_from": {"name": "Jiang Yuanfei", "line1": "Sanshui Park", "city": "Foshan", "country": "CN"},
        "parcels": [{"weight": {"value": 1, "unit": "kg"}, "items": items} for _ in range(parcels)],
        **changes,
    }


def lme_body(reference: str = "shop-17", **changes: Any) -> Body:
    """What `POST /v1/orders` is given for an order by LME."""
    return {
        "carrier": "lme",
        "reference": reference,
        "ship_to": _RECEIVER,
        "ship_from": {
            "name": "Jiang Yuanfei",
            "phone": "02586707811",
            "line1": "Sanshui Industrial Park",
            "city": "FO SHAN",
            "state": "Guangdong",
            "postcode": "528100",
            "country": "CN",
        },
        "parcels": [
            {
                "weight": {"value": 1, "unit": "kg"},
                "dimensions": {"length": 20, "width": 15, "height": 10, "unit": "cm"},
                "description": "Cotton dress",
            }
        ],
        **changes,
    }


_RECEIVER = {
    "name": "Corrie McKee",
    "phone": "0403536112",
    "line1": "3 Lakeside Drive",
    "city": "Berwick",
    "state": "VIC",
    "postcode": "3806",
    "country": "AU",
}
BODIES: dict[str, Callable[..., Body]] = {"ubi": ubi_body, "lme": lme_body}
