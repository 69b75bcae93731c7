"""A world over HTTP: the API, its pages and its stored files, for browsers and for clients of other make.

    def test_the_order_is_shown(served_world: ServedWorld, page: Page) -> None:
        with served_world.hold() as world:
            order = world.settle(world.start_order())
        page.goto(f"{served_world.url}/console")

It does what API Gateway does: it finds the route, asks the authorizer (with real keys of the world's own
table), makes the event and turns the function's answer into HTTP. Each answer is held to the contract. The
base address has a path, as the local stack's has. Stored files have another origin than the API, as they have
on AWS.

`served_world` has its carriers in memory; those of `served_sandbox_world` are the sandbox, over HTTP.
"""

import base64
import json
import re
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from infra.pages import build_pages
from local import ROOT
from parcelgate import aws_clients
from parcelgate.http.page_files import PageFiles
from parcelgate.http.routes import ROUTES, function_of
from parcelgate.services.accounts import api_keys
from tests.support.api import (
    NOT_REDRIVEN,
    REDRIVEN,
    SHARED,
    TENANT,
    api_event,
    held_to_contract,
    openapi_document,
)
from tests.support.faults import Killed

if TYPE_CHECKING:
    from tests.support.world import World

PREFIX = "/_aws/execute-api/served/$default"
"""The path of the API's base address, in the local stack's own form."""
FILES = "/_files"
"""Where stored files are, on the other origin."""
QUEUES = "https://sqs.test"
"""What the addresses of a world's queues begin with."""

DEAD_LETTERS = {
    "PARCELGATE_DEAD_LETTER_QUEUES": json.dumps(
        {name: f"letters-{name}" for name in (*REDRIVEN, *NOT_REDRIVEN, *SHARED)}
    ),
    "PARCELGATE_REDRIVE_QUEUES": json.dumps(REDRIVEN | dict.fromkeys(SHARED, "")),
    "PARCELGATE_INBOX_DEAD_LETTER_URL": f"{QUEUES}/letters-inbox",
    "PARCELGATE_RETRY_DEAD_LETTER_URLS": json.dumps(
        {
            source.removeprefix("retry-"): f"{QUEUES}/letters-{name}"
            for name, source in REDRIVEN.items()
            if source.startswith("retry-")
        }
    ),
}
_TEXT = re.compile(r"^(text/.*|application/(.*\+)?(json|xml|javascript)|application/x-www-form-urlencoded)\b")


class Call(NamedTuple):
    """One request that was answered."""

    method: str
    path: str
    status: int


