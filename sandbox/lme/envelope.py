"""LME's side of the envelope. It shares no code with Parcelgate's side, only the same public facts."""

import base64
import binascii
import hashlib
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

from sandbox.lme.wire import Code, JsonObject, RefusedError

CLOCK_WINDOW = 300.0
"""Seconds that a request's time may be off (assumed)."""


def new_login(app_key: str | None = None, bits: int = 1024) -> dict[str, str]:
    """Invent an account: an app key and both key pairs, as `accounts.json` has them."""
    client, lme = (generate_private_key(65537, bits) for _ in range(2))
    return {
        "app_key": app_key or f"APP{secrets.token_hex(8).upper()}",
        "client_private": _private(client),
        "client_public": _public(client),
        "lme_private": _private(lme),
        "lme_public": _public(lme),
    }


def _private(key: RSAPrivateKey) -> str:
    content = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return base64.b64encode(content).decode()


def _public(key: RSAPrivateKey) -> str:
    content = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(content).decode()


@dataclass(frozen=True, slots=True)
class Login:
    """One client: its public key, and the private key that LME has for it."""

    app_key: str
    client: RSAPublicKey
    lme: RSAPrivateKey

    @classmethod
    def of(cls, account: Mapping[str, Any]) -> "Login":
        """Read one account of the settings."""
        client = load_der_public_key(base64.b64decode(account["client_public"]))
        lme = load_der_private_key(base64.b64decode(account["lme_private"]), None)
        if not isinstance(client, RSAPublicKey) or not isinstance(lme, RSAPrivateKey):
            raise TypeError("LME's keys are RSA keys")
        return cls(account["app_key"], client, lme)


def opened(
    headers: Mapping[str, str], content: bytes, logins: Mapping[str, Login]
) -> tuple[Login, JsonObject]:
    """Return the caller and the content of a request, after a check of every header and of the encryption.

    The time is compared with real time, however far the sandbox's own clock was moved.
    """
    body = _json(content, "请求体不是JSON: the body is not JSON")
    data = body.get("data")
    if not isinstance(data, str):
        raise RefusedError(Code.BAD_FIELD, "data is required, in Base64")
    if headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise RefusedError(Code.BAD_FIELD, "Content-Type must be application/json")
    if headers.get("version") != "1":
        raise RefusedError(Code.BAD_FIELD, "version must be 1")
    app_key, stamp = headers.get("appkey", ""), headers.get("timestamp", "")
    login = logins.get(app_key)
    if login is None:
        raise RefusedError(Code.UNAUTHORIZED, "invalid appkey")
    if not stamp.isdecimal() or abs(int(stamp) / 1000 - time.time()) > CLOCK_WINDOW:
        raise RefusedError(Code.UNAUTHORIZED, "timestamp is out of its window: unauthorized")
    try:
        sign = base64.b64decode(headers.get("sign", ""), validate=True)
        login.client.verify(sign, _signed(app_key, data, stamp), PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, binascii.Error):
        raise RefusedError(Code.UNAUTHORIZED, "验签失败: invalid signature") from None
    if headers.get("requestid") != _request_id(app_key, data, stamp):
        raise RefusedError(Code.BAD_FIELD, "requestid is wrong")
    return login, _json(_decrypted(data, login.lme), "解密失败: data cannot be decrypted")


def _decrypted(data: str, key: RSAPrivateKey) -> bytes:
    size = key.key_size // 8
    try:
        content = base64.b64decode(data, validate=True)
        if not content or len(content) % size:
            raise RefusedError(Code.BAD_FIELD, "解密失败: data is not made of whole blocks")
        parts = [key.decrypt(content[at : at + size], PKCS1v15()) for at in range(0, len(content), size)]
    except ValueError:
        raise RefusedError(Code.BAD_FIELD, "解密失败: data cannot be decrypted") from None
    return b"".join(parts)


def _json(content: bytes, complaint: str) -> JsonObject:
    try:
        body = json.loads(content, parse_float=Decimal)
    except ValueError:
        raise RefusedError(Code.BAD_FIELD, complaint) from None
    if not isinstance(body, dict):
        raise RefusedError(Code.BAD_FIELD, complaint)
    return body


def sealed(value: Any, key: RSAPublicKey) -> str:
    """Encrypt JSON for the owner of a key."""
    content, size = json.dumps(value, ensure_ascii=False).encode(), key.key_size // 8 - 11
    parts = [key.encrypt(content[at : at + size], PKCS1v15()) for at in range(0, len(content), size)]
    return base64.b64encode(b"".join(parts)).decode()


def signature(login: Login, data: str) -> dict[str, str]:
    """Make the headers of what LME pushes: those of a request, by LME's key, at the real time (assumed)."""
    stamp = str(int(time.time() * 1000))
    sign = login.lme.sign(_signed(login.app_key, data, stamp), PKCS1v15(), hashes.SHA256())
    return {
        "appkey": login.app_key,
        "timestamp": stamp,
        "version": "1",
        "sign": base64.b64encode(sign).decode(),
        "requestid": _request_id(login.app_key, data, stamp),
    }


def _signed(app_key: str, data: str, stamp: str) -> bytes:
    return f"appKey={app_key}&data={data}&timeStamp={stamp}".encode()


def _request_id(app_key: str, data: str, stamp: str) -> str:
    return hashlib.md5(f"{app_key}.{stamp}.{data}".encode(), usedforsecurity=False).hexdigest()
