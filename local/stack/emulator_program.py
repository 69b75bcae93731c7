"""MiniStack as this machine needs it: the program of the emulator's process.

It has a process, a small server and three threads for each function that runs, and these look ten times a
second for what to do. A busy stack has some hundred of them, idle ones too, which then take a whole processor
away from those that work. So here they wait until there is something.

One thread takes from all queues and streams in turn, and it alone waits for the function that reads a stream.
Meanwhile nothing is taken from any queue, and of each queue one batch for each of the stream's; at AWS they
know nothing of each other. So here streams have a thread of their own. What the function of a stream says
that it could not do is brought again, as Lambda does, as often as its mapping says. Then it is left out and
logged, where AWS puts it among the dead letters.
"""

import contextlib
import queue
import socket
import threading
from collections import Counter
from socketserver import BaseServer, StreamRequestHandler
from types import SimpleNamespace
from typing import Any

from ministack.app import main
from ministack.core import lambda_runtime
from ministack.services import dynamodb, lambda_svc

_LONG = 60.0
_LOOK_FOR_THE_DEAD = 0.25
"""Seconds after which a function's end is noticed at the latest. What it answers is noticed at once."""


class _Events(queue.Queue):  # type: ignore[type-arg]
    """The events of a function's process. A thread of one that has ended waits for `_LONG` at most."""

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


_STREAMS = "streams"
_AHEAD = 8
"""So many batches are looked through for one: most changes are left out by the filters."""
_read_streams = lambda_svc._poll_dynamodb_streams
_records_since = dynamodb.stream_records_since
_execute = lambda_svc._execute_function
_streams_wait = threading.Event()
_failed: Counter[str] = Counter()
"""How often a batch failed in part, by the number of its first record."""


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


def _of_streams() -> bool:
    return threading.current_thread().name == _STREAMS


def _source(stream: str) -> dict[str, Any]:
    return next(each for *_, each in lambda_svc._iter_all_esms() if stream in each["EventSourceArn"])


def _batch(table: str, position: int, most: int, **scope: Any) -> list[dict[str, Any]]:
    """The next records: as many as the filters let through for one batch, and all that are between these."""
    if not _of_streams():
        return _records_since(table, position, most, **scope)
    records, wanted = _records_since(table, position, _AHEAD * most, **scope), 0
    source = _source(f":table/{table}/stream/")
    for number, record in enumerate(records, 1):
        wanted += len(lambda_svc._apply_filter_criteria([record], source))
        if wanted == most:
            return records[:number]
    return records


def _answer(function: dict[str, Any], event: dict[str, Any]) -> dict[str, Any]:
    """What a function answers. A batch of a stream that failed in part comes again, as at AWS."""
    answer = _execute(function, event)
    body = answer.get("body")
    if not (_of_streams() and isinstance(body, dict) and body.get("batchItemFailures")):
        return answer
    first = event["Records"][0]
    number = first["dynamodb"]["SequenceNumber"]
    _failed[number] += 1
    most = _source(first["eventSourceARN"]).get("MaximumRetryAttempts")
    if most is not None and 0 <= most < _failed[number]:
        lambda_svc.logger.error("a batch of the stream failed in part too often and is left out: %s", body)
        return answer
    return answer | {"error": True, "body": {"errorType": "batchItemFailures", "errorMessage": str(body)}}


BaseServer.serve_forever = _serve_forever  # type: ignore[method-assign]
BaseServer.shutdown = _shutdown  # type: ignore[method-assign]
lambda_runtime.queue = SimpleNamespace(Queue=_Events, Empty=queue.Empty, Full=queue.Full)  # type: ignore[attr-defined]
lambda_runtime._PROVIDED_POLL = _LOOK_FOR_THE_DEAD
lambda_svc._poll_dynamodb_streams = _streams_beside
lambda_svc._execute_function = _answer
dynamodb.stream_records_since = _batch
# It writes a function's event in two pieces, its headers first. TCP keeps the second back until the function
# has acknowledged the first, which takes 40 ms of each invocation.
StreamRequestHandler.disable_nagle_algorithm = True

if __name__ == "__main__":
    threading.Thread(target=_follow_streams, name=_STREAMS, daemon=True).start()
    main()
