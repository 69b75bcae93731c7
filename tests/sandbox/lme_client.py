"""LME's calls for tests, written as the vendor's SDK makes them."""

import base64
import hashlib
import json
import time
from datetime import datetime, timedelta
from typing import Any

import httpx
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key

from sandbox.lme import new_login

JsonObject = dict[str, Any]

LOGINS = {"default": new_login("APP-1"), "other": new_login("APP-2"), "long": new_login("APP-3", 2048)}


def in_days(days: float) -> str:
    return f"{datetime.now() + timedelta(days=days):%Y-%m-%d %H:%M:%S}"


def order(reference: str = "shop-1", **changes: Any) -> JsonObject:
    return {
        "outOrderNo": reference,
        "channel": "APP-1",
        "preTimeStart": in_days(1),
        "preTimeEnd": in_days(2),
        "cargoDesc": "dress",
        "totalLength": 0.3,
        "totalWidth": 0.2,
        "totalHeight": 2,
        "totalWeight": 1.25,
        "poster": {"contact": "Shop", "mobile": "1", "zoneCode": "CN", "country": "China", "city": "Foshan"},
        "receiver": {
            "contact": "Corrie McKee",
            "tel": "0403536112",
            "zoneCode": "AU",
            "country": "Australia",
            "province": "Victoria",
            "city": "Berwick",
            "address": "3 Lakeside Drive",
            "postCode": "3806",
        },
    } | changes


class Client:
    """A client of LME, written as the vendor's SDK does it."""

    def __init__(self, http: httpx.Client, login: dict[str, str]) -> None:
        self.http = http
        self.app_key = login["app_key"]
        self.ours: Any = load_der_private_key(base64.b64decode(login["client_private"]), None)
        self.theirs: Any = load_der_public_key(base64.b64decode(login["lme_public"]))

    def request(self, content: Any, *, late: float = 0.0) -> tuple[dict[str, str], JsonObject]:
        step = self.theirs.key_size // 8 - 11
        text = content if isinstance(content, bytes) else json.dumps(content).encode()
        blocks = [self.theirs.encrypt(text[at : at + step], PKCS1v15()) for at in range(0, len(text), step)]
        data = base64.b64encode(b"".join(blocks)).decode()
        stamp = str(int((time.time() - late) * 1000))
        signed = f"appKey={self.app_key}&data={data}&timeStamp={stamp}".encode()
        headers = {
            "appkey": self.app_key,
            "timestamp": stamp,
            "version": "1",
            "sign": base64.b64encode(self.ours.sign(signed, PKCS1v15(), hashes.SHA256())).decode(),
            "requestid": hashlib.md5(f"{self.app_key}.{stamp}.{data}".encode()).hexdigest(),
            "content-type": "application/json;charset=UTF-8",
        }
        return headers, {"data": data}

    def post(self, path: str, content: Any, *, late: float = 0.0) -> httpx.Response:
        headers, body = self.request(content, late=late)
        return self.http.post(f"/lme/server/gateway/{path}", headers=headers, json=body)

    def ask(self, path: str, content: Any) -> Any:
        """The answer's data, opened; fails when the answer is no success."""
        answer = self.post(path, content).json()
        assert str(answer["code"]) == "0", answer
        return self.opened(answer["data"])

    def opened(self, data: str) -> Any:
        sealed, size = base64.b64decode(data), self.ours.key_size // 8
        parts = [self.ours.decrypt(sealed[at : at + size], PKCS1v15()) for at in range(0, len(sealed), size)]
        return json.loads(b"".join(parts))

    def refused(self, path: str, content: Any) -> tuple[str, str]:
        answer = self.post(path, content).json()
        assert answer["data"] is None
        return str(answer["code"]), answer["message"]

    def create(self, reference: str = "shop-1", **changes: Any) -> str:
        number: str = self.ask("order/create", order(reference, channel=self.app_key, **changes))["orderNo"]
        return number

    def ledger(self) -> Any:
        return self.http.get("/_sandbox/ledger").json()["lme"]
