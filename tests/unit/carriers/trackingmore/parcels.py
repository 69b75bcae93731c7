"""A TrackingMore account, parcels to follow, and answers as TrackingMore gives them."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from parcelgate.carriers.accounts import AccountConfig, Connection
from parcelgate.carriers.results import Following, Waybill
from parcelgate.carriers.toolkit.calls import Transport
from parcelgate.carriers.trackingmore.adapter import Adapter as TrackingMore
from tests.support.adapters import FakeVault

FIXTURES = Path(__file__).parent / "fixtures"
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
EMAIL = "shop@example.com"
API = "https://api.trackingmore.com/v2"

type Body = dict[str, Any]

RP = Waybill("singapore-post", "RP893531375SG")
LK = Waybill("china-ems", "LK894734223CN")


def fixture(name: str) -> Any:
    return json.loads((FIXTURES / name).read_text(encoding="utf-8"))


def printed(name: str) -> bytes:
    return (FIXTURES / name).read_bytes()


def account(**changes: Any) -> AccountConfig:
    config = AccountConfig(
        tenant="acme",
        carrier="trackingmore",
        name="default",
        credentials={"api_key": "made-up", "email": EMAIL},
    )
    return msgspec.structs.replace(config, **changes)


def adapter(
    transport: Transport,
    *,
    reread: Callable[[], AccountConfig] | None = None,
    config: AccountConfig | None = None,
    now: datetime = NOON,
    **overrides: Any,
) -> TrackingMore:
    config = config or account(overrides=overrides)
    return TrackingMore(
        Connection(config, send=transport, tokens=FakeVault(), clock=lambda: now, reread=reread)
    )


def answer(data: Any, code: int | str = 200, message: str = "Success") -> Body:
    return {"meta": {"code": code, "type": "Success", "message": message}, "data": data}


def refusal(code: int, message: str = "no") -> Body:
    return answer([], code, message)


def following(waybill: Waybill = RP, **changes: Any) -> Following:
    return msgspec.structs.replace(Following(waybill=waybill), **changes)


def item(waybill: Waybill = RP, **changes: Any) -> Body:
    """A parcel as the list and the single call give it."""
    return {
        "id": "ec6150c0b7557eb3131578640e04f798",
        "tracking_number": waybill.tracking_number,
        "carrier_code": waybill.carrier_code,
        "status": "transit",
        "created_at": "2026-11-19T07:26:14+00:00",
        "updated_at": "2026-11-21T11:00:00+00:00",
        "customer_email": ["ada@example.com"],
        "customer_name": None,
        "origin_info": {"ItemReceived": None, "trackinfo": [step()]},
        "destination_info": {"trackinfo": None},
        "lastEvent": "Left the hub,Singapore,2026-11-20 08:15",
        "lastUpdateTime": "2026-11-20 08:15",
        **changes,
    }


def step(date: Any = "2026-11-20 08:15", status: Any = "transit", **changes: Any) -> Body:
    return {
        "Date": date,
        "StatusDescription": "Left the hub",
        "Details": "Singapore",
        "checkpoint_status": status,
        **changes,
    }


def error(waybill: Waybill, code: int, message: str = "no") -> Body:
    return {
        "tracking_number": waybill.tracking_number,
        "carrier_code": waybill.carrier_code,
        "code": code,
        "message": message,
    }
