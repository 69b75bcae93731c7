"""Labels that a carrier gives as an address: which addresses are fetched at all, and how."""

from collections.abc import Collection
from urllib.parse import urlsplit

from parcelgate.carriers.toolkit.calls import Request, Transport
from parcelgate.carriers.toolkit.documents import MAX_LABEL_BYTES


def fetch_label(
    send: Transport, call: str, url: str, *, base_url: str, hosts: Collection[str]
) -> bytes | None:
    """The document at `url`; None when that address is not one to be trusted, or has no document.

    Trusted is the account's own host (that of `base_url`), and those that the account names, each as
    `host` or `host:port`; over https, unless the base URL is http. A host other than the account's own must
    lie on the public internet. Redirects are never followed, and at most 10 MB are read. Raises what the
    transport raises.
    """
    try:
        asked, base = urlsplit(url), urlsplit(base_url)
        own = _origin(asked.hostname, asked.port, asked.scheme) == _origin(
            base.hostname, base.port, base.scheme
        )
        named = bool({asked.hostname, f"{asked.hostname}:{asked.port}"} & set(hosts))
    except ValueError:
        return None
    secure = asked.scheme == "https" or (asked.scheme == "http" and base.scheme == "http")
    if not secure or "@" in asked.netloc or not (own or named):
        return None
    request = Request(
        call=call, method="GET", url=url, safe=True, max_bytes=MAX_LABEL_BYTES, public_only=not own
    )
    answer = send.send(request)
    return answer.body if answer.status == 200 else None


def _origin(host: str | None, port: int | None, scheme: str) -> tuple[str | None, int | None]:
    return host, port or {"http": 80, "https": 443}.get(scheme)