class _Server(ThreadingHTTPServer):
    """Says nothing of clients that went away before they had their answer."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class ServedWorld:
    """A world, and the server in front of it. See the module."""

    def __init__(self) -> None:
        self.step = timedelta(seconds=1)
        """How much of the world's time passes with each call of the API, so that waiting for it ends."""
        self.down = False
        """Whether connections are closed without an answer."""
        self.calls: list[Call] = []
        """The requests answered so far."""
        self.errors: list[str] = []
        self._world: World
        self._lock = threading.RLock()
        served = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *given: object) -> None:
                pass

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                status, headers, content = served._answered(self.command, self.path, dict(self.headers), body)
                if status == 0:
                    self.close_connection = True
                    return
                self.send_response_only(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if status != 204:
                    self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _answer  # noqa: N815

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.origin = f"http://127.0.0.1:{self._server.server_port}"
        self.url = f"{self.origin}{PREFIX}"
        """The API's base address: `/v1` begins here."""
        self.files_origin = f"http://localhost:{self._server.server_port}"
        """Where links to labels lead; a page that loads them needs it among its `origins`."""

    @contextmanager
    def running(self, make: "Callable[..., World]") -> "Iterator[ServedWorld]":
        """Serve the world that `make` makes with an environment, until the end of the block."""
        key = aws_clients.client("kms").create_key()["KeyMetadata"]["Arn"]
        urls = {
            "PARCELGATE_PUBLIC_URL": self.url,
            "PARCELGATE_KMS_KEY": key,
            "PARCELGATE_LABEL_LINKS": f"{self.files_origin}{FILES}/labels/",
        }
        self._world = make(environment=urls | DEAD_LETTERS)
        self._world.sqs.dead_letters = {
            f"{QUEUES}/{source}": f"{QUEUES}/letters-{name}" for name, source in REDRIVEN.items()
        }
        self._world.s3.url = f"{self.files_origin}{FILES}"
        self._world.start_sweeping()
        handler = import_module("functions.describe_service.handler")
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            with pytest.MonkeyPatch.context() as patch:
                # The bundle holds the document as a file.
                patch.setattr(handler, "description", openapi_document)
                patch.setattr(import_module("functions.serve_pages.handler"), "_files", built_pages)
                yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()
        assert not self.errors, "\n".join(self.errors)

    @contextmanager
    def hold(self) -> "Iterator[World]":
        """The world itself, while no request is answered."""
        with self._lock:
            yield self._world

    def key(self, *scopes: str, tenant: str = TENANT, name: str = "test") -> str:
        """Make an API key, with all scopes if none is named."""
        with self.hold() as world:
            return api_keys.create(world.table, tenant, scopes or api_keys.SCOPES, name, now=world.clock.now)

    def revoke(self, key: str, tenant: str = TENANT) -> None:
        """Revoke a key."""
        with self.hold() as world:
            api_keys.revoke(world.table, tenant, key.split("_")[1], now=world.clock.now)

    def pass_time(self, **time: float) -> None:
        """Let time pass, such as `hours=2`, and happen what is to happen meanwhile."""
        with self.hold() as world:
            duration = timedelta(**time)
            end = world.clock.now + duration
            world.clock.run(until=lambda: False, hours=duration / timedelta(hours=1))
            world.clock.now = max(world.clock.now, end)
            world.stream()

    def _answered(
        self, method: str, address: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        with self._lock:
            if self.down:
                return 0, {}, b""
            parts = urlsplit(address)
            path = unquote(parts.path)
            try:
                answer = self._dispatched(method, path, parts.query, headers, body)
            except (Killed, Exception):
                self.errors.append(f"{method} {path}\n{traceback.format_exc()}")
                answer = _gateways(500, "Internal Server Error")
            self.calls.append(Call(method, path.removeprefix(PREFIX), answer[0]))
            return answer

    def _dispatched(
        self, method: str, path: str, query: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        headers = {name.lower(): value for name, value in headers.items()}
        if path.startswith(f"{FILES}/"):
            return self._file(path.removeprefix(f"{FILES}/"))
        found = _route(method, path.removeprefix(PREFIX)) if path.startswith(PREFIX) else None
        if found is None:
            return _gateways(404, "Not Found")
        key, parameters = found
        if not ROUTES[key].open and "authorization" not in headers:
            return _gateways(401, "Unauthorized")
        if path.startswith(f"{PREFIX}/v1/"):
            self.pass_time(seconds=self.step.total_seconds())
        event = self._event(key, parameters, method, path, query, headers, body)
        answer = self._world._function(function_of(key))(event)
        self._world.stream()
        if ROUTES[key].tag:
            held_to_contract(key, answer)
        content = answer["body"]
        raw = base64.b64decode(content) if answer["isBase64Encoded"] else content.encode()
        return answer["statusCode"], answer["headers"], raw

    def _event(
        self,
        key: str,
        parameters: dict[str, str],
        method: str,
        path: str,
        query: str,
        headers: dict[str, str],
        body: bytes,
    ) -> dict[str, Any]:
        values: dict[str, list[str]] = {}
        for name, value in parse_qsl(query, keep_blank_values=True):
            values.setdefault(name, []).append(value)
        event = api_event(
            key,
            headers={"x-forwarded-proto": "http", **headers},
            query={name: ",".join(each) for name, each in values.items()},
        )
        http = {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1"}
        http["userAgent"] = headers.get("user-agent", "")
        event |= {"rawPath": path, "rawQueryString": query}
        event["requestContext"] |= {"http": http, "domainName": headers.get("host", "")}
        if parameters:
            event["pathParameters"] = parameters
        if body and _TEXT.match(headers.get("content-type", "")):
            event |= {"body": body.decode(errors="surrogateescape")}
        elif body:
            event |= {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
        context = event["requestContext"]
        del context["authorizer"]
        if not ROUTES[key].open:
            asked = {"headers": headers, "requestContext": context, "routeKey": key}
            context["authorizer"] = {"lambda": self._world._function("authorize")(asked)["context"]}
        return event

    def _file(self, name: str) -> tuple[int, dict[str, str], bytes]:
        _, _, key = name.partition("/")
        content = self._world.s3.objects.get(key)
        if content is None:
            return 404, {"content-type": "application/xml"}, b"<Error><Code>NoSuchKey</Code></Error>"
        return 200, {"content-type": self._world.s3.types.get(key, "application/octet-stream")}, content


@pytest.fixture
def served_world(new_world: "Callable[..., World]") -> Iterator[ServedWorld]:
    """A world over HTTP whose carriers are in memory."""
    with ServedWorld().running(new_world) as served:
        yield served


@pytest.fixture
def served_sandbox_world(new_sandbox_world: "Callable[..., World]") -> Iterator[ServedWorld]:
    """A world over HTTP whose adapters call the sandbox."""
    with ServedWorld().running(new_sandbox_world) as served:
        yield served


@cache
def built_pages() -> PageFiles:
    """The pages of this checkout, as the bundle has them; built once for each process."""
    with tempfile.TemporaryDirectory() as folder:
        build_pages(Path(folder), ROOT)
        return PageFiles(Path(folder))


def _gateways(status: int, message: str) -> tuple[int, dict[str, str], bytes]:
    return status, {"content-type": "application/json"}, f'{{"message":"{message}"}}'.encode()


def _route(method: str, path: str) -> tuple[str, dict[str, str]] | None:
    """The route of a request and its path's parameters; of several the one with the most words of its own."""
    for key, pattern in _patterns():
        match = pattern.fullmatch(f"{method} {path}")
        if match:
            return key, match.groupdict()
    return None


@cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    def pattern(key: str) -> re.Pattern[str]:
        parts = re.split(r"\{(\w+\+?)\}", key)
        for place in range(1, len(parts), 2):
            name = parts[place]
            parts[place] = f"(?P<{name[:-1]}>.+)" if name.endswith("+") else f"(?P<{name}>[^/]+)"
        parts[::2] = map(re.escape, parts[::2])
        return re.compile("".join(parts))

    return [(key, pattern(key)) for key in sorted(ROUTES, key=lambda key: ("+" in key, key.count("{")))]
