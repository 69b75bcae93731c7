"""How many of our files one order and one webhook walk through: few enough to be read in one go.

Counted are the files of functions/, carriers/, http/ and services/ whose functions run each time when the
same has been done once before: not what a module does while it is imported, nor what happens beside it once
in many runs. A file too many is named when a test fails; what a path needs has a place in a file that is on
it already, or makes room by putting together what a reader would look for together.
"""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from functions.ingest_webhook.handler import handler as ingest_webhook
from functions.process_webhook.handler import handler as process_webhook
from parcelgate import aws_clients
from parcelgate.store.credentials.webhook_tokens import Hook
from parcelgate.store.inbox import PROCESSED
from tests.sandbox.conftest import Receiver, eventually, receiver
from tests.sandbox_wire.test_after_the_order import Shop, running, shop, with_accounts
from tests.support.api import Context, backend, shared_backend

__all__ = ["backend", "receiver", "running", "shared_backend", "shop", "with_accounts"]

ROOT = Path(__file__).parents[2]
FOLDERS = tuple(
    f"{folder}/"
    for folder in ("functions", *(f"shared/parcelgate/{room}" for room in ("carriers", "http", "services")))
)
TOKEN = "a-token-that-nobody-guesses"

MOST_FOR_A_CREATE = 20
MOST_FOR_A_WEBHOOK = 16


def files_of_each(*works: Callable[[], object]) -> dict[str, str]:
    """The files of ours whose functions each of the works runs, with the first of these and who called it."""
    first, *others = map(_files_of, works)
    return {name: called for name, called in sorted(first.items()) if all(name in other for other in others)}


def _files_of(work: Callable[[], object]) -> dict[str, str]:
    found: dict[str, str] = {}

    def note(frame: FrameType, event: str, _: Any) -> None:
        name, caller = _inside(frame), frame.f_back
        if event != "call" or name in found or not name.startswith(FOLDERS):
            return
        by = _inside(caller) if caller else ""
        # What the tests themselves look up is no part of the way.
        if caller and not by.startswith("tests/"):
            found[name] = f"{frame.f_code.co_qualname}, called from {by}:{caller.f_lineno}"

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return found


def _inside(frame: FrameType) -> str:
    """The file of a frame, by its path inside the project."""
    return frame.f_code.co_filename.removeprefix(f"{ROOT}/")


def listed(files: dict[str, str], most: int) -> str:
    lines = (f"{name} ({called})" for name, called in files.items())
    return f"{len(files)} files, and at most {most} are wanted:\n" + "\n".join(lines)


def test_a_create_walks_through_few_files(shop: Shop) -> None:
    shop.buys("ubi", "first")
    files = files_of_each(lambda: shop.buys("ubi", "second"), lambda: shop.buys("ubi", "third"))
    assert "shared/parcelgate/carriers/ubi/adapter.py" in files
    assert len(files) <= MOST_FOR_A_CREATE, listed(files, MOST_FOR_A_CREATE)


class Pushes:
    """What a carrier pushes of one parcel, delivered by hand."""

    def __init__(self, shop: Shop, receiver: Receiver) -> None:
        self._shop = shop
        shop.backend.table.webhook_tokens.put(TOKEN, Hook("acme", "lme", "default"))
        shop.control.post("/webhooks", json={"lme": {"default": receiver.url}}).raise_for_status()
        shop.buys("lme", "pushed")
        shop.control.post("/advance", json={"seconds": 360_000}).raise_for_status()
        eventually(lambda: len(receiver.got) > 2)
        self._pushes: Iterator[Any] = zip(receiver.headers, receiver.got, strict=False)

    def deliver_next(self) -> None:
        """Receive the next push, and process it."""
        headers, body = next(self._pushes)
        event = {
            "pathParameters": {"carrier": "lme", "account": "default", "token": TOKEN},
            "headers": headers,
            "body": json.dumps(body),
        }
        assert ingest_webhook(event, Context())["statusCode"] == 200
        (entry,) = [item for item in self._shop.backend.stored("inbox") if "due_at" in item]
        message = {"tenant": "acme", "id": entry["pk"]["S"].split("#", 3)[3]}
        record = {
            "messageId": "1",
            "receiptHandle": "1",
            "body": json.dumps(message),
            "attributes": {"ApproximateReceiveCount": "1"},
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:inbox",
        }
        assert process_webhook({"Records": [record]}, Context()) == {"batchItemFailures": []}


def test_a_webhook_walks_through_few_files(
    shop: Shop, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = aws_clients.client("sqs").create_queue(QueueName="nudged")["QueueUrl"]
    monkeypatch.setenv("PARCELGATE_POLL_QUEUE_URL", queue)
    pushes = Pushes(shop, receiver)
    pushes.deliver_next()
    files = files_of_each(pushes.deliver_next, pushes.deliver_next)
    states = [item["entry_state"]["S"] for item in shop.backend.stored("inbox")]
    assert states == [PROCESSED] * 3
    assert "shared/parcelgate/carriers/lme/adapter.py" in files
    assert len(files) <= MOST_FOR_A_WEBHOOK, listed(files, MOST_FOR_A_WEBHOOK)
