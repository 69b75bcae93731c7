"""LSO (Lone Star Overnight), bought through the Shipping Solution platform.

`docs/adding-a-carrier.md` says what each room of the folder holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from parcelgate.carriers.port import CarrierProfile
from parcelgate.carriers.results import Service

if TYPE_CHECKING:
    from collections.abc import Callable

    from parcelgate.carriers.accounts import AccountConfig
    from parcelgate.carriers.lso.adapter import Lso
    from parcelgate.carriers.toolkit.calls import Transport
    from parcelgate.carriers.toolkit.tokens import TokenVault
    from parcelgate.domain.clock import Clock

PROFILE = CarrierProfile(
    code="lso",
    name="LSO (Lone Star Overnight) through Shipping Solution",
    services=(Service(code="GroundBasic", name="LSO Ground", countries=("US",)),),
    countries=("US",),
    max_parcels=50,
    track_batch=30,
    label_formats=("pdf",),
    capabilities=("create", "find_by_reference", "track", "cancel", "label", "rates"),
    grades={
        "create": "documented",
        "webhook": "documented",
        "find_by_reference": "assumed",
        "order_result": "assumed",
        "rates": "assumed",
        "label": "assumed",
        "cancel": "assumed",
        "track": "assumed",
        "authentication": "assumed",
        "limits": "assumed",
    },
    confirms_later=True,
)

WEBHOOK_ANSWER = b'{"code": 200, "msg": "success"}'
"""What the platform is answered when it calls back (assumed: the document names no answer)."""


def build(
    account: AccountConfig,
    *,
    send: Transport,
    tokens: TokenVault,
    clock: Clock,
    reread: Callable[[], AccountConfig] | None = None,
) -> Lso:
    """The adapter for one account; see `parcelgate.carriers.registry.build`."""
    from parcelgate.carriers.lso.adapter import Lso

    return Lso(account, send=send, tokens=tokens, clock=clock, reread=reread)
