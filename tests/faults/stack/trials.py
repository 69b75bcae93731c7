"""Merchants, each with a tenant, a key, logins and an endpoint of its own. Their calls can be spoilt."""

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from local.command.deployment import Deployment
from local.demo.merchant import Merchant
from local.stack.stack import Stack
from parcelgate.carriers import registry
from parcelgate.domain.orders import LabelStatus, Order, OrderStatus
from parcelgate.services.accounts import api_keys, webhook_urls
from parcelgate.store.credentials.webhook_tokens import Hook
from parcelgate.store.merchant_events.table import EventsTable
from sandbox.lme.envelope import new_login as lme_login
from tests.support.bodies import Body

SETTLES_WITHIN = 600.0
"""Seconds. The longest wait is for an order that is looked up twice after its sender must be dead: by a sweep
that dies, too, so that the next one has to do it."""
_TRUSTED = ssl.create_default_context()
"""One for all merchants: to make it takes longer than a merchant's first call."""
_AGAIN = {429, 500, 502, 503, 504}
_ENDS = {OrderStatus.FAILED, OrderStatus.CANCELLED, OrderStatus.NEEDS_ATTENTION}


class NotSettledError(AssertionError):
    """Something did not come to its end in time."""


class Merchants:
    """One server for the endpoints of all merchants, each under the name of its tenant."""

    def __init__(self) -> None:
        self.of: dict[str, Merchant] = {}
        self.url = ""

    def open(self, tenant: str) -> Merchant:
        """Give a new merchant an address."""
        merchant = self.of[tenant] = Merchant()
        merchant.url = f"{self.url}/{tenant}"
        return merchant


@contextmanager
def merchants() -> Iterator[Merchants]:
    """Run the merchants' server."""
    all_of_them = Merchants()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            merchant = all_of_them.of.get(self.path.strip("/"))
            self.send_response(merchant.receive(self.headers, body) if merchant else 404)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    all_of_them.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield all_of_them
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class Ground:
    """The stack on which trials are made."""

    stack: Stack
    deployment: Deployment
    merchants: Merchants

    def __post_init__(self) -> None:
        self.table = self.deployment.table
        self.secrets = self.deployment.client("secretsmanager")
        self.events = EventsTable(
            self.deployment.client("dynamodb"), self.deployment.outputs["EventsTableName"]
        )
        self.sandbox = httpx.Client(base_url=self.stack.sandbox_url, timeout=60)
        self.proxy = httpx.Client(base_url=self.stack.faults_url, timeout=60)

    def ledger(self) -> Any:
        """All carriers' books."""
        return self.sandbox.get("/_sandbox/ledger").raise_for_status().json()

    def truth(self) -> Any:
        """What really happened to all parcels."""
        return self.sandbox.get("/_sandbox/truth").raise_for_status().json()

    def spoil(self, case: str, marks: list[str], rules: list[Body]) -> None:
        """Open a case of the proxy."""
        body = [{"case": case, "marks": marks, "rules": rules}]
        self.proxy.post("/_faults/cases", json=body).raise_for_status()

    def spoil_by_chance(self, case: str, share: float, faults: Mapping[str, float], seed: int) -> None:
        """Open a case of the proxy that has all calls, and spoils a share of them."""
        chance = {"share": share, "faults": faults, "seed": seed}
        body = [{"case": case, "marks": [], "chance": chance}]
        self.proxy.post("/_faults/cases", json=body).raise_for_status()

    def stop_the_clock(self) -> None:
        """Let no parcel go on, so that what is known of it can be compared with the truth."""
        self.sandbox.post("/_sandbox/run", json={"seconds": 0}).raise_for_status()

    def noted(self, case: str) -> Any:
        """The calls of a case, and how many of them were spoilt."""
        return self.proxy.get(f"/_faults/cases/{case}").raise_for_status().json()

    def close(self, case: str) -> None:
        """Forget a case of the proxy."""
        self.proxy.delete(f"/_faults/cases/{case}").raise_for_status()

    def trial(self, tenant: str, carriers: tuple[str, ...], **accounts: Any) -> "Trial":
        """Open a merchant's tenant. Its carrier accounts have `accounts` besides, such as `limits`."""
        logins = {carrier: {"default": _LOGINS[carrier](tenant)} for carrier in carriers}
        entered = {carrier: {tenant: each["default"]} for carrier, each in logins.items()}
        self.sandbox.post("/_sandbox/accounts", json=entered).raise_for_status()
        for carrier, of_carrier in logins.items():
            secret = {
                "base_url": f"{self.stack.carriers_url or self.stack.sandbox_url}/{carrier}",
                "credentials": of_carrier["default"],
                **accounts,
            }
            name = f"{self.deployment.outputs['SecretPrefix']}/{tenant}/{carrier}/default"
            self.secrets.create_secret(Name=name, SecretString=json.dumps(secret))
            self.table.tenant(tenant).account_names.add(carrier, "default")
            if registry.pushes(carrier):
                url = webhook_urls.webhook_url(
                    self.table,
                    self.secrets,
                    Hook(tenant, carrier, "default"),
                    secret_prefix=self.deployment.outputs["SecretPrefix"],
                    base_url=self.stack.webhook_base_url,
                )
                entry = {carrier: {tenant: url}}
                self.sandbox.post("/_sandbox/webhooks", json=entry).raise_for_status()
        merchant = self.merchants.open(tenant)
        opening = Trial(self, tenant, carriers, self._key(tenant), merchant)
        made = opening.call("POST", "/v1/webhook-endpoints", {"url": merchant.url})
        merchant.secret = made["secret"]
        opening.http.close()
        # With a key that nobody has used: the authorizer does not know it yet.
        return Trial(self, tenant, carriers, self._key(tenant), merchant)

    def _key(self, tenant: str) -> str:
        return api_keys.create(self.table, tenant, sorted(api_keys.SCOPES), "faults")


