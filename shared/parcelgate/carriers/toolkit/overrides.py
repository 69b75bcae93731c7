"""Reading what an account says of its carrier: overrides, time zones and the address of the carrier.

Whatever cannot be meant raises AccountError, which names the setting and never quotes it.
"""

from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec

from parcelgate.carriers.accounts import AccountConfig, AccountError, where_wrong


def read_overrides[T](account: AccountConfig, kind: type[T], **more: Any) -> T:
    """The account's overrides as a carrier's `kind` of settings; `more` is set beside them.

    A setting named `default_time_zone` is held to be a zone.
    """
    try:
        found = msgspec.convert({**account.overrides, **more}, kind)
    except msgspec.ValidationError as error:
        raise AccountError(f"{account}: overrides: {where_wrong(error)}") from None
    zone = getattr(found, "default_time_zone", "UTC")
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise AccountError(f"{account}: overrides.default_time_zone: no such zone") from None
    return found


def read_base_url(account: AccountConfig, default: str | None = None) -> str:
    """Where the carrier is for this account, without a slash at its end.

    The port of the scheme itself is left out, as HTTP clients do: a carrier may have the URL signed.
    """
    unusable = AccountError(f"{account}: base_url: http or https, a host, and at most a path")
    try:
        parts = urlsplit(account.base_url or default or "")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise unusable from None
    if parts.scheme not in {"http", "https"} or not host or port == 0:
        raise unusable
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise unusable
    usual = {"http": 80, "https": 443}[parts.scheme]
    name = f"[{host}]" if ":" in host else host
    where = name if port in (None, usual) else f"{name}:{port}"
    return f"{parts.scheme}://{where}{parts.path}".rstrip("/")
