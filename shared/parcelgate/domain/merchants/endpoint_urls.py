"""What the address of a webhook endpoint may look like. Its host is looked up and checked at delivery."""

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from parcelgate.domain.merchants.public_addresses import is_public

LONGEST_URL = 2048
PORTS = (443, 8443)
"""The ports that an endpoint may have, outside the local environment."""

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.ASCII | re.IGNORECASE)
_NUMBER = re.compile(r"(0x[0-9a-f]*|\d+)", re.ASCII | re.IGNORECASE)
_PRINTABLE = re.compile(r"[\x21-\x7e]+", re.ASCII)


def wrong_url(url: str, *, local: bool = False) -> str | None:
    """Say what is wrong with the address of an endpoint; None if nothing is.

    In the `local` environment http, any port and any host are allowed.
    """
    if len(url) > LONGEST_URL:
        return f"Must have at most {LONGEST_URL} characters."
    if not _PRINTABLE.fullmatch(url) or "\\" in url:
        return "Must be an address of ASCII characters without blanks. Percent-encode all others."
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "Must be an address, such as https://shop.example/webhooks."
    if parts.scheme != "https" and not (local and parts.scheme == "http"):
        return "Must begin with https://."
    if "@" in parts.netloc:
        return "Must not have a user name or a password."
    if "#" in url:
        return "Must not have a fragment (#)."
    if not parts.hostname:
        return "Must have a host, such as https://shop.example/webhooks."
    if local:
        return None
    if parts.netloc.endswith(":") or (port is not None and port not in PORTS):
        return f"Must have one of the ports {' and '.join(map(str, PORTS))}, or none."
    return _wrong_host(parts)


def _wrong_host(parts: SplitResult) -> str | None:
    host = parts.hostname or ""
    if "[" in parts.netloc or ":" in host:
        return _wrong_address(host, ipaddress.IPv6Address)
    labels = host.split(".")
    if labels[-1] == "":
        return "Must have a host name without a dot at its end."
    # A last label that is a number makes the whole an IPv4 address, as browsers read it.
    if _NUMBER.fullmatch(labels[-1]):
        return _wrong_address(host, ipaddress.IPv4Address)
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        return "Must have a host name of letters, digits and dashes."
    if len(labels) == 1:
        return "Must have a whole host name, such as shop.example."
    return None


def _wrong_address(host: str, kind: type[ipaddress.IPv4Address | ipaddress.IPv6Address]) -> str | None:
    try:
        public = is_public(str(kind(host)))
    except ValueError:
        return "Must have a host name, or an IP address as it is usually written."
    return None if public else "Must have an address of the public internet."
