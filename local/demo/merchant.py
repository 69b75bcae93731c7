"""A small merchant's server: it receives webhooks, checks their signatures, and remembers what it heard."""

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

type Event = dict[str, Any]

PATIENCE = 90.0
"""Seconds that the last webhooks may take."""


class Merchant:
    """What a merchant's server has heard so far.

    `secret` is set once the endpoint was made. A webhook that is quicker than that is put off.
    """

    def __init__(self) -> None:
        self.secret = ""
        self.url = ""
        self.events: list[Event] = []
        """Each event once, as it came first."""
        self.ids: Counter[str] = Counter()
        """How often each event came."""
        self.refused = 0
        """How many webhooks had a wrong signature."""
        self._lock = threading.Lock()

    def receive(self, headers: Mapping[str, str], body: bytes) -> int:
        """Take one webhook. Returns the status of the answer."""
        if not self.secret:
            return 503
        try:
            event: Event = Webhook(self.secret).verify(body, dict(headers))
        except WebhookVerificationError:
            with self._lock:
                self.refused += 1
            return 401
        with self._lock:
            self.ids[event["id"]] += 1
            if self.ids[event["id"]] == 1:
                self.events.append(event)
        return 204

    def timelines(self) -> dict[str, list[Event]]:
        """The events of each order, batch and parcel, in the order in which they happened."""
        of_subject: dict[str, list[Event]] = {}
        for event in sorted(self.events, key=lambda each: (each["sequence"], each["id"])):
            of_subject.setdefault(str(event["data"]["id"]), []).append(event)
        return of_subject

    def summary(self) -> str:
        """What was heard, in words."""
        repeats = self.ids.total() - len(self.ids)
        again = f", {repeats} of them more than once" if repeats else ""
        return f"{len(self.events)} events of {len(self.timelines())} orders and parcels{again}"

    def mistakes(self, told: list[Event]) -> list[str]:
        """Compare what was heard with what the event log has; a line for each difference."""
        heard = {event["id"]: event for event in self.events}
        kept = {event["id"]: event for event in told}
        lines = [f"{kept[one]['type']} {one} was never heard" for one in kept.keys() - heard.keys()]
        lines += [f"{heard[one]['type']} {one} is in no log" for one in heard.keys() - kept.keys()]
        same = heard.keys() & kept.keys()
        lines += [f"{one} was heard otherwise" for one in same if heard[one] != kept[one]]
        for subject, events in self.timelines().items():
            times = [event["timestamp"] for event in events]
            if times != sorted(times):
                lines.append(f"the sequences of {subject} are not in the order of its times")
        if self.refused:
            lines.append(f"{self.refused} webhooks had a wrong signature")
        return lines


@contextmanager
def open_shop() -> Iterator[Merchant]:
    """Run a merchant's server on a free port of this machine."""
    merchant = Merchant()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            status = merchant.receive(self.headers, self.rfile.read(length))
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    merchant.url = f"http://127.0.0.1:{server.server_address[1]}/parcelgate"
    try:
        yield merchant
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def listen(client: httpx.Client, merchant: Merchant) -> None:
    """Have all events sent to the merchant's server."""
    made = client.post("/v1/webhook-endpoints", json={"url": merchant.url}).raise_for_status().json()
    merchant.secret = made["secret"]


def told(client: httpx.Client) -> list[Event]:
    """Read the whole event log, oldest first."""
    events: list[Event] = []
    query = {"limit": "100"}
    while True:
        page = client.get("/v1/events", params=query).raise_for_status().json()
        events += page["data"]
        if page["next_cursor"] is None:
            return events[::-1]
        query["cursor"] = page["next_cursor"]


def hear_out(client: httpx.Client, merchant: Merchant) -> list[str]:
    """Wait until the merchant has heard of everything. Returns a line for each difference that is left."""
    deadline = time.monotonic() + PATIENCE
    while True:
        mistakes = merchant.mistakes(told(client))
        if not mistakes or time.monotonic() > deadline:
            return mistakes
        time.sleep(1)
