"""A door in front of the sandbox's carriers: a drill's own way to them, which can be shut for it alone."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

_SECONDS = 60
_NOT_PASSED_ON = {"connection", "host", "content-length", "transfer-encoding", "content-encoding"}


class Way(StrEnum):
    """What becomes of a call."""

    OPEN = "it reaches the carrier, and its answer comes back"
    MUTE = "it reaches the carrier, and its answer is lost"
    SHUT = "it never reaches the carrier"


class Door:
    """The door; `way` can be changed at any time, and `calls` counts what came to it."""

    def __init__(self) -> None:
        self.way = Way.OPEN
        self.url = ""
        self.calls = 0


@contextmanager
def opened(sandbox_url: str) -> Iterator[Door]:
    """Run a door to the sandbox at that address on a free port of this machine, until the block ends."""
    door = Door()
    client = httpx.Client(timeout=_SECONDS)

    class Handler(BaseHTTPRequestHandler):
        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            way, door.calls = door.way, door.calls + 1
            if way is Way.SHUT:
                self._hang_up()
                return
            headers = {
                name: value for name, value in self.headers.items() if name.lower() not in _NOT_PASSED_ON
            }
            try:
                answer = client.request(
                    self.command, f"{sandbox_url}{self.path}", content=body, headers=headers
                )
            except httpx.HTTPError:
                self._hang_up()
                return
            if way is Way.MUTE:
                self._hang_up()
                return
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                if name.lower() not in _NOT_PASSED_ON:
                    self.send_header(name, value)
            self.send_header("content-length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def _hang_up(self) -> None:
            """Reset the connection, as a server does that has died."""
            self.close_connection = True
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()

        def log_message(self, format: str, *args: object) -> None:
            """Print nothing."""

    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"):
        setattr(Handler, f"do_{method}", Handler.pass_on)
    server = _Quiet(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    door.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield door
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
        client.close()


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Print nothing: a caller that was hung up on is what a shut door is for."""
