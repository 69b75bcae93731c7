"""What a label file is, by its first bytes; what it is called elsewhere is not believed."""

import base64
import binascii

from parcelgate.carriers.results import LabelFile
from parcelgate.carriers.toolkit.calls import MIB

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
    """A document in Base64, broken into lines or not, or as a `data:` URL; None when it cannot be read."""
    text = text or ""
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        return base64.b64decode("".join(text.split()), validate=True) or None
    except (binascii.Error, ValueError):
        return None


def label_file(reference: str, content: bytes | None) -> LabelFile | None:
    """The label of a parcel, checked by its first bytes and its size; None when it is no label."""
    form = document_format(content or b"")
    if content is None or form is None or len(content) > MAX_LABEL_BYTES:
        return None
    return LabelFile(reference=reference, format=form, content=content)
