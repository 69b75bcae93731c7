"""How long a tenant waits beside another one whose carrier is slow or silent, on the stack of `make up`.

Each wait is the median of three rounds, alone and beside. In each round the other tenant begins anew: a
batch of 30 orders with an LME that takes eight seconds for each, or refreshes of eight parcels with an LME
that does not answer. Workers have to be warm, so a first round is not counted.

    make up
    .venv/bin/python -m bench.fairness
"""

import json
import time
from collections.abc import Callable
from statistics import median
from uuid import uuid4

from local import arguments
from local.command.deployment import LOCAL_STACK, Deployment
from local.stack.stack import Stack
from parcelgate.services.accounts import api_keys
from tests.stack.shop import Body, Shop, until
from tests.support.bodies import lme_body

MOST = 3.0
"""How many times longer than alone a neighbour may wait."""
_ROUNDS = 3
_SECONDS = 8
_ORDERS = 30
_PARCELS = 8
"""More than workers, and fewer than the failures after which a silent account is left alone."""


class Street:
    """The stack, and shops of tenants of their own on it."""

    def __init__(self, stack: Stack, deployment: Deployment) -> None:
        self._stack, self._deployment = stack, deployment

    def new_shop(self) -> Shop:
        """A shop of a new tenant, with the carrier accounts of the demo."""
        tenant = f"shop-{uuid4().hex[:8]}"
        secrets, prefix = self._deployment.client("secretsmanager"), self._deployment.outputs["SecretPrefix"]
        for carrier in ("lme", "trackingmore"):
            login = secrets.get_secret_value(SecretId=f"{prefix}/demo/{carrier}/default")["SecretString"]
            secrets.create_secret(Name=f"{prefix}/{tenant}/{carrier}/default", SecretString=login)
        key = api_keys.create(self._deployment.table, tenant, sorted(api_keys.SHOP_SCOPES), "fairness")
        return Shop(self._stack, key)


def read(shop: Shop, address: str) -> Body:
    """Read a resource."""
    found: Body = shop.http.get(address).raise_for_status().json()
    return found


def batch(shop: Shop, orders: int, words: str = "") -> str:
    """Post a batch, and give its address."""
    name = uuid4().hex[:8]
    body = {"orders": [lme_body(f"{name}-{number}{words}") for number in range(orders)]}
    return str(shop.http.post("/v1/orders/batch", json=body).raise_for_status().headers["location"])


def waited(once: Callable[[], None], before: Callable[[], object] = lambda: None) -> float:
    """Seconds that something takes, each time right after `before`."""
    taken = []
    for _ in range(_ROUNDS):
        before()
        began = time.monotonic()
        once()
        taken.append(time.monotonic() - began)
    return median(taken)


def batches(street: Street) -> tuple[float, float]:
    """A batch of one: seconds alone, and beside a slow carrier's batch."""
    hog, neighbour = street.new_shop(), street.new_shop()

    def once() -> None:
        address = batch(neighbour, 1)
        until(lambda: read(neighbour, address), lambda seen: bool(seen["status"] == "finished"), within=120)

    def slow() -> None:
        address = batch(hog, _ORDERS, f"-SBX-SLOW-{_SECONDS}")
        until(lambda: read(hog, address), lambda seen: any(row["id"] for row in seen["orders"]), within=120)

    slow()
    once()
    return waited(once), waited(once, slow)


def refreshes(street: Street) -> tuple[float, float]:
    """A refresh: seconds alone, and beside refreshes of a silent carrier."""
    neighbour = street.new_shop()
    body = {"carrier_code": "china-ems", "tracking_number": f"LK{uuid4().int % 10**9:09}CN"}
    made = neighbour.http.post("/v1/trackings", json=body).raise_for_status().json()
    followed = f"/v1/trackings/{made['id']}"

    def once() -> None:
        due = neighbour.http.post(f"{followed}/refresh").raise_for_status().json()["next_poll_at"]
        until(
            lambda: read(neighbour, followed)["next_poll_at"],
            lambda at: at is None or bool(at > due),
            within=120,
        )

    def silent() -> None:
        hog = street.new_shop()
        address = batch(hog, _PARCELS)
        until(lambda: read(hog, address), lambda seen: bool(seen["confirmed"] == _PARCELS), within=120)
        rows = read(hog, address)["orders"]
        fault = {"carrier": "lme", "call": "queryRouteV2", "kind": "timeout", "seconds": 25, "times": 2}
        hog.faults(*(fault | {"reference": row["reference"]} for row in rows))
        for row in rows:
            (parcel,) = read(hog, f"/v1/orders/{row['id']}/tracking")["data"]
            hog.http.post(f"/v1/trackings/{parcel['id']}/refresh").raise_for_status()

    silent()
    once()
    return waited(once), waited(once, silent)


def main() -> int:
    """Measure both. Returns 1 when a neighbour waits too long."""
    street = Street(Stack(**json.loads(LOCAL_STACK.read_text())), Deployment.local(LOCAL_STACK))
    worst = 0.0
    print("| | alone, s | beside, s | times |\n|---|---|---|---|")
    for name, measure in (("a batch of one order", batches), ("a refresh", refreshes)):
        alone, beside = measure(street)
        worst = max(worst, beside / alone)
        print(f"| {name} | {alone:.1f} | {beside:.1f} | {beside / alone:.1f} |", flush=True)
    return int(worst > MOST)


if __name__ == "__main__":
    arguments.none(__doc__)
    raise SystemExit(main())
