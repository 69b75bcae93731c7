"""The proxy: a connection of a function is a connection to what it calls, and each answer may be spoilt."""

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import struct
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from local.faults import calls, rules
from local.faults.messages import MOST_HEAD, Message, answer, read_answer, read_request
from local.faults.recorder import Recorder
from local.faults.rules import Case, Cases, Rule, Timed

CONTROL = "/_faults/cases"
RECORD = "/_faults/record"
_JSON = {"content-type": "application/json"}
_HTML = b"<html><body><h1>502 Bad Gateway</h1><hr>nginx</body></html>"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_PIECES = 10
_KEPT = 4
_CONSISTENT = re.compile(rb'"ConsistentRead":\s*true')
"""What such a read answers is never behind."""
_TOKEN = re.compile(rb'"token":\s*"([^"]{16,})"')


class _HangupError(Exception):
    """The connection ends here."""


class _Upstream:
    """The connection to what is called, made when it is used, and again when it has ended."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._ends: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: Message) -> Message:
        """Pass a request on, and return the answer."""
        if self._ends is not None and self._ends[0].at_eof():
            self.close()
        if self._ends is None:
            self._ends = await asyncio.open_connection("127.0.0.1", self._port, limit=MOST_HEAD)
        reader, writer = self._ends
        writer.write(request.wire)
        reply = await read_answer(reader, request.start[0])
        if reply.closes or request.closes:
            self.close()
        return reply

    def close(self) -> None:
        """End the connection."""
        if self._ends is not None:
            self._ends[1].close()
            self._ends = None


@dataclass(slots=True)
class Exchange:
    """A call, and the way to what it calls."""

    request: Message
    call: str
    rule: Rule
    case: Case
    ends: calls.Ends
    forward: Callable[[], Awaitable[Message]]


@dataclass(slots=True)
class Tape:
    """Where calls are written down, while they are."""

    recorder: Recorder | None = None

    def begin(self, path: str) -> None:
        """Write calls into this file from now on."""
        self.end()
        self.recorder = Recorder(Path(path))

    def end(self) -> None:
        """Write no more calls."""
        if self.recorder is not None:
            self.recorder.close()
        self.recorder = None


@dataclass(slots=True)
class Proxy:
    """What stands before one address: `name_of` names its calls."""

    port: int
    name_of: Callable[[Message], str]
    cases: Cases
    callers: calls.Callers
    tape: Tape
    seen: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """The last good answers of each call, by the case that had them."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection to its end."""
        upstream = _Upstream(self.port)
        ends = calls.Ends(writer.get_extra_info("peername")[1], writer.get_extra_info("sockname")[1])
        try:
            while (request := await read_request(reader, writer)) is not None:
                if request.start[1].startswith(RECORD.encode()):
                    writer.write(self._record(request).wire)
                    continue
                if request.start[1].startswith(CONTROL.encode()):
                    writer.write(self._control(request).wire)
                    continue
                # The caller waits from here on, also while it is looked up who it is.
                began = time.time()
                forward = partial(self._passed_on, upstream, ends)
                found = self.cases.of(request.wire, calls.invocation(request)) if self.cases.open else []
                is_noted = any(case.chance is None for case in found)
                function = self.callers.function(request, ends) if is_noted else ""
                exchange = self._noted(request, found, function, ends, partial(forward, request))
                if exchange is None:
                    reply = await forward(request)
                    if found:
                        self._remember(request, found, reply)
                        self._timed(request, found, function, began)
                else:
                    reply = await self._spoilt(exchange, writer)
                writer.write(reply.wire)
                await writer.drain()
                if reply.closes or request.closes:
                    break
        except (_HangupError, EOFError, OSError):
            pass
        finally:
            upstream.close()
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _passed_on(self, upstream: _Upstream, ends: calls.Ends, request: Message) -> Message:
        """Pass a call on, and write it down if calls are written down."""
        recorder = self.tape.recorder
        if recorder is None:
            return await upstream.ask(request)
        invocation = (calls.invocation(request) or b"").decode()
        function = self.callers.function(request, ends)
        return await recorder.exchange(request, self.name_of(request), function, invocation, upstream.ask)

    def _noted(
        self,
        request: Message,
        found: list[Case],
        function: str,
        ends: calls.Ends,
        forward: Callable[[], Awaitable[Message]],
    ) -> Exchange | None:
        """Note a call in its cases; the first rule that fits spoils it."""
        spoilt = None
        for case in found:
            name, attempt = self.name_of(request), calls.attempt_of(request)
            rule = case.note(function, name, attempt) if case.chance is None else case.drawn(name, attempt)
            if rule and rule.fault == "stale" and _CONSISTENT.search(request.body):
                case.met -= 1
                rule = None
            if rule and spoilt is None:
                spoilt = Exchange(request, name, rule, case, ends, forward)
            elif rule:
                case.met -= 1
        return spoilt

    def _remember(self, request: Message, found: list[Case], reply: Message) -> None:
        """Keep an answer of a carrier for other cases, and know the case by the token that it was given."""
        if " " not in (name := self.name_of(request)):
            return
        for case in found:
            answers = self.seen.setdefault(name, {})
            answers[case.name] = reply.wire
            if len(answers) > _KEPT:
                del answers[next(iter(answers))]
            if case.marks and (token := _TOKEN.search(reply.body)):
                self.cases.mark(case, token[1])

    def _timed(self, request: Message, found: list[Case], function: str, began: float) -> None:
        """Note how long an answer took."""
        timed = Timed(function, self.name_of(request), began, time.time() - began)
        for case in found:
            if case.chance is None:
                case.times.append(timed)

    async def _spoilt(self, exchange: Exchange, writer: asyncio.StreamWriter) -> Message:
        fault, seconds, is_aws = exchange.rule.fault, exchange.rule.seconds, " " not in exchange.call
        match fault:
            case "throttle" | "conflict":
                return answer(*rules.refusal(exchange.call, fault, exchange.request.body))
            case "error" if is_aws:
                return answer(*rules.refusal(exchange.call, fault, exchange.request.body))
            case "error":
                return answer(500, b"Internal Server Error", {"content-type": "text/plain"})
            case "html":
                return answer(502, _HTML, {"content-type": "text/html"})
            case "too_many":
                return answer(429, b"Too Many Requests", {"content-type": "text/plain", "retry-after": "1"})
            case "stale":
                body = b'{"Items":[],"Count":0,"ScannedCount":0}'
                return answer(200, body, {"content-type": "application/x-amz-json-1.0"})
            case "reset_before":
                _reset(writer)
            case "kill_before":
                self._kill(exchange)
        reply = await exchange.forward()
        match fault:
            case "duplicate":
                with contextlib.suppress(EOFError):
                    await exchange.forward()
            case "reset_after":
                _reset(writer)
            case "kill_after":
                self._kill(exchange)
            case "freeze":
                await self._frozen(exchange)
                _reset(writer)
            case "delay":
                await asyncio.sleep(seconds)
            case "silence":
                await asyncio.sleep(seconds)
                raise _HangupError
            case "partial":
                told = rules.handed_back(
                    exchange.call, json.loads(exchange.request.body), json.loads(reply.body)
                )
                return reply.with_body(json.dumps(told).encode())
            case "wrong_types":
                with contextlib.suppress(ValueError):
                    return reply.with_body(json.dumps(rules.wrong_types(json.loads(reply.body))).encode())
            case "anothers":
                return self._anothers(exchange) or reply
            case "half_body":
                writer.write(reply.head + reply.body[: len(reply.body) // 2])
                await writer.drain()
                raise _HangupError
            case "slow_drip":
                size = max(1, len(reply.body) // _PIECES)
                writer.write(reply.head)
                for start in range(0, len(reply.body), size):
                    await asyncio.sleep(seconds / _PIECES)
                    writer.write(reply.body[start : start + size])
                    await writer.drain()
                return Message(b"")
        return reply

    def _kill(self, exchange: Exchange) -> None:
        """Kill the function that called. A call of nobody we know just ends."""
        if caller := self.callers.at(exchange.ends):
            with contextlib.suppress(ProcessLookupError):
                os.kill(caller.pid, signal.SIGKILL)
        raise _HangupError

    async def _frozen(self, exchange: Exchange) -> None:
        """Let the function that called stand still."""
        if caller := self.callers.at(exchange.ends):
            with contextlib.suppress(ProcessLookupError):
                os.kill(caller.pid, signal.SIGSTOP)
                try:
                    await asyncio.sleep(exchange.rule.seconds)
                finally:
                    os.kill(caller.pid, signal.SIGCONT)

    def _anothers(self, exchange: Exchange) -> Message | None:
        """An earlier answer to the same call: to another order of the case, else one of another case."""
        answers = self.seen.get(exchange.call, {})
        wire = answers.get(exchange.case.name) or next(iter(answers.values()), None)
        if wire is None:
            return None
        head, end, body = wire.partition(b"\r\n\r\n")
        return Message(head + end, body)

    def _record(self, request: Message) -> Message:
        if request.start[0] == b"POST":
            self.tape.begin(json.loads(request.body)["file"])
        else:
            self.tape.end()
        return answer(200, b"{}", _JSON)

    def _control(self, request: Message) -> Message:
        method, path = request.start[0], request.start[1].decode()
        name = path.removeprefix(CONTROL).removeprefix("/")
        try:
            if method == b"POST":
                self.cases.put(json.loads(request.body))
            elif method == b"DELETE":
                self.cases.close(name)
            else:
                case = self.cases.open[name]
                told = {
                    "calls": [asdict(step) for step in case.calls],
                    "met": case.met,
                    "times": [asdict(timed) for timed in case.times],
                    "made": case.made,
                    "spoilt": case.spoilt,
                }
                return answer(200, json.dumps(told).encode(), _JSON)
        except (KeyError, TypeError, ValueError) as error:
            return answer(422, json.dumps({"error": repr(error)}).encode(), _JSON)
        return answer(200, b"{}", _JSON)


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection as a machine does that has no time to say goodbye."""
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    writer.transport.abort()
    raise _HangupError


async def serve(listening: dict[int, tuple[int, Callable[[Message], str]]], endpoint: str) -> None:
    """Listen on each port, and pass on to the port that it stands for; never returns.

    Only functions whose AWS is `endpoint` are known by name, and can be killed.
    """
    cases, callers, tape = Cases(), calls.Callers(endpoint), Tape()
    async with contextlib.AsyncExitStack() as servers:
        for port, (to, name_of) in listening.items():
            proxy = Proxy(to, name_of, cases, callers, tape)
            server = await asyncio.start_server(proxy.serve, "127.0.0.1", port, limit=MOST_HEAD, backlog=512)
            await servers.enter_async_context(server)
        await asyncio.Event().wait()
