"""Orders for UBI, made from bodies of the contract, and an account to send them with."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from parcelgate.carriers.accounts import AccountConfig, Connection
from parcelgate.carriers.toolkit.calls import Request, Response
from parcelgate.carriers.ubi.adapter import Adapter as Ubi
from parcelgate.domain.orders import Order
from tests.support.adapters import FakeVault

FIXTURES = Path(__file__).parent / "fixtures"
EXAMPLES = Path(__file__).parents[4] / "events" / "orders"
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)

type Body = dict[str, Any]


def fixture(name: str) -> Any:
    return json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"), parse_float=Decimal)


def example(name: str) -> Any:
    """One of the given document's orders, as the contract says it."""
    return json.loads((EXAMPLES / f"{name}.json").read_text(encoding="utf-8"), parse_float=Decimal)


def order_of(body: Body, **changes: Any) -> Order:
    """The order that a body of the contract describes, with the defaults that the contract names."""
    parcels = [
        {"reference": f"{body['reference']}-{place}", **parcel}
        for place, parcel in enumerate(body["parcels"], 1)
    ]
    stored = {"id": "ord_1", "tenant": "shop", "account": "default", "created_at": NOON, "updated_at": NOON}
    order = msgspec.convert({**stored, **body, "parcels": parcels}, Order)
    return msgspec.structs.replace(order, **changes) if changes else order


def item(**changes: Any) -> Body:
    return {
        "number": "1",
        "sku": "sku-1",
        "description": "Cotton dress",
        "quantity": 2,
        "unit_value": {"amount": "10.00", "currency": "AUD"},
        "origin_country": "CN",
        **changes,
    }


def parcel(**changes: Any) -> Body:
    return {"weight": {"value": 1, "unit": "kg"}, "items": [item()], **changes}


def body(count: int = 1, **changes: Any) -> Body:
    """A plain order: everything the table wants and nothing more."""
    return {
        "carrier": "ubi",
        "service": "UBI.AU2AU.AUPOST.1",
        "reference": "shop-17",
        "ship_to": {
            "name": "Corrie McKee",
            "line1": "3 Lakeside Drive",
            "city": "Berwick",
            "state": "VIC",
            "postcode": "3806",
            "country": "AU",
        },
        "ship_from": {"name": "Jiang Yuanfei", "line1": "Sanshui Park", "city": "Foshan", "country": "CN"},
        "parcels": [parcel() for _ in range(count)],
        **changes,
    }


def full_body() -> Body:
    """An order with every field that UBI has a place for."""
    return body(
        ship_to={
            "name": "Corrie McKee",
            "line1": "3 Lakeside Drive",
            "line2": "Unit 5",
            "line3": "Rear",
            "city": "Berwick",
            "state": "Victoria",
            "postcode": "3806",
            "country": "AU",
            "company": "Monash",
            "phone": "0403536112",
            "email": "corrie@example.com",
            "tax_id": "T1",
        },
        ship_from={
            "name": "Jiang Yuanfei",
            "line1": "Sanshui Park",
            "line2": "Gate 2",
            "line3": "Dock 3",
            "city": "Foshan",
            "state": "Guangdong",
            "postcode": "528100",
            "country": "CN",
            "phone": "+86 02586707811",
        },
        return_to={
            "name": "Returns",
            "line1": "1 Back St",
            "line2": "Hall B",
            "line3": "Gate 9",
            "city": "Sydney",
            "state": "NSW",
            "postcode": "2000",
            "country": "AU",
        },
        parcels=[
            parcel(
                secondary_reference="PO 1",
                tracking_number="MINE1",
                dimensions={"length": 30, "width": 20, "height": 10, "unit": "cm"},
                volume="0.02",
                sku_on_label="sku-1 x2",
                items=[
                    item(
                        native_description="连衣裙",
                        hs_code="620442",
                        weight={"value": 200, "unit": "g"},
                        url="https://shop.example/1",
                        warehouse_number="W1",
                    )
                ],
            )
        ],
        customs={
            "description": "Dresses",
            "native_description": "连衣裙",
            "value": {"amount": "20.00", "currency": "AUD"},
            "incoterm": "DDP",
            "battery": {"type": "Lithium Ion Polymer", "packing": "Inside Equipment"},
            "dangerous_goods": True,
            "vendor_id": "64652016681",
            "gst_exemption_code": "PAID",
            "abn": "51824753556",
            "sender_tax_id": "S1",
            "inject_port": "YYZ",
        },
        options={
            "authority_to_leave": True,
            "locker": True,
            "pick_up": True,
            "instruction": "Leave at door",
            "facility": "can",
            "platform": "shop",
            "service_option": "Expedited",
            "return_option": "Return",
        },
    )


def account(**changes: Any) -> AccountConfig:
    usual: Body = {
        "credentials": {"token": "made-up-token", "secret": "made-up-secret"},
        "base_url": "http://qa.etowertech.com",
    }
    return AccountConfig(tenant="shop", carrier="ubi", name="default", **{**usual, **changes})


type Scripted = Response | bytes | Body | list[Any] | Exception


class ScriptedTransport:
    """Gives its answers one after the other, the last one again and again; remembers what was sent."""

    def __init__(self, *answers: Scripted) -> None:
        self._answers = [*answers]
        self.requests: list[Request] = []

    def send(self, request: Request) -> Response:
        self.requests.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, dict | list):
            answer = json.dumps(answer, ensure_ascii=False, default=str).encode()
        return Response(status=200, body=answer) if isinstance(answer, bytes) else answer

    @property
    def sent(self) -> Any:
        """The body of the last request, decimals kept digit by digit."""
        return json.loads(self.requests[-1].body or b"null", parse_float=Decimal)


def adapter(transport: ScriptedTransport, config: AccountConfig | None = None, **more: Any) -> Ubi:
    return Ubi(
        Connection(config or account(), send=transport, tokens=FakeVault(), clock=lambda: NOON, **more)
    )
