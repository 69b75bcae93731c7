"""eTower's calls for tests: orders like those of the given samples, signed."""

import base64
import hmac
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx

JsonObject = dict[str, Any]

LOGIN = {"token": "t-1", "secret": "s-1"}
OTHER = {"token": "t-2", "secret": "s-2"}


def item(**changes: Any) -> JsonObject:
    return {"itemNo": "1", "sku": "s", "description": "watch", "originCountry": "CN", "itemCount": 2,
            "unitValue": 5.5, **changes}  # fmt: skip


def order(reference: str, **changes: Any) -> JsonObject:
    return {
        "referenceNo": reference,
        "serviceCode": "UBI.AU2AU.AUPOST.1",
        "description": "watch",
        "weight": 264,
        "weightUnit": "G",
        "invoiceValue": 11,
        "invoiceCurrency": "AUD",
        "recipientName": "Corrie McKee",
        "addressLine1": "3 Lakeside Drive",
        "city": "Berwick",
        "state": "Victoria",
        "postcode": "3806",
        "country": "AU",
        "shipperName": "Jiang Yuanfei",
        "orderItems": [item()],
        **changes,
    }


def several(reference: str, count: int = 3, **changes: Any) -> JsonObject:
    pieces = [order(f"{reference}-{number}") for number in range(1, count + 1)]
    items = [item() for _ in range(count)]
    return order(reference, pieces=pieces, orderItems=items, invoiceValue=11 * count, **changes)


class Etower:
    """The carrier's calls, signed."""

    def __init__(self, http: httpx.Client, login: dict[str, str] = LOGIN) -> None:
        self.http = http
        self.login = login

    def send(self, path: str, body: Any = None, method: str = "POST", **signing: Any) -> httpx.Response:
        url = f"{str(self.http.base_url).rstrip('/')}/ubi/services/shipper/{path}"
        date = format_datetime(datetime.now(UTC) + signing.get("skew", timedelta()), usegmt=True)
        text = f"{method}\n{date}\n{signing.get('url', url)}{signing.get('end', '')}"
        key = signing.get("secret", self.login["secret"]).encode()
        signature = base64.b64encode(hmac.digest(key, text.encode(), "sha1")).decode()
        headers = {
            "Authorization": f"WallTech {self.login['token']}:{signature}",
            "X-WallTech-Date": date,
            "Content-Type": "application/json",
        }
        content = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
        return self.http.request(method, url, content=content, headers=headers)

    def ask(self, path: str, body: Any = None, method: str = "POST") -> JsonObject:
        answer = self.send(path, body, method)
        assert answer.status_code == 200, answer.text
        told: JsonObject = answer.json()
        return told

    def create(self, *orders: JsonObject) -> list[JsonObject]:
        return list(self.ask("orders", [*orders])["data"])

    def codes(self, *orders: JsonObject) -> list[int]:
        (told,) = self.create(*orders)
        return [error["code"] for error in told["errors"] or []]

    def labels(self, *numbers: str, **wanted: Any) -> list[JsonObject]:
        return list(self.ask("labels", {"orderIds": [*numbers], **wanted})["data"])

    def ledger(self) -> JsonObject:
        book: JsonObject = self.http.get("/_sandbox/ledger").json()["ubi"]
        return book
