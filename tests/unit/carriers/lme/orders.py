"""An LME account, an order to send with it, and LME's side of the envelope."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from parcelgate.carriers.accounts import AccountConfig, Connection
from parcelgate.carriers.lme import signing
from parcelgate.carriers.lme.adapter import Adapter as Lme
from parcelgate.carriers.toolkit.calls import Transport
from parcelgate.domain.measures import Dimensions, LengthUnit, Money, Weight, WeightUnit
from parcelgate.domain.orders import Customs, DeliveryWindow, Options, Order, Parcel
from parcelgate.domain.places.addresses import Address
from tests.support.adapters import NOON, FakeTransport, FakeVault

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parent / "vectors" / "lme-sdk-requests.json").read_text(encoding="utf-8")
)
APP_KEY = "TESTKEY"
NUMBER = "FHE16753011400000"

LME_PRIVATE = signing.private_key(VECTORS["lme_private"])
LME_PUBLIC = signing.public_key(VECTORS["lme_public"])
CLIENT_PRIVATE = signing.private_key(VECTORS["client_private"])
CLIENT_PUBLIC = signing.public_key(VECTORS["client_public"])


def sender(**changes: Any) -> Address:
    address = Address(
        name="Jiang Yuanfei",
        phone="02586707811",
        line1="Sanshui Industrial Park",
        city="FO SHAN",
        state="Guangdong",
        postcode="528100",
        country="CN",
    )
    return msgspec.structs.replace(address, **changes)


def receiver(**changes: Any) -> Address:
    address = Address(
        name="Corrie McKee",
        phone="0403536112",
        line1="3 Lakeside Drive",
        city="Berwick",
        state="VIC",
        postcode="3806",
        country="AU",
    )
    return msgspec.structs.replace(address, **changes)


def parcel(**changes: Any) -> Parcel:
    found = Parcel(
        reference="SDK-1-1",
        weight=Weight(Decimal("1.25"), WeightUnit.KG),
        dimensions=Dimensions(Decimal(30), Decimal(20), Decimal(10), LengthUnit.CM),
    )
    return msgspec.structs.replace(found, **changes)


def order_of(**changes: Any) -> Order:
    """The order that the captured request of the vendor's SDK describes."""
    order = Order(
        id="ord_1",
        tenant="shop",
        carrier="lme",
        account="default",
        reference="SDK-1",
        ship_to=receiver(),
        parcels=(parcel(),),
        customs=Customs(description="连衣裙 dress"),
        options=Options(
            delivery_window=DeliveryWindow(
                from_=datetime(2027, 1, 1, 9, tzinfo=UTC), to=datetime(2027, 1, 1, 18, tzinfo=UTC)
            )
        ),
        created_at=NOON,
        updated_at=NOON,
    )
    return msgspec.structs.replace(order, **changes)


def confirmed_order(**changes: Any) -> Order:
    return order_of(carrier_order_number=NUMBER, parcels=(parcel(tracking_number=NUMBER),), **changes)


def account(**changes: Any) -> AccountConfig:
    config = AccountConfig(
        tenant="shop",
        carrier="lme",
        name="default",
        credentials={
            "app_key": APP_KEY,
            "client_private": VECTORS["client_private"],
            "lme_public": VECTORS["lme_public"],
        },
        base_url="https://lme.example/base",
        ship_from=sender(),
    )
    return msgspec.structs.replace(config, **changes)


def adapter(
    send: Transport | None = None,
    *,
    config: AccountConfig | None = None,
    reread: Callable[[], AccountConfig] | None = None,
    **overrides: Any,
) -> Lme:
    config = config or account(overrides=overrides)
    return Lme(
        Connection(
            config, send=send or FakeTransport(), tokens=FakeVault(), clock=lambda: NOON, reread=reread
        )
    )


def plain(content: bytes) -> Any:
    """What LME finds in a request's body."""
    data = json.loads(content)["data"]
    return json.loads(signing.unseal(data, LME_PRIVATE), parse_float=Decimal)


def success(data: Any = None, *, code: Any = "0") -> dict[str, Any]:
    """LME's answer, sealed for the client."""
    sealed = None if data is None else signing.seal(msgspec.json.encode(data), CLIENT_PUBLIC)
    return {"code": code, "message": "SUCCESS", "logId": "1", "data": sealed}


def refusal(code: Any, message: str) -> dict[str, Any]:
    return {"code": code, "message": message, "data": None}


def aud(amount: str) -> Money:
    return Money(Decimal(amount), "AUD")
