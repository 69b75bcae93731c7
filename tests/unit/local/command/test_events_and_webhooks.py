"""`parcelgate events` and `parcelgate webhooks`: what is heard, on a merchant's own machine too."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from standardwebhooks import Webhook

from local.command import access
from tests.support.served import ServedWorld
from tests.unit.local.command.conftest import Run


class Receiver:
    """A merchant's server on this machine."""

    def __init__(self) -> None:
        self.heard: list[tuple[dict[str, str], bytes]] = []
        self.status = 204
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.heard.append((dict(self.headers), body))
                self.send_response(receiver.status)
                self.end_headers()

            def log_message(self, *given: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_port}/hooks"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield receiver
    receiver.server.shutdown()
    thread.join()
    receiver.server.server_close()


def test_events_are_listed_and_one_is_shown(served_world: ServedWorld, run: Run) -> None:
    with served_world.hold() as world:
        order = world.settle(world.start_order())
    events = json.loads(run("events", "list", "--order", order.id, "--json").stdout)
    assert {"order.confirmed", "label.ready"} <= {event["type"] for event in events}
    (line,) = run("events", "list", "--type", "order.confirmed").stdout.splitlines()
    assert order.id in line
    assert json.loads(run("events", "get", events[0]["id"]).stdout) == events[0]
    assert run("events", "list", "--type", "nonsense").exit_code == 1


def test_events_are_forwarded_once_each_and_signed(
    served_world: ServedWorld, run: Run, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What happened before is not sent; what happens while it listens is."""
    with served_world.hold() as world:
        world.settle(world.start_order("before"))
    secret = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVoxMjM0NTY="
    waits = 0

    def sleep(seconds: float) -> None:
        nonlocal waits
        waits += 1
        assert waits < 20, "nothing more was heard"
        with served_world.hold() as world:
            if waits < 3:
                world.settle(world.start_order(f"during-{waits}"))

    monkeypatch.setattr(access, "sleep", sleep)
    done = run(
        "webhooks", "listen", "--forward-to", receiver.address, "--event", "order.*", "--secret", secret,
        "--limit", "2",
    )  # fmt: skip

    assert done.exit_code == 0, done.output
    assert done.stdout.count("-> 204 in") == 2
    bodies = [Webhook(secret).verify(body, lowered(headers)) for headers, body in receiver.heard]
    assert [body["data"]["reference"] for body in bodies] == ["during-1", "during-2"]
    assert [body["type"] for body in bodies] == ["order.confirmed"] * 2
    assert [lowered(headers)["webhook-id"] for headers, _ in receiver.heard] == [
        body["id"] for body in bodies
    ]


def lowered(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def test_an_earlier_time_begins_there_and_a_deaf_receiver_is_told_of(
    served_world: ServedWorld, run: Run, receiver: Receiver
) -> None:
    with served_world.hold() as world:
        world.settle(world.start_order())
    receiver.status = 500
    words = ("webhooks", "listen", "--since", "2026-01-01", "--limit", "1")
    assert "-> 500 in" in run(*words, "--forward-to", receiver.address).stdout
    assert "not taken (ConnectError)" in run(*words, "--forward-to", "1").stdout
    assert json.loads(run(*words, "--json").stdout)["data"]["object"] in ("order", "tracking")
    assert run(*words, "--forward-to", "ftp://x").exit_code == 2
    for elsewhere in ("https://shop.example/hooks", "http://10.0.0.7", "localhost.evil.test", "[::2]:80"):
        refused = run(*words, "--forward-to", elsewhere)
        assert (refused.exit_code, "--allow-remote" in refused.stderr) == (2, True), elsewhere
    assert "not taken" in run(*words, "--forward-to", "http://[::2]:1", "--allow-remote").stdout
    assert run(*words, "--forward-to", "1", "--secret", "whsec_!").exit_code == 2


def test_an_endpoint_is_added_tested_replayed_and_removed(
    served_world: ServedWorld, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    added = run("webhooks", "add", "https://shop.example.com/hooks", "--event", "order.*")
    assert added.exit_code == 0, added.output
    assert added.stdout.startswith("whsec_")
    (endpoint,) = json.loads(run("webhooks", "endpoints", "--json").stdout)
    assert endpoint["events"] == ["order.*"]
    assert run("webhooks", "test", endpoint["id"]).exit_code == 0
    (delivery,) = deliveries(run, endpoint["id"])
    assert delivery["type"] == "ping"
    assert "ping" in run("webhooks", "deliveries", endpoint["id"]).stdout
    assert run("webhooks", "replay", delivery["id"]).exit_code == 0
    assert run("webhooks", "enable", endpoint["id"]).exit_code == 0
    assert run("webhooks", "remove", endpoint["id"]).exit_code == 0
    assert "There is no endpoint" in run("webhooks", "endpoints").stderr
    assert run("webhooks", "add", "https://10.0.0.1:5/").exit_code in (0, 1)


def deliveries(run: Run, endpoint: str) -> Any:
    return json.loads(run("webhooks", "deliveries", endpoint, "--json").stdout)
