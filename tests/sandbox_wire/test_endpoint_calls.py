"""The call of a merchant's endpoint over real HTTP: public alone, bounded, and each failure in words."""

import gzip
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from parcelgate.services.endpoints import calls
from parcelgate.services.endpoints.calls import EndpointCaller
from tests.sandbox_wire.test_transport import Behaviour, answers, reset, server, silent

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
HEADERS = {"webhook-id": "evt_1"}
BODY = b"  \xc3\xa9{}"


def post(url: str, *, seconds: float = 60) -> calls.Result:
    return EndpointCaller(anywhere=True).post(f"{url}/hook?a=b", HEADERS, BODY, seconds=seconds)


def test_it_sends_the_very_bytes_and_keeps_what_came() -> None:
    with server(answers(OK)) as (url, seen):
        result = post(url)
    assert (result.status, result.body, result.error) == (200, "ok", None)
    (request,) = seen
    head, _, body = request.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /hook?a=b HTTP/1.1\r\n")
    assert b"webhook-id: evt_1" in head
    assert b"content-type: application/json" in head
    assert body == BODY


@pytest.mark.parametrize(
    ("answer", "status", "error"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, None),
        (
            b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
            302,
            calls.REDIRECT,
        ),
        (b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n", 500, calls.NOT_SUCCESS),
        (b"HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n", 410, calls.NOT_SUCCESS),
        (b"SSH-2.0-OpenSSH_9.6\r\n", None, calls.BROKEN),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nok", 200, None),
        (b"", None, calls.BROKEN),
    ],
)
def test_each_answer_is_judged(answer: bytes, status: int | None, error: str | None) -> None:
    with server(answers(answer)) as (url, seen):
        result = post(url)
    assert (result.status, result.error, len(seen)) == (status, error, 1)


@pytest.mark.parametrize(
    ("value", "least", "most"),
    [
        ("120", 120, 120),
        ("999999999", 86_400, 86_400),
        ("soon", None, None),
        ("-5", None, None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0),
        ("Wed, 21 Oct 2099 07:28:00 GMT", 86_400, 86_400),
        ("Wed, 21 Oct 99999999999999999999 07:28:00 GMT", None, None),
        ("Wed, 99999999999 Oct 2099 07:28:00 GMT", None, None),
        ("Wed, 21 Oct 2099 07:28:00 +99999999999999999999", None, None),
    ],
)
def test_retry_after_is_read_as_seconds_or_a_date(value: str, least: int | None, most: int | None) -> None:
    answer = f"HTTP/1.1 503 Busy\r\nretry-after: {value}\r\ncontent-length: 0\r\n\r\n".encode()
    with server(answers(answer)) as (url, _):
        assert post(url).retry_after == least == most


def test_no_more_than_64_kilobytes_are_read_and_one_is_kept() -> None:
    sent = 0

    def endless(connection: socket.socket) -> None:
        nonlocal sent
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            sent += connection.send(b"x" * 1024)

    with server(endless) as (url, _):
        result = post(url)
    assert (result.status, result.error) == (200, None)
    assert result.body == "x" * 1024


def test_a_compressed_answer_is_not_unpacked() -> None:
    body = gzip.compress(b"0" * 10_000_000)[:60_000]
    head = f"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    with server(answers(head + body)) as (url, _):
        assert len(post(url).body or "") <= 1024


