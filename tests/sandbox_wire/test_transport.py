"""The way out, against a server that misbehaves at the level of sockets."""

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from parcelgate.carriers.errors import TransientError, UnknownOutcomeError
from parcelgate.carriers.toolkit import transport as way_out
from parcelgate.carriers.toolkit.calls import Request, Transport
from parcelgate.carriers.toolkit.transport import HttpTransport
from parcelgate.domain.deadline import Deadline

type Behaviour = Callable[[socket.socket], None]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Seen: Yes\r\n\r\n{}"
PATIENCE = 30
"""Seconds after which a server that waits for its caller to leave believes that he will not."""
RESET = struct.pack("ii", 1, 0)


@contextmanager
def server(behave: Behaviour) -> Iterator[tuple[str, list[bytes]]]:
    """A server whose every connection is given to `behave`, and what it was sent."""
    seen: list[bytes] = []
    listening = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                try:
                    seen.append(received(connection))
                    behave(connection)
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", seen
    finally:
        over.set()
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(5)


def received(connection: socket.socket) -> bytes:
    """The whole request, or as much as comes of something else."""
    found = connection.recv(65536)
    while found.startswith(b"POST ") and not found.endswith((b"secret", b"{}")):
        found += connection.recv(65536)
    return found


def answers(*pieces: bytes, pause: float = 0) -> Behaviour:
    def behave(connection: socket.socket) -> None:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(pause)

    return behave


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


def silent(connection: socket.socket) -> None:
    connection.recv(1)


def request(url: str, *, safe: bool = False, **more: object) -> Request:
    return Request(call="lso.order_commit", method="POST", url=url, body=b"secret", safe=safe, **more)  # type: ignore[arg-type]


def test_it_gives_back_what_came() -> None:
    with server(answers(OK)) as (url, seen):
        transport: Transport = HttpTransport()
        answer = transport.send(
            Request(call="c", method="POST", url=f"{url}/base/x?y=1", headers={"X-A": "b"}, body=b"{}")
        )
    assert (answer.status, answer.body, answer.headers["x-seen"]) == (200, b"{}", "Yes")
    assert seen[0].startswith(b"POST /base/x?y=1 HTTP/1.1\r\n")
    assert b"X-A: b\r\n" in seen[0]
    assert seen[0].endswith(b"\r\n\r\n{}")


def test_each_call_that_may_buy_has_a_connection_of_its_own() -> None:
    with server(answers(OK)) as (url, seen):
        for _ in range(2):
            HttpTransport().send(request(url))
    assert len(seen) == 2


@pytest.mark.parametrize("safe", [False, True])
def test_a_connection_that_died_while_its_environment_was_frozen_spoils_no_call(safe: bool) -> None:
    """The other side drops whatever is sent into an old one: a call that may buy is never sent there."""

    def answer_once(connection: socket.socket) -> None:
        connection.sendall(OK)
        if received(connection):
            reset(connection)

    with server(answer_once) as (url, seen):
        for _ in range(2):
            assert HttpTransport().send(request(url, safe=safe)).status == 200
    assert len(seen) == 2


