"""Answers that break the connection, and the server protocol that makes them possible.

ASGI lets an application answer, not hang up. `BreakableProtocol` puts the connection's
transport into each request's scope, where these responses find it.
"""

import asyncio
import socket
import struct
from typing import cast, override

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

_EXTENSION = "sandbox.transport"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class BreakableProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 protocol, with the transport reachable from the application."""

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        application = self.app

        async def reaching(scope: Scope, receive: Receive, send: Send) -> None:
            scope.setdefault("extensions", {})[_EXTENSION] = transport
            await application(scope, receive, send)

        self.app = reaching


def _transport(scope: Scope) -> asyncio.Transport:
    return cast(asyncio.Transport, scope["extensions"][_EXTENSION])


async def _gone(receive: Receive) -> None:
    """Wait until the server has noticed, or it would answer 500 in the application's place."""
    while (await receive())["type"] != "http.disconnect":
        pass


class Dropped(Response):
    """No answer: the connection is closed, or reset."""

    def __init__(self, *, reset: bool = False) -> None:
        super().__init__()
        self._reset = reset

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport = _transport(scope)
        if self._reset and not transport.is_closing():
            connection = transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        transport.abort()
        await _gone(receive)


class HalfBody(Response):
    """The first half of another response's body, under its full Content-Length."""

    def __init__(self, whole: Response) -> None:
        media_type = whole.headers.get("content-type")
        super().__init__(whole.body, whole.status_code, media_type=media_type)

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        half = bytes(self.body)[: len(self.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
        _transport(scope).close()
        await _gone(receive)


def server_error() -> Response:
    """Answer as a program that fell over."""
    return Response("Internal Server Error", 500, media_type="text/plain")


def bad_gateway() -> Response:
    """Answer as a proxy whose program is away."""
    page = "<html><body><h1>502 Bad Gateway</h1><hr>nginx</body></html>"
    return Response(page, 502, media_type="text/html")


def garbage() -> Response:
    """Answer with success that cannot be read."""
    return Response('{"code": 200, "data": \x00<br/>', media_type="application/json")
