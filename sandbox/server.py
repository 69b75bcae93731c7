"""Runs the application: in this process for tests, or until it gets the signal to stop."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import uvicorn

from sandbox.app import build_app
from sandbox.wire.connection import BreakableProtocol
from sandbox.world import Settings

#: Large enough for a burst of connections on one event loop.
_BACKLOG = 2048


def listen(host: str, port: int) -> socket.socket:
    """Open a listening socket; connections queue on it even before the server runs.

    Raises
    ------
    OSError
        The address is in use, or does not belong to this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    # Inherited by its connections: asyncio sets it only on sockets that name their protocol.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def address(listening: socket.socket) -> str:
    """Return the base URL of a listening socket."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def server(settings: Settings) -> uvicorn.Server:
    """Make a server for one new sandbox."""
    return uvicorn.Server(
        uvicorn.Config(
            build_app(settings),
            http=BreakableProtocol,
            ws="none",
            backlog=_BACKLOG,
            access_log=False,
            log_level="warning",
            timeout_keep_alive=75,
            timeout_graceful_shutdown=1,
        )
    )


@contextlib.contextmanager
def serve(settings: Settings | None = None, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Run a sandbox in a thread of this process, and give its base URL.

    Parameters
    ----------
    settings
        The sandbox's settings; the defaults of `Settings` when left out.
    host, port
        The address on which it listens; port 0 chooses a free one.

    Raises
    ------
    OSError
        The address is in use.

    Examples
    --------
    >>> with serve(Settings(processing_seconds=0)) as url:
    ...     httpx.get(f"{url}/_sandbox/health").json()["status"]
    'ok'
    """
    with listen(host, port) as listening:
        running = server(settings or Settings())
        thread = threading.Thread(target=running.run, args=([listening],), name="sandbox", daemon=True)
        thread.start()
        try:
            yield address(listening)
        finally:
            running.should_exit = True
            thread.join()