@cache
def _lme_keys() -> dict[str, str]:
    """One pair of keys for all logins, since making them takes time."""
    return lme_login()


_LOGINS: dict[str, Callable[[str], dict[str, str]]] = {
    "ubi": lambda tenant: {"token": f"{tenant}-token", "secret": "of-eTower"},
    "lso": lambda tenant: {"app_id": f"app-{tenant}", "app_secret": "of-the-platform"},
    "lme": lambda tenant: _lme_keys() | {"app_key": f"APP-{tenant}"},
    "trackingmore": lambda tenant: {"api_key": f"{tenant}-key", "email": f"{tenant}@shop.example"},
}


@dataclass
class Trial:
    """One merchant's doings. Every call is repeated as the contract asks, under the same key."""

    ground: Ground
    tenant: str
    carriers: tuple[str, ...]
    key: str
    merchant: Merchant
    orders: list[str] = field(default_factory=list)
    batches: list[str] = field(default_factory=list)
    trackings: list[str] = field(default_factory=list)
    """Parcels that are followed without an order."""
    answers: list[int] = field(default_factory=list)
    trouble: str = ""
    """What kept the flow from its end."""
    seconds: float = 0.0
    """How long the flow took."""

    def __post_init__(self) -> None:
        self.http = httpx.Client(
            base_url=self.ground.stack.api_url,
            headers={"authorization": f"Bearer {self.key}"},
            timeout=90,
            verify=_TRUSTED,
        )

    @property
    def marks(self) -> list[str]:
        """What is in this merchant's calls alone."""
        return [self.tenant, self.key.split("_")[1]]

    def call(self, method: str, path: str, body: Any = None, *, once: str = "") -> Body:
        """Call the API until it answers for good.

        Raises
        ------
        NotSettledError
            It goes on failing.
        """
        headers = {"idempotency-key": once} if once else {}
        began, pause = time.monotonic(), 0.5
        while time.monotonic() - began < SETTLES_WITHIN:
            pause = min(5.0, pause * 1.5)
            try:
                answer = self.http.request(method, path, json=body, headers=headers)
            except httpx.TransportError:
                self.answers.append(0)
                time.sleep(pause)
                continue
            self.answers.append(answer.status_code)
            again = answer.status_code in _AGAIN or (
                answer.status_code == 409 and answer.json()["code"] == "idempotency_in_progress"
            )
            if not again:
                told: Body = answer.json() if answer.content else {}
                return told | {"_status": answer.status_code}
            time.sleep(min(5.0, float(answer.headers.get("retry-after", pause))))
        raise NotSettledError(f"{method} {path} goes on failing: {self.answers}")

    def create(self, body: Body) -> str:
        """Create an order; its id."""
        told = self.call("POST", "/v1/orders", body, once=f"{self.tenant}-{body['reference']}")
        order_id = told.get("order_id") or told.get("id")
        if not order_id:
            raise NotSettledError(f"no order came of it: {told}")
        self.orders.append(str(order_id))
        return str(order_id)

    def order(self, order_id: str) -> Order:
        """The order as it is stored."""
        return self.ground.table.tenant(self.tenant).orders.get(order_id)

    def settled(self, order_id: str, *ends: OrderStatus) -> Order:
        """Wait for the end of an order; of one that is `ends` or in trouble."""

        def is_over(order: Order) -> bool:
            if order.status is OrderStatus.CONFIRMED and not ends:
                return order.label.status is not LabelStatus.PENDING
            return order.status in (ends or ()) or order.status in _ENDS

        return self.until(lambda: self.order(order_id), is_over)

    def until[T](self, look: Callable[[], T], enough: Callable[[T], bool]) -> T:
        """Look again and again, less often the longer it takes.

        Raises
        ------
        NotSettledError
            It takes too long.
        """
        began, pause = time.monotonic(), 0.3
        while not enough(seen := look()):
            if time.monotonic() - began > SETTLES_WITHIN:
                raise NotSettledError(f"not within {SETTLES_WITHIN:.0f} s; last seen: {_short(seen)}")
            time.sleep(pause)
            pause = min(5.0, pause * 1.3)
        return seen

    def told(self) -> list[Body]:
        """All events in the merchant's log, oldest first."""
        log, events, cursor = self.ground.events.tenant(self.tenant).log, [], None
        while True:
            page = log.page(at=datetime.now(UTC), limit=100, cursor=cursor)
            events += [json.loads(event.body) for event in page.data]
            if (cursor := page.next_cursor) is None:
                return events[::-1]

    def rest(self) -> None:
        """Let its carriers tell of its parcels no more, and ask about them no more."""
        self.http.close()
        if pushing := {carrier: {self.tenant: None} for carrier in self.carriers if registry.pushes(carrier)}:
            self.ground.sandbox.post("/_sandbox/webhooks", json=pushing).raise_for_status()
        trackings = self.ground.table.tenant(self.tenant).trackings
        of_orders = [id for order_id in self.orders for id in self.order(order_id).tracking_ids]
        for tracking_id in [*of_orders, *self.trackings]:
            trackings.schedule(tracking_id, None)


def _short(seen: Any) -> str:
    return f"{seen.status} {seen.problem}" if isinstance(seen, Order) else str(seen)[:300]
