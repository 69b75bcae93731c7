"""What merchants do: the main flows, each from its first call to the end of all that follows from it."""

import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

import httpx

from parcelgate.domain.batches import progress
from parcelgate.domain.orders import LabelStatus, OrderStatus
from parcelgate.domain.trackings import TrackingStatus
from tests.faults.stack.trials import NotSettledError, Trial
from tests.stack.shop import order_body
from tests.support.bodies import Body, lme_body, ubi_body

CONFIRMED, CANCELLED, FAILED = OrderStatus.CONFIRMED, OrderStatus.CANCELLED, OrderStatus.FAILED
_HASTE = 1.0
"""Seconds; a spoilt call takes longer."""
_NEWS = 2
"""Events of a parcel after which a flow has seen enough of its journey."""


class Flow(NamedTuple):
    """A flow: the carriers that it uses, what is done, and how its orders may end without a person."""

    carriers: tuple[str, ...]
    act: Callable[[Trial], None]
    ends: frozenset[OrderStatus] = frozenset({CONFIRMED})
    always: tuple[Body, ...] = ()
    """Rules of what goes wrong in each run of it, beside what is tried."""
    of: frozenset[str] = frozenset()
    """Functions whose calls are its steps, where these belong to no merchant; empty: the merchant's calls."""
    waits: bool = False
    """Whether it waits most of its time, for polls and webhooks."""


def body_of(carrier: str, reference: str) -> Body:
    """What an order of this carrier is made of."""
    make: Callable[[str], Body] = {
        "ubi": ubi_body,
        "lme": lme_body,
        "lso": order_body,
    }[carrier]
    return make(reference)


def _buy(trial: Trial, carrier: str, words: str) -> str:
    order_id = trial.create(body_of(carrier, f"{trial.tenant}{words}"))
    order = trial.settled(order_id)
    if order.status is CONFIRMED and order.label.status is LabelStatus.READY:
        told = trial.call("GET", f"/v1/orders/{order_id}/label")
        if told["_status"] != 200:
            raise NotSettledError(f"the label is ready and cannot be had: {told}")
    return order_id


def _creates(carrier: str, words: str = "-SBX-NOPUSH") -> Callable[[Trial], None]:
    def act(trial: Trial) -> None:
        _buy(trial, carrier, words)

    return act


def _hasty(trial: Trial) -> None:
    """The gateway gives up before the function does, and the client sends its request again."""
    trial.http.timeout = httpx.Timeout(_HASTE)
    _buy(trial, "ubi", "-SBX-NOPUSH")


def _creates_two(carrier: str) -> Callable[[Trial], None]:
    """Two orders of one account, one after the other: a carrier may mix up its answers."""

    def act(trial: Trial) -> None:
        for words in ("-first-SBX-NOPUSH", "-second-SBX-NOPUSH"):
            _buy(trial, carrier, words)

    return act


def _cancels(carrier: str) -> Callable[[Trial], None]:
    def act(trial: Trial) -> None:
        order_id = _buy(trial, carrier, "-SBX-NOPUSH")
        path = f"/v1/orders/{order_id}/cancel"
        if trial.call("POST", path, once=f"{trial.tenant}-cancel")["_status"] < 300:
            trial.until(
                lambda: trial.order(order_id), lambda order: order.status is not OrderStatus.CANCELLING
            )

    return act


def _follows(carrier: str, words: str = "") -> Callable[[Trial], None]:
    """Buy, and follow the parcel for a while: by polls, and by the carrier's webhooks where it sends any."""

    def act(trial: Trial) -> None:
        order_id = _buy(trial, carrier, words)
        trackings = trial.ground.table.tenant(trial.tenant).trackings
        for tracking_id in trial.order(order_id).tracking_ids:
            trial.until(
                lambda id=tracking_id: trackings.get(id),
                lambda parcel: parcel.status is not TrackingStatus.PENDING and len(parcel.events) >= _NEWS,
            )

    return act


def _batch(trial: Trial) -> None:
    orders = [body_of(carrier, f"{trial.tenant}-{place}-SBX-NOPUSH") for place, carrier in enumerate(_ROWS)]
    told = trial.call("POST", "/v1/orders/batch", {"orders": orders}, once=f"{trial.tenant}-batch")
    batches = trial.ground.table.tenant(trial.tenant).batches
    ended = trial.until(lambda: progress(*batches.read(told["id"])), lambda seen: seen.finished)
    trial.orders += [row.order_id for row in ended.rows if row.order_id]
    trial.batches.append(told["id"])
    for order_id in trial.orders:
        trial.settled(order_id)
    if len(trial.orders) != len(_ROWS):
        raise NotSettledError(f"entries without an order: {ended.rows}")


