"""Label files: detect the format by the first bytes, and fetch a file from its address."""

import base64
import binascii
from collections.abc import Collection
from urllib.parse import SplitResult, urlsplit

from parcelgate.carriers.errors import LabelPendingError, TransientError
from parcelgate.carriers.results import LabelFile
from parcelgate.carriers.toolkit.calls import MIB, Request, Transport

MAX_LABEL_BYTES = 10 * MIB

_BEGINNINGS = (
    (b"%PDF-", "pdf"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpg"),
    (b"^XA", "zpl"),
)


def document_format(content: bytes) -> str | None:
    """`pdf`, `png`, `jpg` or `zpl`; None for anything else. White space before ZPL does not matter."""
    head = content[:64]
    for beginning, name in _BEGINNINGS:
        if (head.lstrip() if name == "zpl" else head).startswith(beginning):
            return name
    return None


def from_base64(text: str | None) -> bytes | None:
    """Return a document from Base64, with line breaks or not, or from a `data:` URL; None if unreadable."""
    text = text or ""
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        return base64.b64decode("".join(text.split()), validate=True) or None
    except (binascii.Error, ValueError):
        return None


def label_file(reference: str, content: bytes | None) -> LabelFile | None:
    """Return the label of a parcel, checked by its first bytes and its size; None when it is no label."""
    form = document_format(content or b"")
    if content is None or form is None or len(content) > MAX_LABEL_BYTES:
        return None
    return LabelFile(reference=reference, format=form, content=content)


def read_label(
    reference: str,
    data: str | None,
    url: str | None,
    *,
    send: Transport,
    call: str,
    base_url: str,
    hosts: Collection[str],
) -> LabelFile:
    """Return the label of a parcel, from the answer's own Base64 or from an address; see `fetch_label`.

    Raises LabelPendingError for everything that is no real document.
    """
    content = from_base64(data)
    try:
        if content is None and url:
            content = fetch_label(send, call, url, base_url=base_url, hosts=hosts)
    except TransientError as error:
        raise LabelPendingError(str(error)) from error
    document = label_file(reference, content)
    if document is None:
        raise LabelPendingError("the file is not a label")
    return document


def fetch_label(
    send: Transport, call: str, url: str, *, base_url: str, hosts: Collection[str]
) -> bytes | None:
    """Return the document at `url`; None when the address is not trusted, or has no document.

    Trusted are the account's own host (that of `base_url`) and the hosts that the account names, each as
    `host` or `host:port`, over https unless the base URL is http. A host other than the account's own must
    be on the public internet. Redirects are never followed, and at most 10 MB are read. Raises what the
    transport raises.
    """
    try:
        label, base = urlsplit(url), urlsplit(base_url)
        own = _origin(label) == _origin(base)
        named = bool({label.hostname, f"{label.hostname}:{label.port}"} & set(hosts))
    except ValueError:
        return None
    secure = label.scheme == "https" or (label.scheme == "http" and base.scheme == "http")
    if not secure or "@" in label.netloc or not (own or named):
        return None
    request = Request(
        call=call, method="GET", url=url, safe=True, max_bytes=MAX_LABEL_BYTES, public_only=not own
    )
    answer = send.send(request)
    return answer.body if answer.status == 200 else None


def _origin(url: SplitResult) -> tuple[str | None, int | None]:
    return url.hostname, url.port or {"http": 80, "https": 443}.get(url.scheme)