def drip(piece: bytes) -> Behaviour:
    def behave(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            connection.sendall(piece)
            time.sleep(0.05)

    return behave


@pytest.mark.parametrize(
    ("behave", "seconds", "status", "error"),
    [
        (silent, 0.5, None, calls.TIMED_OUT),
        (drip(b"x-a: b\r\n"), 0.5, None, calls.TIMED_OUT),
        (drip(b"x"), 0.5, None, calls.TIMED_OUT),
        (answers(b"HTTP/1.1 200 OK\r\n\r\n", *[b"x"] * 200, pause=0.05), 3, 200, None),
    ],
)
def test_a_slow_drip_ends_with_the_time(
    behave: Behaviour, seconds: float, status: int | None, error: str | None
) -> None:
    """A status that came in time counts, however long its body takes."""
    with server(behave) as (url, _):
        result = post(url, seconds=seconds)
    assert (result.status, result.error) == (status, error)


def test_what_takes_no_connection_or_breaks_it_is_named() -> None:
    closed = socket.create_server(("127.0.0.1", 0))
    port = closed.getsockname()[1]
    closed.close()
    assert post(f"http://127.0.0.1:{port}").error == calls.NO_CONNECTION
    with server(reset) as (url, _):
        assert post(url).error == calls.BROKEN


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["93.184.216.34", "10.0.0.1"], ["::ffff:127.0.0.1"], ["64:ff9b::7f00:1"], []],
)
def test_a_host_that_leads_inside_is_not_called(addresses: list[str]) -> None:
    with server(answers(OK)) as (url, seen):
        caller = EndpointCaller(resolve=lambda host, port: addresses)
        assert caller.post(url, HEADERS, b"{}").error == calls.NOT_PUBLIC
    assert seen == []


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "0",
        "0.0.0.0",
        "10.0.0.1",
        "167772161",
        "100.64.0.1",
        "168.63.129.16",
        "169.254.169.254",
        "0xa9fea9fe",
        "0251.0376.0251.0376",
        "172.16.0.1",
        "192.168.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "[::]",
        "[::1]",
        "[::127.0.0.1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:a9fe:a9fe]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:7f00:1::]",
        "[2001:db8::1]",
        "[fc00::1]",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "[ff02::1]",
    ],
)
def test_an_address_that_leads_inside_is_called_in_no_notation(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the system's own look-up reads it, at the delivery: whatever was let in when it was entered."""
    connected: list[object] = []
    monkeypatch.setattr(socket, "create_connection", lambda address, *_, **__: connected.append(address))
    result = EndpointCaller().post(f"https://{host}/hook", HEADERS, BODY)
    assert (result.error, result.status, connected) == (calls.NOT_PUBLIC, None, [])


def test_a_name_that_turns_private_between_check_and_connect_is_not_followed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The name is looked up once; the connection goes to the address that was checked, and to no name."""
    looked_up, connected = [], []

    def resolve(host: str, port: int) -> list[str]:
        looked_up.append(host)
        return ["93.184.216.34"] if len(looked_up) == 1 else ["127.0.0.1"]

    def connect(address: tuple[str, int], *_: object, **__: object) -> socket.socket:
        connected.append(address)
        raise OSError("nobody is there")

    monkeypatch.setattr(socket, "create_connection", connect)
    result = EndpointCaller(resolve=resolve).post("https://rebind.example/hook", HEADERS, b"{}")
    assert result.error == calls.NO_CONNECTION
    assert (looked_up, connected) == (["rebind.example"], [("93.184.216.34", 443)])
    again = EndpointCaller(resolve=resolve).post("https://rebind.example/hook", HEADERS, b"{}")
    assert again.error == calls.NOT_PUBLIC
    assert len(connected) == 1


def test_a_name_that_does_not_resolve_and_one_that_takes_too_long_are_named() -> None:
    def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror("unknown")

    over = threading.Event()

    def hangs(host: str, port: int) -> list[str]:
        over.wait(60)
        return []

    for resolve, seconds, error in ((unknown, 60, calls.NO_NAME), (hangs, 0.3, calls.TIMED_OUT)):
        caller = EndpointCaller(resolve=resolve)
        assert caller.post("https://shop.example/", HEADERS, b"{}", seconds=seconds).error == error
    over.set()


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The context of a server whose name is `name`, and that of a client who trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    today = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return serving, ssl.create_default_context(cafile=str(folder / "cert.pem"))


@contextmanager
def over_tls(context: ssl.SSLContext) -> Iterator[int]:
    def behave(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            taken = b""
            # A server that closes before it has read everything breaks the connection.
            while not taken.endswith(b"{}") and (part := secure.recv(65_536)):
                taken += part
            secure.sendall(OK)

    listening = socket.create_server(("127.0.0.1", 0))

    def serve(handle: Callable[[socket.socket], None]) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            try:
                handle(connection)
            except OSError:
                connection.close()

    threading.Thread(target=serve, args=(behave,), daemon=True).start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.close()


def test_the_certificate_is_held_against_the_name_and_not_against_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving, trusting = certificate(tmp_path, "shop.example")
    monkeypatch.setattr(calls, "public_address", lambda host, port, resolve: "127.0.0.1")
    with over_tls(serving) as port:
        for name, tls, error in (
            ("shop.example", trusting, None),
            ("other.example", trusting, calls.BAD_TLS),
            ("shop.example", None, calls.BAD_TLS),
        ):
            result = EndpointCaller(tls=tls).post(f"https://{name}:{port}/", HEADERS, b"{}", seconds=60)
            assert result.error == error, name


def test_certificates_are_checked() -> None:
    context = calls._tls_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
