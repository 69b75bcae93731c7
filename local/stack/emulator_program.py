"""MiniStack as this machine needs it: the program of the emulator's process.

It has a process, a small server and three threads for each function that runs, and these look ten times a
second for what to do. A busy stack has some hundred of them, idle ones too, which then take a whole processor
away from those that work. So here they wait until there is something.

One thread takes from all queues and streams in turn, and it alone waits for the function that reads a stream.
Meanwhile nothing is taken from any queue, as on no other day at AWS, and of each queue one batch for each of
the stream's. So here streams have a thread of their own.
"""

import contextlib
import queue
import socket
import threading
from socketserver import BaseServer, StreamRequestHandler
from types import SimpleNamespace

from ministack.app import main
from ministack.core import lambda_runtime
from ministack.services import lambda_svc

_LONG = 60.0
_LOOK_FOR_THE_DEAD = 0.25
"""Seconds after which a function's end is noticed at the latest. What it answers is noticed at once."""


class _Events(queue.Queue):  # type: ignore[type-arg]
    """The events of a function's process. It ends with it, so that nobody waits here for what never comes."""

    def get(self, block: bool = True, timeout: float | None = None) -> object:
        return super().get(block, timeout and _LONG)


_serve = BaseServer.serve_forever


def _serve_forever(self: BaseServer, poll_interval: float = _LONG) -> None:
    del poll_interval
    _serve(self, _LONG)


def _shutdown(self: BaseServer) -> None:
    """As the library's, which then waits until the server looks whether it is to end: here it is called."""
    self._BaseServer__shutdown_request = True  # type: ignore[attr-defined]
    with contextlib.suppress(OSError):
        socket.create_connection(self.server_address, timeout=1).close()  # type: ignore[arg-type]
    self._BaseServer__is_shut_down.wait()  # type: ignore[attr-defined]


_read_streams = lambda_svc._poll_dynamodb_streams
_streams_wait = threading.Event()


def _streams_beside() -> bool:
    """Wake the thread that reads streams. For the one that called this, there is nothing to wait for."""
    _streams_wait.set()
    return False


def _follow_streams() -> None:
    while True:
        _streams_wait.wait()
        _streams_wait.clear()
        try:
            while _read_streams():
                pass
        except Exception:
            lambda_svc.logger.exception("the streams cannot be read")


BaseServer.serve_forever = _serve_forever  # type: ignore[method-assign]
BaseServer.shutdown = _shutdown  # type: ignore[method-assign]
lambda_runtime.queue = SimpleNamespace(Queue=_Events, Empty=queue.Empty, Full=queue.Full)  # type: ignore[attr-defined]
lambda_runtime._PROVIDED_POLL = _LOOK_FOR_THE_DEAD
lambda_svc._poll_dynamodb_streams = _streams_beside
# It writes a function's event in two pieces, its headers first. TCP keeps the second back until the function
# has acknowledged the first, which takes 40 ms of each invocation.
StreamRequestHandler.disable_nagle_algorithm = True

if __name__ == "__main__":
    threading.Thread(target=_follow_streams, name="streams", daemon=True).start()
    main()