@pytest.mark.parametrize(
    "behave",
    [
        pytest.param(reset, id="reset"),
        pytest.param(lambda connection: None, id="closed"),
        pytest.param(silent, id="silence"),
        pytest.param(answers(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"), id="half body"),
        pytest.param(answers(b"what is this?\r\n\r\n"), id="no HTTP"),
        pytest.param(answers(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nnot gzip"), id="no gzip"),
        pytest.param(
            answers(b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n", bytes(3_000_000)), id="too long"
        ),
    ],
)
@pytest.mark.parametrize(("safe", "error"), [(True, TransientError), (False, UnknownOutcomeError)])
def test_trouble_after_sending_is_unknown_unless_the_call_is_safe(
    behave: Behaviour, safe: bool, error: type[Exception]
) -> None:
    with server(behave) as (url, _), pytest.raises(error) as caught:
        HttpTransport().send(request(f"{url}/path?token=secret", safe=safe, read_seconds=0.3))
    assert str(caught.value).startswith("lso.order_commit: ")
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_nobody_listening_means_nothing_was_sent() -> None:
    free = socket.create_server(("127.0.0.1", 0))
    port = free.getsockname()[1]
    free.close()
    with pytest.raises(TransientError, match="before the first byte was written"):
        HttpTransport().send(request(f"http://127.0.0.1:{port}"))


@pytest.mark.parametrize(
    "url",
    ["http://no-such-host.invalid/", "ftp://127.0.0.1/", "http://[bad/", "no url", f"http://{'x' * 70}/"],
)
def test_an_address_that_leads_nowhere_means_nothing_was_sent(url: str) -> None:
    with pytest.raises(TransientError, match="before the first byte was written"):
        HttpTransport().send(request(url))


def test_a_tls_handshake_that_fails_means_nothing_was_sent() -> None:
    with (
        server(answers(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as (url, _),
        pytest.raises(TransientError, match="before the first byte was written"),
    ):
        HttpTransport().send(request(url.replace("http", "https")))


@pytest.mark.parametrize("safe", [True, False])
@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (b"Retry-After: 120\r\n", 120),
        (b"Retry-After: 999999\r\n", 3600),
        (b"Retry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\n", 0),
        (b"Retry-After: soon\r\n", None),
        (b"Retry-After: Wed, 21 Oct 99999999999999999999 07:28:00 GMT\r\n", None),
        (b"Retry-After: Wed, 21 Oct 2099 07:28:00 +99999999999999999999\r\n", None),
        (b"", None),
    ],
)
def test_too_many_requests_is_transient_whatever_the_call(
    header: bytes, seconds: float | None, safe: bool
) -> None:
    answer = b"HTTP/1.1 429 Too Many Requests\r\n" + header + b"Content-Length: 2\r\n\r\n{}"
    with server(answers(answer)) as (url, _), pytest.raises(TransientError) as caught:
        HttpTransport().send(request(url, safe=safe))
    assert caught.value.retry_after == seconds


def test_redirects_are_not_followed() -> None:
    answer = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    with server(answers(answer)) as (url, _):
        assert HttpTransport().send(request(url)).status == 302


def test_errors_of_the_server_are_answers() -> None:
    with server(answers(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 6\r\n\r\n<html>")) as (url, _):
        answer = HttpTransport().send(request(url))
    assert (answer.status, answer.body) == (502, b"<html>")


def test_without_time_left_nothing_is_sent() -> None:
    with server(answers(OK)) as (url, seen):
        with pytest.raises(TransientError, match="not enough time is left"):
            HttpTransport(Deadline(lambda: 0)).send(request(url))
        assert seen == []


@pytest.mark.parametrize("drips", [False, True])
def test_a_call_is_over_when_the_time_is(drips: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(way_out, "UNSAFE_SECONDS", 0.0)
    left = threading.Event()

    def never_ends(connection: socket.socket) -> None:
        connection.settimeout(PATIENCE)
        if drips:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        for _ in range(PATIENCE * 10):
            try:
                if drips:
                    connection.sendall(b".")
                    time.sleep(0.1)
                elif connection.recv(1) == b"":
                    raise ConnectionResetError
            except ConnectionError:
                left.set()
                return

    with server(never_ends) as (url, _):
        with pytest.raises(UnknownOutcomeError):
            HttpTransport(Deadline(lambda: 1)).send(request(url, read_seconds=2 * PATIENCE))
        assert left.wait(PATIENCE)


def test_a_host_that_leads_inside_is_not_called_where_only_public_ones_may_be() -> None:
    with server(answers(OK)) as (url, seen):
        for addresses in (["127.0.0.1"], ["93.184.216.34", "10.0.0.1"], []):
            transport = HttpTransport(resolve=lambda host, port, found=addresses: found)  # type: ignore[misc]
            with pytest.raises(TransientError, match="public internet"):
                transport.send(request(url, safe=True, public_only=True))
    assert seen == []


def test_the_address_that_was_checked_is_the_one_that_is_called() -> None:
    called: list[httpx.Request] = []

    def handle(message: httpx.Request) -> httpx.Response:
        called.append(message)
        return httpx.Response(200, content=b"%PDF-")

    client = httpx.Client(transport=httpx.MockTransport(handle))
    transport = HttpTransport(client=client, resolve=lambda host, port: ["93.184.216.34"])
    transport.send(request("https://cdn.example:8443/1.pdf?sig=x", safe=True, public_only=True))
    (message,) = called
    assert str(message.url) == "https://93.184.216.34:8443/1.pdf?sig=x"
    assert message.headers["host"] == "cdn.example:8443"
    assert message.extensions["sni_hostname"] == "cdn.example"


@pytest.mark.parametrize("kept", [False, True])
def test_certificates_are_checked(kept: bool) -> None:
    from parcelgate.carriers.toolkit.transport import _shared_client

    pool = _shared_client(kept=kept)._transport._pool  # type: ignore[attr-defined]
    assert pool._ssl_context.verify_mode is ssl.CERT_REQUIRED
    assert pool._ssl_context.check_hostname


@pytest.mark.parametrize(
    ("left", "least", "safe", "sent"),
    [
        (2.9, 0.0, False, False),
        (3.1, 0.0, False, True),
        (9.9, 10.0, False, False),
        (10.1, 10.0, False, True),
        (0.5, 10.0, True, True),
    ],
)
def test_what_may_buy_is_not_begun_with_too_little_time_left(
    left: float, least: float, safe: bool, sent: bool
) -> None:
    with server(lambda connection: connection.sendall(OK)) as (url, seen):
        transport = HttpTransport(Deadline(lambda: left))
        request = Request(call="c", method="POST", url=url, body=b"{}", safe=safe, least_seconds=least)
        if sent:
            assert transport.send(request).status == 200
        else:
            with pytest.raises(TransientError):
                transport.send(request)
        assert len(seen) == int(sent)