def _looks_back(trial: Trial) -> None:
    """Buy, and read all that there is to be read of it. Lists may lag behind."""
    order_id = _buy(trial, "ubi", "-SBX-NOPUSH")
    reference = trial.order(order_id).reference
    for path in ("/v1/orders", f"/v1/orders?reference={reference}", "/v1/orders?status=confirmed"):
        trial.until(
            lambda path=path: trial.call("GET", path),
            lambda told: [each["id"] for each in told["data"]] == [order_id],
        )
    trial.until(
        lambda: trial.call("GET", f"/v1/events?order_id={order_id}"),
        lambda told: {"order.confirmed", "label.ready"} <= {each["type"] for each in told["data"]},
    )
    for part, least in (("", None), ("/events", 2), ("/tracking", 1)):
        told = trial.call("GET", f"/v1/orders/{order_id}{part}")
        if told["_status"] != 200 or (least and len(told["data"]) < least):
            raise NotSettledError(f"{part or 'the order'} cannot be read: {told}")


def _has_followed(words: str) -> Callable[[Trial], None]:
    """Have a parcel of another shop followed by the aggregator, until there is news of it."""

    def act(trial: Trial) -> None:
        number = f"LK{zlib.crc32(trial.tenant.encode()) % 10**9:09}CN"
        body = {"carrier_code": "china-ems", "tracking_number": number, "title": words}
        told = trial.call("POST", "/v1/trackings", body, once=f"{trial.tenant}-follow")
        if told["_status"] not in (200, 201):
            raise NotSettledError(f"it is not followed: {told}")
        trial.trackings.append(told["id"])
        trial.call("POST", f"/v1/trackings/{told['id']}/refresh")
        trackings = trial.ground.table.tenant(trial.tenant).trackings
        trial.until(
            lambda: trackings.get(told["id"]),
            lambda parcel: parcel.status is not TrackingStatus.PENDING and len(parcel.events) >= _NEWS,
        )

    return act


def _abandons(trial: Trial) -> None:
    """The function that buys dies, and the client never asks again: the sweep has to find the order."""
    body = body_of("ubi", f"{trial.tenant}-SBX-NOPUSH")
    with suppress(httpx.TransportError):
        trial.http.post("/v1/orders", json=body)
    orders = trial.ground.table.tenant(trial.tenant).orders
    order_id = trial.until(
        lambda: orders.by_reference("ubi", "default", body["reference"]), lambda found: found is not None
    )
    trial.orders.append(order_id or "")
    trial.settled(order_id or "")


_ROWS = ("ubi", "ubi", "lme")
_BUYER_DIES = {
    "function": "create_order", "call": "ubi POST /services/shipper/orders", "nth": 1, "fault": "kill_after",
}  # fmt: skip
FLOWS = {
    "ubi create": Flow(("ubi",), _creates("ubi")),
    "lme create": Flow(("lme",), _creates("lme")),
    "lso create": Flow(("lso",), _creates("lso")),
    "ubi hasty": Flow(("ubi",), _hasty),
    "ubi two": Flow(("ubi",), _creates_two("ubi")),
    "lme two": Flow(("lme",), _creates_two("lme")),
    "lso two": Flow(("lso",), _creates_two("lso")),
    "batch": Flow(("ubi", "lme"), _batch),
    "ubi cancel": Flow(("ubi",), _cancels("ubi"), frozenset({CONFIRMED, CANCELLED})),
    "lme cancel": Flow(("lme",), _cancels("lme"), frozenset({CONFIRMED, CANCELLED})),
    "lso cancel": Flow(("lso",), _cancels("lso"), frozenset({CONFIRMED, CANCELLED})),
    "lso refund": Flow(("lso",), _creates("lso", "-SBX-FAIL"), frozenset({FAILED})),
    "ubi poll": Flow(("ubi",), _follows("ubi"), waits=True),
    "ubi disorder": Flow(("ubi",), _follows("ubi", "-SBX-DISORDER"), waits=True),
    "lme webhook": Flow(("lme",), _follows("lme"), waits=True),
    "lme disorder": Flow(("lme",), _follows("lme", "-SBX-DISORDER"), waits=True),
    "ubi reads": Flow(("ubi",), _looks_back),
    "trackingmore poll": Flow(("trackingmore",), _has_followed("SBX-NOPUSH"), waits=True),
    "trackingmore webhook": Flow(("trackingmore",), _has_followed(""), waits=True),
    "sweep": Flow(("ubi",), _abandons, always=(_BUYER_DIES,), of=frozenset({"sweep"}), waits=True),
    "poll round": Flow(("ubi",), _follows("ubi"), of=frozenset({"poll_trackings"}), waits=True),
}
