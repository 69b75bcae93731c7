"""What every drill works with: a tenant of its own, its orders, and the carriers' books."""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from local import ROOT
from local.command.deployment import LOCAL_NAME, Deployment
from local.stack import stack as local_stack
from parcelgate.domain.clock import now
from parcelgate.services.accounts import api_keys, webhook_urls

type Body = dict[str, Any]

POLL = 1.0
PATIENCE = 300.0
"""Seconds that the machinery may take for one step."""
_OVER = {"confirmed", "failed", "cancelled"}
_SECONDS = 60


class NotSeenError(Exception):
    """What a drill waits for did not come; the message says what it is."""


@dataclass(frozen=True)
class Block:
    """A command of the runbook for this drill, its placeholders' values, and whether it may end with 1."""

    section: str
    words: str
    values: Mapping[str, str] = field(default_factory=dict)
    may_fail: bool = False


@dataclass
class Scene:
    """One drill's tenant on a stack that runs in `state`.

    Parameters
    ----------
    state
        The state folder of the stack.
    tenant
        The drill's own tenant.
    folder
        A folder for files that the drill hands to the operator.
    tell
        Prints a line.
    mends
        Whether the drill runs the runbook's commands itself.
    undo
        What puts everything back, whatever happens.
    """

    state: Path
    tenant: str
    folder: Path
    tell: Callable[[str], None]
    mends: bool
    undo: ExitStack
    orders: list[Body] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stack = local_stack.Stack(**json.loads((self.state / "stack.json").read_text()))
        self.deployment = Deployment.local(self.state / "stack.json")
        self._clients: dict[str, Any] = {}
        self.key = key = api_keys.create(
            self.table, self.tenant, sorted(api_keys.SCOPES), "a drill", now=now()
        )
        self.undo.callback(lambda: api_keys.revoke(self.table, self.tenant, key.split("_")[1]))
        self.http = httpx.Client(
            base_url=self.stack.api_url, headers={"Authorization": f"Bearer {key}"}, timeout=90
        )
        self.undo.callback(self.http.close)

    @property
    def table(self) -> Any:
        """The stack's table."""
        return self.deployment.table

    @property
    def outputs(self) -> Mapping[str, str]:
        """The stack's outputs."""
        return self.deployment.outputs

    def client(self, service: str) -> Any:
        """Return a client of one of the stack's AWS services."""
        if service not in self._clients:
            self._clients[service] = self.deployment.client(service)
        return self._clients[service]

    def login(self, carrier: str) -> Mapping[str, str]:
        """Return the login that a carrier of the sandbox lets in."""
        accounts = json.loads((self.state / "accounts.json").read_text())
        found: Mapping[str, str] = accounts[carrier]["default"]
        return found

    def put_account(
        self, carrier: str, *, url: str | None = None, credentials: Mapping[str, str] | None = None
    ) -> None:
        """Store the tenant's account with a carrier, as a secret.

        Parameters
        ----------
        url
            Where the carriers answer; None for the sandbox.
        credentials
            The login; None for the one that is let in.
        """
        client = self.client("secretsmanager")
        name = f"{self.outputs['SecretPrefix']}/{self.tenant}/{carrier}/default"
        content = {
            "base_url": f"{url or self.stack.sandbox_url}/{carrier}",
            "credentials": credentials or self.login(carrier),
        }
        text = json.dumps(webhook_urls.with_its_token(client, name, content))
        try:
            client.create_secret(Name=name, SecretString=text)
        except client.exceptions.ResourceExistsException:
            client.put_secret_value(SecretId=name, SecretString=text)
        self.table.tenant(self.tenant).account_names.add(carrier, "default")

    # Orders

    def post(self, carrier: str, *words: str) -> Body:
        """Create an order of the drill; `words` steer the sandbox. It need not be confirmed."""
        body = deepcopy(_BODIES[carrier]())
        # LME would tell the address of another tenant's account, which has the same login.
        steering = (*words, "NOPUSH") if carrier == "lme" else words
        body["reference"] = "-".join((f"DRILL-{uuid4().hex[:10]}", *(f"SBX-{word}" for word in steering)))
        answer = self.http.post("/v1/orders", json=body)
        if answer.status_code not in (201, 202):
            raise NotSeenError(f"an order was not taken: {answer.status_code} {answer.text}")
        order: Body = answer.json()
        self.orders.append(order)
        return order

    def get(self, path: str, **query: str) -> Any:
        """Read something of the API with the tenant's key."""
        return self.http.get(path, params=query).raise_for_status().json()

    def order(self, order: Body) -> Body:
        """Read an order as it is now."""
        found: Body = self.get(f"/v1/orders/{order['id']}")
        return found

    def booked(self, carrier: str) -> Body:
        """Return what a carrier has in its books."""
        answer = httpx.get(f"{self.stack.sandbox_url}/_sandbox/ledger", timeout=_SECONDS)
        book: Body = answer.raise_for_status().json()[carrier]
        return book

    def open_orders(self) -> Iterator[str]:
        """Say of each order that has not ended what it is still about."""
        for order in map(self.order, self.orders):
            label = order["label"]["status"]
            if order["status"] not in _OVER:
                yield f"{order['id']} is {order['status']}{_why(order)}"
            elif order["status"] == "confirmed" and label == "pending":
                yield f"{order['id']} is confirmed and waits for its label"

    def mistakes(self) -> Iterator[str]:
        """Compare every order with the books of its carrier; a line for each that did not end well."""
        for order in map(self.order, self.orders):
            entries = [
                entry
                for entry in self.booked(order["carrier"])["orders"]
                if entry["reference"] == order["reference"]
            ]
            living = [entry for entry in entries if entry["status"] != "failed" and not entry["refunded"]]
            name = f"{order['id']} ({order['status']})"
            if len(entries) > 1:
                yield f"{name}: the carrier has it {len(entries)} times"
            if any(Decimal(entry["held"]) for entry in entries):
                yield f"{name}: the carrier still holds money"
            if order["status"] == "confirmed":
                numbers = [parcel["tracking_number"] for entry in living for parcel in entry["parcels"]]
                if len(living) != 1 or numbers != order["tracking_numbers"]:
                    yield f"{name}: has {order['tracking_numbers']}, the carrier {numbers}"
                if order["label"]["status"] != "ready":
                    yield f"{name}: its label is {order['label']['status']}"
            elif order["status"] != "failed" or living:
                yield f"{name}: the carrier has it {len(living)} times"

    def settle(self) -> None:
        """Move on the orders that still need a person, by what their carriers have."""
        for order in map(self.order, self.orders):
            if order["status"] == "needs_attention":
                booked = self.booked(order["carrier"])["orders"]
                known = order["reference"] in {entry["reference"] for entry in booked}
                outcome = {"outcome": "reread" if known else "not_at_carrier"}
                self.http.post(f"/v1/orders/{order['id']}/resolve", json=outcome)

    # Waiting

    def until(self, look: Callable[[], bool], what: str, *, within: float = PATIENCE) -> None:
        """Wait until `look` is true; raise NotSeenError, which says `what` did not come."""
        deadline = time.monotonic() + within
        while not look():
            if time.monotonic() > deadline:
                raise NotSeenError(f"not within {within:.0f} s: {what}")
            time.sleep(POLL)

    # Words

    @property
    def names(self) -> dict[str, str]:
        """The placeholders of the runbook that are the same in every command."""
        return {"STAGE": LOCAL_NAME.partition("-")[2], "TENANT": self.tenant, "ACCOUNT": "default"}

    def console(self, page: str) -> str:
        """Return the address of a page of the console."""
        return f"{self.stack.api_url}/console#/{page}"

    def runbook(self, section: str) -> str:
        """Return the address of a section of the runbook."""
        return f"{self.stack.api_url}/docs/runbook#{anchor(section)}"


