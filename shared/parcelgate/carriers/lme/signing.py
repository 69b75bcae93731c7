"""Encrypts and signs messages as LME does. Pure: keys, texts and times come in, texts go out.

All of it is public (the vendor's Java SDK 1.0.3, seen at work): RSA with PKCS#1 v1.5 padding in blocks, the
ciphertexts joined in Base64; SHA256withRSA over the *ciphertext*; an MD5 as request id. Pushes are assumed to
be signed in the same way with the roles exchanged.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from parcelgate.carriers.results import Trust
from parcelgate.carriers.toolkit.bodies import UnreadableError, decoded

VERSION = "1"
_PADDING_BYTES = 11
_LONGEST_PUSH = 64 * 1024


class KeyFormatError(ValueError):
    """A text is not an RSA key. The message does not quote the text."""


# Keys.


@lru_cache(maxsize=64)
def private_key(text: str) -> RSAPrivateKey:
    """Read a private key from Base64 DER (PKCS#8, or PKCS#1) or PEM. Raises KeyFormatError.

    The result is remembered, because the check of a key takes milliseconds.
    """
    load = serialization.load_pem_private_key, serialization.load_der_private_key
    key = _key(text, *(partial(one, password=None) for one in load))
    if not isinstance(key, RSAPrivateKey):
        raise KeyFormatError("it is not an RSA key")
    return key


@lru_cache(maxsize=64)
def public_key(text: str) -> RSAPublicKey:
    """Read a public key from Base64 DER (SubjectPublicKeyInfo, or PKCS#1) or PEM. Raises KeyFormatError."""
    key = _key(text, serialization.load_pem_public_key, serialization.load_der_public_key)
    if not isinstance(key, RSAPublicKey):
        raise KeyFormatError("it is not an RSA key")
    return key


def _key(text: str, load_pem: Callable[[bytes], object], load_der: Callable[[bytes], object]) -> object:
    content = _key_bytes(text)
    try:
        return load_pem(content) if content.startswith(b"-----") else load_der(content)
    except (ValueError, TypeError):
        raise KeyFormatError("it cannot be read as such a key") from None


def _key_bytes(text: str) -> bytes:
    # A PEM that went through a JSON editor or a shell often has its line breaks as two characters.
    text = text.replace("\\n", "\n").strip()
    if text.startswith("-----"):
        return text.encode()
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise KeyFormatError("it is neither Base64 nor PEM") from None


# Sealing.


def seal(content: bytes, key: RSAPublicKey) -> str:
    """Encrypt `content` for the owner of `key`: blocks of key bytes - 11 (117 for 1024 bits), in Base64."""
    step = key.key_size // 8 - _PADDING_BYTES
    blocks = (content[at : at + step] for at in range(0, len(content), step))
    return base64.b64encode(b"".join(key.encrypt(block, padding.PKCS1v15()) for block in blocks)).decode()


def unseal(text: str, key: RSAPrivateKey) -> bytes:
    """Decrypt what was encrypted for `key`, in blocks of the key's bytes (128 for 1024 bits).

    Raises UnreadableError.
    """
    try:
        content = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise UnreadableError("it is not Base64") from None
    step = (key.key_size + 7) // 8
    if len(content) % step:
        raise UnreadableError("its length is not a whole number of blocks")
    try:
        blocks = (content[at : at + step] for at in range(0, len(content), step))
        return b"".join(key.decrypt(block, padding.PKCS1v15()) for block in blocks)
    except ValueError:
        raise UnreadableError("it is not encrypted for this key") from None


# Signing.


def milliseconds(moment: datetime) -> str:
    """Write `moment` as the `timestamp` header has it."""
    return str(int(moment.timestamp()) * 1000 + moment.microsecond // 1000)


def signed_text(app_key: str, data: str, timestamp: str) -> bytes:
    """Return the text that is signed: in fixed sequence, not encoded, with the ciphertext."""
    return f"appKey={app_key}&data={data}&timeStamp={timestamp}".encode()


def signature(app_key: str, data: str, timestamp: str, key: RSAPrivateKey) -> str:
    """Return the `sign` header."""
    text = signed_text(app_key, data, timestamp)
    return base64.b64encode(key.sign(text, padding.PKCS1v15(), hashes.SHA256())).decode()


def is_signed(sign: str, app_key: str, data: str, timestamp: str, key: RSAPublicKey) -> bool:
    """Return whether the owner of `key` made `sign` from exactly these values."""
    try:
        content = base64.b64decode(sign, validate=True)
        key.verify(content, signed_text(app_key, data, timestamp), padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def request_id(app_key: str, data: str, timestamp: str) -> str:
    """Return the `requestid` header. It names the request and protects nothing."""
    return hashlib.md5(f"{app_key}.{timestamp}.{data}".encode(), usedforsecurity=False).hexdigest()


def headers(app_key: str, data: str, timestamp: str, key: RSAPrivateKey) -> dict[str, str]:
    """Return all headers of a request whose body is `{"data": data}`."""
    return {
        "content-type": "application/json;charset=UTF-8",
        "accept": "*/*",
        "appkey": app_key,
        "timestamp": timestamp,
        "version": VERSION,
        "sign": signature(app_key, data, timestamp, key),
        "requestid": request_id(app_key, data, timestamp),
    }


# Pushes.


class Push(msgspec.Struct, frozen=True, kw_only=True):
    """A decrypted push. `fields` is empty if it cannot be read. `reason` says why it is not believed."""

    trust: Trust
    reason: str = ""
    fields: dict[str, Any] = {}


def verify_push(
    names: Mapping[str, str],
    body: bytes,
    *,
    app_key: str,
    ours: RSAPrivateKey,
    theirs: RSAPublicKey,
    now: datetime,
    tolerance: timedelta = timedelta(minutes=5),
) -> Push:
    """Decide how far a push can be believed, by the headers in `names` and its raw body.

    A push is believed when it is encrypted for us, signed by LME for our app key, and at most `tolerance`
    from `now`. A push that is encrypted without such a signature, has an old one, or is plain is a nudge,
    because anybody may have a public key. A push that cannot be decrypted is unreadable; the reason never
    names the cause.
    """
    unreadable = Push(trust=Trust.UNREADABLE, reason="cannot be read")
    if len(body) > _LONGEST_PUSH:
        return unreadable
    try:
        outer = decoded(body)
        if not isinstance(outer, dict):
            return unreadable
        data = outer.get("data")
        if not isinstance(data, str):
            return Push(trust=Trust.NUDGE, reason="not encrypted", fields=outer)
        fields = decoded(unseal(data, ours))
    except UnreadableError:
        return unreadable
    if not isinstance(fields, dict):
        return unreadable
    reason = _doubt(names, data, app_key, theirs, now, tolerance)
    return Push(trust=Trust.NUDGE if reason else Trust.BELIEVED, reason=reason, fields=fields)


def _doubt(
    names: Mapping[str, str],
    data: str,
    app_key: str,
    theirs: RSAPublicKey,
    now: datetime,
    tolerance: timedelta,
) -> str:
    """Return why a push is not believed; empty if it is believed."""
    headers = {name.lower(): value.strip() for name, value in names.items()}
    sign, timestamp, key = (headers.get(name, "") for name in ("sign", "timestamp", "appkey"))
    if not (sign and timestamp and key):
        return "not signed"
    if not hmac.compare_digest(key.encode(), app_key.encode()):
        return "signed for another app key"
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 14):
        return "its time cannot be read"
    if not is_signed(sign, key, data, timestamp, theirs):
        return "its signature is wrong"
    if abs(now - (_EPOCH + timedelta(milliseconds=int(timestamp)))) > tolerance:
        return "its time differs too much from our clock"
    return ""


_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
