"""The proxy over real connections: what it passes on, and what each fault does to an answer."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import pytest

from local.faults.calls import carrier_call
from local.faults.proxy import serve
from local.stack import processes

BODY = {"code": 200, "data": {"number": "A1", "token": "t" * 20}}
HELD = {"seconds": 0.05}


class Carrier(BaseHTTPRequestHandler):
    """Answers everything with `BODY`, and counts."""

    protocol_version = "HTTP/1.1"
    asked: list[bytes]

    def do_POST(self) -> None:
        self.asked.append(self.rfile.read(int(self.headers["content-length"])))
        body = json.dumps(BODY).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


@contextmanager
def _proxy(to: int) -> Iterator[str]:
    port, ready = processes.port("NO_PORT_IS_NAMED"), Event()
    loop = asyncio.new_event_loop()

    async def run() -> None:
        loop.call_later(0.05, ready.set)
        await serve({port: (to, carrier_call)}, "http://nobody.test")

    task = loop.create_task(run())

    def work() -> None:
        try:
            loop.run_until_complete(task)
        except asyncio.CancelledError:
            pass
        finally:
            loop.close()

    thread = Thread(target=work)
    thread.start()
    assert ready.wait(60)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(5)


@pytest.fixture
def asked() -> list[bytes]:
    return []


@pytest.fixture
def client(asked: list[bytes]) -> Iterator[httpx.Client]:
    handler = type("Counting", (Carrier,), {"asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    with _proxy(server.server_address[1]) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client
    server.shutdown()
    server.server_close()


@pytest.fixture
def spoil(client: httpx.Client) -> Callable[..., None]:
    def spoil(fault: str, case: str = "one", **more: Any) -> None:
        rule = {"call": "ubi POST /orders", "fault": fault, **HELD, **more}
        body = [{"case": case, "marks": [f"mark-{case}"], "rules": [rule]}]
        client.post("/_faults/cases", json=body).raise_for_status()

    return spoil


def order(client: httpx.Client, mark: str = "mark-one") -> httpx.Response:
    return client.post("/ubi/orders", content=mark)


def test_without_a_case_everything_passes_unchanged(client: httpx.Client, asked: list[bytes]) -> None:
    assert [order(client).json() for _ in range(3)] == [BODY] * 3
    assert asked == [b"mark-one"] * 3


def test_a_case_notes_its_calls_and_is_known_by_the_token_that_it_was_given(
    client: httpx.Client, spoil: Callable[..., None]
) -> None:
    spoil("error", nth=9)
    order(client)
    order(client, "mark-of-nobody")
    order(client, f"token {'t' * 20}")
    noted = client.get("/_faults/cases/one").json()
    assert [step["nth"] for step in noted["calls"]] == [1, 2]
    assert noted["met"] == 0
    took = [(each["call"], each["seconds"] > 0) for each in noted["times"]]
    assert took == [("ubi POST /orders", True)] * 2
    client.delete("/_faults/cases/one").raise_for_status()
    assert client.get("/_faults/cases/one").status_code == 422


def test_a_case_without_marks_has_all_calls_whatever_tokens_are_given(client: httpx.Client) -> None:
    client.post("/_faults/cases", json=[{"case": "all", "marks": []}]).raise_for_status()
    for mark in ("mark-one", f"token {'t' * 20}", "mark-two"):
        order(client, mark)
    assert len(client.get("/_faults/cases/all").json()["times"]) == 3


@pytest.mark.parametrize(("fault", "status"), [("error", 500), ("html", 502), ("too_many", 429)])
def test_a_refusal_reaches_nobody(
    fault: str, status: int, client: httpx.Client, spoil: Callable[..., None], asked: list[bytes]
) -> None:
    spoil(fault)
    assert order(client).status_code == status
    assert asked == []
    assert order(client).json() == BODY
    assert client.get("/_faults/cases/one").json()["met"] == 1


@pytest.mark.parametrize(
    ("fault", "reached"),
    [
        ("reset_before", 0),
        ("reset_after", 1),
        ("silence", 1),
        ("half_body", 1),
        ("kill_before", 0),
        ("freeze", 1),
    ],
)
def test_a_connection_ends_without_an_answer(
    fault: str, reached: int, client: httpx.Client, spoil: Callable[..., None], asked: list[bytes]
) -> None:
    spoil(fault)
    with pytest.raises(httpx.TransportError):
        order(client)
    assert len(asked) == reached
    assert order(client).json() == BODY


@pytest.mark.parametrize(("fault", "reached"), [("delay", 1), ("slow_drip", 1), ("duplicate", 2)])
def test_an_answer_that_comes_late_or_of_a_call_made_twice_is_whole(
    fault: str, reached: int, client: httpx.Client, spoil: Callable[..., None], asked: list[bytes]
) -> None:
    spoil(fault)
    assert order(client).json() == BODY
    assert len(asked) == reached


def test_an_answer_has_other_types_or_is_anothers(client: httpx.Client, spoil: Callable[..., None]) -> None:
    spoil("wrong_types")
    assert order(client).json()["data"]["number"] == 7
    spoil("anothers")
    assert order(client).json() == BODY


def test_what_is_no_case_is_refused(client: httpx.Client) -> None:
    for body in ([{}], [{"case": "x", "marks": [], "rules": [{"call": "a", "fault": "no"}]}]):
        assert client.post("/_faults/cases", json=body).status_code == 422


def test_calls_are_written_down_while_they_are_wanted(client: httpx.Client, tmp_path: Path) -> None:
    tape = tmp_path / "calls.jsonl"
    order(client)
    client.post("/_faults/record", json={"file": str(tape)}).raise_for_status()
    assert order(client).json() == BODY
    client.delete("/_faults/record").raise_for_status()
    order(client)

    (line,) = [json.loads(each) for each in tape.read_text().splitlines()]
    assert (line["call"], line["status"], line["sent"]) == ("ubi POST /orders", 200, len("mark-one"))


def test_a_case_with_a_chance_has_all_calls_and_counts_them(client: httpx.Client, asked: list[bytes]) -> None:
    chance = {"share": 1, "faults": {"too_many": 1}}
    client.post("/_faults/cases", json=[{"case": "load", "marks": [], "chance": chance}]).raise_for_status()
    assert [order(client).status_code for _ in range(3)] == [429] * 3
    assert asked == []
    noted = client.get("/_faults/cases/load").json()
    assert (noted["made"], noted["spoilt"]) == ({"ubi": 3}, {"ubi too_many": 3})


def test_a_case_without_marks_keeps_all_calls_after_a_carrier_gave_a_token(client: httpx.Client) -> None:
    client.post("/_faults/cases", json=[{"case": "all", "marks": []}]).raise_for_status()
    order(client)
    order(client, "a call of anybody")
    assert len(client.get("/_faults/cases/all").json()["calls"]) == 2


def test_of_two_rules_for_one_call_only_the_first_is_met(client: httpx.Client) -> None:
    rules = [{"call": "ubi POST /orders", "fault": fault} for fault in ("error", "too_many")]
    cases = [{"case": rule["fault"], "marks": [], "rules": [rule]} for rule in rules]
    client.post("/_faults/cases", json=cases).raise_for_status()
    assert order(client).status_code == 500
    assert [client.get(f"/_faults/cases/{rule['fault']}").json()["met"] for rule in rules] == [1, 0]
