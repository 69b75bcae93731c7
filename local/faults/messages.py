"""HTTP messages, as the bytes that they are: read from a connection, and passed on."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

MOST_HEAD = 1 << 20
_OF_THE_BODY = (b"content-length:", b"transfer-encoding:", b"x-amz-crc32:")
_BODILESS = {b"204", b"304"}


@dataclass(slots=True)
class Message:
    """A request or an answer: its first line and headers as they came, and its body."""

    head: bytes
    body: bytes = b""
    headers: Mapping[bytes, bytes] = field(default_factory=dict)
    """By name in small letters."""

    @property
    def start(self) -> list[bytes]:
        """The parts of the first line."""
        return self.head.partition(b"\r\n")[0].split(b" ", 2)

    @property
    def wire(self) -> bytes:
        """What is sent."""
        return self.head + self.body

    @property
    def closes(self) -> bool:
        """Whether the connection ends with it."""
        return self.headers.get(b"connection", b"").lower() == b"close"

    def with_body(self, body: bytes) -> "Message":
        """The same with another body."""
        lines = self.head.removesuffix(b"\r\n\r\n").split(b"\r\n")
        kept = [line for line in lines if not line.lower().startswith(_OF_THE_BODY)]
        head = b"\r\n".join([*kept, b"content-length: %d" % len(body), b"", b""])
        return Message(head, body, {**self.headers, b"content-length": b"%d" % len(body)})


def answer(status: int, body: bytes, headers: Mapping[str, str]) -> Message:
    """An answer that nobody but the proxy gives."""
    lines = [f"HTTP/1.1 {status} Spoilt", *(f"{name}: {value}" for name, value in headers.items())]
    head = "\r\n".join([*lines, f"content-length: {len(body)}", "", ""]).encode()
    return Message(head, body)


async def read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Message | None:
    """Read a request; None at the end of the connection. Who waits to be told to go on is told so."""
    head = await _head(reader)
    if head is None:
        return None
    headers = _headers(head)
    if headers.get(b"expect", b"").lower() == b"100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"expect:")]
        head = b"\r\n".join(lines)
    return Message(head, await _body(reader, headers, to_its_end=False), headers)


async def read_answer(reader: asyncio.StreamReader, method: bytes) -> Message:
    """Read the answer to a request of this method.

    Raises
    ------
    EOFError
        The connection ended before it.
    """
    head = await _head(reader)
    if head is None:
        raise EOFError
    headers = _headers(head)
    if head.split(b" ", 2)[1] in _BODILESS or method == b"HEAD":
        return Message(head, b"", headers)
    return Message(head, await _body(reader, headers, to_its_end=True), headers)


async def _head(reader: asyncio.StreamReader) -> bytes | None:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise EOFError from error
        return None


def _headers(head: bytes) -> dict[bytes, bytes]:
    pairs = (line.partition(b":") for line in head.split(b"\r\n")[1:])
    return {name.lower(): value.strip() for name, colon, value in pairs if colon}


async def _body(reader: asyncio.StreamReader, headers: Mapping[bytes, bytes], *, to_its_end: bool) -> bytes:
    if (length := headers.get(b"content-length")) is not None:
        return await reader.readexactly(int(length))
    if headers.get(b"transfer-encoding", b"").lower() == b"chunked":
        pieces: list[bytes] = []
        while True:
            line = await reader.readuntil(b"\r\n")
            size = int(line.split(b";")[0], 16)
            pieces += (line, await reader.readexactly(size + 2))
            if not size:
                return b"".join(pieces)
    return await reader.read() if to_its_end else b""
