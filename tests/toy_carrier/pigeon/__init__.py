"""Pigeon Post: up to three bags in an order, answered at once, by ring number.

The rooms: `wire` the bodies as the post writes them, `rules` what it takes, `mapping` between its words and
ours, `codes` its tables (all pure), `assumed` what nobody has written down, `client` the bytes and paths,
`adapter` all of it behind the carrier port.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from parcelgate.carriers.limits import Limits
from parcelgate.carriers.port import CarrierProfile
from parcelgate.carriers.results import Service

if TYPE_CHECKING:
    from collections.abc import Callable

    from parcelgate.carriers.accounts import AccountConfig
    from parcelgate.carriers.toolkit.calls import Transport
    from parcelgate.carriers.toolkit.tokens import TokenVault
    from parcelgate.domain.clock import Clock
    from tests.toy_carrier.pigeon.adapter import Pigeon

PROFILE = CarrierProfile(
    code="pigeon",
    name="Pigeon Post",
    services=(Service(code="AIR", name="By air", countries=("GB",)),),
    countries=("GB",),
    max_parcels=3,
    label_formats=("pdf",),
    capabilities=("create", "find_by_reference", "track", "cancel", "label"),
    grades={
        "create": "documented",
        "authentication": "documented",
        "find_by_reference": "documented",
        "track": "documented",
        "cancel": "documented",
        "label": "assumed",
        "limits": "assumed",
    },
    limits=Limits(rate=50, burst=100),
)

WEBHOOK_ANSWER: bytes | None = None
"""Pigeons do not call back."""


def build(
    account: AccountConfig,
    *,
    send: Transport,
    tokens: TokenVault,
    clock: Clock,
    reread: Callable[[], AccountConfig] | None = None,
) -> Pigeon:
    """The adapter for one account; see `parcelgate.carriers.registry.build`."""
    from tests.toy_carrier.pigeon.adapter import Pigeon

    return Pigeon(account, send=send, reread=reread)