def anchor(heading: str) -> str:
    """Return the name under which a heading can be linked to."""
    return re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")


def _why(order: Body) -> str:
    problem, waiting = order["problem"] or order["attention"], order.get("waiting")
    if problem:
        return f": {problem['code']}"
    return f", waiting for {waiting['for']}" if waiting and "for" in waiting else ""


def _lso() -> Body:
    return {
        "carrier": "lso",
        "service": "GroundBasic",
        "ship_to": {
            "name": "Corrie McKee",
            "company": "Lone Star Books",
            "line1": "500 E Cesar Chavez St",
            "city": "Austin",
            "state": "TX",
            "postcode": "78701",
            "country": "US",
            "phone": "5125550100",
        },
        "parcels": [
            {
                "weight": {"value": "1.25", "unit": "kg"},
                "dimensions": {"length": "30", "width": "20", "height": "10", "unit": "cm"},
            }
        ],
    }


def _lme() -> Body:
    body: Body = json.loads((ROOT / "events" / "orders" / "lme-australia.json").read_text("utf-8"))
    return body | {"ship_from": _SENDER}


_SENDER = {
    "name": "Jiang Yuanfei",
    "line1": "Sanshui Industrial Park",
    "city": "Foshan",
    "state": "Guangdong",
    "postcode": "528100",
    "country": "CN",
    "phone": "02586707811",
}
_BODIES: Mapping[str, Callable[[], Body]] = {"lso": _lso, "lme": _lme}
