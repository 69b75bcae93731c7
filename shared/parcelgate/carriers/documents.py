"""What a label file is, by its first bytes; what it is called elsewhere is not believed."""

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
