"""Parcelgate's library alone: from the client's JSON to its answer, without store and function."""

import json
from datetime import UTC, datetime

import msgspec

from bench.peers.requests import ANSWER, BODY
from parcelgate.carriers import registry
from parcelgate.carriers.accounts import AccountConfig, Connection
from parcelgate.carriers.toolkit.calls import Request, Response
from parcelgate.carriers.ubi.adapter import Adapter
from parcelgate.domain.clock import now
from parcelgate.domain.orders import OrderStatus
from parcelgate.http.answers import Site, encode
from parcelgate.http.requests.orders import read_order
from parcelgate.http.resources.orders import order_resource
from parcelgate.services.orders import transitions

AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class Stub:
    """The transport."""

    def send(self, _: Request) -> Response:
        """Answer as UBI does."""
        return Response(status=200, body=ANSWER)


class NoTokens:
    """UBI has no tokens."""


ACCOUNT = AccountConfig(
    tenant="acme",
    carrier="ubi",
    name="default",
    base_url="https://ubi.example",
    credentials={"token": "made-up-token", "secret": "made-up-secret"},
)
CARRIER = Adapter(Connection(ACCOUNT, send=Stub(), tokens=NoTokens(), clock=now))  # type: ignore[arg-type]


def once() -> bytes:
    """Read and check an order, create it at the carrier, and show it."""
    draft = read_order(json.loads(BODY), carriers=registry.CARRIERS, tenant="acme", order_id="ord_1", now=AT)
    order = draft.order
    if order is None or draft.errors or CARRIER.examine(order).errors:
        raise ValueError(draft.errors)
    confirmed = CARRIER.create(order)
    order = msgspec.structs.replace(order, status=OrderStatus.PROCESSING)
    return encode(order_resource(transitions.confirmed(order, confirmed, at=AT, watch_at=AT).after, Site()))
